"""Reading the data of a FITS file in a worker: memory is taken for the rows asked for only, and once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import unquote, urlsplit

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from lake.errors import BadInput, Reason, Retriable
from lake.fits.header import clean_header
from lake.fits.rice import rice_image
from lake.fits.structure import walk
from lake.fits.windows import Lying
from lake.quiet import without_warnings

_IMAGE = 2  # axes
_STORED = np.dtype(">f4")


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
        with without_warnings(), fits.open(path, memmap=False, do_not_scale_image_data=True) as hdus:
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
    # Read, not mapped: pages of a mapped file would count beside the values made of them.
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
            data = _turned(raw) if raw.dtype == _STORED else raw.astype(np.float32)
    else:
        # In double: 2**31 offsets and 32-bit integers do not fit the 24 bits of a float32 before they cancel.
        data = (raw * np.float64(scale) + np.float64(zero)).astype(np.float32)
    if blank_is_missing and mask is not None and mask.any():
        data[mask] = np.nan
    for keyword in ("BSCALE", "BZERO", "BLANK", "CHECKSUM", "DATASUM"):
        header.remove(keyword, ignore_missing=True, remove_all=True)
    return ImageRead(data, header, mask)


def _turned(raw: NDArray[Any]) -> NDArray[np.float32]:
    """Numbers of FITS in the byte order of this machine, where they lie: a large cube is not held twice."""
    if not raw.flags.writeable or sys.byteorder == "big":
        return raw.astype(np.float32)
    return np.asarray(raw.byteswap(inplace=True).view(np.float32))


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
