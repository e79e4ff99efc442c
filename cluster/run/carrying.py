"""One process's part in a run: units claimed, carried out on Dask, entered, and their products published.

A finished file lies under its final name before its unit is marked done, a release is published when the
last unit of its product is, and each of these may be repeated.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final

from distributed import Client

from cluster.connect import connected
from cluster.pictures.films import shoot_later
from cluster.pictures.remake import redraw_later
from cluster.plan.units import PlannedUnit
from cluster.run import publish
from cluster.run.alike import AllAlike, FirstFailures
from cluster.run.execute import DaskExecution, Execution
from cluster.run.jobs import Edition, jobs_of, target_of
from cluster.run.kept_plan import KeptPlan
from cluster.run.orders import Cancelled, Orders
from cluster.run.post import Post
from cluster.run.stacks import Manifest, Target
from cluster.scheduler import Scheduler
from lake.governance.doi.headers import concept_doi
from lake.grant import Grant
from lake.ledger.control import give_up
from lake.ledger.leases import take_over
from lake.ledger.results import results
from lake.ledger.units import Claimed, Facts, Finished, Result
from lake.names import ProductKey
from lake.releases import quarantine
from lake.releases.drafts import Draft, discard, reserve
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

#: What of a manifest stands elsewhere in the ledger.
_IN_FACTS: Final[Any] = {"unit": True, "worker": True, "memory": True, "outcome": {"seconds": True}}

Progress = Callable[[int, int, str], None]
#: How the jobs of a recipe are carried out on a cluster, by who is asked to pause and to give up.
Means = Callable[[Client, Recipe, Orders], Execution]


def on_dask(client: Client, recipe: Recipe, orders: Orders) -> Execution:
    """Frame by frame through the recipe, on the cluster's workers."""
    return DaskExecution(client, recipe, asked=orders)


@dataclass
class Carrying:
    """One process's part in a run."""

    plan: KeptPlan
    grant: Grant
    total: int
    on_progress: Progress | None
    first: FirstFailures
    drafts: dict[ProductKey, Draft] = field(default_factory=dict)
    editions: dict[ProductKey, Edition] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)
    finished: int = 0
    post: Post | None = None
    means: Means = on_dask
    healed: set[str] = field(default_factory=set)
    at_work: dict[str, PlannedUnit] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.run = self.plan.run
        self.lake = self.run.lake
        self.orders = Orders(self.run)

    def carry_out(self, scheduler: Scheduler) -> list[dict[str, Any]]:
        """Work until no unit is left, publish what is complete; the releases made.

        Waits while the run is paused.

        Raises
        ------
        cluster.run.orders.Cancelled
            When it was given up.
        """
        releases: list[dict[str, Any]] = []
        counts = self.run.counts()
        self.finished = sum(counts.values()) - counts["planned"] - counts["leased"]
        if counts["done"]:
            self.first.armed = False
        status, note = "stopped", "interrupted"
        try:
            self._tell("")
            with self.run.kept(self.post.site if self.post else ""), connected(scheduler) as client:
                execution = self.means(client, self.plan.recipe, self.orders)
                for claimed in self._claims():
                    self._work(claimed, execution)
                    self.orders.require()
                    releases += self._publish(client, [unit.product for unit in claimed])
                releases += self._publish(client)
            failed = self.run.counts()["failed"]
            status, note = ("failed", f"{failed} units failed") if failed else ("done", "")
        except Exception as error:
            note = str(error)[:500]
            if isinstance(error, AllAlike):
                status = "failed"
                self._give_up_drafts()
            if isinstance(error, Cancelled):
                give_up(self.lake, self.run.id)
            raise
        finally:
            self.run.give_back()
            if self.post is None:  # else who sent the executors ends it
                self.run.end(status, note)
        return releases

    def _give_up_drafts(self) -> None:
        """Leave no reserved version behind where nothing was made for one."""
        if not self.run.counts()["done"]:
            for product in self.drafts:
                discard(self.lake, product, self.run.id)

    def _claims(self) -> Iterator[list[Claimed]]:
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
            if lost := self.run.give_back():
                log.error("%d units of run %s had no end; they are done again", lost, self.run.id)
            if self.orders.wait_through(self._tell):
                rounds.clear()
            claimed = self._claim()
            rounds.update(unit.unit_id for unit in claimed)
            if claimed and max(rounds.values()) > _ROUNDS:
                (unit_id, _), *_ = rounds.most_common(1)
                raise Fatal(
                    f"run {self.run.id}: the ledger does not keep how unit {unit_id} ended; "
                    "check the database (`heliolake status`, its log), then run the same command again"
                )
            if claimed:
                yield claimed
            elif not self._may_come():
                return
            else:
                time.sleep(_WAIT)
                take_over(self.lake)

    def _claim(self) -> list[Claimed]:
        if self.post is None:
            return self.run.claim(BATCH)
        return [] if self.post.leaves() else self.run.claim(self.post.batch, site=self.post.site)

    def _may_come(self) -> bool:
        """Whether work may come yet: what others hold may come back, what waits elsewhere may move here."""
        return self.run.left() > 0 and not (self.post is not None and self.post.leaves())

    def _work(self, claimed: Sequence[Claimed], execution: Execution) -> None:
        known = results(self.lake, (unit.unit_id for unit in claimed))
        self._enter([_known(known[unit.unit_id]) for unit in claimed if unit.unit_id in known])
        work = [self.plan.unit(unit) for unit in claimed if unit.unit_id not in known]
        self.at_work = {unit.unit_id: unit for unit in work}
        if self.post is not None and work:
            self.post.fetch(work)
        jobs = list(jobs_of(self.lake, self.grant, self.plan.recipe, work, self._target))
        pending: list[Finished] = []
        seen: set[str] = set()
        again: set[str] = set()
        # Closed here: the garbage collector would do it late, through a client that is closed already.
        with closing(execution(jobs)) as manifests:
            for manifest in manifests:
                seen.add(manifest.unit)
                again |= self._healed_by(manifest)
                if manifest.unit in again:
                    continue
                pending += self._accept(self.first.passed(manifest))
                if len(pending) >= _FLUSH:
                    self._enter(pending)
                    pending = []
                self._tell(self.at_work[manifest.unit].file.name, len(pending) + self.first.waiting)
        if seen < {unit.unit_id for unit in work}:  # held up: what was not begun is done later, and
            self.first.rest()  # so is what says nothing by itself
            self._enter(pending)
            self.run.give_back()
        else:
            self._enter([*pending, *self._accept(self.first.rest())])

    def _accept(self, manifests: Sequence[Manifest]) -> list[Finished]:
        rse = "" if self.post is None else self.post.rse
        for manifest in manifests:
            if manifest.outcome.status is Status.QUARANTINED:
                self._put_aside(self.at_work[manifest.unit], manifest.outcome)
        if rse:
            manifests = [manifest.model_copy(update={"rse": rse}) for manifest in manifests]
        return [_finished(manifest, self.at_work[manifest.unit]) for manifest in manifests]

    def _healed_by(self, manifest: Manifest) -> set[str]:
        """Units that are tried again, once, for an input that could not be read came from elsewhere.

        All that are to be made of the same files now: the other outputs could not read it either.
        """
        if self.post is None or manifest.outcome.step != "read" or manifest.unit in self.healed:
            return set()
        if manifest.outcome.status not in (Status.QUARANTINED, Status.FAILED):
            return set()
        unit = self.at_work[manifest.unit]
        together = [one for one in self.at_work.values() if unit.work and one.work == unit.work] or [unit]
        healed = self.post.heal(together)
        self.healed |= healed
        self.run.give_back(sorted(healed))
        return healed

    def _tell(self, name: str, pending: int = 0) -> None:
        if self.on_progress:
            self.on_progress(self.finished + pending, self.total, name)

    def _enter(self, finished: Sequence[Finished]) -> None:
        if finished:
            accepted = self.run.finish(finished)
            if accepted < len(finished):
                log.warning("%d units were taken over by another process", len(finished) - accepted)
            self.finished += accepted

    def _target(self, unit: PlannedUnit) -> Target:
        return target_of(self.lake, unit, self._edition(unit.product))

    def _edition(self, product: ProductKey) -> Edition:
        if product not in self.editions:
            parents = sorted(self.plan.parents(product.name))
            refs = sorted(self.plan.reference_dids(product.name))
            draft = reserve(self.lake, product, self.run.id, parents=parents, refs=refs)
            self.drafts[product] = draft
            doi = concept_doi(self.lake, product, draft.created)
            edition = Edition(draft.version, draft.created, self.plan.context)
            self.editions[product] = edition._replace(doi=doi, embargo=draft.embargo_stated)
        return self.editions[product]

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
            run_id=self.run.id,
        )
        quarantine.record(self.lake, [case])

    def _publish(self, client: Client, among: Collection[str] | None = None) -> list[dict[str, Any]]:
        made = list(publish.complete_products(self.plan, self.settled, among))
        redraw_later(client, self.lake, made)
        shoot_later(client, self.lake, made)
        return made


def _finished(manifest: Manifest, unit: PlannedUnit) -> Finished:
    """How a unit ended; what it took stands in its facts, not in its outcome as well."""
    seconds, size = manifest.outcome.seconds, sum(file.size for file in unit.files)
    if unit.output:  # a further one of the same work, whose reading and computing are the main one's
        seconds, size = {"write": seconds.get("write", 0.0)}, 0
    took = Facts(manifest.worker, seconds, size, manifest.size, manifest.memory)
    told = manifest.model_dump(mode="json", exclude=_IN_FACTS, exclude_defaults=True)
    return Finished(manifest.unit, manifest.outcome.status.value, told, took)


def _known(result: Result) -> Finished:
    """How a unit ends that gave something in a run before."""
    return Finished(result.unit_id, "skipped" if result.file else "quarantined", result.detail)
