"""Stretches of time in which releases begin: what is wanted of time, in parts that an index has in order."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, DateTime, Integer, and_, cast, literal, or_, text, tuple_
from sqlalchemy.dialects.postgresql import ARRAY

from lake.catalogue.expressions import BEGUN, MONTH, MONTHS, SPAN
from lake.catalogue.models import Release
from lake.errors import BadInput, Reason
from lake.text import printable

ENDLESS: Final = cast(literal("infinity"), DateTime(timezone=True))
_ANY_MONTH: Final = 0
_MOST_MONTHS: Final = 240
"""So many an index is asked for together; more are most of what there is."""
_LONGEST_SHOWN: Final = 100
_LAST_MONTH: Final = 9999 * 12 + 12


class Place(NamedTuple):
    """Where a release stands in the order of all: by its beginning (those without one last), and its name."""

    begun: datetime | None
    scope: str
    dataset: str

    @property
    def token(self) -> str:
        """As text that somebody keeps to go on from here."""
        begun = None if self.begun is None else self.begun.isoformat()
        kept = json.dumps([begun, self.scope, self.dataset], separators=(",", ":"))
        return base64.urlsafe_b64encode(kept.encode()).decode().rstrip("=")

    @classmethod
    def of(cls, token: str) -> Place:
        """The place that a token tells.

        Raises
        ------
        BadInput
            When it is none.
        """
        try:
            kept = base64.b64decode(token.encode() + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
            begun, scope, dataset = json.loads(kept)
            if not (
                isinstance(scope, str) and isinstance(dataset, str) and f"{scope}{dataset}".isprintable()
            ):
                raise ValueError(kept)
            place = cls(None if begun is None else datetime.fromisoformat(begun), scope, dataset)
        except (ValueError, TypeError, binascii.Error, RecursionError) as error:
            raise _no_place(token) from error
        if place.begun is not None and place.begun.tzinfo is None:
            raise _no_place(token)
        return place


@dataclass(frozen=True)
class Stretch:
    """Releases that begin in some time, after a place, or reach into it.

    Attributes
    ----------
    since, until
        They begin in [since, until), by the clock.
    reaches
        They begin before, and reach into this moment.
    ends
        They do not end before this moment.
    undated
        They have no beginning.
    after
        They come behind this place in the order of all.
    """

    since: datetime | None = None
    until: datetime | None = None
    reaches: datetime | None = None
    ends: datetime | None = None
    undated: bool = False
    after: Place | None = None

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        """As conditions on `Release`."""
        if self.undated:
            yield BEGUN == ENDLESS
        if self.reaches is not None:
            yield SPAN.contains(literal(self.reaches, DateTime(timezone=True)))
            yield Release.date_beg < self.reaches
            yield Release.date_end >= self.reaches
        if self.since is not None:
            yield self.since <= BEGUN
        if self.until is not None:
            yield self.until > BEGUN
        if self.ends is not None:
            yield Release.date_end >= self.ends
        if self.after is not None:
            yield from _behind(self.after)

    def months(self, *, of_observations: bool) -> Iterator[ColumnElement[bool]]:
        """What follows for the months that an index has beside other things."""
        if self.since is None or self.until is None:
            return
        months = range(month_of(self.since), month_of(self.until) + 1)
        if len(months) <= _MOST_MONTHS:
            asked = literal([_ANY_MONTH, *months], ARRAY(Integer))
            yield (MONTHS if of_observations else MONTH).overlap(asked)

    @property
    def seconds(self) -> tuple[float | None, float | None]:
        """From when to when they begin, as seconds since 1970; None where that is open."""
        first = self.after.begun if self.after is not None and self.since is None else self.since
        last = self.until if self.reaches is None else self.reaches
        return (None if first is None else first.timestamp()), (None if last is None else last.timestamp())

    def of_months(self, first: int, last: int) -> Stretch:
        """What of it begins in some months, the last one not included."""
        begin, end = begin_of(first), begin_of(last)
        return replace(
            self,
            since=max((one for one in (self.since, begin) if one is not None), default=None),
            until=min((one for one in (self.until, end) if one is not None), default=None),
        )


def stretches(since: datetime | None, until: datetime | None, after: Place | None) -> Iterator[Stretch]:
    """What reaches into a time span, then what begins in it."""
    if since is not None and (after is None or (after.begun is not None and after.begun < since)):
        yield Stretch(reaches=since, after=after)
    yield Stretch(since, until, ends=since, after=after)


def overlapping(since: datetime | None, until: datetime | None) -> ColumnElement[bool]:
    """All of a time span, in no order."""
    parts = [list(one.conditions()) for one in stretches(since, until, None)]
    return or_(*(and_(*part) if part else text("true") for part in parts))


def month_of(moment: datetime) -> int:
    """The number of a month, counted as the database does."""
    utc = moment.astimezone(UTC)
    return utc.year * 12 + utc.month


def begin_of(month: int) -> datetime | None:
    """When a month begins; None where calendars end."""
    if not 12 < month <= _LAST_MONTH:
        return None
    return datetime((month - 1) // 12, (month - 1) % 12 + 1, 1, tzinfo=UTC)


def _behind(after: Place) -> Iterator[ColumnElement[bool]]:
    begun = ENDLESS if after.begun is None else literal(after.begun)
    # Follows from the second, and serves indexes with other columns before.
    yield begun <= BEGUN
    here = tuple_(begun, literal(after.scope), literal(after.dataset))
    yield tuple_(BEGUN, Release.scope, Release.dataset) > here


def _no_place(token: str) -> BadInput:
    return BadInput(
        "this is no place in a listing",
        keyword="after",
        found=printable(token[:_LONGEST_SHOWN]),
        advice="give the one that the listing before ended with, or none to begin anew",
        code=Reason.NOT_FOUND,
    )
