"""Indexes of what people reviewed, so that counting it reads none of the other captions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

# name, table, column, which rows
INDEXES = (
    ("ix_caption_locked", "caption", "photo_id", "locked"),
    ("ix_caption_by_user", "caption", "photo_id", "source = 'user'"),
    ("ix_photo_review", "photo", "review", "review is not null"),
)


def upgrade() -> None:
    for name, table, column, rows in INDEXES:
        where = sa.text(rows)
        op.create_index(op.f(name), table, [column], unique=False, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    for name, table, _, _ in reversed(INDEXES):
        op.drop_index(op.f(name), table_name=table)
