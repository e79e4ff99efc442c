"""What becomes of each file on its way in: stored, here already, or refused.

Files are looked at and stored by many hands at once (`cluster.intake.hands`); what becomes of each is
decided here, one after another in their order, so that the same command gives the same lake on every machine.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final

from cluster.intake.arrivals import Looked, refused
from cluster.intake.hands import Hands, Here, Kept, Lost, OneByOne
from cluster.report import Item
from lake.entries import FileEntry
from lake.errors import BadInput, Reason
from lake.lake import Lake
from lake.releases.twins import AT_ONE_TIME, Twin, twins_of_many
from lake.storage.store import Store
from lake.text import printable
from pipeline.outcome import Status

#: Files of one batch, and bytes, unless a single file has more.
BATCH_FILES: Final = 64
BATCH_BYTES: Final = 32 << 20
#: Batches whose bytes wait for the disk while others are decided about.
STORING: Final = 4


@dataclass(frozen=True)
class Stored:
    """A file whose bytes lie under their final name, not registered yet."""

    source: str
    entry: FileEntry
    observation: str


class _Batch:
    """A batch of files: what was found, what was decided, and what came of that."""

    def __init__(self, paths: Sequence[Path], hands: Hands) -> None:
        self.paths = paths
        self.task = hands.look(paths)
        self._hands = hands
        self.results: dict[int, Stored | Item] = {}
        self._wanted: dict[int, Looked] = {}
        self._storing: list[tuple[dict[int, Looked], Callable[[], Kept]]] = []

    def looked(self, store: Store) -> list[Looked | Item]:
        """What was found; waits."""
        try:
            found = self.task.looked()
        except Lost:
            self.task = OneByOne(self._hands, self.paths)
            found = self.task.looked()
        if self._hands.elsewhere and any(map(_only_here, self.paths, found)):
            self.task.drop()
            self.task = Here(self.paths, store)
            found = self.task.looked()
        return found

    def want(self, place: int, looked: Looked) -> None:
        """Have one of the files stored, soon."""
        self._wanted[place] = looked

    def begin(self) -> None:
        """Have stored what is wanted so far, now."""
        if self._wanted:
            wanted, self._wanted = self._wanted, {}
            sums = {place: looked.entry.sha256 for place, looked in wanted.items()}
            self._storing.append((wanted, self.task.keep(sums)))

    def settle(self) -> None:
        """Wait for all that was wanted so far."""
        self.begin()
        for wanted, storing in self._storing:
            try:
                refusals = storing()
            except Lost:
                self.task = OneByOne(self._hands, self.paths)
                refusals = self.task.keep({place: one.entry.sha256 for place, one in wanted.items()})()
            for place, refusal in refusals.items():
                looked = wanted[place]
                stored = Stored(printable(looked.path), looked.entry, looked.observation)
                self.results[place] = stored if refusal is None else refusal
        self._storing = []


@dataclass(frozen=True)
class _Taken:
    """A file of this command that the catalogue does not know yet, and where it came from."""

    twin: Twin
    source: str
    batch: _Batch
    place: int

    def is_stored(self) -> bool:
        """Whether it really was taken; waits for its bytes to be stored."""
        if self.place not in self.batch.results:
            self.batch.settle()
        return isinstance(self.batch.results[self.place], Stored)


class Intake:
    """Decides, file by file and in their order, what is stored, is here already, or cannot be.

    Parameters
    ----------
    lake
        Where to.
    hands
        Who looks at the files and stores them.
    """

    def __init__(self, lake: Lake, hands: Hands) -> None:
        self._lake = lake
        self._hands = hands
        # Files the catalogue does not know yet, by all that another one may share with them.
        self._taken: dict[tuple[str, ...], dict[str, _Taken]] = {}

    def results(self, files: Sequence[Path]) -> Iterator[tuple[Path, Stored | Item]]:
        """What became of each file, in order, with no more than a few batches' bytes held anywhere."""
        looking: deque[_Batch] = deque()
        storing: deque[_Batch] = deque()
        waiting = batches_of(files, BATCH_FILES)
        while True:
            for paths in islice(waiting, self._hands.window - len(looking)):
                looking.append(_Batch(paths, self._hands))
            if not looking:
                break
            # Of two files with one name or the same bytes the first is to be taken, not the faster.
            batch = looking.popleft()
            self._decide(batch)
            storing.append(batch)
            while len(storing) > STORING:
                yield from self._ended(storing.popleft())
        for batch in storing:
            yield from self._ended(batch)

    def registered(self, entries: Sequence[FileEntry]) -> None:
        """The catalogue knows these files from now on."""
        for entry in entries:
            for key in _keys(Twin.of(entry)):
                alike = self._taken.get(key, {})
                alike.pop(entry.did, None)
                if not alike:
                    self._taken.pop(key, None)

    def _ended(self, batch: _Batch) -> Iterator[tuple[Path, Stored | Item]]:
        batch.settle()
        batch.task.drop()
        for place, path in enumerate(batch.paths):
            yield path, batch.results[place]

    def _decide(self, batch: _Batch) -> None:
        found = batch.looked(self._lake.store)
        new = [looked.entry for looked in found if isinstance(looked, Looked)]
        known = iter(twins_of_many(self._lake, new) if new else ())
        for place, looked in enumerate(found):
            if isinstance(looked, Item):
                batch.results[place] = looked
            else:
                self._decide_one(batch, place, looked, next(known))
        batch.begin()

    def _decide_one(self, batch: _Batch, place: int, looked: Looked, registered: Sequence[Twin]) -> None:
        new = Twin.of(looked.entry)
        here = [*((twin, twin.did) for twin in registered), *self._of_this_command(new, looked.grouping)]
        try:
            known = _known(new, looked.path, here)
        except BadInput as error:
            known = refused(error, looked.path, looked.entry.sha256)
        if known is not None:
            batch.results[place] = known
            return
        shared = [name for twin, name in here if twin.same_view(new, looked.grouping)]
        caveats = (*looked.entry.caveats, *_same_time(shared))
        looked = replace(looked, entry=replace(looked.entry, caveats=caveats))
        batch.want(place, looked)
        taken = _Taken(new, printable(looked.path), batch, place)
        for key in _keys(new):
            self._taken.setdefault(key, {})[new.did] = taken

    def _of_this_command(self, new: Twin, grouping: Sequence[str]) -> Iterator[tuple[Twin, str]]:
        seen: set[str] = set()
        for key in _keys(new):
            for did, taken in islice(self._taken.get(key, {}).items(), AT_ONE_TIME):
                twin = taken.twin
                # Only then it matters whether it was taken: for that its bytes have to be stored.
                matters = (
                    twin.did == new.did
                    or twin.same_bytes(new)
                    or twin.same_products(new)
                    or twin.same_view(new, grouping)
                )
                if did not in seen and matters and taken.is_stored():
                    seen.add(did)
                    yield twin, taken.source


def batches_of(files: Sequence[Path], most: int) -> Iterator[list[Path]]:
    """Files side by side, as many as may be held."""
    batch: list[Path] = []
    total = 0
    for path in files:
        size = _size(path)
        if batch and (len(batch) >= most or total + size > BATCH_BYTES):
            yield batch
            batch, total = [], 0
        batch.append(path)
        total += size
    if batch:
        yield batch


def _only_here(path: Path, found: Looked | Item) -> bool:
    """Whether a file is here that a worker does not have before it."""
    told = isinstance(found, Item) and found.code in (Reason.MISSING_FILE, Reason.UNREADABLE)
    return told and path.is_file() and os.access(path, os.R_OK)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # told by whoever looks at it
        return 0


def _keys(twin: Twin) -> list[tuple[str, ...]]:
    scope, _, name = twin.did.partition(":")
    return [
        (scope, "name", name),
        (scope, "products", twin.level, twin.stem),
        (scope, "content", twin.content_sha256),
        (scope, "time", twin.level, str(twin.date_beg)),
    ]


def _known(new: Twin, path: Path, here: Sequence[tuple[Twin, str]]) -> Item | None:
    """The item of a file that is here already, None for one that is new.

    Raises
    ------
    BadInput
        When its name, or those of its products, stand for something else.
    """
    same = [(twin, name) for twin, name in here if twin.same_bytes(new)]
    # The one of the same name first: that is what is meant by "here already".
    for twin, name in sorted(same, key=lambda pair: pair[0].did != new.did):
        reason = "already in the lake" if name == new.did else f"the same image is here already as {name}"
        return Item(printable(path), Status.SKIPPED.value, reason=reason, did=twin.did)
    for twin, name in here:
        if twin.did == new.did:
            raise BadInput(
                f"{name} is already in the lake with other bytes",
                file=str(path),
                keyword="sha256",
                found=f"{new.sha256[:16]}… here, {twin.sha256[:16]}… in the lake",
                advice="a name stands for the same bytes for ever: give the changed file a new name",
                code=Reason.NAME_CONFLICT,
            )
        if twin.same_products(new):  # they would be in each other's way
            raise BadInput(
                "a file whose name differs by the suffix only is in the lake at the same level",
                file=str(path),
                found=name,
                advice="they are not the same image: give this one a name of its own",
                code=Reason.NAME_CONFLICT,
            )
    return None


def _same_time(names: Sequence[str]) -> tuple[str, ...]:
    if not names:
        return ()
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return (f"{names[0]}{more} shows the same time alike, with other bytes: a second delivery of it?",)
