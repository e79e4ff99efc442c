"""Frames of the lake before and after their recipe, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from heliolake.demo.stories import Shown
from lake.search import resolve
from pipeline.stack import header_of

if TYPE_CHECKING:
    from heliolake.notebook import Connection, Observation

_LARGEST = 2048
"""Pixels along a side; larger frames would make the page heavy."""


def pairs(connection: Connection, instrument: str, level: str) -> list[Shown]:
    """Every frame made here at a level, with the raw frame it was made from; largest images first.

    Parameters
    ----------
    connection
        The open lake.
    instrument, level
        Which products.
    """
    found = [
        shown
        for made in connection.search(instrument=instrument, level=level)
        if made.recipe
        for shown in _pairs_of(connection, made)
    ]
    return sorted(found, key=lambda shown: (-shown.after.size, shown.name))


def _pairs_of(connection: Connection, made: Observation) -> Iterator[Shown]:
    release, _ = resolve(connection.lake, made.name)
    raw = {
        entry.stem: (parent, entry)
        for parent in map(connection.product, release.parents)
        for entry in parent.entries
    }
    for entry in made.entries:
        if entry.unit_id is None or entry.stem not in raw or max(entry.shape) > _LARGEST:
            continue
        parent, source = raw[entry.stem]
        before = parent.frames([source])
        after = made.frames([entry])
        if before["image"].shape != after["image"].shape:
            continue
        yield Shown(
            name=source.name,
            product=made.name,
            before=np.asarray(before["image"].values[0]),
            after=np.asarray(after["image"].values[0]),
            quality=np.asarray(after["quality"].values[0]),
            before_header=header_of(str(before["header"].values[0])),
            after_header=header_of(str(after["header"].values[0])),
        )
