"""Saved IDL sessions with a few variables: the form in which the mission keeps its tables."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: Numbers of the format: kinds of records, and types of variables.
_VARIABLE: Final = 2
_END: Final = 6
_DOUBLE: Final = 5
_STRING: Final = 7
_IS_ARRAY: Final = 4
_MOST_DIMS: Final = 8


def write_saved(path: Path, variables: Mapping[str, NDArray[np.float64] | str]) -> None:
    """Write one-dimensional arrays of double precision and texts, as IDL's SAVE does without compression."""
    content = bytearray(b"SR\x00\x04")
    for name, value in variables.items():
        body = _text(name.upper())
        if isinstance(value, str):
            body += struct.pack(">3i", _STRING, 0, 7) + struct.pack(">i", len(value)) + _text(value)
        else:
            body += struct.pack(">2i", _DOUBLE, _IS_ARRAY) + _described(value) + struct.pack(">i", 7)
            body += value.astype(">f8").tobytes()
        # A record begins with its kind and where the next one begins.
        content += struct.pack(">4i", _VARIABLE, len(content) + 16 + len(body), 0, 0) + body
    content += struct.pack(">4i", _END, 0, 0, 0)
    path.write_bytes(bytes(content))


def _text(text: str) -> bytes:
    """Its length, and its letters filled up to whole words."""
    letters = text.encode("ascii")
    return struct.pack(">i", len(letters)) + letters + b"\x00" * (-len(letters) % 4)


def _described(values: NDArray[np.float64]) -> bytes:
    """Length of an element, bytes, elements, dimensions, and the lengths of all dimensions there could be."""
    dims = [values.size, *[1] * (_MOST_DIMS - 1)]
    return struct.pack(">4i", 8, 8, values.size * 8, values.size) + struct.pack(
        ">4i8i", 1, 0, 0, _MOST_DIMS, *dims
    )
