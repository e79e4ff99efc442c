"""Images in Rice's code, decoded in one go: libraries start anew at each tile, and images have thousands.

Only what is coded in every respect as nearly all such files are is decoded here. Of anything else nothing
is said: it is left to astropy, which decodes whatever the standard allows and tells what is damaged.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from lake.fits.structure import HduSpan
from lake.fits.tables import array_columns, descriptors, heap_start
from lake.fits.windows import HELD, Content

#: Pixels of a block, unless a header says otherwise.
_BLOCK: Final = 32
#: Of an image's type: bits that state how a block is coded, and how many such codes there are
#: (FITS standard 4.0, section 10.4.1).
_CODES: Final = {16: (4, 14), 32: (5, 25)}


def rice_image(content: Content, span: HduSpan) -> NDArray[Any] | None:
    """The image of an HDU as its stored numbers.

    Parameters
    ----------
    content
        The whole file.
    span
        One of its HDUs.

    Returns
    -------
    numpy.ndarray or None
        int16 or int32 of the image's shape; None where it is coded otherwise, or not as it should be, or so
        long that its code is not to be held.
    """
    try:
        usual = span.data_size <= HELD and _is_usual(span.header)
        return _decoded(content, span) if usual else None
    except (KeyError, TypeError, ValueError, fits.VerifyError):
        return None


def _is_usual(header: fits.Header) -> bool:
    """Whether the header is that of whole numbers in tiles of whole rows, one column and nothing besides."""
    if header.get("ZIMAGE") is not True or str(header.get("ZCMPTYPE")).strip() not in ("RICE_1", "RICE_ONE"):
        return False
    settings = _settings(header)
    return (
        header.get("ZBITPIX") in _CODES
        and header.get("TFIELDS") == 1
        and str(header.get("TTYPE1")).strip() == "COMPRESSED_DATA"
        and settings.get("BYTEPIX", 4) == header["ZBITPIX"] // 8
        and settings.get("BLOCKSIZE", _BLOCK) > 0
        and header.get("ZTILE1", header["ZNAXIS1"]) == header["ZNAXIS1"]
        and all(header.get(f"ZTILE{n}", 1) == 1 for n in range(3, header["ZNAXIS"] + 1))
    )


def _settings(header: fits.Header) -> dict[str, int]:
    """The parameters of the code by their names."""
    named = (number for number in range(1, 100) if f"ZNAME{number}" in header)
    return {str(header[f"ZNAME{number}"]).strip().upper(): int(header[f"ZVAL{number}"]) for number in named}


def _decoded(content: Content, span: HduSpan) -> NDArray[Any] | None:
    from lake.fits.rice_code import decode

    header = span.header
    shape = tuple(int(header[f"ZNAXIS{n}"]) for n in range(int(header["ZNAXIS"]), 0, -1))
    rows = shape[-2] if len(shape) > 1 else 1
    tall = min(int(header.get("ZTILE2", 1)), rows)
    (column,) = array_columns(header)
    _, counts, places = zip(*descriptors(content, span, column), strict=True)
    sizes, starts = np.concatenate(counts), np.concatenate(places)
    firsts = _first_pixels(math.prod(shape), rows * shape[-1], tall * shape[-1])
    begin = heap_start(span)
    heap = np.frombuffer(content.read(begin, span.data_start + span.data_size - begin), np.uint8)
    if len(sizes) != len(firsts) - 1 or column.width != 1 or min(sizes.min(), starts.min()) < 0:
        return None
    if (starts + sizes).max() > len(heap):
        return None
    width = int(header["ZBITPIX"]) // 8
    pixels = np.empty(math.prod(shape), f"u{width}")
    bits, most = _CODES[header["ZBITPIX"]]
    whole = decode(
        heap, starts, sizes, firsts, pixels, bits, most, _settings(header).get("BLOCKSIZE", _BLOCK)
    )
    return pixels.view(f"i{width}").reshape(shape) if whole else None


def _first_pixels(pixels: int, plane: int, tile: int) -> NDArray[np.int64]:
    """Where each tile begins among all pixels, and where the last one ends."""
    starts = (np.arange(0, pixels, plane)[:, np.newaxis] + np.arange(0, plane, tile)).reshape(-1)
    return np.append(starts, pixels)


def rice_streams(flags: NDArray[np.uint16], rows: int) -> list[bytes]:
    """The streams of numbers without a sign, which FITS stores less 32768: tile by tile, in blocks of 32.

    Parameters
    ----------
    flags
        Of one axis, one tile; of more, planes of rows.
    rows
        Of a tile; the last of a plane may have fewer.
    """
    from lake.fits.rice_code import encode

    planes = np.ascontiguousarray(flags, np.uint16).reshape(
        -1, *(flags.shape[-2:] if flags.ndim > 1 else (1, flags.size))
    )
    planes = planes.view(np.int16)
    planes.flags.writeable = False
    tiles = (plane[first : first + rows].ravel() for plane in planes for first in range(0, len(plane), rows))
    # A difference takes at most twice its 16 bits: a bit for each unit of what is counted, and those behind.
    room = np.empty(4 * rows * flags.shape[-1] + _BLOCK, np.uint8)
    return [room[: encode(tile, 1 << 15, _BLOCK, room)].tobytes() for tile in tiles]
