"""Size, adler32 and sha256 of a buffer in one pass."""

from __future__ import annotations

import hashlib
import zlib
from typing import NamedTuple

import numpy as np

# Small enough to stay in the processor's cache while both sums look at it, so that memory is read once.
_BLOCK = 1 << 18
# From this size on compiled code is worth loading.
_LARGE = 1 << 22


class Checksums(NamedTuple):
    """What identifies the bytes of a file.

    Parameters
    ----------
    size
        Number of bytes.
    adler32
        Eight hexadecimal digits, as Rucio writes it.
    sha256
        Hexadecimal digest.
    """

    size: int
    adler32: str
    sha256: str


class Summer:
    """Sums that grow block by block, for files copied through a window."""

    def __init__(self) -> None:
        self._size = 0
        self._adler = 1
        self._sha = hashlib.sha256()

    def add(self, data: bytes | memoryview) -> None:
        """Take in more bytes."""
        view = memoryview(data)
        for start in range(0, len(view), _BLOCK):
            block = view[start : start + _BLOCK]
            self._adler = zlib.adler32(block, self._adler)
            self._sha.update(block)
        self._size += len(view)

    def result(self) -> Checksums:
        """The sums of everything taken in so far."""
        return Checksums(self._size, f"{self._adler & 0xFFFFFFFF:08x}", self._sha.hexdigest())


def checksums(data: bytes | bytearray | memoryview) -> Checksums:
    """Checksums of a buffer.

    Parameters
    ----------
    data
        The whole content of a file.

    Returns
    -------
    Checksums
        Size in bytes, adler32 (8 hex digits) and sha256.
    """
    view = memoryview(data).cast("B").toreadonly()
    if len(view) < _LARGE:
        summer = Summer()
        summer.add(view)
        return summer.result()
    from lake.sums_code import adler32

    # Beside sha256 the compiled sum costs next to nothing; in a thread of its own it would read memory twice.
    adler, sha = 1, hashlib.sha256()
    for start in range(0, len(view), _BLOCK):
        block = view[start : start + _BLOCK]
        adler = adler32(np.frombuffer(block, np.uint8), adler)
        sha.update(block)
    return Checksums(len(view), f"{adler:08x}", sha.hexdigest())
