"""Who may have what: one pure function, asked by every path to the data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from lake.entries import in_utc


class Action(StrEnum):
    """What somebody wants of a release."""

    METADATA = "metadata"
    PREVIEW = "preview"
    BYTES = "bytes"


@dataclass(frozen=True)
class Principal:
    """Who asks.

    Parameters
    ----------
    name
        Account name; "" for the public.
    operator
        Runs the data centre: sees everything, withdrawn releases included.
    """

    name: str = ""
    operator: bool = False


PUBLIC = Principal()
OPERATOR = Principal("operator", operator=True)


class Guarded(Protocol):
    """The facts of a release that decide (a row of the catalogue has them)."""

    status: str
    embargo_until: datetime | None
    embargo_holders: list[str]


@dataclass
class Terms:
    """The facts of a release that decide, by themselves."""

    status: str
    embargo_until: datetime | None = None
    embargo_holders: list[str] = field(default_factory=list)


def strictest(releases: Iterable[Guarded], at: datetime) -> tuple[datetime | None, list[str]]:
    """The embargo of what is made of several releases: the last end of any, and only whom all of them let in.

    Parameters
    ----------
    releases
        What it is made of; those that are under embargo no more let everybody in.
    at
        When it is made.

    Returns
    -------
    until, holders
        As a release has them; `None` and no holder where none of them has an embargo.
    """
    held = [
        (in_utc(one.embargo_until), set(one.embargo_holders))
        for one in releases
        if one.embargo_until is not None and in_utc(one.embargo_until) > in_utc(at)
    ]
    if not held:
        return None, []
    return max(until for until, _ in held), sorted(set.intersection(*(holders for _, holders in held)))


def may(principal: Principal, action: Action | str, release: Guarded, at: datetime) -> bool:
    """Whether somebody may have something of a release at a time.

    Metadata are public. Bytes and previews are for operators always; for others of ACTIVE and SUPERSEDED
    releases only, and before `embargo_until` only for its holders. The clock alone ends an embargo.

    Parameters
    ----------
    principal
        Who asks.
    action
        What for.
    release
        Its status, embargo and holders.
    at
        When; a time without a zone is taken as UTC.
    """
    if Action(action) is Action.METADATA or principal.operator:
        return True
    if release.status not in ("ACTIVE", "SUPERSEDED"):
        return False
    if release.embargo_until is None or in_utc(at) >= in_utc(release.embargo_until):
        return True
    return bool(principal.name) and principal.name in release.embargo_holders
