"""The background: exact lowest quarter in any order, what it is made of, its bias, and its subtraction."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import BadInput, Fatal
from pipeline.frame import Frame
from pipeline.instruments.stereo_hi import BACKGROUND
from pipeline.instruments.stereo_hi.background import FEWEST, LowestQuarterMean, reference_file
from pipeline.instruments.stereo_hi.quarter import lowest_mean, noise_per_gap
from pipeline.instruments.stereo_hi.simulate import Front, SimulationConfig, simulate_series
from pipeline.quality import Quality
from pipeline.recipe import recipes_of
from pipeline.reduction import Origin, Reduced, StackBlock, reduce
from pipeline.registry import instrument
from pipeline.running import run_chain
from tests.pipeline.instruments.stereo_hi.frames import (
    apply_step,
    as_frame,
    frame_of,
    level_1,
    reference,
)

START = datetime(2009, 4, 1, 0, 8, 31, 5000, tzinfo=UTC)


def block(image: np.ndarray, quality: np.ndarray | None = None, first: int = 0) -> StackBlock:
    plane = np.zeros(image.shape, dtype=np.uint16) if quality is None else quality
    names = tuple(f"frame {first + n}" for n in range(image.shape[0]))
    return StackBlock(image.astype(np.float32), plane, names)


def origin(frames: int = 12, unit: str = "DN/s", start: datetime = START) -> Origin:
    return Origin(unit, tuple((f"frame {n}", start + timedelta(minutes=40 * n)) for n in range(frames)))


def reduced(values: np.ndarray, count: int | np.ndarray = 12, frames: int = 12) -> Reduced:
    """A background as a reduction would have made it."""
    counts = np.broadcast_to(np.asarray(count, dtype=np.int32), values.shape).copy()
    used = frozenset(name for name, _ in origin(frames).frames)
    return Reduced(values.astype(np.float32), counts, used, {})


def level_2(frame: Frame, path: Path) -> Frame:
    recipe = recipes_of(instrument("stereo_hi"))["stereo_hi-l2-background"]
    result, outcome = run_chain(frame, recipe.bind(), reference("background", path), level="2")
    assert result is not None, outcome
    return result


def direct(image: np.ndarray) -> np.ndarray:
    """The definition, written down without blocks."""
    count = np.isfinite(image).sum(axis=0)
    ordered = np.sort(image, axis=0)
    result = np.full(image.shape[1:], np.nan)
    for place in np.ndindex(*image.shape[1:]):
        if count[place] >= FEWEST:
            result[place] = ordered[: -(-count[place] // 4), *place].astype(np.float64).mean()
    return result


@given(frames=st.integers(1, 30), seed=st.integers(0, 2**31), data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_cut_into_blocks_in_any_order_gives_the_same_bits(frames: int, seed: int, data: Any) -> None:
    rng = np.random.default_rng(seed)
    image = rng.normal(100.0, 10.0, (frames, 3, 4)).astype(np.float32)
    image[rng.random(image.shape) < 0.2] = np.nan
    order = data.draw(st.permutations(range(frames)))
    cuts = sorted(data.draw(st.sets(st.integers(1, max(frames - 1, 1)), max_size=5)) - {frames})
    parts, first = np.split(image[list(order)], cuts), 0
    blocks = []
    for part in parts:
        blocks.append(block(part, first=first))
        first += len(part)
    reduction = LowestQuarterMean(frames)
    found, whole = reduce(reduction, blocks), reduce(reduction, [block(image)])
    np.testing.assert_array_equal(found.values, whole.values)
    np.testing.assert_allclose(found.values, direct(image), rtol=1e-6)
    np.testing.assert_array_equal(found.count, np.isfinite(image).sum(axis=0))
    assert found.cards == whole.cards


def test_flagged_pixels_are_no_measurements() -> None:
    image = np.full((8, 2, 2), 10.0)
    image[0, 0, 0] = image[1, 0, 1] = image[2, 1, 0] = -50.0
    quality = np.zeros(image.shape, dtype=np.uint16)
    quality[0, 0, 0], quality[1, 0, 1], quality[2, 1, 0] = (
        Quality.SATURATED,
        Quality.LOW_CONFIDENCE,
        Quality.INTERPOLATED,
    )
    found = reduce(LowestQuarterMean(8), [block(image, quality)])
    np.testing.assert_allclose(found.values, [[10.0, 10.0], [-20.0, 10.0]])
    np.testing.assert_array_equal(found.count, [[7, 7], [8, 8]])


def test_more_frames_than_announced_are_refused() -> None:
    image = np.ones((3, 2, 2))
    with pytest.raises(Fatal, match="announced for 4 frames"):
        reduce(LowestQuarterMean(4), [block(image), block(image, first=3)])


def test_a_frame_never_counts_double() -> None:
    image = np.ones((3, 2, 2))
    with pytest.raises(Fatal, match="frame 2 twice"):
        reduce(LowestQuarterMean(6), [block(image), block(image, first=2)])


def test_a_frame_without_any_value_is_not_counted_as_used() -> None:
    image = np.ones((6, 2, 2))
    image[4] = np.nan
    found = reduce(LowestQuarterMean(6), [block(image)])
    assert found.used == {f"frame {n}" for n in (0, 1, 2, 3, 5)}
    assert (found.count == 5).all()


def test_a_pixel_of_too_few_frames_has_no_background() -> None:
    image = np.ones((6, 1, 3))
    image[3:, 0, 1] = np.nan
    image[2:, 0, 2] = np.nan
    found = reduce(LowestQuarterMean(6), [block(image)])
    np.testing.assert_array_equal(found.values, [[1.0, np.nan, np.nan]])
    np.testing.assert_array_equal(found.count, [[6, 3, 2]])


@pytest.mark.parametrize("frames", [4, 6, 12, 13, 36])
def test_the_bias_of_a_lowest_quarter_is_what_theory_says(frames: int) -> None:
    rng = np.random.default_rng(frames)
    sky, sigma = 8.2, 0.25
    image = rng.normal(sky, sigma, (frames, 200, 200))
    plain = reduce(LowestQuarterMean(frames), [block(image)])
    expected = sigma * lowest_mean(frames, -(-frames // 4))
    assert -1.28 * sigma < expected < -0.9 * sigma  # about one standard deviation too dark
    assert plain.values.mean() - sky == pytest.approx(expected, abs=0.004)
    unbiased = reduce(LowestQuarterMean(frames, unbiased=True), [block(image)])
    assert unbiased.values.mean() - sky == pytest.approx(0.0, abs=0.008)
    assert (plain.cards["BKGCORR"][0], unbiased.cards["BKGCORR"][0]) == (False, True)
    assert plain.cards["BKGBIAS"][0] == unbiased.cards["BKGBIAS"][0]
    assert plain.cards["BKGBIAS"][0] == pytest.approx(-expected, rel=0.4)  # a median of skewed estimates


def test_the_bias_of_many_frames_is_that_of_a_quartile() -> None:
    # phi(z)/(1/4) at the lower quartile z = -0.67449
    assert lowest_mean(40_000, 10_000) == pytest.approx(-1.27110, abs=2e-4)
    assert lowest_mean(1, 1) == pytest.approx(0.0, abs=1e-9)
    assert lowest_mean(2, 1) == pytest.approx(-1.0 / np.sqrt(np.pi), abs=1e-9)
    assert np.isnan(noise_per_gap(np.array([0, 1], dtype=np.int32))).all()


def test_the_file_keeps_what_it_is_made_of(tmp_path: Path) -> None:
    count = np.array([[3, 12], [12, 11]])
    made = reduced(np.arange(4.0).reshape(2, 2), count)
    path = tmp_path / "background.fits"
    reference_file(made, origin(), ("beware",)).writeto(path)
    with fits.open(path) as hdus:
        np.testing.assert_array_equal(hdus["COUNT"].data, count)
        assert hdus["FRAMES"].data["NAME"][11] == "frame 11"
        assert hdus["FRAMES"].data["DATE-BEG"][0] == "2009-04-01T00:08:31.005"
        header = hdus[0].header
    assert (header["BKGNUM"], header["BKGDAYS"], header["BKGTYPE"]) == (12, 1, "br01")
    assert (header["NCAVEATS"], header["CAVEAT1"]) == (1, "beware")
    assert header["DATE-END"] == "2009-04-01T07:28:31.005"


def test_few_frames_are_told() -> None:
    few = reduced(np.ones((10, 10)), 6, frames=6)
    assert any("made of 6 frames" in caveat for caveat in BACKGROUND.caveats(few))
    count = np.full((10, 10), 12)
    assert BACKGROUND.caveats(reduced(np.ones((10, 10)), count)) == ()
    count[0, :5] = 7
    (caveat,) = BACKGROUND.caveats(reduced(np.ones((10, 10)), count))
    assert caveat.startswith("5 % of the background is made of fewer than 12 frames")


def test_pixels_of_few_frames_are_doubtful_in_the_product_and_its_caveats_are_the_backgrounds(
    tmp_path: Path,
) -> None:
    product, _ = level_1(frame_of(report="lost"))
    count = np.full(product.data.shape, 36)
    count[5, 7], count[5, 8], count[5, 9] = 3, 4, 11
    path = tmp_path / "background.fits"
    away = origin(36, start=START - timedelta(days=9))
    reference_file(reduced(np.ones(count.shape), count), away, ("a few are few",)).writeto(path)
    result = level_2(product, path)
    new = result.quality & ~product.quality
    expected = np.zeros_like(new)
    expected[5, 7], expected[5, 8:10] = Quality.MISSING, Quality.LOW_CONFIDENCE
    np.testing.assert_array_equal(new, expected)
    assert np.isnan(result.data[5, 7])
    assert np.isfinite(result.data[5, 8:10]).all()
    assert "a few are few" in result.caveats
    assert not any("one of the" in caveat for caveat in result.caveats)
    assert result.header["BKGNUM"] == 36


def test_the_uncertainty_of_an_image_comes_through_the_subtraction(tmp_path: Path) -> None:
    product, _ = level_1(frame_of(report="lost"))
    path = tmp_path / "background.fits"
    away = origin(36, start=START - timedelta(days=9))
    reference_file(reduced(np.ones(product.data.shape), np.full(product.data.shape, 36)), away).writeto(path)
    sigma = np.full(product.data.shape, 0.25, dtype=np.float32)
    recipe = recipes_of(instrument("stereo_hi"))["stereo_hi-l2-background"].with_settings(
        {"uncertainty": True}
    )
    given = product.replace(uncertainty=sigma)
    result, outcome = run_chain(
        given, recipe.bind(), reference("background", path), level="2", uncertainty=True
    )
    assert result is not None, outcome
    np.testing.assert_array_equal(result.uncertainty, sigma)


def test_an_image_that_is_in_its_own_background_says_so(tmp_path: Path) -> None:
    product, _ = level_1(frame_of(report="lost"))
    path = tmp_path / "background.fits"
    begin = datetime.fromisoformat(product.header["DATE-OBS"]).replace(tzinfo=UTC)
    own = origin(12, start=begin - timedelta(minutes=80))
    reference_file(reduced(np.ones(product.data.shape)), own).writeto(path)
    assert any("one of the 12 its background" in caveat for caveat in level_2(product, path).caveats)


def test_a_background_of_one_frame_is_refused_however_it_came_about(tmp_path: Path) -> None:
    product, _ = level_1(frame_of())
    path = tmp_path / "background.fits"
    header = fits.Header({"BUNIT": "DN/s", "BKGNUM": 1, "BKGTYPE": "br01"})  # without COUNT and FRAMES
    fits.PrimaryHDU(product.data, header).writeto(path)
    with pytest.raises(BadInput, match="too few frames") as refusal:
        apply_step("subtract_background", product, reference("background", path))
    assert refusal.value.found == "1, and 4 are needed"


def test_a_background_that_does_not_tell_its_frames_is_a_caveat(tmp_path: Path) -> None:
    product, _ = level_1(frame_of())
    path = tmp_path / "background.fits"
    fits.PrimaryHDU(np.zeros_like(product.data), fits.Header({"BUNIT": "DN/s"})).writeto(path)
    result = apply_step("subtract_background", product, reference("background", path))
    assert any("does not tell how many frames" in caveat for caveat in result.caveats)


def test_a_stack_is_reduced_by_dask_to_the_same_bits() -> None:
    import dask

    from pipeline import stack_of
    from pipeline.reduction import lazily

    frames = []
    for simulated in simulate_series(SimulationConfig(size=64, frames=6)):
        product, _ = level_1(as_frame(simulated))
        frames.append(product)
    stack = stack_of(frames).chunk({"time": 2})
    reduction = LowestQuarterMean(6)
    with dask.config.set(scheduler="synchronous"):
        found = lazily(reduction, stack).compute()
    images, flags = np.stack([f.data for f in frames]), np.stack([f.quality for f in frames])
    whole = reduce(reduction, [StackBlock(images, flags, tuple(f.source for f in frames))])
    np.testing.assert_array_equal(found.values, whole.values)
    assert found.used == {frame.source for frame in frames}


def test_the_background_of_a_series_leaves_stars_and_the_moving_front(tmp_path: Path) -> None:
    config = SimulationConfig(
        size=96, frames=12, photon_noise=False, report="lost", front=Front(elongation=13.0, speed=0.2)
    )
    series = list(simulate_series(config))
    products = [level_1(as_frame(frame))[0] for frame in series]
    reduction = LowestQuarterMean(len(products))
    made = reduce(reduction, [block(np.stack([p.data for p in products]))])
    path = tmp_path / "background.fits"
    reference_file(made, origin()).writeto(path)
    frame = products[5]
    result = level_2(frame, path)
    np.testing.assert_allclose(result.data, frame.data - made.values, atol=1e-5)
    assert result.header["BKGTYPE"] == "br01"
    assert result.header["LEVEL"] == "2"
    assert np.median(result.data) < 0.1 * np.median(frame.data)
    assert result.data.max() > 4 * np.median(np.abs(result.data))


@pytest.mark.parametrize(("shape", "unit"), [((64, 64), "DN/s"), ((128, 128), "MSB")])
def test_a_background_of_another_kind_is_refused(tmp_path: Path, shape: tuple[int, int], unit: str) -> None:
    product, _ = level_1(frame_of())
    path = tmp_path / "background.fits"
    reference_file(reduced(np.ones(shape), 396), origin(396, unit)).writeto(path)
    with pytest.raises(BadInput, match="does not belong to this image"):
        apply_step("subtract_background", product, reference("background", path))


def test_a_missing_background_says_what_to_add() -> None:
    product, _ = level_1(frame_of())
    recipe = recipes_of(instrument("stereo_hi"))["stereo_hi-l2-background"]
    result, outcome = run_chain(product, recipe.bind(), {}, level="2")
    assert result is None
    assert "background" in outcome.reason
    assert "heliolake context add" in outcome.advice
