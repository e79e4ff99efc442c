"""Statistics against a straightforward transcription of reduce_statistics2.pro."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.instruments.soho_lasco.statistics import NAMES, level_1_statistics

LIMITS = {1: 0.01, 10: 0.10, 25: 0.25, 50: 0.5, 75: 0.75, 90: 0.90, 95: 0.95, 98: 0.98, 99: 0.99}


def transcribed(image: NDArray[np.float32], satmax: float | None = None) -> dict[str, float]:
    """Line by line what the mission's program does."""
    img = image.astype(np.float64)
    used = img[img > 0]
    median, scale = np.median(used), 1.0
    while median * scale < 1000:
        scale *= 10
    found: dict[str, float] = {"DATAMIN": used.min()}
    mxval = used.max() if satmax is None else satmax
    found["DATAMAX"] = used[used < mxval].max() if used.max() == mxval else used.max()
    found["DATAZER"] = img.size - used.size
    found["DATASAT"] = int((img >= mxval).sum())
    found["DSATVAL"] = mxval
    found["DSATMIN"] = used.min()
    found["NSATMIN"] = int(((img < used.min()) & (img != 0)).sum())
    found["DATAAVG"], found["DATASIG"] = used.mean(), used.std(ddof=1)
    histogram = np.bincount((used * scale).astype(np.int64))
    total, low = 0, 0
    for percent, limit in LIMITS.items():
        tile = limit * used.size
        if low < histogram.size:
            while True:
                total += histogram[low]
                low += 1
                if total > tile or low == histogram.size:
                    break
        found[f"DATAP{percent:02d}"] = (low - 1) / scale
    return found


def corona(seed: int, negative: float = 0.05) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    image = random.lognormal(np.log(8e-10), 0.8, (64, 64))
    image[random.uniform(size=image.shape) < negative] *= -1
    image[random.uniform(size=image.shape) < 0.02] = 0
    return image.astype(np.float32)


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.sampled_from([None, 1e-9, 6.5e-9]))
def test_all_are_those_of_the_mission_s_program(seed: int, satmax: float | None) -> None:
    image = corona(seed)
    found = {name: value for name, (value, _) in level_1_statistics(image, satmax).items()}
    wanted = transcribed(image, satmax)
    assert set(found) == set(NAMES) == set(wanted)
    for name, value in wanted.items():
        assert found[name] == pytest.approx(value, rel=2e-6), name


def test_a_pixel_without_a_value_counts_like_zero() -> None:
    image = corona(1, negative=0.0)
    hidden = np.where(image == 0, np.float32(np.nan), image)
    assert level_1_statistics(image) == level_1_statistics(hidden)


def test_few_values_that_are_alike_give_different_percentiles_as_the_program_does() -> None:
    found = level_1_statistics(np.full((8, 8), 2e-9, np.float32))
    wanted = transcribed(np.full((8, 8), 2e-9, np.float32), satmax=1.0)
    assert found["DATAP01"][0] == pytest.approx(wanted["DATAP01"])
    assert found["DATAP99"][0] == pytest.approx(wanted["DATAP99"])


def test_an_odd_image_is_cut() -> None:
    image = corona(2)
    image[3, 3] = 0.5
    assert level_1_statistics(image)["DSATVAL"][0] == pytest.approx(5e-5)


def test_an_image_without_a_value_above_zero_has_none() -> None:
    assert level_1_statistics(np.zeros((4, 4), np.float32)) == {}
    assert level_1_statistics(np.full((4, 4), np.nan, np.float32)) == {}
