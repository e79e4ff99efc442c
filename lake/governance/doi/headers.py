"""The DOI that headers of files may carry: a fact that stays as it was when their version was begun."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select

from lake.catalogue.dois import Doi
from lake.catalogue.models import Product
from lake.catalogue.session import transaction
from lake.governance.doi.registry import TEST_PREFIX
from lake.lake import Lake
from lake.names import ProductKey

_SETTLED: Final = timedelta(minutes=1)


def concept_doi(lake: Lake, product: ProductKey, begun: datetime) -> str:
    """The concept DOI of a product as it was known when one of its versions was begun; '' where none was.

    The answer never changes, so that a file which is made again has the same bytes: counted are DOIs that
    were registered a while before, for what was being written down in that very moment might be seen now
    and not then. One of a practice registry is never counted: files are for ever, and elsewhere it means
    nothing.

    Parameters
    ----------
    lake
        The lake.
    product
        Whose.
    begun
        When the version was reserved, by the clock of the database.
    """
    # Releases are described to the millisecond; a file made again is asked for by such a time.
    moment = begun.replace(microsecond=begun.microsecond // 1000 * 1000) - _SETTLED
    query = (
        select(Doi.doi)
        .join(Product, Product.id == Doi.product_id)
        .where(Product.name == product.name, Doi.release_id.is_(None), Doi.prefix != TEST_PREFIX)
        .where(Doi.public_since <= moment)
        .order_by(Doi.public_since, Doi.id)
        .limit(1)
    )
    with transaction(lake.sessions) as session:
        return session.scalar(query) or ""
