"""Values and flags changed together, in one pass over an image; blocks of telemetry looked through."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.read_only import read_only


def times(
    image: NDArray[np.float32],
    quality: NDArray[np.uint16],
    factor: NDArray[np.float32],
    blind: int,
    *,
    least: float = -np.inf,
    most: float = np.inf,
) -> tuple[NDArray[np.float32], NDArray[np.uint16]]:
    """An image times a factor; NaN, and flagged `blind` alone, where that is zero or no finite number.

    Parameters
    ----------
    image, quality, factor
        Of one shape; float32, uint16, float32.
    blind
        The flag of pixels without a factor.
    least, most
        What the factor is kept within before.
    """
    made, flags = np.empty(image.shape, np.float32), np.empty(image.shape, np.uint16)
    planes = (read_only(np.ascontiguousarray(plane).ravel()) for plane in (image, quality, factor))
    _times(*planes, np.float32(least), np.float32(most), np.uint16(blind), made.ravel(), flags.ravel())
    return made, flags


@njit(cache=True, nogil=True, error_model="numpy")
def _times(
    image: NDArray[np.float32],
    quality: NDArray[np.uint16],
    factor: NDArray[np.float32],
    least: np.float32,
    most: np.float32,
    blind: np.uint16,
    made: NDArray[np.float32],
    flags: NDArray[np.uint16],
) -> None:
    nothing = np.float32(np.nan)
    for k in range(image.size):
        value = factor[k]
        value = least if value < least else value
        value = most if value > most else value
        # What is no finite number is not equal to itself once it is taken off itself.
        seen = (value - value == 0) & (value != 0)
        made[k] = image[k] * value if seen else nothing
        flags[k] = quality[k] if seen else blind


def without(image: NDArray[np.float32], quality: NDArray[np.uint16], bits: int) -> NDArray[np.float32]:
    """A copy of an image with NaN where any of some bits is set."""
    made = np.empty(image.shape, np.float32)
    planes = (read_only(np.ascontiguousarray(plane).ravel()) for plane in (image, quality))
    _without(*planes, np.uint16(bits), made.ravel())
    return made


@njit(cache=True, nogil=True, error_model="numpy")
def _without(
    image: NDArray[np.float32], quality: NDArray[np.uint16], bits: np.uint16, made: NDArray[np.float32]
) -> None:
    nothing = np.float32(np.nan)
    for k in range(image.size):
        made[k] = nothing if quality[k] & bits else image[k]


def hide(
    image: NDArray[np.float32],
    quality: NDArray[np.uint16],
    seen: NDArray[np.float32],
    flag: int,
    value: float,
) -> tuple[NDArray[np.float32], NDArray[np.uint16]]:
    """An image with a value where `seen` is no 1, flagged `flag` alone, and where it has none itself."""
    made, flags = np.empty(image.shape, np.float32), np.empty(image.shape, np.uint16)
    planes = (read_only(np.ascontiguousarray(plane).ravel()) for plane in (image, quality, seen))
    _hide(*planes, np.uint16(flag), np.float32(value), made.ravel(), flags.ravel())
    return made, flags


@njit(cache=True, nogil=True, error_model="numpy")
def _hide(
    image: NDArray[np.float32],
    quality: NDArray[np.uint16],
    seen: NDArray[np.float32],
    flag: np.uint16,
    value: np.float32,
    made: NDArray[np.float32],
    flags: NDArray[np.uint16],
) -> None:
    for k in range(image.size):
        is_seen = seen[k] >= 1
        made[k] = image[k] if is_seen & (image[k] == image[k]) else value
        flags[k] = quality[k] if is_seen else flag


def whole_blocks(quality: NDArray[np.uint16], bits: int, side: int) -> NDArray[np.bool_]:
    """Whether all pixels of each whole block have any of some bits; shape (rows, columns) of blocks."""
    ny, nx = quality.shape
    result = np.ones((ny // side, nx // side), np.bool_)
    _whole_blocks(read_only(np.ascontiguousarray(quality)), np.uint16(bits), side, result)
    return result


@njit(cache=True, nogil=True, error_model="numpy")
def _whole_blocks(quality: NDArray[np.uint16], bits: np.uint16, side: int, result: NDArray[np.bool_]) -> None:
    for i in range(result.shape[0] * side):
        for block in range(result.shape[1]):
            clear = np.uint16(0)
            for flag in quality[i, block * side : (block + 1) * side]:
                clear |= np.uint16((flag & bits) == 0)
            result[i // side, block] &= clear == 0


def largest_in_blocks(image: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """The largest value of each whole block, NaN where it holds one; shape (rows, columns) of blocks."""
    ny, nx = image.shape
    result = np.full((ny // side, nx // side), -np.inf, np.float32)
    _largest_in_blocks(read_only(np.ascontiguousarray(image)), side, result)
    return result


@njit(cache=True, nogil=True, error_model="numpy")
def _largest_in_blocks(image: NDArray[np.float32], side: int, result: NDArray[np.float32]) -> None:
    for i in range(result.shape[0] * side):
        for block in range(result.shape[1]):
            largest, odd = result[i // side, block], np.uint8(0)
            for value in image[i, block * side : (block + 1) * side]:
                largest = value if value > largest else largest
                odd |= np.uint8(value != value)
            result[i // side, block] = np.float32(np.nan) if odd else largest
