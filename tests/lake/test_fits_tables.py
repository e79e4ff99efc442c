"""Where the arrays of a table may lie: in its heap, from its first byte to its last."""

from __future__ import annotations

import io

import numpy as np
import pytest
from astropy.io import fits

from lake.errors import BadInput, Reason
from lake.fits_check import check_bytes

GAP = 24


def with_heap(*, gap: int = 0) -> tuple[bytearray, int, int]:
    """A file with a table of two rows whose arrays fill its heap; where the rows begin; the heap's bytes."""
    arrays = np.array([np.arange(3, dtype=np.int32), np.arange(5, dtype=np.int32)], dtype=object)
    table = fits.BinTableHDU.from_columns([fits.Column("v", "PJ()", array=arrays)])
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(np.zeros((4, 4), np.int16)), table]).writeto(buffer)
    data = bytearray(buffer.getvalue())
    rows = len(data) - 2880
    heap = 8 * 4
    if gap:  # the standard lets the heap begin later than the rows end
        start = rows - 2880
        header = fits.Header.fromstring(bytes(data[start:rows]).decode("ascii"))
        header["PCOUNT"], header["THEAP"] = heap + gap, 16 + gap
        data[start:rows] = header.tostring().encode("ascii")
        data[rows + 16 + gap : rows + 16 + gap + heap] = data[rows + 16 : rows + 16 + heap]
    return data, rows, heap


def point(data: bytearray, rows: int, count: int, place: int) -> bytes:
    """The file with another descriptor in its table's first row."""
    data[rows : rows + 8] = np.array([count, place], ">i4").tobytes()
    return bytes(data)


def is_taken(data: bytes) -> bool:
    try:
        check_bytes(data, "f.fits")
    except BadInput as refusal:
        if (refusal.code, "heap" in refusal.found) != (Reason.CORRUPTED_DATA, True):
            raise
        return False
    return True


@pytest.mark.parametrize("gap", [0, GAP])
@pytest.mark.parametrize(
    ("count", "place", "taken"),
    [
        (3, 0, True),  # at the very beginning
        (8, 0, True),  # the whole of it
        (1, 28, True),  # its last element
        (9, 0, False),
        (1, 29, False),
        (1, 32, False),
        (0, 32, True),  # an empty array lies nowhere
        (0, 999, True),
        (1, -4, False),
        (-1, 0, False),
    ],
)
def test_an_array_lies_in_the_heap_from_its_first_to_its_last_byte(
    gap: int, count: int, place: int, taken: bool
) -> None:
    data, rows, heap = with_heap(gap=gap)
    assert heap == 32
    assert is_taken(point(data, rows, count, place)) is taken


def test_the_gap_before_the_heap_is_no_part_of_it() -> None:
    """Counted from the end of the rows the array would fit; counted from THEAP it does not."""
    data, rows, heap = with_heap(gap=GAP)
    assert is_taken(point(data, rows, 1, heap - 4))
    assert not is_taken(point(data, rows, 1, heap))
    assert not is_taken(point(data, rows, 1, heap + GAP - 4))


@pytest.mark.parametrize(
    ("letter", "kind", "fits_in"),
    [
        ("B", np.uint8, 32),
        ("I", np.int16, 16),
        ("J", np.int32, 8),
        ("E", np.float32, 8),
        ("D", np.float64, 4),
    ],
)
def test_elements_are_as_wide_as_their_letter_says(letter: str, kind: type, fits_in: int) -> None:
    array = np.array([np.zeros(32 // np.dtype(kind).itemsize, kind)], dtype=object)
    table = fits.BinTableHDU.from_columns([fits.Column("v", f"P{letter}()", array=array)])
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(np.zeros((4, 4), np.int16)), table]).writeto(buffer)
    data = bytearray(buffer.getvalue())
    rows = len(data) - 2880
    assert is_taken(point(data, rows, fits_in, 0))
    assert not is_taken(point(data, rows, fits_in + 1, 0))
