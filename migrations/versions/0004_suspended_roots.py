"""Since when a root is suspended, and how many of its photos vanished at once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("root", sa.Column("suspended_at", sa.DateTime(), nullable=True))
    op.add_column("root", sa.Column("suspended_photos", sa.Integer(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("root") as batch:
        batch.drop_column("suspended_photos")
        batch.drop_column("suspended_at")
