"""A connection to a Dask scheduler, or a sentence that says why there is none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from distributed import Client, Future

from lake.errors import Retriable


@contextmanager
def connected(address: str) -> Iterator[Client]:
    """A client of the scheduler, closed at the end.

    Raises
    ------
    lake.errors.Retriable
        When the scheduler does not answer.
    """
    try:
        client = Client(address, timeout=10, set_as_default=False)
    except (OSError, TimeoutError) as error:
        raise Retriable(
            f"the Dask scheduler at {address} does not answer; run `heliolake up`, then this again"
        ) from error
    try:
        yield client
    finally:
        client.close(timeout=5)


def submit(client: Client, collection: Any) -> Future:
    """Have a lazy array computed as one result, every task under the whole of its name.

    Dask's optimiser names what it fuses by the first 120 letters and a few digits of a hash. Our names are
    longer than that before they differ: tasks of two blocks could get one name, and one the other's images.
    """
    return client.compute(collection, optimize_graph=False, retries=0)
