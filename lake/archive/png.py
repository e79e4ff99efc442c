"""PNGs of numbers that stand for colours."""

from __future__ import annotations

import struct
import zlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

TYPE: Final = "image/png"
_BEGIN: Final = b"\x89PNG\r\n\x1a\n"
_LEVEL: Final = 4
"""Of zlib: a little larger, much sooner."""


def png(numbers: NDArray[np.uint8], colours: NDArray[np.uint8], *, clear: bool = False) -> bytes:
    """A picture as the PNG specification has it (third edition, sections 5 and 11).

    Parameters
    ----------
    numbers
        Of colours; the first row is the upper one.
    colours
        uint8 (number of colours, 3): red, green and blue.
    clear
        The first colour lets through what lies beneath.
    """
    height, width = numbers.shape
    lines = np.zeros((height, width + 1), np.uint8)  # each begins with the number of its filter
    lines[:, 1:] = numbers
    parts = [
        _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        _chunk(b"PLTE", np.ascontiguousarray(colours, np.uint8).tobytes()),
        _chunk(b"tRNS", b"\0") if clear else b"",
        _chunk(b"IDAT", zlib.compress(lines.tobytes(), _LEVEL)),
        _chunk(b"IEND", b""),
    ]
    return _BEGIN + b"".join(parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
