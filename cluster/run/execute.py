"""Execution on Dask: jobs in, manifests out, block by block through a bounded window.

Each block is one small graph through `xarray.map_blocks`: piece of work by
piece read and carried through the recipe, then written. Only so many blocks are
in flight that every worker has the next one at hand: a campaign of a year never lies in memory as one graph.
"""

from __future__ import annotations

import json
import logging
import time
from collections import deque
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from distributed import Client, Future, KilledWorker, wait
from distributed.client import ClosedClientError

from cluster.connect import submit_whole
from cluster.run.orders import EVERY, Asked, Order, go
from cluster.run.sharing import PRIORITY, Sharing
from cluster.run.stacks import FrameSource, Manifest, Reader, Target, sources_stack, written
from lake.errors import Fatal as LakeFatal
from lake.errors import Retriable as LakeRetriable
from lake.storage.opening import reached
from pipeline import apply
from pipeline.apply import layouts_behind, memory_factor, task_name
from pipeline.carrying import begins
from pipeline.dims import IMAGE, Dims, Layout, Shape
from pipeline.errors import Fatal, Retriable
from pipeline.outcome import Outcome, Status
from pipeline.recipe import Recipe
from pipeline.registry import instrument

if TYPE_CHECKING:
    import xarray as xr

log = logging.getLogger(__name__)

#: Bytes of float32 images in one block, unless a single image is larger.
BLOCK_BYTES: Final = 96 * 2**20
#: Blocks per worker that are submitted and not finished: one is being written, one computed, one at hand.
WINDOW: Final = 3
#: Bytes that a pixel takes behind the recipe, image and flags and then with the uncertainty; twice that where
#: several pieces of work are put together. What goes through the recipe is read when it is its turn.
_HELD: Final = (6, 10)
#: The same of a block that is written beside the next one, and of the product that is made of its frames.
_ON_ITS_WAY: Final = (6, 10)
#: Seconds to wait for a first worker, and for another when the last one is gone (a busy machine is slow).
PATIENCE: Final = 240
#: How often a frame is tried when what failed may pass.
ATTEMPTS: Final = 3
#: How often a frame is tried alone whose worker is killed while others use the cluster.
KILLS: Final = 4
#: Seconds between looks whether it is our turn.
_TURN: Final = 0.2


class Kind(NamedTuple):
    """Dims, shape and number of the frames of a piece of work, and of the places that these lie along."""

    dims: Dims
    shape: Shape
    members: int
    places: int


@dataclass(frozen=True)
class Job:
    """One piece of work, ready to be sent to a worker: files in, a file out for each target."""

    sources: tuple[FrameSource, ...]
    targets: tuple[Target, ...]
    shape: Shape
    dims: Dims = IMAGE
    places: int = 1
    attempt: int = 1
    alone: bool = False
    killed: int = 0

    @property
    def kind(self) -> Kind:
        """What jobs have in common that can stand in one block."""
        return Kind(self.dims, self.shape, len(self.sources), self.places)

    def ended(self, outcome: Outcome) -> Iterator[Manifest]:
        """The manifests of a job that made nothing."""
        return (Manifest(unit=target.unit, outcome=outcome) for target in self.targets)


class Fit(NamedTuple):
    """How many pieces of work one block may hold, and whether it can be written beside the next one."""

    pieces: int
    beside: bool


class TooLarge(Fatal):
    """No worker has memory enough for a frame."""


def lazily(block: Sequence[Job], recipe: Recipe, *, beside: bool = False) -> xr.DataArray:
    """The manifests of jobs of one kind, when computed: read, through the recipe, written.

    Parameters
    ----------
    block, recipe
        What to do with what.
    beside
        Whether it is written while the worker computes the next block already; only in a task of Dask's.
    """
    kind, chain = block[0].kind, recipe.bind()
    flagged = instrument(recipe.instrument).flagged(kind.dims)
    reader = Reader(Layout(kind.dims, kind.shape, flagged), recipe.uncertainty and not begins(chain))
    sources = [source for job in block for source in job.sources]
    stack = sources_stack(sources, len(sources))
    made = apply(stack, recipe, reach=reached, members=kind.members, places=kind.places, reader=reader)
    return written(made, [job.targets for job in block], task_name(recipe), beside=beside)


class Execution(Protocol):
    """Anything that carries out jobs and gives a manifest for each, in any order."""

    def __call__(self, jobs: Iterable[Job]) -> Generator[Manifest]:
        """Carry out jobs."""
        ...


class DaskExecution:
    """Carries out the jobs of one recipe on a Dask cluster.

    Parameters
    ----------
    client
        Connected to the cluster.
    recipe
        What to do with every frame.
    worker_memory
        Memory of one worker in bytes; found out from the cluster by default.
    asked
        What is asked of us meanwhile: no block is begun while it is to pause, and all are left when it is to
        be given up.
    """

    def __init__(
        self, client: Client, recipe: Recipe, *, worker_memory: int | None = None, asked: Asked = go
    ) -> None:
        self.client = client
        self.recipe = recipe
        self.asked = asked
        self.name = task_name(recipe)
        chain = recipe.bind()
        self.factor = memory_factor(chain, uncertainty=recipe.uncertainty)
        self._there = time.monotonic()
        self._require_worker(PATIENCE)
        workers = client.scheduler_info(n_workers=-1)["workers"]
        self.workers = len(workers)
        self.sharing = Sharing.of(client, self.workers)
        self._begun: dict[str, float] = {}
        self.fits: dict[Kind, Fit] = {}
        self.memory = worker_memory or min(int(worker["memory_limit"] or 0) for worker in workers.values())

    def __call__(self, jobs: Iterable[Job]) -> Generator[Manifest]:
        """Carry out jobs; a manifest for each that was begun, as they finish.

        Raises
        ------
        pipeline.errors.Fatal
            When every unit would fail alike.
        pipeline.errors.Retriable
            When the cluster is lost.
        """
        small, large = self._sorted_out(list(jobs))
        yield from large
        waiting = deque(self._blocks(small))
        running: dict[Future, list[Job]] = {}
        try:
            while waiting or running:
                self.sharing.look()
                if (asked := self.asked()) is not Order.GO:
                    waiting.clear()
                if asked is Order.CANCEL:
                    return
                while waiting and self._may_start(waiting[0], running.values()):
                    block = waiting.popleft()
                    running[self._submit(block)] = block
                if not running:  # it is the others' turn
                    time.sleep(_TURN)
                    continue
                future = self._first_ended(running)
                if future is None:
                    continue
                block = running.pop(future)
                for job, manifests in self._settle(future, block, waiting):
                    if _try_again(job, manifests):
                        waiting.append([replace(job, attempt=job.attempt + 1)])
                    else:
                        yield from manifests
        finally:
            with suppress(ClosedClientError):  # it was lost, and what it had to do with it
                self.client.cancel(list(running), force=True)
            self._begun.clear()

    def _first_ended(self, running: Collection[Future]) -> Future | None:
        """One of the blocks that came to an end, or none within a moment.

        Raises
        ------
        pipeline.errors.Retriable
            When no worker is left and none comes back.
        """
        try:
            with self.client.as_current():
                return next(iter(wait(list(running), EVERY, "FIRST_COMPLETED").done))
        except CancelledError as error:
            raise _lost() from error
        except TimeoutError:
            self._require_worker(EVERY)
            return None

    def _require_worker(self, seconds: float) -> None:
        """Wait so long for a worker; one that was just lost is being replaced, but not for ever."""
        try:
            self.client.wait_for_workers(1, timeout=seconds)
            self._there = time.monotonic()
        except TimeoutError as error:
            if time.monotonic() - self._there >= 0.9 * PATIENCE:
                raise Retriable(
                    "the Dask cluster has no worker; run `heliolake up`, then the same command again"
                ) from error

    def _may_start(self, block: Sequence[Job], running: Collection[Sequence[Job]]) -> bool:
        """Whether there is room; a suspect runs alone, so that it takes nobody with it."""
        if block[0].alone or any(other[0].alone for other in running):
            return not running
        return len(running) < self.sharing.room(WINDOW)

    def _blocks(self, jobs: Sequence[Job]) -> Iterator[list[Job]]:
        """Jobs of one kind side by side, few enough for the memory and for every worker to get some."""
        per_worker = max(1, -(-len(jobs) // (self.workers * WINDOW * 2)))
        by_kind: dict[Kind, list[Job]] = {}
        for job in jobs:
            by_kind.setdefault(job.kind, []).append(job)
        for kind, alike in by_kind.items():
            size = min(per_worker, self._fit(kind).pieces)
            for start in range(0, len(alike), size):
                yield alike[start : start + size]

    def _sorted_out(self, jobs: Sequence[Job]) -> tuple[list[Job], list[Manifest]]:
        """The jobs that workers can hold and steps take, and the ends of the others: one is not all of them.

        Raises
        ------
        pipeline.errors.Fatal
            When no worker can hold any of them, or no step takes any.
        """
        refusals: dict[Kind, Outcome] = {}
        for kind in {job.kind for job in jobs}:
            try:
                self._fit(kind)
            except TooLarge as error:
                refusals[kind] = Outcome(status=Status.FAILED, reason=str(error), keyword="memory")
            except Fatal as error:
                refusals[kind] = Outcome(status=Status.FAILED, reason=str(error), keyword="NAXIS")
        small = [job for job in jobs if job.kind not in refusals]
        if refusals and not small:
            raise Fatal(next(iter(refusals.values())).reason)
        return small, [
            manifest for job in jobs if job.kind in refusals for manifest in job.ended(refusals[job.kind])
        ]

    def _fit(self, kind: Kind) -> Fit:
        """What one block may hold; `pixels` are those of one piece of work, in and out."""
        if kind in self.fits:
            return self.fits[kind]
        dims, shape, members, places = kind
        result, outputs = layouts_behind(self.recipe, dims, shape, places)
        made = prod(result.shape) + sum(prod(one.shape) for one in outputs.values())
        pixels = max(members * prod(shape), made)
        count = max(1, BLOCK_BYTES // (4 * pixels))

        def need(count: int) -> float:
            # Beside what is made there is the one frame being worked on.
            made = _HELD[self.recipe.uncertainty] * (1 if count == 1 else 2 * count)
            return float(pixels * (made + 4 * self.factor))

        while self.memory and count > 1 and need(count) > 0.6 * self.memory:
            count //= 2
        if self.memory and need(count) > 0.9 * self.memory:
            said = f", whose headers say that there are {places}" if places and places > members else ""
            raise TooLarge(
                f"recipe {self.recipe.name} needs about {need(count) / 2**30:.1f} GiB for "
                f"{'one image' if members == 1 else f'a group of {members} images'} of "
                f"{' x '.join(map(str, reversed(shape)))}{said}, and a worker has "
                f"{self.memory / 2**30:.1f} GiB; start fewer workers with more memory each"
                + (", or correct the headers" if said else "")
            )
        more = pixels * _ON_ITS_WAY[self.recipe.uncertainty] * (count + 1)
        fit = Fit(int(count), not self.memory or need(count) + more <= 0.6 * self.memory)
        return self.fits.setdefault(kind, fit)

    def _submit(self, block: Sequence[Job]) -> Future:
        manifests = lazily(block, self.recipe, beside=self._fit(block[0].kind).beside)
        # The dashboard shows the block under the recipe's name and steps.
        try:
            future = submit_whole(self.client, manifests.data, self.name, PRIORITY)
        except Exception as error:
            if self.client.status == "running":
                raise
            raise _lost() from error
        self._begun[future.key] = time.monotonic()
        return future

    def _settle(
        self, future: Future, block: Sequence[Job], waiting: deque[list[Job]]
    ) -> Iterator[tuple[Job, list[Manifest]]]:
        begun = self._begun.pop(future.key, time.monotonic())
        try:
            texts: Any = future.result()
        except KilledWorker:
            yield from self._after_kill(block, waiting, begun)
        except (Fatal, LakeFatal, Retriable, LakeRetriable):
            raise
        except Exception as error:
            if self.client.status != "running" or future.cancelled():
                raise _lost() from error
            log.exception("a block of %s failed", self.recipe.name)
            if len(block) > 1:
                waiting.extend([job] for job in block)
            else:
                yield block[0], list(block[0].ended(Outcome.of_error(error)))
        else:
            for job, text in zip(block, texts, strict=True):
                manifests = [Manifest.model_validate(one) for one in json.loads(str(text))]
                made, wanted = [one.unit for one in manifests], [one.unit for one in job.targets]
                if made != wanted:
                    raise Fatal(f"Dask gave what unit {', '.join(made)} made for {', '.join(wanted)}")
                self.sharing.spent(sum(manifests[0].outcome.seconds.values()))
                yield job, manifests

    def _after_kill(
        self, block: Sequence[Job], waiting: deque[list[Job]], begun: float
    ) -> Iterator[tuple[Job, list[Manifest]]]:
        """A worker died under a block: each frame gets one more chance alone, then is put aside.

        Where others used the cluster meanwhile, as notebooks do, the frame may not be to blame: it is tried
        more often, and never put aside for it.
        """
        if not block[0].alone:
            waiting.extend([replace(job, alone=True)] for job in block)
            return
        (job,) = block
        if self.sharing.alone_since(begun):
            outcome = Outcome(
                status=Status.QUARANTINED,
                reason="the worker was killed while it worked on this frame alone, probably for its memory",
                keyword="memory",
                found=f"{self.memory / 2**30:.1f} GiB per worker",
                advice="process it again with workers that have more memory",
            )
        elif job.killed + 1 < KILLS:
            waiting.append([replace(job, killed=job.killed + 1)])
            return
        else:
            outcome = Outcome(
                status=Status.FAILED,
                reason="its workers were killed again and again while others used the cluster as well",
                keyword="memory",
                found=f"{self.memory / 2**30:.1f} GiB per worker",
                advice="try it again when their work is done, or with workers that have more memory",
                retriable=True,
            )
        yield replace(job, attempt=ATTEMPTS), list(job.ended(outcome))


def _lost() -> Retriable:
    return Retriable("the Dask cluster was lost; run `heliolake up`, then the same command again")


def _try_again(job: Job, manifests: Sequence[Manifest]) -> bool:
    return job.attempt < ATTEMPTS and any(
        one.outcome.status is Status.FAILED and one.outcome.retriable for one in manifests
    )
