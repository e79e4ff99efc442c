"""DOIs, and what their registry has to be told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "doi",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("doi", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("release_id", sa.BigInteger(), nullable=True),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("known", sa.Text(), server_default=sa.text("'none'"), nullable=False),
        sa.Column("digest", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("tombstone", sa.Text(), nullable=True),
        sa.Column("hidden", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("confirmed", sa.DateTime(timezone=True), nullable=True),
        sa.Column("public_since", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("asked IN ('draft', 'registered', 'findable')", name=op.f("ck_doi_asked")),
        sa.CheckConstraint("known IN ('none', 'draft', 'registered', 'findable')", name=op.f("ck_doi_known")),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name=op.f("fk_doi_product_id")),
        sa.ForeignKeyConstraint(["release_id"], ["release.id"], name=op.f("fk_doi_release_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_doi")),
        sa.UniqueConstraint("doi", name=op.f("uq_doi_doi")),
    )
    op.create_index("ix_doi_product_id", "doi", ["product_id"])
    op.create_index(
        "uq_doi_release",
        "doi",
        ["prefix", "release_id"],
        unique=True,
        postgresql_where=sa.text("release_id IS NOT NULL"),
    )
    op.create_index(
        "uq_doi_concept",
        "doi",
        ["prefix", "product_id"],
        unique=True,
        postgresql_where=sa.text("release_id IS NULL"),
    )
    op.create_table(
        "doi_outbox",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("doi_id", sa.BigInteger(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("settled", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["doi_id"], ["doi.id"], name=op.f("fk_doi_outbox_doi_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_doi_outbox")),
    )
    op.create_index("ix_doi_outbox_doi_id", "doi_outbox", ["doi_id"])
    op.create_index(
        "ix_doi_outbox_open", "doi_outbox", ["doi_id", "id"], postgresql_where=sa.text("settled IS NULL")
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("doi_outbox")
    op.drop_table("doi")
