"""Finding releases: which match, in the order of time, a page at a time, the last page as fast as the first.

Every question is put so that an index in the order of the answer serves it. What began before a time span and
reaches into it (few, found by their spans) comes before what begins within it (found in order). A page begins
behind the last release of the one before, instead of counting up to it.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnClause,
    ColumnElement,
    DateTime,
    Row,
    Select,
    Text,
    and_,
    cast,
    func,
    literal,
    literal_column,
    or_,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from lake.catalogue.expressions import BEGUN, SPAN, THREES
from lake.catalogue.models import Observation, Product, Release
from lake.catalogue.session import transaction
from lake.entries import iso
from lake.errors import BadInput, Reason
from lake.governance.policy import Principal
from lake.lake import Lake
from lake.releases.access import readable
from lake.releases.facts import ANYTHING, Shows
from lake.releases.values import holding
from lake.text import printable

REFERENCE_SCOPE: Final = "references"
STATUSES: Final = ("ACTIVE", "SUPERSEDED", "WITHDRAWN", "DRAFT")
_LONGEST_SHOWN: Final = 100
_TRIGRAM: Final = 3
_FEW: Final = 10_000
"""So many rows are found by their ids, and sorted, in some hundredths of a second."""
_BY_CURSOR: Final = 2000
"""Rows that are fetched together, where all are wanted."""
_ENDLESS: Final = cast(literal("infinity"), DateTime(timezone=True))


@dataclass(frozen=True)
class Wanted:
    """What releases are to match, all of it.

    Attributes
    ----------
    instrument
        Name of the instrument. References are listed only when asked for as instrument `references`.
    level
        Level such as "1.5".
    since, until
        Releases with data in [since, until).
    status
        ACTIVE, SUPERSEDED, WITHDRAWN or DRAFT; all but DRAFT when absent.
    pattern
        Shell pattern (`*`, `?`) on the product or, without colon, on the observation.
    words
        Words that the observation's name or searchable values hold, each of them; `*` behind one stands for
        any ending.
    meta
        Searchable values the observation has, alone or among others.
    available
        Only those whose bytes may be had by whoever asks.
    shows
        What their files show.
    """

    instrument: str | None = None
    level: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    status: str | None = None
    pattern: str | None = None
    words: str | None = None
    meta: Mapping[str, Any] | None = None
    available: bool = False
    shows: Shows = ANYTHING

    def __post_init__(self) -> None:
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise BadInput(
                "the time span is empty: it ends before it begins",
                keyword="since, until",
                found=f"{iso(self.since)}, {iso(self.until)}",
                advice="the earlier time is since",
                code=Reason.BAD_KEYWORD,
            )
        refuse_unseen(
            instrument=self.instrument,
            level=self.level,
            status=self.status,
            observation=self.pattern,
            words=self.words,
            target=self.shows.target,
            campaign=self.shows.campaign,
            kind=self.shows.kind,
        )


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
class Page:
    """Releases in the order of time, and the token of the last one where more follow ("" at the end)."""

    rows: Sequence[Row[Any]]
    more: str


def page(lake: Lake, wanted: Wanted, principal: Principal, *, limit: int, after: str = "") -> Page:
    """So many of the releases that match, behind the one of a token.

    Returns
    -------
    Page
        Of pairs of `Release` and `Observation`.

    Raises
    ------
    BadInput
        When something that is wanted cannot be, or the token is none.
    """
    with transaction(lake.sessions) as session:
        found = list(_ordered(session, wanted, principal, limit + 1, Place.of(after) if after else None))
    rest = len(found) > limit
    return Page(found[:limit], _place(found[limit - 1][0]).token if rest and limit else "")


def everything(
    lake: Lake, wanted: Wanted, principal: Principal, *, limit: int | None = None, after: str = ""
) -> Iterator[Row[Any]]:
    """Pairs of `Release` and `Observation` that match, in the order of pages, few of them in memory."""
    with transaction(lake.sessions) as session:
        yield from _ordered(session, wanted, principal, limit, Place.of(after) if after else None)


def count(lake: Lake, wanted: Wanted, principal: Principal, most: int) -> int:
    """How many match, counted no further than `most`."""
    with transaction(lake.sessions) as session:
        query = matching(session, wanted, principal).limit(most)
        counted = select(func.count()).select_from(query.with_only_columns(Release.id).subquery())
        return int(session.scalar(counted) or 0)


def matching(session: Session, wanted: Wanted, principal: Principal) -> Select[tuple[Release, Observation]]:
    """All that match, in no order."""
    _plan_each(session)
    return _rows(wanted, principal, _few(session, wanted, principal)).where(_overlaps(wanted))


def _ordered(
    session: Session, wanted: Wanted, principal: Principal, limit: int | None, after: Place | None
) -> Iterator[Row[Any]]:
    _plan_each(session)
    few = _few(session, wanted, principal)
    # Of few all are looked at and sorted: the index in the order of time may lead by a million others first.
    begun = BEGUN if few is None else BEGUN + timedelta()
    options = {"yield_per": _BY_CURSOR} if limit is None else {}
    left = limit
    for part in _parts(wanted, after):
        if left is not None and left <= 0:
            return
        query = _rows(wanted, principal, few).where(*part)
        if after is not None:
            query = query.where(*_behind(after))
        query = query.order_by(begun, Release.scope, Release.dataset).limit(left)
        for row in session.execute(query, execution_options=options):
            if left is not None:
                left -= 1
            yield row


def _few(session: Session, wanted: Wanted, principal: Principal) -> list[int] | None:
    """The products that match what an index finds: names, words, what is shown; `None` where not few do."""
    told, shows = list(of_names(wanted)), list(wanted.shows.indexed())
    if shows:
        of_shown = select(Release.product_id).where(*shows, *conditions(wanted, principal)).distinct()
        found = list(session.scalars(of_shown.limit(_FEW + 1)))
        if len(found) <= _FEW:
            return found
    if not told:
        return None
    threes = _threes(wanted.pattern or "")
    if threes:
        # The name of a product holds that of its observation: one index serves patterns of both.
        told.append(THREES.contains(literal(threes, ARRAY(Text))))
    query = select(Product.id).join(Observation, Observation.id == Product.observation_id)
    found = list(session.scalars(query.where(*told).limit(_FEW + 1)))
    return found if len(found) <= _FEW else None


def _behind(after: Place) -> Iterator[ColumnElement[bool]]:
    begun = _ENDLESS if after.begun is None else literal(after.begun)
    # Follows from the second, and serves indexes with other columns before.
    yield begun <= BEGUN
    here = tuple_(begun, literal(after.scope), literal(after.dataset))
    yield tuple_(BEGUN, Release.scope, Release.dataset) > here


def _parts(wanted: Wanted, after: Place | None) -> Iterator[list[ColumnElement[bool]]]:
    """What of a time span an index has in order: what reaches into it, then what begins in it."""
    ends = [] if wanted.until is None else [wanted.until > BEGUN]
    if wanted.since is None:
        yield ends
        return
    if after is None or (after.begun is not None and after.begun < wanted.since):
        yield [_reaches_into(wanted.since)]
    yield [wanted.since <= BEGUN, Release.date_end >= wanted.since, *ends]


def _reaches_into(since: datetime) -> ColumnElement[bool]:
    return and_(
        SPAN.contains(literal(since, DateTime(timezone=True))),
        Release.date_beg < since,
        Release.date_end >= since,
    )


def _overlaps(wanted: Wanted) -> ColumnElement[bool]:
    return or_(*(and_(*part) if part else text("true") for part in _parts(wanted, None)))


def _plan_each(session: Session) -> None:
    """Have each question planned for what is asked: a plan for any span fits a day as badly as all years."""
    session.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))


def _rows(
    wanted: Wanted, principal: Principal, few: Sequence[int] | None
) -> Select[tuple[Release, Observation]]:
    query = (
        select(Release, Observation)
        .join(Product, Product.id == Release.product_id)
        .join(Observation, Observation.id == Product.observation_id)
        .where(*conditions(wanted, principal))
    )
    if few is not None:
        return query.where(Release.product_id == func.any(literal(few, ARRAY(BigInteger))))
    if wanted.pattern is not None:
        query = query.where(_perhaps(wanted.pattern))
    return query.where(*of_names(wanted))


def conditions(wanted: Wanted, principal: Principal) -> Iterator[ColumnElement[bool]]:
    """What of it concerns neither time nor names, as conditions on `Release`."""
    status, instrument = wanted.status, wanted.instrument
    yield Release.status != "DRAFT" if status is None else Release.status == _known(status)
    yield Release.scope != REFERENCE_SCOPE if instrument is None else Release.scope == instrument
    if not principal.operator:
        yield Release.status != "DRAFT"
    if wanted.available:
        yield readable(principal)
    if wanted.level is not None:
        yield Release.level == wanted.level
    yield from wanted.shows.conditions()


def of_names(wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    """What of it concerns names and searchable values, as conditions on `Product` and `Observation`."""
    if wanted.pattern is not None:
        column = Product.name if ":" in wanted.pattern else Observation.name
        yield column.like(_like(wanted.pattern), escape="\\")
    if wanted.words is not None:
        yield from _holds_words(wanted.words)
    if wanted.meta:
        yield from holding(Observation.meta, wanted.meta)


def _perhaps(pattern: str) -> ColumnElement[bool]:
    """What follows from a pattern for the name of a dataset: most others need no look at other tables."""
    _, colon, of_product = pattern.partition(":")
    told = f"{of_product}.v*" if colon else f"{pattern}.l*"
    return Release.dataset.like(_like(told), escape="\\")


def _like(pattern: str) -> str:
    """A shell pattern as a pattern of LIKE."""
    escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%").replace("?", "_")


def _threes(pattern: str) -> list[str]:
    """Threes of letters that a name has to hold: side by side, for those that overlap tell little more."""
    found: dict[str, None] = {}
    for piece in re.split(r"[*?]+", pattern):
        last = len(piece) - _TRIGRAM
        for at in [*range(0, last + 1, _TRIGRAM), *([last] if last >= 0 else [])]:
            found[piece[at : at + _TRIGRAM]] = None
    return list(found)


def _holds_words(words: str) -> Iterator[ColumnElement[bool]]:
    for word in words.split():
        stem = word.rstrip("*")
        begins = stem != word and stem.isalnum() and stem.isascii()
        simple: ColumnClause[str] = literal_column("'simple'")
        known = func.to_tsquery(simple, f"{stem}:*") if begins else func.plainto_tsquery(simple, word)
        yield Observation.words.bool_op("@@")(known)


def _place(release: Release) -> Place:
    return Place(release.date_beg, release.scope, release.dataset)


def _known(status: str) -> str:
    if status.upper() not in STATUSES:
        raise BadInput(
            f"{status!r} is not a status",
            keyword="status",
            found=printable(status[:_LONGEST_SHOWN]),
            advice=f"one of {', '.join(STATUSES)}",
            code=Reason.BAD_KEYWORD,
        )
    return status.upper()


def refuse_unseen(**given: str | None) -> None:
    """Refuse what no name holds and the database may not take: control characters, broken UTF-8."""
    for option, value in given.items():
        if value is not None and not value.isprintable():
            raise BadInput(
                f"the {option} holds a character that cannot be printed",
                keyword=option,
                found=printable(value[:_LONGEST_SHOWN]),
                advice="write it anew, by hand",
                code=Reason.BAD_NAME,
            )


def _no_place(token: str) -> BadInput:
    return BadInput(
        "this is no place in a listing",
        keyword="after",
        found=printable(token[:_LONGEST_SHOWN]),
        advice="give the one that the listing before ended with, or none to begin anew",
        code=Reason.NOT_FOUND,
    )
