"""Ingest: recognise, check and register FITS files as releases of what was observed.

A file's bytes are read once. What is wrong with a file puts that file aside,
with its reason; the others go on. Bytes are in the storage before anything is
registered, so running the command again after a crash finishes what it began.
"""

from __future__ import annotations

import glob
import os
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cluster.report import BAD_INPUT, Item, Report, bad_item
from lake import quarantine, restore, search
from lake.entries import FileEntry
from lake.errors import BadInput, Reason
from lake.fits_check import CheckedFits, read_checked
from lake.fits_structure import BLOCK
from lake.lake import Lake
from lake.names import ProductKey, check_input_name, stem_of
from lake.releases import Provenance, extend
from lake.storage import put_bytes
from lake.text import printable
from pipeline.errors import BadInput as PipelineBadInput
from pipeline.frame import with_primary
from pipeline.instrument import Description, recognise
from pipeline.outcome import Status

#: Files read, hashed and copied at once: hashing and disk overlap, decompression does not.
AT_ONCE: Final = 4
#: What was stored is registered at least this often, so that a long ingest loses little when it is stopped.
REGISTER_SECONDS: Final = 600.0
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


@dataclass(frozen=True)
class _Stored:
    """A file whose bytes lie under their final name, not registered yet."""

    source: str
    entry: FileEntry
    observation: str


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


def ingest(lake: Lake, paths: Sequence[str | Path], *, on_progress: Progress | None = None) -> Report:
    """Register files, and put aside those that cannot be.

    Parameters
    ----------
    lake
        Where to.
    paths
        Files, folders and patterns.
    on_progress
        Called with the number of files looked at, their total, and a name.

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
    selection = select(paths)
    report = Report(more={"releases": [], "ignored": [printable(path) for path in selection.ignored]})
    for text in selection.absent:
        # A path that was mistyped is no file to be put aside.
        report.items.append(replace(bad_item(_nothing_there(text), text), outcome=Status.FAILED.value))
    for text in selection.closed:
        report.items.append(bad_item(_closed(text), text))
    stored: dict[ProductKey, list[_Stored]] = defaultdict(list)
    registered = time.monotonic()
    for number, (path, result) in enumerate(_looked_at(lake, selection.files), start=1):
        if isinstance(result, _Stored):
            key = ProductKey(result.entry.scope, result.observation, result.entry.level)
            stored[key].append(result)
        else:
            report.items.append(result)
        if on_progress:
            on_progress(number, len(selection.files), printable(path.name))
        if time.monotonic() - registered > REGISTER_SECONDS:
            _register(lake, stored, report)
            registered = time.monotonic()
    _register(lake, stored, report)
    _put_back(lake, selection.files, report)
    _keep_quarantined(lake, report)
    places = {printable(path): place for place, path in enumerate(selection.files)}
    report.items.sort(key=lambda item: places.get(item.file, -1))
    return report


def _looked_at(lake: Lake, files: Sequence[Path]) -> Iterator[tuple[Path, _Stored | Item]]:
    names: dict[tuple[str, str], tuple[str, str]] = {}
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="ingest") as pool:
        for path, result in zip(files, _bounded(pool, lake, files), strict=True):
            if isinstance(result, _Stored):
                # Two files of one command may carry one name; storage refused other bytes already.
                name = (result.entry.scope, result.entry.name)
                if name in names:
                    result = Item(
                        printable(path), Status.SKIPPED.value, reason=f"the same file as {names[name][0]}"
                    )
                else:
                    names[name] = (printable(path), result.entry.sha256)
            yield path, result


def _bounded(pool: ThreadPoolExecutor, lake: Lake, files: Iterable[Path]) -> Iterator[_Stored | Item]:
    """Results in order, with no more than a few files' bytes in memory."""
    waiting: list[Future[_Stored | Item]] = []
    by_stem: dict[str, Future[_Stored | Item]] = {}
    for path in files:
        stem = stem_of(path.name)
        # Of two files of one name, or one stem, the first is to have it, not the faster.
        first = by_stem[stem].result() if stem in by_stem else None
        waiting.append(pool.submit(_look_at, lake, path, first.entry if isinstance(first, _Stored) else None))
        if not isinstance(first, _Stored):
            by_stem[stem] = waiting[-1]
        if len(waiting) > AT_ONCE:
            yield waiting.pop(0).result()
    for future in waiting:
        yield future.result()


def _look_at(lake: Lake, path: Path, first: FileEntry | None) -> _Stored | Item:
    """Check and store one file; `first` is one of the same stem that was stored just now."""
    checked: CheckedFits | None = None
    try:
        name = check_input_name(path.name)
        checked = read_checked(path)
        description = _describe(checked, path)
        scope = description.instrument
        known = search.known_files(lake, scope, [name]).get(name)
        if known is not None:
            return _known(f"{scope}:{name}", known, checked, path)
        _refuse_namesake(lake, name, description, first)
        put_bytes(lake.root, scope, name, checked.data)
    except BAD_INPUT as error:
        sha256 = checked.checksums.sha256 if checked else ""
        return bad_item(error, printable(path), code=Reason.BAD_KEYWORD, sha256=sha256)
    sums = checked.checksums
    return _Stored(
        printable(path),
        FileEntry(
            scope=scope,
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
            caveats=(*checked.caveats, *description.caveats),
        ),
        description.observation,
    )


def _describe(checked: CheckedFits, path: Path) -> Description:
    """What the header says of a file."""
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
    return entry.describe(header, str(path))


def _known(did: str, sha256: str, checked: CheckedFits, path: Path) -> Item:
    if sha256 == checked.checksums.sha256:
        return Item(printable(path), Status.SKIPPED.value, reason="already in the lake", did=did)
    raise BadInput(
        f"{did} is already in the lake with other bytes",
        file=str(path),
        keyword="sha256",
        found=f"{checked.checksums.sha256[:16]}… here, {sha256[:16]}… in the lake",
        advice="a name stands for the same bytes for ever: give the changed file a new name",
        code=Reason.NAME_CONFLICT,
    )


def _refuse_namesake(lake: Lake, name: str, description: Description, first: FileEntry | None) -> None:
    """Refuse x.fts.gz beside x.fts: products are named after the stem, and would be in each other's way."""
    scope, level = description.instrument, description.level
    namesake = search.known_namesake(lake, scope, level, name)
    if namesake is None and first is not None and (first.scope, first.level) == (scope, level):
        namesake = first.name if first.name != name else None
    if namesake is not None:
        raise BadInput(
            "a file whose name differs by the suffix only is in the lake at the same level",
            found=f"{scope}:{namesake}",
            advice="leave this one out where it holds the same image, else give it a name of its own",
            code=Reason.NAME_CONFLICT,
        )


def _register(lake: Lake, stored: dict[ProductKey, list[_Stored]], report: Report) -> None:
    """Make the next release of each observation that gained files; `stored` is empty afterwards."""
    for key in sorted(stored):
        found = stored.pop(key)
        meta = {name: value for one in found for name, value in one.entry.meta.items()}
        release = extend(lake, key, [one.entry for one in found], Provenance(observation_meta=meta))
        if release is not None:
            report.more["releases"].append(release)
        for one in found:
            caveats = one.entry.caveats
            report.items.append(
                Item(
                    one.source,
                    Status.DONE.value,
                    reason="; ".join(caveats),
                    did=one.entry.did,
                    caveats=caveats,
                )
            )


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
