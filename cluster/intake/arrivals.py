"""Files on their way in, a batch at a time, where they are looked at and where their bytes are stored.

What is here runs in the process that does the work: a worker, a process or a thread of the command's own.
It knows the files and the storage, not the catalogue: what becomes of a file is decided elsewhere
(`cluster.intake.decisions`), between `look` and `keep`. Its bytes are read once and wait in the batch.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from astropy.io import fits

import lake
from cluster.report import BAD_INPUT, Item, bad_item
from lake.entries import FileEntry
from lake.errors import BadInput, Reason
from lake.fits.check import CheckedFits, Limits, changed, opened, read_checked
from lake.fits.facts import facts_of
from lake.fits.windows import Held, windows
from lake.names import lake_name, stem_of
from lake.storage.store import Store, key_of
from lake.text import printable
from pipeline import code, sources
from pipeline.dims import IMAGE, Layout
from pipeline.errors import BadInput as PipelineBadInput
from pipeline.frame import with_primary
from pipeline.instrument import Description, Instrument
from pipeline.registry import instruments, recognise

#: Files whose bytes are on their way to the disk at once. A disk that is told to keep many files at once
#: does so in little more time than one.
STORED_AT_ONCE: Final = 16

_FOLDERS: Final = (Path(lake.__file__).parent, Path(__file__).parent)
_SOURCES: Final = "sources of the intake"
sources.note(
    _SOURCES,
    (path for folder in _FOLDERS for path in folder.rglob("*.py")),
)


@dataclass(frozen=True)
class Looked:
    """A file that was checked and recognised, and can be decided about.

    Parameters
    ----------
    path
        Where it lies.
    entry
        What would be registered.
    observation
        What it belongs to.
    grouping
        The searchable values that observations of its instrument are named after.
    """

    path: Path
    entry: FileEntry
    observation: str
    grouping: tuple[str, ...]


class Batch:
    """Files that were looked at, with the bytes of those that are small enough to be held.

    Parameters
    ----------
    looked
        Each file, or why it cannot be taken.
    data
        Their bytes; None where they are too many, or not wanted.
    """

    def __init__(self, looked: list[Looked | Item], data: list[bytes | None]) -> None:
        self.looked = looked
        self.data = data

    def __sizeof__(self) -> int:
        """What Dask is to believe that it holds."""
        return sum(map(sys.getsizeof, self.data))


def look(paths: Sequence[Path], store: Store) -> Batch:
    """Check files and find out what they are.

    Parameters
    ----------
    paths
        The files.
    store
        The storage element; its folder has room for the unpacked bytes of a large gzipped file.

    Returns
    -------
    Batch
        In the order of the files.
    """
    looked: list[Looked | Item] = []
    data: list[bytes | None] = []
    for path in paths:
        found, held = _look_at(path, store)
        looked.append(found)
        data.append(held)
    return Batch(looked, data)


def keep(batch: Batch, wanted: Mapping[int, str], store: Store) -> dict[int, Item | None]:
    """Put the bytes of files under their final names.

    Parameters
    ----------
    batch
        From `look`.
    wanted
        Which of its files, by their places, and the sha256 that was decided about.
    store
        The storage element.

    Returns
    -------
    dict
        For each of them None, or why it cannot be taken after all. All bytes are durable by then.

    Raises
    ------
    lake.errors.Retriable, lake.errors.Fatal
        When the storage fails.
    """

    def one(place: int) -> Item | None:
        found = batch.looked[place]
        if isinstance(found, Item):  # a worker was lost, and this one looked again
            return found
        if found.entry.sha256 != wanted[place]:
            return refused(changed(str(found.path)), found.path, found.entry.sha256)
        return _kept(found, batch.data[place], store)

    with ThreadPoolExecutor(STORED_AT_ONCE, "store") as pool:
        return dict(zip(wanted, pool.map(one, wanted), strict=True))


def code_here() -> str:
    """A short name for the code of this process, as far as what becomes of a file depends on it."""
    whole = dict(sources.noted_alone(_SOURCES))
    for name in instruments():
        whole |= code.of_instrument(name)
    return code.digest(whole)


def sees(path: Path, size: int, store: Store) -> bool:
    """Whether this process has a file, and the storage, before it."""
    try:
        return path.stat().st_size == size and store.answers()
    except OSError:
        return False


def _look_at(path: Path, store: Store) -> tuple[Looked | Item, bytes | None]:
    checked: CheckedFits | None = None
    try:
        name = lake_name(path.name)
        checked = read_checked(path, _limits, store.scratch)
        instrument, description, layout, caveats = _describe(checked, path)
        held = checked.raw.data if isinstance(checked.raw, Held) else None
        entry = _entry(checked, path, name, description, layout, caveats)
        return Looked(path, entry, description.observation, instrument.grouping), held
    except (*BAD_INPUT, MemoryError) as error:
        return refused(error, path, checked.checksums.sha256 if checked else ""), None
    finally:
        if checked is not None:
            checked.close()


def _entry(
    checked: CheckedFits,
    path: Path,
    name: str,
    description: Description,
    layout: Layout,
    caveats: Sequence[str],
) -> FileEntry:
    sums = checked.checksums
    return FileEntry(
        scope=description.instrument,
        name=name,
        level=description.level,
        stem=stem_of(name),
        size=sums.size,
        adler32=sums.adler32,
        sha256=sums.sha256,
        date_beg=description.date_beg,
        date_end=description.date_end,
        shape=layout.shape,
        dims=() if layout.dims == IMAGE else layout.dims,
        image_hdu=checked.image_hdu,
        meta=description.meta,
        caveats=(*checked.caveats, *caveats),
        original=path.name if path.name != name else "",
        content_sha256=checked.content_sha256,
        facts=facts_of(_whole_header(checked)),
    )


def refused(error: BadInput | PipelineBadInput | MemoryError, path: Path, sha256: str = "") -> Item:
    """The item of a file that cannot be taken."""
    if isinstance(error, MemoryError):
        error = BadInput(
            "this machine has too little memory left to look at the file",
            found=str(error),
            advice="take it in again where more memory is free",
            code=Reason.TOO_LARGE,
        )
    return bad_item(error, printable(path), code=Reason.BAD_KEYWORD, sha256=sha256)


def _describe(checked: CheckedFits, path: Path) -> tuple[Instrument, Description, Layout, tuple[str, ...]]:
    """The instrument of a file, what its header says, its axes, and what of that cannot be."""
    header = _whole_header(checked)
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
    layout = entry.layout(header, description.level, checked.shape, str(path))
    return entry, description, layout, (*description.caveats, *entry.check(header, description, str(path)))


def _whole_header(checked: CheckedFits) -> fits.Header:
    """The header of the image, with what the primary one says."""
    return checked.header if checked.image_hdu == 0 else with_primary(checked.header, checked.primary_header)


def _limits(header: fits.Header, primary: fits.Header) -> Limits:
    """How large an image and its file may be, by the description of their instrument."""
    try:
        whole = header if header is primary else with_primary(header, primary)
        largest = recognise(whole).largest
    except (PipelineBadInput, fits.VerifyError, ValueError):  # said when all of the file was looked at
        return Limits()
    return Limits(largest.pixels, largest.bytes)


def _kept(looked: Looked, data: bytes | None, store: Store) -> Item | None:
    """Put the bytes of a file under their final name; those that were not held are read once more."""
    entry = looked.entry
    try:
        if data is not None:
            store.put(key_of(entry.scope, entry.name), data, entry.checksums)
        else:
            with opened(looked.path) as raw:
                parts = windows(raw, 0, entry.size + 1)
                store.put_windows(key_of(entry.scope, entry.name), parts, entry.checksums)
    except (*BAD_INPUT, MemoryError) as error:
        return refused(error, looked.path, entry.sha256)
    return None
