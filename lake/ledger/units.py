"""The ledger: which units of a run are done, who works on which, and what every unit ever gave.

Units are claimed with `FOR UPDATE SKIP LOCKED` under leases, so several executors share one run.
What a unit gave is kept under its content hash: the same unit is never done twice.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import CursorResult, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from lake.catalogue.models import File, Plan, Product, Release, Run, Unit, UnitResult
from lake.catalogue.session import to_json, transaction
from lake.entries import FileEntry, iso
from lake.errors import BadInput, Fatal, Reason
from lake.lake import Lake
from lake.ledger.owners import is_dead
from lake.releases import nearby
from lake.releases.releases import entry
from lake.rucio.client import batches

STATES = ("planned", "leased", "done", "skipped", "quarantined", "failed")
LEASE_SECONDS = 300
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that are mistaken for another when read aloud
_MANY = 10_000


@dataclass(frozen=True)
class UnitSpec:
    """A unit as it is entered into a run.

    Parameters
    ----------
    unit_id
        Hash of all that determines the result.
    product
        Name of the product it belongs to.
    payload
        Plain data the executor needs to do it.
    """

    unit_id: str
    product: str
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Claimed:
    """A unit that is ours until the lease ends; `attempts` counts this one."""

    unit_id: str
    product: str
    attempts: int
    payload: dict[str, Any]


@dataclass(frozen=True)
class Finished:
    """How a unit ended: `state` is done, skipped, quarantined or failed."""

    unit_id: str
    state: str
    outcome: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """What a unit gave, in this run or any before it."""

    unit_id: str
    outcome: str
    file: FileEntry | None
    detail: dict[str, Any]


def create_run(
    lake: Lake,
    plan_id: str,
    document: Mapping[str, Any],
    recipe: str,
    units: Iterable[UnitSpec],
    owner: str,
) -> str:
    """Enter a plan and its units into the ledger, all or nothing.

    Parameters
    ----------
    lake
        The lake.
    plan_id
        Hash of the plan; an equal plan is kept once.
    document
        The plan without its units.
    recipe
        Name of the recipe.
    units
        In the order they should be done; may be a generator of a million.
    owner
        See `lake.ledger.owners.this_process`.

    Returns
    -------
    str
        The run's id, short enough to type: `20261120-k3f9`.
    """
    with transaction(lake.sessions) as session:
        session.execute(
            insert(Plan)
            .values(id=plan_id, document=dict(document))
            .on_conflict_do_nothing(index_elements=["id"])
        )
        run_id = _new_run_id(session)
        session.add(Run(id=run_id, plan_id=plan_id, status="running", recipe=recipe, owner=owner))
        session.flush()
        # COPY, not INSERT: a million units in seconds and constant memory.
        cursor = session.connection().connection.cursor()
        statement = "COPY unit (run_id, unit_id, position, product, payload) FROM STDIN"
        with cursor.copy(statement) as rows:
            position = 0
            for position, unit in enumerate(units, start=1):
                rows.write_row((run_id, unit.unit_id, position, unit.product, to_json(unit.payload)))
        if position > _MANY:  # else the first claims are planned for the table as it was, and read all of it
            session.execute(text("ANALYZE unit"))
    return run_id


def claim(
    lake: Lake, run_id: str, owner: str, count: int, lease_seconds: float = LEASE_SECONDS
) -> list[Claimed]:
    """Lease up to `count` units that nobody works on, in order; those of ended leases are included."""
    statement = text(
        """
        WITH picked AS (
            SELECT unit_id FROM unit
            WHERE run_id = :run_id AND state IN ('planned', 'leased')
              AND (state = 'planned' OR lease_until < now())
            ORDER BY position LIMIT :count FOR UPDATE SKIP LOCKED
        )
        UPDATE unit SET state = 'leased', lease_owner = :owner, attempts = unit.attempts + 1,
                        lease_until = now() + make_interval(secs => :seconds)
        FROM picked WHERE unit.run_id = :run_id AND unit.unit_id = picked.unit_id
        RETURNING unit.position, unit.unit_id, unit.product, unit.attempts, unit.payload
        """
    )
    values = {"run_id": run_id, "count": count, "owner": owner, "seconds": lease_seconds}
    with transaction(lake.sessions) as session:
        rows = sorted(session.execute(statement, values).all(), key=lambda row: int(row.position))
    return [Claimed(row.unit_id, row.product, row.attempts, row.payload) for row in rows]


def heartbeat(lake: Lake, owner: str, lease_seconds: float = LEASE_SECONDS) -> int:
    """Prolong all leases of an owner; returns how many it holds.

    Rows being changed at this moment are left alone: two statements that lock the same rows in different
    orders would wait for each other, and the database ends one of them.
    """
    statement = text(
        """
        WITH mine AS (
            SELECT run_id, unit_id FROM unit WHERE state = 'leased' AND lease_owner = :owner
            FOR UPDATE SKIP LOCKED
        )
        UPDATE unit SET lease_until = now() + make_interval(secs => :seconds)
        FROM mine WHERE unit.run_id = mine.run_id AND unit.unit_id = mine.unit_id
        """
    )
    with transaction(lake.sessions) as session:
        return _changed(session.execute(statement, {"owner": owner, "seconds": lease_seconds}))


def finish(lake: Lake, run_id: str, owner: str, finished: Sequence[Finished]) -> int:
    """Record how units ended, in one statement.

    Returns
    -------
    int
        How many were accepted: a unit whose lease went to somebody else meanwhile is left to them.
    """
    statement = text(
        """
        UPDATE unit SET state = d.state, outcome = d.outcome::jsonb, finished = now(),
                        lease_owner = NULL, lease_until = NULL
        FROM unnest(CAST(:ids AS text[]), CAST(:states AS text[]), CAST(:outcomes AS text[]))
             AS d(unit_id, state, outcome)
        WHERE unit.run_id = :run_id AND unit.unit_id = d.unit_id AND unit.state = 'leased'
          AND unit.lease_owner = :owner
        """
    )
    with transaction(lake.sessions) as session:
        return _changed(
            session.execute(
                statement,
                {
                    "run_id": run_id,
                    "owner": owner,
                    "ids": [one.unit_id for one in finished],
                    "states": [one.state for one in finished],
                    "outcomes": [to_json(one.outcome) for one in finished],
                },
            )
        )


def give_back(lake: Lake, run_id: str, owner: str, unit_ids: Sequence[str] | None = None) -> int:
    """Return leases of a run unfinished: some units to be tried again, or (None) all, at an orderly end."""
    statement = update(Unit).where(Unit.run_id == run_id, Unit.state == "leased", Unit.lease_owner == owner)
    if unit_ids is not None:
        statement = statement.where(Unit.unit_id.in_(list(unit_ids)))
    with transaction(lake.sessions) as session:
        return _changed(
            session.execute(statement.values(state="planned", lease_owner=None, lease_until=None))
        )


def take_over(lake: Lake) -> int:
    """Free the units of owners that are certainly dead, without waiting for their leases to end."""
    with transaction(lake.sessions) as session:
        owners = session.scalars(select(Unit.lease_owner).where(Unit.state == "leased").distinct()).all()
        dead = [owner for owner in owners if owner is not None and is_dead(owner)]
        return _changed(
            session.execute(
                update(Unit)
                .where(Unit.state == "leased", Unit.lease_owner.in_(dead))
                .values(state="planned", lease_owner=None, lease_until=None)
            )
        )


def replan(lake: Lake, run_id: str, states: Sequence[str]) -> int:
    """Plan units of a run again that ended in one of these states; returns how many."""
    statement = update(Unit).where(Unit.run_id == run_id, Unit.state.in_(list(states)))
    with transaction(lake.sessions) as session:
        return _changed(session.execute(statement.values(state="planned", outcome=None, finished=None)))


def replan_given_up(lake: Lake, run_id: str) -> int:
    """Plan units of a run again that were done for a release that is neither published nor reserved now.

    Their files carry a version that is never given again (see `lake.releases.drafts.discard`).
    """
    kept = select(Product.name).join(Release).where(Release.draft_key == run_id)
    statement = update(Unit).where(Unit.run_id == run_id, Unit.state == "done", Unit.product.not_in(kept))
    with transaction(lake.sessions) as session:
        return _changed(session.execute(statement.values(state="planned", outcome=None, finished=None)))


def has_live_lease(lake: Lake, run_id: str) -> bool:
    """Whether anybody has lately said that they work on units of a run."""
    query = select(func.count()).where(
        Unit.run_id == run_id, Unit.state == "leased", Unit.lease_until > func.now()
    )
    with transaction(lake.sessions) as session:
        return bool(session.scalar(query))


def counts(lake: Lake, run_id: str) -> dict[str, int]:
    """Number of units in each state, zeros included."""
    query = select(Unit.state, func.count()).where(Unit.run_id == run_id).group_by(Unit.state)
    with transaction(lake.sessions) as session:
        found = {state: int(number) for state, number in session.execute(query)}
    return {state: found.get(state, 0) for state in STATES}


def outcomes(lake: Lake, run_id: str, product: str | None = None) -> list[Finished]:
    """State and outcome of the units of a run, or of one product of it, in their order."""
    query = select(Unit.unit_id, Unit.state, Unit.outcome).where(Unit.run_id == run_id)
    if product is not None:
        query = query.where(Unit.product == product)
    with transaction(lake.sessions) as session:
        rows = session.execute(query.order_by(Unit.position)).all()
    return [Finished(row.unit_id, row.state, row.outcome or {}) for row in rows]


def payloads(lake: Lake, run_id: str, product: str | None = None) -> dict[str, tuple[str, dict[str, Any]]]:
    """Product and payload of the units of a run, or of one product of it, in their order."""
    query = select(Unit.unit_id, Unit.product, Unit.payload).where(Unit.run_id == run_id)
    if product is not None:
        query = query.where(Unit.product == product)
    with transaction(lake.sessions) as session:
        rows = session.execute(query.order_by(Unit.position)).all()
    return {row.unit_id: (row.product, row.payload) for row in rows}


def finished_products(lake: Lake, run_id: str, among: Collection[str] | None = None) -> list[str]:
    """Products of a run, or of some of it, none of whose units is still to be done."""
    still_open = func.count().filter(Unit.state.in_(("planned", "leased")))
    query = (
        select(Unit.product)
        .where(Unit.run_id == run_id)
        .group_by(Unit.product)
        .having(still_open == 0)
        .order_by(func.min(Unit.position))
    )
    if among is not None:
        query = query.where(Unit.product == func.any(list(among)))
    with transaction(lake.sessions) as session:
        return list(session.scalars(query))


def runs(lake: Lake, limit: int = 100, status: str | None = None) -> list[dict[str, Any]]:
    """Runs, newest first, with the number of units in each state."""
    query = select(Run).order_by(Run.created.desc()).limit(limit)
    if status is not None:
        query = query.where(Run.status == status)
    with transaction(lake.sessions) as session:
        found = list(session.scalars(query))
        ids = [run.id for run in found]
        numbers = session.execute(
            select(Unit.run_id, Unit.state, func.count())
            .where(Unit.run_id.in_(ids))
            .group_by(Unit.run_id, Unit.state)
        ).all()
    by_run: dict[str, dict[str, int]] = {one: dict.fromkeys(STATES, 0) for one in ids}
    for run_id, state, number in numbers:
        by_run[run_id][state] = number
    return [_describe(run) | {"units": by_run[run.id]} for run in found]


def runs_of_plan(lake: Lake, plan_id: str) -> list[dict[str, Any]]:
    """Runs of one plan, newest first."""
    query = select(Run).where(Run.plan_id == plan_id).order_by(Run.created.desc())
    with transaction(lake.sessions) as session:
        return [_describe(run) for run in session.scalars(query)]


def run(lake: Lake, run_id: str) -> dict[str, Any]:
    """One run with its plan's document and the number of units in each state.

    Raises
    ------
    BadInput
        With code not-found.
    """
    with transaction(lake.sessions) as session:
        row = session.get(Run, run_id)
        if row is None:
            raise BadInput(
                f"there is no run {run_id!r}",
                advice=nearby.run_instead_of(lake, run_id),
                code=Reason.NOT_FOUND,
            )
        document = session.get_one(Plan, row.plan_id).document
    return _describe(row) | {"units": counts(lake, run_id), "document": document}


def adopt_run(lake: Lake, run_id: str, owner: str) -> None:
    """Continue a run as its new owner (its dead owner's units are freed by `take_over`)."""
    _set_run(lake, run_id, {"owner": owner, "status": "running", "finished": None})


def finish_run(lake: Lake, run_id: str, status: str, note: str = "") -> None:
    """End a run: done, failed or stopped."""
    _set_run(lake, run_id, {"status": status, "note": note, "finished": func.now()})


def results(lake: Lake, unit_ids: Iterable[str]) -> dict[str, Result]:
    """What units gave in any run, of those that are known."""
    found: dict[str, Result] = {}
    with transaction(lake.sessions) as session:
        for batch in batches(unit_ids, _MANY):
            query = (
                select(UnitResult, File)
                .outerjoin(File, File.id == UnitResult.file_id)
                .where(UnitResult.unit_id == func.any(batch))
            )
            for row, file in session.execute(query):
                made = None if file is None else entry(file, row.refs)
                found[row.unit_id] = Result(row.unit_id, row.outcome, made, dict(row.detail))
    return found


def known_outcomes(lake: Lake, unit_ids: Iterable[str]) -> dict[str, str]:
    """How units ended in any run (done or quarantined), of those that are known, without what they gave."""
    found: dict[str, str] = {}
    with transaction(lake.sessions) as session:
        for batch in batches(unit_ids, _MANY):
            query = select(UnitResult.unit_id, UnitResult.outcome).where(
                UnitResult.unit_id == func.any(batch)
            )
            found.update((row.unit_id, row.outcome) for row in session.execute(query))
    return found


def record_quarantined(lake: Lake, units: Mapping[str, Mapping[str, Any]]) -> None:
    """Remember that units can give no file, so that they are not tried again; a result is never replaced."""
    rows = [
        {"unit_id": unit_id, "outcome": "quarantined", "detail": dict(detail)}
        for unit_id, detail in units.items()
    ]
    with transaction(lake.sessions) as session:
        for batch in batches(rows, _MANY):
            session.execute(insert(UnitResult).on_conflict_do_nothing(index_elements=["unit_id"]), batch)


def forget_quarantined(lake: Lake, unit_ids: Sequence[str]) -> int:
    """Let quarantined units be tried again; results with a file are kept."""
    with transaction(lake.sessions) as session:
        return _changed(
            session.execute(
                delete(UnitResult).where(
                    UnitResult.unit_id.in_(list(unit_ids)), UnitResult.outcome == "quarantined"
                )
            )
        )


def forget_lost(lake: Lake, unit_ids: Sequence[str]) -> int:
    """Let units be done anew whose files are lost, or were not what the units stand for."""
    with transaction(lake.sessions) as session:
        return sum(
            _changed(session.execute(delete(UnitResult).where(UnitResult.unit_id.in_(batch))))
            for batch in batches(unit_ids, _MANY)
        )


def _describe(run: Run) -> dict[str, Any]:
    return {
        "run": run.id,
        "plan": run.plan_id,
        "status": run.status,
        "recipe": run.recipe,
        "owner": run.owner,
        "created": iso(run.created),
        "finished": iso(run.finished),
        "note": run.note,
    }


def _new_run_id(session: Session) -> str:
    day = datetime.now(UTC).strftime("%Y%m%d")
    for length in (4, 4, 4, 6, 8):
        run_id = f"{day}-{''.join(secrets.choice(_LETTERS) for _ in range(length))}"
        if session.get(Run, run_id) is None:
            return run_id
    raise Fatal("No free run id was found; this cannot happen by chance. Check the catalogue.")


def _set_run(lake: Lake, run_id: str, values: Mapping[str, Any]) -> None:
    with transaction(lake.sessions) as session:
        session.execute(update(Run).where(Run.id == run_id).values(**values))


def _changed(result: object) -> int:
    return result.rowcount if isinstance(result, CursorResult) else 0
