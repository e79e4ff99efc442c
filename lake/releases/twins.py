"""Files that are in the lake already, under the same name or another: what a new one is compared with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, Text, cast, func, or_, select, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from lake.catalogue.models import File
from lake.catalogue.session import transaction
from lake.entries import FileEntry
from lake.lake import Lake
from lake.names import namesakes

AT_ONE_TIME = 100  # files compared with one of the same time: more are no accident of a few deliveries
_COLUMNS = (
    File.scope,
    File.name,
    File.level,
    File.stem,
    File.sha256,
    File.content_sha256,
    File.date_beg,
    File.meta,
    File.unit_id,
)


class Twin(NamedTuple):
    """A file that has something in common with another one.

    Parameters
    ----------
    did
        Its name.
    level, stem, sha256, date_beg, meta
        As in `FileEntry`.
    content_sha256
        Of its bytes once they are unpacked; "" where that is not known.
    made_here
        Whether it is a product of ours.
    """

    did: str
    level: str
    stem: str
    sha256: str
    content_sha256: str
    date_beg: datetime | None
    meta: dict[str, Any]
    made_here: bool = False

    @classmethod
    def of(cls, entry: FileEntry) -> Twin:
        """A file that is about to be registered, as another one sees it."""
        return cls(
            entry.did,
            entry.level,
            entry.stem,
            entry.sha256,
            entry.content_sha256 or entry.sha256,
            entry.date_beg,
            entry.meta,
            entry.unit_id is not None,
        )

    def same_bytes(self, other: Twin) -> bool:
        """Whether both hold the same FITS file, packed or not."""
        return self.sha256 == other.sha256 or self.content_sha256 == other.content_sha256 != ""

    def same_products(self, other: Twin) -> bool:
        """Whether the products of both would bear the same names: x.fits and x.fits.gz at one level."""
        return self.stem == other.stem and self.level == other.level and not self.made_here

    def same_view(self, other: Twin, keys: Iterable[str]) -> bool:
        """Whether both show the same time, with equal text and equal `keys` in their searchable values."""
        if self.date_beg is None or self.date_beg != other.date_beg or self.level != other.level:
            return False
        values = (*self.meta.items(), *other.meta.items())
        texts = {key for key, value in values if isinstance(value, str)}
        return all(self.meta.get(key) == other.meta.get(key) for key in {*keys, *texts})


def twins(lake: Lake, entry: FileEntry) -> list[Twin]:
    """Those of one new file; see `twins_of_many`."""
    return twins_of_many(lake, [entry])[0]


def twins_of_many(lake: Lake, entries: Sequence[FileEntry]) -> list[list[Twin]]:
    """Files of the same instruments with the names, the bytes or the times of some that are to come in.

    Parameters
    ----------
    lake
        The lake.
    entries
        The new files; a few hundred at once.

    Returns
    -------
    list of list of Twin
        For each of them, in their order, those registered first come first.
    """
    found: list[list[Twin]] = [[] for _ in entries]
    by_scope: dict[str, list[int]] = {}
    for place, entry in enumerate(entries):
        by_scope.setdefault(entry.scope, []).append(place)
    with transaction(lake.sessions) as session:
        for scope, places in by_scope.items():
            _add_alike(session, scope, {place: entries[place] for place in places}, found)
            _add_of_one_time(session, scope, {place: entries[place] for place in places}, found)
    return found


def _add_alike(session: Session, scope: str, new: Mapping[int, FileEntry], found: list[list[Twin]]) -> None:
    """Files with one of the names, or with bytes of one of the files."""
    wanted: dict[tuple[str, str], list[int]] = {}
    for place, entry in new.items():
        keys = [("name", name) for name in (entry.name, *namesakes(entry.name))]
        keys += [("sha256", entry.sha256), ("content", entry.content_sha256 or entry.sha256)]
        for key in keys:
            wanted.setdefault(key, []).append(place)
    names, sums, contents = (
        [value for kind, value in wanted if kind == one] for one in ("name", "sha256", "content")
    )
    query = select(*_COLUMNS).where(
        File.scope == scope,
        or_(
            File.name == func.any(names),
            File.sha256 == func.any(sums),
            File.content_sha256 == func.any(contents),
        ),
    )
    for row in session.execute(query.order_by(File.id)):
        keys = [("name", row.name), ("sha256", row.sha256), ("content", row.content_sha256)]
        for place in sorted({place for key in keys for place in wanted.get(key, ())}):
            found[place].append(_twin(row))


def _add_of_one_time(
    session: Session, scope: str, new: Mapping[int, FileEntry], found: list[list[Twin]]
) -> None:
    """Files of the same level that began at one of the times, made elsewhere."""
    wanted: dict[tuple[datetime, str], list[int]] = {}
    for place, entry in new.items():
        if entry.date_beg is not None:
            wanted.setdefault((entry.date_beg, entry.level), []).append(place)
    # As arrays: a statement of as many values as files would be compiled anew for every number of them.
    moments = (
        func.unnest(
            cast([moment for moment, _ in wanted], ARRAY(File.date_beg.type)),
            cast([level for _, level in wanted], ARRAY(Text)),
        )
        .table_valued("moment", "level", name="wanted")
        .render_derived()
    )
    of_one = (
        select(*_COLUMNS)
        .where(
            File.scope == scope,
            File.date_beg == moments.c.moment,
            File.level == moments.c.level,
            File.unit_id.is_(None),
        )
        .order_by(File.id)
        .limit(AT_ONE_TIME)
        .lateral()
    )
    if wanted:
        for row in session.execute(select(of_one).select_from(moments.join(of_one, true()))):
            for place in wanted[row.date_beg, row.level]:
                found[place].append(_twin(row))


def _twin(row: Row[Any]) -> Twin:
    return Twin(
        f"{row.scope}:{row.name}",
        row.level,
        row.stem,
        row.sha256,
        row.content_sha256 or "",
        row.date_beg,
        row.meta,
        row.unit_id is not None,
    )
