"""Accounts, their groups and tokens, and how often a token was not accepted."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def _time(name: str, *, now: bool = False, empty: bool = False) -> sa.Column[datetime]:
    default = sa.text("now()") if now else None
    return sa.Column(name, sa.DateTime(timezone=True), server_default=default, nullable=empty)


def upgrade() -> None:
    """Make the tables; there is no account until somebody makes one."""
    no_text, no_list = sa.text("''"), sa.text("'{}'")
    op.create_table(
        "account",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("operator", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("curates", postgresql.ARRAY(sa.Text()), server_default=no_list, nullable=False),
        sa.Column("note", sa.Text(), server_default=no_text, nullable=False),
        sa.Column("issuer", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        _time("suspended", empty=True),
        sa.Column("suspended_for", sa.Text(), server_default=no_text, nullable=False),
        _time("created", now=True),
        sa.Column("created_by", sa.Text(), nullable=False),
        _time("last_login", empty=True),
        sa.CheckConstraint("(issuer IS NULL) = (subject IS NULL)", name=op.f("ck_account_identity")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_account")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_account_issuer_subject")),
    )
    op.create_table(
        "membership",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("grouping", sa.Text(), nullable=False),
        sa.Column("claimed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        _time("since", now=True),
        sa.ForeignKeyConstraint(["account"], ["account.name"], name=op.f("fk_membership_account_account")),
        sa.PrimaryKeyConstraint("account", "grouping", "claimed", name=op.f("pk_membership")),
    )
    op.create_index("ix_membership_grouping", "membership", ["grouping"])
    op.create_table(
        "token",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("note", sa.Text(), server_default=no_text, nullable=False),
        _time("created", now=True),
        sa.Column("created_by", sa.Text(), nullable=False),
        _time("expires"),
        _time("revoked", empty=True),
        _time("last_used", empty=True),
        sa.CheckConstraint(
            "scopes <@ ARRAY['read', 'write', 'curate'] AND scopes <> '{}'", name=op.f("ck_token_scopes")
        ),
        sa.ForeignKeyConstraint(["account"], ["account.name"], name=op.f("fk_token_account_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token")),
        sa.UniqueConstraint("hash", name=op.f("uq_token_hash")),
    )
    op.create_index("ix_token_account", "token", ["account"])
    op.create_table(
        "failed_use",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("counted", sa.Text(), nullable=False),
        _time("at", now=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_failed_use")),
    )
    op.create_index("ix_failed_use_counted_at", "failed_use", ["counted", "at"])
    op.create_index("ix_failed_use_at", "failed_use", ["at"])


def downgrade() -> None:
    """Drop them."""
    for table in ("failed_use", "token", "membership", "account"):
        op.drop_table(table)
