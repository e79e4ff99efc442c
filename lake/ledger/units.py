"""Units as the ledger keeps them: planned, claimed, finished; and what one gave, in whatever run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lake.entries import FileEntry

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
class Finished:
    """How a unit ended: `state` is done, skipped, quarantined or failed."""

    unit_id: str
    state: str
    outcome: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """What a unit gave, in this run or any before it."""

    unit_id: str
    outcome: str
    file: FileEntry | None
    detail: dict[str, Any]
