"""Parts of stored images and cubes, read without the rest: planes, windows, profiles, every n-th pixel.

Of a file that is neither packed nor compressed no more is read than whole rows of what is asked for, a few
megabytes at a time; of a compressed image the tiles that are met. What is held is what was asked for, and one
such window.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, BinaryIO, Final

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from lake.errors import BadInput, Reason
from lake.fits.pixels import TYPES
from lake.fits.structure import HduSpan, walk
from lake.fits.tiles import image_shape, is_compressed
from lake.fits.windows import GZIP, WINDOW
from lake.quiet import without_warnings
from lake.storage.opening import open_store
from lake.storage.store import Ref

#: Bytes of a row up to which whole rows are read where a part of each is wanted: a seek costs more.
_ROW: Final = 1 << 16
_KNOWN: Final = 256


@dataclass(frozen=True)
class Stored:
    """Where the values of an image, spectrum or cube lie in a file.

    Attributes
    ----------
    hdu
        Number of the HDU.
    shape
        Of the data, the slowest axis first.
    header
        As it is stored.
    start
        Offset of the first value; -1 where values cannot be read where they lie, for they are packed.
    """

    hdu: int
    shape: tuple[int, ...]
    header: fits.Header
    start: int

    @property
    def kind(self) -> np.dtype[Any]:
        """Of the numbers as they are stored."""
        return np.dtype(TYPES[int(self.header["BITPIX"])])


def stored(ref: Ref, hdu: int) -> Stored:
    """What a stored file holds in an HDU; its headers alone are read, once.

    Raises
    ------
    BadInput
        When the file is absent, or has no image there.
    Retriable, Fatal
        When the storage fails.
    """
    return _stored(ref.store, ref.key, ref.sha256, hdu)


def extension(ref: Ref, name: str) -> Stored | None:
    """The first extension of a name, None where there is none; raises as `stored`."""
    return _extension(ref.store, ref.key, ref.sha256, name)


def section(ref: Ref, found: Stored, wanted: Sequence[slice], *, blank_is_missing: bool) -> NDArray[Any]:
    """Some of the values, float32 and scaled; whole numbers without a scale stay what they are.

    Parameters
    ----------
    ref, found
        The file, and what it holds.
    wanted
        For each axis where it begins, where it ends, and every how many places; within the shape.
    blank_is_missing
        NaN where a whole number says that there is none.

    Raises
    ------
    BadInput
        When the stored bytes are not those of the header.
    Retriable, Fatal
        When the storage fails.
    """
    store = open_store(ref.store)
    if found.start < 0:
        with store.local(Ref(ref.store, ref.key)) as path:
            raw = _unpacked(str(path), found, tuple(wanted))
    else:
        with store.open(ref.key) as file:
            raw = _in_place(file, found, wanted, ref)
    return _scaled(raw, found.header, blank_is_missing=blank_is_missing)


class _Windows:
    """An open file as `lake.fits.structure` walks it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = file.seek(0, 2)

    def reach(self, end: int) -> int:
        return min(end, self._size)

    def read(self, start: int, size: int) -> memoryview:
        self._file.seek(start)
        return memoryview(self._file.read(max(0, min(size, self._size - start))))

    def opened(self) -> BinaryIO:
        return self._file

    def close(self) -> None:
        """It is not ours."""


@lru_cache(maxsize=_KNOWN)
def _stored(store: str, key: str, sha256: str, hdu: int) -> Stored:
    for one in _images(store, key):
        if one.hdu == hdu:
            return one
    raise BadInput(
        "the file has no image there",
        file=key.rpartition("/")[2],
        keyword="HDU",
        found=hdu,
        code=Reason.NO_IMAGE,
    )


@lru_cache(maxsize=_KNOWN)
def _extension(store: str, key: str, sha256: str, name: str) -> Stored | None:
    return next((one for one in _images(store, key) if one.header.get("EXTNAME") == name), None)


def _images(url: str, key: str) -> Iterator[Stored]:
    store = open_store(url)
    name = key.rpartition("/")[2]
    with store.open(key) as file:
        packed = file.read(len(GZIP)) == GZIP
        if not packed:
            spans = walk(_Windows(file), name).spans
            yield from (_of_span(one) for one in spans if image_shape(one.header))
    if packed:
        with store.local(Ref(url, key)) as path, without_warnings(), fits.open(path) as hdus:
            for number, one in enumerate(hdus):
                if one.is_image and one.shape:
                    yield Stored(number, tuple(one.shape), one.header.copy(), -1)


def _of_span(span: HduSpan) -> Stored:
    start = -1 if is_compressed(span.header) else span.data_start
    return Stored(span.index, image_shape(span.header), span.header, start)


def _unpacked(path: str, found: Stored, wanted: tuple[slice, ...]) -> NDArray[Any]:
    try:
        with without_warnings(), fits.open(path, memmap=True, do_not_scale_image_data=True) as hdus:
            return np.array(hdus[found.hdu].section[wanted])
    except (OSError, ValueError, TypeError, IndexError, KeyError) as error:
        raise BadInput(
            "the stored image cannot be decoded",
            file=path.rpartition("/")[2],
            found=f"{type(error).__name__}: {error}"[:200],
            advice="run `heliolake fsck --deep`",
            code=Reason.CORRUPTED_DATA,
        ) from error


def _in_place(file: BinaryIO, found: Stored, wanted: Sequence[slice], ref: Ref) -> NDArray[Any]:
    """Rows of what is wanted, read where they lie."""
    kind, shape = found.kind, found.shape
    *before, rows, columns = [slice(0, 1), *wanted][-max(2, len(shape)) :]
    ny, nx = (1, *shape)[-2:]
    places = [range(one.start, one.stop, one.step or 1) for one in before]
    made = np.empty(
        (*(len(one) for one in places), len(range(*rows.indices(ny))), len(range(*columns.indices(nx)))), kind
    )
    planes = made.reshape(-1, *made.shape[-2:])
    lengths = shape[:-2]
    for plane, at in zip(planes, itertools.product(*places), strict=True):
        number = 0
        for place, length in zip(at, lengths, strict=True):
            number = number * length + place
        _read_plane(file, found.start + number * ny * nx * kind.itemsize, nx, kind, rows, columns, plane, ref)
    return made.reshape([len(range(one.start, one.stop, one.step or 1)) for one in wanted])


def _read_plane(
    file: BinaryIO,
    start: int,
    nx: int,
    kind: np.dtype[Any],
    rows: slice,
    columns: slice,
    made: NDArray[Any],
    ref: Ref,
) -> None:
    width = nx * kind.itemsize
    first, last = columns.start, columns.stop
    step = rows.step or 1
    if step == 1 and width <= _ROW:  # several rows at once, whole ones
        several = max(1, WINDOW // width)
        for row in range(0, len(made), several):
            count = min(several, len(made) - row)
            block = _numbers(file, start + (rows.start + row) * width, count * nx, kind, ref)
            made[row : row + count] = block.reshape(count, nx)[:, columns]
        return
    for row in range(len(made)):
        offset = start + (rows.start + row * step) * width + first * kind.itemsize
        made[row] = _numbers(file, offset, last - first, kind, ref)[:: columns.step or 1]


def _numbers(file: BinaryIO, offset: int, count: int, kind: np.dtype[Any], ref: Ref) -> NDArray[Any]:
    file.seek(offset)
    data = file.read(count * kind.itemsize)
    if len(data) < count * kind.itemsize:
        raise BadInput(
            "the stored file is shorter than its header says",
            file=ref.name,
            advice="run `heliolake fsck --deep`",
            code=Reason.TRUNCATED,
        )
    return np.frombuffer(data, kind)


def _scaled(raw: NDArray[Any], header: fits.Header, *, blank_is_missing: bool) -> NDArray[Any]:
    scale, zero = (float(header.get(name, default)) for name, default in (("BSCALE", 1.0), ("BZERO", 0.0)))
    blank = header.get("BLANK", header.get("ZBLANK")) if raw.dtype.kind in "iu" else None
    plain = scale == 1.0 and zero == 0.0
    if plain or not math.isfinite(scale * zero):
        with np.errstate(over="ignore"):
            values = raw.astype(np.float32)
    else:
        values = (raw * scale + zero).astype(np.float32)
    if blank_is_missing and isinstance(blank, (int, float)):
        values[raw == blank] = np.nan
    return values
