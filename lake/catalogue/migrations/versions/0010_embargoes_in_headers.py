"""Which end of an embargo the headers of a release's files state: the one that held when it was begun."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; headers of files made before state none."""
    op.add_column("release", sa.Column("embargo_stated", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("release", "embargo_stated")
