"""What files show that were registered before anybody looked: read from their headers, afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Row, func, select, update

from lake.catalogue.models import File, ReleaseFile
from lake.catalogue.session import transaction
from lake.errors import HeliolakeLakeError
from lake.fits.facts import facts_of
from lake.fits.stored import stored_header
from lake.governance.policy import CUSTODY
from lake.lake import Lake
from lake.names import split_did
from lake.releases.facts import settle_facts

_PAGE: Final = 500
_AT_ONCE: Final = 8


@dataclass
class Indexed:
    """How many files were looked at, and which could not be read and why."""

    files: int = 0
    unread: dict[str, str] = field(default_factory=dict)


def unindexed(lake: Lake) -> int:
    """Of how many files nobody knows what they show."""
    with transaction(lake.sessions) as session:
        return session.scalar(select(func.count()).where(File.facts.is_(None)).select_from(File)) or 0


def index(lake: Lake, progress: Callable[[int, str], None] | None = None, *, anew: bool = False) -> Indexed:
    """Read the headers of files of which nobody knows what they show, and settle their releases.

    It may be broken off at any time, and goes on where it was.

    Parameters
    ----------
    lake
        The lake.
    progress
        Told how many files were looked at, and the name of the last.
    anew
        Look at all files, also at those that were looked at.
    """
    done, after = Indexed(), 0
    while True:
        query = select(File.id, File.scope, File.name, File.image_hdu).where(File.id > after)
        if not anew:
            query = query.where(File.facts.is_(None))
        with transaction(lake.sessions) as session:
            page = session.execute(query.order_by(File.id).limit(_PAGE)).all()
        if not page:
            return done
        after = page[-1].id
        _look_at(lake, page, done)
        if progress is not None:
            progress(done.files, page[-1].name)


def _look_at(lake: Lake, page: Sequence[Row[Any]], done: Indexed) -> None:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(lambda one: _facts(lake, one), page))
    done.files += len(page)
    known = [
        {"id": one.id, "facts": facts}
        for one, facts in zip(page, found, strict=True)
        if isinstance(facts, dict)
    ]
    for one, facts in zip(page, found, strict=True):
        if isinstance(facts, str):
            done.unread[f"{one.scope}:{one.name}"] = facts
    if not known:
        return
    with transaction(lake.sessions) as session:
        session.execute(update(File), known)
        ids = [one["id"] for one in known]
        releases = select(ReleaseFile.release_id).where(ReleaseFile.file_id.in_(ids)).distinct()
        settle_facts(session, sorted(session.scalars(releases)))


def _facts(lake: Lake, file: Row[Any]) -> dict[str, Any] | str:
    """What a file shows, or why that cannot be read; it is tried again then the next time."""
    try:
        ref = lake.ref(CUSTODY, *split_did(f"{file.scope}:{file.name}"))
        header = stored_header(ref, file.image_hdu)
        if file.image_hdu:
            header.extend(stored_header(ref, 0), unique=True)
        return facts_of(header)
    except HeliolakeLakeError as error:
        return str(error)
