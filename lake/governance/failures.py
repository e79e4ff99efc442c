"""How often tokens were not accepted, counted where all processes see it; what a token is, `tokens` knows."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from lake.catalogue.accounts import FailedUse
from lake.errors import BadInput, Reason
from lake.text import printable

WINDOW: Final = timedelta(minutes=5)
PER_TOKEN: Final = 10
"""Failed uses of one token's public part within the window; more are refused unseen."""
PER_SOURCE: Final = 100
"""The same for an address they come from: many people may share one."""
KEPT: Final = 100_000
"""Rows at most, however many addresses and names somebody makes up."""
_SWEPT: Final = 1_000  # rows taken away at a time, so that nobody waits for it


class TooMany(BadInput):
    """Too many failed uses; nothing is looked at before a certain time.

    Parameters
    ----------
    again
        When to try again.
    """

    def __init__(self, again: datetime) -> None:
        super().__init__(
            "too many tokens were not accepted",
            advice=f"try again after {again:%Y-%m-%dT%H:%M:%S} UTC.",
            code=Reason.NOT_ALLOWED,
        )
        self.again = again

    def __reduce__(self) -> tuple[Any, ...]:
        return TooMany, (self.again,)


def of_token(public: str) -> str:
    """Under what failed uses of a token are counted."""
    return f"token:{printable(public)[:64]}"


def of_source(source: str) -> list[str]:
    """Under what failures from an address are counted: of IPv6 its network, for one machine has all of it."""
    if not source:
        return []
    try:
        address = ipaddress.ip_address(source.partition("%")[0])
    except ValueError:
        return [f"from:{printable(source)[:64]}"]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return [f"from:{ipaddress.ip_network((address, 64), strict=False)}"]
        address = address.ipv4_mapped
    return [f"from:{address}"]


def check(session: Session, counted: Iterable[str]) -> None:
    """Refuse whoever failed too often already.

    Raises
    ------
    TooMany
        With the time from which on it may be tried again.
    """
    now = _now(session)
    ends = [end for one in counted if (end := _blocked_until(session, one, now)) is not None]
    if ends:
        raise TooMany(max(ends))


def note(session: Session, counted: Iterable[str]) -> None:
    """Count one more failure; those who fail at once are counted one after another.

    Raises
    ------
    TooMany
        When others were faster and there are too many by now.
    """
    for one in sorted(counted):
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(one, 0))))
        check(session, [one])
        made = insert(FailedUse).values(counted=one, at=func.clock_timestamp()).returning(FailedUse.id)
        newest = session.execute(made).scalar_one()
        old = (FailedUse.at < func.now() - WINDOW) | (FailedUse.id <= newest - KEPT)
        some = select(FailedUse.id).where(old).limit(_SWEPT).with_for_update(skip_locked=True)
        session.execute(delete(FailedUse).where(FailedUse.id.in_(some)))


def _blocked_until(session: Session, counted: str, now: datetime) -> datetime | None:
    """When the oldest of too many leaves the window."""
    most = PER_TOKEN if counted.startswith("token:") else PER_SOURCE
    query = (
        select(FailedUse.at)
        .where(FailedUse.counted == counted, FailedUse.at > now - WINDOW)
        .order_by(FailedUse.at.desc())
        .limit(1)
        .offset(most - 1)
    )
    oldest = session.scalars(query).first()
    return oldest + WINDOW if oldest is not None else None


def _now(session: Session) -> datetime:
    found: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
    return found
