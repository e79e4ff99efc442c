"""From a release that somebody names to the grant that opens it, or to a refusal in words.

Every access to what is under embargo, granted or refused, goes into the audit trail.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, and_, false, func, or_, select, true, tuple_

from lake.catalogue.models import File, Product, Release, ReleaseFile
from lake.catalogue.session import transaction
from lake.entries import iso
from lake.errors import BadInput, Reason
from lake.governance import audit
from lake.governance.policy import (
    GIVEN_OUT,
    Action,
    NotGranted,
    Principal,
    Scope,
    grant,
    may,
    under_embargo,
)
from lake.grant import Grant
from lake.lake import Lake
from lake.names import split_did, version_token
from lake.rucio.client import batches

_MANY = 5000
_SHOWN = 3
_KEPT = 100
"""Names of releases in one entry of the audit trail."""


class Asked(NamedTuple):
    """A release that somebody asks for: its name, and what of it decides."""

    name: str
    scope: str
    status: str
    embargo_until: datetime | None
    embargo_holders: list[str]

    @classmethod
    def of(cls, release: Release, product: str) -> Asked:
        """A row, and the name of its product."""
        name = f"{product}@{version_token(release.version)}"
        return cls(name, release.scope, release.status, release.embargo_until, list(release.embargo_holders))


def require(lake: Lake, principal: Principal, asked: Sequence[Asked], action: Action = Action.BYTES) -> Grant:
    """What opens releases to somebody.

    Raises
    ------
    BadInput
        When one of them may not be had, with code not-allowed.
    """
    at = datetime.now(UTC)
    try:
        granted = grant(principal, action, asked, at)
    except NotGranted as refused:
        _note(lake, principal, "access.refused", action, refused.refused, at)
        raise _refusal(refused.refused) from None
    _note(lake, principal, "access.granted", action, asked, at)
    return granted


def require_again(lake: Lake, principal: Principal, release_id: int, product: str) -> Grant:
    """What opens a release to somebody who was granted it before, and goes on using it.

    What they get was entered into the audit trail then.

    Raises
    ------
    BadInput
        When it may not be had any more, with code not-allowed.
    """
    with transaction(lake.sessions) as session:
        asked = Asked.of(session.get_one(Release, release_id), product)
    at = datetime.now(UTC)
    try:
        return grant(principal, Action.BYTES, [asked], at)
    except NotGranted as refused:
        _note(lake, principal, "access.refused", Action.BYTES, [asked], at)
        raise _refusal([asked]) from refused


def require_inputs(
    lake: Lake, principal: Principal, releases: Collection[str], references: Collection[str] = ()
) -> Grant:
    """What opens the inputs of a piece of work: releases by name, and references by DID.

    Raises
    ------
    BadInput
        When one of them may not be had.
    """
    asked = list(_by_name(lake, releases))
    asked += _holding(lake, references, principal)
    return require(lake, principal, asked)


def readable(principal: Principal, at: datetime | None = None) -> ColumnElement[bool]:
    """What `may(principal, BYTES, release, at)` says, as a condition on the table of releases.

    Parameters
    ----------
    principal
        Who asks.
    at
        When; now, by the clock of the database, where not given.
    """
    if Scope.READ not in principal.scopes:
        return false()
    if principal.operator:
        return Release.status != "WITHDRAWN"
    free = or_(Release.embargo_until.is_(None), Release.embargo_until <= (func.now() if at is None else at))
    holds = Release.embargo_holders.overlap(sorted(principal.holds)) if principal.holds else false()
    cared = true() if principal.curator_of("") else Release.scope.in_(sorted(principal.curates))
    return and_(Release.status.in_(GIVEN_OUT), or_(free, holds, cared))


def _by_name(lake: Lake, releases: Collection[str]) -> Iterator[Asked]:
    keys = [(name, int(version)) for name, _, version in (one.rpartition("@v") for one in sorted(releases))]
    for several in batches(keys, _MANY):
        query = _rows().where(tuple_(Product.name, Release.version).in_(several))
        with transaction(lake.sessions) as session:
            yield from (Asked.of(release, name) for release, name in session.execute(query))


def _holding(lake: Lake, references: Collection[str], principal: Principal) -> Iterator[Asked]:
    """Of the releases that hold a reference the one its reader may have most easily."""
    at = datetime.now(UTC)
    for several in batches(sorted(references), _MANY):
        query = (
            select(Release, Product.name, File.scope, File.name)
            .join(Product, Product.id == Release.product_id)
            .join(ReleaseFile, ReleaseFile.release_id == Release.id)
            .join(File, File.id == ReleaseFile.file_id)
            .where(tuple_(File.scope, File.name).in_([split_did(did) for did in several]))
            .order_by(Release.version.desc())
        )
        best: dict[tuple[str, str], Asked] = {}
        with transaction(lake.sessions) as session:
            for release, product, scope, name in session.execute(query):
                one = Asked.of(release, product)
                if (scope, name) not in best or may(principal, Action.BYTES, one, at):
                    best[scope, name] = one
        yield from best.values()


def _rows() -> Select[tuple[Release, str]]:
    return select(Release, Product.name).join(Product, Product.id == Release.product_id)


def _note(
    lake: Lake, principal: Principal, what: str, action: Action, asked: Iterable[Asked], at: datetime
) -> None:
    """Enter into the audit trail what somebody got, or did not get, of what is under embargo."""
    held = sorted({one.name for one in asked if under_embargo(one, at)})
    if held:
        with transaction(lake.sessions) as session:
            detail = {"action": action.value, "releases": held[:_KEPT], "number": len(held)}
            audit.record(session, principal.signature, what, held[0], detail)


def _refusal(refused: Sequence[Asked]) -> BadInput:
    first = refused[0]
    if first.status == "WITHDRAWN":
        why = f"{first.name} was withdrawn and is not given out"
        advice = "take the ACTIVE release of the product"
    elif first.status == "DRAFT":
        why, advice = f"{first.name} is not published yet", "wait for its publication"
    elif first.embargo_until is None:
        why, advice = f"{first.name} may not be read with these credentials", "use ones for reading"
    else:
        why = f"{first.name} is under embargo until {iso(first.embargo_until)}"
        advice = "wait for that date or ask the data centre for access"
    more = f", and so are or were {len(refused) - 1} more" if len(refused) > 1 else ""
    named = ", ".join(one.name for one in refused[1 : 1 + _SHOWN])
    found = f"{first.status}{f'; {named}' if named else ''}"
    return BadInput(f"{why}{more}", found=found, advice=advice, code=Reason.NOT_ALLOWED)
