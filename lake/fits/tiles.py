"""A compressed image, checked tile by tile before and while it is decoded.

Decoders take sizes from headers and streams at their word. A damaged one then asks
for absurd memory or, with H-compress, writes beyond the memory it was given.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from lake.errors import BadInput, Reason
from lake.fits.rice import rice_image
from lake.fits.structure import HduSpan
from lake.fits.tables import Arrays, array_columns, descriptors, heap_start
from lake.fits.windows import GZIP, Content, too_large

# Deflate reaches 1032:1 at best (zlib's documentation) and Rice less; more is a lie in a header.
_MAX_EXPANSION = 1100
# No coder makes more of a tile than this: a few bytes a pixel for noise, and its own header.
_MOST_BYTES = 16
_MOST_EXTRA = 4096
_MAX_TILE = 1 << 28  # bytes decoded at once
_MAX_TABLE = 1 << 26  # bytes of the table that says where the tiles are: decoders hold it
_BLOCK_PIXELS = 1 << 24  # decoded at once where tiles are smaller: in parts it takes longer
_MAX_AXES = 999  # FITS standard 4.0, section 4.4.1
_HCOMPRESS_MAGIC = b"\xdd\x99"  # cfitsio, fits_hdecompress.c


def is_compressed(header: fits.Header) -> bool:
    """Whether a table is a compressed image."""
    return header.get("ZIMAGE") is True


def image_shape(header: fits.Header) -> tuple[int, ...]:
    """Shape of the image of an HDU, slowest axis first, as its header states it; () when it is none."""
    z = "Z" if is_compressed(header) else ""
    if not z and (header.get("XTENSION", "IMAGE").strip() != "IMAGE" or header.get("GROUPS") is True):
        return ()
    number = int(header.get(f"{z}NAXIS", 0))
    if not 0 <= number <= _MAX_AXES:
        raise ValueError(f"{z}NAXIS is {number}")
    axes = [header.get(f"{z}NAXIS{n + 1}", 0) for n in range(number)]
    return tuple(int(axis) for axis in reversed(axes))


def check_claims(content: Content, span: HduSpan, file: str) -> None:
    """Refuse a compressed image whose header or tiles claim what cannot be; other HDUs pass.

    Parameters
    ----------
    content
        The whole file.
    span
        One of its HDUs.
    file
        Its name, for messages.

    Raises
    ------
    BadInput
        With code corrupted-header, corrupted-data or too-large.
    """
    header = span.header
    if not is_compressed(header):
        return
    try:
        axes, tiles = _geometry(header)
        width = abs(int(header["ZBITPIX"])) // 8
        columns = array_columns(header)
    except (KeyError, TypeError, ValueError, fits.VerifyError) as error:
        raise _damaged(span.index, file, Reason.CORRUPTED_HEADER, str(error)) from error
    size = math.prod(axes) * width
    if size > _MAX_EXPANSION * (span.data_size + 2880):
        found = f"{size} bytes promised, {span.data_size} stored"
        raise _damaged(span.index, file, Reason.CORRUPTED_HEADER, found)
    # Decoders hold the heap of a small image, so it must not be larger than its tiles can make it.
    most = _MOST_BYTES * math.prod(axes) + _MOST_EXTRA * int(header["NAXIS2"])
    if span.data_size - int(header["NAXIS1"]) * int(header["NAXIS2"]) > most:
        found = f"{span.data_size} bytes for {math.prod(axes)} pixels"
        raise _damaged(span.index, file, Reason.CORRUPTED_HEADER, found)
    tile, table = math.prod(tiles) * width, int(header["NAXIS1"]) * int(header["NAXIS2"])
    if tile > _MAX_TILE or table > _MAX_TABLE:
        found = f"tiles of {tile} bytes, described by {table} bytes"
        raise too_large(file, found, f"tiles of {_MAX_TILE} bytes, described by {_MAX_TABLE}")
    try:
        _check_tiles(content, span, columns, axes, tiles)
    except Exception as error:
        raise _damaged(span.index, file, Reason.CORRUPTED_DATA, str(error)) from error


def decoded(hdu: Any, content: Content, span: HduSpan) -> Iterator[NDArray[Any]]:
    """The image of an opened HDU, some tiles after others."""
    shape, tile = tuple(hdu.shape), tuple(hdu.tile_shape)
    if math.prod(shape) <= _BLOCK_PIXELS:  # quicker than in parts
        image = rice_image(content, span)
        yield hdu.section[...] if image is None else image
        return
    for block in _blocks(shape, tile, _BLOCK_PIXELS):
        yield hdu.section[block]


def _blocks(shape: tuple[int, ...], tile: tuple[int, ...], pixels: int) -> Iterator[tuple[slice, ...]]:
    """Parts of an image along its tiles' borders; more pixels than wanted only where one tile has more."""
    if not shape:
        yield ()
        return
    one = tile[0] * math.prod(shape[1:])
    if one <= pixels:
        step = pixels // one * tile[0]
        whole = tuple(slice(0, axis) for axis in shape[1:])
        for start in range(0, shape[0], step):
            yield (slice(start, min(start + step, shape[0])), *whole)
        return
    for start in range(0, shape[0], tile[0]):
        for inner in _blocks(shape[1:], tile[1:], pixels // tile[0]):
            yield (slice(start, min(start + tile[0], shape[0])), *inner)


def _geometry(header: fits.Header) -> tuple[list[int], list[int]]:
    """Axes and tile sizes, fastest axis first; a tile is never larger than its image."""
    axes = [int(header[f"ZNAXIS{n + 1}"]) for n in range(int(header["ZNAXIS"]))]
    tiles = [int(header.get(f"ZTILE{n + 1}", axes[n] if n == 0 else 1)) for n in range(len(axes))]
    if min((*axes, *tiles), default=0) < 1:
        raise ValueError(f"axes {axes} in tiles of {tiles}")
    expected = math.prod(math.ceil(axis / tile) for axis, tile in zip(axes, tiles, strict=True))
    if expected != int(header["NAXIS2"]):
        raise ValueError(f"{header['NAXIS2']} tiles where {axes} in tiles of {tiles} makes {expected}")
    return axes, [min(axis, tile) for axis, tile in zip(axes, tiles, strict=True)]


def _check_tiles(
    content: Content, span: HduSpan, columns: list[Arrays], axes: list[int], tiles: list[int]
) -> None:
    """Every stream lies in the heap, is no longer than its tile can need, and unpacks to no more."""
    start = heap_start(span)
    heap = span.data_start + span.data_size - start
    pixels = math.prod(tiles)
    kind = str(span.header.get("ZCMPTYPE", "")).strip()
    for column in columns:
        check = _stream_check(kind, column.name)
        for first, counts, places in descriptors(content, span, column):
            sizes = np.ceil(counts * column.width).astype(np.int64)
            if ((counts < 0) | (places < 0) | ((counts > 0) & (places + sizes > heap))).any():
                raise ValueError(f"streams of column {column.name} lie outside the {heap} bytes of heap")
            if sizes.max(initial=0) > _MOST_BYTES * pixels + _MOST_EXTRA:
                raise ValueError(f"a stream of {sizes.max()} bytes for a tile of {pixels} pixels")
            if check is None:
                continue
            for row in np.flatnonzero(sizes):
                check(
                    content.read(start + int(places[row]), int(sizes[row])),
                    first + int(row),
                    _tile_shape(first + int(row), axes, tiles),
                )


def _stream_check(kind: str, column: str) -> Any:
    if column == "GZIP_COMPRESSED_DATA" or (column == "COMPRESSED_DATA" and kind.startswith("GZIP")):
        return _check_gzip
    if column == "COMPRESSED_DATA" and kind == "HCOMPRESS_1":
        return _check_hcompress
    return None


def _tile_shape(number: int, axes: list[int], tiles: list[int]) -> list[int]:
    """Sizes of a tile, fastest axis first: those at the edges are smaller."""
    shape = []
    for axis, tile in zip(axes, tiles, strict=True):
        number, place = divmod(number, math.ceil(axis / tile))
        shape.append(min(tile, axis - place * tile))
    return shape


def _check_gzip(stream: memoryview, number: int, shape: list[int]) -> None:
    """A few bytes may unpack to any number; decoders would ask for the memory."""
    most = 8 * math.prod(shape)
    wbits = 31 if bytes(stream[:2]) == GZIP else 15
    if len(zlib.decompressobj(wbits=wbits).decompress(stream, most + 1)) > most:
        raise ValueError(f"tile {number} unpacks to more bytes than its {math.prod(shape)} pixels can have")


def _check_hcompress(stream: memoryview, number: int, shape: list[int]) -> None:
    """The stream states its own size; it must be that of its tile, else memory is overwritten."""
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
