"""Restore: registered bytes that were lost or damaged, from copies that a person names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cluster.intake.ingest import select
from lake.fsck.restore import Ending, Restored, Restorer, mend_replicas
from lake.lake import Lake
from lake.text import printable

#: Files read and summed at once.
AT_ONCE: Final = 4
#: Files whose replicas Rucio is asked about together.
_MENDED_AT_ONCE: Final = 500

Progress = Callable[[int, int, str], None]


@dataclass
class RestoreReport:
    """What became of each file that was given.

    Parameters
    ----------
    items
        In the order of the files; a file that is a copy of two registered ones has two.
    mended
        DIDs whose replicas Rucio did not call AVAILABLE and does now.
    absent, closed, ignored
        Paths where nothing lies, folders that cannot be read, other things in folders.
    dry_run
        Whether nothing was done.
    """

    items: list[Restored] = field(default_factory=list)
    mended: list[str] = field(default_factory=list)
    absent: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    ignored: list[str] = field(default_factory=list)
    dry_run: bool = False

    def counts(self) -> dict[str, int]:
        """How many files ended in each way; every way is named."""
        found = Counter(item.ending for item in self.items)
        return {ending.value: found.get(ending, 0) for ending in Ending}

    @property
    def clean(self) -> bool:
        """Whether every file given was of use or not needed."""
        counts = self.counts()
        return not (counts[Ending.UNKNOWN] or counts[Ending.FAILED] or self.absent or self.closed)

    def document(self) -> dict[str, Any]:
        """The JSON document of the command."""
        return {
            **self.counts(),
            "dry_run": self.dry_run,
            "mended": self.mended,
            "absent": list(self.absent),
            "closed": list(self.closed),
            "ignored": self.ignored,
            "items": [
                {
                    "file": printable(item.source),
                    "outcome": item.ending.value,
                    "did": item.file.did if item.file else "",
                    "reason": printable(item.reason),
                    "advice": item.advice,
                    "kept": item.kept,
                }
                for item in self.items
            ],
        }


def restore(
    lake: Lake, paths: Sequence[str | Path], *, dry_run: bool = False, on_progress: Progress | None = None
) -> RestoreReport:
    """Put registered bytes back wherever they are missing or damaged and a given file has them.

    Parameters
    ----------
    lake
        The lake.
    paths
        Files, folders and patterns, as for `cluster.intake.ingest.ingest`.
    dry_run
        Find out what would be done, and do nothing.
    on_progress
        Called with the number of files looked at, their total, and a name.

    Returns
    -------
    RestoreReport
        What became of each file.

    Raises
    ------
    lake.errors.Retriable
        When the catalogue, Rucio or the storage cannot be reached.
    """
    selection = select(paths)
    # References need not be FITS files. What else a folder holds that is no copy is nobody's mistake.
    others = {path for path in selection.ignored if path.is_file() and not path.name.startswith(".")}
    files = (*selection.files, *sorted(others))
    report = RestoreReport(absent=selection.absent, closed=selection.closed, dry_run=dry_run)
    waiting: list[Restored] = []
    for number, (path, found) in enumerate(_looked_at(lake, files, dry_run=dry_run), start=1):
        if path in others and not any(one.file for one in found):
            report.ignored.append(printable(path))
        else:
            report.items += found
        waiting += [one for one in found if one.ending in (Ending.RESTORED, Ending.WHOLE)]
        if len(waiting) >= _MENDED_AT_ONCE or number == len(files):
            # The lake's copies are whole now, whether these files or an attempt before made them so.
            whole = list(dict.fromkeys(one.file for one in waiting if one.file is not None))
            report.mended += mend_replicas(lake, whole, dry_run=dry_run)
            waiting = []
        if on_progress:
            on_progress(number, len(files), printable(path.name))
    return report


def _looked_at(lake: Lake, files: Sequence[Path], *, dry_run: bool) -> Iterator[tuple[Path, list[Restored]]]:
    """Each file and what became of it, in order, a few at once."""
    look = Restorer(lake, dry_run=dry_run).use
    waiting: list[tuple[Path, Future[list[Restored]]]] = []
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="restore") as pool:
        for path in files:
            waiting.append((path, pool.submit(look, path)))
            if len(waiting) > AT_ONCE:
                first, future = waiting.pop(0)
                yield first, future.result()
        for path, future in waiting:
            yield path, future.result()
