"""The first form of the catalogue."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make all tables."""
    _make_context()
    _make_file()
    _make_observation()
    _make_plan()
    _make_quarantine()
    _make_reference()
    _make_context_reference()
    _make_current_context()
    _make_product()
    _make_run()
    _make_unit_result()
    _make_release()
    _make_unit()
    _make_release_file()


def downgrade() -> None:
    """Drop all tables, those that others point at last."""
    for table in (
        "release_file",
        "unit",
        "release",
        "unit_result",
        "run",
        "product",
        "current_context",
        "context_reference",
        "reference",
        "quarantine",
        "plan",
        "observation",
        "file",
        "context",
    ):
        op.drop_table(table)


def _make_context() -> None:
    op.create_table(
        "context",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("instrument", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_context")),
        sa.UniqueConstraint("content", name=op.f("uq_context_content")),
    )


def _make_file() -> None:
    op.create_table(
        "file",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("stem", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("adler32", sa.Text(), nullable=False),
        sa.Column("md5", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("date_beg", sa.DateTime(timezone=True), nullable=True),
        sa.Column("date_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("shape", postgresql.ARRAY(sa.BigInteger()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column(
            "meta",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("caveats", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("unit_id", sa.Text(), nullable=True),
        sa.Column("image_hdu", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("size >= 0", name=op.f("ck_file_size")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_file")),
        sa.UniqueConstraint("scope", "name", name=op.f("uq_file_scope_name")),
    )
    op.create_index("ix_file_meta", "file", ["meta"], unique=False, postgresql_using="gin")
    op.create_index("ix_file_sha256", "file", ["sha256"], unique=False)
    op.create_index("ix_file_unit_id", "file", ["unit_id"], unique=False)


def _make_observation() -> None:
    op.create_table(
        "observation",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("date_beg", sa.DateTime(timezone=True), nullable=True),
        sa.Column("date_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "meta",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("created", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_observation")),
        sa.UniqueConstraint("scope", "name", name=op.f("uq_observation_scope_name")),
    )
    op.create_index(op.f("ix_observation_date_beg"), "observation", ["date_beg"], unique=False)
    op.create_index(
        "ix_observation_name",
        "observation",
        ["name"],
        unique=False,
        postgresql_ops={"name": "text_pattern_ops"},
    )
    op.create_index("ix_observation_meta", "observation", ["meta"], unique=False, postgresql_using="gin")


def _make_plan() -> None:
    op.create_table(
        "plan",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("document", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan")),
    )


def _make_quarantine() -> None:
    op.create_table(
        "quarantine",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("keyword", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("found", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("advice", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("unit_id", sa.Text(), nullable=True),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("first_seen", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_seen", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("count", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("resolved", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("stage IN ('ingest', 'process')", name=op.f("ck_quarantine_stage")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantine")),
        sa.UniqueConstraint(
            "subject", "sha256", "code", "stage", name=op.f("uq_quarantine_subject_sha256_code_stage")
        ),
    )
    op.create_index("ix_quarantine_resolved_last_seen", "quarantine", ["resolved", "last_seen"], unique=False)
    op.create_index(op.f("ix_quarantine_run_id"), "quarantine", ["run_id"], unique=False)
    op.create_index(op.f("ix_quarantine_unit_id"), "quarantine", ["unit_id"], unique=False)


def _make_reference() -> None:
    op.create_table(
        "reference",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("need", sa.Text(), nullable=False),
        sa.Column("instrument", sa.Text(), nullable=False),
        sa.Column("did", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "selectors",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("simulated", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "valid_until IS NULL OR valid_from IS NULL OR valid_from < valid_until",
            name=op.f("ck_reference_validity"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reference")),
        sa.UniqueConstraint("did", name=op.f("uq_reference_did")),
    )
    op.create_index("ix_reference_instrument_need", "reference", ["instrument", "need"], unique=False)


def _make_context_reference() -> None:
    op.create_table(
        "context_reference",
        sa.Column("context", sa.Integer(), nullable=False),
        sa.Column("reference_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["context"], ["context.number"], name=op.f("fk_context_reference_context")),
        sa.ForeignKeyConstraint(
            ["reference_id"], ["reference.id"], name=op.f("fk_context_reference_reference_id")
        ),
        sa.PrimaryKeyConstraint("context", "reference_id", name=op.f("pk_context_reference")),
    )


def _make_current_context() -> None:
    op.create_table(
        "current_context",
        sa.Column("instrument", sa.Text(), nullable=False),
        sa.Column("context", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["context"], ["context.number"], name=op.f("fk_current_context_context")),
        sa.PrimaryKeyConstraint("instrument", name=op.f("pk_current_context")),
    )


def _make_product() -> None:
    op.create_table(
        "product",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("observation_id", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("last_version", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["observation_id"], ["observation.id"], name=op.f("fk_product_observation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_product")),
        sa.UniqueConstraint("name", name=op.f("uq_product_name")),
        sa.UniqueConstraint("observation_id", "level", name=op.f("uq_product_observation_id_level")),
    )
    op.create_index(
        "ix_product_name_pattern",
        "product",
        ["name"],
        unique=False,
        postgresql_ops={"name": "text_pattern_ops"},
    )


def _make_run() -> None:
    op.create_table(
        "run",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("recipe", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.CheckConstraint("status IN ('running', 'done', 'failed', 'stopped')", name=op.f("ck_run_status")),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name=op.f("fk_run_plan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
    )
    op.create_index("ix_run_created", "run", ["created"], unique=False)
    op.create_index(op.f("ix_run_plan_id"), "run", ["plan_id"], unique=False)


def _make_unit_result() -> None:
    op.create_table(
        "unit_result",
        sa.Column("unit_id", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("file_id", sa.BigInteger(), nullable=True),
        sa.Column("refs", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column(
            "detail",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("created", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("outcome IN ('done', 'quarantined')", name=op.f("ck_unit_result_outcome")),
        sa.ForeignKeyConstraint(["file_id"], ["file.id"], name=op.f("fk_unit_result_file_id")),
        sa.PrimaryKeyConstraint("unit_id", name=op.f("pk_unit_result")),
    )
    op.create_index("ix_unit_result_file_id", "unit_result", ["file_id"], unique=False)
    op.create_index("ix_unit_result_refs", "unit_result", ["refs"], unique=False, postgresql_using="gin")


def _make_release() -> None:
    op.create_table(
        "release",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("draft_key", sa.Text(), nullable=False),
        sa.Column("context", sa.Integer(), nullable=True),
        sa.Column("recipe", sa.Text(), nullable=True),
        sa.Column("recipe_version", sa.Integer(), nullable=True),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("refs", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("parents", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("published", sa.DateTime(timezone=True), nullable=True),
        sa.Column("superseded", sa.DateTime(timezone=True), nullable=True),
        sa.Column("date_beg", sa.DateTime(timezone=True), nullable=True),
        sa.Column("date_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("files", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("caveats", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("embargo_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "embargo_holders", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.CheckConstraint(
            "status IN ('DRAFT', 'ACTIVE', 'SUPERSEDED', 'WITHDRAWN')", name=op.f("ck_release_status")
        ),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name=op.f("fk_release_product_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_release")),
        sa.UniqueConstraint("product_id", "version", name=op.f("uq_release_product_id_version")),
    )
    op.create_index("ix_release_date_beg", "release", ["date_beg"], unique=False)
    op.create_index("ix_release_refs", "release", ["refs"], unique=False, postgresql_using="gin")
    op.create_index(op.f("ix_release_run_id"), "release", ["run_id"], unique=False)
    op.create_index(
        "ix_release_scope_level_status_date_beg",
        "release",
        ["scope", "level", "status", "date_beg"],
        unique=False,
    )
    op.create_index(
        "uq_release_one_active",
        "release",
        ["product_id"],
        unique=True,
        postgresql_where=sa.text("status = 'ACTIVE'"),
    )
    op.create_index(
        "uq_release_one_draft_per_key",
        "release",
        ["product_id", "draft_key"],
        unique=True,
        postgresql_where=sa.text("status = 'DRAFT'"),
    )


def _make_unit() -> None:
    op.create_table(
        "unit",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("unit_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'planned'"), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "payload",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("outcome", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("finished", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('planned', 'leased', 'done', 'skipped', 'quarantined', 'failed')",
            name=op.f("ck_unit_state"),
        ),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_unit_run_id")),
        sa.PrimaryKeyConstraint("run_id", "unit_id", name=op.f("pk_unit")),
    )
    op.create_index(
        "ix_unit_leased", "unit", ["lease_owner"], unique=False, postgresql_where=sa.text("state = 'leased'")
    )
    op.create_index(
        "ix_unit_open",
        "unit",
        ["run_id", "position"],
        unique=False,
        postgresql_where=sa.text("state IN ('planned', 'leased')"),
    )
    op.create_index("ix_unit_run_id_product", "unit", ["run_id", "product"], unique=False)


def _make_release_file() -> None:
    op.create_table(
        "release_file",
        sa.Column("release_id", sa.BigInteger(), nullable=False),
        sa.Column("file_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["file_id"], ["file.id"], name=op.f("fk_release_file_file_id")),
        sa.ForeignKeyConstraint(["release_id"], ["release.id"], name=op.f("fk_release_file_release_id")),
        sa.PrimaryKeyConstraint("release_id", "file_id", name=op.f("pk_release_file")),
    )
    op.create_index("ix_release_file_file_id", "release_file", ["file_id"], unique=False)
