"""Reading a FITS file once and fully: bytes, checksums, structure, and the data of every HDU.

A file that opens is not a file that reads: Rice streams break in the middle,
transfers stop, disks flip bits. Everything here works on one buffer that is read once.
"""

from __future__ import annotations

import io
import math
import re
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from astropy.io import fits

from lake.checksums import Checksums, checksums
from lake.errors import BadInput, Reason
from lake.fits_structure import HduSpan, check_sums, walk
from lake.fits_tiles import check_claims, too_large
from lake.quiet import without_warnings

QUALITY_EXTNAME = "QUALITY"  # of the flags beside an image, in our products
UNCERTAINTY_EXTNAME = "UNCERT"  # of the standard deviations beside it; the name astropy.nddata looks for
MAX_BYTES = 4 * 1024**3  # of a file, and of an image when decompressed
# Bytes of one element by the letter of TFORM (FITS standard 4.0, table 18); X counts bits.
_WIDTHS = {"L": 1, "X": 0.125, "B": 1, "I": 2, "J": 4, "K": 8, "A": 1, "E": 4, "D": 8, "C": 8, "M": 16}
_AGAIN = "fetch the file again from its source"

#: What is said of a file whose bytes cannot be compared with anything: most archives' raw files.
UNVERIFIED: Final = (
    "the image carries no checksum of its producer's (DATASUM, CHECKSUM): whether these are the bytes that "
    "were made there cannot be told"
)


@dataclass(frozen=True)
class CheckedFits:
    """A FITS file that was read to the last byte.

    Parameters
    ----------
    path
        Where it was read.
    data
        The bytes of the file as they lie on disk.
    checksums
        Of those bytes.
    image_hdu
        Number of the first HDU with a non-empty image of two or more axes.
    shape
        Shape of that image, slowest axis first.
    header, primary_header
        Header of the image (decompressed form), and of the primary HDU.
    sums
        State of DATASUM and CHECKSUM per HDU: absent, valid (wrong ones raise).
    caveats
        Sentences about what is odd without being wrong.
    """

    path: str
    data: bytes
    checksums: Checksums
    image_hdu: int
    shape: tuple[int, ...]
    header: fits.Header
    primary_header: fits.Header
    sums: tuple[dict[str, str], ...]
    caveats: tuple[str, ...]


def read_checked(path: str | Path) -> CheckedFits:
    """Read a file once and make sure that every HDU of it can be read.

    Parameters
    ----------
    path
        A FITS file, or a gzipped one.

    Returns
    -------
    CheckedFits
        Bytes, checksums, the image's HDU and header, caveats.

    Raises
    ------
    BadInput
        With its own code for each cause: missing-file, unreadable, empty, too-large, not-fits, truncated,
        corrupted-header, corrupted-data, wrong-checksum, no-image.
    """
    path = Path(path)
    data = read_bytes(path)
    return check_bytes(data, str(path))


def read_bytes(path: Path) -> bytes:
    """The whole of a regular file, with a plain sentence where that fails."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise BadInput(
                "not a regular file",
                file=str(path),
                advice="give files, folders of files, or patterns",
                code=Reason.UNREADABLE,
            )
        if status.st_size > MAX_BYTES:
            raise too_large(str(path), status.st_size, MAX_BYTES)
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise BadInput(
            "there is no such file", file=str(path), advice="check the path", code=Reason.MISSING_FILE
        ) from error
    except OSError as error:
        raise BadInput(
            "the file cannot be read",
            file=str(path),
            found=error.strerror or str(error),
            advice="check its permissions and the disk it lies on",
            code=Reason.UNREADABLE,
        ) from error
    if not data:
        raise BadInput("the file is empty", file=str(path), found="0 bytes", advice=_AGAIN, code=Reason.EMPTY)
    return data


def check_bytes(data: bytes, file: str) -> CheckedFits:
    """Check a FITS file that is already in memory; see `read_checked`."""
    with without_warnings():
        return _check(data, file)


def _check(data: bytes, file: str) -> CheckedFits:
    sums = checksums(data)
    content = _gunzip(data, file) if data.startswith(b"\x1f\x8b") else data
    skeleton = walk(content, file)
    states = tuple(check_sums(content, span) for span in skeleton.spans)
    for span in skeleton.spans:
        check_claims(content, span, file, MAX_BYTES)
        _check_scaling(span, file)
    # Data before checksums: a stream that does not decode is named as such even where its sum is wrong too.
    found = _read_hdus(content, file)
    _refuse_wrong_sums(states, file)
    caveats = list(skeleton.caveats)
    if found.others:
        others = ", ".join(found.others)
        caveats.append(f"the image of HDU {found.hdu} was taken; the file holds more images: {others}")
    if set(states[found.hdu].values()) == {"absent"}:
        caveats.append(UNVERIFIED)
    header, odd = clean_header(found.header)
    if odd:
        caveats.append(f"header cards whose value is not FITS count as undefined: {', '.join(odd)}")
    primary, _ = clean_header(found.primary)
    return CheckedFits(file, data, sums, found.hdu, found.shape, header, primary, states, tuple(caveats))


def _check_scaling(span: HduSpan, file: str) -> None:
    """Refuse BSCALE and BZERO that make no numbers of the stored ones; decoders give NaN or zeros."""
    for keyword in ("BSCALE", "BZERO"):
        try:
            value = span.header.get(keyword, 1.0)
            number = float(value)
        except (fits.VerifyError, TypeError, ValueError):
            value, number = "no number", math.nan
        if not math.isfinite(number) or (keyword == "BSCALE" and number == 0):
            raise BadInput(
                f"{keyword} of HDU {span.index} is no number to scale by",
                file=file,
                keyword=keyword,
                found=value,
                advice=f"{_AGAIN}, or have {keyword} corrected there: without it the values are not known",
                code=Reason.BAD_KEYWORD,
            )


def clean_header(header: fits.Header) -> tuple[fits.Header, list[str]]:
    """A copy whose every card can be read, and the names of the cards that could not be.

    A card with a value that FITS does not know (AIA headers write a bare `nan`) stays, with its value
    undefined; a card that has not even a keyword is left out.
    """
    odd = []
    copy = header.copy()
    for position in range(len(copy.cards) - 1, -1, -1):
        card = copy.cards[position]
        try:
            _ = card.value, card.comment
        except (fits.VerifyError, ValueError):
            named = re.fullmatch(r"[!-~][ -~]*", str(card.keyword))
            odd.append(str(card.keyword) if named else f"card {position + 1}")
            del copy[position]
            if re.fullmatch(r"[A-Z0-9_-]{1,8}", str(card.keyword)):
                copy.insert(position, fits.Card(card.keyword, None, _comment(card)))
    return copy, odd[::-1]


def _comment(card: fits.Card) -> str:
    """Comment of a card whose value cannot be read, "" where it cannot be read either."""
    try:
        comment = str(card).partition("/")[2].strip()
    except ValueError:  # a tab or another control character in the value
        return ""
    return comment if comment.isprintable() else ""


@contextmanager
def _reading(index: int, file: str) -> Iterator[None]:
    """Name the HDU whatever way decoding fails; the exception types differ between astropy versions."""
    try:
        yield
    except BadInput:
        raise
    except Exception as error:
        # The skeleton showed that every promised byte is there: what cannot be decoded was changed.
        raise BadInput(
            f"the data of HDU {index} are damaged: they cannot be decoded",
            file=file,
            found=f"{type(error).__name__}: {error}"[:200],
            advice=_AGAIN,
            code=Reason.CORRUPTED_DATA,
        ) from error


class _Found(NamedTuple):
    """The image of a file, and the other ones it holds."""

    hdu: int
    shape: tuple[int, ...]
    header: fits.Header
    primary: fits.Header
    others: list[str]


def _read_hdus(content: bytes, file: str) -> _Found:
    found: _Found | None = None
    with _reading(0, file):
        hdus = fits.open(
            io.BytesIO(content), memmap=False, do_not_scale_image_data=True, lazy_load_hdus=False
        )
    with hdus:
        for index, hdu in enumerate(hdus):
            with _reading(index, file):
                shape = _read_all(hdu)
                if len(shape) >= 2 and math.prod(shape) > 0:
                    if found is None:
                        found = _Found(index, shape, hdu.header, hdus[0].header, [])
                    elif hdu.name not in (QUALITY_EXTNAME, UNCERTAINTY_EXTNAME):
                        found.others.append(f"HDU {index} ({' x '.join(map(str, shape[::-1]))})")
                hdu.data = None  # frees the memory before the next one is decoded
    if found is None:
        raise BadInput(
            "no HDU of the file holds an image of two or more axes",
            file=file,
            keyword="NAXIS",
            found=f"{len(hdus)} HDU(s)",
            advice="only images can be processed; leave tables and spectra out",
            code=Reason.NO_IMAGE,
        )
    return found


def _read_all(hdu: Any) -> tuple[int, ...]:
    """Read all data of an HDU; the shape of its image, () when it is none."""
    data = hdu.data
    if data is None:
        return ()
    if isinstance(data, fits.FITS_rec):
        if isinstance(hdu, fits.BinTableHDU):
            _check_heap(hdu)
        for name in data.columns.names:
            _ = data.field(name)
        return ()
    return tuple(data.shape) if hdu.is_image and isinstance(data, np.ndarray) else ()


def _check_heap(hdu: Any) -> None:
    """Refuse arrays that point out of their table's heap; astropy gives shortened ones without a word."""
    rows = hdu.data.view(np.ndarray)
    size = hdu.header["NAXIS1"] * hdu.header["NAXIS2"]
    heap = hdu.header["PCOUNT"] - (hdu.header.get("THEAP", size) - size)
    for column in hdu.columns:
        kind = re.match(r"\d*[PQ]([A-Z])", str(column.format))
        if kind is None:
            continue
        counts, offsets = np.moveaxis(rows[column.name].astype(np.int64), -1, 0)
        ends = offsets + np.ceil(counts * _WIDTHS[kind[1]])
        if ((counts < 0) | (offsets < 0) | ((counts > 0) & (ends > heap))).any():
            raise ValueError(f"arrays of column {column.name} lie outside the table's {heap} bytes of heap")


def _refuse_wrong_sums(states: tuple[dict[str, str], ...], file: str) -> None:
    for index, state in enumerate(states):
        wrong = [keyword for keyword, value in state.items() if value == "wrong"]
        if wrong:
            raise BadInput(
                f"HDU {index} does not agree with its own checksum",
                file=file,
                keyword=" and ".join(wrong),
                found="another sum than the header states",
                advice=f"{_AGAIN}; if the source has the same bytes, its owner must correct the sums",
                code=Reason.WRONG_CHECKSUM,
            )


def _gunzip(data: bytes, file: str) -> bytes:
    """Unpack a gzipped file, never to more than MAX_BYTES."""
    parts: list[bytes] = []
    rest, total = data, 0
    try:
        while rest.strip(b"\0"):
            unpacker = zlib.decompressobj(wbits=31)
            part = unpacker.decompress(rest, MAX_BYTES - total + 1)
            total += len(part)
            if total > MAX_BYTES:
                raise too_large(file, total, MAX_BYTES)
            parts.append(part)
            if not unpacker.eof:
                raise BadInput(
                    "the gzipped file is truncated",
                    file=file,
                    found=f"{len(data)} bytes",
                    advice=f"{_AGAIN}; the transfer was probably cut off",
                    code=Reason.TRUNCATED,
                )
            rest = unpacker.unused_data
    except zlib.error as error:
        raise BadInput(
            "the gzipped file is damaged",
            file=file,
            found=str(error),
            advice=_AGAIN,
            code=Reason.CORRUPTED_DATA,
        ) from error
    return b"".join(parts)
