"""Tables of the catalogue: what is in the lake, in which release, made by what, and why not."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    DateTime,
    Double,
    ForeignKey,
    Index,
    MetaData,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from lake.catalogue.shown import BEGUN as _BEGUN
from lake.catalogue.shown import Shown, index_of_words, indexes_of_facts

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


# As `lake.catalogue.expressions` asks for it.
_HELD = text("embargo_until IS NOT NULL")
_SELDOM = text("status IN ('DRAFT', 'WITHDRAWN')")
_SPAN = text("tstzrange(least(date_beg, date_end), greatest(date_beg, date_end), '[]')")


class Base(DeclarativeBase):
    """Root of the models; every text is unbounded, every time has a zone."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads this plain class attribute
        str: Text,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[str]: ARRAY(Text),
        list[int]: ARRAY(BigInteger),
    }


def _now() -> Mapped[datetime]:
    return mapped_column(server_default=func.now())


def _empty_list() -> Mapped[list[str]]:
    return mapped_column(server_default=text("'{}'"))


def _empty_object() -> Mapped[dict[str, Any]]:
    return mapped_column(server_default=text("'{}'::jsonb"))


class Observation(Base):
    """What belongs together by the instrument's grouping rule: a Rucio container."""

    __tablename__ = "observation"
    __table_args__ = (
        UniqueConstraint("scope", "name"),
        # The pattern class serves equality and patterns like `hi2a_2011*` alike.
        Index("ix_observation_name", "name", postgresql_ops={"name": "text_pattern_ops"}),
        Index("ix_observation_meta", "meta", postgresql_using="gin"),
        index_of_words(),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    scope: Mapped[str]
    name: Mapped[str]
    date_beg: Mapped[datetime | None] = mapped_column(index=True)
    date_end: Mapped[datetime | None]
    meta: Mapped[dict[str, Any]] = _empty_object()
    # Of the name, and of the searchable values.
    words: Mapped[str] = mapped_column(
        TSVECTOR,
        Computed(
            "to_tsvector('simple'::regconfig, (name || ' '::text) || "
            "left(jsonb_path_query_array(meta, '$.*'::jsonpath)::text, 100000))"
        ),
        deferred=True,
    )
    created: Mapped[datetime] = _now()


class File(Base):
    """One file, raw or made here. Its name stands for the same bytes for ever.

    `dims` are the names of its axes where it is no image of rows and columns; `original` is what its archive
    calls it (bytes, as file systems have them) where that can be no name here; `content_sha256` is of its
    bytes once they are unpacked. `facts` are of its header (`lake.fits.facts`), NULL where nobody looked.
    """

    __tablename__ = "file"
    __table_args__ = (
        UniqueConstraint("scope", "name"),
        Index("ix_file_meta", "meta", postgresql_using="gin"),
        Index("ix_file_sha256", "sha256"),
        Index("ix_file_content_sha256", "content_sha256"),
        Index("ix_file_scope_date_beg", "scope", "date_beg"),
        Index("ix_file_unit_id", "unit_id"),
        Index("ix_file_no_facts", "id", postgresql_where=text("facts IS NULL")),
        CheckConstraint("size >= 0", name="size"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    scope: Mapped[str]
    name: Mapped[str]
    level: Mapped[str]
    stem: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    adler32: Mapped[str]
    sha256: Mapped[str]
    date_beg: Mapped[datetime | None]
    date_end: Mapped[datetime | None]
    shape: Mapped[list[int]] = mapped_column(server_default=text("'{}'"))
    dims: Mapped[list[str]] = _empty_list()
    meta: Mapped[dict[str, Any]] = _empty_object()
    caveats: Mapped[list[str]] = _empty_list()
    unit_id: Mapped[str | None]
    image_hdu: Mapped[int] = mapped_column(server_default=text("0"))
    original: Mapped[bytes | None]
    content_sha256: Mapped[str | None]
    facts: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    created: Mapped[datetime] = _now()


class Product(Base):
    """An observation at a level. `last_version` counts up and is never set back."""

    __tablename__ = "product"
    __table_args__ = (
        UniqueConstraint("observation_id", "level"),
        # Serves patterns like `stereo_hi:hi2a_2011*`; the unique index serves equality.
        Index("ix_product_name_pattern", "name", postgresql_ops={"name": "text_pattern_ops"}),
        # Serves patterns like `*:*_2011*`.
        Index("ix_product_name_threes", text("heliolake_trigrams(name)"), postgresql_using="gin"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    observation_id: Mapped[int] = mapped_column(ForeignKey("observation.id"))
    level: Mapped[str]
    name: Mapped[str] = mapped_column(unique=True)
    last_version: Mapped[int] = mapped_column(server_default=text("0"))


class Release(Shown, Base):
    """A product at a version: a Rucio dataset, closed and immutable once ACTIVE."""

    __tablename__ = "release"
    __table_args__ = (
        UniqueConstraint("product_id", "version"),
        CheckConstraint("status IN ('DRAFT', 'ACTIVE', 'SUPERSEDED', 'WITHDRAWN')", name="status"),
        # Two ACTIVE releases of a product cannot be, whatever goes wrong elsewhere.
        Index("uq_release_one_active", "product_id", unique=True, postgresql_where=text("status = 'ACTIVE'")),
        Index(
            "uq_release_one_draft_per_key",
            "product_id",
            "draft_key",
            unique=True,
            postgresql_where=text("status = 'DRAFT'"),
        ),
        Index("ix_release_scope_level_status_date_beg", "scope", "level", "status", "date_beg"),
        # In the order of listings: by the beginning, those without one last.
        Index("ix_release_begun", _BEGUN, "scope", "dataset"),
        Index("ix_release_scope_begun", "scope", _BEGUN, "dataset"),
        Index("ix_release_scope_level_begun", "scope", "level", _BEGUN, "dataset"),
        Index("ix_release_seldom_begun", "status", _BEGUN, "scope", "dataset", postgresql_where=_SELDOM),
        Index("ix_release_span", _SPAN, postgresql_using="gist"),
        *indexes_of_facts(),
        Index("ix_release_refs", "refs", postgresql_using="gin"),
        Index("ix_release_parents", "parents", postgresql_using="gin"),
        Index("ix_release_embargo_until", "embargo_until", postgresql_where=_HELD),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    version: Mapped[int]
    status: Mapped[str]
    scope: Mapped[str]
    level: Mapped[str]
    dataset: Mapped[str]
    draft_key: Mapped[str]
    context: Mapped[int | None]
    recipe: Mapped[str | None]
    recipe_version: Mapped[int | None]
    run_id: Mapped[str | None] = mapped_column(index=True)
    refs: Mapped[list[str]] = _empty_list()
    parents: Mapped[list[str]] = _empty_list()
    created: Mapped[datetime] = _now()
    published: Mapped[datetime | None]
    superseded: Mapped[datetime | None]
    date_beg: Mapped[datetime | None]
    date_end: Mapped[datetime | None]
    files: Mapped[int] = mapped_column(server_default=text("0"))
    bytes: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    caveats: Mapped[list[str]] = _empty_list()
    embargo_until: Mapped[datetime | None]
    embargo_holders: Mapped[list[str]] = _empty_list()
    embargo_stated: Mapped[datetime | None]


class Embargo(Base):
    """A decision about an embargo; rows are only added, and the last one about something holds.

    It is about an observation (`scope`, `observation`), or about all that have a searchable value (`key`,
    `value`; `scope` "" means of any instrument). `until` NULL says that there is none (any more).
    `by_default` marks what an instrument's description asked for, `lifts` what was to shorten an embargo.
    """

    __tablename__ = "embargo"
    __table_args__ = (
        CheckConstraint("(observation = '') <> (key = '')", name="target"),
        CheckConstraint("(key = '') = (value IS NULL)", name="value"),
        Index("ix_embargo_scope_observation", "scope", "observation", "id"),
        Index("ix_embargo_key", "key", postgresql_where=text("key <> ''")),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    scope: Mapped[str] = mapped_column(server_default=text("''"))
    observation: Mapped[str] = mapped_column(server_default=text("''"))
    key: Mapped[str] = mapped_column(server_default=text("''"))
    value: Mapped[Any] = mapped_column(JSONB(none_as_null=True), nullable=True)
    until: Mapped[datetime | None]
    holders: Mapped[list[str]] = _empty_list()
    reason: Mapped[str]
    by_default: Mapped[bool] = mapped_column(server_default=text("false"))
    lifts: Mapped[bool] = mapped_column(server_default=text("false"))
    decided_by: Mapped[str]
    decided: Mapped[datetime] = _now()


class Withdrawal(Base):
    """Who withdrew a release when, and why; its status says that it is withdrawn."""

    __tablename__ = "withdrawal"

    release_id: Mapped[int] = mapped_column(ForeignKey("release.id"), primary_key=True)
    reason: Mapped[str]
    withdrawn_by: Mapped[str]
    at: Mapped[datetime] = _now()


class Activation(Base):
    """Which release of a product became the ACTIVE one when, and for which run; rows are only added."""

    __tablename__ = "activation"
    __table_args__ = (
        Index("ix_activation_product_id", "product_id"),
        Index("ix_activation_run_id", "run_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    release_id: Mapped[int] = mapped_column(ForeignKey("release.id"))
    run_id: Mapped[str | None]
    at: Mapped[datetime] = _now()


class ReleaseFile(Base):
    """Which files a release holds; a later release may hold files of an earlier one."""

    __tablename__ = "release_file"
    __table_args__ = (Index("ix_release_file_file_id", "file_id"),)

    release_id: Mapped[int] = mapped_column(ForeignKey("release.id"), primary_key=True)
    file_id: Mapped[int] = mapped_column(ForeignKey("file.id"), primary_key=True)


class Quarantined(Base):
    """A file put aside, with the reason and what to do about it."""

    __tablename__ = "quarantine"
    __table_args__ = (
        UniqueConstraint("subject", "sha256", "code", "stage"),
        CheckConstraint("stage IN ('ingest', 'process')", name="stage"),
        Index("ix_quarantine_resolved_last_seen", "resolved", "last_seen"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    subject: Mapped[str]
    sha256: Mapped[str] = mapped_column(server_default=text("''"))
    code: Mapped[str]
    stage: Mapped[str]
    reason: Mapped[str]
    keyword: Mapped[str] = mapped_column(server_default=text("''"))
    found: Mapped[str] = mapped_column(server_default=text("''"))
    advice: Mapped[str] = mapped_column(server_default=text("''"))
    unit_id: Mapped[str | None] = mapped_column(index=True)
    run_id: Mapped[str | None] = mapped_column(index=True)
    first_seen: Mapped[datetime] = _now()
    last_seen: Mapped[datetime] = _now()
    count: Mapped[int] = mapped_column(server_default=text("1"))
    resolved: Mapped[datetime | None]


class Plan(Base):
    """An immutable plan; its id is the hash of its content."""

    __tablename__ = "plan"

    id: Mapped[str] = mapped_column(primary_key=True)
    document: Mapped[dict[str, Any]]
    created: Mapped[datetime] = _now()


class Run(Base):
    """A plan being carried out."""

    __tablename__ = "run"
    __table_args__ = (
        CheckConstraint(
            "status IN ('running', 'paused', 'done', 'failed', 'stopped', 'cancelled')", name="status"
        ),
        Index("ix_run_created", "created"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    plan_id: Mapped[str] = mapped_column(ForeignKey("plan.id"), index=True)
    status: Mapped[str]
    recipe: Mapped[str]
    owner: Mapped[str]
    created: Mapped[datetime] = _now()
    finished: Mapped[datetime | None]
    note: Mapped[str] = mapped_column(server_default=text("''"))


class Executor(Base):
    """A process that carries a run out, or did, each time it did; `seen` is when it was last heard of."""

    __tablename__ = "executor"
    __table_args__ = (Index("ix_executor_open", "id", postgresql_where=text("ended IS NULL")),)

    run_id: Mapped[str] = mapped_column(ForeignKey("run.id"), primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    started: Mapped[datetime] = mapped_column(primary_key=True, server_default=func.now())
    site: Mapped[str] = mapped_column(server_default=text("''"))
    seen: Mapped[datetime] = _now()
    ended: Mapped[datetime | None]
    note: Mapped[str] = mapped_column(server_default=text("''"))


class Tally(Base):
    """What one worker did for a run in one minute; a run of a million units has few of these rows."""

    __tablename__ = "tally"

    run_id: Mapped[str] = mapped_column(ForeignKey("run.id"), primary_key=True)
    executor: Mapped[str] = mapped_column(primary_key=True)
    worker: Mapped[str] = mapped_column(primary_key=True)
    minute: Mapped[datetime] = mapped_column(primary_key=True)
    units: Mapped[int]
    troubles: Mapped[int]
    bytes_in: Mapped[int] = mapped_column(BigInteger)
    bytes_out: Mapped[int] = mapped_column(BigInteger)
    seconds: Mapped[float] = mapped_column(Double)
    memory: Mapped[int] = mapped_column(BigInteger)


class StepTime(Base):
    """How often a step of a run took about so long: a bucket holds times that differ by a quarter."""

    __tablename__ = "step_time"

    run_id: Mapped[str] = mapped_column(ForeignKey("run.id"), primary_key=True)
    executor: Mapped[str] = mapped_column(primary_key=True)
    step: Mapped[str] = mapped_column(primary_key=True)
    bucket: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    times: Mapped[int]
    seconds: Mapped[float] = mapped_column(Double)


class Unit(Base):
    """One piece of work within a run, with its lease; `facts` are who did it, how long, with how much."""

    __tablename__ = "unit"
    __table_args__ = (
        CheckConstraint(
            "state IN ('planned', 'leased', 'done', 'skipped', 'quarantined', 'failed')", name="state"
        ),
        # Claims look for planned units in order; few rows are open at a time, so the index stays small.
        Index(
            "ix_unit_open",
            "run_id",
            "position",
            postgresql_where=text("state IN ('planned', 'leased')"),
        ),
        Index(
            "ix_unit_open_at_site",
            "run_id",
            "site",
            "position",
            postgresql_where=text("state IN ('planned', 'leased') AND site <> ''"),
        ),
        Index("ix_unit_run_id_product", "run_id", "product"),
        Index("ix_unit_troubles", "run_id", postgresql_where=text("state IN ('failed', 'quarantined')")),
        Index("ix_unit_leased", "lease_owner", postgresql_where=text("state = 'leased'")),
    )

    run_id: Mapped[str] = mapped_column(ForeignKey("run.id"), primary_key=True)
    unit_id: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int]
    product: Mapped[str]
    site: Mapped[str] = mapped_column(server_default="")
    state: Mapped[str] = mapped_column(server_default=text("'planned'"))
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    lease_owner: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    payload: Mapped[dict[str, Any]] = _empty_object()
    outcome: Mapped[dict[str, Any] | None]
    facts: Mapped[dict[str, Any] | None]
    finished: Mapped[datetime | None]


class UnitResult(Base):
    """What a unit gave, once and for all: the same unit is never done twice."""

    __tablename__ = "unit_result"
    __table_args__ = (
        CheckConstraint("outcome IN ('done', 'quarantined')", name="outcome"),
        Index("ix_unit_result_file_id", "file_id"),
        Index("ix_unit_result_refs", "refs", postgresql_using="gin"),
    )

    unit_id: Mapped[str] = mapped_column(primary_key=True)
    outcome: Mapped[str]
    file_id: Mapped[int | None] = mapped_column(ForeignKey("file.id"))
    refs: Mapped[list[str]] = _empty_list()
    detail: Mapped[dict[str, Any]] = _empty_object()
    created: Mapped[datetime] = _now()


class Reference(Base):
    """A calibration file with its validity and the frames it is for."""

    __tablename__ = "reference"
    __table_args__ = (
        UniqueConstraint("did"),
        Index("ix_reference_instrument_need", "instrument", "need"),
        Index("ix_reference_parents", "parents", postgresql_using="gin"),
        CheckConstraint(
            "valid_until IS NULL OR valid_from IS NULL OR valid_from < valid_until", name="validity"
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    need: Mapped[str]
    instrument: Mapped[str]
    did: Mapped[str]
    sha256: Mapped[str]
    valid_from: Mapped[datetime | None]
    valid_until: Mapped[datetime | None]
    selectors: Mapped[dict[str, Any]] = _empty_object()
    source: Mapped[str]
    simulated: Mapped[bool] = mapped_column(server_default=text("false"))
    parents: Mapped[list[str]] = _empty_list()
    created: Mapped[datetime] = _now()


class Context(Base):
    """An immutable, numbered list of references, of one instrument or ('' ) of all."""

    __tablename__ = "context"

    number: Mapped[int] = mapped_column(primary_key=True)
    instrument: Mapped[str] = mapped_column(server_default=text("''"))
    content: Mapped[str] = mapped_column(unique=True)
    note: Mapped[str] = mapped_column(server_default=text("''"))
    created: Mapped[datetime] = _now()


class ContextReference(Base):
    """Which references a context lists."""

    __tablename__ = "context_reference"

    context: Mapped[int] = mapped_column(ForeignKey("context.number"), primary_key=True)
    reference_id: Mapped[int] = mapped_column(ForeignKey("reference.id"), primary_key=True)


class CurrentContext(Base):
    """The context used when none is named, per instrument or ('') for all."""

    __tablename__ = "current_context"

    instrument: Mapped[str] = mapped_column(primary_key=True)
    context: Mapped[int] = mapped_column(ForeignKey("context.number"))
    since: Mapped[datetime] = _now()
