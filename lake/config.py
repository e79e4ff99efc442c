"""What the lake needs to know to reach its catalogue, its Rucio and its storage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Element:
    """A storage element of another site.

    Attributes
    ----------
    rse
        Its name.
    store
        URL of its store; '' where this process cannot reach it.
    embargoed
        Instruments whose data may lie there while they are under embargo; None for all.
    """

    rse: str
    store: str = ""
    embargoed: frozenset[str] | None = None

    def may_hold(self, scope: str) -> bool:
        """Whether data of an instrument may lie there while they are under embargo."""
        return self.embargoed is None or scope in self.embargoed


@dataclass(frozen=True)
class Placement:
    """How many copies of a release there are to be, and on which storage elements."""

    copies: int
    rses: tuple[str, ...]


@dataclass(frozen=True)
class LakeConfig:
    """Addresses and credentials of one lake.

    Attributes
    ----------
    database_url
        SQLAlchemy URL of our catalogue (``postgresql+psycopg://...``). Holds the password, hence not shown.
    rucio_host
        Base URL of the Rucio server, used for authentication too.
    account
        The Rucio account (and userpass identity) the service works as.
    password
        Its password; not shown.
    token_path
        Where the client keeps its token. Tokens of different servers must not share a file.
    rse
        Name of the storage element at this site.
    store
        URL of its store: a folder as ``file:///FOLDER``, or as `lake.storage.s3.s3_url` makes it. Never
        holds credentials.
    store_credentials
        File of the credentials for it, where it needs some that this process does not have.
    embargoed
        Instruments whose data may lie on it while they are under embargo; None for all.
    others
        The storage elements of the other sites.
    placements
        By instrument, ``default`` for the others: how many copies of a release there are to be, and where.
        One copy, wherever it was made, where nothing is said.
    """

    database_url: str = field(repr=False)
    rucio_host: str
    account: str
    password: str = field(repr=False)
    token_path: Path
    rse: str
    store: str
    store_credentials: Path | None = None
    embargoed: frozenset[str] | None = None
    others: tuple[Element, ...] = ()
    placements: Mapping[str, Placement] = field(default_factory=dict)

    @property
    def elements(self) -> tuple[Element, ...]:
        """All storage elements, our own first."""
        return (Element(self.rse, self.store, self.embargoed), *self.others)

    def placement(self, scope: str, *, under_embargo: bool) -> Placement:
        """Where the copies of a release are to be.

        Parameters
        ----------
        scope
            Its instrument.
        under_embargo
            Whether it is: then only where it may lie.
        """
        wanted = self.placements.get(scope) or self.placements.get("default") or Placement(1, ())
        allowed = [one.rse for one in self.elements if not under_embargo or one.may_hold(scope)]
        named = [rse for rse in allowed if rse in wanted.rses] or allowed or [self.rse]
        return Placement(min(wanted.copies, len(named)), tuple(sorted(named)))
