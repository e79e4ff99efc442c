"""Parts of stored images and cubes, read without the rest: planes, windows, profiles, every n-th pixel.

Of a file that is neither packed nor compressed no more is read than what is asked for, and what lies between
where that is less than a request costs, a few megabytes at a time; of a compressed image the tiles that are
met; a gzipped file is unpacked once. What is held is what was asked for, and one such window.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, BinaryIO, Final

import numpy as np
from astropy.io import fits
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from lake.errors import BadInput, Reason
from lake.fits.pixels import TYPES
from lake.fits.plain import plain_copy, right_copy
from lake.fits.structure import HduSpan, walk
from lake.fits.tiles import image_shape, is_compressed
from lake.fits.windows import GZIP, WINDOW
from lake.quiet import without_warnings
from lake.storage.opening import open_store
from lake.storage.store import Ref, Store

_KNOWN: Final = 256
_MOST_STRETCHES: Final = 1 << 17


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
        Offset of the first value; -1 where values cannot be read where they lie, for they are compressed.
    packed
        Whether the file is gzipped: then all this holds of what it unpacks to.
    """

    hdu: int
    shape: tuple[int, ...]
    header: fits.Header
    start: int
    packed: bool = False

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
    return _stored(ref, hdu)


def extension(ref: Ref, name: str) -> Stored | None:
    """The first extension of a name, None where there is none; raises as `stored`."""
    return _extension(ref, name)


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
    if found.packed:
        with plain_copy(ref) as plain:
            raw = _read(plain, found, wanted)
    else:
        raw = _read(ref, found, wanted)
    return _scaled(raw, found.header, blank_is_missing=blank_is_missing)


def _read(ref: Ref, found: Stored, wanted: Sequence[slice]) -> NDArray[Any]:
    if found.start >= 0:
        return _in_place(open_store(ref.store), found, wanted, ref)
    with right_copy(ref) as path:
        return _decoded(str(path), found, tuple(wanted))


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
def _stored(ref: Ref, hdu: int) -> Stored:
    for one in _images(ref):
        if one.hdu == hdu:
            return one
    raise BadInput(
        "the file has no image there",
        file=ref.name,
        keyword="HDU",
        found=hdu,
        code=Reason.NO_IMAGE,
    )


@lru_cache(maxsize=_KNOWN)
def _extension(ref: Ref, name: str) -> Stored | None:
    return next((one for one in _images(ref) if one.header.get("EXTNAME") == name), None)


def _images(ref: Ref, *, packed: bool = False) -> Iterator[Stored]:
    with open_store(ref.store).open(ref.key) as file:
        if file.read(len(GZIP)) != GZIP or packed:
            spans = walk(_Windows(file), ref.name).spans
            yield from (_of_span(one, packed=packed) for one in spans if image_shape(one.header))
            return
    with plain_copy(ref) as plain:
        yield from _images(plain, packed=True)


def _of_span(span: HduSpan, *, packed: bool) -> Stored:
    start = -1 if is_compressed(span.header) else span.data_start
    return Stored(span.index, image_shape(span.header), span.header, start, packed)


def _decoded(path: str, found: Stored, wanted: tuple[slice, ...]) -> NDArray[Any]:
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


def _in_place(store: Store, found: Stored, wanted: Sequence[slice], ref: Ref) -> NDArray[Any]:
    """What is wanted, read where it lies: parts of rows, and what lies between them where that is little."""
    kind = found.kind
    shape = [len(range(one.start, one.stop, one.step or 1)) for one in wanted]
    made = np.empty((math.prod(shape[:-1]), shape[-1]), kind)
    columns, begins = wanted[-1], _begins(found, wanted[:-1])
    every = columns.step or 1
    most = max(1, WINDOW // (kind.itemsize * every))  # values of a row that are held at once
    for first in range(0, shape[-1], most):
        number = min(most, shape[-1] - first)
        start = (columns.start + first * every) * kind.itemsize
        size = ((number - 1) * every + 1) * kind.itemsize
        part = made[:, first : first + number]
        _fill(store, begins + start, size, every, kind, part, ref)
    return made.reshape(shape)


def _begins(found: Stored, wanted: Sequence[slice]) -> NDArray[np.int64]:
    """Where each row begins of which something is wanted, in order."""
    begins = np.array([found.start], np.int64)
    stride = found.kind.itemsize * math.prod(found.shape)
    for length, one in zip(found.shape, wanted, strict=False):
        stride //= length
        places = np.arange(one.start, one.stop, one.step or 1, dtype=np.int64)
        begins = (begins[:, None] + places * stride).ravel()
    return begins


def _fill(
    store: Store,
    starts: NDArray[np.int64],
    size: int,
    every: int,
    kind: np.dtype[Any],
    made: NDArray[Any],
    ref: Ref,
) -> None:
    """Rows of equal size, read in as few stretches as a window holds."""
    apart = np.flatnonzero(np.diff(starts) > size + store.gap) + 1
    if len(apart) > _MOST_STRETCHES:
        raise BadInput(
            f"these values lie in {len(apart)} places of the file; {_MOST_STRETCHES} are gone to at once",
            file=ref.name,
            advice="ask for a part, or for every n-th: ::4",
            code=Reason.TOO_LARGE,
        )
    groups = np.concatenate([[0], apart])
    within = starts - np.repeat(starts[groups], np.diff([*groups, len(starts)]))
    cuts = np.flatnonzero(np.diff(within // WINDOW) > 0) + 1
    firsts = np.union1d(groups, cuts)
    lasts = np.append(firsts[1:], len(starts))
    spans = [
        (int(starts[one]), int(starts[end - 1] - starts[one]) + size) for one, end in _pairs(firsts, lasts)
    ]
    for (first, last), span, data in zip(
        _pairs(firsts, lasts), spans, _whole(store, spans, ref), strict=True
    ):
        there = np.frombuffer(data, kind)
        steps = np.diff(starts[first:last])
        if len(steps) == 0 or (steps == steps[0]).all():  # seen as rows, without a copy
            step = int(steps[0]) if len(steps) else size
            rows = as_strided(
                there, (last - first, size // kind.itemsize), (step, kind.itemsize), writeable=False
            )
            made[first:last] = rows[:, ::every]
        else:
            places = (starts[first:last] - span[0]) // kind.itemsize
            made[first:last] = there[places[:, None] + np.arange(0, size // kind.itemsize, every)]


def _pairs(firsts: NDArray[np.int64], lasts: NDArray[np.int64]) -> list[tuple[int, int]]:
    return [(int(first), int(last)) for first, last in zip(firsts, lasts, strict=True)]


def _whole(store: Store, spans: Sequence[tuple[int, int]], ref: Ref) -> Iterator[bytes]:
    number = 0
    for data, (_, size) in zip(store.stretches(ref.key, spans), spans, strict=False):
        if len(data) < size:
            break
        number += 1
        yield data
    if number < len(spans):
        raise BadInput(
            "the stored file is shorter than its header says",
            file=ref.name,
            advice="run `heliolake fsck --deep`",
            code=Reason.TRUNCATED,
        )


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
