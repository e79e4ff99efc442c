"""Releases are found in the order of time: by span, by parts of names, by words, each by an index."""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_INDEXES = {
    "ix_release_begun": "release (coalesce(date_beg, 'infinity'::timestamptz), scope, dataset)",
    "ix_release_scope_begun": "release (scope, coalesce(date_beg, 'infinity'::timestamptz), dataset)",
    "ix_release_scope_level_begun": (
        "release (scope, level, coalesce(date_beg, 'infinity'::timestamptz), dataset)"
    ),
    "ix_release_seldom_begun": (
        "release (status, coalesce(date_beg, 'infinity'::timestamptz), scope, dataset) "
        "WHERE status IN ('DRAFT', 'WITHDRAWN')"
    ),
    "ix_release_span": (
        "release USING gist (tstzrange(least(date_beg, date_end), greatest(date_beg, date_end), '[]'))"
    ),
    "ix_product_name_threes": "product USING gin (heliolake_trigrams(name))",
    "ix_observation_words": "observation USING gin (words)",
}


def upgrade() -> None:
    """Make them; extensions (pg_trgm, btree_gist) would do some of it, where a database has them."""
    op.execute(
        "CREATE FUNCTION heliolake_trigrams(name text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE "
        "COST 5000 "
        "RETURN ARRAY(SELECT DISTINCT substr(name, n, 3) FROM generate_series(1, length(name) - 2) n)"
    )
    op.execute(
        "ALTER TABLE observation ADD COLUMN words tsvector "
        "GENERATED ALWAYS AS (to_tsvector('simple', name || ' ' || "
        # A vector holds a megabyte, and no file is to be refused because an observation has many values.
        "left(jsonb_path_query_array(meta, '$.*')::text, 100000))) STORED"
    )
    op.drop_index("ix_release_date_beg", table_name="release")
    for name, what in _INDEXES.items():
        op.execute(f"CREATE INDEX {name} ON {what}")


def downgrade() -> None:
    """Forget them."""
    for name in _INDEXES:
        op.execute(f"DROP INDEX {name}")
    op.drop_column("observation", "words")
    op.execute("DROP FUNCTION heliolake_trigrams(text)")
    op.create_index("ix_release_date_beg", "release", ["date_beg"])
