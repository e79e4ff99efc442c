"""Runs and notebooks on one cluster: who waits gets a share, who waits for nobody gets it all.

Dask starts tasks of a higher priority first and interrupts none. A run's blocks have one: however many tasks
a notebook has submitted, the run is next when a worker is free. That alone would starve the notebook. So a
run counts the worker time it takes while somebody else waits, and begins no block as long as it is more than
its share: the workers are the notebook's then. What a run is short of, because long tasks of others were
not interrupted, it gets later.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from itertools import islice
from typing import Any, Final, NamedTuple

from distributed import Client

log = logging.getLogger(__name__)

#: Of the tasks of runs; notebooks have none, which is 0.
PRIORITY: Final = 10
#: Of the workers' time while others wait, for all runs together.
SHARE: Final = 0.5
#: Seconds of a worker that a run can be short of, or ahead by, at most: what was long ago is forgotten.
_MEMORY: Final = 600.0
#: Seconds between two looks at the scheduler.
_EVERY: Final = 1.0
#: Of others' tasks that are queued, so many are looked at.
_ENOUGH: Final = 1000


class Neighbours(NamedTuple):
    """Who else is on a cluster.

    Attributes
    ----------
    present
        Whether others than runs have tasks at work or results in memory.
    waiting
        Whether tasks of theirs wait for a worker.
    runs
        Clients whose runs have tasks.
    """

    present: bool
    waiting: bool
    runs: int


NOBODY: Final = Neighbours(present=False, waiting=False, runs=1)


def look(priority: int, dask_scheduler: Any = None) -> Neighbours:
    """Who is on the cluster (in the scheduler)."""
    workers = dask_scheduler.workers.values()
    queued = list(islice(iter(dask_scheduler.queued), _ENOUGH))
    at_work = [ts for ws in workers for ts in ws.processing] + queued

    def is_others(ts: Any) -> bool:
        return bool(ts.priority) and ts.priority[0] != -priority

    waiting = any(map(is_others, queued)) or any(
        # What a worker writes beside its next task holds no place.
        len(ws.processing) - len(ws.long_running) > ws.nthreads and any(map(is_others, ws.processing))
        for ws in workers
    )
    present = any(map(is_others, at_work)) or any(
        is_others(ts) for ws in workers for ts in islice(ws.has_what, _ENOUGH)
    )
    runs = {client.client_key for ts in at_work if not is_others(ts) for client in ts.who_wants or ()}
    return Neighbours(present, waiting, max(1, len(runs)))


class Sharing:
    """How much of a cluster a run may take at this moment.

    Parameters
    ----------
    ask
        Who is on the cluster.
    workers
        How many there are.
    share
        Of their time, while others wait.
    clock
        Seconds, from whenever.
    """

    def __init__(
        self,
        ask: Callable[[], Neighbours],
        workers: int,
        share: float = SHARE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.ask, self.workers, self.share, self.clock = ask, workers, share, clock
        self.neighbours = NOBODY
        self.credit = 0.0
        self._looked = float("-inf")
        self._met = float("-inf")

    @classmethod
    def of(cls, client: Client, workers: int) -> Sharing:
        """The sharing of a client's cluster; alone where its scheduler does not tell."""

        def ask() -> Neighbours:
            try:
                return Neighbours(*client.run_on_scheduler(look, PRIORITY))
            except Exception:  # a scheduler that runs other code; who is lost is seen elsewhere
                log.debug("the scheduler does not tell who else is on the cluster", exc_info=True)
                return NOBODY

        return cls(ask, workers)

    def room(self, window: int) -> int:
        """How many blocks may be submitted and not finished."""
        self.look()
        if not self.neighbours.waiting:
            return window * self.workers
        # One for each worker, so that what is not begun can be taken back into account soon.
        return self.workers if self.credit >= 0.0 else 0

    def spent(self, seconds: float) -> None:
        """Take into account that a worker was at a block of ours for some time."""
        if self.neighbours.waiting:
            self.credit = max(self.credit - seconds, -_MEMORY * self.workers)

    def alone_since(self, moment: float) -> bool:
        """Whether nobody else was met on the cluster since then."""
        self._looked = float("-inf")
        self.look()
        return self._met < moment

    def look(self) -> None:
        """See who is on the cluster, now and then."""
        now = self.clock()
        if now - self._looked < _EVERY:
            return
        before, since = self.neighbours, now - self._looked
        self.neighbours = self.ask()
        self._looked = now
        if self.neighbours.present:
            self._met = now
        if not self.neighbours.waiting:
            self.credit = 0.0
        elif before.waiting:
            earned = self.share / self.neighbours.runs * self.workers * since
            self.credit = min(self.credit + earned, _MEMORY * self.workers)
