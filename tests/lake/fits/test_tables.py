"""Where the arrays of a table may lie: in its heap, from its first byte to its last."""

from __future__ import annotations

import io

import numpy as np
import pytest
from astropy.io import fits

from lake.errors import BadInput, Reason
from lake.fits.check import check_bytes

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
    ("letter", "fits_in"),
    [("L", 32), ("B", 32), ("A", 32), ("I", 16), ("J", 8), ("K", 4), ("E", 8), ("D", 4), ("C", 4), ("M", 2)],
)
@pytest.mark.parametrize("pointer", ["P", "Q"])
def test_elements_are_as_wide_as_their_letter_says(pointer: str, letter: str, fits_in: int) -> None:
    """FITS standard 4.0, table 18; the heap has 32 bytes."""
    width = {"P": 8, "Q": 16}[pointer]
    cards = {"XTENSION": "BINTABLE", "BITPIX": 8, "NAXIS": 2, "NAXIS1": width, "NAXIS2": 1, "PCOUNT": 32}
    header = fits.Header(
        [*cards.items(), ("GCOUNT", 1), ("TFIELDS", 1), ("TFORM1", f"1{pointer}{letter}(9)")]
    )
    image = io.BytesIO()
    fits.PrimaryHDU(np.zeros((4, 4), np.int16)).writeto(image)
    start = image.getvalue() + header.tostring().encode("ascii")

    def with_count(count: int) -> bytes:
        descriptor = np.array([count, 0], ">i4" if pointer == "P" else ">i8").tobytes()
        content: bytes = start + descriptor
        return content.ljust(len(start) + 2880, b"\0")

    assert is_taken(with_count(fits_in))
    assert not is_taken(with_count(fits_in + 1))


def test_columns_before_an_array_are_passed_over() -> None:
    """Bits fill whole bytes, text as many as it has letters."""
    arrays = np.array([np.arange(3, dtype=np.int32)], dtype=object)
    columns = [
        fits.Column("bits", "11X", array=np.zeros((1, 11), bool)),
        fits.Column("text", "5A", array=["a"]),
        *(fits.Column(f"one {letter}", letter, array=np.zeros(1)) for letter in "LBIJKEDCM"),
        fits.Column("v", "PJ()", array=arrays),
    ]
    buffer = io.BytesIO()
    image = fits.PrimaryHDU(np.zeros((4, 4), np.int16))
    fits.HDUList([image, fits.BinTableHDU.from_columns(columns)]).writeto(buffer)
    data = bytearray(buffer.getvalue())
    descriptor = len(data) - 2880 + 2 + 5 + (1 + 1 + 2 + 4 + 8 + 4 + 8 + 8 + 16)
    assert is_taken(bytes(data))
    assert is_taken(point(data, descriptor, 3, 0))
    assert not is_taken(point(data, descriptor, 4, 0))
