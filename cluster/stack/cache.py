"""Stores kept because they may be wanted again; all of them can be thrown away at any time."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cluster.stack.build import Built, Progress, build, throw_away
from cluster.stack.order import Order, held_by

if TYPE_CHECKING:
    from distributed import Client

#: Bytes beyond which those not used for longest go.
MOST: Final = 50 * 2**30


@dataclass(frozen=True)
class Cached:
    """A store that is kept: where, how large, how many frames, for which use, and when it was last used."""

    path: Path
    size: int
    frames: int
    use: str
    used: datetime


class StackCache:
    """Stores by what they hold.

    Their names are the hash of the files they were made of and of their layout: a new release makes a new
    one, and one that is there is whole, for it is moved to its name only then.

    Parameters
    ----------
    folder
        Where they lie; made when the first is.
    most
        Bytes they may take together.
    """

    def __init__(self, folder: Path, most: int = MOST) -> None:
        self.folder = folder
        self.most = most

    def get(self, order: Order, client: Client | None = None, on_progress: Progress | None = None) -> Built:
        """The store of an order, made where it is not there."""
        path = self.folder / f"{order.digest[:32]}.zarr"
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = build(order, path, client, anew=True, on_progress=on_progress)
        os.utime(path)
        self._prune(path)
        return made

    def listing(self) -> list[Cached]:
        """What is kept, last used first."""
        return sorted(self._found(), key=lambda one: one.used, reverse=True)

    def clear(self) -> int:
        """Throw everything away that nobody is writing just now; the bytes that are free again."""
        freed = sum(one.size for one in self._found())
        for path in self.folder.glob("*.zarr"):
            shutil.rmtree(path, ignore_errors=True)
        for part in self.folder.glob(".*.part"):
            throw_away(part)
        return freed

    def _found(self) -> Iterator[Cached]:
        for path in self.folder.glob("*.zarr"):
            held = held_by(path)
            if held is not None:
                size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
                used = datetime.fromtimestamp(path.stat().st_mtime, UTC)
                yield Cached(path, size, len(held.sha256), str(held.layout.use), used)

    def _prune(self, keep: Path) -> None:
        total = 0
        for one in self.listing():
            total += one.size
            if total > self.most and one.path != keep:
                shutil.rmtree(one.path, ignore_errors=True)
                total -= one.size
