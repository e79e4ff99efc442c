"""Runs as they are listed: what there is, of which plan, and how far each is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lake.catalogue.models import Plan, Run, Unit
from lake.catalogue.session import transaction
from lake.entries import iso
from lake.errors import BadInput, Reason
from lake.lake import Lake
from lake.ledger.units import STATES
from lake.releases import nearby


def runs(lake: Lake, *, limit: int) -> list[dict[str, Any]]:
    """The last runs, newest first, with the number of units in each state."""
    with transaction(lake.sessions) as session:
        found = list(session.scalars(select(Run).order_by(Run.created.desc()).limit(limit)))
        numbers = _numbers(session, [run.id for run in found])
    return [_describe(run) | {"units": _over_all(numbers[run.id])} for run in found]


def runs_of_plan(lake: Lake, plan_id: str) -> list[dict[str, Any]]:
    """Runs of one plan, newest first."""
    query = select(Run).where(Run.plan_id == plan_id).order_by(Run.created.desc())
    with transaction(lake.sessions) as session:
        return [_describe(run) for run in session.scalars(query)]


def find_run(lake: Lake, run_id: str) -> dict[str, Any]:
    """One run with its plan's document and the number of units in each state, over all and ``at`` each site.

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
        at = _numbers(session, [run_id])[run_id]
    return _describe(row) | {"units": _over_all(at), "at": at, "document": document}


def _numbers(session: Session, ids: Sequence[str]) -> dict[str, dict[str, dict[str, int]]]:
    """Number of units of some runs, by site and state."""
    rows = session.execute(
        select(Unit.run_id, Unit.site, Unit.state, func.count())
        .where(Unit.run_id.in_(ids))
        .group_by(Unit.run_id, Unit.site, Unit.state)
    )
    found: dict[str, dict[str, dict[str, int]]] = {one: {} for one in ids}
    for run_id, site, state, number in rows:
        found[run_id].setdefault(site, {})[state] = number
    return found


def _over_all(numbers: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """Number of units in each state at whatever site, zeros included."""
    return {state: sum(there.get(state, 0) for there in numbers.values()) for state in STATES}


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
