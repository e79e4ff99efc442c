"""Shifts of a line between a few points, against lines that were drawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.kernels.line_shift import LineShift, line_shift

ALONG = np.array([3.0, 1.9, 0.7, 0.0, -0.7, -1.8, -2.9])
SHIFTS = np.arange(-1.5, 1.501, 0.02)


def shape(shift: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.exp(-0.5 * ((ALONG - shift) / 0.7) ** 2))


TABLE = shape(SHIFTS[:, None])


def fitted(depth: float, shift: float, noise: float, slope: float = 0.0, number: int = 400) -> LineShift:
    random = np.random.default_rng(3)
    values = 1.0 + slope * ALONG - depth * shape(np.array(shift))
    cube = values[:, None, None] + random.normal(0, noise, (7, 1, number))
    return line_shift(cube.astype(np.float32), ALONG, SHIFTS, TABLE, noise, 0.02)


def test_shift_and_depth_come_back_with_a_slanted_continuum() -> None:
    found = fitted(0.1, 0.33, 1e-5, slope=0.01)
    np.testing.assert_allclose(found.shift, 0.33, atol=2e-3)
    np.testing.assert_allclose(found.depth, 0.1, rtol=1e-3)


def test_the_error_is_the_scatter_of_many() -> None:
    found = fitted(0.1, -0.2, 0.003)
    assert abs(np.nanmean(found.shift) + 0.2) < 0.01
    assert 0.85 < np.nanstd(found.shift) / np.nanmedian(found.error) < 1.15


def test_where_no_line_is_or_no_value_no_shift_is_given() -> None:
    assert np.isnan(fitted(0.0, 0.0, 0.001).shift).all()
    cube = np.ones((7, 2, 2), np.float32)
    cube[3, 0, 0] = np.nan
    assert np.isnan(line_shift(cube, ALONG, SHIFTS, TABLE, 0.01, 0.02).shift).all()
