"""All runs at a glance, as the dashboard shows and Prometheus counts them; cheap enough to be asked often."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, select

from lake.catalogue.models import Quarantined, Run, Tally
from lake.catalogue.session import transaction
from lake.entries import iso
from lake.lake import Lake
from lake.ledger.pace import pace

#: Runs that are told of: of those that go on or are held up, and of all, the latest.
OPEN, RECENT = 8, 8
#: Minutes over which speed is told.
HOUR: Final = 60
_KINDS: Final = 12
_GOING: Final = ("running", "paused")


@dataclass(frozen=True)
class Overview:
    """All runs at a moment.

    Attributes
    ----------
    at
        The moment, by the database's clock.
    runs
        As `lake.ledger.pace.pace` tells of each: those that go on first, then the latest.
    statuses
        Number of runs by what became of them.
    minutes
        Of the last hour: ``minute`` (a time), ``site``, ``units`` and ``troubles`` of the runs above.
    quarantine
        Open cases, together where the reason is the same, the most frequent first: ``stage``, ``code``,
        ``reason``, ``advice``, ``files``, ``last_seen``.
    put_aside
        Number of open cases by stage and code.
    """

    at: datetime
    runs: tuple[Mapping[str, Any], ...] = ()
    statuses: Mapping[str, int] = field(default_factory=dict)
    minutes: tuple[Mapping[str, Any], ...] = ()
    quarantine: tuple[Mapping[str, Any], ...] = ()
    put_aside: Mapping[tuple[str, str], int] = field(default_factory=dict)

    @property
    def open(self) -> tuple[Mapping[str, Any], ...]:
        """The runs that go on or are held up."""
        return tuple(one for one in self.runs if one["status"] in _GOING)


class Onlooker:
    """Looks at all runs again and again; what has ended is asked for once.

    Parameters
    ----------
    lake
        The lake.
    """

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._ended: dict[tuple[Any, ...], Mapping[str, Any]] = {}

    def look(self) -> Overview:
        """How all runs are now.

        Raises
        ------
        lake.errors.Retriable
            When the catalogue does not answer.
        """
        with transaction(self._lake.sessions) as session:
            at: datetime = session.execute(select(func.now())).scalar_one()
            newest = select(Run.id, Run.status, Run.finished).order_by(Run.created.desc())
            going = session.execute(newest.where(Run.status.in_(_GOING)).limit(OPEN)).all()
            latest = session.execute(newest.limit(RECENT)).all()
            statuses = dict(
                session.execute(select(Run.status, func.count()).group_by(Run.status)).tuples().all()
            )
        told = self._paces(dict.fromkeys(tuple(row) for row in (*going, *latest)))
        return Overview(at, told, statuses, self._minutes(told, at), *_put_aside(self._lake))

    def _paces(self, wanted: Iterable[tuple[Any, ...]]) -> tuple[Mapping[str, Any], ...]:
        """How each run gets on; of those that have ended as they were then."""
        kept = {}
        for key in wanted:
            found = self._ended.get(key) or pace(self._lake, key[0])
            kept[key] = found
        self._ended = {key: one for key, one in kept.items() if one["status"] not in _GOING}
        return tuple(kept.values())

    def _minutes(self, told: Sequence[Mapping[str, Any]], at: datetime) -> tuple[Mapping[str, Any], ...]:
        """Units of the last hour by minute and site."""
        sites = {(run["run"], one["executor"]): one["site"] for run in told for one in run["executors"]}
        query = (
            select(
                Tally.minute,
                Tally.run_id,
                Tally.executor,
                func.sum(Tally.units).label("units"),
                func.sum(Tally.troubles).label("troubles"),
            )
            .where(
                Tally.run_id.in_([run["run"] for run in told]), Tally.minute > at - timedelta(minutes=HOUR)
            )
            .group_by(Tally.minute, Tally.run_id, Tally.executor)
        )
        found: dict[tuple[datetime, str], list[int]] = {}
        with transaction(self._lake.sessions) as session:
            for row in session.execute(query):
                sums = found.setdefault((row.minute, sites.get((row.run_id, row.executor), "")), [0, 0])
                sums[0] += int(row.units)
                sums[1] += int(row.troubles)
        return tuple(
            {"minute": minute, "site": site, "units": units, "troubles": troubles}
            for (minute, site), (units, troubles) in sorted(found.items())
        )


def _put_aside(lake: Lake) -> tuple[tuple[Mapping[str, Any], ...], dict[tuple[str, str], int]]:
    """Open cases of quarantine by reason, and how many there are of each stage and code."""
    kind = (Quarantined.stage, Quarantined.code, Quarantined.reason, Quarantined.advice)
    files, seen = func.count().label("files"), func.max(Quarantined.last_seen).label("seen")
    still_open = Quarantined.resolved.is_(None)
    reasons = (
        select(*kind, files, seen)
        .where(still_open)
        .group_by(*kind)
        .order_by(files.desc(), seen.desc())
        .limit(_KINDS)
    )
    codes = (
        select(Quarantined.stage, Quarantined.code, files)
        .where(still_open)
        .group_by(Quarantined.stage, Quarantined.code)
    )
    with transaction(lake.sessions) as session:
        told = tuple(
            {
                "stage": row.stage,
                "code": row.code,
                "reason": row.reason,
                "advice": row.advice,
                "files": int(row.files),
                "last_seen": iso(row.seen),
            }
            for row in session.execute(reasons)
        )
        numbers = {(row.stage, row.code): int(row.files) for row in session.execute(codes)}
    return told, numbers
