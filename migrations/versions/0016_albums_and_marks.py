"""What people say besides words: ratings, favourites, hidden photos, albums, reviews, and what is no duplicate."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
KINDS = "kind in ('caption', 'tags', 'lock', 'rating', 'favourite', 'hidden', 'review')"
KINDS_BEFORE = "kind in ('caption', 'tags', 'lock')"


def upgrade() -> None:
    op.add_column("photo", sa.Column("own_rating", sa.Integer(), nullable=True))
    op.add_column("photo", sa.Column("favourite", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("photo", sa.Column("hidden", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("photo", sa.Column("review", sa.String(length=8), nullable=True))
    with op.batch_alter_table("correction") as correction:  # no table refers to it
        correction.drop_constraint(op.f("ck_correction_kind"), type_="check")
        correction.create_check_constraint(op.f("ck_correction_kind"), KINDS)
    op.create_table(
        "album",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_album")),
        sa.UniqueConstraint("name_key", name=op.f("uq_album_name_key")),
    )
    op.create_table(
        "album_photo",
        sa.Column("album_id", KEY, nullable=False),
        sa.Column("photo_id", KEY, nullable=False),
        sa.Column("added_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["album_id"], ["album.id"], name=op.f("fk_album_photo_album_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["photo_id"], ["photo.id"], name=op.f("fk_album_photo_photo_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("album_id", "photo_id", name=op.f("pk_album_photo")),
    )
    op.create_index(op.f("ix_album_photo_photo_id"), "album_photo", ["photo_id"], unique=False)
    op.create_table(
        "distinct_pair",
        sa.Column("first_id", KEY, nullable=False),
        sa.Column("second_id", KEY, nullable=False),
        sa.Column("made_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["first_id"], ["photo.id"], name=op.f("fk_distinct_pair_first_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["second_id"], ["photo.id"], name=op.f("fk_distinct_pair_second_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("first_id", "second_id", name=op.f("pk_distinct_pair")),
    )
    op.create_index(op.f("ix_distinct_pair_second_id"), "distinct_pair", ["second_id"], unique=False)


def downgrade() -> None:
    op.drop_table("distinct_pair")
    op.drop_table("album_photo")
    op.drop_table("album")
    op.execute(f"delete from correction where not ({KINDS_BEFORE})")
    with op.batch_alter_table("correction") as correction:
        correction.drop_constraint(op.f("ck_correction_kind"), type_="check")
        correction.create_check_constraint(op.f("ck_correction_kind"), KINDS_BEFORE)
    # Not in batch mode, which would rebuild the table and take the rows of others that refer to it along.
    for name in ("review", "hidden", "favourite", "own_rating"):
        op.execute(f"alter table photo drop column {name}")
