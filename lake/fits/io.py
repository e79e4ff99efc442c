"""Reading the data of a FITS file in a worker, and building the bytes of a product.

Both are free of surprises for a long run: reading takes memory for the rows
asked for only, and the same product gives the same bytes on every machine and day.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import unquote, urlsplit

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from lake.errors import BadInput, Reason, Retriable
from lake.fits.check import QUALITY_EXTNAME, UNCERTAINTY_EXTNAME
from lake.fits.header import clean_header
from lake.fits.rice import rice_image, rice_streams
from lake.fits.structure import BLOCK, add_sums, folded, ones_complement_sum, walk
from lake.fits.windows import Lying
from lake.quiet import without_warnings

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


class ImageRead(NamedTuple):
    """One image, spectrum or cube as a worker gets it.

    Parameters
    ----------
    data
        float32, shape (…, y, x), scaled by BSCALE and BZERO.
    header
        Without BSCALE, BZERO, BLANK and checksums: they describe the stored bytes, not this array.
    blank
        True where an integer image holds its BLANK value, None where it has no BLANK.
    """

    data: NDArray[np.float32]
    header: fits.Header
    blank: NDArray[np.bool_] | None


def local_path(url: str) -> Path:
    """Path of a `file://` URL or of a plain path."""
    parts = urlsplit(url)
    if parts.scheme in ("", "file"):
        return Path(unquote(parts.path)) if parts.scheme else Path(url)
    raise BadInput(
        "only files of this machine can be read here",
        file=url,
        found=parts.scheme,
        advice="give a path or a file:// URL",
        code=Reason.UNREADABLE,
    )


def read_image(
    url: str, hdu: int, rows: slice | None = None, *, blank_is_missing: bool = False, axes: int = 2
) -> ImageRead:
    """Read an image, spectrum or cube, or a part of it.

    BLANK does not become NaN by itself: STEREO HI frames carry BLANK=0 on integer data where zeros are data.

    Parameters
    ----------
    url
        A path or `file://` URL.
    hdu
        Number of the image's HDU.
    rows
        What is wanted of the slowest of the axes: rows of an image; all when absent. Only these are held in
        memory (whole tiles of a compressed image).
    blank_is_missing
        Put NaN where an integer image holds its BLANK value.
    axes
        How many axes the data are to have. Axes of length 1 before them are left out.

    Returns
    -------
    ImageRead
        float32 data, header, mask of BLANK pixels or None.

    Raises
    ------
    BadInput
        When the file is absent or cannot be decoded, or the HDU has other axes.
    Retriable
        When the storage fails while reading.
    """
    path = local_path(url)
    try:
        # What is odd in a file was said when it was taken in.
        with without_warnings(), fits.open(path, memmap=True, do_not_scale_image_data=True) as hdus:
            raw = _section(hdus[hdu], hdu, rows, path, axes)
            header, _ = clean_header(hdus[hdu].header)
    except FileNotFoundError as error:
        raise _gone(path) from error
    except BadInput:
        raise
    except OSError as error:
        raise _not_read(path, hdu, error) from error
    except Exception as error:
        raise _undecodable(path, hdu, error) from error
    return _scale(raw, header, blank_is_missing)


def read_header(url: str, hdu: int) -> fits.Header:
    """Header of one HDU, without its data.

    Raises
    ------
    BadInput
        When the file is absent or has no such HDU.
    Retriable
        When the storage fails while reading.
    """
    path = local_path(url)
    return _header(path, hdu, path)


def header_from(file: BinaryIO, hdu: int, name: str) -> fits.Header:
    """Header of one HDU of an open file, of which no more is read than that takes; raises as `read_header`.

    Parameters
    ----------
    file
        Open for reading; stays open.
    hdu
        Number of the HDU.
    name
        What the file is called, for messages.
    """
    return _header(file, hdu, Path(name))


def _header(source: Path | BinaryIO, hdu: int, path: Path) -> fits.Header:
    try:
        with without_warnings(), fits.open(source, memmap=isinstance(source, Path)) as hdus:
            header, _ = clean_header(hdus[hdu].header)
    except FileNotFoundError as error:
        raise _gone(path) from error
    except OSError as error:
        raise _not_read(path, hdu, error) from error
    except IndexError as error:
        raise _undecodable(path, hdu, error) from error
    return header


def find_hdu(url: str, extname: str) -> int | None:
    """Number of the first HDU of this EXTNAME, `None` where there is none.

    Raises
    ------
    BadInput, Retriable
        As `read_header` does.
    """
    path = local_path(url)
    try:
        with without_warnings(), fits.open(path, memmap=True) as hdus:
            return next((index for index, hdu in enumerate(hdus) if hdu.name == extname), None)
    except FileNotFoundError as error:
        raise _gone(path) from error
    except OSError as error:
        raise _not_read(path, 0, error) from error


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


def build_product(
    data: NDArray[np.float32],
    quality: NDArray[np.uint16],
    header: fits.Header,
    *,
    extname: str = "IMAGE",
    quality_header: fits.Header | None = None,
    uncertainty: Uncertainty | None = None,
) -> memoryview:
    """The bytes of a product file: float32 data, a compressed uint16 QUALITY extension and maybe UNCERT.

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
    memoryview
        The bytes of a FITS file with CHECKSUM and DATASUM in every HDU.

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
    parts: list[_Part | bytes] = [_Part(primary, data), _quality_hdu(quality, more)]
    if uncertainty is not None:
        parts.append(_Part(_uncertainty_cards(uncertainty), uncertainty.values))
    return _joined(parts)


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


class _Part(NamedTuple):
    """An HDU of float32 values that is still to be written."""

    header: fits.Header
    data: NDArray[np.float32]


def _joined(parts: Sequence[_Part | bytes]) -> memoryview:
    """A file whose images are written once, where they stay: their megabytes are not copied to be joined."""
    sizes = [len(part) if isinstance(part, bytes) else _size(part) for part in parts]
    file = np.empty(sum(sizes), dtype=np.uint8)
    start = 0
    for part, size in zip(parts, sizes, strict=True):
        place = file[start : start + size]
        if isinstance(part, bytes):
            place[:] = np.frombuffer(part, np.uint8)
        else:
            _write_hdu(part, place)
        start += size
    return file.data


def _size(part: _Part) -> int:
    _with_sums(part.header, 0)  # makes room: the sums' cards are as long whatever they say
    end = len(part.header.tostring()) + 4 * part.data.size
    return end + -end % BLOCK


def _write_hdu(part: _Part, place: NDArray[np.uint8]) -> None:
    header, data = part
    start = len(header.tostring())
    end = start + 4 * data.size
    total = _store(data, place[start:end])
    place[end:] = 0
    place[:start] = np.frombuffer(_with_sums(header, total), np.uint8)


def _store(data: NDArray[np.float32], place: NDArray[np.uint8]) -> int:
    """Write numbers in the byte order of FITS; the ones' complement sum of their bytes."""
    if sys.byteorder == "big" or data.nbytes < _LARGE:
        place.view(">f4").reshape(data.shape)[...] = data
        return ones_complement_sum(place.data)
    from lake.sums_code import store_float32

    values = np.ascontiguousarray(data, np.float32).reshape(-1).view(np.uint32)
    values.flags.writeable = False
    return folded(store_float32(values, place.view(np.uint32)))


def _section(hdu: Any, number: int, rows: slice | None, path: Path, axes: int) -> NDArray[Any]:
    shape = tuple(getattr(hdu, "shape", ()) or ())
    extra = len(shape) - axes
    if not getattr(hdu, "is_image", False) or extra < 0 or set(shape[:extra]) - {1}:
        raise BadInput(
            "the HDU is not a single image" if axes == _IMAGE else f"the HDU does not have {axes} axes",
            file=str(path),
            keyword="NAXIS",
            found=" x ".join(str(axis) for axis in reversed(shape)) or "no image",
            advice="give images of two axes" if axes == _IMAGE else f"give data of {axes} axes",
            code=Reason.NO_IMAGE,
        )
    wanted = (rows if rows is not None else slice(None), *(slice(None),) * (axes - 1))
    if rows is None and isinstance(hdu, fits.CompImageHDU) and (image := _rice(path, number)) is not None:
        return image.reshape(shape[extra:])
    # A view of the mapped file would keep it open; the copy made by scaling below is needed anyway.
    return np.asarray(hdu.section[(*(0,) * extra, *wanted)])


def _rice(path: Path, number: int) -> NDArray[Any] | None:
    """A whole image in Rice's code; None where astropy has to decode it, or to say what is wrong with it."""
    with path.open("rb", buffering=0) as file:
        content = Lying(file, path.stat().st_size)
        try:
            return rice_image(content, walk(content, str(path)).spans[number])
        except BadInput:
            return None


def _scale(raw: NDArray[Any], header: fits.Header, blank_is_missing: bool) -> ImageRead:
    scale, zero, blank = (
        header.get(name, default) for name, default in (("BSCALE", 1), ("BZERO", 0), ("BLANK", None))
    )
    mask: NDArray[np.bool_] | None = None
    if raw.dtype.kind in "iu" and isinstance(blank, (int, float)):  # some writers give BLANK a decimal point
        mask = np.asarray(raw == blank)
    if scale == 1 and zero == 0:
        with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite: `read` looks
            data = raw.astype(np.float32)
    else:
        # In double: 2**31 offsets and 32-bit integers do not fit the 24 bits of a float32 before they cancel.
        data = (raw * np.float64(scale) + np.float64(zero)).astype(np.float32)
    if blank_is_missing and mask is not None and mask.any():
        data[mask] = np.nan
    for keyword in ("BSCALE", "BZERO", "BLANK", "CHECKSUM", "DATASUM"):
        header.remove(keyword, ignore_missing=True, remove_all=True)
    return ImageRead(data, header, mask)


def _gone(path: Path) -> BadInput:
    return BadInput(
        "there is no such file", file=str(path), advice="run `heliolake fsck`", code=Reason.MISSING_FILE
    )


def _not_read(path: Path, hdu: int, error: OSError) -> BadInput | Retriable:
    """A failure of the storage has a number; one of astropy's, about what it read, has none."""
    if error.errno is not None:
        return Retriable(f"{path} cannot be read now: {error.strerror}; check the storage")
    return _undecodable(path, hdu, error)


def _undecodable(path: Path, hdu: int, error: Exception) -> BadInput:
    return BadInput(
        f"HDU {hdu} cannot be decoded",
        file=str(path),
        found=f"{type(error).__name__}: {error}"[:200],
        advice="the stored file has changed since it was checked; run `heliolake fsck --deep`",
        code=Reason.CORRUPTED_DATA,
    )


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
