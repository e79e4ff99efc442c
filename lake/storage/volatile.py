"""What a run keeps for itself while it lasts, beside the storage: never registered, gone when it ends.

What each run keeps has keys of its own below `VOLATILE`. It is read with the checksum that its writer told
the ledger: what is lost, cut off or changed is found out, and made again.
"""

from __future__ import annotations

import pickle
import secrets
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from lake.checksums import Summer
from lake.errors import BadInput, Retriable
from lake.storage.store import VOLATILE, Ref, Store

_BROKEN: Final = "what run {run} had kept is lost or changed"
_OPEN: Final = "open"
"""Says that a run has not ended."""


class Kept(NamedTuple):
    """Something that was kept: its name among those of the run, and the sha256 of its bytes."""

    name: str
    sha256: str


class NotKept(Retriable):
    """Something that was kept is not there any more, or not as it was."""


def key(run_id: str, name: str) -> str:
    """Key of what a run keeps under a name."""
    return f"{VOLATILE}/{run_id}/{name}"


def begin(store: Store, run_id: str) -> None:
    """Let a run keep something. Only this does: what a worker still makes for a run that ended stays nowhere.

    Raises
    ------
    lake.errors.Retriable, lake.errors.Fatal
        When the storage fails.
    """
    store.put(key(run_id, _OPEN), b"")


def keep(store: Store, run_id: str, name: str, value: Any) -> Kept:
    """Keep a value; large arrays are not copied.

    Its name is made longer by a random part: of two that make the same, neither takes the other's away.

    Raises
    ------
    NotKept
        When the run has ended.
    lake.errors.Retriable, lake.errors.Fatal
        When the storage fails.
    """
    if store.stat(key(run_id, _OPEN)) is None:
        raise NotKept(_BROKEN.format(run=run_id))
    pieces = _Pieces()
    pickle.dump(value, pieces, protocol=5)
    made = Kept(f"{name}.{secrets.token_hex(4)}", pieces.sums.result().sha256)
    store.put_windows(key(run_id, made.name), pieces.held, pieces.sums.result())
    if store.stat(key(run_id, _OPEN)) is None:  # it ended meanwhile
        store.remove(key(run_id, made.name))
        raise NotKept(_BROKEN.format(run=run_id))
    return made


def kept(store: Store, run_id: str, what: Kept) -> Any:
    """A value that was kept.

    Raises
    ------
    NotKept
        When its bytes are not those that were written.
    """
    try:
        # Whoever can write here could have readers run code: only what the ledger knows is read.
        with (
            store.local(Ref(store.url, key(run_id, what.name), what.sha256)) as path,
            path.open("rb") as file,
        ):
            return pickle.load(file)  # noqa: S301 - its checksum is the one in the ledger
    except BadInput as error:
        raise NotKept(_BROKEN.format(run=run_id)) from error


def drop(store: Store, run_id: str, name: str) -> None:
    """Let go of one value."""
    store.remove(key(run_id, name))


def drop_all(store: Store, run_id: str) -> None:
    """Let go of all that a run kept, the sign first that it has not ended."""
    store.remove(key(run_id, _OPEN))
    for found in list(store.scan(key(run_id, "")[:-1])):
        store.remove(found.path)


def runs_with_something_kept(store: Store) -> Iterator[tuple[str, int]]:
    """Each run that has something here, and its bytes."""
    sizes: dict[str, int] = {}
    for found in store.scan(VOLATILE):
        run_id = found.path.split("/")[1]
        sizes[run_id] = sizes.get(run_id, 0) + found.size
    yield from sorted(sizes.items())


class _Pieces:
    """A file that keeps what is written to it in pieces, and their sums."""

    def __init__(self) -> None:
        self.held: list[memoryview] = []
        self.sums = Summer()

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B").toreadonly()
        self.sums.add(view)
        self.held.append(view)
        return len(view)
