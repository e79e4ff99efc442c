"""Tables of DOIs: what each is to be at the registry, what it was found to be, and what it has to be told."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from lake.catalogue.models import Base


class Doi(Base):
    """The DOI of a release, or of a product (a concept DOI: no release). Decided here before it is sent.

    `asked` is what a curator wants of it, `known` what the registry said last; `digest` is of the metadata it
    has confirmed, '' where that is not certain. `tombstone` is why it is hidden, `hidden` since when.
    `public_since` is when it was first confirmed as registered, and never changes: headers depend on it.
    """

    __tablename__ = "doi"
    __table_args__ = (
        CheckConstraint("asked IN ('draft', 'registered', 'findable')", name="asked"),
        CheckConstraint("known IN ('none', 'draft', 'registered', 'findable')", name="known"),
        # Under a prefix, for a home that practised goes on with a real one.
        Index(
            "uq_doi_release",
            "prefix",
            "release_id",
            unique=True,
            postgresql_where=text("release_id IS NOT NULL"),
        ),
        Index(
            "uq_doi_concept", "prefix", "product_id", unique=True, postgresql_where=text("release_id IS NULL")
        ),
        Index("ix_doi_product_id", "product_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    doi: Mapped[str] = mapped_column(unique=True)
    prefix: Mapped[str]
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    release_id: Mapped[int | None] = mapped_column(ForeignKey("release.id"))
    asked: Mapped[str]
    known: Mapped[str] = mapped_column(server_default=text("'none'"))
    digest: Mapped[str] = mapped_column(server_default=text("''"))
    tombstone: Mapped[str | None]
    hidden: Mapped[datetime | None]
    error: Mapped[str] = mapped_column(server_default=text("''"))
    created: Mapped[datetime] = mapped_column(server_default=func.now())
    confirmed: Mapped[datetime | None]
    public_since: Mapped[datetime | None]


class DoiOutbox(Base):
    """That a registry has to be told of a change, written together with it; settled once it has confirmed."""

    __tablename__ = "doi_outbox"
    __table_args__ = (
        Index("ix_doi_outbox_open", "doi_id", "id", postgresql_where=text("settled IS NULL")),
        Index("ix_doi_outbox_doi_id", "doi_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    doi_id: Mapped[int] = mapped_column(ForeignKey("doi.id"))
    because: Mapped[str]
    created: Mapped[datetime] = mapped_column(server_default=func.now())
    settled: Mapped[datetime | None]
