"""A connection to a Dask scheduler, or a sentence that says why there is none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from distributed import Client, Future
from distributed.security import Security

from cluster.scheduler import Scheduler
from lake.errors import Retriable

_ROLES = ("client", "scheduler", "worker")


@contextmanager
def connected(scheduler: Scheduler) -> Iterator[Client]:
    """A client of the scheduler, closed at the end.

    Raises
    ------
    lake.errors.Retriable
        When the scheduler does not answer.
    """
    client = connect(scheduler)
    try:
        yield client
    finally:
        client.close(timeout=5)


def connect(scheduler: Scheduler, *, as_default: bool = False) -> Client:
    """A client of the scheduler.

    Parameters
    ----------
    scheduler
        Whose.
    as_default
        Let it compute what is lazy from now on, as notebooks expect.

    Raises
    ------
    lake.errors.Retriable
        When the scheduler does not answer.
    """
    try:
        security = scheduler.security or (shared_key(scheduler.key) if scheduler.key is not None else None)
        return Client(scheduler.address, timeout=10, set_as_default=as_default, security=security)
    except (OSError, TimeoutError) as error:
        raise Retriable(f"the Dask scheduler at {scheduler} does not answer; {scheduler.advice}") from error


def shared_key(pem: Path) -> Security:
    """Encrypted connections only, and only with those who hold the same key."""
    files = {f"tls_{role}_{part}": str(pem) for role in _ROLES for part in ("key", "cert")}
    return Security(require_encryption=True, tls_ca_file=str(pem), **files)


def submit(client: Client, collection: Any) -> Future:
    """Have a lazy array computed as one result, every task under the whole of its name.

    Dask's optimiser names what it fuses by the first 115 letters and four digits of a hash. Names of ours
    can differ later than that: tasks of two blocks could get one name, and one the other's images.
    """
    return client.compute(collection, optimize_graph=False, retries=0)


def submit_whole(client: Client, collection: Any, name: str, priority: int = 0) -> Future:
    """Have a small lazy array computed by one worker as one task, which the dashboard shows under `name`.

    It is begun before all that waits with a lower priority. Its images stay where they are made; as tasks of
    their own they could be sent to another worker.
    """
    return client.submit(_computed, collection, key=f"{name}-{uuid4().hex}", retries=0, priority=priority)


def _computed(collection: Any) -> Any:
    return collection.compute(scheduler="synchronous", optimize_graph=False)
