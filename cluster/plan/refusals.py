"""What is refused before a run: a plan none of whose units could be done, for their axes or a reference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from cluster.plan.layouts import refuse_other_axes
from cluster.plan.plan import Plan, selectable
from cluster.plan.units import PlannedUnit
from lake.calibration import contexts
from lake.calibration.choice import choose
from lake.lake import Lake
from pipeline.chain import BoundStep
from pipeline.errors import Fatal
from pipeline.recipe import Recipe
from pipeline.reduction import reductions_for
from pipeline.registry import instrument
from pipeline.step import ReferenceNeed

#: Contexts that are searched for a reference which the one in use lacks, the newest first.
_LOOKED_AT = 20


def required(recipe: Recipe) -> dict[str, tuple[BoundStep, ReferenceNeed]]:
    """The references without which a unit cannot be done, by name: the step that needs each, and the need."""
    return {
        need.name: (bound, need)
        for bound, need in recipe.needs()
        if not need.optional and need.name not in bound.assume
    }


def lacking(plan: Plan) -> dict[str, int]:
    """How many units of a plan lack a reference they cannot do without, by its name; these are put aside."""
    needs = required(plan.recipe).keys()
    counted = Counter(need for unit in plan.units for need in unit.absent.keys() & needs)
    return dict(counted.most_common())


def refuse_hopeless(lake: Lake, plan: Plan) -> None:
    """Refuse a plan whose steps take none of its files, or every unit of which lacks a reference.

    Raises
    ------
    pipeline.errors.Fatal
        Naming the step and what it takes; or the reference, what it is, and the command that makes it.
    """
    refuse_other_axes(plan.recipe, plan.units)
    needs = required(plan.recipe)
    if not plan.units or not all(unit.absent.keys() & needs for unit in plan.units):
        return
    number = len(plan.units)
    files = "The one file" if number == 1 else f"None of the {number} files"
    verdict = f"{files} can{'not' if number == 1 else ''} go through {plan.recipe.name}"
    missing = lacking(plan)
    # Where one is missing for all, that is the reason; the others may be named when it is there.
    for_all = {need: count for need, count in missing.items() if count == number}
    told = "; ".join(
        _told(lake, plan, need, count, *needs[need]) for need, count in (for_all or missing).items()
    )
    raise Fatal(f"{verdict}: {told}.")


def _told(lake: Lake, plan: Plan, name: str, count: int, bound: BoundStep, need: ReferenceNeed) -> str:
    first = next(unit for unit in plan.units if name in unit.absent)
    reason, _, _ = first.absent[name].rpartition("; ")
    how_many = "" if count == len(plan.units) else f" for {count} of them"
    ways = " — or ".join(_ways_out(lake, plan, first, bound, need))
    return (
        f"step {bound.step.name} needs the reference {name!r}{how_many} ({need.describe}), "
        f"and there is none: {reason} — {ways}"
    )


def _ways_out(
    lake: Lake, plan: Plan, unit: PlannedUnit, bound: BoundStep, need: ReferenceNeed
) -> Iterator[str]:
    owner = plan.recipe.instrument
    other = _context_with(lake, plan, unit, need.name)
    kinds = reductions_for(owner, need.name)
    if other is not None:
        yield f"context {other} has one: `heliolake context use {other}`"
    elif kinds:
        yield f"make it: `heliolake reduce {kinds[0].name} --instrument {owner} --use`"
    elif any(rule.need == need.name for rule in instrument(owner).references):
        yield "add it: `heliolake context add FOLDER --use`"
    else:
        yield f"add it: `heliolake context add FILE --need {need.name} --instrument {owner} --use`"
    demanded = dict(bound.demanded)
    if need.name in demanded:  # a later step does not let unity stand in for it
        yield demanded[need.name]
    elif need.unity_allowed:
        yield f"say `assume: {{{need.name}: unity}}` in the recipe"


def _context_with(lake: Lake, plan: Plan, unit: PlannedUnit, need: str) -> int | None:
    """The newest other context that has the reference: one that was made and is not in use."""
    entry = instrument(plan.recipe.instrument)
    keywords = selectable(unit.file, entry)
    numbers = [
        int(one["context"])
        for one in contexts.listing(lake)
        if one["instrument"] in ("", entry.name) and one["context"] != plan.context
    ]
    for number in sorted(numbers, reverse=True)[:_LOOKED_AT]:
        found = choose(contexts.load(lake, number), entry.name, need, unit.file.date_beg, keywords)
        if found.reference is not None:
            return number
    return None
