"""An executor: a process that stands at one site and does there what a run has for it.

Run as ``python -m cluster.crew.executor HOME RUN SITE [--as ACCOUNT] [--keep-going]``. It knows the storage
of its own site only; what it needs from others Rucio brings. Ends with 0 when nothing is left for it, 2 where
every unit would fail alike, 3 where a service is lost; its last line on stdout is a JSON document that says
why.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Final

from cluster.home.home import Home
from cluster.plan.units import PlannedUnit
from cluster.run.alike import FirstFailures
from cluster.run.carrying import Carrying
from cluster.run.kept_plan import kept_plan
from cluster.sites.book import Book
from lake.errors import BadInput, HeliolakeLakeError, Unreachable
from lake.errors import Retriable as LakeRetriable
from lake.governance import known
from lake.lake import Lake
from lake.ledger import runs
from lake.ledger.owners import this_process
from lake.ledger.run import Run
from lake.ledger.sites import runs_with_work
from lake.names import split_did
from lake.releases.access import require_inputs
from lake.releases.places import held
from lake.rucio import copies
from lake.storage.store import Unreadable, key_of
from lake.storage.verify import sums_of
from pipeline.errors import Fatal, Retriable

_log = logging.getLogger(__name__)

#: Units an executor claims at once: the others of the run are to get some too, and few wait when it is lost.
BATCH: Final = 64
#: Seconds that copies brought for a run stay: as long as it may take, with what is repeated.
STAGED: Final = 14 * 86400
#: Seconds without any input having come after which an executor gives up on the rest.
PATIENCE: Final = 900.0
_LOOK: Final = 1.0
_PAUSE: Final = 5.0
_DONE, _ALIKE, _LOST = 0, 2, 3


@dataclass
class Station:
    """An executor's place: a site, and the lake as it is seen from there.

    Parameters
    ----------
    lake
        The lake; its near storage is the site's.
    book
        What is known of sites.
    site
        Name of the site.
    """

    lake: Lake
    book: Book
    site: str
    batch: int = BATCH
    leaving: bool = field(default=False, init=False)

    @property
    def rse(self) -> str:
        """The site's storage element."""
        return self.lake.config.rse

    def leaves(self) -> bool:
        """Whether it was told to end, or its site is drained or gone."""
        site = self.book.sites.get(self.site)
        return self.leaving or site is None or site.drained

    def fetch(self, units: Sequence[PlannedUnit]) -> None:
        """Ask Rucio for the inputs that are not here, and wait until they are.

        What does not come is left to the units: they fail for a reason that may pass.
        """
        missing = [did for did in sorted(_inputs(units)) if not self._is_here(did)]
        if missing:
            self._require_allowed(units)
            self._bring(missing)

    def _require_allowed(self, units: Sequence[PlannedUnit]) -> None:
        """Bring nothing that is under embargo by now and may not lie here, whatever was planned before.

        Raises
        ------
        BadInput
            Naming it.
        """
        near = self.lake.config.elements[0]
        if near.embargoed is None:
            return
        parents = {parent for unit in units for parent in unit.parents}
        references = {did for unit in units for did in unit.reference_dids}
        for name, scope in held(self.lake, parents, references).items():
            if not near.may_hold(scope):
                raise BadInput(
                    f"{name} is under embargo, and may not lie at {self.site}",
                    keyword="embargoed",
                    advice="run the same command again: it is done where it may lie",
                )

    def heal(self, units: Sequence[PlannedUnit]) -> set[str]:
        """Have inputs that are damaged or lost here brought again from another site.

        Returns
        -------
        set of str
            The units all of whose inputs are whole now; none where nothing was wrong, or nobody has them.
        """
        wrong = [did for did, sha256 in sorted(_inputs(units).items()) if not self._is_whole(did, sha256)]
        if not wrong or self._elsewhere(wrong) < set(wrong):
            return set()
        for did in wrong:
            if self._is_here(did):
                self.lake.store.set_aside(key_of(*did))
        # Gone now, though Rucio calls them good: they are declared bad and brought again.
        return {unit.unit_id for unit in units} if self._bring(wrong) else set()

    def _is_here(self, did: tuple[str, str]) -> bool:
        return self.lake.store.stat(key_of(*did)) is not None

    def _elsewhere(self, dids: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those that another site has, as Rucio knows."""
        return {did for did, rses in copies.where(self.lake.rucio, dids).items() if rses - {self.rse}}

    def _is_whole(self, did: tuple[str, str], sha256: str) -> bool:
        """Whether the bytes are the registered ones; a storage that does not answer says nothing of them."""
        try:
            return sums_of(self.lake.store, key_of(*did)).sha256 == sha256
        except (BadInput, Unreadable):
            return False

    def _bring(self, wanted: Sequence[tuple[str, str]]) -> bool:
        """Have files brought here by Rucio; whether all came."""
        coming = self._coming(wanted)
        copies.stage(self.lake.rucio, [did for did in wanted if did not in coming], self.rse, STAGED)
        rest, quiet_since = list(wanted), time.monotonic()
        while rest and not self.leaving:
            time.sleep(_LOOK)
            left = [did for did in rest if not self._is_here(did)]
            if len(left) < len(rest):
                rest, quiet_since = left, time.monotonic()
            elif time.monotonic() - quiet_since > PATIENCE:
                _log.warning("%d files did not come to %s, %s:%s first", len(rest), self.rse, *rest[0])
                break
        return not rest

    def _coming(self, wanted: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        """The files that Rucio brings here already; of those it takes for good that are gone it learns here.

        A rule made while a replica is BAD would hide it from the daemon that replaces it, and bring nothing:
        that daemon's next round is waited for, unless nobody else has the file.
        """
        elsewhere, deadline = self._elsewhere(wanted), time.monotonic() + PATIENCE
        while True:
            states = {(one.scope, one.name): state for one, state in self.lake.rucio.replicas(wanted)}
            # Looked at once more: one may just have come.
            gone = [did for did in elsewhere if states.get(did) == "AVAILABLE" and not self._is_here(did)]
            copies.declare_bad(self.lake.rucio, gone, "its bytes are not those registered, or gone")
            bad = [did for did in elsewhere if states.get(did) == "BAD"]
            if not (gone or bad) or self.leaving or time.monotonic() > deadline:
                return {did for did, state in states.items() if state == "COPYING"}
            time.sleep(_LOOK)


def _inputs(units: Iterable[PlannedUnit]) -> dict[tuple[str, str], str]:
    """Every file that units read, with its sha256."""
    found = {}
    for unit in units:
        for member in unit.members:
            found[member.file.scope, member.file.name] = member.file.sha256
            for chosen in member.references.values():
                found[split_did(chosen.did)] = chosen.sha256
    return found


def execute(book: Book, run_id: str, site: str, *, account: str | None, keep_going: bool) -> None:
    """Do what a run has for a site, until nothing is left, the site is drained, or SIGTERM comes.

    Raises
    ------
    pipeline.errors.Fatal
        When every unit would fail alike, or the software changed since the run was planned.
    pipeline.errors.Retriable, lake.errors.Retriable
        When a service is lost.
    """
    with Lake.open(book.lake_config(site, alone=True)) as lake, book.scheduler(site) as scheduler:
        told = runs.find_run(lake, run_id)
        run = Run(lake, run_id, this_process())
        plan = kept_plan(run, told)
        principal = known.principal(lake, account)
        grant = require_inputs(lake, principal, plan.parents(), plan.reference_dids())
        station = Station(lake, book, site)

        def leave(_number: int, _frame: FrameType | None) -> None:
            station.leaving = True
            raise KeyboardInterrupt

        signal.signal(signal.SIGTERM, leave)
        first = FirstFailures(
            armed=not keep_going and not any(run.counts()[one] for one in ("done", "skipped"))
        )
        Carrying(plan, grant, sum(told["units"].values()), None, first, post=station).carry_out(scheduler)


def stay(book: Book, site: str, say: Callable[[str], None], *, once: bool = False) -> None:
    """Take up whatever open runs have for a site, one after the other, until told to end.

    What a run may read was asked when it was begun; here it is read as whoever runs the site.

    Parameters
    ----------
    book, site
        Where.
    say
        Told in a sentence what is done.
    once
        End when nothing is left, instead of waiting for more.
    """
    while True:
        try:
            with Lake.open(book.lake_config(site, alone=True)) as lake:
                waiting = runs_with_work(lake, site)
        except (LakeRetriable, Unreachable) as error:
            if once:
                raise
            say(str(error))  # whoever stands at a site stays through what passes, such as a cut network
            waiting = []
        for run_id in waiting:
            say(f"run {run_id}")
            try:
                execute(book, run_id, site, account=None, keep_going=False)
            except (Retriable, LakeRetriable) as error:
                say(f"run {run_id}: {error}")
            except (Fatal, BadInput) as error:
                say(f"run {run_id} is left alone: {error}")
                time.sleep(_PAUSE)
        if once:
            return
        time.sleep(_PAUSE)


def main(arguments: Sequence[str]) -> int:
    """Run an executor; its exit code."""
    parser = argparse.ArgumentParser(prog="heliolake-executor")
    parser.add_argument("home")
    parser.add_argument("run")
    parser.add_argument("site")
    parser.add_argument("--as", dest="account")
    parser.add_argument("--keep-going", action="store_true")
    given = parser.parse_args(arguments)
    code, why = _DONE, ""
    try:
        execute(
            Book(Home(given.home)), given.run, given.site, account=given.account, keep_going=given.keep_going
        )
    except KeyboardInterrupt:
        why = "told to end"
    except (Retriable, LakeRetriable, Unreachable) as error:
        code, why = _LOST, str(error)
    except (Fatal, HeliolakeLakeError) as error:
        code, why = _ALIKE, str(error)
    print(json.dumps({"site": given.site, "code": code, "why": why}), flush=True)
    return code


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    ended = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(ended)  # threads of lost services would hold it back
