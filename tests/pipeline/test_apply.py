"""Applying a recipe: lazily, frame by frame, with every failure kept to its frame."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
import xarray as xr

from pipeline import Recipe, apply, frames_of, stack_of
from pipeline.apply import RecipeBlock, memory_factor, task_name
from pipeline.errors import Fatal
from pipeline.outcome import Status
from pipeline.running import run_chain, run_step
from pipeline.stack import header_of, outcome_at
from pipeline.step import ReferenceFile
from tests.toy import RECIPE, TWICE, toy_frame


@pytest.fixture
def recipe() -> Recipe:
    return Recipe.parse(RECIPE)


def gain(path: Path) -> dict[str, ReferenceFile]:
    return {"gain": ReferenceFile("gain", "references:gain.v0001", str(path), "ab" * 32)}


def test_nothing_is_computed_until_it_is_asked_for(recipe: Recipe) -> None:
    calls: list[object] = []

    def count(graph: Any, keys: Any, **_: Any) -> Any:
        calls.append(keys)
        return dask.get(graph, keys)

    with dask.config.set(scheduler=count):
        lazy = apply(stack_of([toy_frame()] * 3), recipe)
        assert calls == []
        lazy.compute()
    assert len(calls) == 1


def test_steps_are_applied_in_order_with_their_references(recipe: Recipe, gain_file: Path) -> None:
    (frame,) = frames_of(apply(stack_of([toy_frame(5.0)]), recipe, gain(gain_file)))
    np.testing.assert_array_equal(frame.data, np.full((4, 6), (5 + 2) * 3, dtype=np.float32))
    assert frame.data.dtype == np.float32
    assert frame.header["BUNIT"] == "DN/s"
    assert frame.header["LEVEL"] == "1"


def test_provenance_names_every_step_with_parameters_references_and_versions(
    recipe: Recipe, gain_file: Path
) -> None:
    (frame,) = frames_of(apply(stack_of([toy_frame()]), recipe, gain(gain_file)))
    header = frame.header
    assert [header["PRSTEP1"], header["PRSTEP2"]] == ["BIAS-CORRECTION", "CALIBRATION"]
    assert header["PRPROC1"] == "toy_camera.steps.shift"
    assert header["PRPVER1"] == 3
    assert header["PRPARA1"] == '{"by":2.0}'
    assert "gain=references:gain.v0001" in header["PRREF2"]
    assert header["PRLIB1B"] == "numpy"
    assert header["PRVER1B"] == np.__version__


def test_a_step_that_stands_twice_is_done_twice_and_recorded_twice() -> None:
    recipe = Recipe.parse(TWICE)
    (frame,) = frames_of(apply(stack_of([toy_frame(1.0)]), recipe))
    np.testing.assert_array_equal(frame.data, np.full((4, 6), (1 + 2) * 2 + 5, dtype=np.float32))
    cards = [(frame.header[f"PRPROC{n}"].rpartition(".")[2], frame.header[f"PRPARA{n}"]) for n in (1, 2, 3)]
    assert cards == [("shift", '{"by":2.0}'), ("brighten", "{}"), ("shift", '{"by":5.0}')]
    assert task_name(recipe) == "toy_twice→shift→brighten→shift"


def test_an_assumed_reference_is_said_aloud_in_header_and_caveats(recipe: Recipe) -> None:
    (frame,) = frames_of(apply(stack_of([toy_frame(5.0)]), recipe))
    assert frame.data[0, 0] == 7.0
    assert frame.header["ASSUME1"] == "gain=unity"
    assert "gain=unity (assumed)" in frame.header["PRREF2"]
    assert any("unity was assumed" in caveat for caveat in frame.caveats)
    assert frame.header["NCAVEATS"] == 1
    assert "unity was assumed" in frame.header["CAVEAT1"]


def test_a_missing_reference_quarantines_the_frame_and_says_how_to_add_it(recipe: Recipe) -> None:
    strict = Recipe.parse(RECIPE.replace(", assume: {gain: unity}", ""))
    computed = apply(stack_of([toy_frame()]), strict).compute()
    outcome = outcome_at(computed, 0)
    assert outcome.status is Status.QUARANTINED
    assert "gain" in outcome.reason
    assert "heliolake context add" in outcome.advice
    assert "assume: {gain: unity}" in outcome.advice


@pytest.mark.parametrize(
    ("card", "status", "words"),
    [("BROKEN", Status.QUARANTINED, "shutter was shut"), ("BUG", Status.FAILED, "ZeroDivisionError")],
)
def test_one_bad_frame_never_fails_its_block(recipe: Recipe, card: str, status: Status, words: str) -> None:
    frames = [toy_frame(1.0), toy_frame(2.0, **{card: True}), toy_frame(3.0)]
    computed = apply(stack_of(frames, chunk=3), recipe).compute()
    outcomes = [outcome_at(computed, index) for index in range(3)]
    assert [outcome.status for outcome in outcomes] == [Status.DONE, status, Status.DONE]
    assert words in outcomes[1].reason
    assert outcomes[1].step == "shift"
    assert np.isnan(computed["image"].values[1]).all()
    np.testing.assert_array_equal(computed["image"].values[[0, 2], 0, 0], [3.0, 5.0])


def test_a_fatal_error_stops_everything(recipe: Recipe) -> None:
    with pytest.raises(Fatal, match="no frame will work"):
        apply(stack_of([toy_frame(), toy_frame(DOOM=True)]), recipe).compute()


@pytest.mark.parametrize(("lost", "said"), [(0.2, False), (0.3, True)])
def test_a_product_of_which_little_has_a_value_says_so(recipe: Recipe, lost: float, said: bool) -> None:
    frame = toy_frame(1.0, (10, 10))
    data = frame.data.copy()
    data.flat[: int(100 * lost)] = np.nan
    outcome = outcome_at(apply(stack_of([frame.replace(data=data)]), recipe).compute(), 0)
    assert ("only 70.0 % of the pixels have a value" in outcome.caveats) is said


def test_a_unit_the_step_does_not_take_is_refused(recipe: Recipe) -> None:
    computed = apply(stack_of([toy_frame(BUNIT="MSB")]), recipe).compute()
    outcome = outcome_at(computed, 0)
    assert (outcome.status, outcome.keyword, outcome.found) == (Status.QUARANTINED, "BUNIT", "MSB")


def test_steps_that_change_the_shape_are_announced_in_the_template() -> None:
    recipe = Recipe.parse(RECIPE + "  - {step: halve}\n")
    lazy = apply(stack_of([toy_frame(1.0, (8, 6))]), recipe)
    assert lazy["image"].shape == (1, 4, 3)
    assert lazy.compute()["image"].shape == (1, 4, 3)


def test_chunks_that_cut_images_are_refused(recipe: Recipe) -> None:
    with pytest.raises(Fatal, match="whole images"):
        apply(stack_of([toy_frame()]).chunk({"y": 2}), recipe)


def test_what_travels_to_a_worker_is_small(recipe: Recipe, gain_file: Path) -> None:
    block = RecipeBlock(recipe, gain(gain_file), (4096, 4096))
    assert block.chain  # having been used must not make it grow
    assert len(pickle.dumps(block)) < 2000
    again = pickle.loads(pickle.dumps(block))
    assert again.chain == block.chain


def test_the_dashboard_reads_like_the_recipe(recipe: Recipe) -> None:
    assert task_name(recipe) == "toy_l1→shift→scale"
    keys = apply(stack_of([toy_frame()]), recipe).__dask_graph__().keys()
    assert any(
        str(key[0] if isinstance(key, tuple) else key).startswith("toy_l1→shift→scale") for key in keys
    )


def test_the_peak_memory_is_that_of_the_hungriest_step(recipe: Recipe) -> None:
    assert memory_factor(recipe.bind()) == 4.0


def test_a_failed_frame_is_not_touched_by_a_second_recipe(recipe: Recipe) -> None:
    once = apply(stack_of([toy_frame(BROKEN=True), toy_frame()]), recipe)
    twice = apply(once, Recipe.parse(RECIPE.replace("toy-l1", "toy-again"))).compute()
    assert "shutter" in outcome_at(twice, 0).reason
    assert outcome_at(twice, 1).keyword == "BUNIT"  # DN/s now: the steps take DN


def test_storage_cards_of_integer_files_do_not_stay_on_float_data(recipe: Recipe) -> None:
    frame = toy_frame(BLANK=-32768, BZERO=32768, BSCALE=2.0, CHECKSUM="x", KEPT=7)
    computed: xr.Dataset = apply(stack_of([frame]), recipe).compute()
    header = header_of(str(computed["header"].values[0]))
    assert not {"BLANK", "BZERO", "BSCALE", "CHECKSUM"} & set(header)
    assert header["KEPT"] == 7


def test_an_image_that_ends_without_a_single_value_is_put_aside(recipe: Recipe) -> None:
    empty = toy_frame()
    empty = empty.replace(data=np.full_like(empty.data, np.nan))
    result = apply(stack_of([empty, toy_frame()]), recipe).compute()
    assert [outcome_at(result, index).status for index in (0, 1)] == [Status.QUARANTINED, Status.DONE]
    assert "no pixel" in outcome_at(result, 0).reason


@pytest.mark.parametrize("where", ["data", "quality", "out", "sort", "kernel", "reference", "deep reference"])
def test_a_step_that_works_in_place_stops_the_run_by_name(where: str, gain_file: Path) -> None:
    recipe = Recipe.parse(RECIPE + f"  - {{step: careless, params: {{where: {where}}}}}\n")
    table = {"table": ReferenceFile("table", "references:table.v0001", str(gain_file), "cd" * 32)}
    stack = stack_of([toy_frame(5.0)])
    with pytest.raises(Fatal, match=r"step careless \(toy_camera.steps.careless\) works in place"):
        apply(stack, recipe, table).compute()


def test_the_callers_stack_is_never_changed() -> None:
    recipe = Recipe.parse(RECIPE.replace("{step: shift, params: {by: 2.0}}", "{step: careless}"))
    frame = toy_frame(5.0)
    with pytest.raises(Fatal, match="careless"):
        run_chain(frame, recipe.bind(), {}, level="1")
    np.testing.assert_array_equal(frame.data, 5.0)
    assert frame.data.flags.writeable
    assert frame.quality.flags.writeable


def test_a_header_changed_in_place_is_a_change_of_the_result_alone() -> None:
    recipe = Recipe.parse(
        RECIPE.replace("{step: shift, params: {by: 2.0}}", "{step: careless, params: {where: header}}")
    )
    (bound, *_) = recipe.bind()
    frame = toy_frame(5.0)
    result = run_step(frame, bound, {})
    assert frame.header["BUNIT"] == "DN"
    assert result.header["BUNIT"] == "MSB"
    assert "PRMODE1" not in result.header


def test_a_step_that_does_nothing_is_said_to(gain_file: Path) -> None:
    recipe = Recipe.parse(
        RECIPE.replace("{step: shift, params: {by: 2.0}}", "{step: careless, params: {where: nothing}}")
    )
    (bound, *_) = recipe.bind()
    result = run_step(toy_frame(5.0), bound, {})
    assert result.header["PRMODE1"] == "NO-CHANGE"
    assert result.data.flags.writeable  # the shield was the step's, not the frame's


def test_coordinates_of_frames_stay_and_those_of_pixels_do_not(recipe: Recipe) -> None:
    times = np.array(["2024-05-06T07:08:09", "2024-05-06T07:08:21"], dtype="datetime64[ns]")
    stack = stack_of([toy_frame(), toy_frame(2.0)], chunk=2).assign_coords(
        time=times, exposure=("time", [1.0, 2.0]), camera="CAM1", x=np.arange(6) * 0.6
    )
    made = apply(stack, recipe)
    assert set(made.coords) == {"time", "exposure", "camera"}
    computed = made.sel(time="2024-05-06T07:08:21").compute()
    assert computed["exposure"] == 2.0
    assert float(computed["image"].values.ravel()[0]) == 4.0
    assert made.chunks["time"] == (2,)
