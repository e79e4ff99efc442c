"""What a store is to hold: which frames, in which order, laid out how."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

from pipeline.cube.finish import layout_of
from pipeline.cube.layout import Layout
from pipeline.cube.writer import PIXELS

#: Frames from the first to the last (exclusive) as a lazy stack, with the texts `release` and `sha256`.
Frames = Callable[[int, int], xr.Dataset]


@dataclass(frozen=True)
class Order:
    """A store that is wanted.

    Attributes
    ----------
    frames
        Gives some of the frames.
    sha256
        Of the file of every frame, in time order.
    times
        Of every frame, datetime64.
    layout
        How they are to lie.
    pixels
        Variables with pixels: ``image``, ``quality``, perhaps ``uncertainty``.
    attributes
        Of the store as a whole.
    """

    frames: Frames
    sha256: Sequence[str]
    times: NDArray[np.datetime64]
    layout: Layout
    pixels: tuple[str, ...] = ("image", "quality")
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Hash of all that decides what the store holds, where it lies left aside."""
        told = json.dumps([1, self.layout.model_dump(mode="json"), sorted(self.pixels), list(self.sha256)])
        return hashlib.sha256(told.encode()).hexdigest()


@dataclass(frozen=True)
class Held:
    """What a store that is there holds."""

    layout: Layout
    pixels: tuple[str, ...]
    sha256: tuple[str, ...]

    def answers(self, order: Order) -> bool:
        """Whether it is laid out as wanted, and its frames are the first of those wanted."""
        same = self.layout == order.layout and sorted(self.pixels) == sorted(order.pixels)
        return same and self.sha256 == tuple(order.sha256[: len(self.sha256)])

    def differs_in(self, order: Order) -> str:
        """Why it does not answer an order, in words."""
        if self.layout.use is not order.layout.use:
            return f"it is laid out for {self.layout.use}, wanted is {order.layout.use}"
        if self.layout.tile.keys() != order.layout.tile.keys() or self.layout != order.layout:
            return "its frames have another shape"
        if sorted(self.pixels) != sorted(order.pixels):
            return f"it holds {', '.join(sorted(self.pixels))}; wanted are {', '.join(sorted(order.pixels))}"
        gone = set(self.sha256) - set(order.sha256)
        if gone:
            return f"{len(gone)} of its {len(self.sha256)} frames are not among those wanted"
        return "some of the frames wanted lie in time before its last one, so they cannot be added at its end"


def held_by(store: Path) -> Held | None:
    """What a store holds; `None` where it was not made here."""
    layout = layout_of(store)
    if layout is None:
        return None
    root = zarr.open_group(store, mode="r")
    try:
        sums = np.asarray(root["sha256"][:])  # type: ignore[index]
    except (KeyError, TypeError):
        return None
    return Held(layout, tuple(name for name in PIXELS if name in root), tuple(map(str, sums)))
