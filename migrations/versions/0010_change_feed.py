"""A revision that every write that matters raises, on the catalogue and on the photos it is about."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("catalogue", sa.Column("revision", sa.BigInteger(), nullable=False, server_default=sa.text("0")))
    op.add_column("photo", sa.Column("revision", sa.BigInteger(), nullable=False, server_default=sa.text("0")))
    # What is there is the first change.
    op.execute("update photo set revision = 1")
    op.execute("update catalogue set revision = 1 where exists (select 1 from photo)")
    op.create_index(op.f("ix_photo_revision"), "photo", ["revision"], unique=False)
    op.create_table(
        "removed_photo",
        sa.Column("photo_id", KEY, nullable=False, autoincrement=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("photo_id", name=op.f("pk_removed_photo")),
    )
    op.create_index(op.f("ix_removed_photo_revision"), "removed_photo", ["revision"], unique=False)


def downgrade() -> None:
    op.drop_table("removed_photo")
    op.drop_index(op.f("ix_photo_revision"), "photo")
    # Not in batch mode, which would rebuild the table and take the rows of others that refer to it along.
    op.execute("alter table photo drop column revision")
    op.execute("alter table catalogue drop column revision")
