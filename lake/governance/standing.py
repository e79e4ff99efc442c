"""How embargoes stand: what is decided about something, its releases page by page, and what ends soon."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, Select, func, literal, select, tuple_
from sqlalchemy.orm import Session

from lake.catalogue.models import Embargo, Product, Release
from lake.catalogue.session import transaction
from lake.entries import iso
from lake.errors import BadInput, Reason
from lake.governance.embargo import about, observations_of, require_known
from lake.governance.inheritance import decided
from lake.governance.policy import Action, Principal, Terms, may
from lake.governance.target import Target
from lake.lake import Lake
from lake.text import printable

MOST: Final = 1000
"""Releases that are told at once where nobody asks for fewer."""
_LOOKED_AT: Final = 100
"""Observations of a value about which each is asked what is decided: most are under the same decisions."""
_LONGEST_SHOWN: Final = 100


def show(
    lake: Lake, target: Target, principal: Principal, *, limit: int = MOST, after: str = ""
) -> dict[str, Any]:
    """What is decided about something, how its releases stand, and for its curators by whom and why.

    Parameters
    ----------
    lake, target, principal
        About what, and who asks.
    limit, after
        So many of its releases by name and version, of those behind this one; `more` of what was told before.

    Returns
    -------
    dict
        With ``observations``, ``number`` of releases and how many of them are ``under_embargo``, all counted;
        ``decided``, ``history``, ``releases`` and ``more``, the last of them where others follow.

    Raises
    ------
    BadInput
        When there is no such observation, or no release is called as `after` is.
    """
    private = may(principal, Action.CURATE, Terms("ACTIVE", scope=target.scope), datetime.now(UTC))
    place = (Product.name, Release.version)
    with transaction(lake.sessions) as session:
        require_known(session, target)
        ids = observations_of(target)
        number = session.scalar(select(func.count()).select_from(ids.subquery())) or 0
        rows = session.scalars(select(Embargo).where(*about(target)).order_by(Embargo.id))
        history = [_told(row, private=private) for row in rows]
        first = session.scalars(ids.limit(_LOOKED_AT)).all()
        held = {row.id: row for one in first for row in decided(session, one)}
        at = session.scalars(select(func.now())).one()
        of_it = (
            select(Release, Product.name)
            .join(Product, Product.id == Release.product_id)
            .where(Product.observation_id.in_(ids.order_by(None)), Release.status != "DRAFT")
        )
        counted = of_it.with_only_columns(func.count(), func.count().filter(Release.embargo_until > at))
        every, under = session.execute(counted).one()
        found = of_it.order_by(*place).limit(limit + 1)
        if after:
            found = found.where(tuple_(*place) > tuple_(*map(literal, _place(after))))
        page, more = _page(session, found, limit)
        return {
            "target": str(target),
            "observations": number,
            "number": every,
            "under_embargo": under,
            "decided": [_told(row, private=private) for row in held.values()],
            "history": history,
            "releases": [
                {
                    "release": _name(name, release.version),
                    "status": release.status,
                    "embargo_until": iso(release.embargo_until),
                    "embargo_holders": list(release.embargo_holders) if private else [],
                    "under_embargo": release.embargo_until is not None and release.embargo_until > at,
                }
                for release, name in page
            ],
            "more": _name(page[-1][1], page[-1][0].version) if more else "",
        }


def due(
    lake: Lake, within: timedelta, principal: Principal, *, limit: int = MOST, after: str = ""
) -> dict[str, Any]:
    """Products whose embargo ends within some time, the next first; of several versions the ACTIVE one.

    Holders are named to the instruments' curators alone.

    Parameters
    ----------
    lake, within, principal
        Within which time, and who asks.
    limit, after
        So many of them, of those behind this place; `more` of what was told before.

    Returns
    -------
    dict
        With ``due``, their ``number`` counted, and ``more``, the place where others follow.

    Raises
    ------
    BadInput
        When `after` is no place.
    """
    at = datetime.now(UTC)
    query = (
        select(Release, Product.name)
        .join(Product, Product.id == Release.product_id)
        .where(
            Release.status == "ACTIVE",
            Release.embargo_until > func.now(),
            Release.embargo_until <= func.now() + within,
        )
    )
    found = query.order_by(Release.embargo_until, Product.name).limit(limit + 1)
    if after:
        end, _, name = after.partition("/")
        place = tuple_(literal(_time(end, after)), literal(name))
        found = found.where(tuple_(Release.embargo_until, Product.name) > place)
    with transaction(lake.sessions) as session:
        number = session.scalar(query.with_only_columns(func.count()))
        page, more = _page(session, found, limit)
        return {
            "number": number,
            "due": [
                {
                    "release": _name(name, release.version),
                    "until": iso(release.embargo_until),
                    "holders": list(release.embargo_holders)
                    if may(principal, Action.CURATE, release, at)
                    else [],
                }
                for release, name in page
            ],
            # To the last digit, which what is shown has not.
            "more": f"{page[-1][0].embargo_until.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}/{page[-1][1]}"
            if more
            else "",
        }


def _page(
    session: Session, found: Select[tuple[Release, str]], limit: int
) -> tuple[Sequence[Row[tuple[Release, str]]], bool]:
    rows = session.execute(found).all()
    return rows[:limit], len(rows) > limit


def _name(product: str, version: int) -> str:
    return f"{product}@v{version:04d}"


def _place(after: str) -> tuple[str, int]:
    name, _, version = after.rpartition("@v")
    if not (name and after.isprintable() and version.isascii() and version.isdigit() and len(version) < 10):
        raise _no_place(after)
    return name, int(version)


def _time(text: str, after: str) -> datetime:
    try:
        if not (after.isprintable() and "/" in after):
            raise ValueError(after)
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError as error:
        raise _no_place(after) from error


def _no_place(after: str) -> BadInput:
    return BadInput(
        "this is no place in a listing",
        keyword="after",
        found=printable(after[:_LONGEST_SHOWN]),
        advice="give the one that the listing before ended with, or none to begin anew",
        code=Reason.NOT_FOUND,
    )


def _told(row: Embargo, *, private: bool) -> dict[str, Any]:
    target = Target(row.scope, row.observation, row.key, row.value)
    return {
        "target": str(target),
        "until": iso(row.until),
        "holders": list(row.holders) if private else [],
        "reason": row.reason if private else "",
        "by": row.decided_by if private else "",
        "decided": iso(row.decided),
    }
