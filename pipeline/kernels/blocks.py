"""Statistics over square blocks of an image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.read_only import read_only


@dataclass(frozen=True)
class BlockChanges:
    """What was changed in each block of an image; arrays of shape (rows, columns) of blocks.

    Attributes
    ----------
    mean
        Mean of the image before, NaN where a block has no value.
    change
        Mean of the squared change.
    count
        Pixels with a value before and after.
    """

    mean: NDArray[np.float64]
    change: NDArray[np.float64]
    count: NDArray[np.int64]


def block_changes(before: NDArray[np.float32], after: NDArray[np.float32], side: int) -> BlockChanges:
    """How much an image was changed, block by block.

    Parameters
    ----------
    before, after
        float32, shape (ny, nx). Pixels that are NaN in either do not count.
    side
        Pixels along one side of a block; the last blocks of rows and columns may be smaller.
    """
    ny, nx = before.shape
    shape = (-(-ny // side), -(-nx // side))
    sums, squares, count = np.zeros(shape), np.zeros(shape), np.zeros(shape, np.int64)
    _sum_blocks(read_only(before), read_only(after), side, sums, squares, count)
    counted = np.maximum(count, 1)
    empty = count == 0
    return BlockChanges(
        mean=np.where(empty, np.nan, sums / counted),
        change=np.where(empty, np.nan, squares / counted),
        count=count,
    )


@njit(cache=True, nogil=True, error_model="numpy")
def _sum_blocks(
    before: NDArray[np.float32],
    after: NDArray[np.float32],
    side: int,
    sums: NDArray[np.float64],
    squares: NDArray[np.float64],
    count: NDArray[np.int64],
) -> None:
    ny, nx = before.shape
    for i in range(ny):
        for k in range(sums.shape[1]):
            total, square, number = 0.0, 0.0, 0
            for j in range(k * side, min((k + 1) * side, nx)):
                change = after[i, j] - before[i, j]
                if not np.isnan(change):
                    total += before[i, j]
                    square += np.float64(change) * np.float64(change)
                    number += 1
            sums[i // side, k] += total
            squares[i // side, k] += square
            count[i // side, k] += number
