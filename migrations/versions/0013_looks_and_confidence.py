"""What photos look like, and how sure a model is of a caption."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("photo", sa.Column("looks", sa.Text(), nullable=True))
    op.add_column("caption", sa.Column("confidence", sa.Float(), nullable=True))


def downgrade() -> None:
    # Not in batch mode, which would rebuild the tables and take the rows of others that refer to them along.
    op.execute("alter table caption drop column confidence")
    op.execute("alter table photo drop column looks")
