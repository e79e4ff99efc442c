"""Writing a block beside the sums of the next one: a worker's disk and processor both have work."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from distributed import secede

#: One block of a worker may be on its way to the storage while it computes the next: no more lie in memory.
_ON_ITS_WAY: Final = threading.Semaphore(1)


@contextmanager
def beside_the_next() -> Iterator[None]:
    """Give this task's place in its worker to the next one, and do what follows beside it.

    The task ends as every other does, when all is done. It waits here, in its place, until what was begun
    before it is done.
    """
    with _ON_ITS_WAY:
        secede()
        yield
