"""Where the arrays of a table may lie: in its heap, from its first byte to its last."""

from __future__ import annotations

import io

import numpy as np
import pytest
from astropy.io import fits

from lake.errors import BadInput, Reason
from lake.fits import tables as fits_tables
from lake.fits.check import check_bytes
from lake.fits.structure import HduSpan, walk
from lake.fits.tables import Arrays, array_columns, check_heap, check_text, descriptors
from lake.fits.windows import Held

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


class Watched(Held):
    """Bytes in memory that keep account of what is read of them at once."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.sizes: list[int] = []

    def read(self, start: int, size: int) -> memoryview:
        """As `Content.read`."""
        self.sizes.append(size)
        return super().read(start, size)


def opened(data: bytes) -> tuple[Watched, HduSpan]:
    """The bytes of a file, and its last HDU."""
    span = walk(Held(data), "f").spans[-1]
    return Watched(data), span


def text_table(*rows: str) -> bytes:
    """A file with a text table of one column of numbers, of rows of one width."""
    image = io.BytesIO()
    fits.PrimaryHDU(np.zeros((4, 4), np.int16)).writeto(image)
    width = len(rows[0])
    cards = {"XTENSION": "TABLE", "BITPIX": 8, "NAXIS": 2, "NAXIS1": width, "NAXIS2": len(rows)}
    more = {"PCOUNT": 0, "GCOUNT": 1, "TFIELDS": 1, "TTYPE1": "n", "TBCOL1": 1, "TFORM1": f"I{width}"}
    header: bytes = fits.Header([*cards.items(), *more.items()]).tostring().encode("ascii")
    data = "".join(rows).encode("ascii")
    return image.getvalue() + header + data.ljust(-(-len(data) // 2880) * 2880, b" ")


@pytest.mark.parametrize("width", [1, 4, 5])
@pytest.mark.parametrize("window", [5, 11, 1 << 22])
@pytest.mark.parametrize("bad", [None, 0, 1, 2, 6])
def test_each_row_of_a_text_table_is_looked_at_whatever_a_window_holds(
    monkeypatch: pytest.MonkeyPatch, width: int, window: int, bad: int | None
) -> None:
    monkeypatch.setattr(fits_tables, "WINDOW", window)
    rows = [str(number).rjust(width) for number in range(7)]
    if bad is not None:
        rows[bad] = "x" * width
    content, span = opened(text_table(*rows))
    if bad is None:
        check_text(content, span)
    else:
        with pytest.raises(ValueError, match="x"):
            check_text(content, span)
    assert content.sizes
    assert all(0 < size <= window for size in content.sizes)
    if bad is None:
        assert sum(content.sizes) == 7 * width
        assert len(content.sizes) == -(-7 // (window // width))  # no window is asked for twice or half full


def test_a_text_table_without_columns_or_with_rows_wider_than_a_window_is_let_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fits_tables, "WINDOW", 4)
    content, span = opened(text_table("xxxxx", "xxxxx"))
    check_text(content, span)
    span.header["NAXIS1"] = 0
    check_text(content, span)
    assert content.sizes == []


@pytest.mark.parametrize("window", [8, 24, 30, 1 << 22])
@pytest.mark.parametrize("bad", [None, 0, 1, 3, 6])
def test_each_array_of_a_table_is_looked_at_whatever_a_window_holds(
    monkeypatch: pytest.MonkeyPatch, window: int, bad: int | None
) -> None:
    monkeypatch.setattr(fits_tables, "WINDOW", window)
    arrays = np.array([np.arange(3, dtype=np.int32)] * 7, dtype=object)
    columns = [fits.Column("n", "J", array=np.arange(7)), fits.Column("v", "PJ()", array=arrays)]
    buffer = io.BytesIO()
    image = fits.PrimaryHDU(np.zeros((4, 4), np.int16))
    fits.HDUList([image, fits.BinTableHDU.from_columns(columns)]).writeto(buffer)
    data = bytearray(buffer.getvalue())
    width = 4 + 8
    if bad is not None:
        place = opened(bytes(data))[1].data_start + bad * width + 4
        data[place : place + 8] = np.array([3, 999], ">i4").tobytes()
    content, span = opened(bytes(data))
    if bad is None:
        check_heap(content, span)
    else:
        with pytest.raises(ValueError, match="column V lie outside"):
            check_heap(content, span)
    assert all(8 <= size <= max(window, 8) for size in content.sizes)


def test_rows_are_counted_from_the_first_in_every_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fits_tables, "WINDOW", 24)
    arrays = np.array([np.arange(number, dtype=np.int32) for number in range(1, 8)], dtype=object)
    buffer = io.BytesIO()
    table = fits.BinTableHDU.from_columns([fits.Column("v", "QJ()", array=arrays)])
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(buffer)
    content, span = opened(buffer.getvalue())
    (column,) = array_columns(span.header)
    assert column == Arrays("V", 0, ">i8", 4)
    found = list(descriptors(content, span, column))
    assert [first for first, _, _ in found] == list(range(7))  # a window of 24 bytes holds a row of 16
    assert [int(counts[0]) for _, counts, _ in found] == [1, 2, 3, 4, 5, 6, 7]
    assert [int(places[0]) for _, _, places in found] == [0, 4, 12, 24, 40, 60, 84]


def test_columns_wider_than_their_rows_are_no_table() -> None:
    header = fits.Header({"NAXIS1": 8, "TFIELDS": 1, "TFORM1": "PJ(3)"})
    assert array_columns(header) == [Arrays("1", 0, ">i4", 4)]
    header["NAXIS1"] = 7
    with pytest.raises(ValueError, match="columns of 8 bytes in rows of 7"):
        array_columns(header)
    header["TFORM1"] = "Z9"
    with pytest.raises(ValueError, match="TFORM1 is 'Z9'"):
        array_columns(header)
    assert array_columns(fits.Header({"NAXIS1": 4, "TFIELDS": 2, "TFORM1": "0PJ(3)", "TFORM2": "J"})) == []
