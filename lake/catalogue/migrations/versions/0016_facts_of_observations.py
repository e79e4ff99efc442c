"""What observations can be searched by: wavelength, place, µ, exposure, target, campaign, kind.

Files that are there already have not been looked at: `heliolake index` reads their headers.
"""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_RANGES = ("wave", "x", "y", "mu", "exposure")
_WORDS = ("targets", "campaigns", "kinds")
_FLAGS = ("polarimetric", "spectroscopic")
_BEGUN = "coalesce(date_beg, 'infinity'::timestamptz), scope, dataset"
_INDEXES = {
    "ix_release_place": (
        "release USING gist (box(point(x_min, y_min), point(x_max, y_max))) WHERE x_min IS NOT NULL"
    ),
    **{
        f"ix_release_{name}": (
            f"release USING gist (box(point({name}_min, 0), point({name}_max, 0))) "
            f"WHERE {name}_min IS NOT NULL"
        )
        for name in ("wave", "mu", "exposure")
    },
    "ix_release_targets": "release USING gin (targets)",
    "ix_release_campaigns": "release USING gin (campaigns)",
    "ix_release_kinds": "release USING gin (kinds)",
    "ix_release_polarimetric_begun": f"release ({_BEGUN}) WHERE polarimetric",
    "ix_release_spectroscopic_begun": f"release ({_BEGUN}) WHERE spectroscopic",
    "ix_file_no_facts": "file (id) WHERE facts IS NULL",
}


def upgrade() -> None:
    """Add columns and indexes; the columns of rows that are there stay empty, which costs nothing."""
    op.execute("ALTER TABLE file ADD COLUMN facts jsonb")
    columns = [f"ADD COLUMN {name}_{end} double precision" for name in _RANGES for end in ("min", "max")]
    columns += [f"ADD COLUMN {name} text[] NOT NULL DEFAULT '{{}}'" for name in _WORDS]
    columns += [f"ADD COLUMN {name} boolean" for name in _FLAGS]
    op.execute(f"ALTER TABLE release {', '.join(columns)}")
    for name, what in _INDEXES.items():
        op.execute(f"CREATE INDEX {name} ON {what}")


def downgrade() -> None:
    """Forget them."""
    for name in _INDEXES:
        op.execute(f"DROP INDEX {name}")
    op.drop_column("file", "facts")
    for name in (*(f"{one}_{end}" for one in _RANGES for end in ("min", "max")), *_WORDS, *_FLAGS):
        op.drop_column("release", name)
