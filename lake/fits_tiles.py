"""What a compressed image claims, checked before a decoder believes it.

Decoders take sizes from headers and streams at their word. A damaged one then asks
for absurd memory or, with H-compress, writes beyond the memory it was given.
"""

from __future__ import annotations

import itertools
import math
import struct

from astropy.io import fits

from lake.errors import BadInput, Reason
from lake.fits_structure import HduSpan

# Deflate reaches 1032:1 at best (zlib's documentation) and Rice less; more is a lie in a header.
_MAX_EXPANSION = 1100
_HCOMPRESS_MAGIC = b"\xdd\x99"  # cfitsio, fits_hdecompress.c


def check_claims(content: bytes, span: HduSpan, file: str, max_bytes: int) -> None:
    """Refuse a compressed image whose header or tiles claim what cannot be.

    Parameters
    ----------
    content
        The whole file.
    span
        One of its HDUs; other ones than compressed images pass.
    file
        Its name, for messages.
    max_bytes
        Largest image that is decoded.

    Raises
    ------
    BadInput
        With code corrupted-header, corrupted-data or too-large.
    """
    header = span.header
    if header.get("ZIMAGE") is not True:
        return
    try:
        axes, tiles = _geometry(header)
        size = math.prod(axes) * abs(int(header["ZBITPIX"])) // 8
    except (KeyError, TypeError, ValueError, fits.VerifyError) as error:
        raise _damaged(span.index, file, Reason.CORRUPTED_HEADER, str(error)) from error
    if size > max_bytes:
        raise too_large(file, size, max_bytes)
    if size > _MAX_EXPANSION * (span.data_size + 2880):
        found = f"{size} bytes promised, {span.data_size} stored"
        raise _damaged(span.index, file, Reason.CORRUPTED_HEADER, found)
    if str(header.get("ZCMPTYPE", "")).strip() == "HCOMPRESS_1":
        try:
            _check_hcompress(content, span, axes, tiles)
        except Exception as error:
            raise _damaged(span.index, file, Reason.CORRUPTED_DATA, str(error)) from error


def too_large(file: str, size: int, max_bytes: int) -> BadInput:
    """The refusal of a file or image larger than this machine should hold."""
    return BadInput(
        f"the file or its image is larger than {max_bytes // 1024**3} GiB",
        file=file,
        found=f"{size} bytes",
        advice="split it into single images",
        code=Reason.TOO_LARGE,
    )


def _geometry(header: fits.Header) -> tuple[list[int], list[int]]:
    """Axes and tile sizes, fastest axis first."""
    axes = [int(header[f"ZNAXIS{n + 1}"]) for n in range(int(header["ZNAXIS"]))]
    tiles = [int(header.get(f"ZTILE{n + 1}", axes[n] if n == 0 else 1)) for n in range(len(axes))]
    if min((*axes, *tiles), default=0) < 1:
        raise ValueError(f"axes {axes} in tiles of {tiles}")
    expected = math.prod(math.ceil(axis / tile) for axis, tile in zip(axes, tiles, strict=True))
    if expected != int(header["NAXIS2"]):
        raise ValueError(f"{header['NAXIS2']} tiles where {axes} in tiles of {tiles} makes {expected}")
    return axes, tiles


def _check_hcompress(content: bytes, span: HduSpan, axes: list[int], tiles: list[int]) -> None:
    """Each H-compress stream states its own size; it must be that of its tile, else memory is overwritten."""
    table = fits.BinTableHDU.fromstring(content[span.header_start : span.end])
    streams = table.data.field("COMPRESSED_DATA")
    lengths = [
        [min(tile, axis - start) for start in range(0, axis, tile)]
        for axis, tile in zip(reversed(axes), reversed(tiles), strict=True)
    ]
    for number, shape in enumerate(itertools.product(*lengths)):
        stream = bytes(streams[number][:14])
        if not stream:  # the tile is stored another way
            continue
        if len(stream) < 14 or stream[:2] != _HCOMPRESS_MAGIC:
            raise ValueError(f"tile {number} does not begin like H-compress")
        rows, columns = struct.unpack(">ii", stream[2:10])
        if min(rows, columns) < 1 or rows * columns != math.prod(shape):
            raise ValueError(f"tile {number} states {rows} x {columns} pixels, its place has {shape}")


def _damaged(index: int, file: str, code: Reason, found: str) -> BadInput:
    return BadInput(
        f"the compressed image in HDU {index} is damaged",
        file=file,
        found=found[:200],
        advice="fetch the file again from its source",
        code=code,
    )
