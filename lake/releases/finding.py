"""Finding releases: which match, in the order of time, a page at a time, the last page as fast as the first.

Every question is put so that an index in the order of the answer serves it. What began before a time span and
reaches into it (few, found by their spans) comes before what begins within it (found in order). A page begins
behind the last release of the one before, instead of counting up to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg.errors import QueryCanceled
from sqlalchemy import CTE, BigInteger, ColumnElement, Row, Select, func, literal, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from lake.catalogue.expressions import BEGUN
from lake.catalogue.models import Observation, Product, Release
from lake.catalogue.session import transaction
from lake.entries import iso
from lake.errors import BadInput, Reason
from lake.governance.policy import Principal
from lake.lake import Lake
from lake.releases.access import readable
from lake.releases.facts import ANYTHING, Shows
from lake.releases.naming import by_threes, of_names, perhaps
from lake.releases.stretches import ENDLESS, Place, Stretch, month_of, overlapping, stretches
from lake.text import printable

REFERENCE_SCOPE: Final = "references"
STATUSES: Final = ("ACTIVE", "SUPERSEDED", "WITHDRAWN", "DRAFT")
_LONGEST_SHOWN: Final = 100
PATIENCE: Final = 10.0
"""Seconds that the database may take for a question that is answered with a part of what there is."""
_FEW: Final = 1_000
"""So many rows are found by an index, and sorted, in some thousandths of a second."""
_TWICE: Final = 2
"""So many times what is wanted of a part of time is sorted; where more match, walking meets them soon."""
_SHORTER: Final = 4
"""So many times fewer months are looked at together, where too many match."""
_LONGEST: Final = 24
"""Months that are looked at together: an index is asked for each of them."""
_PARTS: Final = 16
"""In so many parts the longest archive is looked at, whatever its length."""
_BY_CURSOR: Final = 2000
"""Rows that are fetched together, where all are wanted."""


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
    with transaction(lake.sessions) as session, patiently():
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
    with transaction(lake.sessions) as session, patiently():
        _plan_by_indexes(session)
        some = one_after_the_other(
            _candidates(wanted, principal, overlapping(wanted.since, wanted.until)), most
        )
        return int(session.scalar(select(func.count()).select_from(some)) or 0)


def matching(
    session: Session, wanted: Wanted, principal: Principal, columns: Sequence[ColumnElement[Any]], most: int
) -> CTE:
    """Columns of `Release` for at most so many of all that match, in no order."""
    _plan_by_indexes(session)
    query = _candidates(wanted, principal, overlapping(wanted.since, wanted.until)).with_only_columns(
        *columns
    )
    return one_after_the_other(query, most)


@contextmanager
def patiently() -> Iterator[None]:
    """Tell who asks for what takes too long what would be answered.

    Raises
    ------
    BadInput
        When it does.
    """
    try:
        yield
    except OperationalError as error:
        if not isinstance(error.orig, QueryCanceled):
            raise
        raise BadInput(
            f"to find this takes longer than {PATIENCE:g} seconds",
            advice="ask for less: name an instrument, a time span, or longer words",
            code=Reason.TOO_LONG,
        ) from error


def one_after_the_other(query: Select[Any], most: int) -> CTE:
    """The first rows of a question as they come, by the plan that is good for all of them.

    A plan made for the first few reads a table through, or along an index, in the hope to meet them soon.
    """
    every = query.cte("every").prefix_with("MATERIALIZED", dialect="postgresql")
    return select(every).limit(most).cte("found").prefix_with("MATERIALIZED", dialect="postgresql")


def _ordered(
    session: Session, wanted: Wanted, principal: Principal, limit: int | None, after: Place | None
) -> Iterator[Row[Any]]:
    left = limit
    if limit is None:
        _plan_each(session)
    else:
        _plan_by_indexes(session)
    for stretch in stretches(wanted.since, wanted.until, after):
        for part, few in _parts(session, wanted, principal, stretch, left):
            for row in _rows(session, wanted, principal, part, few, left):
                if left is not None:
                    left -= 1
                yield row
            if left is not None and left <= 0:
                return


def _parts(
    session: Session, wanted: Wanted, principal: Principal, stretch: Stretch, left: int | None
) -> Iterator[tuple[Stretch, list[int] | None]]:
    """A stretch in parts, in order: of each the first that match, or None where it is to be walked along.

    Where many match they may be dense, and soon met, or all late in time, behind a million others. So they
    are looked for month by month, in ever more months while there are few.
    """
    if left is None or not _is_indexed(wanted):
        yield stretch, None
        return
    few = _few(session, wanted, principal, stretch, left, max(_FEW, left))
    if few is not None or stretch.reaches is not None:
        yield stretch, few
        return
    extent = _extent(session, wanted, stretch)
    at, months = extent.start, 1
    while at < extent.stop:
        part = stretch.of_months(at, min(at + months, extent.stop))
        few = _few(session, wanted, principal, part, left, _TWICE * left)
        if few is None and months > 1:
            months = max(1, months // _SHORTER)
            continue
        yield part, few
        at, months = at + months, min(2 * months, max(_LONGEST, len(extent) // _PARTS))
    if stretch.until is None:
        undated = replace(stretch, undated=True)
        yield undated, _few(session, wanted, principal, undated, left, max(_FEW, left))


def _extent(session: Session, wanted: Wanted, stretch: Stretch) -> range:
    """The months in which releases of a stretch begin."""
    dated = select(BEGUN).where(BEGUN < ENDLESS, *stretch.conditions())
    if wanted.instrument is not None:
        dated = dated.where(Release.scope == wanted.instrument)
    first = session.scalar(dated.order_by(BEGUN).limit(1))
    last = session.scalar(dated.order_by(BEGUN.desc()).limit(1))
    return range(0) if first is None or last is None else range(month_of(first), month_of(last) + 1)


def _is_indexed(wanted: Wanted) -> bool:
    return bool([*of_names(wanted.pattern, wanted.words, wanted.meta), *wanted.shows.indexed()])


def _few(
    session: Session, wanted: Wanted, principal: Principal, stretch: Stretch, left: int, most: int
) -> list[int] | None:
    """The first releases of a stretch that match what indexes find (names, words, what is shown), in order.

    None where more than so many do.
    """
    place = [BEGUN.label("begun"), Release.scope, Release.dataset]
    query = _candidates(wanted, principal, *stretch.conditions(), stretch=stretch)
    some = one_after_the_other(query.with_only_columns(Release.id, *place), most + 1)
    number = select(func.count()).select_from(some).scalar_subquery()
    first = select(some.c.id).where(number <= most).order_by(some.c.begun, some.c.scope, some.c.dataset)
    asked = select(number, func.array(first.limit(left).scalar_subquery(), type_=ARRAY(BigInteger)))
    counted, found = session.execute(asked).one()
    return list(found) if counted <= most else None


def _candidates(
    wanted: Wanted, principal: Principal, *time: ColumnElement[bool], stretch: Stretch | None = None
) -> Select[tuple[int]]:
    """Numbers of releases that match, in a form that the indexes fit which hold several things together."""
    query = select(Release.id).where(*conditions(wanted, principal, stretch), *time)
    if stretch is not None and wanted.shows.has_words:
        query = query.where(*stretch.months(of_observations=False))
    told = list(of_names(wanted.pattern, wanted.words, wanted.meta))
    if not told:
        return query
    query = query.join(Product, Product.id == Release.product_id)
    query = query.join(Observation, Observation.id == Product.observation_id)
    if stretch is not None:
        query = query.where(*stretch.months(of_observations=True))
    return query.where(*told, *by_threes(wanted.pattern))


def _rows(
    session: Session,
    wanted: Wanted,
    principal: Principal,
    stretch: Stretch,
    few: Sequence[int] | None,
    left: int | None,
) -> Iterator[Row[Any]]:
    if few is not None and not few:
        return
    query = (
        select(Release, Observation)
        .join(Product, Product.id == Release.product_id)
        .join(Observation, Observation.id == Product.observation_id)
    )
    found = [*conditions(wanted, principal, stretch), *stretch.conditions(), *perhaps(wanted.pattern)]
    names = list(of_names(wanted.pattern, wanted.words, wanted.meta))
    order: list[Any] = [BEGUN, Release.scope, Release.dataset]
    if few is not None:
        some = literal(few, ARRAY(BigInteger))
        query = query.where(Release.id == func.any(some), *conditions(wanted, principal, stretch))
    elif names or left is None:
        query = query.where(*found, *names)
    else:  # names are looked up of the first alone
        query = query.where(Release.id.in_(select(Release.id).where(*found).order_by(*order).limit(left)))
    if few is not None or (left is not None and not names):
        # Of few all are looked at and sorted: the index in the order of time may lead by a million others.
        order[0] = BEGUN + timedelta()
    options = {"yield_per": _BY_CURSOR} if left is None else {}
    query = query.order_by(*order).limit(left)
    yield from session.execute(query, execution_options=options)


def _plan_each(session: Session) -> None:
    """Have each question planned for what is asked: a plan for any span fits a day as badly as all years."""
    session.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))


def _plan_by_indexes(session: Session) -> None:
    """The same for a question that is answered with a part of what there is.

    The database does not know how soon it has enough, and would prepare itself to read a table to its end.
    """
    off = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin")
    told = [("plan_cache_mode", "force_custom_plan"), *((name, "off") for name in off)]
    told.append(("statement_timeout", f"{PATIENCE * 1000:.0f}ms"))
    told.append(("max_parallel_workers_per_gather", "0"))  # to start them takes longer than the work
    session.execute(select(*(func.set_config(name, value, True) for name, value in told)))


def conditions(
    wanted: Wanted, principal: Principal, stretch: Stretch | None = None
) -> Iterator[ColumnElement[bool]]:
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
    yield from wanted.shows.conditions(*((None, None) if stretch is None else stretch.seconds))


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
