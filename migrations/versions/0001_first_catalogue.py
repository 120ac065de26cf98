"""The first catalogue."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "model",
        sa.Column("id", KEY, nullable=False),
        sa.Column("identity", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("encoder", sa.String(length=64), nullable=False),
        sa.Column("first_used_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model")),
        sa.UniqueConstraint("identity", name=op.f("uq_model_identity")),
    )
    op.create_table(
        "photo",
        sa.Column("id", KEY, nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("format", sa.String(length=16), nullable=True),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("orientation", sa.Integer(), nullable=True),
        sa.Column("taken_at", sa.DateTime(), nullable=True),
        sa.Column("camera", sa.Text(), nullable=True),
        sa.Column("lens", sa.Text(), nullable=True),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("added_at", sa.DateTime(), nullable=False),
        sa.Column("text_stale", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_photo")),
        sa.UniqueConstraint("content_hash", name=op.f("uq_photo_content_hash")),
    )
    op.create_index(op.f("ix_photo_text_stale"), "photo", ["text_stale"], unique=False)
    op.create_table(
        "root",
        sa.Column("id", KEY, nullable=False),
        sa.Column("path", sa.LargeBinary(), nullable=False),
        sa.Column("device", sa.BigInteger(), nullable=True),
        sa.Column("mode", sa.String(length=16), nullable=True),
        sa.Column("last_reconcile_at", sa.DateTime(), nullable=True),
        sa.Column("added_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_root")),
        sa.UniqueConstraint("path", name=op.f("uq_root_path")),
    )
    op.create_table(
        "caption",
        sa.Column("id", KEY, nullable=False),
        sa.Column("photo_id", KEY, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("current", sa.Boolean(), nullable=False),
        sa.Column("model_id", KEY, nullable=True),
        sa.Column("log_probability", sa.Float(), nullable=True),
        sa.Column("settings", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.CheckConstraint("source in ('user', 'sidecar', 'model')", name=op.f("ck_caption_source")),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"], name=op.f("fk_caption_model_id")),
        sa.ForeignKeyConstraint(["photo_id"], ["photo.id"], name=op.f("fk_caption_photo_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_caption")),
    )
    op.create_index(op.f("ix_caption_photo_id"), "caption", ["photo_id"], unique=False)
    op.create_table(
        "file",
        sa.Column("id", KEY, nullable=False),
        sa.Column("root_id", KEY, nullable=False),
        sa.Column("relative_path", sa.LargeBinary(), nullable=False),
        sa.Column("photo_id", KEY, nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("inode", sa.BigInteger(), nullable=False),
        sa.Column("missing_since", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["photo_id"], ["photo.id"], name=op.f("fk_file_photo_id")),
        sa.ForeignKeyConstraint(["root_id"], ["root.id"], name=op.f("fk_file_root_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_file")),
        sa.UniqueConstraint("root_id", "relative_path", name=op.f("uq_file_root_id")),
    )
    op.create_index(op.f("ix_file_photo_id"), "file", ["photo_id"], unique=False)
    op.create_table(
        "term",
        sa.Column("id", KEY, nullable=False),
        sa.Column("photo_id", KEY, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("weight", sa.Float(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["photo_id"], ["photo.id"], name=op.f("fk_term_photo_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_term")),
    )
    op.create_index(op.f("ix_term_photo_id"), "term", ["photo_id"], unique=False)
    op.create_table(
        "job",
        sa.Column("id", KEY, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("file_id", KEY, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try_at", sa.DateTime(), nullable=False),
        sa.Column("lease_owner", sa.String(length=128), nullable=True),
        sa.Column("lease_until", sa.DateTime(), nullable=True),
        sa.Column("error_kind", sa.String(length=32), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.CheckConstraint("state in ('queued', 'running', 'failed', 'ignored')", name=op.f("ck_job_state")),
        sa.ForeignKeyConstraint(["file_id"], ["file.id"], name=op.f("fk_job_file_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
        sa.UniqueConstraint("file_id", "kind", name=op.f("uq_job_file_id")),
    )
    op.create_index("ix_job_due", "job", ["state", "next_try_at"], unique=False)
    # ### end Alembic commands ###


def downgrade() -> None:
    for table in ("job", "term", "file", "caption", "root", "photo", "model"):
        op.drop_table(table)
