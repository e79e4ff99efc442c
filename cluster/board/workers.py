"""The workers of this scheduler as it knows them: what each holds and does. Nobody else has to be asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class WorkerFacts:
    """A worker.

    Attributes
    ----------
    name
        Its name.
    held, most
        Bytes of memory it holds, and may hold; 0 where there is no limit.
    spilled
        Bytes of results it put on disk.
    busy
        Number of tasks it has.
    status
        running, paused …
    """

    name: str
    held: int
    most: int
    spilled: int
    busy: int
    status: str


def workers_of(scheduler: Any) -> list[WorkerFacts]:
    """The workers of a scheduler; to be called by its own thread."""
    return [
        WorkerFacts(
            name=str(one.name),
            held=int(one.memory.process),
            most=int(one.memory_limit or 0),
            spilled=int(one.memory.spilled),
            busy=len(one.processing),
            status=str(one.status.name),
        )
        for one in scheduler.workers.values()
    ]


def memory_of(workers: Sequence[WorkerFacts]) -> tuple[int, int]:
    """Bytes that all of them hold, and may hold."""
    return sum(one.held for one in workers), sum(one.most for one in workers)
