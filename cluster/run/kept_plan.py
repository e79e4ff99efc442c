"""The plan of a run, made again from what the ledger keeps of it: as a whole, or as much as is wanted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cluster.plan.plan import Plan
from cluster.plan.units import PlannedUnit
from lake.errors import BadInput
from lake.lake import Lake
from lake.ledger.owners import this_process
from lake.ledger.run import Run
from lake.ledger.units import Claimed, Finished
from lake.names import ProductKey
from pipeline import code
from pipeline.errors import Fatal
from pipeline.recipe import Recipe

#: Where a unit's payload names the releases that it reads, and the references.
_PARENTS: Final = ("$.unit.parent", "$.unit.others[*].parent")
_REFERENCES: Final = ("$.unit.references.*.did", "$.unit.others[*].references.*.did")


@dataclass(frozen=True)
class KeptPlan:
    """What a run carries out, without its units: these stay in the ledger until somebody claims them.

    However long a run, whoever carries it out holds no more of it than they work on.

    Parameters
    ----------
    run
        The run.
    recipe, context, code
        As of its `cluster.plan.plan.Plan`.
    """

    run: Run
    recipe: Recipe
    context: int | None
    code: Mapping[str, str]

    def unit(self, claimed: Claimed) -> PlannedUnit:
        """A unit that was claimed."""
        return PlannedUnit.of_payload(claimed.unit_id, claimed.payload["unit"])

    def units(self, product: str | None = None) -> Iterator[PlannedUnit]:
        """All units, or those of one product, in their order; read as they are asked for."""
        for unit_id, payload in self.run.payloads(product):
            yield PlannedUnit.of_payload(unit_id, payload["unit"])

    def ended(self, product: str) -> Iterator[tuple[PlannedUnit, Finished]]:
        """The units of a product and how each ended, in their order; read as they are asked for."""
        for finished, payload in self.run.members(product):
            yield PlannedUnit.of_payload(finished.unit_id, payload["unit"]), finished

    def product(self, name: str) -> ProductKey:
        """A product of the run by its name, as its units have it."""
        return ProductKey(*self.run.any_payload(name)["unit"]["product"])

    def parents(self, product: str | None = None) -> set[str]:
        """The releases that all units read, or those of one product."""
        return self.run.told_in_payloads(_PARENTS, product)

    def reference_dids(self, product: str | None = None) -> set[str]:
        """The references that all units read, or those of one product."""
        return self.run.told_in_payloads(_REFERENCES, product)


def kept_plan(run: Run, told: Mapping[str, Any]) -> KeptPlan:
    """What a run carries out.

    Parameters
    ----------
    run
        The run.
    told
        The same, as `lake.ledger.runs.find_run` describes it.

    Raises
    ------
    lake.errors.BadInput
        When it makes references.
    pipeline.errors.Fatal
        When the software changed since it was planned.
    """
    document = told["document"]
    if "recipe" not in document:
        raise BadInput(
            f"run {run.id} makes references, not products",
            advice=f"heliolake reduce --run {run.id} goes on with it",
        )
    recipe = Recipe.model_validate(document["recipe"])
    kept = KeptPlan(run, recipe, document["context"], document.get("code", {}))
    _require_code_of_today(kept)
    return kept


def plan_of(lake: Lake, told: Mapping[str, Any]) -> Plan:
    """The whole plan of a run, for who compares it with what is there; errors as of `kept_plan`."""
    kept = kept_plan(Run(lake, str(told["run"]), this_process()), told)
    return Plan(kept.recipe, kept.context, tuple(kept.units()), code=kept.code)


def _require_code_of_today(plan: KeptPlan) -> None:
    """A run is gone on with by the code it was planned with, or not at all."""
    today = code.of_recipe(plan.recipe)
    if plan.code != today:
        changed = code.differences(plan.code, today) if plan.code else "what it was is not known"
        raise Fatal(
            f"the software changed since run {plan.run.id} was planned: {changed}. Its products would be of "
            f"two kinds. Plan again: `heliolake process {plan.recipe.name}` with the same options makes a "
            "new run, and what was published stays done"
        )
