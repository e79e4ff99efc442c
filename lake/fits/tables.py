"""Tables of a FITS file, checked through windows: every row can be read, every array lies in its heap."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from lake.fits.structure import BLOCK, HduSpan
from lake.fits.windows import WINDOW, Content

# Bytes of one element by the letter of TFORM (FITS standard 4.0, table 18); X counts bits.
WIDTHS = {"L": 1, "X": 0.125, "B": 1, "I": 2, "J": 4, "K": 8, "A": 1, "E": 4, "D": 8, "C": 8, "M": 16}
_FORM = re.compile(r"\s*(\d*)([LXBIJKAEDCMPQ])([A-Z]?)")


class Arrays(NamedTuple):
    """A column whose rows point at arrays in the heap.

    Parameters
    ----------
    name
        Of the column.
    offset
        Of its descriptors in a row, in bytes.
    descriptor
        Type of the two numbers of a descriptor: count and place.
    width
        Bytes of an element.
    """

    name: str
    offset: int
    descriptor: str
    width: float


def array_columns(header: fits.Header) -> list[Arrays]:
    """The columns of a binary table that point into its heap."""
    found = []
    offset = 0
    for number in range(1, int(header["TFIELDS"]) + 1):
        form = _FORM.match(str(header[f"TFORM{number}"]))
        if form is None:
            raise ValueError(f"TFORM{number} is {header[f'TFORM{number}']!r}")
        count = int(form[1] or 1)
        if form[2] in "PQ":
            kind, size = (">i4", 8) if form[2] == "P" else (">i8", 16)
            if count:
                name = str(header.get(f"TTYPE{number}", number)).strip().upper()
                found.append(Arrays(name, offset, kind, WIDTHS.get(form[3], 1)))
            offset += count * size
        else:
            offset += math.ceil(count * WIDTHS[form[2]])
    if offset > int(header["NAXIS1"]):
        raise ValueError(f"columns of {offset} bytes in rows of {header['NAXIS1']}")
    return found


def heap_start(span: HduSpan) -> int:
    """Where the heap of a table begins in the file."""
    header = span.header
    return span.data_start + int(header.get("THEAP", header["NAXIS1"] * header["NAXIS2"]))


def descriptors(
    content: Content, span: HduSpan, column: Arrays
) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
    """First row, counts and places of a column's arrays, a window of rows after another."""
    width, rows = int(span.header["NAXIS1"]), int(span.header["NAXIS2"])
    size = 2 * np.dtype(column.descriptor).itemsize
    many = max(1, WINDOW // width)
    for first in range(0, rows, many):
        number = min(many, rows - first)
        start = span.data_start + first * width + column.offset
        # Of rows wider than a window only the descriptor is read.
        view = content.read(start, (number - 1) * width + size)
        pairs = np.ndarray((number, 2), column.descriptor, view, strides=(width, size // 2))
        counts, places = pairs.astype(np.int64).T
        yield first, counts, places


def check_heap(content: Content, span: HduSpan) -> None:
    """Refuse arrays that point out of their table's heap; astropy gives shortened ones without a word."""
    heap = span.data_start + span.data_size - heap_start(span)
    for column in array_columns(span.header):
        for _, counts, places in descriptors(content, span, column):
            ends = places + np.ceil(counts * column.width)
            if ((counts < 0) | (places < 0) | ((counts > 0) & (ends > heap))).any():
                raise ValueError(
                    f"arrays of column {column.name} lie outside the table's {heap} bytes of heap"
                )


def check_text(content: Content, span: HduSpan) -> None:
    """Refuse a text table whose fields are not what its columns say; in binary ones all bytes are numbers."""
    header = span.header.copy()
    width, rows = int(header["NAXIS1"]), int(header["NAXIS2"])
    if not 0 < width <= WINDOW:
        return
    many = WINDOW // width
    for first in range(0, rows, many):
        header["NAXIS2"] = min(many, rows - first)
        data = bytes(content.read(span.data_start + first * width, width * header["NAXIS2"]))
        part = header.tostring().encode("ascii") + data.ljust(-(-len(data) // BLOCK) * BLOCK, b" ")
        table = fits.TableHDU.fromstring(part)
        for name in table.columns.names:
            _ = table.data.field(name)
