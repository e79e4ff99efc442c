"""What is searched by words, parts of names and what is shown is found month by month, where it is much."""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_KNOWN = ("wave", "mu", "exposure")
_OF_WORDS = ("targets", "campaigns", "kinds")


def upgrade() -> None:
    """Make indexes that hold the time beside what is looked for, in place of those without it."""
    op.execute(
        "CREATE FUNCTION heliolake_months(first timestamptz, last timestamptz) RETURNS int[] LANGUAGE sql "
        "IMMUTABLE PARALLEL SAFE COST 1000 RETURN CASE "
        # Whatever has no time, or is longer than twenty years, is looked for in any month.
        "WHEN first IS NULL OR NOT isfinite(first) OR coalesce(last, first) > first + interval '7300 days' "
        "THEN ARRAY[0] ELSE ARRAY(SELECT generate_series("
        "(extract(year FROM timezone('UTC', first)) * 12 + extract(month FROM timezone('UTC', first)))::int, "
        "(extract(year FROM timezone('UTC', greatest(first, last))) * 12 "
        "+ extract(month FROM timezone('UTC', greatest(first, last))))::int)) END"
    )
    op.execute(
        "CREATE FUNCTION heliolake_seconds(moment timestamptz) RETURNS float8 LANGUAGE sql "
        "IMMUTABLE PARALLEL SAFE "
        "RETURN CASE WHEN isfinite(moment) THEN extract(epoch FROM timezone('UTC', moment))::float8 "
        "ELSE 1e15::float8 END"
    )
    op.execute("DROP INDEX ix_observation_words")
    op.execute(
        "CREATE INDEX ix_observation_found ON observation USING gin "
        "(words, heliolake_trigrams(name), heliolake_months(date_beg, date_end))"
    )
    for name in _OF_WORDS:
        op.execute(f"DROP INDEX ix_release_{name}")
    op.execute(
        "CREATE INDEX ix_release_found ON release USING gin "
        f"({', '.join(_OF_WORDS)}, heliolake_months(date_beg, NULL))"
    )
    for name in _KNOWN:
        op.execute(f"DROP INDEX ix_release_{name}")
        op.execute(
            f"CREATE INDEX ix_release_{name} ON release USING gist (box(point({name}_min, "
            f"heliolake_seconds(date_beg)), point({name}_max, heliolake_seconds(date_beg)))) "
            f"WHERE {name}_min IS NOT NULL"
        )


def downgrade() -> None:
    """Make those without it again."""
    for name in _KNOWN:
        op.execute(f"DROP INDEX ix_release_{name}")
        op.execute(
            f"CREATE INDEX ix_release_{name} ON release USING gist "
            f"(box(point({name}_min, 0), point({name}_max, 0))) WHERE {name}_min IS NOT NULL"
        )
    op.execute("DROP INDEX ix_release_found")
    for name in _OF_WORDS:
        op.execute(f"CREATE INDEX ix_release_{name} ON release USING gin ({name})")
    op.execute("DROP INDEX ix_observation_found")
    op.execute("CREATE INDEX ix_observation_words ON observation USING gin (words)")
    op.execute("DROP FUNCTION heliolake_seconds(timestamptz)")
    op.execute("DROP FUNCTION heliolake_months(timestamptz, timestamptz)")
