"""Files of one shot, such as a camera's raw file and its JPEG; photos' fingerprints, for finding near duplicates."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
BATCH = 1000


def upgrade() -> None:
    op.add_column("photo", sa.Column("fingerprint", sa.LargeBinary(), nullable=True))
    op.add_column("file", sa.Column("shot", sa.BigInteger(), nullable=True))
    op.add_column("file", sa.Column("main_id", KEY, nullable=True))
    file = sa.table("file", sa.column("id"), sa.column("relative_path"), sa.column("shot"))
    connection = op.get_bind()
    rows = connection.execute(sa.select(file.c.id, file.c.relative_path)).all()
    change = sa.update(file).where(file.c.id == sa.bindparam("row")).values(shot=sa.bindparam("value"))
    for start in range(0, len(rows), BATCH):
        values = [{"row": row.id, "value": shot_of(bytes(row.relative_path))} for row in rows[start : start + BATCH]]
        connection.execute(change, values)
    op.create_index(op.f("ix_file_shot"), "file", ["shot"], unique=False)
    op.create_index(op.f("ix_file_main_id"), "file", ["main_id"], unique=False)


def shot_of(relative_path: bytes) -> int:
    """As ``photoindex.catalogue.raw_pairs.shot_of`` was when this was written."""
    path = Path(os.fsdecode(relative_path))
    stem = unicodedata.normalize("NFC", path.stem).casefold().encode("utf-8", "surrogateescape")
    digest = hashlib.blake2b(os.fsencode(path.parent) + b"\0" + stem, digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def downgrade() -> None:
    op.drop_index(op.f("ix_file_main_id"), "file")
    op.drop_index(op.f("ix_file_shot"), "file")
    for table, column in (("file", "main_id"), ("file", "shot"), ("photo", "fingerprint")):
        op.drop_column(table, column)
