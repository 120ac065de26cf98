"""Which version of the reader of metadata read a photo, so that what an older one left out is read after an upgrade."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("photo", sa.Column("metadata_reader", sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.create_index(op.f("ix_photo_metadata_reader"), "photo", ["metadata_reader"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_photo_metadata_reader"), table_name="photo")
    # Not in batch mode, which would rebuild the table and take the rows of others that refer to it along.
    op.execute("alter table photo drop column metadata_reader")
