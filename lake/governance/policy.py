"""Who may have what: one pure function, asked by every path to the data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, Generic, Protocol, TypeVar

from lake.entries import in_utc
from lake.grant import SEAL, Grant


class Action(StrEnum):
    """What somebody wants of a release."""

    METADATA = "metadata"
    PREVIEW = "preview"
    BYTES = "bytes"
    CURATE = "curate"
    """Decide about it: embargo, withdrawal, DOI."""


class Scope(StrEnum):
    """What a principal's credentials are good for; an account that logs in itself has all."""

    READ = "read"
    WRITE = "write"
    CURATE = "curate"


EVERYTHING = "*"
GROUP = "group:"
"""How a list of holders names a group."""


@dataclass(frozen=True)
class Principal:
    """Who asks.

    Parameters
    ----------
    name
        Account name; "" for the public.
    groups
        Groups the account belongs to.
    curates
        Instruments it decides about, and sees whatever their embargo; `"*"` for all.
    operator
        Runs the data centre: sees what is under embargo, and drafts.
    scopes
        What the credentials are good for.
    by
        Who acts in its name, where it is not itself.
    """

    name: str = ""
    groups: frozenset[str] = frozenset()
    curates: frozenset[str] = frozenset()
    operator: bool = False
    scopes: frozenset[Scope] = frozenset(Scope)
    by: str = ""

    @property
    def signature(self) -> str:
        """Its name as the audit trail has it."""
        name = self.name or "public"
        return f"{name} (by {self.by})" if self.by else name

    @property
    def shown(self) -> str:
        """Its name, as a person reads it."""
        return self.name or "the public"

    @property
    def holds(self) -> frozenset[str]:
        """What lists of holders may call it."""
        return frozenset({self.name, *(f"{GROUP}{one}" for one in self.groups)} if self.name else ())

    def curator_of(self, instrument: str) -> bool:
        """Whether an instrument is in its care."""
        return EVERYTHING in self.curates or instrument in self.curates


PUBLIC = Principal(scopes=frozenset({Scope.READ}))
OPERATOR = Principal("operator", operator=True)
OWNER = Principal("owner", curates=frozenset({EVERYTHING}), operator=True)
"""Whoever can open an embedded home: nothing in it is withheld from them."""


GIVEN_OUT = ("ACTIVE", "SUPERSEDED")
"""Statuses of releases that are for others than operators."""


class Guarded(Protocol):
    """The facts of a release that decide (a row of the catalogue has them)."""

    @property
    def scope(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def embargo_until(self) -> datetime | None: ...
    @property
    def embargo_holders(self) -> Sequence[str]: ...


@dataclass
class Terms:
    """The facts of a release that decide, by themselves."""

    status: str
    embargo_until: datetime | None = None
    embargo_holders: list[str] = field(default_factory=list)
    scope: str = ""


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

    Metadata are public. Nobody has bytes or previews of what was withdrawn. Drafts are the operators' alone.
    Of ACTIVE and SUPERSEDED releases everybody has them from `embargo_until` on, and before it the holders,
    the instrument's curators and operators. The clock alone ends an embargo.

    Parameters
    ----------
    principal
        Who asks.
    action
        What for.
    release
        Its instrument, status, embargo and holders.
    at
        When; a time without a zone is taken as UTC.
    """
    wanted = Action(action)
    if wanted is Action.METADATA:
        return True
    if wanted is Action.CURATE:
        return Scope.CURATE in principal.scopes and principal.curator_of(release.scope)
    if Scope.READ not in principal.scopes or release.status == "WITHDRAWN":
        return False
    if principal.operator:
        return True
    if release.status not in GIVEN_OUT:
        return False
    if not under_embargo(release, at):
        return True
    return principal.curator_of(release.scope) or not principal.holds.isdisjoint(release.embargo_holders)


T = TypeVar("T", bound=Guarded)
CUSTODY: Final = Grant(SEAL, "the lake")
"""For the lake's own upkeep, on nobody's behalf: comparing, repairing, moving files. Never for giving out."""


class NotGranted(Exception, Generic[T]):
    """Somebody may not have what they ask for.

    Parameters
    ----------
    refused
        The releases they may not have.
    """

    def __init__(self, refused: Sequence[T]) -> None:
        super().__init__(f"{len(refused)} releases may not be had")
        self.refused = tuple(refused)


def grant(principal: Principal, action: Action, releases: Iterable[T], at: datetime) -> Grant:
    """What opens releases to somebody who may have all of them.

    Raises
    ------
    NotGranted
        When they may not have one of them.
    """
    refused = [one for one in releases if not may(principal, action, one, at)]
    if refused:
        raise NotGranted(refused)
    return Grant(SEAL, principal.name)


def under_embargo(release: Guarded, at: datetime) -> bool:
    """Whether a release is not everybody's yet."""
    return release.embargo_until is not None and in_utc(at) < in_utc(release.embargo_until)
