"""A person's corrections: what was changed, when, and which captions are locked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("caption", sa.Column("locked", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "correction",
        sa.Column("id", KEY, nullable=False),
        sa.Column("photo_id", KEY, nullable=False),
        sa.Column("edit", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("old", sa.Text(), nullable=True),
        sa.Column("new", sa.Text(), nullable=True),
        sa.Column("made_at", sa.DateTime(), nullable=False),
        sa.Column("undone_at", sa.DateTime(), nullable=True),
        sa.CheckConstraint("kind in ('caption', 'tags', 'lock')", name=op.f("ck_correction_kind")),
        sa.ForeignKeyConstraint(["photo_id"], ["photo.id"], name=op.f("fk_correction_photo_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_correction")),
    )
    op.create_index(op.f("ix_correction_photo_id"), "correction", ["photo_id"], unique=False)


def downgrade() -> None:
    op.drop_table("correction")
    with op.batch_alter_table("caption") as batch:
        batch.drop_column("locked")
