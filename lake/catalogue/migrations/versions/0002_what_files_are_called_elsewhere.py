"""What archives call a file, and what is in it once it is unpacked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both; of files stored before, those that are not gzipped are their own content."""
    op.add_column("file", sa.Column("original", sa.LargeBinary(), nullable=True))
    op.add_column("file", sa.Column("content_sha256", sa.Text(), nullable=True))
    op.execute("UPDATE file SET content_sha256 = sha256 WHERE name !~* '[.]gz$'")
    op.create_index("ix_file_content_sha256", "file", ["content_sha256"])
    op.create_index("ix_file_scope_date_beg", "file", ["scope", "date_beg"])


def downgrade() -> None:
    """Forget both."""
    op.drop_index("ix_file_scope_date_beg", table_name="file")
    op.drop_index("ix_file_content_sha256", table_name="file")
    op.drop_column("file", "content_sha256")
    op.drop_column("file", "original")
