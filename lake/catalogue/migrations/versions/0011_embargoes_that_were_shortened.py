"""Which decisions about an embargo were to shorten it: they come before an instrument's default."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; an open end says the same by itself."""
    op.add_column(
        "embargo", sa.Column("lifts", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("embargo", "lifts")
