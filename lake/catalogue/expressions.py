"""What has an index of its own: written so that the database finds the expression of the index in it."""

from __future__ import annotations

from typing import Final

from sqlalchemy import DateTime, Text, func, literal_column
from sqlalchemy.dialects.postgresql import ARRAY, TSTZRANGE

from lake.catalogue.models import Product, Release

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

THREES: Final = func.heliolake_trigrams(Product.name, type_=ARRAY(Text))
"""Every three letters of a product's name that stand side by side."""
