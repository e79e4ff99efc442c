"""Files that are in the lake already, under the same name or another: what a new one is compared with."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import func, or_, select

from lake.catalogue.models import File
from lake.catalogue.session import transaction
from lake.entries import FileEntry
from lake.lake import Lake
from lake.names import namesakes

_AT_ONE_TIME = 100  # files compared with one of the same time: more are no accident of a few deliveries


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
    """Files of the same instrument with the name, the bytes or the time of one that is to come in.

    Parameters
    ----------
    lake
        The lake.
    entry
        The new file.

    Returns
    -------
    list of Twin
        Those registered first come first.
    """
    columns = (
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
    content = entry.content_sha256 or entry.sha256
    alike = select(*columns).where(
        File.scope == entry.scope,
        or_(
            File.name == func.any([entry.name, *namesakes(entry.name)]),
            File.sha256 == entry.sha256,
            File.content_sha256 == content,
        ),
    )
    then = select(*columns).where(
        File.scope == entry.scope,
        File.date_beg == entry.date_beg,
        File.level == entry.level,
        File.unit_id.is_(None),
    )
    with transaction(lake.sessions) as session:
        rows = [
            *session.execute(alike.order_by(File.id)),
            *session.execute(then.order_by(File.id).limit(_AT_ONE_TIME)),
        ]
    return [
        Twin(
            f"{row.scope}:{row.name}",
            row.level,
            row.stem,
            row.sha256,
            row.content_sha256 or "",
            row.date_beg,
            row.meta,
            row.unit_id is not None,
        )
        for row in rows
    ]
