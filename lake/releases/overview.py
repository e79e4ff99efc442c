"""What there is, seen from afar: instruments with their levels and times, and days that have data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from sqlalchemy import func, select, text, tuple_

from lake.catalogue.expressions import BEGUN
from lake.catalogue.models import File, Product, Release, ReleaseFile
from lake.catalogue.session import transaction
from lake.lake import Lake
from lake.releases.finding import REFERENCE_SCOPE

#: Of an index of a million rows no more than the few first and last of each kind are looked at.
_KINDS: Final = text(
    """
    WITH RECURSIVE kind AS (
      (SELECT scope, level FROM release ORDER BY scope, level LIMIT 1)
      UNION ALL
      SELECT following.scope, following.level FROM kind CROSS JOIN LATERAL (
        SELECT scope, level FROM release WHERE (scope, level) > (kind.scope, kind.level)
        ORDER BY scope, level LIMIT 1) AS following)
    SELECT scope, level, one.first, other.last FROM kind
    CROSS JOIN LATERAL (
      SELECT date_beg AS first FROM release
      WHERE release.scope = kind.scope AND release.level = kind.level AND status = 'ACTIVE'
      ORDER BY coalesce(date_beg, 'infinity'::timestamptz) LIMIT 1) AS one
    LEFT JOIN LATERAL (
      SELECT date_beg AS last FROM release
      WHERE release.scope = kind.scope AND release.level = kind.level AND status = 'ACTIVE'
        AND coalesce(date_beg, 'infinity'::timestamptz) < 'infinity'
      ORDER BY coalesce(date_beg, 'infinity'::timestamptz) DESC LIMIT 1) AS other ON true
    WHERE scope <> :references
    """
)
_GIVEN_OUT: Final = Release.status == "ACTIVE"


@dataclass(frozen=True)
class Holding:
    """What there is of an instrument: its levels, and when its data begin first and last."""

    instrument: str
    levels: tuple[str, ...]
    first: datetime | None
    last: datetime | None


def holdings(lake: Lake) -> list[Holding]:
    """All instruments of which there are ACTIVE releases, by name."""
    found: dict[str, list[tuple[str, datetime | None, datetime | None]]] = {}
    with transaction(lake.sessions) as session:
        for scope, level, first, last in session.execute(_KINDS, {"references": REFERENCE_SCOPE}):
            found.setdefault(scope, []).append((level, first, last))
    return [
        Holding(
            scope,
            tuple(level for level, _, _ in several),
            min((one for _, one, _ in several if one is not None), default=None),
            max((one for _, _, one in several if one is not None), default=None),
        )
        for scope, several in sorted(found.items())
    ]


def calendar(lake: Lake, instrument: str, year: int, level: str | None = None) -> dict[date, int]:
    """How many ACTIVE releases of an instrument begin on each day of a year that has any."""
    day = func.date_trunc("day", Release.date_beg, "UTC")
    query = (
        select(day, func.count())
        .where(
            Release.scope == instrument,
            _GIVEN_OUT,
            datetime(year, 1, 1, tzinfo=UTC) <= BEGUN,
            datetime(year + 1, 1, 1, tzinfo=UTC) > BEGUN,
        )
        .group_by(day)
        .order_by(day)
    )
    if level is not None:
        query = query.where(Release.level == level)
    with transaction(lake.sessions) as session:
        return {moment.astimezone(UTC).date(): number for moment, number in session.execute(query)}


def first_files(lake: Lake, releases: Iterable[tuple[str, int]]) -> dict[tuple[str, int], str]:
    """Of some releases, by product and version, the name of the first file: it stands for them in a list."""
    first = (
        select(File.name)
        .join(ReleaseFile, ReleaseFile.file_id == File.id)
        .where(ReleaseFile.release_id == Release.id)
        .order_by(File.name)
        .limit(1)
        .scalar_subquery()
    )
    query = (
        select(Product.name, Release.version, first)
        .join(Product, Product.id == Release.product_id)
        .where(tuple_(Product.name, Release.version).in_(list(releases)))
    )
    with transaction(lake.sessions) as session:
        rows = session.execute(query).tuples()
        return {(name, version): file for name, version, file in rows if file is not None}
