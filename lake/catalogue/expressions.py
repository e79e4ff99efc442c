"""What has an index of its own: written so that the database finds the expression of the index in it."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import ColumnElement, DateTime, Integer, Text, func, literal_column
from sqlalchemy.dialects.postgresql import ARRAY, TSTZRANGE

from lake.catalogue.models import Observation, Product, Release

BEGUN: Final = func.coalesce(
    Release.date_beg,
    literal_column("'infinity'::timestamptz", DateTime(timezone=True)),
    type_=DateTime(timezone=True),
)
"""When the data of a release begin; those of which that is not known stand behind all others."""

SPAN: Final = func.tstzrange(
    func.least(Release.date_beg, Release.date_end),
    func.greatest(Release.date_beg, Release.date_end),
    literal_column("'[]'"),
    type_=TSTZRANGE,
)
"""From when to when the data of a release are."""

THREES_OF_PRODUCT: Final = func.heliolake_trigrams(Product.name, type_=ARRAY(Text))
"""Every three letters of a product's name that stand side by side."""

THREES: Final = func.heliolake_trigrams(Observation.name, type_=ARRAY(Text))
"""Every three letters of an observation's name."""

MONTH: Final = func.heliolake_months(Release.date_beg, literal_column("NULL"), type_=ARRAY(Integer))
"""The month in which a release begins, or 0 where that is not known."""

MONTHS: Final = func.heliolake_months(Observation.date_beg, Observation.date_end, type_=ARRAY(Integer))
"""The months in which releases of an observation begin; 0 stands for any."""


def boxed(name: str) -> ColumnElement[Any]:
    """From the least to the greatest of what is shown, at the time when a release begins."""
    when = "heliolake_seconds(release.date_beg)"
    return literal_column(f"box(point(release.{name}_min, {when}), point(release.{name}_max, {when}))", Text)
