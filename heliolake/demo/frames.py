"""Frames of the lake before and after their recipe, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from heliolake.demo.stories import Shown
from lake.entries import FileEntry
from pipeline.stack import header_of

if TYPE_CHECKING:
    from heliolake.notebook import Connection
    from heliolake.results import Observation

_LARGEST = 2048
"""Pixels along a side; larger frames would make the page heavy."""


@dataclass(frozen=True)
class Pair:
    """A frame made here and the raw frame it was made from; nothing is read before `load`.

    Attributes
    ----------
    made, parent
        The releases.
    entry, source
        The files in them.
    """

    made: Observation
    parent: Observation
    entry: FileEntry
    source: FileEntry

    @property
    def name(self) -> str:
        """Name of the raw file."""
        return self.source.name

    @property
    def simulated(self) -> bool:
        """Whether the raw file says that it was simulated."""
        return bool(self.source.meta.get("simulated"))

    def load(self) -> Shown:
        """Both images with their headers."""
        before = self.parent.frames([self.source]).compute()
        after = self.made.frames([self.entry]).compute()
        return Shown(
            name=self.name,
            product=self.made.name,
            before=np.asarray(before["image"].values[0]),
            after=np.asarray(after["image"].values[0]),
            quality=np.asarray(after["quality"].values[0]),
            before_header=header_of(str(before["header"].values[0])),
            after_header=header_of(str(after["header"].values[0])),
        )


def pairs(connection: Connection, instrument: str, level: str) -> list[Pair]:
    """Every frame made here at a level whose image kept its shape; largest images first.

    Parameters
    ----------
    connection
        The open lake.
    instrument, level
        Which products.
    """
    found = [
        pair
        for made in connection.search(instrument=instrument, level=level)
        if made.recipe
        for pair in _pairs_of(connection, made)
    ]
    return sorted(found, key=lambda pair: (-pair.entry.shape[-1] * pair.entry.shape[-2], pair.name))


def _pairs_of(connection: Connection, made: Observation) -> Iterator[Pair]:
    parents = [connection.product(name) for name in connection.parents(made)]
    raw = {entry.stem: (parent, entry) for parent in parents for entry in parent.entries}
    for entry in made.entries:
        if entry.unit_id is None or entry.stem not in raw or max(entry.shape) > _LARGEST:
            continue
        parent, source = raw[entry.stem]
        if source.shape[-2:] == entry.shape[-2:]:
            yield Pair(made, parent, entry, source)
