"""Cuts across a cube, read together with their neighbours: whoever moves a slit moves it by a little.

A cut along a column meets each row of a file for one value; the values beside it are in what the system
reads anyway. They are kept for a while, as many as a brick of bounded size has room for. A brick is known by
the sha256 of its file: who asks for it was granted the file before.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lake.fits.section import Stored, section
from lake.storage.store import Ref

_BRICK: Final = 16 << 20
"""Bytes of a brick, as float32."""
_PAGE: Final = 1 << 12
"""Bytes of a row that a system reads for one of them."""
_KEPT: Final = 64 << 20


class Bricks:
    """Those that were used last."""

    def __init__(self, most: int = _KEPT) -> None:
        self._most = most
        self._kept: OrderedDict[tuple[object, ...], NDArray[Any]] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def section(
        self, ref: Ref, found: Stored, wanted: Sequence[slice], *, blank_is_missing: bool
    ) -> NDArray[Any]:
        """As `lake.fits.section.section`."""
        wide = _wider(found, wanted)
        if wide is None:
            return section(ref, found, wanted, blank_is_missing=blank_is_missing)
        places = tuple((one.start, one.stop, one.step) for one in wide)
        key = (ref.sha256, found.hdu, places, blank_is_missing)
        brick = self._get(key)
        if brick is None:
            brick = section(ref, found, wide, blank_is_missing=blank_is_missing)
            self._put(key, brick)
        columns, first = wanted[-1], wide[-1].start
        return np.ascontiguousarray(brick[..., columns.start - first : columns.stop - first : columns.step])

    def _get(self, key: tuple[object, ...]) -> NDArray[Any] | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def _put(self, key: tuple[object, ...], brick: NDArray[Any]) -> None:
        with self._lock:
            if key not in self._kept:
                self._size += brick.nbytes
            self._kept[key] = brick
            while self._size > self._most:
                self._size -= self._kept.popitem(last=False)[1].nbytes


def _wider(found: Stored, wanted: Sequence[slice]) -> list[slice] | None:
    """The same with as many columns more as cost nothing; None where there are many already, or few rows."""
    columns, length = wanted[-1], found.shape[-1]
    rows = math.prod(len(range(one.start, one.stop, one.step or 1)) for one in wanted[:-1])
    most = min(_BRICK // (4 * rows), _PAGE // found.kind.itemsize) if found.start >= 0 else 0
    if rows == 1 or most < 2:
        return None
    width = 1 << (most.bit_length() - 1)
    first = columns.start // width * width
    if columns.stop > first + width:
        return None
    return [*wanted[:-1], slice(first, min(length, first + width))]
