"""What all pages and Prometheus share: who looks at the lake, and the pictures."""

from __future__ import annotations

from functools import cache

from cluster.board.pictures import Gallery
from cluster.board.source import Source
from cluster.board.watch import Watch


class Board:
    """The one of a scheduler's process.

    Parameters
    ----------
    source
        Where the lake is.
    """

    def __init__(self, source: Source) -> None:
        self.watch = Watch(source)
        self.gallery = Gallery(source)


@cache
def board() -> Board | None:
    """The one of this process; None where it was not told of a lake."""
    source = Source.told()
    return None if source is None else Board(source)
