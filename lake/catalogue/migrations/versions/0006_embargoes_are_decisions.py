"""Embargoes are decisions, each with who took it and why; what is made of something inherits them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, and the ways from a release to what was made of it."""
    op.create_table(
        "embargo",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("scope", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("observation", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("key", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("value", postgresql.JSONB(), nullable=True),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("holders", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by_default", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("decided", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(observation = '') <> (key = '')", name=op.f("ck_embargo_target")),
        sa.CheckConstraint("(key = '') = (value IS NULL)", name=op.f("ck_embargo_value")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_embargo")),
    )
    op.create_index("ix_embargo_scope_observation", "embargo", ["scope", "observation", "id"])
    op.create_index("ix_embargo_key", "embargo", ["key"], postgresql_where=sa.text("key <> ''"))
    op.create_index("ix_release_parents", "release", ["parents"], postgresql_using="gin")
    op.create_index(
        "ix_release_embargo_until",
        "release",
        ["embargo_until"],
        postgresql_where=sa.text("embargo_until IS NOT NULL"),
    )
    op.add_column(
        "reference",
        sa.Column("parents", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    )
    op.create_index("ix_reference_parents", "reference", ["parents"], postgresql_using="gin")


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_reference_parents", "reference")
    op.drop_column("reference", "parents")
    op.drop_index("ix_release_embargo_until", "release")
    op.drop_index("ix_release_parents", "release")
    op.drop_table("embargo")
