"""Flags of pixels that lie outside the field of what was seen; in place, one read of the planes."""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.quality import Quality
from pipeline.read_only import read_only

_OUTSIDE: Final = np.uint16(Quality.OUTSIDE_FIELD)
#: Flags that a pixel outside the field keeps: nothing there was lost, full or hit.
_KEPT: Final = np.uint16(~(Quality.MISSING | Quality.SATURATED | Quality.COSMIC_RAY) & 0xFFFF)
#: And those of one that has no value: where nothing was seen nothing was approximated.
_EMPTY: Final = np.uint16(~Quality.INTERPOLATED & 0xFFFF)
#: All bits of it are set in what is no finite number.
_EXPONENT: Final = np.uint32(0x7F800000)


def nothing_lost_outside(quality: NDArray[np.uint16]) -> None:
    """Take from pixels outside the field the flags of what happens to light.

    Parameters
    ----------
    quality
        uint16 `Quality` bits of any shape, contiguous; changed in place.
    """
    _masked(quality.reshape(-1))


def nothing_approximated_outside(quality: NDArray[np.uint16], data: NDArray[np.float32]) -> None:
    """Take `INTERPOLATED` from pixels outside the field that have a value in no plane.

    Parameters
    ----------
    quality
        uint16 `Quality` bits, contiguous; changed in place.
    data
        float32, contiguous; its last axes are those of `quality`, others before them planes.
    """
    _emptied(quality.reshape(-1), read_only(data.reshape(-1, quality.size).view(np.uint32)))


@njit(cache=True, nogil=True)
def _masked(quality: NDArray[np.uint16]) -> None:
    for index in range(quality.size):
        flags = quality[index]
        quality[index] = flags & (_KEPT if flags & _OUTSIDE else np.uint16(0xFFFF))


@njit(cache=True, nogil=True)
def _emptied(quality: NDArray[np.uint16], patterns: NDArray[np.uint32]) -> None:
    for index in range(quality.size):
        if quality[index] & _OUTSIDE:
            empty = True
            for plane in range(patterns.shape[0]):
                empty = empty and (patterns[plane, index] & _EXPONENT) == _EXPONENT
            if empty:
                quality[index] &= _EMPTY
