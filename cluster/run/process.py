"""Runs: a plan being carried out, resumable wherever it was stopped.

All state lies in the lake's ledger and storage; nothing this process holds is
needed to go on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final, Protocol

from cluster.plan.plan import Plan
from cluster.plan.refusals import refuse_hopeless
from cluster.plan.units import PlannedUnit
from cluster.report import LEFT_OUT, Item, Report
from cluster.run.alike import FirstFailures
from cluster.run.carrying import Carrying, Means, Progress, on_dask
from cluster.run.kept_plan import KeptPlan, kept_plan, plan_of
from cluster.run.open_run import end_orphans, open_run, require_free, take
from cluster.run.remake import Remade, remake_lost
from cluster.scheduler import Scheduler
from lake.governance.policy import PUBLIC, Principal
from lake.lake import Lake
from lake.ledger import control, runs
from lake.ledger.results import forget_lost, forget_quarantined, results
from lake.ledger.run import Run
from lake.ledger.sites import move
from lake.ledger.units import Result
from lake.names import ProductKey, version_token
from lake.releases.access import require_inputs
from lake.releases.activation import active_units
from lake.releases.releases import active_files, find_by_key
from lake.releases.withdrawal import withdrawn_files
from lake.rucio.client import batches
from pipeline.errors import Fatal
from pipeline.outcome import Outcome, Status

#: Units whose ends are read together for the report.
_MANY: Final = 10_000


class Crew(Protocol):
    """Executors of several sites that share a run."""

    def places(self, lake: Lake, plan: Plan, units: Sequence[PlannedUnit]) -> Mapping[str, str]:
        """The site of each unit."""
        ...

    def carry_out(
        self, run: Run, plan: Plan, on_progress: Progress | None, *, keep_going: bool
    ) -> list[dict[str, Any]]:
        """Have an open run carried out; the releases made."""
        ...


def process(
    lake: Lake,
    scheduler: Scheduler,
    plan: Plan,
    *,
    on_progress: Progress | None = None,
    retry_quarantined: bool = False,
    keep_going: bool = False,
    principal: Principal = PUBLIC,
    crew: Crew | None = None,
    means: Means = on_dask,
) -> Report:
    """Carry out a plan, or go on with it where it was stopped.

    Parameters
    ----------
    lake
        Where everything lies.
    scheduler
        The Dask scheduler.
    plan
        What to do. Products that are up to date are left alone.
    on_progress
        Called with units finished, their total, and the name of the last.
    retry_quarantined
        Try units again that were put aside.
    keep_going
        Put frames aside even where the first ones all fail alike, instead of stopping the run.
    principal
        On whose behalf: inputs that they may not read are refused.
    crew
        Executors of several sites, that do it instead of this process.
    means
        How this process has the units carried out.

    Returns
    -------
    Report
        One item per unit of the plan; ``more["run"]`` is the run's id (`None`
        when there was nothing to do), ``more["releases"]`` what was published, ``more["left_over"]`` the
        releases that stay ACTIVE though all that the plan would make them of was put aside, and
        ``more["not_for"]`` how many files of its level the recipe is not for, with the first of them.

    Raises
    ------
    pipeline.errors.Fatal
        When every unit would fail alike.
    pipeline.errors.Retriable, lake.errors.Retriable
        When a service is lost. The same command goes on later.
    lake.errors.BadInput
        When another process is carrying out this very plan, or an input may not be read.
    """
    refuse_hopeless(lake, plan)
    grant = require_inputs(lake, principal, plan.parents(), plan.reference_dids())
    known = results(lake, (unit.unit_id for unit in plan.units))
    if retry_quarantined:
        again = [name for name, result in known.items() if result.outcome == Status.QUARANTINED]
        forget_quarantined(lake, again)
        known = {name: result for name, result in known.items() if name not in set(again)}
    remade = remake_lost(lake, scheduler, plan, grant, known)
    # What cannot be made again as it was is made anew: its product gets its next version.
    forget_lost(lake, list(remade.other))
    known = {name: result for name, result in known.items() if name not in remade.other}
    work = [
        unit
        for product, members in plan.by_product().items()
        if not _up_to_date(lake, product, members, known)
        for unit in members
    ]
    places = crew.places(lake, plan, work) if crew is not None and work else {}
    run = open_run(lake, plan, work, retry_quarantined=retry_quarantined, places=places) if work else None
    if run is None:
        end_orphans(lake, plan)
    releases = []
    if run is not None and crew is not None:
        releases = crew.carry_out(run, plan, on_progress, keep_going=keep_going or _ever_done(known))
    elif run is not None:
        first = FirstFailures(armed=not keep_going and not _ever_done(known))
        kept = KeptPlan(run, plan.recipe, plan.context, plan.code)
        releases = Carrying(kept, grant, len(work), on_progress, first, means=means).carry_out(scheduler)
    return _report(lake, plan, run, known, releases, remade)


def resume(
    lake: Lake,
    scheduler: Scheduler,
    run_id: str,
    *,
    on_progress: Progress | None = None,
    keep_going: bool = False,
    principal: Principal = PUBLIC,
    again: Sequence[str] | None = None,
    crew: Crew | None = None,
) -> Report:
    """Go on with a run by its id, whatever a plan of today would say.

    Parameters and report are those of `process`; the errors too. Of what failed or was put aside the units
    `again` are tried again, by default all that failed.
    """
    told = runs.find_run(lake, run_id)
    plan = plan_of(lake, told)
    grant = require_inputs(lake, principal, plan.parents(), plan.reference_dids())
    known = results(lake, (unit.unit_id for unit in plan.units))
    remade = remake_lost(lake, scheduler, plan, grant, known)
    if remade.other and _all_active(lake, plan, remade):
        return process(
            lake,
            scheduler,
            plan,
            on_progress=on_progress,
            keep_going=keep_going,
            principal=principal,
            crew=crew,
        )
    run = take(lake, told)
    if again is None:
        run.replan(["failed"])
    else:
        run.replan_units(again)
    if crew is not None:
        move(run, crew.places(lake, plan, plan.units))
        releases = crew.carry_out(run, plan, on_progress, keep_going=keep_going or _ever_done(known))
    else:
        first = FirstFailures(armed=not keep_going and not _ever_done(known))
        kept = kept_plan(run, told)
        releases = Carrying(kept, grant, len(plan.units), on_progress, first).carry_out(scheduler)
    return _report(lake, plan, run, known, releases, remade)


def retry(
    lake: Lake,
    scheduler: Scheduler,
    run_id: str,
    reason: str = "",
    *,
    on_progress: Progress | None = None,
    keep_going: bool = False,
    principal: Principal = PUBLIC,
    crew: Crew | None = None,
) -> Report:
    """Try units of a run again that failed or were put aside for a reason that holds some words.

    A run that published their products already is left as it was: a new one makes the next versions, and in
    these everything is tried that failed. Parameters, report and errors are those of `process`.
    """
    told = runs.find_run(lake, run_id)
    plan = plan_of(lake, told)
    require_free(lake, told)
    found = control.troubled(lake, run_id, reason)
    control.note_retry(lake, run_id, principal, reason, len(found))
    forget_quarantined(lake, list(found))
    products = {unit.product for unit in plan.units if unit.unit_id in found}
    if told["status"] == "done" or any(find_by_key(lake, one, run_id) is not None for one in products):
        carry_out = partial(process, lake, scheduler, plan)
    else:
        carry_out = partial(resume, lake, scheduler, run_id, again=list(found))
    return carry_out(on_progress=on_progress, keep_going=keep_going, principal=principal, crew=crew)


def _all_active(lake: Lake, plan: Plan, remade: Remade) -> bool:
    """Whether lost files belong to ACTIVE releases: a newer one is not to be replaced by this old plan's."""
    products = {unit.product for unit in plan.units if unit.unit_id in remade.other}
    active = {file.unit_id for product in products for file in active_files(lake, product)}
    return remade.other.keys() <= active


def _report(
    lake: Lake,
    plan: Plan,
    run: Run | None,
    known: dict[str, Result],
    releases: list[dict[str, Any]],
    remade: Remade,
) -> Report:
    items = [remade.told(item) for item in _items(lake, plan, run, known)]
    return Report(
        items,
        {
            "run": run.id if run else None,
            "releases": releases,
            "put_back": sorted(remade.put_back.values()),
            "left_over": _left_over(lake, plan, items),
            "not_for": plan.not_for.document(),
        },
    )


def _left_over(lake: Lake, plan: Plan, items: Sequence[Item]) -> list[str]:
    """Releases that nothing takes the place of: what is refused today, and was not once, makes no version."""
    aside = {item.unit for item in items if item.outcome == Status.QUARANTINED}
    barren = [
        product.name
        for product, members in plan.by_product().items()
        if all(unit.unit_id in aside for unit in members)
    ]
    stay = active_units(lake, barren)
    return sorted(f"{name}@{version_token(one.version)}" for name, one in stay.items() if one.units)


def _ever_done(known: Mapping[str, Result]) -> bool:
    """Whether any unit gave a file: then a frame that fails is to blame itself."""
    return any(result.file is not None for result in known.values())


def _up_to_date(
    lake: Lake, product: ProductKey, members: Sequence[PlannedUnit], known: dict[str, Result]
) -> bool:
    """Whether every unit has its result and the ACTIVE release holds just these files, or none came out."""
    given = [known.get(unit.unit_id) for unit in members]
    if any(result is None for result in given):
        return False
    wanted = {result.file.did for result in given if result is not None and result.file is not None}
    wanted -= withdrawn_files(lake, wanted).keys()
    if not wanted:
        return True
    active = {file.did for file in active_files(lake, product) if file.unit_id is not None}
    return wanted == active


def _items(lake: Lake, plan: Plan, run: Run | None, known: dict[str, Result]) -> list[Item]:
    """What became of every unit of the plan, in its order."""
    gone = withdrawn_files(lake, {one.file.did for one in known.values() if one.file is not None})
    items: list[Item] = []
    for units in batches(plan.units, _MANY):
        names = [unit.unit_id for unit in units]
        of_run = {one.unit_id: one for one in run.outcomes_of(names)} if run else {}
        made = results(lake, names) if run else known
        for unit in units:
            before, now = known.get(unit.unit_id), of_run.get(unit.unit_id)
            if before is not None:
                outcome = Outcome.model_validate(before.detail)
                state = "quarantined" if before.file is None else "skipped"
                reason = outcome.reason if before.file is None else _unchanged(before.file.did, gone)
            elif now is not None:
                outcome = Outcome.model_validate(now.outcome.get("outcome", {}))
                state, reason = now.state, outcome.reason
            else:
                raise Fatal(f"unit {unit.unit_id} of {unit.file.did} is in the plan and not in {run}")
            items.append(_item(unit, state, reason, outcome, made.get(unit.unit_id)))
    return items + [
        Item(entry.file, "skipped", reason=entry.reason, code=LEFT_OUT) for entry in plan.left_out
    ]


def _unchanged(did: str, withdrawn: Mapping[str, str]) -> str:
    if did in withdrawn:
        return f"what it gives was withdrawn ({withdrawn[did]}); other settings or references make another"
    return "made before, unchanged"


def _item(unit: PlannedUnit, state: str, reason: str, outcome: Outcome, result: Result | None) -> Item:
    return Item(
        file=unit.file.name,
        outcome=state,
        reason=reason,
        advice=outcome.advice,
        keyword=outcome.keyword,
        found=outcome.found,
        unit=unit.unit_id,
        did=unit.file.did,
        output=result.file.did if result is not None and result.file is not None else "",
        caveats=outcome.caveats,
    )
