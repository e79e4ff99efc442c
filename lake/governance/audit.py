"""The audit trail: who did what to what, in a chain that the service can continue and not change.

The rights are the database's (`audit.sql`): the service may read and append, and owns nothing of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    MetaData,
    Row,
    Select,
    Table,
    Text,
    cast,
    func,
    insert,
    select,
)
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from lake.catalogue.session import to_json, transaction
from lake.errors import Fatal
from lake.governance.chain import GENESIS, Anchor, Entry, Inspection, Tampering, Unreadable, canonical
from lake.lake import Lake
from lake.text import printable

_LOCK: Final = 7_201_955_022  # the one that `audit.sql` takes too
_PAGE: Final = 2_000  # entries held in memory at a time
_NAMED: Final = 1_000  # of a trail that is wrong from end to end, so many are named
_ABSENT: Final = frozenset(("3F000", "42P01", "42501"))  # no schema, no table, no right

_ENTRY: Final = Table(
    "entry",
    MetaData(schema="audit"),
    Column("number", BigInteger, primary_key=True),
    Column("time", DateTime(timezone=True)),
    Column("who", Text),
    Column("what", Text),
    Column("subject", Text),
    Column("detail", JSON),
    Column("previous", Text),
    Column("hash", Text),
)
_COLUMNS: Final = (
    _ENTRY.c.number,
    _ENTRY.c.time,
    _ENTRY.c.who,
    _ENTRY.c.what,
    _ENTRY.c.subject,
    cast(_ENTRY.c.detail, Text).label("detail"),
    _ENTRY.c.previous,
    _ENTRY.c.hash,
)


@dataclass(frozen=True)
class Verdict:
    """What an inspection of the trail found.

    Attributes
    ----------
    entries
        How many were read.
    head
        Number and hash of the last.
    tampering
        What is wrong; of very many the first.
    """

    entries: int
    head: Anchor
    tampering: list[Tampering]

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.tampering


def script() -> str:
    """The SQL that makes the trail, for the administrator of a database."""
    return resources.files("lake.governance").joinpath("audit.sql").read_text()


def present(session: Session) -> bool:
    """Whether the database has a trail that the service can write to."""
    try:
        session.execute(select(_ENTRY.c.number).limit(0))
        return bool(session.execute(select(func.has_table_privilege("audit.entry", "INSERT"))).scalar_one())
    except ProgrammingError as error:
        if getattr(error.orig, "sqlstate", "") not in _ABSENT:
            raise
        return False


def record(
    session: Session, who: str, what: str, subject: str, detail: Mapping[str, Any] | None = None
) -> None:
    """Append an entry within the caller's transaction, so that a change and its entry are one.

    Others who append wait until that transaction ends: call it when the rows of the change are written.

    Parameters
    ----------
    session
        The caller's.
    who
        Who did it: an account, ``owner`` for the owner of a home, ``public`` for nobody.
    what
        In dotted words: ``embargo.set``, ``account.add``.
    subject
        What it was done to.
    detail
        Everything else that is worth keeping; no secrets.

    Raises
    ------
    Fatal
        When the database has no audit trail.
    """
    kept = json.loads(to_json(dict(detail or {})))
    with _present():
        session.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        newest = select(_ENTRY.c.number, _ENTRY.c.hash).order_by(_ENTRY.c.number.desc()).limit(1)
        number, previous = session.execute(newest).tuples().first() or (0, GENESIS)
        now: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
        entry = Entry(number + 1, now, printable(who), printable(what), printable(subject), kept, previous)
        values = entry.content() | {"time": now, "detail": kept, "hash": entry.digest()}
        session.execute(insert(_ENTRY).values(values))


def entries(
    lake: Lake,
    *,
    who: str = "",
    what: str = "",
    subject: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int | None = None,
) -> list[Entry]:
    """Entries of the trail, the newest first.

    Parameters
    ----------
    lake
        Whose trail.
    who, what, subject
        Only entries with these; ``*`` and ``?`` stand for anything.
    since, until
        Only those from then on, and before then.
    limit
        At most so many.
    """
    query = select(*_COLUMNS).order_by(_ENTRY.c.number.desc()).limit(limit)
    for column, pattern in ((_ENTRY.c.who, who), (_ENTRY.c.what, what), (_ENTRY.c.subject, subject)):
        if pattern:
            query = query.where(column.like(_like(pattern), escape="\\"))
    if since is not None:
        query = query.where(_ENTRY.c.time >= since)
    if until is not None:
        query = query.where(_ENTRY.c.time < until)
    return list(_read(lake, query))


def every(lake: Lake) -> Iterator[Entry]:
    """All entries from the first on, a page in memory at a time."""
    return _read(lake, select(*_COLUMNS).order_by(_ENTRY.c.number))


def head(lake: Lake) -> Anchor:
    """Number and hash of the newest entry; number 0 when there is none."""
    newest = entries(lake, limit=1)
    return Anchor(newest[0].number, newest[0].hash) if newest else Anchor(0, GENESIS)


def anchor(lake: Lake) -> dict[str, Any]:
    """The head of the trail with the time, to be kept where nobody reaches it who reaches the database."""
    now = head(lake)
    return {
        "number": now.number,
        "hash": now.hash,
        "anchored": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def verify(lake: Lake, anchors: Iterable[Anchor] = ()) -> Verdict:
    """Read the whole trail and name every entry that was changed, removed, replaced or reordered.

    Parameters
    ----------
    lake
        Whose trail.
    anchors
        Earlier heads of it, kept elsewhere: without one, a tail that was cut off leaves no trace.
    """
    return inspect(every(lake), anchors)


def inspect(found: Iterable[Entry | Unreadable], anchors: Iterable[Anchor] = ()) -> Verdict:
    """The same for entries from anywhere, an exported file for example."""
    inspection = Inspection(anchors)
    tampering: list[Tampering] = []
    for one in inspection.tampering(found):
        if len(tampering) < _NAMED:
            tampering.append(one)
    last = inspection.last
    at = Anchor(last.number, last.hash) if last else Anchor(0, GENESIS)
    return Verdict(inspection.entries, at, tampering)


def line(entry: Entry) -> str:
    """An entry as one line of an export."""
    return canonical(entry.as_json())


def _read(lake: Lake, query: Select[Any]) -> Iterator[Entry]:
    with _present(), transaction(lake.sessions) as session:
        for row in session.execute(query.execution_options(yield_per=_PAGE)):
            yield _entry(row)


def _entry(row: Row[Any]) -> Entry:
    try:
        detail = json.loads(row.detail)
    except (TypeError, ValueError):
        detail = row.detail  # no JSON any more: somebody changed the table itself, and the hash will show it
    return Entry(row.number, row.time, row.who, row.what, row.subject, detail, row.previous, row.hash)


@contextmanager
def _present() -> Iterator[None]:
    """One sentence where the database has no trail."""
    try:
        yield
    except ProgrammingError as error:
        if getattr(error.orig, "sqlstate", "") not in _ABSENT:
            raise
        raise Fatal(
            "This database has no audit trail that the service may write to; without one nothing is done. "
            "For a home run: heliolake up. For a database of its own let its administrator run what "
            "`heliolake audit script` prints."
        ) from error


def _like(pattern: str) -> str:
    """A shell pattern as a pattern of LIKE."""
    plain = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return plain.replace("*", "%").replace("?", "_")
