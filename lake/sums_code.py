"""Sums of the bytes of large files, compiled, so loaded only where needed: zlib's takes thrice as long."""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

_MODULUS: Final = np.uint64(65521)
#: Bytes after which the modulus is taken: the largest weighted sum of as many fits 32 bits.
_STRETCH: Final = 4096
_ROW: Final = 64


@njit(cache=True, nogil=True)
def adler32(data: NDArray[np.uint8], value: int) -> int:
    """Adler-32 (RFC 1950) of bytes behind others.

    Parameters
    ----------
    data
        The bytes; an array that cannot be written to.
    value
        The sum of those before; 1 where there are none.
    """
    low, high = np.uint64(value & 0xFFFF), np.uint64(value >> 16)
    for first in range(0, data.size, _STRETCH):
        some = data[first : first + _STRETCH]
        whole = some.size - some.size % _ROW
        total, weighted = np.uint32(0), np.uint32(0)
        for start in range(0, whole, _ROW):
            row = some[start : start + _ROW]
            # The sums of a row do not wait for those of the one before: they run in SIMD lanes.
            plain, sloped = np.uint32(0), np.uint32(0)
            for place in range(_ROW):
                byte = np.uint32(row[place])
                plain = np.uint32(plain + byte)
                sloped = np.uint32(sloped + byte * np.uint32(_ROW - place))
            weighted = np.uint32(weighted + np.uint32(_ROW) * total + sloped)
            total = np.uint32(total + plain)
        for place in range(whole, some.size):
            total = np.uint32(total + np.uint32(some[place]))
            weighted = np.uint32(weighted + total)
        high = (high + np.uint64(some.size) * low + np.uint64(weighted)) % _MODULUS
        low = (low + np.uint64(total)) % _MODULUS
    return int(high << np.uint64(16) | low)


@njit(cache=True, nogil=True)
def store_float32(values: NDArray[np.uint32], place: NDArray[np.uint32]) -> int:
    """Write the patterns of numbers in the byte order of FITS; the sum of all, as numbers of 32 bits.

    Parameters
    ----------
    values
        In the order of this machine, which has the lowest byte first; an array that cannot be written to.
    place
        Where they go; as many.
    """
    total = np.uint64(0)
    for first in range(0, values.size, _STRETCH):
        some, there = values[first : first + _STRETCH], place[first : first + _STRETCH]
        for index in range(some.size):
            value = some[index]
            total += np.uint64(value)
            there[index] = (
                value >> np.uint32(24)
                | (value >> np.uint32(8)) & np.uint32(0xFF00)
                | (value << np.uint32(8)) & np.uint32(0xFF0000)
                | value << np.uint32(24)
            )
    return int(total)
