"""The states of a DOI, and the events that lead from one to another: pure, without registry or catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from lake.entries import in_utc
from lake.errors import BadInput, Reason


class State(StrEnum):
    """What a DOI is at the registry."""

    NONE = "none"
    """The registry does not have it."""
    DRAFT = "draft"
    """Only its owner sees it; may still be deleted."""
    REGISTERED = "registered"
    """It resolves, for ever, and is in no index."""
    FINDABLE = "findable"
    """It resolves and is found."""

    @property
    def public(self) -> bool:
        """Whether it resolves."""
        return self in (State.REGISTERED, State.FINDABLE)

    @classmethod
    def of(cls, found: Mapping[str, Any] | None) -> State:
        """The state in what a registry answered."""
        return cls.NONE if found is None else cls(str(found.get("state")))


@dataclass(frozen=True)
class Wanted:
    """What decides which state a DOI is to have.

    Parameters
    ----------
    asked
        What a curator wants of it.
    hidden
        Whether it has a tombstone.
    free_at
        When the embargo of what it stands for ends; None where there is none.
    """

    asked: State
    hidden: bool = False
    free_at: datetime | None = None

    def at(self, now: datetime, there: State) -> State:
        """The state it is to have at a time.

        A draft stays one until a curator asks for more. Under embargo it resolves and is in no index, until
        the clock ends the embargo. One that is findable already is hidden by a tombstone alone: an embargo
        that comes later closes the data, not the citation.

        Parameters
        ----------
        now
            The time.
        there
            What it is now.
        """
        if self.asked is State.DRAFT and not there.public:
            return State.DRAFT
        if self.hidden:
            return State.REGISTERED
        if there is State.FINDABLE:
            return State.FINDABLE
        embargoed = self.free_at is not None and in_utc(now) < in_utc(self.free_at)
        return State.REGISTERED if embargoed or self.asked is not State.FINDABLE else State.FINDABLE


def event(there: State, wanted: State) -> str:
    """The event that leads from one state to another; '' where none is needed.

    Raises
    ------
    BadInput
        Where none does: what was registered never becomes a draft again.
    """
    if there is wanted or (there is State.NONE and wanted is State.DRAFT):
        return ""
    if wanted is State.FINDABLE:
        return "publish"
    if wanted is State.REGISTERED:
        return "hide" if there is State.FINDABLE else "register"
    raise BadInput(
        f"a DOI that is {there} cannot become a draft again",
        keyword="state",
        found=there,
        advice="registered DOIs stay for ever; hide it with a reason instead",
        code=Reason.NOT_ALLOWED,
    )
