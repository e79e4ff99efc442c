"""A run that several sites share: who does what, an executor at each, and what becomes of lost ones."""

from __future__ import annotations

import json
import logging
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from cluster.plan.plan import Plan
from cluster.plan.units import PlannedUnit
from cluster.run.kept_plan import KeptPlan
from cluster.run.publish import complete_products
from cluster.services.base import launch, python
from cluster.services.compute import worker_count
from cluster.sites.book import Book
from cluster.sites.broker import Assignment, Broker, Desk
from cluster.sites.site import LocalDask, Site
from cluster.workers import compute_environment
from lake.errors import BadInput, Retriable
from lake.lake import Lake
from lake.ledger import executors, leases, sites
from lake.ledger.executors import BEAT_SECONDS
from lake.ledger.run import Run
from lake.releases.activation import active_version
from lake.releases.places import Places
from lake.releases.releases import find_by_key
from pipeline.errors import Fatal as PipelineFatal

_log = logging.getLogger(__name__)

_LOOK: Final = 1.0
"""Seconds between looks at the ledger."""
_SHARE: Final = 10
"""A look at a million units takes its time: so many times longer is waited for the next."""
_AGAIN: Final = 20.0
"""Seconds after which a lost executor is sent again."""
_ENDING: Final = 30.0
"""Seconds an executor has to give back what it holds."""
_HEARD: Final = 2 * BEAT_SECONDS
"""Seconds an executor of which nothing was heard has, from when that was noticed, to be heard again."""
EXECUTOR: Final = "executor"
_ALIKE: Final = 2


@dataclass
class Sent:
    """An executor that was sent to a site.

    Attributes
    ----------
    process
        Its process; None once it is gone.
    lost
        When it was found gone although there was work, by the monotonic clock.
    why
        What it said at its end.
    """

    process: subprocess.Popen[bytes] | None = None
    lost: float = 0.0
    why: str = ""

    @property
    def works(self) -> bool:
        """Whether it is there."""
        return self.process is not None


@dataclass
class SiteCrew:
    """Carries out runs at several sites of a home.

    Parameters
    ----------
    book
        What is known of sites.
    names
        The sites that are to take part; all that are not drained where none is named.
    account
        On whose behalf, where it is not the home's owner.
    """

    book: Book
    names: tuple[str, ...] = ()
    account: str | None = None
    _sent: dict[str, Sent] = field(default_factory=dict, init=False)
    _units: dict[str, PlannedUnit] = field(default_factory=dict, init=False)
    _silent_since: dict[str, tuple[int, float]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        for name in self.names:
            if self.book.site(name).drained:
                raise BadInput(
                    f"the site {name} is drained and takes no work",
                    advice=f"`heliolake site drain {name} --undo` opens it again",
                )
        if not self.taking:
            raise BadInput("every site is drained", advice="open one: `heliolake site drain NAME --undo`")

    @property
    def taking(self) -> dict[str, Site]:
        """The sites that take work now."""
        return {
            name: site
            for name, site in self.book.sites.items()
            if not site.drained and (not self.names or name in self.names)
        }

    def assignments(self, lake: Lake, plan: Plan, units: Sequence[PlannedUnit]) -> list[Assignment]:
        """Who would do what, and what would have to be brought there."""
        return list(self._broker(lake, plan, self.taking).assign(units))

    def summary(self, lake: Lake, plan: Plan) -> list[dict[str, Any]]:
        """Who would do what of a plan: by site its units, and what would be brought there from where."""
        found: dict[str, dict[str, Any]] = {}
        for one in self.assignments(lake, plan, plan.units):
            row = found.setdefault(
                one.site,
                {"site": one.site, "units": 0, "copied": 0, "bytes": 0, "seconds": 0.0, "sources": []},
            )
            row["units"] += len(one.units)
            row["copied"] += len(one.missing)
            row["bytes"] += one.bytes
            row["seconds"] += one.seconds
            row["sources"] = sorted({*row["sources"], *filter(None, one.missing.values())})
        return [found[name] for name in sorted(found)]

    def places(self, lake: Lake, plan: Plan, units: Sequence[PlannedUnit]) -> Mapping[str, str]:
        """The site of each unit.

        Raises
        ------
        lake.errors.BadInput
            When data under embargo may lie at none of the sites.
        """
        made = self.assignments(lake, plan, units)
        for one in made:
            if not one.site:
                unit = one.units[0]
                raise BadInput(
                    f"{unit.file.name} is under embargo, and may lie at none of {', '.join(self.taking)}",
                    keyword="embargoed",
                    advice="name another site with --site, or allow it in sites.yaml",
                )
        return {unit.unit_id: one.site for one in made for unit in one.units}

    def carry_out(
        self, run: Run, plan: Plan, on_progress: Any | None, *, keep_going: bool
    ) -> list[dict[str, Any]]:
        """Have an open run carried out at the sites; the releases made.

        Raises
        ------
        pipeline.errors.Fatal
            When every unit would fail alike.
        lake.errors.Retriable
            When what is left can be done at no site that is there.
        """
        self._units = {unit.unit_id: unit for unit in plan.units}
        before = {product: active_version(run.lake, product) for product in plan.by_product()}
        status, note = "stopped", "interrupted"
        try:
            with self._crew(run, keep_going=keep_going):
                self._watch(run, plan, on_progress, keep_going=keep_going)
            self._publish_rest(run, plan)
            failed = run.counts()["failed"]
            status, note = ("failed", f"{failed} units failed") if failed else ("done", "")
        except Exception as error:
            note = str(error)[:500]
            raise
        finally:
            leases.take_over(run.lake)
            run.end(status, note)
        found = []
        for product in plan.by_product():
            release = find_by_key(run.lake, product, run.id)
            if release is not None and release["version"] != before[product]:
                again = release["run"] != run.id
                found.append({**release, "again": again, "replaces": before[product]})
        return found

    def _broker(self, lake: Lake, plan: Plan, taking: Mapping[str, Site]) -> Broker:
        desks = [
            Desk(
                name,
                site.rse,
                _workers(site),
                None if site.embargoed == "all" else frozenset(site.embargoed),
            )
            for name, site in taking.items()
        ]
        everywhere = {site.rse: name for name, site in self.book.sites.items()}
        return Broker(self.book.said, desks, everywhere, Places(lake, plan.parents(), plan.reference_dids()))

    @contextmanager
    def _crew(self, run: Run, *, keep_going: bool) -> Iterator[None]:
        """Executors at all sites that have work, for as long as the block lasts."""
        self._sent = {}
        try:
            for name in sites.numbers(run):
                if self._is_sent(name):
                    self._send(run, name, keep_going=keep_going)
            yield
        finally:
            there = [one.process for one in self._sent.values() if one.process is not None]
            for process in there:
                process.terminate()
            deadline = time.monotonic() + _ENDING
            for process in there:
                try:
                    process.wait(max(0.0, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def _is_sent(self, name: str) -> bool:
        """Whether it is for us to send an executor to a site; at others one stands."""
        site = self.book.sites.get(name)
        return site is not None and site.executor == "sent"

    def _send(self, run: Run, name: str, *, keep_going: bool) -> None:
        home = self.book.home
        command = python("-m", "cluster.crew.executor", str(home.path), run.id, name)
        command += ["--as", self.account] if self.account else []
        command += ["--keep-going"] if keep_going else []
        process = launch(home, f"{EXECUTOR}-{name}", command, compute_environment())
        self._sent[name] = Sent(process)

    def _watch(self, run: Run, plan: Plan, on_progress: Any | None, *, keep_going: bool) -> None:
        total = len(plan.units)
        while True:
            began = time.monotonic()
            numbers = sites.numbers(run)
            took = time.monotonic() - began
            pause = max(_LOOK, _SHARE * took)
            still = {name: one["planned"] + one["leased"] for name, one in numbers.items()}
            if on_progress is not None:
                on_progress(total - sum(still.values()), total, self._lost_ones())
            if not any(still.values()):
                self._let_them_end(run)
                return
            self._look_after(run, numbers, plan, keep_going=keep_going)
            time.sleep(pause)

    def _lost_ones(self) -> str:
        """Which sites are lost and why, for whoever waits for them."""
        return "; ".join(
            f"{name}: {one.why}" for name, one in self._sent.items() if not one.works and one.why
        )

    def _let_them_end(self, run: Run) -> None:
        """Wait for executors that publish what was finished last, those that stand at their sites too."""
        while True:
            self._notice_lost(run)
            there = any(one.alive for one in executors.executors(run.lake, run.id))
            if not there and not any(one.works for one in self._sent.values()):
                return
            time.sleep(_LOOK)

    def _publish_rest(self, run: Run, plan: Plan) -> None:
        """Publish what is complete and was not: an executor may be lost behind its last unit.

        Raises
        ------
        lake.errors.Retriable
            When that cannot be done now: a run of which a product is missing has not ended well.
        """
        published = {
            product.name
            for product in plan.by_product()
            if find_by_key(run.lake, product, run.id) is not None
        }
        kept = KeptPlan(run, plan.recipe, plan.context, plan.code)
        for release in complete_products(kept, published):
            _log.warning("%s was complete and not published; it is now", release["product"])

    def _look_after(
        self, run: Run, numbers: Mapping[str, Mapping[str, int]], plan: Plan, *, keep_going: bool
    ) -> None:
        """Notice lost executors and drained sites, move what waits there, send executors again."""
        silent = self._notice_lost(run)
        leases.take_over(run.lake)
        taking = self.taking
        there = {
            name: site
            for name, site in taking.items()
            if (self._sent[name].works if name in self._sent else name not in silent)
        }
        for name, states in numbers.items():
            if states["planned"] and name not in there:
                self._move(run, name, plan, there)
        now = time.monotonic()
        for name in sites.numbers(run):
            sent = self._sent.get(name, Sent(lost=-_AGAIN))
            if name in taking and self._is_sent(name) and not sent.works and now - sent.lost > _AGAIN:
                self._send(run, name, keep_going=keep_going)
        if not any(one.works for one in self._sent.values()) and not there:
            why = "; ".join(f"{name}: {one.why}" for name, one in self._sent.items() if one.why)
            raise Retriable(f"no site is left that does anything: {why or 'all are drained'}")

    def _notice_lost(self, run: Run) -> set[str]:
        """Note which executors ended, and end those that stand still; the sites of which nothing is heard."""
        silent = self._silent(run)
        for name, one in self._sent.items():
            if one.process is not None and name in silent:
                one.process.kill()  # else it would come back some day, to units that others have done
                one.process.wait()
            if one.process is not None and one.process.poll() is not None:
                self._gone(name, one)
        return silent

    def _silent(self, run: Run) -> set[str]:
        """Sites that had an executor of this run, and of which nothing is heard any more.

        A process that stands still is such a one: it is there, and does nothing. But when the database stood
        still, this machine slept, or a clock was set, executors seem silent that would only have to be given
        the time to be heard again: so they have it.
        """
        latest = {one.site: one for one in executors.executors(run.lake, run.id)}
        pids = {name: one.process.pid for name, one in self._sent.items() if one.process is not None}
        unheard = {
            name: one.pid
            for name, one in latest.items()
            # One that was sent anew and has not begun yet is not the one that was lost.
            if one.ended is None and not one.alive and pids.get(name) in (None, one.pid)
        }
        now, before = time.monotonic(), self._silent_since
        self._silent_since = {
            name: before[name] if name in before and before[name][0] == pid else (pid, now)
            for name, pid in unheard.items()
        }
        return {name for name, (_, since) in self._silent_since.items() if now - since > _HEARD}

    def _move(self, run: Run, name: str, plan: Plan, there: Mapping[str, Site]) -> None:
        """Give what waits at a site to others that can have its inputs; what only it holds waits for it."""
        if not there:
            return
        waiting = [self._units[one] for one in sites.waiting(run, name) if one in self._units]
        lost = self.book.sites.get(name)
        made = self._broker(run.lake, plan, there).assign(waiting)
        places = {
            unit.unit_id: one.site
            for one in made
            if one.site and not _only_from(one, name, drained=lost is not None and lost.drained)
            for unit in one.units
        }
        if places:
            number = sites.move(run, places)
            _log.warning("%d units of run %s move away from %s", number, run.id, name)

    def _gone(self, name: str, one: Sent) -> None:
        """Note that an executor ended, and why.

        Raises
        ------
        pipeline.errors.Fatal
            When it said that every unit would fail alike.
        """
        code = None if one.process is None else one.process.returncode
        one.process, one.lost = None, time.monotonic()
        one.why = self._said(name) or f"its executor ended with {code}"
        if code == _ALIKE:
            raise PipelineFatal(one.why)

    def _said(self, name: str) -> str:
        """The last thing an executor said in its log."""
        log = self.book.home.log / f"{EXECUTOR}-{name}.log"
        try:
            last = log.read_text(errors="replace").strip().rpartition("\n")[2]
            return str(json.loads(last)["why"])
        except (OSError, ValueError, KeyError, TypeError):
            return ""


def _only_from(one: Assignment, site: str, *, drained: bool) -> bool:
    """Whether inputs would have to come from a site that is lost; a drained one still gives them."""
    sources = set(one.missing.values())
    return "" in sources or (site in sources and not drained)


def _workers(site: Site) -> int:
    if isinstance(site.dask, LocalDask):
        return site.dask.workers or worker_count()
    return int(getattr(site.dask, "workers", 1))
