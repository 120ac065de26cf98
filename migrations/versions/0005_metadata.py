"""What photos and the sidecars beside them say: the source of the date, stars, height, place.

Every photo known before is marked to be read again, which the next run does without captioning.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

COLUMNS = {
    "taken_source": sa.String(length=8),
    "taken_offset": sa.Integer(),
    "altitude": sa.Float(),
    "rating": sa.Integer(),
    "city": sa.Text(),
    "district": sa.Text(),
    "region": sa.Text(),
    "country": sa.Text(),
    "country_code": sa.String(length=2),
    "metropolis": sa.Text(),
}


def upgrade() -> None:
    for name, kind in COLUMNS.items():
        op.add_column("photo", sa.Column(name, kind, nullable=True))
    op.add_column("photo", sa.Column("metadata_stale", sa.BigInteger(), nullable=False, server_default=sa.text("1")))
    op.create_index(op.f("ix_photo_metadata_stale"), "photo", ["metadata_stale"], unique=False)
    op.add_column("file", sa.Column("sidecars", sa.Text(), nullable=False, server_default=sa.text("''")))


def downgrade() -> None:
    op.drop_index(op.f("ix_photo_metadata_stale"), table_name="photo")
    with op.batch_alter_table("photo") as batch:
        batch.drop_column("metadata_stale")
        for name in reversed(COLUMNS):
            batch.drop_column(name)
    with op.batch_alter_table("file") as batch:
        batch.drop_column("sidecars")
