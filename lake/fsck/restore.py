"""Putting lost bytes back: from any copy whose checksums are the registered ones, whatever it is called.

Only what is missing or damaged is touched; what lay there is kept in the lost and found. Bytes come
first and Rucio's account of them second, so running it again cures a crash anywhere.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, func, select, tuple_

from lake.catalogue.models import File, Observation
from lake.catalogue.session import transaction
from lake.checksums import Checksums, Summer
from lake.errors import BadInput, Reason
from lake.lake import Lake
from lake.names import lake_name, split_did
from lake.rucio.client import Replica, batches
from lake.storage.files import storage_error
from lake.storage.store import key_of
from lake.storage.verify import is_whole

_WINDOW = 1 << 22
_PACKED = ".gz"
_GZIP = b"\x1f\x8b"


class Ending(StrEnum):
    """What became of a file given to `restore_from`."""

    RESTORED = "restored"
    WHOLE = "whole"
    UNKNOWN = "unknown"
    FAILED = "failed"


class Registered(NamedTuple):
    """A file of the catalogue: its name and what its bytes have to be."""

    scope: str
    name: str
    checksums: Checksums

    @property
    def did(self) -> str:
        """`scope:name`."""
        return f"{self.scope}:{self.name}"

    @property
    def key(self) -> str:
        """Its key in the storage."""
        return key_of(self.scope, self.name)


@dataclass(frozen=True)
class Restored:
    """What became of one given file for one registration (or none: `file` is None then).

    Parameters
    ----------
    source
        The file that was given.
    ending
        What became of it.
    file
        What it was found to be a copy of.
    reason, advice
        Sentences for a person.
    kept
        Where the damaged bytes lie now.
    """

    source: Path
    ending: Ending
    file: Registered | None = None
    reason: str = ""
    advice: str = ""
    kept: str = ""


Blocks = Callable[[], Iterable[bytes]]


class Restorer:
    """Uses files, one after another or several at once, for every registration they are copies of.

    The lake's own copies of a file's name are looked at first: where they are whole the given file is not
    even read. Otherwise it is known by its checksums, a gzipped one also by those of what is packed in it.

    Parameters
    ----------
    lake
        The lake.
    dry_run
        Find out what would be done, and do nothing.
    """

    def __init__(self, lake: Lake, *, dry_run: bool = False) -> None:
        self._lake = lake
        self._dry_run = dry_run

    def use(self, source: Path) -> list[Restored]:
        """Use one file, called anything.

        Returns
        -------
        list of Restored
            One entry for each registration; one without where there is none.

        Raises
        ------
        Retriable
            When the catalogue or the storage does not answer.
        """
        try:
            namesakes = self._of_name(source)
            if namesakes and all(_is_there(self._lake, one) for one in namesakes):
                return [_whole(source, one) for one in namesakes]
            found, blocks = self._of_bytes(source)
        except BadInput as error:
            return [Restored(source, Ending.FAILED, reason=error.reason, advice=error.advice)]
        if not found:
            return [_unknown(source, namesakes)]
        return [_restore(self._lake, source, one, blocks, dry_run=self._dry_run) for one in found]

    @cached_property
    def _scopes(self) -> list[str]:
        """All there are: with them a name is found by the catalogue's index."""
        with transaction(self._lake.sessions) as session:
            return list(session.scalars(select(Observation.scope).distinct()))

    @cached_property
    def _largest(self) -> int:
        """Size of the largest file registered: what unpacks to more is none of them."""
        with transaction(self._lake.sessions) as session:
            return int(session.scalar(select(func.max(File.size))) or 0)

    def _of_name(self, source: Path) -> list[Registered]:
        """Registrations of the file's name and size, or of its name without `.gz`."""
        try:
            size = source.stat().st_size
        except FileNotFoundError as error:
            raise BadInput(
                "there is no such file", file=str(source), advice="check the path", code=Reason.MISSING_FILE
            ) from error
        except OSError as error:
            raise storage_error(error, source) from error
        names = sorted({lake_name(source.name), lake_name(source.name.removesuffix(_PACKED))})
        condition = and_(File.scope == func.any(self._scopes), File.name == func.any(names))
        packed = source.name.endswith(_PACKED)
        return [
            one
            for one in registered(self._lake, condition)
            if one.checksums.size == size or (packed and not one.name.endswith(_PACKED))
        ]

    def _of_bytes(self, source: Path) -> tuple[list[Registered], Blocks]:
        """Registrations of the file's bytes, else of those packed in it; and how to read these bytes."""
        plain = partial(_read, source)
        found = registered(self._lake, File.sha256 == _sums(plain()).sha256)
        if found or not _is_gzip(source):
            return found, plain
        unpacked = partial(_unpack, source, self._largest)
        try:
            return registered(self._lake, File.sha256 == _sums(unpacked()).sha256), unpacked
        except zlib.error:
            return [], plain


def restore_from(lake: Lake, source: Path, *, dry_run: bool = False) -> list[Restored]:
    """Use a single file, as `Restorer.use` does."""
    return Restorer(lake, dry_run=dry_run).use(source)


def lost_among(lake: Lake, dids: Sequence[str]) -> set[str]:
    """Those of some registered files that are missing from the storage or have another size there."""
    names = [split_did(did) for did in dids]
    lost = set()
    for batch in batches(names):
        for file in registered(lake, tuple_(File.scope, File.name).in_(batch)):
            there = lake.store.stat(file.key)
            if there is None or there.size != file.checksums.size:
                lost.add(file.did)
    return lost


def mend_replicas(lake: Lake, files: Sequence[Registered], *, dry_run: bool = False) -> list[str]:
    """Have Rucio know that the stored bytes of files are good; the caller has made sure that they are.

    A replica that is missing, or that Rucio calls BAD or UNAVAILABLE, becomes AVAILABLE; with it the locks of
    its rules, so that rules that were stuck for it are OK again.

    Returns
    -------
    list of str
        The DIDs whose replicas were mended (or would be).
    """
    mended = []
    for batch in batches(files):
        states = {
            (replica.scope, replica.name): state
            for replica, state in lake.rucio.replicas((one.scope, one.name) for one in batch)
        }
        wrong = [one for one in batch if states.get((one.scope, one.name)) != "AVAILABLE"]
        # A file that Rucio has never heard of is a contradiction that `fsck` deals with.
        wrong = [one for one in wrong if (one.scope, one.name) in states]
        mended += [one.did for one in wrong]
        if wrong and not dry_run:
            lake.rucio.mend_replicas([_replica(one) for one in wrong])
    return mended


def registered(lake: Lake, condition: ColumnElement[bool]) -> list[Registered]:
    """Files of the catalogue that a condition holds for, by name."""
    query = (
        select(File.scope, File.name, File.size, File.adler32, File.sha256)
        .where(condition)
        .order_by(File.scope, File.name)
    )
    with transaction(lake.sessions) as session:
        return [
            Registered(row.scope, row.name, Checksums(row.size, row.adler32, row.sha256))
            for row in session.execute(query)
        ]


def _replica(file: Registered) -> Replica:
    return Replica(file.scope, file.name, file.checksums.size, file.checksums.adler32)


def _is_gzip(source: Path) -> bool:
    with source.open("rb") as reader:
        return reader.read(2) == _GZIP


def _sums(blocks: Iterable[bytes]) -> Checksums:
    summer = Summer()
    for block in blocks:
        summer.add(block)
    return summer.result()


def _read(source: Path) -> Iterator[bytes]:
    try:
        with source.open("rb") as reader:
            while block := reader.read(_WINDOW):
                yield block
    except OSError as error:
        raise BadInput(
            "the file cannot be read",
            file=str(source),
            found=error.strerror or str(error),
            advice="check its permissions and the disk it lies on",
            code=Reason.UNREADABLE,
        ) from error


def _unpack(source: Path, most: int) -> Iterator[bytes]:
    """What is packed in a gzip file, member after member, through a window; ends beyond `most` bytes."""
    given = 0
    unpacker = zlib.decompressobj(wbits=31)
    for block in _read(source):
        rest = block
        while rest:
            if unpacker.eof:
                unpacker = zlib.decompressobj(wbits=31)
                rest = rest.lstrip(b"\0")  # padding between members and at the end
                continue
            piece = unpacker.decompress(rest, _WINDOW)
            rest = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
            given += len(piece)
            yield piece
            if given > most:
                return


def _is_there(lake: Lake, file: Registered) -> bool:
    return is_whole(lake.store, file.key, file.checksums)


def _restore(lake: Lake, source: Path, file: Registered, blocks: Blocks, *, dry_run: bool) -> Restored:
    if dry_run:
        if is_whole(lake.store, file.key, file.checksums):
            return _whole(source, file)
        state = "missing" if lake.store.stat(file.key) is None else "damaged"
        return Restored(source, Ending.RESTORED, file, reason=f"its bytes are {state}")
    try:
        done = lake.store.put_back(file.key, file.checksums, blocks)
    except BadInput as error:
        return Restored(source, Ending.FAILED, file, reason=error.reason, advice=error.advice)
    if done.found == "whole":
        return _whole(source, file)
    kept = lake.store.place(done.kept) if done.kept else ""
    return Restored(source, Ending.RESTORED, file, reason=f"its bytes were {done.found}", kept=kept)


def _whole(source: Path, file: Registered) -> Restored:
    return Restored(source, Ending.WHOLE, file, reason="the lake's copy is whole")


def _unknown(source: Path, namesakes: Sequence[Registered]) -> Restored:
    if namesakes:
        (first, *_) = namesakes
        return Restored(
            source,
            Ending.UNKNOWN,
            reason=f"holds other bytes than were registered as {first.did}, which is missing or damaged",
            advice="give another copy of it; nothing was changed",
        )
    return Restored(
        source,
        Ending.UNKNOWN,
        reason="no file of these bytes is registered",
        advice="nothing was changed; `heliolake ingest` takes in what is new",
    )
