"""Who looks at files and stores them: threads of this process, processes of its own, or Dask's workers.

All do the same work (`cluster.intake.arrivals`), a batch at a time, and keep the batch's bytes until it has
been decided what becomes of each file.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from functools import partial
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from cluster.intake.arrivals import Batch, Looked, code_here, keep, look, refused, sees
from cluster.report import Item
from cluster.scheduler import Scheduler
from cluster.services.compute import worker_count
from lake.errors import Retriable
from lake.storage.store import Store

if TYPE_CHECKING:
    from distributed import Client

#: Batches of each thread, process or worker that were begun and are not decided about.
AHEAD: Final = 3
#: Seconds to wait for a worker where there is none.
PATIENCE: Final = 30
#: Seconds for which all workers may take to say what they are.
INTRODUCTION: Final = 60

Kept = dict[int, Item | None]


class Lost(Exception):
    """The process that had a batch ended, probably for its memory."""


class Task(Protocol):
    """A batch in somebody's hands."""

    def looked(self) -> list[Looked | Item]:
        """Each file of it; waits. Raises `Lost`."""

    def keep(self, wanted: Mapping[int, str]) -> Callable[[], Kept]:
        """Begin to store some of its files; what is returned waits for the end. Raises `Lost`."""

    def drop(self) -> None:
        """Nothing more is wanted of it."""


class Hands(Protocol):
    """Whoever does the work."""

    #: Batches that may be begun before one is decided about.
    window: int
    #: Whether it is done by processes that may see other files: on other machines, or in `/proc/self`.
    elsewhere: bool

    def look(self, paths: Sequence[Path]) -> Task:
        """Begin to look at files."""


class Threads:
    """Threads of this process: nothing has to be started, and all share one core.

    Parameters
    ----------
    store
        The storage element.
    pool
        The threads.
    """

    COUNT: Final = 4

    def __init__(self, store: Store, pool: ThreadPoolExecutor) -> None:
        self.window = self.COUNT
        self.elsewhere = False
        self._store = store
        self._pool = pool

    def look(self, paths: Sequence[Path]) -> Task:
        """As `Hands.look`."""
        return _InThread(self._pool, self._store, paths)


class _InThread:
    def __init__(self, pool: ThreadPoolExecutor, store: Store, paths: Sequence[Path]) -> None:
        self._pool, self._store = pool, store
        self._batch: Future[Batch] | None = pool.submit(look, paths, store)

    def looked(self) -> list[Looked | Item]:
        return self._here().looked

    def keep(self, wanted: Mapping[int, str]) -> Callable[[], Kept]:
        return self._pool.submit(keep, self._here(), wanted, self._store).result

    def drop(self) -> None:
        self._batch = None

    def _here(self) -> Batch:
        if self._batch is None:
            raise Lost
        return self._batch.result()


class Processes:
    """Processes of this command, one a core; each keeps what it looked at.

    Parameters
    ----------
    store
        The storage element.
    count
        How many.
    """

    def __init__(self, store: Store, count: int) -> None:
        self.window = AHEAD * count
        self.elsewhere = True
        self.store = store
        self._context = multiprocessing.get_context("spawn")
        self._pools = [self._pool() for _ in range(count)]
        self._next = 0

    def look(self, paths: Sequence[Path]) -> Task:
        """As `Hands.look`."""
        self._next = (self._next + 1) % len(self._pools)
        return _InProcess(self, self._next, paths)

    def submit(self, place: int, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Have one of the processes do something; another takes its place where it ended."""
        try:
            return self._pools[place].submit(function, *arguments)
        except BrokenProcessPool:
            self._pools[place].shutdown(wait=False)
            self._pools[place] = self._pool()
            return self._pools[place].submit(function, *arguments)

    def close(self) -> None:
        """End them."""
        for pool in self._pools:
            pool.shutdown(wait=True, cancel_futures=True)

    def _pool(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(1, mp_context=self._context, initializer=_settle_in)


class _InProcess:
    def __init__(self, among: Processes, place: int, paths: Sequence[Path]) -> None:
        self._among, self._place, self._name = among, place, uuid.uuid4().hex
        self._looked = among.submit(place, _look_there, self._name, list(paths), among.store)

    def looked(self) -> list[Looked | Item]:
        found: list[Looked | Item] = _or_lost(self._looked.result)
        return found

    def keep(self, wanted: Mapping[int, str]) -> Callable[[], Kept]:
        doing = self._among.submit(self._place, _keep_there, self._name, dict(wanted), self._among.store)
        return partial(_or_lost, doing.result)

    def drop(self) -> None:
        self._among.submit(self._place, _drop_there, self._name)


def _or_lost(result: Callable[[], Any]) -> Any:
    try:
        return result()
    except (
        BrokenProcessPool,
        KeyError,
    ) as error:  # it ended; or another came in its place, which knows nothing
        raise Lost from error


#: In a process of the command: what it looked at, until it is dropped.
_held: Final[dict[str, Batch]] = {}


def _settle_in() -> None:
    """Leave Ctrl-C to the command, and end with it however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait_for([sentinel])
    os._exit(1)


def _look_there(name: str, paths: Sequence[Path], store: Store) -> list[Looked | Item]:
    _held[name] = look(paths, store)
    return _held[name].looked


def _keep_there(name: str, wanted: Mapping[int, str], store: Store) -> Kept:
    return keep(_held[name], wanted, store)


def _drop_there(name: str) -> None:
    _held.pop(name, None)


class Workers:
    """The workers of a Dask cluster.

    Parameters
    ----------
    store
        The storage element, which they have before them.
    client
        Connected to the cluster.
    count
        How many they are.
    """

    def __init__(self, store: Store, client: Client, count: int) -> None:
        self.window = AHEAD * count
        self.elsewhere = True
        self._store, self._client = store, client

    def look(self, paths: Sequence[Path]) -> Task:
        """As `Hands.look`."""
        return _AtWorker(self._client, self._store, paths)


class _AtWorker:
    def __init__(self, client: Client, store: Store, paths: Sequence[Path]) -> None:
        self._client, self._store, name = client, store, uuid.uuid4().hex
        self._batch = self._submit(look, list(paths), store, key=f"look-at-files-{name}")
        # What is small comes here, the bytes stay there.
        self._looked = self._submit(_looked_of, self._batch, key=f"tell-{name}", priority=2)

    def looked(self) -> list[Looked | Item]:
        found: list[Looked | Item] = self._result(self._looked)
        return found

    def keep(self, wanted: Mapping[int, str]) -> Callable[[], Kept]:
        name = f"store-files-{uuid.uuid4().hex}"
        doing = self._submit(keep, self._batch, dict(wanted), self._store, key=name, priority=1)
        return partial(self._result, doing)

    def drop(self) -> None:
        self._batch.release()
        self._looked.release()

    def _submit(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        try:
            return self._client.submit(function, *arguments, pure=False, **options)
        except Exception as error:
            if self._client.status == "running":
                raise
            raise _no_cluster() from error

    def _result(self, future: Any) -> Any:
        from distributed import KilledWorker
        from distributed import wait as wait_until

        while True:
            try:
                with self._client.as_current():
                    wait_until(future, timeout=PATIENCE)
                return future.result()
            except KilledWorker as error:
                raise Lost from error
            except CancelledError as error:
                raise _no_cluster() from error
            except TimeoutError:
                _require_worker(self._client)


class Here:
    """A batch looked at and stored by this process, while the caller waits."""

    def __init__(self, paths: Sequence[Path], store: Store) -> None:
        self._store = store
        self._batch: Batch | None = look(paths, store)

    def looked(self) -> list[Looked | Item]:
        """As `Task.looked`."""
        return self._batch.looked if self._batch else []

    def keep(self, wanted: Mapping[int, str]) -> Callable[[], Kept]:
        """As `Task.keep`."""
        kept = keep(self._batch, wanted, self._store) if self._batch else {}
        return lambda: kept

    def drop(self) -> None:
        """As `Task.drop`."""
        self._batch = None


class OneByOne:
    """A batch that was lost with its process: each file by itself, so that one takes no other with it."""

    def __init__(self, hands: Hands, paths: Sequence[Path]) -> None:
        self._hands, self._paths = hands, paths

    def looked(self) -> list[Looked | Item]:
        """As `Task.looked`; a file that takes its process with it again is refused."""
        return [self._look(path) for path in self._paths]

    def keep(self, wanted: Mapping[int, str]) -> Callable[[], Kept]:
        """As `Task.keep`; the files are read once more."""
        kept = {place: self._keep(self._paths[place], sha256) for place, sha256 in wanted.items()}
        return lambda: kept

    def drop(self) -> None:
        """As `Task.drop`."""

    def _look(self, path: Path) -> Looked | Item:
        task = self._hands.look([path])
        try:
            return task.looked()[0]
        except Lost:
            return refused(MemoryError("the process that looked at it was ended"), path)
        finally:
            task.drop()

    def _keep(self, path: Path, sha256: str) -> Item | None:
        task = self._hands.look([path])
        try:
            task.looked()
            return task.keep({0: sha256})()[0]
        except Lost:
            return refused(MemoryError("the process that stored it was ended"), path, sha256)
        finally:
            task.drop()


def _looked_of(batch: Batch) -> list[Looked | Item]:
    return batch.looked


def _require_worker(client: Client) -> None:
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError as error:
        raise _no_cluster() from error


def _no_cluster() -> Retriable:
    return Retriable("the Dask cluster was lost; run `heliolake up`, then the same command again")


@contextmanager
def hands(
    store: Store,
    files: Sequence[Path],
    *,
    many: bool,
    scheduler: Scheduler | None,
    say: Callable[[str], None],
) -> Iterator[Hands]:
    """Whoever is to do the work for some files; let go of at the end.

    Parameters
    ----------
    store
        The storage element.
    files
        All of them.
    many
        Whether they are worth more than this process.
    scheduler
        Of the Dask cluster that is to do the work; None where there is none.
    say
        Told in one sentence why the work is not done there.
    """
    with ExitStack() as stack:
        if not many:
            pool = stack.enter_context(ThreadPoolExecutor(Threads.COUNT, "ingest"))
            stack.callback(partial(pool.shutdown, wait=False, cancel_futures=True))
            yield Threads(store, pool)
            return
        workers = _workers(stack, store, files, scheduler, say) if scheduler is not None else None
        if workers is not None:
            yield workers
            return
        own = Processes(store, worker_count())
        stack.callback(own.close)
        yield own


def _workers(
    stack: ExitStack, store: Store, files: Sequence[Path], scheduler: Scheduler, say: Callable[[str], None]
) -> Workers | None:
    """The workers of a cluster, or None, and why, where not all of them can do the work."""
    from cluster.connect import connected

    try:
        client = stack.enter_context(connected(scheduler))
    except Retriable:
        say(f"The Dask scheduler at {scheduler} does not answer: this machine looks at the files itself.")
        return None
    sample = next(((path, path.stat().st_size) for path in files if path.is_file()), None)
    # A worker that hangs answers nobody, and the question itself knows no limit of time.
    asking = ThreadPoolExecutor(1, "introduction")
    try:
        asked = asking.submit(client.run, _introduce, sample, store, on_error="return")
        told = asked.result(timeout=INTRODUCTION)
    except TimeoutError:
        say(f"A Dask worker did not answer for {INTRODUCTION} s: this machine looks at the files itself.")
        return None
    except (OSError, ValueError):
        told = {}
    finally:
        asking.shutdown(wait=False)
    if not told:
        say("The Dask cluster has no worker: this machine looks at the files itself.")
        return None
    if any(isinstance(one, Exception) or one[0] != code_here() for one in told.values()):
        say(
            "Dask's workers run other code than this command (`heliolake down`, then `heliolake up` cures "
            "it): this machine looks at the files itself."
        )
        return None
    if not all(one[1] for one in told.values()):
        say("Dask's workers do not have these files before them: this machine looks at them itself.")
        return None
    return Workers(store, client, len(told))


def _introduce(sample: tuple[Path, int] | None, store: Store) -> tuple[str, bool]:
    """What a worker runs, and whether it sees what there is to be seen."""
    return code_here(), sample is None or sees(*sample, store)
