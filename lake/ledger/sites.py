"""Units of a run by the site where they are to be done, and their moves from one to another."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import exists, func, select, text

from lake.catalogue.models import Run as RunRow
from lake.catalogue.models import Unit
from lake.catalogue.session import changed, transaction
from lake.lake import Lake
from lake.ledger.run import Run
from lake.ledger.units import STATES


def numbers(run: Run) -> dict[str, dict[str, int]]:
    """Number of units in each state at each site that has any, zeros included."""
    query = (
        select(Unit.site, Unit.state, func.count())
        .where(Unit.run_id == run.id)
        .group_by(Unit.site, Unit.state)
        .order_by(Unit.site)
    )
    found: dict[str, dict[str, int]] = {}
    with transaction(run.lake.sessions) as session:
        for site, state, number in session.execute(query):
            found.setdefault(site, dict.fromkeys(STATES, 0))[state] = number
    return found


def runs_with_work(lake: Lake, site: str) -> list[str]:
    """Runs that somebody carries out and that have units for a site on which nobody works, oldest first."""
    query = (
        select(RunRow.id)
        .where(RunRow.status == "running")
        .where(exists().where(Unit.run_id == RunRow.id, Unit.site == site, Unit.state == "planned"))
        .order_by(RunRow.created)
    )
    with transaction(lake.sessions) as session:
        return list(session.scalars(query))


def waiting(run: Run, site: str) -> list[str]:
    """Units that are to be done at a site and that nobody works on, in their order."""
    query = select(Unit.unit_id).where(Unit.run_id == run.id, Unit.site == site, Unit.state == "planned")
    with transaction(run.lake.sessions) as session:
        return list(session.scalars(query.order_by(Unit.position)))


def move(run: Run, places: Mapping[str, str]) -> int:
    """Have units done at other sites, unless somebody works on them; returns how many."""
    statement = text(
        """
        UPDATE unit SET site = d.site
        FROM unnest(CAST(:ids AS text[]), CAST(:sites AS text[])) AS d(unit_id, site)
        WHERE unit.run_id = :run_id AND unit.unit_id = d.unit_id AND unit.state = 'planned'
          AND unit.site <> d.site
        """
    )
    values = {"run_id": run.id, "ids": list(places), "sites": list(places.values())}
    with transaction(run.lake.sessions) as session:
        return changed(session.execute(statement, values))
