"""Large planes made small: the mean, or all flags, of what falls into each pixel of a picture.

Means leave out what is no number, so that nothing small vanishes between the pixels of a picture, and no
gap grows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def _means(plane: Any, flags: Any, bad: Any, rows: int, columns: int, made: Any) -> None:  # pragma: no cover
    ny, nx = plane.shape
    flagged = flags.size > 0
    total, number = np.zeros(made.shape[1]), np.zeros(made.shape[1], np.int64)
    for row in range(made.shape[0]):
        total[:] = 0.0
        number[:] = 0
        for y in range(row * rows, min(ny, (row + 1) * rows)):
            for column in range(made.shape[1]):
                for x in range(column * columns, min(nx, (column + 1) * columns)):
                    value = plane[y, x]
                    if np.isfinite(value) and not (flagged and flags[y, x] & bad):
                        total[column] += value
                        number[column] += 1
        for column in range(made.shape[1]):
            made[row, column] = total[column] / number[column] if number[column] else np.nan


@njit(cache=True, nogil=True)
def _unions(flags: Any, rows: int, columns: int, made: Any) -> None:  # pragma: no cover
    ny, nx = flags.shape
    for y in range(ny):
        for column in range(made.shape[1]):
            found = np.uint16(0)
            for x in range(column * columns, min(nx, (column + 1) * columns)):
                found |= flags[y, x]
            made[y // rows, column] |= found


def means(
    plane: NDArray[np.float32], flags: NDArray[np.uint16] | None, bad: int, rows: int, columns: int
) -> NDArray[np.float32]:
    """Means of rectangles of pixels; NaN where none of them counts.

    Parameters
    ----------
    plane
        Of two axes.
    flags
        Of the same shape; a pixel with any of the bits `bad` does not count.
    rows, columns
        Of a rectangle; those at the far edges are smaller.
    """
    made = np.empty(_shape(plane.shape, rows, columns), np.float32)
    given = np.empty((0, 0), np.uint16) if flags is None else np.ascontiguousarray(flags)
    _means(np.ascontiguousarray(plane, np.float32), given, np.uint16(bad), rows, columns, made)
    return made


def unions(flags: NDArray[np.uint16], rows: int, columns: int) -> NDArray[np.uint16]:
    """All flags that any pixel of a rectangle has."""
    made = np.zeros(_shape(flags.shape, rows, columns), np.uint16)
    _unions(np.ascontiguousarray(flags), rows, columns, made)
    return made


def _shape(shape: tuple[int, ...], rows: int, columns: int) -> tuple[int, int]:
    return -(-shape[0] // rows), -(-shape[1] // columns)
