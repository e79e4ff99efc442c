"""Which run carries out a plan: one that was stopped, or a new one. Never two at once."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from typing import Any

from cluster.plan.plan import Plan, PlannedUnit
from lake.errors import BadInput
from lake.lake import Lake
from lake.ledger import units
from lake.ledger.owners import is_dead, this_process
from lake.names import ProductKey
from lake.releases.releases import find_by_key, product_lock


def open_run(lake: Lake, plan: Plan, work: Sequence[PlannedUnit], *, retry_quarantined: bool = False) -> str:
    """The run that does this work: the last one of the plan if it can be gone on with, else a new one.

    Parameters
    ----------
    lake
        The lake.
    plan
        The plan.
    work
        The units of its products that are not up to date.
    retry_quarantined
        Whether units that were put aside are planned again.

    Returns
    -------
    str
        The run's id; it is this process's.

    Raises
    ------
    BadInput
        When another process is carrying the plan out.
    """
    # Two commands given at once would both find no run and make one each.
    with product_lock(lake, ProductKey("plans", plan.id, "0")):
        for run in units.runs_of_plan(lake, plan.id):
            if run["status"] != "done" and _can_go_on(lake, run, work):
                take(lake, run)
                units.replan(lake, run["run"], ["failed", *(["quarantined"] if retry_quarantined else [])])
                return str(run["run"])
        document = {key: value for key, value in plan.document().items() if key != "units"}
        specs = (units.UnitSpec(unit.unit_id, unit.product.name, {"unit": unit.payload()}) for unit in work)
        return units.create_run(lake, plan.id, document, plan.recipe.name, specs, this_process())


def take(lake: Lake, run: Mapping[str, Any]) -> None:
    """Make a run ours, unless the process that carries it out is alive.

    Raises
    ------
    BadInput
        When it is.
    """
    _require_free(lake, run)
    units.adopt_run(lake, run["run"], this_process())
    units.take_over(lake)
    # What an earlier attempt of this very process lost sight of.
    units.give_back(lake, run["run"], this_process())
    units.replan_given_up(lake, run["run"])


def _can_go_on(lake: Lake, run: Mapping[str, Any], work: Sequence[PlannedUnit]) -> bool:
    """Whether a run holds all the work, and has not published a product of it already."""
    _require_free(lake, run)
    members = {one.unit_id for one in units.outcomes(lake, run["run"])}
    if not all(unit.unit_id in members for unit in work):
        return False
    return all(find_by_key(lake, product, run["run"]) is None for product in {unit.product for unit in work})


def _require_free(lake: Lake, run: Mapping[str, Any]) -> None:
    owner = str(run["owner"])
    if run["status"] != "running" or owner == this_process() or is_dead(owner):
        return
    # A process of another host, or of this one under another name, cannot be looked at: its leases tell.
    if not owner.startswith(f"{socket.gethostname()}:") and not units.has_live_lease(lake, run["run"]):
        return
    raise BadInput(
        f"run {run['run']} is being carried out by another process",
        keyword="owner",
        found=owner,
        advice="watch it with `heliolake runs`; if that process hangs, end it and run this again",
    )
