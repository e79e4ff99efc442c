"""How a run gets on: how fast, how long it will take, what goes wrong, which step takes the time, where."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, func, select, text
from sqlalchemy.orm import Session

from lake.catalogue.models import StepTime, Tally
from lake.catalogue.session import transaction
from lake.lake import Lake
from lake.ledger import runs
from lake.ledger.executors import Executor, executors

#: Minutes that "lately" means.
LATELY: Final = 5
#: What is told of a site, of all that workers counted there.
_COUNTED: Final = ("units", "lately", "troubles", "bytes_in", "bytes_out")
#: Kinds of trouble that are told; the most frequent ones.
_KINDS: Final = 20

_TROUBLES: Final = text(
    """
    SELECT state, reason, step, advice, count(*) AS units,
           min(ARRAY[lpad(position::text, 10), unit_id]) AS first
    FROM (SELECT state, position, unit_id, coalesce(told ->> 'reason', '') AS reason,
                 coalesce(told ->> 'step', '') AS step, coalesce(told ->> 'advice', '') AS advice
          FROM unit, coalesce(outcome -> 'outcome', outcome) AS told
          WHERE run_id = :run_id AND state IN ('failed', 'quarantined')) AS trouble
    GROUP BY state, reason, step, advice ORDER BY units DESC, reason
    """
)


def pace(lake: Lake, run_id: str) -> dict[str, Any]:
    """How a run gets on, fit for JSON.

    Parameters
    ----------
    lake
        The lake.
    run_id
        The run.

    Returns
    -------
    dict
        What `runs.find_run` tells without the plan; ``total`` and ``ended`` units; ``rate`` in units per
        minute and bytes per second; seconds ``left`` as a pair of the least and the most that the rates of
        late and of all the time ask for, None where nothing tells; ``troubles``; ``steps``, their ``rate``
        in frames per second; ``executors``, ``workers`` and ``sites``, with their units by state.

    Raises
    ------
    lake.errors.BadInput
        When there is no such run.
    """
    told = runs.find_run(lake, run_id)
    del told["document"]
    units, states = told["units"], told.pop("at")
    at_work = executors(lake, run_id)
    with transaction(lake.sessions) as session:
        now: datetime = session.execute(select(func.now())).scalar_one()
        tallies = _tallies(session, run_id, now)
        steps = _steps(session, run_id)
        troubles = _troubles(session, run_id)
    rate = _rate(tallies, at_work, now)
    _time(steps, tallies, rate["lately"] if told["status"] == "running" else rate["overall"])
    open_units = units["planned"] + units["leased"]
    return told | {
        "total": sum(units.values()),
        "ended": sum(units.values()) - open_units,
        "rate": rate,
        "left": _left(open_units, rate) if told["status"] == "running" else None,
        "memory": max((row.memory for row in tallies), default=0),
        "troubles": troubles,
        "steps": steps,
        "executors": [one.document() for one in at_work],
        "workers": _workers(tallies, at_work, now),
        "sites": _sites(tallies, at_work, states, now),
    }


def _tallies(session: Session, run_id: str, now: datetime) -> Sequence[Row[Any]]:
    """What each worker of each executor did, in all and lately."""
    lately = Tally.minute > now - timedelta(minutes=LATELY)
    query = (
        select(
            Tally.executor,
            Tally.worker,
            func.sum(Tally.units).label("units"),
            func.sum(Tally.troubles).label("troubles"),
            func.sum(Tally.bytes_in).label("bytes_in"),
            func.sum(Tally.bytes_out).label("bytes_out"),
            func.sum(Tally.seconds).label("seconds"),
            func.max(Tally.memory).label("memory"),
            func.min(Tally.minute).label("first"),
            func.coalesce(func.sum(Tally.units).filter(lately), 0).label("lately"),
            func.coalesce(func.sum(Tally.bytes_in).filter(lately), 0).label("bytes_in_lately"),
            func.coalesce(func.sum(Tally.bytes_out).filter(lately), 0).label("bytes_out_lately"),
        )
        .where(Tally.run_id == run_id)
        .group_by(Tally.executor, Tally.worker)
        .order_by(Tally.executor, Tally.worker)
    )
    return session.execute(query).all()


def _rate(tallies: Iterable[Row[Any]], at_work: Sequence[Executor], now: datetime) -> dict[str, float]:
    """Units per minute and bytes per second, of late and over all the time that anybody was at it."""
    tallies = list(tallies)
    span, late = _seconds_at_work(at_work, now), _seconds_at_work(at_work, now, lately=True)

    def per(name: str, seconds: float, unit: float = 1.0) -> float:
        return unit * float(sum(getattr(row, name) for row in tallies)) / seconds if seconds else 0.0

    return {
        "lately": per("lately", late, 60.0),
        "overall": per("units", span, 60.0),
        "bytes_in": per("bytes_in_lately", late) if late else per("bytes_in", span),
        "bytes_out": per("bytes_out_lately", late) if late else per("bytes_out", span),
    }


def _seconds_at_work(at_work: Iterable[Executor], now: datetime, *, lately: bool = False) -> float:
    """For how long anybody was at it, however many they were at the same time."""
    since = now - timedelta(minutes=LATELY) if lately else datetime.min.replace(tzinfo=now.tzinfo)
    # Tallies are kept by the minute: what is counted as of late began with a minute.
    since = since.replace(second=0, microsecond=0) + timedelta(minutes=1) if lately else since
    total, reached = 0.0, since
    for one in sorted(at_work, key=lambda one: one.started):
        end = one.ended or (now if one.alive else one.seen)
        begin = max(one.started, reached)
        total += max(0.0, (end - begin).total_seconds())
        reached = max(reached, end)
    return total


def _left(units: int, rate: Mapping[str, float]) -> list[float] | None:
    """The least and the most seconds for so many units; None where nothing tells."""
    rates = [rate["lately"], rate["overall"]]
    if not units or min(rates) <= 0.0:
        return None
    return [60.0 * units / max(rates), 60.0 * units / min(rates)]


def _steps(session: Session, run_id: str) -> list[dict[str, Any]]:
    """How long each step takes, the one that takes most of the time first."""
    query = (
        select(StepTime.step, func.sum(StepTime.times), func.sum(StepTime.seconds))
        .where(StepTime.run_id == run_id)
        .group_by(StepTime.step, StepTime.bucket)
        .order_by(StepTime.step, StepTime.bucket)
    )
    buckets: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for step, times, seconds in session.execute(query):
        buckets[step].append((int(times), float(seconds)))
    total = sum(seconds for found in buckets.values() for _, seconds in found)
    told = []
    for step, found in buckets.items():
        seconds = sum(one for _, one in found)
        told.append(
            {
                "step": step,
                "times": sum(times for times, _ in found),
                "median": quantile(found, 0.5),
                "p95": quantile(found, 0.95),
                "seconds": seconds,
                "share": seconds / total if total else 0.0,
            }
        )
    return sorted(told, key=lambda one: (-one["seconds"], one["step"]))


def _time(steps: Iterable[dict[str, Any]], tallies: Iterable[Row[Any]], rate: float) -> None:
    """Say of each step how many frames pass it in a second, where units end at a rate per minute."""
    units = sum(int(row.units) for row in tallies)
    for one in steps:
        one["rate"] = rate / 60.0 * one["times"] / units if units else 0.0


def quantile(buckets: Sequence[tuple[int, float]], share: float) -> float:
    """The time that a share of all times does not exceed: the mean of the bucket it lies in.

    Parameters
    ----------
    buckets
        Number and sum of the times of each, in their order.
    share
        From 0 to 1.
    """
    wanted, passed = share * sum(times for times, _ in buckets), 0
    for times, seconds in buckets:
        passed += times
        if passed >= wanted:
            return seconds / times
    return 0.0


def _troubles(session: Session, run_id: str) -> list[dict[str, Any]]:
    """What failed and was put aside, together where the reason is the same; the most frequent first."""
    rows = session.execute(_TROUBLES, {"run_id": run_id}).all()
    told = [
        {
            "state": row.state,
            "reason": row.reason,
            "step": row.step,
            "advice": row.advice,
            "units": int(row.units),
            "example": row.first[1],
        }
        for row in rows[:_KINDS]
    ]
    if rest := rows[_KINDS:]:
        number = sum(int(row.units) for row in rest)
        told.append(
            {
                "state": "failed",
                "reason": f"{len(rest)} other reasons",
                "step": "",
                "advice": "",
                "units": number,
                "example": rest[0].first[1],
            }
        )
    return told


def _workers(tallies: Iterable[Row[Any]], at_work: Sequence[Executor], now: datetime) -> list[dict[str, Any]]:
    """What each worker did for each executor."""
    of_owner = _by_owner(at_work)
    return [
        {
            "worker": row.worker,
            "executor": row.executor,
            "site": of_owner[row.executor][-1].site if row.executor in of_owner else "",
            "units": int(row.units),
            "troubles": int(row.troubles),
            "rate": _of_late(int(row.lately), of_owner.get(row.executor, ()), now),
            "seconds": float(row.seconds),
            "memory": int(row.memory),
        }
        for row in tallies
    ]


def _sites(
    tallies: Iterable[Row[Any]],
    at_work: Sequence[Executor],
    states: Mapping[str, Mapping[str, int]],
    now: datetime,
) -> list[dict[str, Any]]:
    """What was done at each site, and what is to be done there still."""
    of_owner = _by_owner(at_work)
    counted: dict[str, dict[str, int]] = {}
    for row in tallies:
        site = of_owner[row.executor][-1].site if row.executor in of_owner else ""
        sums = counted.setdefault(site, dict.fromkeys(_COUNTED, 0))
        for name in _COUNTED:
            sums[name] += int(getattr(row, name))
    nothing = dict.fromkeys(_COUNTED, 0)
    told = []
    for site in sorted({*counted, *(one.site for one in at_work), *filter(None, states)}):
        sums, there = counted.get(site, nothing), [one for one in at_work if one.site == site]
        told.append(
            {
                "site": site,
                "executors": sum(one.alive for one in there),
                "units": sums["units"],
                "rate": _of_late(sums["lately"], there, now),
                "troubles": sums["troubles"],
                "bytes_in": sums["bytes_in"],
                "bytes_out": sums["bytes_out"],
                "states": dict(states.get(site, {})),
            }
        )
    return told


def _of_late(units: int, at_work: Sequence[Executor], now: datetime) -> float:
    """Units per minute of the time of late that somebody was at it."""
    seconds = _seconds_at_work(at_work, now, lately=True)
    return 60.0 * units / seconds if seconds else 0.0


def _by_owner(at_work: Iterable[Executor]) -> dict[str, list[Executor]]:
    found: dict[str, list[Executor]] = defaultdict(list)
    for one in at_work:
        found[one.owner].append(one)
    return found
