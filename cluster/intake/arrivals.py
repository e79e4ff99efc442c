"""One file after another on its way in: looked at, compared with what is here, stored.

Several are looked at at once, for checksums, disk and catalogue overlap; what
becomes of each is decided in their order, so that the same command gives the
same lake on every machine.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NamedTuple

from astropy.io import fits

from cluster.report import BAD_INPUT, Item, bad_item
from lake.entries import FileEntry
from lake.errors import BadInput, Reason
from lake.fits.check import CheckedFits, Limits, read_checked
from lake.fits.windows import Held
from lake.lake import Lake
from lake.names import lake_name, stem_of
from lake.releases.twins import Twin, twins
from lake.storage.posix import put_bytes, put_windows
from lake.text import printable
from pipeline.errors import BadInput as PipelineBadInput
from pipeline.frame import with_primary
from pipeline.instrument import Description, Instrument
from pipeline.outcome import Status
from pipeline.registry import recognise

#: Files read, hashed and copied at once: hashing and disk overlap, decompression does not.
AT_ONCE: Final = 4
#: Files whose bytes wait for the disk while others are looked at.
STORED_AT_ONCE: Final = 2


@dataclass(frozen=True)
class Stored:
    """A file whose bytes lie under their final name, not registered yet."""

    source: str
    entry: FileEntry
    observation: str


@dataclass(frozen=True)
class _Looked:
    """A file that was checked and recognised, its bytes, and what the lake has that is like it."""

    path: Path
    checked: CheckedFits
    entry: FileEntry
    observation: str
    instrument: Instrument
    twins: list[Twin]


class _Taken(NamedTuple):
    """A file of this command that is being stored, and where it came from."""

    twin: Twin
    source: str
    result: Future[Stored | Item]


def _look_at(lake: Lake, path: Path) -> _Looked | Item:
    """Check one file, and find what the lake has that is like it."""
    checked: CheckedFits | None = None
    try:
        name = lake_name(path.name)
        checked = read_checked(path, _limits, lake.root)
        instrument, description, caveats = _describe(checked, path)
        sums = checked.checksums
        entry = FileEntry(
            scope=description.instrument,
            name=name,
            level=description.level,
            stem=stem_of(name),
            size=sums.size,
            adler32=sums.adler32,
            md5=sums.md5,
            sha256=sums.sha256,
            date_beg=description.date_beg,
            date_end=description.date_end,
            shape=tuple(checked.shape),
            image_hdu=checked.image_hdu,
            meta=description.meta,
            caveats=(*checked.caveats, *caveats),
            original=path.name if path.name != name else "",
            content_sha256=checked.content_sha256,
        )
        return _Looked(path, checked, entry, description.observation, instrument, twins(lake, entry))
    except (*BAD_INPUT, MemoryError) as error:
        if checked is not None:
            checked.close()
        return _refused(error, path, checked)


def _refused(
    error: BadInput | PipelineBadInput | MemoryError, path: Path, checked: CheckedFits | None
) -> Item:
    if isinstance(error, MemoryError):
        error = BadInput(
            "this machine has too little memory left to look at the file",
            found=str(error),
            advice="take it in again where more memory is free",
            code=Reason.TOO_LARGE,
        )
    sha256 = checked.checksums.sha256 if checked else ""
    return bad_item(error, printable(path), code=Reason.BAD_KEYWORD, sha256=sha256)


def _describe(checked: CheckedFits, path: Path) -> tuple[Instrument, Description, tuple[str, ...]]:
    """The instrument of a file, what its header says, and what of that cannot be."""
    header = checked.header
    if checked.image_hdu != 0:
        header = with_primary(header, checked.primary_header)
    if header.get("TRIAL") is True:
        raise BadInput(
            "the file was made in a trial and belongs in no release",
            file=str(path),
            keyword="TRIAL",
            found="T",
            advice="make it with `heliolake process` without --trial",
            code=Reason.BAD_KEYWORD,
        )
    try:
        entry = recognise(header, str(path))
    except PipelineBadInput as error:
        raise BadInput(error.reason, **error.details(), code=Reason.UNRECOGNISED) from error
    description = entry.describe(header, str(path))
    return entry, description, (*description.caveats, *entry.check(header, description, str(path)))


def _limits(header: fits.Header, primary: fits.Header) -> Limits:
    """How large an image and its file may be, by the description of their instrument."""
    try:
        whole = header if header is primary else with_primary(header, primary)
        largest = recognise(whole).largest
    except (PipelineBadInput, fits.VerifyError, ValueError):  # said when all of the file was looked at
        return Limits()
    return Limits(largest.pixels, largest.bytes)


class Intake:
    """Decides, file by file and in their order, what is stored, is here already, or cannot be.

    Parameters
    ----------
    lake
        Where to.
    """

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="ingest")
        # Files that are being stored, by all that another one may share with them. The catalogue knows those
        # of the last generation but one, and what was looked at before it did has been taken since.
        self._taken: deque[dict[tuple[str, ...], _Taken]] = deque([{}], maxlen=3)
        self._since = 0

    def results(self, files: Sequence[Path]) -> Iterator[tuple[Path, Stored | Item]]:
        """What became of each file, in order, with no more than a few files' bytes in memory."""
        looking: deque[Future[_Looked | Item]] = deque()
        storing: deque[tuple[Path, Future[Stored | Item]]] = deque()
        waiting = deque(files)
        with self._pool as pool:
            for path in files:
                while waiting and len(looking) < AT_ONCE:
                    looking.append(pool.submit(_look_at, self._lake, waiting.popleft()))
                # Of two files with one name or the same bytes the first is to be taken, not the faster.
                storing.append((path, self._take(looking.popleft().result())))
                while len(storing) > STORED_AT_ONCE:
                    done, result = storing.popleft()
                    yield done, result.result()
            for done, result in storing:
                yield done, result.result()

    def registered(self) -> None:
        """The catalogue knows everything that `results` gave so far."""
        if self._since > AT_ONCE + STORED_AT_ONCE:
            self._taken.append({})
            self._since = 0

    def _take(self, looked: _Looked | Item) -> Future[Stored | Item]:
        """What becomes of one file, once its bytes are stored."""
        self._since += 1
        if isinstance(looked, Item):
            return _settled(looked)
        new = Twin.of(looked.entry)
        here = [*((twin, twin.did) for twin in looked.twins), *self._of_this_command(new)]
        try:
            known = _known(new, looked.path, here)
        except BadInput as error:
            known = _refused(error, looked.path, looked.checked)
        if known is not None:
            looked.checked.close()
            return _settled(known)
        shared = [name for twin, name in here if twin.same_view(new, looked.instrument.grouping)]
        future = self._pool.submit(_store, self._lake, looked, _same_time(shared))
        for key in _keys(new):
            self._taken[-1].setdefault(key, _Taken(new, printable(looked.path), future))
        return future

    def _of_this_command(self, new: Twin) -> Iterator[tuple[Twin, str]]:
        for key in _keys(new):
            for among in self._taken:
                if key in among and isinstance(among[key].result.result(), Stored):
                    yield among[key].twin, among[key].source


def _keys(twin: Twin) -> list[tuple[str, ...]]:
    scope, _, name = twin.did.partition(":")
    return [
        (scope, "name", name),
        (scope, "products", twin.level, twin.stem),
        (scope, "content", twin.content_sha256),
        (scope, "time", twin.level, str(twin.date_beg)),
    ]


def _settled(item: Item) -> Future[Stored | Item]:
    future: Future[Stored | Item] = Future()
    future.set_result(item)
    return future


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


def _store(lake: Lake, looked: _Looked, caveats: tuple[str, ...]) -> Stored | Item:
    """Put the bytes of a new file under their final name."""
    entry = replace(looked.entry, caveats=(*looked.entry.caveats, *caveats))
    checked = looked.checked
    try:
        if isinstance(checked.raw, Held):
            put_bytes(lake.root, entry.scope, entry.name, checked.raw.data, checked.checksums)
        else:
            put_windows(lake.root, entry.scope, entry.name, checked.windows(), checked.checksums)
    except (*BAD_INPUT, MemoryError) as error:
        return _refused(error, looked.path, checked)
    finally:
        checked.close()
    return Stored(printable(looked.path), entry, looked.observation)
