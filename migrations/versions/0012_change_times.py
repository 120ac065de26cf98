"""When a file's inode was last changed, which tells a file that was replaced by one of the same size and time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("file", sa.Column("ctime_ns", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    # Not in batch mode, which would rebuild the table and take the rows of others that refer to it along.
    op.execute("alter table file drop column ctime_ns")
