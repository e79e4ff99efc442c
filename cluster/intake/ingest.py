"""Ingest: recognise, check and register FITS files as releases of what was observed.

A file's bytes are read once. What is wrong with a file puts that file aside,
with its reason; the others go on. Bytes are in the storage before anything is
registered, so running the command again after a crash finishes what it began.
"""

from __future__ import annotations

import contextlib
import glob
import logging
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cluster.intake.decisions import Intake, Stored
from cluster.intake.embargoes import Embargoes, described
from cluster.intake.hands import hands
from cluster.intake.stored import at_hand
from cluster.report import Item, Report, bad_item
from cluster.scheduler import Scheduler
from lake.errors import BadInput, Reason
from lake.fits.structure import BLOCK
from lake.fsck import restore
from lake.lake import Lake
from lake.names import ProductKey
from lake.releases import quarantine
from lake.releases.drafts import Provenance
from lake.releases.releases import extend
from lake.releases.values import united
from lake.text import printable
from pipeline.outcome import Status

log = logging.getLogger(__name__)

#: What was stored is registered at least this often, so that a long ingest loses little when it is stopped.
REGISTER_SECONDS: Final = 600.0
#: Files that may wait to be registered: what is known of them is held in memory.
WAITING: Final = 20_000
#: An observation is taken to be whole when so many files of others came after its last one.
QUIET: Final = 2_000
#: More files, or bytes, than these are worth more than one process.
MANY_FILES: Final = 200
MANY_BYTES: Final = 400 << 20
#: Names that a folder's FITS files go by; of the others those are taken that begin as FITS files do (EIT's
#: archive names its ``efz20040301.000010``), the rest is listed as ignored.
_FITS_NAME: Final = re.compile(r".*\.(fits|fit|fts)_?(\.(gz|fz|z|bz2|xz|zip))?", re.IGNORECASE | re.DOTALL)
_FITS_START: Final = re.compile(rb"SIMPLE  = {20,21}[TF][ /]")
_LEFTOVER: Final = re.compile(r"\..*|.*\.(part|tmp)", re.IGNORECASE)


Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Selection:
    """What the given paths stand for."""

    files: tuple[Path, ...]
    ignored: tuple[Path, ...]
    absent: tuple[str, ...]
    closed: tuple[str, ...] = ()


def select(paths: Sequence[str | Path]) -> Selection:
    """The files that paths, folders and patterns stand for, each once, in order of name.

    Within folders only files are taken whose names or first bytes are those of
    FITS files, and links to other folders are not followed; a file named by
    itself is always taken.
    """
    files: dict[Path, None] = {}
    ignored: dict[Path, None] = {}
    absent: list[str] = []
    closed: list[str] = []
    for text in map(str, paths):
        # A link to nowhere is something that lies there, and is told as such.
        found = [text] if os.path.lexists(text) else sorted(glob.glob(text, recursive=True))
        if not found:
            absent.append(text)
        for path in map(Path, found):
            if not path.is_dir():
                files[path.absolute()] = None
                continue
            for inner in _inside(path, closed):
                (files if _is_wanted(inner) else ignored)[inner.absolute()] = None
    left = tuple(path for path in ignored if path not in files)
    return Selection(tuple(files), left, tuple(absent), tuple(dict.fromkeys(closed)))


def _is_wanted(path: Path) -> bool:
    if _LEFTOVER.fullmatch(path.name) or path.is_dir():
        return False
    return _FITS_NAME.fullmatch(path.name) is not None or _begins_as_fits(path)


def _begins_as_fits(path: Path) -> bool:
    """Whether the first bytes are a FITS header's; a transcript of one as text has line breaks."""
    try:
        if not path.is_file():  # opening a pipe would wait for its writer
            return False
        with path.open("rb") as reader:
            block = reader.read(BLOCK)
    except OSError:
        return False
    return _FITS_START.match(block) is not None and b"\n" not in block


def _inside(folder: Path, closed: list[str]) -> list[Path]:
    """All in a folder and those below it that is no folder itself, and links to folders; sorted."""
    found = []
    for root, folders, names in os.walk(folder, onerror=lambda error: closed.append(str(error.filename))):
        found += [
            Path(root, name) for name in (*names, *folders) if name in names or Path(root, name).is_symlink()
        ]
    return sorted(found)


def ingest(
    lake: Lake,
    paths: Sequence[str | Path],
    *,
    scheduler: Scheduler | None = None,
    on_progress: Progress | None = None,
    say: Callable[[str], None] = log.warning,
    embargoes: Embargoes = described,
) -> Report:
    """Register files, and put aside those that cannot be.

    Parameters
    ----------
    lake
        Where to.
    paths
        Files, folders and patterns; addresses in the lake's own S3 storage, as `fsck` names them.
    scheduler
        Of the Dask cluster whose workers look at the files and store them, where they are many. Without
        one, or where its workers do not see the files, processes of this machine do.
    on_progress
        Called with the number of files looked at, their total, and a name.
    say
        Told, in one sentence, why the cluster does not do the work.
    embargoes
        The embargo that an instrument's new observations are under, where nobody decides otherwise.

    Returns
    -------
    Report
        One item per file: ``done``, ``skipped`` (already here),
        ``quarantined``, or ``failed`` (already here, lost, and not to be
        put back from this file); ``more["ignored"]`` lists what `select` left out of
        folders, ``more["releases"]`` the releases made.

    Raises
    ------
    lake.errors.Retriable
        When the catalogue, Rucio or the storage cannot be reached.
    """
    with at_hand(lake, paths) as here:
        return _ingest(lake, select(here), scheduler, on_progress, say, embargoes)


def _ingest(
    lake: Lake,
    selection: Selection,
    scheduler: Scheduler | None,
    on_progress: Progress | None,
    say: Callable[[str], None],
    embargoes: Embargoes,
) -> Report:
    files = selection.files
    report = Report(more={"releases": [], "ignored": [printable(path) for path in selection.ignored]})
    for text in selection.absent:
        # A path that was mistyped is no file to be put aside.
        report.items.append(replace(bad_item(_nothing_there(text), text), outcome=Status.FAILED.value))
    for text in selection.closed:
        report.items.append(bad_item(_closed(text), text))
    items: list[Item | None] = [None] * len(files)
    with hands(lake.store, files, many=_are_many(files), scheduler=scheduler, say=say) as doing:
        intake = Intake(lake, doing)
        waiting = _Waiting(lake, intake, items, report, embargoes)
        for number, (path, result) in enumerate(intake.results(files)):
            if isinstance(result, Stored):
                waiting.add(number, result)
            else:
                items[number] = result
            if on_progress:
                on_progress(number + 1, len(files), printable(path.name))
        waiting.register_all()
    report.items += [item for item in items if item is not None]
    _put_back(lake, files, report)
    _keep_quarantined(lake, report)
    return report


def _are_many(files: Sequence[Path]) -> bool:
    """Whether they are worth more than one process."""
    total = 0
    for path in files[:MANY_FILES]:
        with contextlib.suppress(OSError):
            total += path.stat().st_size
    return len(files) > MANY_FILES or total > MANY_BYTES


class _Waiting:
    """Files that are stored and wait to be registered, with the others of their observations."""

    def __init__(
        self, lake: Lake, intake: Intake, items: list[Item | None], report: Report, embargoes: Embargoes
    ) -> None:
        self._lake, self._intake, self._embargo_of = lake, intake, embargoes
        self._items, self._report = items, report
        self._stored: dict[ProductKey, list[tuple[int, Stored]]] = {}
        self._latest: dict[ProductKey, int] = {}
        self._count = 0
        self._registered = time.monotonic()
        # Many files have the same to tell.
        self._told: dict[tuple[str, ...], tuple[tuple[str, ...], str]] = {}

    def add(self, number: int, stored: Stored) -> None:
        """Take one more file, the `number`th of the command, and register others where these are enough."""
        key = ProductKey(stored.entry.scope, stored.observation, stored.entry.level)
        self._stored.setdefault(key, []).append((number, stored))
        self._latest[key] = number
        self._count += 1
        if time.monotonic() - self._registered > REGISTER_SECONDS or self._count >= WAITING:
            self.register_all()
        elif self._count >= WAITING // 2 and self._count % QUIET == 0:
            # Of observations whose files lie far behind, no more are to be expected: most are whole by then.
            self._register([key for key, latest in self._latest.items() if latest < number - QUIET])

    def register_all(self) -> None:
        """Make the next release of each observation that gained files."""
        self._register(list(self._stored))
        self._registered = time.monotonic()

    def _register(self, keys: Sequence[ProductKey]) -> None:
        for key in sorted(keys):
            found = self._stored.pop(key)
            del self._latest[key]
            self._count -= len(found)
            entries = [stored.entry for _, stored in found]
            meta = united(entry.meta for entry in entries)
            provenance = Provenance(observation_meta=meta, embargo=self._embargo_of(key.scope))
            release = extend(self._lake, key, entries, provenance)
            if release is not None:
                self._report.more["releases"].append(release)
            self._intake.registered(entries)
            for number, stored in found:
                self._items[number] = self._done(stored)

    def _done(self, stored: Stored) -> Item:
        told = stored.entry.caveats
        caveats, reason = self._told.setdefault(told, (told, "; ".join(told)))
        if len(self._told) > QUIET:
            self._told.clear()
        return Item(stored.source, Status.DONE.value, reason=reason, did=stored.entry.did, caveats=caveats)


def _put_back(lake: Lake, files: Sequence[Path], report: Report) -> None:
    """Use files that are here already for what the lake has lost of them; else say that it is lost."""
    skipped = [item.did for item in report.items if item.outcome == Status.SKIPPED and item.did]
    lost = restore.lost_among(lake, skipped)
    if not lost:
        return
    paths = {printable(path): path for path in files}
    restorer = restore.Restorer(lake)
    mended: list[restore.Registered] = []
    for place, item in enumerate(report.items):
        if item.did not in lost or item.outcome != Status.SKIPPED:
            continue
        done = [one for one in restorer.use(paths[item.file]) if one.file is not None]
        back = [one.file for one in done if one.file is not None and one.ending != restore.Ending.FAILED]
        if item.did in {file.did for file in back}:
            mended += back
            outcome, reason, advice = Status.DONE, "already in the lake, which had lost it: put back", ""
        else:
            outcome, reason = Status.FAILED, f"already in the lake as {item.did}, whose stored bytes are lost"
            advice = "these are not the registered bytes (packed otherwise?): heliolake restore takes a copy"
        report.items[place] = replace(item, outcome=outcome.value, reason=reason, advice=advice)
    restore.mend_replicas(lake, list(dict.fromkeys(mended)))


def _keep_quarantined(lake: Lake, report: Report) -> None:
    cases = [
        quarantine.Case(
            subject=item.file,
            sha256=item.sha256,
            code=item.code,
            stage="ingest",
            reason=item.reason,
            keyword=item.keyword,
            found=item.found,
            advice=item.advice,
        )
        for item in report.items
        if item.outcome == Status.QUARANTINED
    ]
    quarantine.record(lake, cases)
    taken_in = [item.file for item in report.items if item.outcome != Status.QUARANTINED]
    if taken_in:
        quarantine.resolve(lake, taken_in, stage="ingest")


def _nothing_there(text: str) -> BadInput:
    return BadInput(
        "there is no such file, folder or match",
        file=text,
        advice="check the path; quote patterns so that the shell leaves them alone",
        code=Reason.MISSING_FILE,
    )


def _closed(text: str) -> BadInput:
    return BadInput(
        "the folder cannot be read, so nothing in it was looked at",
        file=text,
        advice="check its permissions and the disk it lies on",
        code=Reason.UNREADABLE,
    )
