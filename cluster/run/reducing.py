"""A reduction being carried out: its pieces are units of a run, resumable wherever it was stopped.

Frames are mapped in pieces of a few dozen; partial results are joined two by two as soon as both are there,
so that few of them exist at any time, however many frames there are. A method of several passes goes over
the frames again with what the pass before made. The ledger knows of each unit whether it is done and the
checksum of what it gave; the bytes lie beside the storage until the run ends (`lake.storage.volatile`).
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from functools import partial
from typing import Any, Final
from uuid import uuid4

from distributed import Client, Future, KilledWorker, wait

from cluster.plan.layouts import layout_of, stored_dims
from cluster.run.orders import EVERY, Order, Orders
from cluster.run.partials import CarryOut, Finish, Join, MapFrames, Piece, Scratch, Whole
from cluster.run.sharing import PRIORITY, Sharing
from cluster.run.stacks import FrameSource, Loader
from cluster.run.worker import Told, told
from lake.entries import FileEntry
from lake.errors import Retriable as LakeRetriable
from lake.grant import Grant
from lake.ledger import leases
from lake.ledger.run import Run
from lake.ledger.units import Claimed, Facts, Finished, UnitSpec
from lake.storage import volatile
from lake.storage.volatile import Kept, NotKept
from pipeline.dims import Dims, Layout
from pipeline.errors import Fatal, Retriable
from pipeline.reduction import Reduced, Reduction, ReductionKind, SameCode
from pipeline.registry import instrument

log = logging.getLogger(__name__)

#: Frames of one piece: enough that keeping its partial result costs little beside reading them.
FRAMES: Final = 64
#: Pieces leased at once, and pieces per worker that are submitted and not finished.
_CLAIMED: Final = 64
_WINDOW: Final = 2
#: How often a piece is tried when what failed may pass, and all of them when what was kept is lost.
_ATTEMPTS: Final = 3
#: Seconds to wait for a first worker, and between looks at pieces that other executors hold.
_PATIENCE: Final = 120
_WAIT: Final = 1.0
#: Seconds between looks whether it is our turn on the cluster.
_TURN: Final = 0.1

Progress = Callable[[int, int, str], None]


def pieces(kind: ReductionKind, number: int, files: Sequence[FileEntry], salt: str) -> Iterator[UnitSpec]:
    """The units that make one reference, each behind those whose results it needs.

    Parameters
    ----------
    kind
        The reduction.
    number
        Which of the references of its run.
    files
        The frames, in order of time.
    salt
        Hash of all else that determines the result.
    """
    entry = instrument(kind.instrument)
    layout, stored = layout_of(files[0], entry), stored_dims(files[0], entry)
    form = {"shape": list(layout.shape), "dims": list(layout.dims), "stored": list(stored)}
    before = ""
    for turn in range(kind.passes):
        common = {"group": number, "pass": turn, "before": before}
        seed = f"{salt} {number} {turn} {before}"
        waiting: list[tuple[int, str]] = []  # height in the tree, unit; as digits of a binary counter
        for start in range(0, len(files), FRAMES):
            frames = [_frame(file) for file in files[start : start + FRAMES]]
            content = form | {"do": "map", "frames": frames}
            spec = _unit(seed, frames_of(kind, number), common | content)
            yield spec
            waiting.append((0, spec.unit_id))
            last = start + FRAMES >= len(files)
            while len(waiting) > 1 and (last or waiting[-1][0] == waiting[-2][0]):
                (height, first), (_, second) = waiting[-2:]
                spec = _unit(seed, _product(kind), common | {"do": "join", "of": [first, second]})
                yield spec
                waiting[-2:] = [(height + 1, spec.unit_id)]
        spec = _unit(seed, ends_of(kind), common | {"do": "finish", "of": [waiting[0][1]]})
        yield spec
        before = spec.unit_id


def frames_of(kind: ReductionKind, number: int) -> str:
    """What units that map frames of one reference go by."""
    return f"{_product(kind)}.frames{number}"


def ends_of(kind: ReductionKind) -> str:
    """What the last units of all passes go by."""
    return f"{_product(kind)}.ends"


def _product(kind: ReductionKind) -> str:
    return f"{kind.instrument}:{kind.name}"


def _frame(file: FileEntry) -> list[Any]:
    begin = file.date_beg.isoformat() if file.date_beg else ""
    return [file.scope, file.name, file.image_hdu, file.sha256, begin]


def _unit(seed: str, product: str, payload: Mapping[str, Any]) -> UnitSpec:
    text = json.dumps([seed, payload], sort_keys=True)
    return UnitSpec(hashlib.sha256(text.encode()).hexdigest(), product, payload)


class Reducing:
    """One process's part in a reduction.

    Parameters
    ----------
    run
        The run, open.
    grant
        What opens its frames.
    kind
        The reduction.
    frames
        Number of frames of each of its references.
    on_progress
        Called with frames gone over, how many there are in all passes, and what is made.
    """

    def __init__(
        self,
        run: Run,
        grant: Grant,
        kind: ReductionKind,
        frames: Sequence[int],
        on_progress: Progress | None,
    ) -> None:
        self.run, self.grant, self.kind, self.frames = run, grant, kind, frames
        self.on_progress = on_progress
        self.orders = Orders(run)
        self.scratch = Scratch(run.lake.store, run.id)
        self.entry = instrument(kind.instrument)
        self._made: dict[str, Kept] = {}
        self._over = 0
        self._tries: Counter[str] = Counter()
        self._doers: dict[tuple[int, int, str], SameCode] = {}

    def carry_out(self, client: Client) -> list[Whole]:
        """Work until no piece is left.

        Returns
        -------
        list of Whole
            What was made, for each of the references.

        Raises
        ------
        pipeline.errors.BadInput
            When frames of one reference are in different units.
        pipeline.errors.Fatal
            When a worker refuses, or is killed over the same piece again.
        pipeline.errors.Retriable, lake.errors.Retriable
            When a service is lost. The same command goes on later.
        cluster.run.orders.Cancelled
            When the run was given up; while it is paused we wait.
        """
        for attempt in range(_ATTEMPTS):
            try:
                with self.run.kept():
                    return self._carry_out(client)
            except NotKept as error:
                if attempt == _ATTEMPTS - 1:
                    raise
                log.warning("%s; it begins again", error)
                self.run.give_back()
                self.run.replan(["done"])
                self._doers.clear()
        raise AssertionError("unreachable")

    def _carry_out(self, client: Client) -> list[Whole]:
        volatile.begin(*self.scratch)
        self._learn()
        self._tell()
        while True:
            self.run.give_back()  # what an earlier round lost sight of
            self.orders.wait_through(self._tell)
            if claimed := self.run.claim(_CLAIMED):
                self._work(client, claimed)
            elif not self.run.left():
                break
            else:
                time.sleep(_WAIT)
                leases.take_over(self.run.lake)
                self._learn()
        ends = {
            payload["group"]: unit
            for unit, payload in self.run.payloads(ends_of(self.kind))
            if payload["pass"] == self.kind.passes - 1
        }
        return [volatile.kept(*self.scratch, self._made[unit]) for _, unit in sorted(ends.items())]

    def _learn(self) -> None:
        """What is done already, by whomever."""
        done = {one.unit_id: one.outcome for one in self.run.outcomes() if one.state == "done"}
        self._made = {unit: Kept(told["name"], told["sha256"]) for unit, told in done.items()}
        self._over = sum(told.get("frames", 0) for told in done.values())

    def _tell(self, what: str = "") -> None:
        if self.on_progress:
            self.on_progress(self._over, sum(self.frames) * self.kind.passes, what or self.kind.name)

    def _work(self, client: Client, claimed: Sequence[Claimed]) -> None:
        waiting = deque(claimed)
        running: dict[Future, Claimed] = {}
        sharing = Sharing.of(client, max(1, len(client.scheduler_info(n_workers=-1)["workers"])))
        try:
            while waiting or running:
                self.orders.require()
                if self.orders() is Order.PAUSE:
                    self.run.give_back([unit.unit_id for unit in waiting])
                    waiting.clear()
                room = max(0, sharing.room(_WINDOW) - len(running))
                for unit in [one for one in waiting if self._is_ready(one)][:room]:
                    waiting.remove(unit)
                    running[self._submit(client, unit)] = unit
                if not running:
                    self._learn()
                    if waiting and not any(map(self._is_ready, waiting)):  # they wait for what others work on
                        self.run.give_back([unit.unit_id for unit in waiting])
                        time.sleep(_WAIT)
                        return
                    time.sleep(_TURN)
                    continue
                future = _first_ended(client, list(running))
                if future is None:
                    continue
                unit = running.pop(future)
                if not self._settle(client, unit, future, sharing):
                    waiting.appendleft(unit)
        finally:
            client.cancel(list(running), force=True)

    def _is_ready(self, unit: Claimed) -> bool:
        return all(one in self._made for one in _needs(unit))

    def _submit(self, client: Client, unit: Claimed) -> Future:
        payload = unit.payload
        name = f"{self.kind.name}-{payload['do']}-{uuid4().hex}"
        try:
            return client.submit(
                told, self._doer(payload), self._piece(unit), key=name, retries=0, priority=PRIORITY
            )
        except Exception as error:
            if client.status == "running":
                raise
            raise _lost() from error

    def _doer(self, payload: Mapping[str, Any]) -> SameCode:
        """What carries out the pieces of one pass over the frames of one reference; it travels sealed."""
        key = (payload["group"], payload["pass"], payload["before"])
        if key not in self._doers:
            prepare = partial(_prepared, self.kind, payload["pass"], self.frames[payload["group"]])
            before = self._made[payload["before"]] if payload["before"] else None
            doer = CarryOut(prepare, before, self.scratch, self.kind.name)
            self._doers[key] = SameCode(self.kind.instrument, doer)
        return self._doers[key]

    def _piece(self, unit: Claimed) -> Piece:
        payload = unit.payload
        if payload["do"] == "map":
            dims, stored = tuple(payload["dims"]), tuple(payload["stored"])
            frames = tuple(self._source(stored, *frame) for frame in payload["frames"])
            layout = Layout(dims, tuple(payload["shape"]), self.entry.flagged(dims))
            return MapFrames(unit.unit_id, frames, layout)
        made = [self._made[one] for one in payload["of"]]
        return Join(unit.unit_id, *made) if payload["do"] == "join" else Finish(unit.unit_id, *made)

    def _source(self, stored: Dims, scope: str, name: str, hdu: int, sha256: str, _begin: str) -> FrameSource:
        return FrameSource(
            loader=Loader(self.run.lake.ref(self.grant, scope, name, sha256), hdu),
            source=name,
            blank_is_missing=self.entry.blank_is_missing,
            stored=stored,
        )

    def _settle(self, client: Client, unit: Claimed, future: Future, sharing: Sharing) -> bool:
        """Enter what a piece gave; False where it is to be tried again."""
        try:
            took: Told = future.result()
        except NotKept:
            raise
        except (KilledWorker, Retriable, LakeRetriable) as error:
            self._tries[unit.unit_id] += 1
            if self._tries[unit.unit_id] < _ATTEMPTS:
                return False
            if not isinstance(error, KilledWorker):
                raise
            raise Fatal(
                f"workers were killed {_ATTEMPTS} times over a piece of the {self.kind.name}, probably for "
                "its memory; start fewer workers with more memory each, then run the same command again"
            ) from error
        except Exception as error:
            if client.status == "running" and not isinstance(error, CancelledError):
                raise
            raise _lost() from error
        kept: Kept = took.made
        sharing.spent(took.seconds)
        frames = len(unit.payload.get("frames", ()))
        outcome = {"name": kept.name, "sha256": kept.sha256} | ({"frames": frames} if frames else {})
        facts = Facts(took.worker, {unit.payload["do"]: took.seconds}, memory=took.memory)
        if self.run.finish([Finished(unit.unit_id, "done", outcome, facts)]):
            for one in unit.payload.get("of", ()):
                volatile.drop(*self.scratch, self._made[one].name)
            self._made[unit.unit_id] = kept
            self._over += frames
        else:  # somebody else did it meanwhile, under a lease of their own
            volatile.drop(*self.scratch, kept.name)
            self._learn()
        self._tell()
        return True


def _prepared(kind: ReductionKind, turn: int, frames: int, before: Reduced | None) -> Reduction[Any]:
    return kind.reduction(turn, frames, before)


def _needs(unit: Claimed) -> list[str]:
    before = unit.payload["before"]
    return [*unit.payload.get("of", ()), *([before] if before else [])]


def _first_ended(client: Client, running: Sequence[Future]) -> Future | None:
    """One of the pieces that came to an end, or none within a moment."""
    try:
        with client.as_current():
            return next(iter(wait(list(running), EVERY, "FIRST_COMPLETED").done))
    except CancelledError as error:
        raise _lost() from error
    except TimeoutError:
        require_worker(client)
        return None


def require_worker(client: Client) -> None:
    """Refuse to wait for ever for a cluster without any worker."""
    try:
        client.wait_for_workers(1, timeout=_PATIENCE)
    except TimeoutError as error:
        raise Retriable(
            "the Dask cluster has no worker; run `heliolake up`, then the same command again"
        ) from error


def _lost() -> Retriable:
    return Retriable("the Dask cluster was lost; run `heliolake up`, then the same command again")
