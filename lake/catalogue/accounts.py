"""Tables of accounts: who is known, in which groups, with which tokens, and who failed to show one."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from lake.catalogue.models import Base


class Account(Base):
    """A person or a program. `issuer` and `subject` are how an OpenID provider names it, both or neither."""

    __tablename__ = "account"
    __table_args__ = (
        UniqueConstraint("issuer", "subject"),
        CheckConstraint("(issuer IS NULL) = (subject IS NULL)", name="identity"),
    )

    name: Mapped[str] = mapped_column(primary_key=True)
    operator: Mapped[bool] = mapped_column(server_default=text("false"))
    curates: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    note: Mapped[str] = mapped_column(server_default=text("''"))
    issuer: Mapped[str | None]
    subject: Mapped[str | None]
    suspended: Mapped[datetime | None]
    suspended_for: Mapped[str] = mapped_column(server_default=text("''"))
    created: Mapped[datetime] = mapped_column(server_default=func.now())
    created_by: Mapped[str]
    last_login: Mapped[datetime | None]


class Membership(Base):
    """Who is in which group; `claimed` when the OpenID provider said so at the last login."""

    __tablename__ = "membership"
    __table_args__ = (Index("ix_membership_grouping", "grouping"),)

    account: Mapped[str] = mapped_column(ForeignKey("account.name"), primary_key=True)
    grouping: Mapped[str] = mapped_column(primary_key=True)
    claimed: Mapped[bool] = mapped_column(primary_key=True, server_default=text("false"))
    since: Mapped[datetime] = mapped_column(server_default=func.now())


class Token(Base):
    """An API token; of its secret only the hash is kept. `id` is its public part, by which people name it."""

    __tablename__ = "token"
    __table_args__ = (
        Index("ix_token_account", "account"),
        CheckConstraint("scopes <@ ARRAY['read', 'write', 'curate'] AND scopes <> '{}'", name="scopes"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(ForeignKey("account.name"))
    hash: Mapped[bytes] = mapped_column(unique=True)
    scopes: Mapped[list[str]]
    note: Mapped[str] = mapped_column(server_default=text("''"))
    created: Mapped[datetime] = mapped_column(server_default=func.now())
    created_by: Mapped[str]
    expires: Mapped[datetime]
    revoked: Mapped[datetime | None]
    last_used: Mapped[datetime | None]


class FailedUse(Base):
    """A token that was not accepted; counted under its public part, and under where it came from."""

    __tablename__ = "failed_use"
    __table_args__ = (Index("ix_failed_use_counted_at", "counted", "at"), Index("ix_failed_use_at", "at"))

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    counted: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.now())
