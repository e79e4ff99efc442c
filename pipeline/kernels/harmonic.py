"""Filling gaps with the smoothest surface that meets their rims: the solution of Laplace's equation."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.kernels.fill import fill_gaps

#: Changes below this share of the spread of the values count as none.
_CLOSE: Final = 1e-5
_MOST_ROUNDS: Final = 2000


def harmonic_fill(
    image: NDArray[np.float32], gap: NDArray[np.bool_], unknown: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """A copy whose gaps hold the solution of Laplace's equation with their rims as boundary.

    Parameters
    ----------
    image
        float32, shape (ny, nx).
    gap
        Where it is to be filled, same shape; not everywhere true.
    unknown
        Further pixels without a value, which are neither filled nor looked at.

    Returns
    -------
    NDArray[np.float32]
        Finite in every gap pixel. At the edge of the image, and beside unknown pixels, the surface runs
        level.
    """
    blind = np.zeros_like(gap) if unknown is None else unknown
    known = ~gap & ~blind
    filled = fill_gaps(image, ~known)
    spread = float(np.ptp(image[known]))
    rows, columns = np.nonzero(gap)
    if spread > 0 and rows.size:
        size = max(np.ptp(rows), np.ptp(columns)) + 2
        # The best factor of overrelaxation on a square of this size.
        omega = 2.0 / (1.0 + math.sin(math.pi / size))
        _relax(filled, rows, columns, blind, np.float32(omega), np.float32(_CLOSE * spread), _MOST_ROUNDS)
    result = image.copy()
    result[gap] = filled[gap]
    return result


@njit(cache=True, nogil=True, error_model="numpy")
def _relax(
    image: NDArray[np.float32],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    blind: NDArray[np.bool_],
    omega: np.float32,
    close: np.float32,
    most: int,
) -> None:
    """Gauss–Seidel with overrelaxation over the pixels listed."""
    ny, nx = image.shape
    for _ in range(most):
        largest = np.float32(0.0)
        for p in range(rows.size):
            i, j = rows[p], columns[p]
            total, count = np.float32(0.0), 0
            if i > 0 and not blind[i - 1, j]:
                total += image[i - 1, j]
                count += 1
            if i + 1 < ny and not blind[i + 1, j]:
                total += image[i + 1, j]
                count += 1
            if j > 0 and not blind[i, j - 1]:
                total += image[i, j - 1]
                count += 1
            if j + 1 < nx and not blind[i, j + 1]:
                total += image[i, j + 1]
                count += 1
            if count:
                change = omega * (total / np.float32(count) - image[i, j])
                image[i, j] += change
                largest = max(largest, abs(change))
        if largest < close:
            break
