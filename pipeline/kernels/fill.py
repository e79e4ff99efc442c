"""Filling pixels without a value from their neighbourhood, so that filters can run over them."""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

# The response of the spline prefilter falls by 0.268 per pixel: after twelve pixels it is below float32
# rounding, so what stands deeper inside a gap cannot be seen outside it.
_ROUNDS: Final = 12


@njit(cache=True, nogil=True, error_model="numpy")
def _row_range(
    row: NDArray[np.float32], low: np.float32, high: np.float32
) -> tuple[np.float32, np.float32, float, int]:
    total, count = 0.0, 0
    for j in range(row.size):
        value = row[j]
        if abs(value) < np.float32(np.inf):
            low = min(low, value)
            high = max(high, value)
            total += value
            count += 1
    return low, high, total, count


@njit(cache=True, nogil=True, error_model="numpy")
def value_range(image: NDArray[np.float32]) -> tuple[int, float, float, float]:
    """Number of non-finite pixels, and minimum, maximum and sum of the finite ones."""

    bad = 0
    low, high, total = np.float32(np.inf), np.float32(-np.inf), 0.0
    for i in range(image.shape[0]):
        low, high, here, count = _row_range(image[i], low, high)
        bad += image.shape[1] - count
        total += here
    return bad, float(low), float(high), total


@njit(cache=True, nogil=True, error_model="numpy")
def _fill(
    image: NDArray[np.float32], rows: NDArray[np.int64], columns: NDArray[np.int64], rest: np.float32
) -> None:
    ny, nx = image.shape
    found = np.empty(rows.size, np.float32)
    pending = rows.size
    for _ in range(_ROUNDS):
        for p in range(pending):
            total, count = 0.0, 0
            for i in range(max(rows[p] - 1, 0), min(rows[p] + 2, ny)):
                for j in range(max(columns[p] - 1, 0), min(columns[p] + 2, nx)):
                    if abs(image[i, j]) < np.inf:
                        total += image[i, j]
                        count += 1
            found[p] = np.float32(total / count) if count else np.float32(np.nan)
        # Written only now, so that the result does not depend on the order of the pixels.
        left = 0
        for p in range(pending):
            if not np.isnan(found[p]):
                image[rows[p], columns[p]] = found[p]
            else:
                rows[left], columns[left] = rows[p], columns[p]
                left += 1
        pending = left
        if pending == 0:
            break
    for p in range(pending):
        image[rows[p], columns[p]] = rest


def fill_gaps(image: NDArray[np.float32], mean: float) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Replace non-finite pixels by the mean of their finite neighbours, from the rim of each gap inwards.

    Parameters
    ----------
    image
        float32, shape (ny, nx).
    mean
        Value for pixels more than twelve pixels away from any finite one.

    Returns
    -------
    filled, was_gap
        A copy without NaN, and where it was filled. The filled values are
        there for filters to run over; whoever uses them has to flag them.
    """
    was_gap = ~np.isfinite(image)
    filled = image.copy()
    rows, columns = np.nonzero(was_gap)
    _fill(filled, rows, columns, np.float32(mean))
    return filled, was_gap
