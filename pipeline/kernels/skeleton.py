"""Skeletons of masks, and the longest way along one."""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.read_only import read_only

Mask = NDArray[np.bool_]

#: The eight neighbours, going round, from the one above.
_ROUND: Final = np.array([(-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1)])


def skeleton(mask: Mask) -> Mask:
    """A mask thinned to lines of one pixel (Zhang and Suen 1984, Communications of the ACM 27, 236)."""
    padded = np.pad(mask, 1).astype(np.uint8)
    _thin(padded, _ROUND)
    return np.asarray(padded[1:-1, 1:-1] > 0)


def longest_way(lines: Mask) -> NDArray[np.int64]:
    """Pixels (row, column) along the longest of the shortest ways between two ends of a skeleton, in order.

    Parameters
    ----------
    lines
        One connected skeleton; of several the way lies in one of them.
    """
    padded = np.pad(lines, 1)
    rows, columns = np.nonzero(padded)
    if not rows.size:
        return np.empty((0, 2), np.int64)
    # The farthest pixel of any one is an end of the longest way, and the farthest of that the other.
    start = (int(rows[0]), int(columns[0]))
    one, _ = _farthest(read_only(padded), start, _ROUND)
    other, before = _farthest(read_only(padded), (int(one[0]), int(one[1])), _ROUND)
    way = []
    at = (int(other[0]), int(other[1]))
    while at[0] >= 0:
        way.append((at[0] - 1, at[1] - 1))
        at = (int(before[at[0], at[1], 0]), int(before[at[0], at[1], 1]))
    return np.array(way, np.int64)


@njit(cache=True, nogil=True)
def _thin(mask: NDArray[np.uint8], around: NDArray[np.int64]) -> None:
    ny, nx = mask.shape
    gone = np.zeros(mask.shape, np.uint8)
    changed = True
    while changed:
        changed = False
        for half in range(2):
            gone[:] = 0
            for i in range(1, ny - 1):
                for j in range(1, nx - 1):
                    if mask[i, j] and _goes(mask, i, j, half, around):
                        gone[i, j] = 1
                        changed = True
            for i in range(ny):
                for j in range(nx):
                    if gone[i, j]:
                        mask[i, j] = 0


@njit(cache=True, nogil=True)
def _goes(mask: NDArray[np.uint8], i: int, j: int, half: int, around: NDArray[np.int64]) -> bool:
    """Whether a pixel of a mask's rim goes in this half of a round."""
    number, crossings = 0, 0
    before = mask[i + around[7, 0], j + around[7, 1]]
    for k in range(8):
        here = mask[i + around[k, 0], j + around[k, 1]]
        number += here
        if here and not before:
            crossings += 1
        before = here
    if number < 2 or number > 6 or crossings != 1:
        return False
    up, right, down, left = mask[i - 1, j], mask[i, j + 1], mask[i + 1, j], mask[i, j - 1]
    if half == 0:
        return not (up and right and down) and not (right and down and left)
    return not (up and right and left) and not (up and down and left)


@njit(cache=True, nogil=True)
def _farthest(
    lines: Mask, start: tuple[int, int], around: NDArray[np.int64]
) -> tuple[tuple[int, int], NDArray[np.int32]]:
    """The pixel that is most steps away along the lines, and from where each was reached."""
    before = np.full((*lines.shape, 2), -2, np.int32)
    queue = np.empty((lines.sum() + 1, 2), np.int32)
    queue[0, 0], queue[0, 1] = start
    before[start[0], start[1]] = -1
    first, last = 0, 1
    while first < last:
        i, j = queue[first, 0], queue[first, 1]
        first += 1
        for k in range(8):
            # Straight neighbours first, so that corners are not gone round.
            turn = 2 * k if k < 4 else 2 * (k - 4) + 1
            a, b = i + around[turn, 0], j + around[turn, 1]
            if lines[a, b] and before[a, b, 0] == -2:
                before[a, b, 0], before[a, b, 1] = i, j
                queue[last, 0], queue[last, 1] = a, b
                last += 1
    return (queue[last - 1, 0], queue[last - 1, 1]), before
