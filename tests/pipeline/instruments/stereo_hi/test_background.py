"""The background: exact lowest quarter in any order, and its subtraction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.apply import run_chain
from pipeline.errors import BadInput, Fatal
from pipeline.instrument import instrument
from pipeline.instruments.stereo_hi.background import LowestQuarterMean, reference_file
from pipeline.instruments.stereo_hi.simulate import Front, SimulationConfig, simulate_series
from pipeline.quality import Quality
from pipeline.reduction import StackBlock, reduce
from tests.pipeline.instruments.stereo_hi.frames import as_frame, frame_of, level_1, reference


def block(image: np.ndarray, quality: np.ndarray | None = None) -> StackBlock:
    plane = np.zeros(image.shape, dtype=np.uint16) if quality is None else quality
    return StackBlock(image.astype(np.float32), plane)


def direct(image: np.ndarray) -> np.ndarray:
    """The definition, written down without blocks."""
    count = np.isfinite(image).sum(axis=0)
    ordered = np.sort(image, axis=0)
    result = np.full(image.shape[1:], np.nan)
    for place in np.ndindex(*image.shape[1:]):
        if count[place]:
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
    blocks = [block(part) for part in np.split(image[list(order)], cuts)]
    reduction = LowestQuarterMean(frames)
    found = reduce(reduction, blocks)
    np.testing.assert_array_equal(found, reduce(reduction, [block(image)]))
    np.testing.assert_allclose(found, direct(image), rtol=1e-6)


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
    np.testing.assert_allclose(found, [[10.0, 10.0], [-20.0, 10.0]])


def test_more_frames_than_announced_are_refused() -> None:
    image = np.ones((3, 2, 2))
    with pytest.raises(Fatal, match="announced for 4 frames"):
        reduce(LowestQuarterMean(4), [block(image), block(image)])


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
    whole = reduce(
        reduction, [StackBlock(np.stack([f.data for f in frames]), np.stack([f.quality for f in frames]))]
    )
    np.testing.assert_array_equal(found, whole)


def test_the_background_of_a_series_leaves_stars_and_the_moving_front(tmp_path: Path) -> None:
    config = SimulationConfig(
        size=96, frames=12, photon_noise=False, report="lost", front=Front(elongation=13.0, speed=0.2)
    )
    series = list(simulate_series(config))
    products = [level_1(as_frame(frame))[0] for frame in series]
    reduction = LowestQuarterMean(len(products))
    values = reduce(reduction, [block(np.stack([p.data for p in products]))])
    path = tmp_path / "background.fits"
    reference_file(values, unit="DN/s", days=1, frames=12).writeto(path)
    recipe = instrument("stereo_hi").recipes()["stereo_hi-l2-background"]
    frame = products[5]
    result, outcome = run_chain(frame, recipe.bind(), reference("background", path), level="2")
    assert result is not None, outcome
    np.testing.assert_allclose(result.data, frame.data - values, atol=1e-5)
    assert result.header["BKGTYPE"] == "br01"
    assert result.header["LEVEL"] == "2"
    assert np.median(result.data) < 0.1 * np.median(frame.data)
    assert result.data.max() > 10 * np.median(np.abs(result.data))


@pytest.mark.parametrize(("shape", "unit"), [((64, 64), "DN/s"), ((128, 128), "MSB")])
def test_a_background_of_another_kind_is_refused(tmp_path: Path, shape: tuple[int, int], unit: str) -> None:
    from tests.pipeline.instruments.stereo_hi.frames import apply_step

    product, _ = level_1(frame_of())
    path = tmp_path / "background.fits"
    reference_file(np.ones(shape, dtype=np.float32), unit=unit, days=11, frames=396).writeto(path)
    with pytest.raises(BadInput, match="does not belong to this image"):
        apply_step("subtract_background", product, reference("background", path))


def test_a_missing_background_says_what_to_add() -> None:
    product, _ = level_1(frame_of())
    recipe = instrument("stereo_hi").recipes()["stereo_hi-l2-background"]
    result, outcome = run_chain(product, recipe.bind(), {}, level="2")
    assert result is None
    assert "background" in outcome.reason
    assert "heliolake context add" in outcome.advice
