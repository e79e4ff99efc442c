"""Units as the ledger keeps them: planned, claimed, finished; and what one gave, in whatever run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lake.entries import FileEntry

ENDED = ("done", "cancelled")
"""Runs that nobody goes on with; a failed one may be."""
REDUCTION = "reduce "
"""What the recipe of a run begins with that makes references of many frames."""
STATES = ("planned", "leased", "done", "skipped", "quarantined", "failed")


@dataclass(frozen=True)
class UnitSpec:
    """A unit as it is entered into a run.

    Parameters
    ----------
    unit_id
        Hash of all that determines the result.
    product
        Name of the product it belongs to.
    payload
        Plain data the executor needs to do it.
    site
        Where it is to be done; '' where the run has one site.
    """

    unit_id: str
    product: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    site: str = ""


@dataclass(frozen=True)
class Claimed:
    """A unit that is ours until the lease ends; `attempts` counts this one."""

    unit_id: str
    product: str
    attempts: int
    payload: dict[str, Any]


@dataclass(frozen=True)
class Facts:
    """What a unit took.

    Parameters
    ----------
    worker
        Who did it, of those that its executor gives work to; "" where nobody lived to tell.
    seconds
        Time of each step, by its name.
    bytes_in, bytes_out
        Sizes of the files read and written.
    memory
        Most bytes that the worker ever held.
    """

    worker: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)
    bytes_in: int = 0
    bytes_out: int = 0
    memory: int = 0

    def document(self) -> dict[str, Any]:
        """As the ledger keeps it; a run has a million of these."""
        seconds = {step: round(value, 4) for step, value in self.seconds.items()}
        told = {"worker": self.worker, "in": self.bytes_in, "out": self.bytes_out, "memory": self.memory}
        return told | {"seconds": seconds}


@dataclass(frozen=True)
class Finished:
    """How a unit ended: `state` is done, skipped, quarantined or failed; without facts it took nothing."""

    unit_id: str
    state: str
    outcome: Mapping[str, Any] = field(default_factory=dict)
    facts: Facts | None = None


@dataclass(frozen=True)
class Result:
    """What a unit gave, in this run or any before it."""

    unit_id: str
    outcome: str
    file: FileEntry | None
    detail: dict[str, Any]
