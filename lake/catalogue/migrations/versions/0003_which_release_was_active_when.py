"""Which release of a product was the ACTIVE one when: an earlier one may become it again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table and fill in what is known: until now a release became active when it was published."""
    op.create_table(
        "activation",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("release_id", sa.BigInteger(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name=op.f("fk_activation_product_id")),
        sa.ForeignKeyConstraint(["release_id"], ["release.id"], name=op.f("fk_activation_release_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activation")),
    )
    op.create_index("ix_activation_product_id", "activation", ["product_id"], unique=False)
    op.create_index("ix_activation_run_id", "activation", ["run_id"], unique=False)
    # One that came too late for its turn was superseded in the moment it was published.
    op.execute(
        """
        INSERT INTO activation (product_id, release_id, run_id, at)
        SELECT product_id, id, run_id, published FROM release
        WHERE status <> 'DRAFT' AND published IS NOT NULL AND superseded IS DISTINCT FROM published
        ORDER BY published, id
        """
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("activation")
