"""What a plan is made from: files of the ACTIVE releases of an instrument at a level."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import ARRAY, select, type_coerce
from sqlalchemy.types import NullType

from lake.catalogue.models import File, Observation, Product, Release, ReleaseFile
from lake.catalogue.session import transaction
from lake.entries import FileEntry
from lake.lake import Lake
from lake.names import ProductKey
from lake.releases.releases import entry

_MANY = 5000
# Plain rows, and arrays as the driver gives them: a plan reads a million rows, and making an object of each,
# or lists of lists, would double its time.
_COLUMNS = [
    type_coerce(column, NullType()).label(column.name) if isinstance(column.type, ARRAY) else column
    for column in File.__table__.columns
    if column.name not in ("id", "created", "content_sha256")
]
_key = lru_cache(maxsize=64)(ProductKey)  # files come by observation: they share one


@dataclass(frozen=True)
class Input:
    """A file, and the ACTIVE release it was found in."""

    file: FileEntry
    product: ProductKey
    version: int

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.file.name

    @property
    def meta(self) -> Mapping[str, Any]:
        """Its searchable values."""
        return self.file.meta

    @property
    def date_beg(self) -> datetime | None:
        """Begin of what it shows."""
        return self.file.date_beg

    @property
    def release(self) -> str:
        """The release, as a person writes it."""
        return _release(self.product, self.version)


def active_inputs(
    lake: Lake,
    instrument: str,
    level: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    observation: str | None = None,
) -> Iterator[Input]:
    """Files of ACTIVE releases, by observation and date.

    Parameters
    ----------
    lake
        The lake.
    instrument
        Scope.
    level
        Level of the files.
    since, until
        Observations that overlap this span are taken whole: a release is made of all its files.
    observation
        A name, in which ``*`` stands for anything.
    """
    query = (
        select(*_COLUMNS, Observation.name.label("observation"), Release.version)
        .join(ReleaseFile, ReleaseFile.file_id == File.id)
        .join(Release, Release.id == ReleaseFile.release_id)
        .join(Product, Product.id == Release.product_id)
        .join(Observation, Observation.id == Product.observation_id)
        .where(Observation.scope == instrument, Product.level == level, Release.status == "ACTIVE")
        .order_by(Observation.name, File.date_beg, File.name)
        .execution_options(yield_per=_MANY)
    )
    if since is not None:
        query = query.where(Release.date_end >= since)
    if until is not None:
        query = query.where(Release.date_beg < until)
    if observation:
        query = query.where(Observation.name.like(_like(observation), escape="\\"))
    with transaction(lake.sessions) as session:
        for row in session.execute(query):
            yield Input(entry(row), _key(instrument, row.observation, level), row.version)


@lru_cache(maxsize=64)
def _release(product: ProductKey, version: int) -> str:
    return f"{product.name}@v{version:04d}"


def _like(pattern: str) -> str:
    escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%").replace("?", "_")
