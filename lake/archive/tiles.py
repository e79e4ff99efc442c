"""Squares of an image at any of its resolutions, drawn of what alone is read for them."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lake.archive.gate import READING
from lake.archive.png import png
from lake.archive.scenes import Scene
from lake.errors import BadInput, Reason
from lake.fits.check import QUALITY_EXTNAME
from lake.fits.section import Stored, extension, section, stored
from lake.storage.store import Ref

SIZE: Final = 256
#: Values looked at along either side of a tile: of an image shown much smaller every n-th is enough.
_LOOKED_AT: Final = 1024
#: Bytes of tiles that are kept.
_KEPT: Final = 48 << 20


class TileCache:
    """The tiles that were asked for last."""

    def __init__(self, most: int = _KEPT) -> None:
        self._most = most
        self._kept: OrderedDict[tuple[object, ...], bytes] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, key: tuple[object, ...]) -> bytes | None:
        """A tile, if it is kept."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: tuple[object, ...], tile: bytes) -> None:
        """Keep a tile, and let go of others where they are too many."""
        with self._lock:
            self._size += len(tile) - len(self._kept.pop(key, b""))
            self._kept[key] = tile
            while self._size > self._most:
                self._size -= len(self._kept.popitem(last=False)[1])


def levels(shape: tuple[int, ...]) -> int:
    """How many resolutions there are: at the first it is one tile, at the last it is as it was made."""
    return 1 + max(0, math.ceil(math.log2(max(*shape[-2:], 1) / SIZE)))


def tile(ref: Ref, scene: Scene, layer: str, zoom: int, column: int, row: int) -> bytes:
    """A PNG of one square; rows are counted from the top, where the image has its last one.

    Parameters
    ----------
    ref, scene
        The file, and how it is drawn.
    layer
        ``image`` or ``quality``.
    zoom, column, row
        Which resolution, and which square of it.

    Raises
    ------
    BadInput
        When there is no such square.
    """
    found = _layer(ref, scene, layer)
    ny, nx = found.shape[-2:] if found is not None and len(found.shape) > 1 else (0, 0)
    last = levels((ny, nx)) - 1
    span = SIZE << max(0, last - zoom)
    if found is None or zoom > last or column * span >= nx or row * span >= ny:
        raise BadInput(
            "there is no such tile",
            found=f"{zoom}/{column}/{row}",
            advice="look at the scene",
            code=Reason.NOT_FOUND,
        )
    factor = span // SIZE
    step = max(1, span // _LOOKED_AT)
    lead = _places(scene.plane, len(found.shape) - 2)
    top, left = ny - row * span, column * span
    bottom = max(0, top - span)
    rows = slice(bottom + (top - 1 - bottom) % step, top, step)  # so that the upper row is among them
    wanted = [*(slice(one, one + 1) for one in lead), rows, slice(left, min(nx, left + span), step)]
    with READING.passed():
        blank = layer == "image" and scene.blank_is_missing
        values = section(ref, found, wanted, blank_is_missing=blank)
    plane = values.reshape(values.shape[-2:])[::-1]
    if layer == "quality":
        return png(_flags(plane.astype(np.uint16), factor // step, scene), _flag_colours(scene), clear=True)
    small = _means(plane, factor // step)
    numbers = np.searchsorted(np.array(scene.edges), small, side="right") + 1
    numbers[~np.isfinite(small)] = 0
    return png(numbers.astype(np.uint8), scene.palette)


def _layer(ref: Ref, scene: Scene, layer: str) -> Stored | None:
    if layer == "quality":
        return extension(ref, QUALITY_EXTNAME) if scene.flags else None
    return stored(ref, scene.hdu) if scene.draws else None


def _places(plane: list[int], before: int) -> list[int]:
    """The plane that is shown: axes of one place may stand before those it knows, flags may have fewer."""
    return [0] * (before - len(plane)) + plane[max(0, len(plane) - before) :]


def _squares(plane: NDArray[Any], factor: int, nothing: float) -> NDArray[Any]:
    ny, nx = (-(-length // factor) * factor for length in plane.shape)
    padded = np.full((ny, nx), nothing, plane.dtype)
    padded[: plane.shape[0], : plane.shape[1]] = plane
    return padded.reshape(ny // factor, factor, nx // factor, factor)


def _means(plane: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    if factor == 1:
        return plane
    squares = _squares(plane, factor, np.nan)
    known = np.isfinite(squares)
    number = known.sum(axis=(1, 3))
    with np.errstate(over="ignore"):
        total = np.where(known, squares, 0.0).sum(axis=(1, 3))
    return np.where(number > 0, total / np.maximum(number, 1), np.nan).astype(np.float32)


def _flags(flags: NDArray[np.uint16], factor: int, scene: Scene) -> NDArray[np.uint8]:
    if factor > 1:
        flags = np.bitwise_or.reduce(np.bitwise_or.reduce(_squares(flags, factor, 0), axis=3), axis=1)
    numbers = np.zeros(flags.shape, np.uint8)
    for flag in reversed(scene.flags):
        numbers[flags & np.uint16(flag.bit) != 0] = flag.number
    return numbers


def _flag_colours(scene: Scene) -> NDArray[np.uint8]:
    colours = np.zeros((65, 3), np.uint8)
    for flag in scene.flags:
        colours[flag.number] = tuple(bytes.fromhex(flag.colour[1:]))
    return colours
