"""Filling by Laplace's equation: harmonic functions come back, and nothing overshoots."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.kernels.harmonic import harmonic_fill


def gap_of(shape: tuple[int, int], *parts: tuple[slice, slice]) -> NDArray[np.bool_]:
    gap = np.zeros(shape, dtype=bool)
    for part in parts:
        gap[part] = True
    return gap


@pytest.mark.parametrize("kind", ["plane", "saddle", "wave"])
def test_a_harmonic_function_comes_back(kind: str) -> None:
    y, x = np.indices((120, 140), dtype=np.float64)
    made = {
        "plane": 3 + 0.2 * x - 0.1 * y,
        "saddle": (x - 60) ** 2 - (y - 50) ** 2,
        "wave": np.exp(-y / 40) * np.sin(x / 40),
    }[kind]
    truth = made.astype(np.float32)
    gap = gap_of(truth.shape, np.s_[32:64, 32:96], np.s_[64:96, 64:96])
    filled = harmonic_fill(np.where(gap, np.float32(-1e6), truth), gap)
    np.testing.assert_array_equal(filled[~gap], truth[~gap])
    assert np.abs(filled - truth)[gap].max() < 2e-3 * np.ptp(truth)


def test_a_filling_stays_within_its_rim() -> None:
    image = np.random.default_rng(3).uniform(5, 9, (90, 90)).astype(np.float32)
    gap = gap_of(image.shape, np.s_[20:60, 30:70])
    filled = harmonic_fill(image, gap)[gap]
    assert filled.min() >= image[~gap].min()
    assert filled.max() <= image[~gap].max()


def test_unknown_pixels_beside_a_gap_are_neither_filled_nor_looked_at() -> None:
    image = np.full((60, 60), 7.0, np.float32)
    gap, unknown = gap_of(image.shape, np.s_[20:40, 20:40]), gap_of(image.shape, np.s_[20:40, 40:50])
    image[unknown] = -1e9
    filled = harmonic_fill(np.where(gap, np.float32(0), image), gap, unknown)
    np.testing.assert_allclose(filled[gap], 7.0, rtol=1e-5)
    np.testing.assert_array_equal(filled[unknown], -1e9)


def test_a_gap_at_the_edge_runs_level_there() -> None:
    _, x = np.indices((40, 80), dtype=np.float32)
    gap = gap_of((40, 80), np.s_[:10, 20:60])
    filled = harmonic_fill(np.where(gap, np.float32(0), x), gap)
    np.testing.assert_allclose(filled[gap], x[gap], atol=0.1)
