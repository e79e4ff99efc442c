"""Who carries runs out and how fast; runs that are paused or cancelled."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_TROUBLES = "state IN ('failed', 'quarantined')"
_BEFORE = ("running", "done", "failed", "stopped")
_NOW = (*_BEFORE, "paused", "cancelled")


def upgrade() -> None:
    """Add the tables, what a unit took, and two states of a run."""
    _allow(_NOW)
    op.add_column("unit", sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.create_index("ix_unit_troubles", "unit", ["run_id"], postgresql_where=sa.text(_TROUBLES))
    op.create_table(
        "executor",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("started", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("seen", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ended", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_executor_run_id")),
        sa.PrimaryKeyConstraint("run_id", "id", "started", name=op.f("pk_executor")),
    )
    op.create_index("ix_executor_open", "executor", ["id"], postgresql_where=sa.text("ended IS NULL"))
    op.create_table(
        "tally",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("executor", sa.Text(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("minute", sa.DateTime(timezone=True), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("troubles", sa.Integer(), nullable=False),
        sa.Column("bytes_in", sa.BigInteger(), nullable=False),
        sa.Column("bytes_out", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("memory", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_tally_run_id")),
        sa.PrimaryKeyConstraint("run_id", "executor", "worker", "minute", name=op.f("pk_tally")),
    )
    op.create_table(
        "step_time",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("executor", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("bucket", sa.Integer(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_step_time_run_id")),
        sa.PrimaryKeyConstraint("run_id", "executor", "step", "bucket", name=op.f("pk_step_time")),
    )


def downgrade() -> None:
    """Drop them; paused and cancelled runs become stopped and failed ones."""
    for table in ("step_time", "tally", "executor"):
        op.drop_table(table)
    op.drop_index("ix_unit_troubles", "unit")
    op.drop_column("unit", "facts")
    op.execute("UPDATE run SET status = 'stopped' WHERE status = 'paused'")
    op.execute("UPDATE run SET status = 'failed' WHERE status = 'cancelled'")
    _allow(_BEFORE)


def _allow(states: tuple[str, ...]) -> None:
    op.drop_constraint(op.f("ck_run_status"), "run", type_="check")
    listed = ", ".join(f"'{state}'" for state in states)
    op.create_check_constraint(op.f("ck_run_status"), "run", f"status IN ({listed})")
