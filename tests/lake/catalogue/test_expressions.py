"""What is asked for is written as its index is, or the index would never serve it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import Select, Text, cast, func, select, text
from sqlalchemy.dialects.postgresql import array

from lake.catalogue.expressions import BEGUN, MONTH, MONTHS, SPAN, THREES, THREES_OF_PRODUCT
from lake.catalogue.models import Observation, Product, Release
from lake.catalogue.session import transaction
from lake.lake import Lake

IDS = select(Release.id)
BY_TIME = (BEGUN, Release.scope, Release.dataset)


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (IDS.where(SPAN.contains(cast(datetime(2020, 1, 1, tzinfo=UTC), BEGUN.type))), "ix_release_span"),
        (
            select(Observation.id).where(Observation.words.bool_op("@@")(func.to_tsquery("a"))),
            "ix_observation_found",
        ),
        (select(Observation.id).where(THREES.contains(array(["abc"], type_=Text))), "ix_observation_found"),
        (select(Observation.id).where(MONTHS.overlap(array([0, 24000]))), "ix_observation_found"),
        (IDS.where(MONTH.overlap(array([0, 24000]))), "ix_release_found"),
        (
            select(Product.id).where(THREES_OF_PRODUCT.contains(array(["abc"], type_=Text))),
            "ix_product_name_threes",
        ),
        (IDS.order_by(*BY_TIME), "ix_release_begun"),
        (IDS.where(Release.scope == "a").order_by(*BY_TIME), "ix_release_scope_begun"),
        (
            IDS.where(Release.scope == "a", Release.level == "1").order_by(*BY_TIME),
            "ix_release_scope_level_begun",
        ),
        (IDS.where(Release.status == "DRAFT").order_by(*BY_TIME), "ix_release_seldom_begun"),
    ],
)
def test_the_index_is_found(lake: Lake, query: Select[tuple[int]], index: str) -> None:
    """Of small tables all is read, and sorted, unless that is forbidden."""
    with transaction(lake.sessions) as session:
        session.execute(text("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off"))
        session.execute(text("SET LOCAL enable_incremental_sort = off"))
        told = str(query.compile(session.get_bind(), compile_kwargs={"literal_binds": True}))
        plan = session.connection().exec_driver_sql(f"EXPLAIN {told.replace('%', '%%')}").scalars()
        assert index in "\n".join(plan)
