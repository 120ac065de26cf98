"""Leases with a token, so that a worker whose lease ran out stores nothing; captions know the revision they are of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job", sa.Column("lease_token", sa.BigInteger(), nullable=True))
    op.add_column("job", sa.Column("queued_revision", sa.BigInteger(), nullable=False, server_default=sa.text("0")))
    op.add_column("caption", sa.Column("revision", sa.BigInteger(), nullable=False, server_default=sa.text("0")))


def downgrade() -> None:
    op.execute("alter table caption drop column revision")
    op.execute("alter table job drop column queued_revision")
    op.execute("alter table job drop column lease_token")
