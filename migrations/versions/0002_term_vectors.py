"""Learned terms: what each photo's vector says, over which model's vocabulary."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("model", sa.Column("terms", sa.LargeBinary(), nullable=True))
    op.add_column("model", sa.Column("term_scale", sa.Float(), nullable=True))
    catalogue = op.create_table(
        "catalogue",
        sa.Column("id", KEY, nullable=False),
        sa.Column("identity", sa.String(length=32), nullable=False),
        sa.Column("vector_revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalogue")),
    )
    op.bulk_insert(catalogue, [{"id": 1, "identity": secrets.token_hex(16), "vector_revision": 0}])
    op.create_table(
        "term_vector",
        sa.Column("photo_id", KEY, nullable=False),
        sa.Column("model_id", KEY, nullable=False),
        sa.Column("entries", sa.LargeBinary(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"], name=op.f("fk_term_vector_model_id")),
        sa.ForeignKeyConstraint(["photo_id"], ["photo.id"], name=op.f("fk_term_vector_photo_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("photo_id", name=op.f("pk_term_vector")),
    )
    op.create_index(op.f("ix_term_vector_revision"), "term_vector", ["revision"], unique=False)


def downgrade() -> None:
    for table in ("term_vector", "catalogue"):
        op.drop_table(table)
    with op.batch_alter_table("model") as batch:
        batch.drop_column("term_scale")
        batch.drop_column("terms")
