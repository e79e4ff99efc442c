"""Files have no md5: of the time that a product takes, taking it was a seventh."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Drop it; Rucio keeps those it has been told."""
    op.drop_column("file", "md5")


def downgrade() -> None:
    """Make room for it; the sums themselves are gone."""
    op.add_column("file", sa.Column("md5", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.alter_column("file", "md5", server_default=None)
