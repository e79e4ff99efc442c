"""Runs: a plan being carried out, resumable wherever it was stopped.

All state lies in the lake's ledger and storage; nothing this process holds is
needed to go on. A finished file lies under its final name before its unit is
marked done, a release is published when the last unit of its product is, and
each of these may be repeated.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any, Final

from cluster.connect import connected
from cluster.plan.plan import Plan, PlannedUnit
from cluster.plan.refusals import refuse_hopeless
from cluster.report import Item, Report
from cluster.run import publish
from cluster.run.alike import AllAlike, FirstFailures
from cluster.run.execute import DaskExecution, Job
from cluster.run.jobs import Edition, job_of
from cluster.run.open_run import open_run, take
from cluster.run.remake import Remade, remake_lost
from cluster.run.stacks import Manifest
from cluster.scheduler import Scheduler
from lake.errors import Retriable
from lake.lake import Lake
from lake.ledger import units
from lake.ledger.owners import this_process
from lake.names import ProductKey
from lake.releases import quarantine
from lake.releases.drafts import Draft, discard, reserve
from lake.releases.releases import active_files
from pipeline import code
from pipeline.errors import Fatal
from pipeline.outcome import Outcome, Status
from pipeline.recipe import Recipe

log = logging.getLogger(__name__)

#: Units leased at once: enough to keep every worker busy, few enough to leave some to other executors.
BATCH: Final = 2000
#: Manifests entered into the ledger in one statement.
_FLUSH: Final = 50
#: How often one process carries out the same unit before it gives up on the ledger.
_ROUNDS: Final = 3
#: Seconds between looks at units that other executors hold.
_WAIT: Final = 2.0

Progress = Callable[[int, int, str], None]


def process(
    lake: Lake,
    scheduler: Scheduler,
    plan: Plan,
    *,
    on_progress: Progress | None = None,
    retry_quarantined: bool = False,
    keep_going: bool = False,
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

    Returns
    -------
    Report
        One item per unit of the plan; ``more["run"]`` is the run's id (`None`
        when there was nothing to do), ``more["releases"]`` what was published.

    Raises
    ------
    pipeline.errors.Fatal
        When every unit would fail alike.
    pipeline.errors.Retriable, lake.errors.Retriable
        When a service is lost. The same command goes on later.
    lake.errors.BadInput
        When another process is carrying out this very plan.
    """
    refuse_hopeless(lake, plan)
    known = units.results(lake, (unit.unit_id for unit in plan.units))
    if retry_quarantined:
        again = [name for name, result in known.items() if result.outcome == Status.QUARANTINED]
        units.forget_quarantined(lake, again)
        known = {name: result for name, result in known.items() if name not in set(again)}
    remade = remake_lost(lake, scheduler, plan, known)
    # What cannot be made again as it was is made anew: its product gets its next version.
    units.forget_lost(lake, list(remade.other))
    known = {name: result for name, result in known.items() if name not in remade.other}
    work = [
        unit
        for product, members in plan.by_product().items()
        if not _up_to_date(lake, product, members, known)
        for unit in members
    ]
    run_id = open_run(lake, plan, work, retry_quarantined=retry_quarantined) if work else None
    releases = []
    if run_id is not None:
        made_with = code.digest(plan.code)
        state = _Run(lake, run_id, plan.recipe, plan.context, made_with, len(work), on_progress)
        state.first = FirstFailures(armed=not keep_going and not _ever_done(known))
        releases = state.carry_out(scheduler)
    return _report(lake, plan, run_id, known, releases, remade)


def resume(
    lake: Lake,
    scheduler: Scheduler,
    run_id: str,
    *,
    on_progress: Progress | None = None,
    keep_going: bool = False,
) -> Report:
    """Go on with a run by its id, whatever a plan of today would say.

    Parameters and report are those of `process`; the errors too.
    """
    run = units.run(lake, run_id)
    document = run["document"]
    plan = Plan(
        Recipe.model_validate(document["recipe"]),
        document["context"],
        tuple(
            PlannedUnit.of_payload(unit_id, payload["unit"])
            for unit_id, (_, payload) in units.payloads(lake, run_id).items()
        ),
        code=document.get("code", {}),
    )
    _require_code_of_today(run_id, plan)
    known = units.results(lake, (unit.unit_id for unit in plan.units))
    remade = remake_lost(lake, scheduler, plan, known)
    if remade.other and _all_active(lake, plan, remade):
        return process(lake, scheduler, plan, on_progress=on_progress, keep_going=keep_going)
    take(lake, run)
    units.replan(lake, run_id, ["failed"])
    made_with = code.digest(plan.code)
    state = _Run(lake, run_id, plan.recipe, plan.context, made_with, len(plan.units), on_progress)
    state.first = FirstFailures(armed=not keep_going and not _ever_done(known))
    releases = state.carry_out(scheduler)
    return _report(lake, plan, run_id, known, releases, remade)


def _all_active(lake: Lake, plan: Plan, remade: Remade) -> bool:
    """Whether lost files belong to ACTIVE releases: a newer one is not to be replaced by this old plan's."""
    products = {unit.product for unit in plan.units if unit.unit_id in remade.other}
    active = {file.unit_id for product in products for file in active_files(lake, product)}
    return remade.other.keys() <= active


def _report(
    lake: Lake,
    plan: Plan,
    run_id: str | None,
    known: dict[str, units.Result],
    releases: list[dict[str, Any]],
    remade: Remade,
) -> Report:
    items = [remade.told(item) for item in _items(lake, plan, run_id, known)]
    return Report(items, {"run": run_id, "releases": releases, "put_back": sorted(remade.put_back.values())})


def _ever_done(known: Mapping[str, units.Result]) -> bool:
    """Whether any unit gave a file: then a frame that fails is to blame itself."""
    return any(result.file is not None for result in known.values())


def _require_code_of_today(run_id: str, plan: Plan) -> None:
    """A run is gone on with by the code it was planned with, or not at all.

    Raises
    ------
    pipeline.errors.Fatal
        When the software changed meanwhile.
    """
    today = code.of_recipe(plan.recipe)
    if plan.code != today:
        changed = code.differences(plan.code, today) if plan.code else "what it was is not known"
        raise Fatal(
            f"the software changed since run {run_id} was planned: {changed}. Its products would be of two "
            f"kinds. Plan again: `heliolake process {plan.recipe.name}` with the same options makes a new "
            "run, and what was published stays done"
        )


def _up_to_date(
    lake: Lake, product: ProductKey, members: Sequence[PlannedUnit], known: dict[str, units.Result]
) -> bool:
    """Whether every unit has its result and the ACTIVE release holds just these files."""
    results = [known.get(unit.unit_id) for unit in members]
    if any(result is None for result in results):
        return False
    wanted = {result.file.did for result in results if result is not None and result.file is not None}
    active = {file.did for file in active_files(lake, product) if file.unit_id is not None}
    return wanted == active


@dataclass
class _Run:
    """One process's part in a run."""

    lake: Lake
    run_id: str
    recipe: Recipe
    context: int | None
    code: str
    total: int
    on_progress: Progress | None
    drafts: dict[ProductKey, Draft] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)
    first: FirstFailures = field(default_factory=lambda: FirstFailures(armed=True))
    finished: int = 0

    def carry_out(self, scheduler: Scheduler) -> list[dict[str, Any]]:
        """Work until no unit is left, publish what is complete; the releases made."""
        owner = this_process()
        releases: list[dict[str, Any]] = []
        counts = units.counts(self.lake, self.run_id)
        self.finished = sum(counts.values()) - counts["planned"] - counts["leased"]
        if counts["done"]:
            self.first.armed = False
        status, note = "stopped", "interrupted"
        try:
            self._tell("")
            with _heartbeat(self.lake, owner), connected(scheduler) as client:
                execution = DaskExecution(client, self.recipe)
                for claimed in self._claims(owner):
                    self._work(claimed, execution, owner)
                    releases += self._publish({unit.product for unit in claimed})
                releases += self._publish()
            failed = units.counts(self.lake, self.run_id)["failed"]
            status, note = ("failed", f"{failed} units failed") if failed else ("done", "")
        except Exception as error:
            note = str(error)[:500]
            if isinstance(error, AllAlike):
                status = "failed"
                self._give_up_drafts()
            raise
        finally:
            units.give_back(self.lake, self.run_id, owner)
            units.finish_run(self.lake, self.run_id, status, note)
        return releases

    def _give_up_drafts(self) -> None:
        """Leave no reserved version behind where nothing was made for one."""
        if not units.counts(self.lake, self.run_id)["done"]:
            for product in self.drafts:
                discard(self.lake, product, self.run_id)

    def _claims(self, owner: str) -> Iterator[list[units.Claimed]]:
        """Batches of units until none is left; waits for what other executors hold.

        Raises
        ------
        pipeline.errors.Fatal
            When a unit comes back again and again although it was carried out.
        """
        rounds: Counter[str] = Counter()
        while True:
            # Batches are carried out one after the other: what is still ours here was lost sight of, and
            # our own heartbeat would keep it from everybody for ever.
            if lost := units.give_back(self.lake, self.run_id, owner):
                log.error("%d units of run %s had no end; they are done again", lost, self.run_id)
            claimed = units.claim(self.lake, self.run_id, owner, BATCH)
            rounds.update(unit.unit_id for unit in claimed)
            if claimed and max(rounds.values()) > _ROUNDS:
                (unit_id, _), *_ = rounds.most_common(1)
                raise Fatal(
                    f"run {self.run_id}: the ledger does not keep how unit {unit_id} ended; "
                    "check the database (`heliolake status`, its log), then run the same command again"
                )
            if claimed:
                yield claimed
            elif not units.counts(self.lake, self.run_id)["leased"]:
                return
            else:
                time.sleep(_WAIT)
                units.take_over(self.lake)

    def _work(self, claimed: Sequence[units.Claimed], execution: DaskExecution, owner: str) -> None:
        known = units.results(self.lake, (unit.unit_id for unit in claimed))
        done = [
            units.Finished(
                unit.unit_id,
                "skipped" if known[unit.unit_id].file else "quarantined",
                known[unit.unit_id].detail,
            )
            for unit in claimed
            if unit.unit_id in known
        ]
        self._enter(owner, done)
        planned = {
            unit.unit_id: PlannedUnit.of_payload(unit.unit_id, unit.payload["unit"])
            for unit in claimed
            if unit.unit_id not in known
        }
        jobs = [self._job(unit) for unit in planned.values()]
        pending: list[units.Finished] = []
        # Closed here: the garbage collector would do it late, through a client that is closed already.
        with closing(execution(jobs)) as manifests:
            for manifest in manifests:
                pending += self._accept(planned, self.first.passed(manifest))
                if len(pending) >= _FLUSH:
                    self._enter(owner, pending)
                    pending = []
                self._tell(planned[manifest.unit].file.name, len(pending) + self.first.waiting)
        self._enter(owner, [*pending, *self._accept(planned, self.first.rest())])

    def _accept(
        self, planned: Mapping[str, PlannedUnit], manifests: Sequence[Manifest]
    ) -> list[units.Finished]:
        for manifest in manifests:
            if manifest.outcome.status is Status.QUARANTINED:
                self._put_aside(planned[manifest.unit], manifest.outcome)
        return [_finished(manifest) for manifest in manifests]

    def _tell(self, name: str, pending: int = 0) -> None:
        if self.on_progress:
            self.on_progress(self.finished + pending, self.total, name)

    def _enter(self, owner: str, finished: Sequence[units.Finished]) -> None:
        if finished:
            accepted = units.finish(self.lake, self.run_id, owner, finished)
            if accepted < len(finished):
                log.warning("%d units were taken over by another process", len(finished) - accepted)
            self.finished += accepted

    def _job(self, unit: PlannedUnit) -> Job:
        draft = self._draft(unit.product)
        return job_of(self.lake, self.recipe, unit, Edition(draft.version, draft.created, self.context))

    def _draft(self, product: ProductKey) -> Draft:
        if product not in self.drafts:
            self.drafts[product] = reserve(self.lake, product, self.run_id)
        return self.drafts[product]

    def _put_aside(self, unit: PlannedUnit, outcome: Outcome) -> None:
        case = quarantine.Case(
            subject=unit.file.did,
            reason=outcome.reason,
            code=f"step-{outcome.step}" if outcome.step else "bad-input",
            stage="process",
            sha256=unit.file.sha256,
            keyword=outcome.keyword,
            found=outcome.found,
            advice=outcome.advice,
            unit_id=unit.unit_id,
            run_id=self.run_id,
        )
        quarantine.record(self.lake, [case])

    def _publish(self, among: Collection[str] | None = None) -> list[dict[str, Any]]:
        return list(
            publish.complete_products(
                self.lake, self.run_id, self.recipe, self.context, self.code, self.settled, among
            )
        )


def _finished(manifest: Manifest) -> units.Finished:
    return units.Finished(
        manifest.unit, manifest.outcome.status.value, manifest.model_dump(mode="json", exclude={"unit"})
    )


def _items(lake: Lake, plan: Plan, run_id: str | None, known: dict[str, units.Result]) -> list[Item]:
    """What became of every unit of the plan, in its order."""
    of_run = {one.unit_id: one for one in units.outcomes(lake, run_id)} if run_id else {}
    made = units.results(lake, (unit.unit_id for unit in plan.units)) if run_id else known
    items = []
    for unit in plan.units:
        before, now = known.get(unit.unit_id), of_run.get(unit.unit_id)
        if before is not None:
            outcome = Outcome.model_validate(before.detail)
            state = "quarantined" if before.file is None else "skipped"
            reason = outcome.reason if before.file is None else "made before, unchanged"
        elif now is not None:
            outcome = Outcome.model_validate(now.outcome.get("outcome", {}))
            state, reason = now.state, outcome.reason
        else:
            raise Fatal(f"unit {unit.unit_id} of {unit.file.did} is in the plan and not in run {run_id}")
        items.append(_item(unit, state, reason, outcome, made.get(unit.unit_id)))
    return items + [Item(entry.file, "skipped", reason=entry.reason) for entry in plan.left_out]


def _item(unit: PlannedUnit, state: str, reason: str, outcome: Outcome, result: units.Result | None) -> Item:
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


@contextmanager
def _heartbeat(lake: Lake, owner: str) -> Iterator[None]:
    """Prolong our leases while we work; a process that is gone stops doing so."""
    stop = Event()

    def beat() -> None:
        while not stop.wait(units.LEASE_SECONDS / 4):
            try:
                units.heartbeat(lake, owner)
            except Retriable as error:
                log.warning("no heartbeat: %s", error)

    thread = Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=10)
