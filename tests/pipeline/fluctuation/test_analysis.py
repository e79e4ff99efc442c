"""The analysis of stacks: right within its intervals, and honest where what it assumes fails."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from pipeline.errors import BadInput
from pipeline.fluctuation import Fluctuation, Settings, analyse, analysis
from pipeline.fluctuation.exact import enumerated, simulated
from pipeline.quality import Quality
from tests.pipeline.fluctuation.stacks import BALANCED, DRIVEN, driven, stack_of

FOUR = Settings(states=4, lengths=(1, 2, 3), side=4, draws=60)


def failed(found: Fluctuation) -> set[str]:
    return {test.name for test in found.tests if not test.holds}


def test_a_simulated_chain_is_found_again_and_keeps_the_theorems() -> None:
    found = analyse(driven(512, 200), FOUR)
    np.testing.assert_allclose(found.chain.transition, DRIVEN.transition, atol=0.01)
    assert failed(found) == set()
    assert found.chain.production == pytest.approx(DRIVEN.production, rel=0.03)
    for one in found.theorems[1:]:
        assert one.doubt == ""
        assert one.detailed.value == pytest.approx(1.0, abs=0.03)
        assert one.integral.value == pytest.approx(1.0, abs=0.05)
        exact = enumerated(DRIVEN, one.length)
        assert one.mean == pytest.approx(float(exact.probability @ exact.production), rel=0.03)
        assert one.mean == pytest.approx(one.expected, rel=0.02)
    assert found.theorems[0].holds is None
    assert "counts themselves" in found.theorems[0].doubt


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    settings = Settings(states=4, lengths=(2, 3), side=2, draws=60, interval=0.9)
    held = [
        estimate.holds(1.0)
        for seed in range(20)
        for one in analyse(driven(256, 60, seed=seed), settings).theorems
        for estimate in (one.detailed, one.integral)
    ]
    # Of 80, not independent: 9 in 10.
    assert 0.78 < np.mean(held) <= 1.0


def test_a_balanced_chain_has_nothing_to_test() -> None:
    states = simulated(BALANCED, 256, 120, seed=5)
    found = analyse(stack_of(states), Settings(states=3, lengths=(2,), side=4))
    assert found.chain.production < 1e-3
    assert abs(found.theorems[0].mean) < 5e-3
    assert "too little" in found.theorems[0].doubt


def test_series_that_change_are_not_stationary() -> None:
    early, late = simulated(DRIVEN, 256, 60, seed=1), simulated(DRIVEN, 256, 60, seed=2)[:, ::-1]
    found = analyse(stack_of(np.concatenate([early, late], axis=1)), FOUR)
    assert "stationary" in failed(found)
    assert any("not stationary" in one for one in found.said())


def test_series_that_remember_more_are_not_markov() -> None:
    # Each state is that of two steps before, or drawn: the last one alone tells nothing.
    random = np.random.default_rng(6)
    states = random.integers(0, 4, (256, 120))
    for time in range(2, 120):
        stays = random.random(256) < 0.6
        states[stays, time] = states[stays, time - 2]
    found = analyse(stack_of(states), FOUR)
    assert "Markov" in failed(found)
    assert "stationary" not in failed(found)


def test_transitions_seen_one_way_alone_are_told() -> None:
    states = np.arange(200)[None, :] + np.random.default_rng(7).integers(0, 4, (256, 1))
    found = analyse(stack_of(states % 4), FOUR)
    assert "both ways" in failed(found)
    assert any("smoothing decides" in one for one in found.said())
    assert all(one.holds is None for one in found.theorems)


def test_series_that_are_too_short_are_told() -> None:
    found = analyse(driven(16, 6), Settings(states=4, lengths=(2, 8), side=1))
    assert "long enough" in failed(found)
    assert any("8 transitions" in one for one in found.said())
    assert found.theorems[1].paths == 0
    assert found.theorems[1].doubt == "there are no paths of this length"


def test_gaps_are_not_walked_over_and_are_told() -> None:
    whole = driven(256, 120)
    gappy = whole.isel(time=[one for one in range(120) if one not in (30, 31, 77)])
    found = analyse(gappy, FOUR)
    assert any("3 frames are missing" in one for one in found.said())
    # Of 119 steps five are lost: into, and out of, what is missing.
    assert found.pairs.sum() == 256 * (119 - 5)
    assert found.origin["step"] == 45.0


def test_frames_off_the_step_begin_series_of_their_own() -> None:
    whole = driven(256, 120)
    times = whole["time"].values.copy()
    times[60:] += np.timedelta64(20, "s")
    found = analyse(whole.assign_coords(time=times), FOUR)
    assert any("off the step" in one for one in found.said())
    assert found.pairs.sum() == 256 * 118


def test_pixels_without_a_value_break_their_own_series_alone() -> None:
    stack = driven(256, 120)
    image = stack["image"].values.copy()
    image[50, 0, 0] = np.nan
    quality = np.zeros(image.shape, np.uint16)
    quality[70, 0, 1] = Quality.MISSING
    quality[70, 0, 2] = Quality.COSMIC_RAY  # said, and measured all the same
    changed = xr.Dataset(
        {"image": (stack["image"].dims, image), "quality": (stack["image"].dims, quality)}, stack.coords
    )
    assert analyse(changed, FOUR).pairs.sum() == 256 * 119 - 4


def test_frames_without_a_common_step_are_refused() -> None:
    stack = driven(256, 120)
    times = np.cumsum(np.random.default_rng(8).uniform(10, 100, 120) * 1e6).astype("timedelta64[us]")
    with pytest.raises(BadInput, match="no common time step"):
        analyse(stack.assign_coords(time=stack["time"].values[0] + times), FOUR)


def test_blocks_of_dask_and_their_sizes_change_nothing() -> None:
    stack = driven(1024, 60)
    whole = analyse(stack, FOUR)
    parts = analyse(stack.chunk({"time": 7, "y": 16, "x": 8}), FOUR)
    np.testing.assert_array_equal(whole.pairs, parts.pairs)
    for one, other in zip(whole.theorems, parts.theorems, strict=True):
        assert one.detailed.value == pytest.approx(other.detailed.value, rel=1e-12)
        assert one.paths == other.paths


def test_paths_of_many_kinds_are_walked_as_those_of_few(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = driven(256, 60)
    few = analyse(stack, FOUR)
    monkeypatch.setattr(analysis, "_WORDS", 0)
    many = analyse(stack, FOUR)
    for one, other in zip(few.theorems, many.theorems, strict=True):
        assert one.detailed == pytest.approx(other.detailed, rel=1e-9)
        assert one.integral == pytest.approx(other.integral, rel=1e-9)


def test_one_wavelength_of_cubes_is_taken_where_it_is_asked_for() -> None:
    image = driven(256, 120)["image"]
    noise = xr.zeros_like(image) + np.random.default_rng(9).normal(size=image.shape)
    cube = xr.concat([noise, image], "wavelength").transpose("time", "wavelength", "y", "x").astype("f4")
    stack = xr.Dataset({"image": cube})
    stack["quality"] = (("time", "y", "x"), np.zeros(image.shape, np.uint16))
    found = analyse(stack, FOUR.model_copy(update={"at": {"wavelength": 1}}))
    assert found.chain.production == pytest.approx(DRIVEN.production, rel=0.05)
    assert analyse(stack, FOUR).pixels == 512
    with pytest.raises(BadInput, match="no such place"):
        analyse(stack, FOUR.model_copy(update={"at": {"wavelength": 2}}))


def test_states_of_each_pixel_do_not_know_how_bright_it_is() -> None:
    stack = driven(256, 400)
    offset = 100.0 * np.random.default_rng(10).random((16, 16)).astype(np.float32)
    bright = stack.assign(image=stack["image"] + offset)
    found = analyse(bright, FOUR.model_copy(update={"each_pixel": True}))
    # Bounds of 400 values are not quite those of the chain.
    assert 0.6 * DRIVEN.production < found.chain.production < 1.05 * DRIVEN.production
    assert analyse(bright, FOUR).chain.production < 0.2 * DRIVEN.production


def test_noise_is_no_state() -> None:
    stack = driven(256, 120)
    centred = stack.assign(image=stack["image"] - 1.5)
    found = analyse(centred, Settings(states=3, lengths=(1,), of="square", least=1.0, side=4))
    assert 0 < found.pairs.sum() < 0.5 * 256 * 119
    assert found.edges.min() > 1.0


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (Settings(observable="header"), "no such observable"),
        (Settings(at={"depth": 1}), "no such axis"),
        (Settings(least=50.0), "too few values"),
    ],
)
def test_what_cannot_be_analysed_is_refused_with_the_reason(settings: Settings, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        analyse(driven(256, 20), settings)


def test_values_that_do_not_differ_are_no_states() -> None:
    stack = driven(256, 20)
    with pytest.raises(BadInput, match="too few different values"):
        analyse(stack.assign(image=xr.zeros_like(stack["image"])), FOUR)


@pytest.mark.parametrize(("pixels", "width"), [(1, 1), (64, 8)])
def test_one_square_of_pixels_gives_no_interval_and_so_no_verdict(pixels: int, width: int) -> None:
    states = simulated(DRIVEN, pixels, 3000, seed=3)
    found = analyse(stack_of(states, width=width), Settings(states=4, lengths=(2,), side=8, draws=20))
    assert found.squares == 1
    assert found.theorems[0].holds is None, "the interval of one square has no width: nothing would lie in it"
    assert any("8 squares of pixels" in sentence and "--side" in sentence for sentence in found.said())
