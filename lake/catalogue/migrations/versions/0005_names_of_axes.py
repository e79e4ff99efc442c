"""What the axes of a file are called, where it is no image of rows and columns."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; until now all files were images."""
    op.add_column(
        "file",
        sa.Column("dims", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    )


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("file", "dims")
