"""The bytes of a product file: float32 images, flags of quality, sums; the same product gives the same bytes.

A large product is made as it is read, a window at a time: beside its images there is no second copy of them.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from lake.errors import BadInput, Reason
from lake.fits.check import QUALITY_EXTNAME, UNCERTAINTY_EXTNAME
from lake.fits.rice import rice_streams
from lake.fits.structure import BLOCK, add_sums, folded, ones_complement_sum
from lake.fits.windows import WINDOW

# A tile costs the writer far more than its pixels: tiles of one row, the usual ones, would double the time.
_TILE_ROWS = 64
_IMAGE = 2  # axes
_LARGE = 1 << 22  # bytes that are worth compiled code
_COMMENTS = ("", "COMMENT", "HISTORY")
_STRUCTURE = re.compile(
    r"SIMPLE|XTENSION|BITPIX|NAXIS[0-9]*|EXTEND|PCOUNT|GCOUNT|GROUPS|BLANK|BSCALE|BZERO|CHECKSUM|DATASUM|"
    r"TFIELDS|THEAP|T(BCOL|TYPE|FORM|UNIT|DISP|NULL|SCAL|ZERO|DIM)[0-9]+|"
    r"Z(IMAGE|TENSION|SIMPLE|BITPIX|NAXIS[0-9]*|EXTEND|TILE[0-9]+|CMPTYPE|NAME[0-9]+|VAL[0-9]+|BLANK|"
    r"SCALE|ZERO|QUANTIZ|DITHER0|HECKSUM|DATASUM|PCOUNT|GCOUNT|MASKCMP)"
)


class Uncertainty(NamedTuple):
    """The standard deviations beside an image, and the cards of their extension.

    Parameters
    ----------
    values
        float32, of the data's shape and in their unit; NaN where not known.
    header
        Its unit, its place on the sky, and how it was found.
    """

    values: NDArray[np.float32]
    header: fits.Header


@dataclass(frozen=True, eq=False)
class _Image:
    """An HDU of float32 values, whose bytes are made when they are wanted."""

    header: fits.Header
    data: NDArray[np.float32]

    @property
    def start(self) -> int:
        """Bytes of the header."""
        return len(_with_sums(self.header, 0))  # the sums' cards are as long whatever they say

    @property
    def size(self) -> int:
        """Bytes of the HDU."""
        end = self.start + 4 * self.data.size
        return end + -end % BLOCK

    def write(self, place: NDArray[np.uint8]) -> None:
        """Write all of it at once."""
        start = self.start
        end = start + 4 * self.data.size
        total = _store(self.data, place[start:end])
        place[end:] = 0
        place[:start] = np.frombuffer(_with_sums(self.header, total), np.uint8)

    @cached_property
    def head(self) -> bytes:
        """The header with the sums of values that are looked at a window at a time."""
        total = 0
        for values in self._windows():
            total = add_sums(total, _store(values, np.empty(4 * values.size, np.uint8)))
        return _with_sums(self.header, total)

    def blocks(self) -> Iterator[memoryview]:
        """The bytes, a window at a time."""
        yield memoryview(self.head)
        for values in self._windows():
            made = np.empty(4 * values.size, np.uint8)
            _store(values, made)
            yield made.data
        yield memoryview(bytes(-(4 * self.data.size) % BLOCK))

    def _windows(self) -> Iterator[NDArray[np.float32]]:
        values = np.ascontiguousarray(self.data, np.float32).reshape(-1)
        return (values[first : first + WINDOW // 4] for first in range(0, values.size, WINDOW // 4))


@dataclass(frozen=True, eq=False)
class Product:
    """A product file that is still to be written.

    Attributes
    ----------
    parts
        Its HDUs.
    """

    parts: tuple[_Image | bytes, ...]

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return sum(len(part) if isinstance(part, bytes) else part.size for part in self.parts)

    def whole(self) -> memoryview:
        """The file in memory; its images are written once, where they stay."""
        sizes = [len(part) if isinstance(part, bytes) else part.size for part in self.parts]
        file = np.empty(sum(sizes), dtype=np.uint8)
        start = 0
        for part, size in zip(self.parts, sizes, strict=True):
            place = file[start : start + size]
            if isinstance(part, bytes):
                place[:] = np.frombuffer(part, np.uint8)
            else:
                part.write(place)
            start += size
        return file.data

    def blocks(self) -> Iterator[memoryview]:
        """The same bytes, made a window at a time: nothing of the file is held."""
        for part in self.parts:
            if isinstance(part, bytes):
                yield memoryview(part)
            else:
                yield from part.blocks()


def product_of(
    data: NDArray[np.float32],
    quality: NDArray[np.uint16],
    header: fits.Header,
    *,
    extname: str = "IMAGE",
    quality_header: fits.Header | None = None,
    uncertainty: Uncertainty | None = None,
) -> Product:
    """A product file: float32 data, a compressed uint16 QUALITY extension and maybe UNCERT.

    UNCERT is stored like the image: float32, not compressed, for it is as noisy as what it describes.

    The same input gives the same bytes: nothing here looks at a clock, DATE is the header's.

    Parameters
    ----------
    data
        float32, one axis or more.
    quality
        uint16 bit flags of the same shape, or of that of the last axes.
    header
        Scientific header; structural keywords, BLANK, BSCALE and BZERO in it are left out.
    extname
        EXTNAME of the primary HDU.
    quality_header
        Further cards of the extension, such as the meaning of its bits.
    uncertainty
        Of the image, where it is known.

    Returns
    -------
    Product
        A FITS file with CHECKSUM and DATASUM in every HDU.

    Raises
    ------
    BadInput
        When the shapes differ.
    """
    if not quality.ndim or data.shape[data.ndim - quality.ndim :] != quality.shape:
        raise BadInput(
            "flags of quality must have the shape of the data or of their last axes",
            found=f"{data.shape} and {quality.shape}",
            code=Reason.OTHER,
        )
    if uncertainty is not None and uncertainty.values.shape != data.shape:
        raise BadInput(
            "image and uncertainty must be of one shape",
            found=f"{data.shape} and {uncertainty.values.shape}",
            code=Reason.OTHER,
        )
    primary = fits.Header(
        [
            ("SIMPLE", True, "conforms to FITS standard"),
            ("BITPIX", -32, "32-bit floating point"),
            *_axes_cards(data.shape),
            ("EXTEND", True, "extensions follow"),
            ("EXTNAME", extname, "name of this HDU"),
            *_scientific(header),
        ]
    )
    more = [] if quality_header is None else _scientific(quality_header)
    parts: list[_Image | bytes] = [_Image(primary, data), _quality_hdu(quality, more)]
    if uncertainty is not None:
        parts.append(_Image(_uncertainty_cards(uncertainty), uncertainty.values))
    return Product(tuple(parts))


def build_product(
    data: NDArray[np.float32],
    quality: NDArray[np.uint16],
    header: fits.Header,
    *,
    extname: str = "IMAGE",
    quality_header: fits.Header | None = None,
    uncertainty: Uncertainty | None = None,
) -> memoryview:
    """The bytes of a product file, all in memory; see `product_of`."""
    made = product_of(
        data,
        quality,
        header,
        extname=extname,
        quality_header=quality_header,
        uncertainty=uncertainty,
    )
    return made.whole()


def _axes_cards(shape: tuple[int, ...]) -> list[tuple[str, int, str]]:
    lengths = enumerate(reversed(shape), start=1)
    return [
        ("NAXIS", len(shape), "number of axes"),
        *((f"NAXIS{n}", length, f"length of axis {n}") for n, length in lengths),
    ]


def _uncertainty_cards(uncertainty: Uncertainty) -> fits.Header:
    return fits.Header(
        [
            ("XTENSION", "IMAGE", "image extension"),
            ("BITPIX", -32, "32-bit floating point"),
            *_axes_cards(uncertainty.values.shape),
            ("PCOUNT", 0, "no parameters"),
            ("GCOUNT", 1, "one group"),
            ("EXTNAME", UNCERTAINTY_EXTNAME, "name of this HDU"),
            *_scientific(uncertainty.header),
        ]
    )


def _store(data: NDArray[np.float32], place: NDArray[np.uint8]) -> int:
    """Write numbers in the byte order of FITS; the ones' complement sum of their bytes."""
    if sys.byteorder == "big" or data.nbytes < _LARGE:
        place.view(">f4").reshape(data.shape)[...] = data
        return ones_complement_sum(place.data)
    from lake.sums_code import store_float32

    values = np.ascontiguousarray(data, np.float32).reshape(-1).view(np.uint32)
    values.flags.writeable = False
    return folded(store_float32(values, place.view(np.uint32)))


def _scientific(header: fits.Header) -> list[fits.Card]:
    """The cards without those that describe how some array was stored; comments come behind the others.

    They are put in place here: a header that is given them one by one looks for the place of each.
    """
    kept = [
        card
        for card in header.cards
        if not (card.is_blank or card.keyword == "EXTNAME" or _STRUCTURE.fullmatch(card.keyword))
    ]
    return sorted(kept, key=lambda card: card.keyword in _COMMENTS)


def _quality_hdu(quality: NDArray[np.uint16], more: Sequence[fits.Card]) -> bytes:
    """The QUALITY extension, Rice-compressed: mostly zeros, they shrink about a hundredfold."""
    tile = _tile(quality.shape)
    streams = rice_streams(quality, tile[-2] if len(tile) > 1 else 1)
    sizes = [len(stream) for stream in streams]
    table = fits.Header.fromstring(_compressed_header(quality.ndim))
    for n, (axis, part) in enumerate(zip(reversed(quality.shape), reversed(tile), strict=True), start=1):
        table[f"ZNAXIS{n}"], table[f"ZTILE{n}"] = axis, part
    table["NAXIS2"], table["PCOUNT"], table["TFORM1"] = len(sizes), sum(sizes), f"1PB({max(sizes)})"
    places = np.cumsum([0, *sizes[:-1]])
    data = b"".join((np.stack([sizes, places], axis=-1).astype(">i4").tobytes(), *streams))
    head = _with_sums(fits.Header([*table.cards, *more]), ones_complement_sum(data))
    return b"".join((head, data, b"\0" * (-len(data) % BLOCK)))


@lru_cache(maxsize=8)
def _compressed_header(axes: int) -> str:
    """The header of compressed flags but for their shape and bytes: astropy writes it of one pixel."""
    pixel = np.zeros((1,) * axes, np.uint16)
    name = fits.Header([("EXTNAME", QUALITY_EXTNAME, "name of this HDU")])
    compressed = fits.CompImageHDU(pixel, name, compression_type="RICE_1", tile_shape=pixel.shape, uint=True)
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), compressed]).writeto(buffer)
    return buffer.getvalue()[BLOCK:].split(b"END" + b" " * 77, 1)[0].decode("ascii")


def _tile(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Tiles of some rows of one image; of a spectrum the whole."""
    if len(shape) < _IMAGE:
        return shape
    return (*(1,) * (len(shape) - _IMAGE), min(_TILE_ROWS, shape[-2]), shape[-1])


def _with_sums(header: fits.Header, data_sum: int) -> bytes:
    """The bytes of a header with DATASUM and CHECKSUM of its HDU (FITS standard 4.0, appendix J)."""
    for keyword in ("CHECKSUM", "DATASUM"):
        header.remove(keyword, ignore_missing=True, remove_all=True)
    header["CHECKSUM"] = ("0" * 16, "HDU checksum")
    header["DATASUM"] = (str(data_sum), "data unit checksum")
    total = add_sums(ones_complement_sum(header.tostring().encode("ascii")), data_sum)
    header["CHECKSUM"] = (_encode(~total & 0xFFFFFFFF), "HDU checksum")
    return bytes(header.tostring().encode("ascii"))


def _encode(value: int) -> str:
    """A 32-bit number as 16 letters and digits (the algorithm of FITS standard 4.0, appendix J.2)."""
    columns = []
    for byte in value.to_bytes(4, "big"):
        quotient, remainder = divmod(byte, 4)
        letters = [quotient + remainder + 48, quotient + 48, quotient + 48, quotient + 48]
        while any(58 <= letter <= 64 or 91 <= letter <= 96 for letter in letters):
            for first, second in ((0, 1), (2, 3)):
                if any(
                    58 <= letter <= 64 or 91 <= letter <= 96 for letter in (letters[first], letters[second])
                ):
                    letters[first] += 1
                    letters[second] -= 1
        columns.append(letters)
    text = "".join(chr(columns[byte][row]) for row in range(4) for byte in range(4))
    return text[-1] + text[:-1]  # the value starts at column 12 of its card, one off a word border
