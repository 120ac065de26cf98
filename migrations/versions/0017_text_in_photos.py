"""Text that was read in photos, and captions that come of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
SOURCES = "source in ('user', 'sidecar', 'text', 'model')"
SOURCES_BEFORE = "source in ('user', 'sidecar', 'model')"


def upgrade() -> None:
    op.add_column("photo", sa.Column("text_reader", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.create_index(op.f("ix_photo_text_reader"), "photo", ["text_reader"], unique=False)
    op.create_table(
        "text_line",
        sa.Column("photo_id", KEY, nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("block", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("box", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["photo_id"], ["photo.id"], name=op.f("fk_text_line_photo_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("photo_id", "place", name=op.f("pk_text_line")),
    )
    with op.batch_alter_table("caption") as caption:  # no table refers to it
        caption.drop_constraint(op.f("ck_caption_source"), type_="check")
        caption.create_check_constraint(op.f("ck_caption_source"), SOURCES)


def downgrade() -> None:
    op.execute(f"delete from caption where not ({SOURCES_BEFORE})")
    with op.batch_alter_table("caption") as caption:
        caption.drop_constraint(op.f("ck_caption_source"), type_="check")
        caption.create_check_constraint(op.f("ck_caption_source"), SOURCES_BEFORE)
    op.drop_table("text_line")
    op.drop_index(op.f("ix_photo_text_reader"), table_name="photo")
    # Not in batch mode, which would rebuild the table and take the rows of others that refer to it along.
    op.execute("alter table photo drop column text_reader")
