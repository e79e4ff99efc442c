"""At which site a unit is to be done, where a run has several."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_OPEN_AT_A_SITE = "state IN ('planned', 'leased') AND site <> ''"


def upgrade() -> None:
    """Add the column, '' for runs of one site, and the index by which a site's executors claim."""
    op.add_column("unit", sa.Column("site", sa.Text(), server_default="", nullable=False))
    op.create_index(
        "ix_unit_open_at_site",
        "unit",
        ["run_id", "site", "position"],
        postgresql_where=sa.text(_OPEN_AT_A_SITE),
    )


def downgrade() -> None:
    """Drop both."""
    op.drop_index("ix_unit_open_at_site", "unit")
    op.drop_column("unit", "site")
