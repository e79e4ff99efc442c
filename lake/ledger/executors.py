"""Executors: which processes carry a run out, where, and when the database last heard of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import case, func, insert, select, update

from lake.catalogue.models import Executor as Row
from lake.catalogue.session import transaction
from lake.entries import iso
from lake.lake import Lake
from lake.ledger.owners import is_dead, pid_of

#: How often an executor says that it lives, and after how many seconds of silence it is taken for dead.
BEAT_SECONDS: Final = 10.0
SILENT_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Executor:
    """A process that carries a run out, or did.

    Attributes
    ----------
    owner
        See `lake.ledger.owners.this_process`.
    site
        Where it works; "" where there is one site only.
    started, seen, ended
        By the database's clock; `seen` is its last heartbeat.
    note
        What it says of itself, such as that it waits.
    alive
        Whether it is at it, as far as can be known from here.
    """

    owner: str
    site: str
    started: datetime
    seen: datetime
    ended: datetime | None
    note: str
    alive: bool

    @property
    def pid(self) -> int:
        """Number of its process, on its host."""
        return pid_of(self.owner)

    def document(self) -> dict[str, Any]:
        """Plain data, fit for JSON."""
        return {
            "executor": self.owner,
            "site": self.site,
            "alive": self.alive,
            "started": iso(self.started),
            "seen": iso(self.seen),
            "ended": iso(self.ended),
            "note": self.note,
        }


def begin(lake: Lake, run_id: str, owner: str, site: str = "") -> None:
    """Say that a process carries a run out from now on."""
    with transaction(lake.sessions) as session:
        session.execute(insert(Row).values(run_id=run_id, id=owner, site=site))


def beat(lake: Lake, owner: str) -> None:
    """Say that a process lives, whatever runs it carries out."""
    with transaction(lake.sessions) as session:
        session.execute(update(Row).where(Row.id == owner, Row.ended.is_(None)).values(seen=func.now()))


def say(lake: Lake, run_id: str, owner: str, note: str) -> None:
    """Let others read what an executor is at."""
    _set(lake, run_id, owner, {"note": note})


def end(lake: Lake, run_id: str, owner: str) -> None:
    """Say that a process carries a run out no longer."""
    _set(lake, run_id, owner, {"ended": func.now(), "note": ""})


def _set(lake: Lake, run_id: str, owner: str, values: Mapping[str, Any]) -> None:
    mine = (Row.run_id == run_id, Row.id == owner, Row.ended.is_(None))
    with transaction(lake.sessions) as session:
        session.execute(update(Row).where(*mine).values(seen=func.now(), **values))


def executors(lake: Lake, run_id: str) -> list[Executor]:
    """All that ever carried a run out, each time they did, in that order."""
    silent = func.extract("epoch", func.now() - Row.seen) > SILENT_SECONDS
    heard = case((Row.ended.is_not(None), False), (silent, False), else_=True)
    query = select(Row, heard).where(Row.run_id == run_id).order_by(Row.started, Row.id)
    with transaction(lake.sessions) as session:
        return [
            Executor(
                row.id,
                row.site,
                row.started,
                row.seen,
                row.ended,
                row.note,
                bool(heard) and not is_dead(row.id),
            )
            for row, heard in session.execute(query)
        ]
