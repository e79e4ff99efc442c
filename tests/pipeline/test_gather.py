"""Steps that make one frame of several, and frames that come out beside another."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
import xarray as xr

from pipeline import Frame, Recipe, stack_of
from pipeline.apply import apply, layouts_behind
from pipeline.errors import Fatal
from pipeline.outcome import Outcome, Status
from pipeline.running import run_chain, run_gather
from pipeline.stack import frames_of, outcome_at, part
from tests.pipeline.conftest import toy_instrument  # noqa: F401 - a fixture
from tests.toy import TRIPLET, toy_frame

pytestmark = pytest.mark.usefixtures("toy_instrument")

PILE = """
name: toy-pile
instrument: toy
from_level: "0"
to_level: "1"
version: 1
group_by: {values: [scan], count: steps}
steps:
  - {step: shift}
  - {step: pile}
"""


def triplet(*positions: int, value: float = 1.0, **cards: object) -> list[Frame]:
    return [
        toy_frame(value + n, POLPOS=position, FILENAME=f"p{position}.fits", **cards)
        for n, position in enumerate(positions)
    ]


def computed(frames: list[Frame], recipe: str = TRIPLET, chunk: int = 3) -> xr.Dataset:
    return apply(stack_of(frames, chunk=chunk), Recipe.parse(recipe)).compute()


def ends(stack: xr.Dataset) -> Iterator[Outcome]:
    return (outcome_at(stack, index) for index in range(stack.sizes["time"]))


class TestGathering:
    """Three frames in, one out."""

    def test_steps_before_are_done_with_each_frame_and_those_behind_with_the_one(self) -> None:
        made = computed(triplet(1, 2, 3))
        assert made.sizes["time"] == 1
        (frame,) = frames_of(part(made))
        assert frame.data[0, 0] == np.float32(100 * (1 + 2) + 10 * (2 + 2) + 1 * (3 + 2))
        assert frame.header["BUNIT"] == "DN/s"

    def test_the_header_says_each_step_once_in_order(self) -> None:
        (frame,) = frames_of(part(computed(triplet(1, 2, 3))))
        steps = [frame.header[f"PRSTEP{n}"] for n in (1, 2, 3)]
        assert steps == ["BIAS-CORRECTION", "DEMODULATION", "CALIBRATION"]
        assert "PRSTEP4" not in frame.header
        assert "weighed" in frame.caveats

    def test_what_is_doubtful_about_one_frame_is_doubtful_about_the_result(self) -> None:
        frames = triplet(1, 2, 3)
        frames[1] = frames[1].with_caveat("a cloud passed")
        (frame,) = frames_of(part(computed(frames)))
        assert "a cloud passed" in frame.caveats

    def test_flags_of_all_frames_are_seen_by_the_step(self) -> None:
        frames = triplet(1, 2, 3)
        flags = np.zeros((4, 6), np.uint16)
        flags[2, 3] = 8
        frames[2] = frames[2].replace(quality=flags)
        assert part(computed(frames))["quality"].values[0, 2, 3] == 8

    def test_each_group_is_one_time_of_the_result_in_any_chunks(self) -> None:
        frames = [*triplet(1, 2, 3), *triplet(1, 2, 3, value=10.0), *triplet(1, 2, 3, value=20.0)]
        for chunk in (1, 2, 3, 9):
            made = computed(frames, chunk=chunk)
            assert part(made)["image"].values[:, 0, 0].tolist() == [345.0, 1344.0, 2454.0]

    def test_a_group_with_a_bad_frame_fails_alone_and_says_which_it_is(self) -> None:
        bad = triplet(1, 2, 3)
        bad[1].header["BROKEN"] = True
        made = computed([*bad, *triplet(1, 2, 3)])
        first, second = ends(made)
        assert (first.status, second.status) == (Status.QUARANTINED, Status.DONE)
        assert "shutter" in first.reason
        assert np.isnan(made["image"].values[0]).all()

    def test_a_group_one_of_whose_files_could_not_be_read_says_which(self) -> None:
        stack = stack_of(triplet(1, 2, 3), chunk=3).compute()
        lost = Outcome(status=Status.FAILED, reason="the disk was gone", retriable=True)
        stack["outcome"].values[2] = lost.model_dump_json()
        (end,) = ends(apply(stack.chunk({"time": 3}), Recipe.parse(TRIPLET)).compute())
        assert (end.reason, end.retriable) == ("p3.fits of its group: the disk was gone", True)

    def test_frames_of_several_units_are_no_group(self) -> None:
        frames = triplet(1, 2, 3)
        recipe = Recipe.parse(TRIPLET.replace("  - {step: shift, params: {by: 2.0}}\n", ""))
        frames[1].header["BUNIT"] = "MSB"
        frame, end = run_chain(frames, recipe.bind(), [{}] * 3, level="1")
        assert frame is None
        assert (end.status, end.found) == (Status.QUARANTINED, "MSB")

    def test_a_map_has_as_many_places_as_there_are_frames(self) -> None:
        recipe = Recipe.parse(PILE)
        layout, _ = layouts_behind(recipe, ("y", "x"), (4, 6), places=5)
        assert (layout.dims, layout.shape) == (("scan", "y", "x"), (5, 4, 6))
        stack = stack_of([toy_frame(float(n), SCAN="a", NSTEPS=5) for n in range(5)])
        made = apply(stack, recipe, members=5).compute()
        assert made["image"].dims == ("time", "scan", "y", "x")
        assert made["image"].values[0, :, 0, 0].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]

    def test_axes_of_what_is_made_are_numbered_anew_where_the_step_did_not(self) -> None:
        for said, names in ({}, [None, "DROPPED"]), ({"PLACED": True}, ["SCAN", None]):
            frames = [toy_frame(SCAN="a", NSTEPS=2, CTYPE3="DROPPED", **said) for _ in range(2)]
            frame = run_gather(frames, Recipe.parse(PILE).bind()[-1], [{}] * 2)
            assert [frame.header.get(f"CTYPE{axis}") for axis in (3, 4)] == names

    def test_a_map_has_as_many_places_as_are_told_whatever_the_number_of_files(self) -> None:
        recipe = Recipe.parse(PILE)
        stack = stack_of([toy_frame(float(n), SCAN="a", NSTEPS=5) for n in range(4)])
        lazily = apply(stack, recipe, members=4, places=5)
        assert lazily["image"].shape == (1, 5, 4, 6)
        with pytest.raises(Fatal, match=r"announced images of \(5, 4, 6\) and made \(4, 4, 6\)"):
            lazily.compute(scheduler="synchronous")

    def test_how_many_belong_together_has_to_be_known(self) -> None:
        with pytest.raises(Fatal, match="members=N"):
            computed([toy_frame()], recipe=PILE)
        with pytest.raises(Fatal, match="the stack has 4"):
            computed([*triplet(1, 2, 3), *triplet(1)])

    def test_uncertainty_that_nobody_carries_stops_the_run(self) -> None:
        recipe = Recipe.parse(TRIPLET)
        frames = [one.replace(uncertainty=np.ones((4, 6))) for one in triplet(1, 2, 3)]
        chain = [bound for bound in recipe.bind() if bound.step.name == "weigh"]
        with pytest.raises(Fatal, match="does not carry the uncertainty"):
            run_chain(frames, chain, [{}] * 3, level="1", uncertainty=True)


class TestOutputs:
    """A frame beside another."""

    def test_it_is_kept_with_a_header_and_a_level_of_its_own(self) -> None:
        made = computed(triplet(1, 2, 3))
        (glance,) = frames_of(part(made, "glance"))
        assert glance.data.shape == (2, 3)
        assert glance.header["LEVEL"] == "Q1"
        assert [glance.header[f"PRSTEP{n}"] for n in (1, 2)] == ["BIAS-CORRECTION", "DEMODULATION"]
        assert "PRSTEP3" not in glance.header
        assert "weighed" in glance.caveats
        (main,) = frames_of(part(made))
        assert main.header["LEVEL"] == "1"

    def test_one_with_a_header_made_anew_says_what_was_done_before_too(self) -> None:
        (glance,) = frames_of(part(computed(triplet(1, 2, 3, ANEW=True)), "glance"))
        assert [glance.header[f"PRPROC{n}"].rpartition(".")[2] for n in (1, 2)] == ["shift", "weigh"]

    def test_what_no_recipe_asks_for_is_dropped(self) -> None:
        made = computed(triplet(1, 2, 3), recipe=TRIPLET.replace("outputs: {glance: Q1}\n", ""))
        assert [name for name in made if ":" in str(name)] == []

    def test_a_step_that_forgets_its_output_stops_the_run(self) -> None:
        with pytest.raises(Fatal, match="announced the output glance"):
            computed(triplet(1, 2, 3, FORGETS=True))

    def test_a_step_cannot_make_what_it_does_not_announce(self) -> None:
        bound = next(one for one in Recipe.parse(TRIPLET).bind() if one.step.name == "weigh")
        silent = bound.model_copy(update={"step": dataclasses.replace(bound.step, outputs={})})
        with pytest.raises(Fatal, match="made the output glance, which it does not announce"):
            run_chain(triplet(1, 2, 3), [silent], [{}] * 3, level="1")


class TestRecipes:
    """What cannot work is refused before anything runs."""

    @pytest.mark.parametrize(
        ("before", "after", "says"),
        [
            (
                "group_by: {values: [camera], member: position, members: [1, 2, 3], within: 60}\n",
                "",
                "group_by",
            ),
            ("  - {step: weigh}\n", "", "no step that makes one frame of several"),
            ("  - {step: weigh}\n", "  - {step: weigh}\n  - {step: pile}\n", "only one step can gather"),
            ("members:", "mebers:", r"group_by\.mebers: no such entry. Did you mean members"),
            ("member: position", "member: positon", "no searchable value 'positon'"),
            ("glance: Q1", "glence: Q1", "none of its steps makes the output 'glence'"),
            ("glance: Q1", 'glance: "1"', "needs a level of its own"),
            ("glance: Q1", "glance: dark", "is not a level"),
        ],
    )
    def test_with_what_to_do(self, before: str, after: str, says: str) -> None:
        assert before in TRIPLET
        with pytest.raises(Fatal, match=says):
            Recipe.parse(TRIPLET.replace(before, after))

    def test_what_belongs_together_and_what_is_kept_name_the_work(self) -> None:
        document = Recipe.parse(TRIPLET).document()
        assert document["outputs"] == {"glance": "Q1"}
        assert document["group_by"] == {
            "values": ["camera"],
            "member": "position",
            "members": [1, 2, 3],
            "within": 60.0,
        }, "what is not said is no part of it, so that units keep their names when there is more to say"
