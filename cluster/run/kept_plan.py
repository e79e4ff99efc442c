"""The plan of a run, made again from what the ledger keeps of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cluster.plan.plan import Plan
from cluster.plan.units import PlannedUnit
from lake.errors import BadInput
from lake.lake import Lake
from lake.ledger.owners import this_process
from lake.ledger.run import Run
from pipeline import code
from pipeline.errors import Fatal
from pipeline.recipe import Recipe


def plan_of(lake: Lake, told: Mapping[str, Any]) -> Plan:
    """What a run carries out.

    Parameters
    ----------
    lake
        The lake.
    told
        The run, as `lake.ledger.runs.find_run` describes it.

    Raises
    ------
    lake.errors.BadInput
        When it makes references.
    pipeline.errors.Fatal
        When the software changed since it was planned.
    """
    run_id, document = str(told["run"]), told["document"]
    if "recipe" not in document:
        raise BadInput(
            f"run {run_id} makes references, not products",
            advice=f"heliolake reduce --run {run_id} goes on with it",
        )
    payloads = Run(lake, run_id, this_process()).payloads()
    plan = Plan(
        Recipe.model_validate(document["recipe"]),
        document["context"],
        tuple(PlannedUnit.of_payload(unit_id, payload["unit"]) for unit_id, (_, payload) in payloads.items()),
        code=document.get("code", {}),
    )
    _require_code_of_today(run_id, plan)
    return plan


def _require_code_of_today(run_id: str, plan: Plan) -> None:
    """A run is gone on with by the code it was planned with, or not at all."""
    today = code.of_recipe(plan.recipe)
    if plan.code != today:
        changed = code.differences(plan.code, today) if plan.code else "what it was is not known"
        raise Fatal(
            f"the software changed since run {run_id} was planned: {changed}. Its products would be of two "
            f"kinds. Plan again: `heliolake process {plan.recipe.name}` with the same options makes a new "
            "run, and what was published stays done"
        )
