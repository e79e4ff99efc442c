"""Which run carries out a plan: one that was stopped, or a new one. Never two at once."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from typing import Any

from cluster.plan.plan import Plan
from cluster.plan.units import PlannedUnit
from lake.errors import BadInput
from lake.lake import Lake
from lake.ledger import runs
from lake.ledger.owners import is_dead, this_process
from lake.ledger.run import Run
from lake.ledger.sites import move
from lake.ledger.units import ENDED, UnitSpec
from lake.names import ProductKey
from lake.releases.releases import find_by_key, product_lock


def open_run(
    lake: Lake,
    plan: Plan,
    work: Sequence[PlannedUnit],
    *,
    retry_quarantined: bool = False,
    places: Mapping[str, str] | None = None,
) -> Run:
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
    places
        The site of each unit, where several are to share the run.

    Returns
    -------
    Run
        Open; it is this process's.

    Raises
    ------
    BadInput
        When another process is carrying the plan out.
    """
    there = places or {}
    # Two commands given at once would both find no run and make one each.
    with product_lock(lake, ProductKey("plans", plan.id, "0")):
        for told in runs.runs_of_plan(lake, plan.id):
            if told["status"] not in ENDED and _can_go_on(lake, told, work):
                run = take(lake, told)
                run.replan(["failed", *(["quarantined"] if retry_quarantined else [])])
                move(run, there)
                return run
        document = {key: value for key, value in plan.document().items() if key != "units"}
        specs = (
            UnitSpec(unit.unit_id, unit.product.name, {"unit": unit.payload()}, there.get(unit.unit_id, ""))
            for unit in work
        )
        return Run.create(lake, plan.id, document, plan.recipe.name, specs, this_process())


def end_orphans(lake: Lake, plan: Plan) -> None:
    """End runs of a plan whose process is gone, and whose executors did all that was left."""
    for told in runs.runs_of_plan(lake, plan.id):
        if told["status"] == "running" and is_dead(str(told["owner"])):
            run = Run(lake, str(told["run"]), this_process())
            if not run.left():
                run.end_as_it_is()


def take(lake: Lake, told: Mapping[str, Any], *, publishes: bool = True) -> Run:
    """Make a run ours, as it is listed, unless the process that carries it out is alive, or it is held up.

    Parameters
    ----------
    lake
        The lake.
    told
        The run.
    publishes
        Whether its units belong to releases that it reserved.

    Raises
    ------
    BadInput
        When it is.
    """
    require_free(lake, told)
    run = Run(lake, str(told["run"]), this_process())
    run.adopt(publishes=publishes)
    return run


def _can_go_on(lake: Lake, told: Mapping[str, Any], work: Sequence[PlannedUnit]) -> bool:
    """Whether a run holds all the work, and has not published a product of it already."""
    require_free(lake, told)
    run = Run(lake, str(told["run"]), this_process())
    if not run.holds(unit.unit_id for unit in work):
        return False
    return all(find_by_key(lake, product, run.id) is None for product in {unit.product for unit in work})


def require_free(lake: Lake, told: Mapping[str, Any]) -> None:
    """Refuse a run that a living process carries out, or that somebody holds up or gave up.

    Raises
    ------
    BadInput
        When it does.
    """
    owner, status = str(told["owner"]), told["status"]
    if status == "paused":
        raise BadInput(
            f"run {told['run']} is paused",
            advice=f"`heliolake runs resume {told['run']}` goes on with it; "
            f"`heliolake runs cancel {told['run']}` gives it up",
        )
    if status == "cancelled":
        raise BadInput(
            f"run {told['run']} was cancelled",
            advice="give the recipe and its options to begin a new one",
        )
    if status != "running" or owner == this_process() or is_dead(owner):
        return
    # A process of another host, or of this one under another name, cannot be looked at: its leases tell.
    if not owner.startswith(f"{socket.gethostname()}:") and not _is_worked_on(lake, told):
        return
    raise BadInput(
        f"run {told['run']} is being carried out by another process",
        keyword="owner",
        found=owner,
        advice="watch it with `heliolake runs`; if that process hangs, end it and run this again",
    )


def _is_worked_on(lake: Lake, told: Mapping[str, Any]) -> bool:
    return Run(lake, str(told["run"]), str(told["owner"])).has_live_lease()
