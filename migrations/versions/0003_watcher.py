"""What a running watcher says of each folder, for others to show."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

COLUMNS = {
    "mode_reason": sa.Text(),
    "watcher": sa.String(length=128),
    "watcher_seen_at": sa.DateTime(),
    "watches": sa.Integer(),
    "settling": sa.Integer(),
    "last_event_at": sa.DateTime(),
}


def upgrade() -> None:
    for name, kind in COLUMNS.items():
        op.add_column("root", sa.Column(name, kind, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("root") as batch:
        for name in reversed(COLUMNS):
            batch.drop_column(name)
