"""Pictures of what is in the lake made where they are absent, damaged or not as they would be drawn now."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, NamedTuple

from distributed import Client, fire_and_forget, wait

from cluster.connect import connected
from cluster.pictures.beside import Shown, draw_stored, stands
from cluster.pictures.films import Script, script_of, shoot
from cluster.scheduler import Scheduler
from lake.entries import FileEntry
from lake.errors import BadInput, Retriable
from lake.governance.policy import CUSTODY
from lake.lake import Lake
from lake.names import version_token
from lake.releases.releases import files_named
from lake.releases.search import files_of, resolve
from lake.rucio.client import batches
from lake.storage import previews
from lake.storage.opening import open_store
from pipeline.errors import BadInput as PipelineBadInput

Progress = Callable[[int, int, str], None]

_log = logging.getLogger(__name__)
#: Files that a worker is given at once, and such pieces on their way for each worker.
_PIECE: Final = 16
_AHEAD: Final = 2
_PAGE: Final = 1000
#: Files of one command whose pictures are made beside whatever else workers do.
LATER: Final = 5000
#: Troubles that are told one by one.
_MOST: Final = 1000


class Ending(NamedTuple):
    """What became of the pictures of a file, or of a film: ``made``, ``whole`` or ``failed``, and why."""

    name: str
    ending: str
    reason: str = ""
    advice: str = ""


@dataclass
class Remade:
    """What `remake` did.

    Attributes
    ----------
    counts
        How often pictures of files, and films, were ``made``, found ``whole``, or ``failed``.
    troubles
        Those that failed, of very many the first.
    """

    counts: Counter[str] = field(default_factory=Counter)
    films: Counter[str] = field(default_factory=Counter)
    troubles: list[Ending] = field(default_factory=list)

    def add(self, ending: Ending, *, film: bool) -> None:
        """Count one in."""
        (self.films if film else self.counts)[ending.ending] += 1
        if ending.ending == "failed" and len(self.troubles) < _MOST:
            self.troubles.append(ending)

    def document(self) -> dict[str, Any]:
        """Plain data, fit for JSON."""
        troubles = [one._asdict() for one in self.troubles]
        return {"files": dict(self.counts), "movies": dict(self.films), "troubles": troubles}


def remake(
    lake: Lake,
    releases: Sequence[dict[str, Any]],
    client: Client | None,
    *,
    anew: bool = False,
    movies: bool = False,
    on_progress: Progress | None = None,
) -> Remade:
    """Make the pictures of releases that are absent, damaged or out of date, and their films.

    Parameters
    ----------
    lake
        The lake.
    releases
        As `lake.releases.search.search` lists them; only ACTIVE ones have pictures.
    client
        Connected to the cluster; this process does it where there is none.
    anew
        Those that are whole too.
    movies
        Films as well.
    on_progress
        Called with files finished, their number, and the name of the last.
    """
    made, done = Remade(), 0
    for one in releases:
        if one["status"] != "ACTIVE":
            reason = f"it is {one['status']}, and only what is ACTIVE has pictures"
            made.add(Ending(_name(one), "failed", reason), film=False)
    releases = [one for one in releases if one["status"] == "ACTIVE"]
    total = sum(int(one["files"]) for one in releases)
    for endings in _each(client, _pieces(lake, releases), anew=anew):
        for ending in endings:
            made.add(ending, film=False)
            done += 1
        if on_progress is not None and endings:
            on_progress(min(done, total), total, endings[-1].name)
    if movies:
        for endings in _each(client, _scripts(lake, releases), anew=anew):
            for ending in endings:
                made.add(ending, film=True)
    return made


def redraw_later(client: Client, lake: Lake, releases: Sequence[Mapping[str, Any]]) -> None:
    """Have pictures made of releases that are ACTIVE again, when workers have time: they lost theirs."""
    try:
        for piece in _pieces(lake, [dict(one) for one in releases if one.get("again")]):
            fire_and_forget(client.submit(draw_all, piece, anew=False, pure=False, priority=-100))
    except Exception as error:  # `heliolake preview` says it again, to a person
        _log.warning("no pictures of what is ACTIVE again: %s: %s", type(error).__name__, error)


def draw_later(scheduler: Scheduler, lake: Lake, dids: Sequence[str]) -> int:
    """Have pictures made of files that were taken in, when workers have nothing better to do.

    Nobody waits for them, and the files are none the worse where there are none: `heliolake preview` makes
    them too.

    Parameters
    ----------
    scheduler
        Of the cluster whose workers draw.
    lake
        The lake.
    dids
        The files; of very many the first.

    Returns
    -------
    int
        Of how many pictures are under way.
    """
    later = dids[:LATER]
    try:
        with connected(scheduler) as client:
            for several in batches(later, _PIECE):
                piece = [_shown(lake, file) for file in files_named(lake, several)]
                fire_and_forget(client.submit(draw_all, piece, anew=False, pure=False, priority=-100))
    except Exception as error:  # `heliolake preview` says it again, to a person
        _log.warning("no pictures of what was taken in: %s: %s", type(error).__name__, error)
        return 0
    return len(later)


def _pieces(lake: Lake, releases: Iterable[dict[str, Any]]) -> Iterator[list[Shown]]:
    files = (_shown(lake, file) for one in releases for file in _files(lake, one))
    while piece := list(islice(files, _PIECE)):
        yield piece


def _files(lake: Lake, release: dict[str, Any]) -> Iterator[FileEntry]:
    found, _ = resolve(lake, _name(release))
    after = ""
    while page := files_of(lake, CUSTODY, found.id, limit=_PAGE, after=after):
        yield from page
        after = page[-1].name


def _shown(lake: Lake, file: FileEntry) -> Shown:
    ref = lake.ref(CUSTODY, file.scope, file.name, file.sha256)
    return Shown(ref, file.scope, file.name, file.level, file.image_hdu, file.dims, dict(file.meta))


def _scripts(lake: Lake, releases: Iterable[dict[str, Any]]) -> Iterator[list[Script]]:
    for one in releases:
        found, _ = resolve(lake, _name(one))
        script = script_of(lake, found.id, _name(one))
        if script is not None:
            yield [script]


def _name(release: dict[str, Any]) -> str:
    return f"{release['product']}@{version_token(release['version'])}"


def _each(client: Client | None, pieces: Iterator[list[Any]], *, anew: bool) -> Iterator[list[Ending]]:
    """What becomes of each piece of work, few of them on their way at any time."""
    if client is None:
        for piece in pieces:
            yield draw_all(piece, anew=anew)
        return
    ahead = _AHEAD * max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
    running = deque(client.submit(draw_all, piece, anew=anew, pure=False) for piece in islice(pieces, ahead))
    while running:
        with client.as_current():
            wait(list(running), return_when="FIRST_COMPLETED")
        for future in [one for one in running if one.done()]:
            running.remove(future)
            yield future.result()
            running.extend(client.submit(draw_all, one, anew=anew, pure=False) for one in islice(pieces, 1))


def draw_all(piece: Sequence[Shown | Script], *, anew: bool) -> list[Ending]:
    """Make pictures of some files, or films (in a worker); one that cannot be made holds up no other."""
    return [_one(what, anew=anew) for what in piece]


def _one(what: Shown | Script, *, anew: bool) -> Ending:
    try:
        if not anew and _is_whole(what):
            return Ending(what.name, "whole")
        if isinstance(what, Script):
            shoot(what)
        else:
            draw_stored(what)
    except (BadInput, PipelineBadInput) as error:
        return Ending(what.name, "failed", error.reason, error.advice)
    except (Retriable, OSError, MemoryError, ValueError, ArithmeticError) as error:
        return Ending(what.name, "failed", f"{type(error).__name__}: {error}", "try again")
    return Ending(what.name, "made")


def _is_whole(what: Shown | Script) -> bool:
    if isinstance(what, Script):
        return what.stands() and previews.is_whole(open_store(what.store), what.key)
    store = open_store(what.ref.store)
    return stands(what, previews.scene(store, what.key)) and previews.is_whole(store, what.key)
