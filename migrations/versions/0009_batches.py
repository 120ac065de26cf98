"""Batches of jobs that a person asked for together, and which jobs go first."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0007"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "batch",
        sa.Column("id", KEY, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("query", sa.Text(), nullable=True),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("finished_at", sa.DateTime(), nullable=True),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.CheckConstraint("state in ('active', 'paused', 'cancelled', 'done')", name=op.f("ck_batch_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch")),
    )
    with op.batch_alter_table("job") as job:
        job.add_column(sa.Column("priority", sa.Integer(), nullable=False, server_default="1"))
        job.add_column(sa.Column("batch_id", KEY, nullable=True))
        job.create_foreign_key(op.f("fk_job_batch_id"), "batch", ["batch_id"], ["id"], ondelete="SET NULL")
        job.drop_index("ix_job_due")
        job.create_index("ix_job_due", ["state", "priority", "next_try_at"], unique=False)
        job.create_index(op.f("ix_job_batch_id"), ["batch_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("job") as job:
        job.drop_index(op.f("ix_job_batch_id"))
        job.drop_index("ix_job_due")
        job.create_index("ix_job_due", ["state", "next_try_at"], unique=False)
        job.drop_constraint(op.f("fk_job_batch_id"), type_="foreignkey")
        job.drop_column("batch_id")
        job.drop_column("priority")
    op.drop_table("batch")
