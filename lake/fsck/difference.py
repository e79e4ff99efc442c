"""What a check of `fsck` is given, and what it finds: a difference, commands that cure it, its repair."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lake.fsck.picture import Did, Picture
from lake.lake import Lake
from lake.storage.store import Ref

REPAIR = "heliolake fsck --repair"
DEEP_REPAIR = "heliolake fsck --deep --repair"
RESTORE = "heliolake restore PATH"
"""PATH is for the person to fill in: a file, or a folder that holds it."""


ReadDates = Callable[[Ref], tuple[datetime | None, datetime | None] | None]


@dataclass
class Difference:
    """One thing that storage, Rucio and catalogue do not agree on.

    Parameters
    ----------
    kind
        Short, stable code (scripts filter on it).
    did
        The file, release, unit or path concerned.
    detail
        What each side says, in a sentence or two.
    repair
        Puts it right without losing anything, or gives the commands that are left to do; None where `fsck`
        cannot.
    commands
        What a person types to have it put right, in this order; `fsck --repair` where there is a repair.
    """

    kind: str
    did: str
    detail: str
    repair: Callable[[], tuple[str, ...] | None] | None = None
    commands: tuple[str, ...] = ()
    repaired: bool = False

    def __post_init__(self) -> None:
        if self.repair is not None and not self.commands:
            self.commands = (REPAIR,)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, fit for JSON."""
        return {
            "kind": self.kind,
            "did": self.did,
            "detail": self.detail,
            "commands": list(self.commands),
            "repairable": self.repair is not None,
            "repaired": self.repaired,
        }


@dataclass(frozen=True)
class Look:
    """What a check looks at.

    Parameters
    ----------
    lake
        The lake; a check asks it nothing that the picture tells.
    picture
        What storage, Rucio and catalogue said.
    grace_seconds
        Leftovers younger than this are named but not repaired: their writer may be at work.
    read_dates
        Reads begin and end of a stored file's observation from its header; the lake cannot, it knows no
        instrument. None for a file whose header does not say.
    near
        Whether it is the site from which this process looks; at others only files are looked at.
    """

    lake: Lake
    picture: Picture
    grace_seconds: float
    read_dates: ReadDates | None = None
    near: bool = True

    def expects(self, did: Did) -> bool:
        """Whether a file is to lie here: Rucio says so, or, at the first site, it lies nowhere else."""
        _, state = self.picture.replicas.get(did, (None, None))
        # A copy that is on its way, or never came, is no loss where another site has the file.
        if did in self.picture.elsewhere:
            return state in ("AVAILABLE", "BAD")
        return self.near or state is not None


Check = Callable[[Look], Iterator[Difference]]
"""Names the differences of one kind; a new one is a function and its entry in `lake.fsck.compare`."""
