"""The catalogue's tables, as SQLAlchemy sees them. The migrations are what makes them; a test holds the two equal.

    root ──< file >── photo ──< caption >── model
               │        ├────< term           │
               │        ├────< text_line      │
               │        ├────< correction     │
               └──< job ├───── term_vector >──┘
                     │  ├──── album_photo >── album
                     │  └───< distinct_pair
                     └──> batch

A *photo* is one content (the SHA-256 of its bytes); a *file* is a path that holds it. A file's captioning job outlives
the process; a photo's ``text_stale`` mark says that the full-text index does not know its latest words yet.
Whoever keeps something made of the vectors learns from ``catalogue.vector_revision`` whether it is up to date.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    UniqueConstraint,
    event,
    false,
    text,
)

from photoindex.catalogue.column_types import (
    Clamped,
    PathText,
    PlainText,
    Real,
    RootText,
    ShortText,
    Unsigned64,
    UtcTime,
    Weight,
    Whole,
)

# A 64-bit key that SQLite still fills in by itself (only INTEGER PRIMARY KEY does).
Key = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def unique_path(*columns: str) -> UniqueConstraint:
    """Return the constraint that columns, the last of which is a path, are unique. PostgreSQL has
    :data:`LONG_PATH_INDEXES` instead."""
    constraint = UniqueConstraint(*columns)
    constraint.ddl_if(dialect="sqlite")
    return constraint


catalogue = Table(
    "catalogue",
    metadata,
    Column("id", Key, primary_key=True),  # one row, 1
    Column("identity", ShortText(32), nullable=False),  # tells this catalogue from every other
    Column("vector_revision", BigInteger, nullable=False),  # the highest a term_vector ever had
    Column("revision", BigInteger, nullable=False, server_default=text("0")),  # raised by each write that matters
)

root = Table(
    "root",
    metadata,
    Column("id", Key, primary_key=True),
    Column("path", RootText, nullable=False),
    Column("device", Unsigned64),  # st_dev when last seen: tells an unmounted disk from an emptied folder
    Column("mode", ShortText(16)),  # how changes are learnt: events, polling; null when only indexed by hand
    Column("last_reconcile_at", UtcTime),
    Column("added_at", UtcTime, nullable=False),
    Column("mode_reason", PlainText),  # why it is polled
    # What the running watcher says of itself now and then: see indexing/watch_status.py.
    Column("watcher", ShortText(128)),  # its jobqueue.owner_name(); null when it has ended in order
    Column("watcher_seen_at", UtcTime),
    Column("watches", Integer),  # held of the system; null where nobody counts them
    Column("settling", Integer),  # files that wait to be quiet
    Column("last_event_at", UtcTime),
    # Many of its photos vanished at once and are kept until they are back: see indexing/missing_photos.py.
    Column("suspended_at", UtcTime),
    Column("suspended_photos", Integer),
    unique_path("path"),
)

photo = Table(
    "photo",
    metadata,
    Column("id", Key, primary_key=True),
    Column("content_hash", ShortText(64), nullable=False, unique=True),
    Column("size", Clamped, nullable=False),
    Column("format", ShortText(16)),
    Column("width", Whole),
    Column("height", Whole),
    Column("orientation", Whole),
    Column("taken_at", DateTime),  # the camera's local time; its zone is seldom known
    Column("camera", PlainText),
    Column("lens", PlainText),
    Column("latitude", Real),
    Column("longitude", Real),
    Column("altitude", Real),
    Column("taken_source", ShortText(8)),  # exif, xmp, iptc, takeout, name, folder or mtime
    Column("taken_offset", Whole),  # of taken_at from UTC, minutes, east positive
    Column("rating", Whole),  # stars, 1 to 5; -1: rejected
    # The place by its position, or as somebody wrote it.
    Column("city", PlainText),
    Column("district", PlainText),
    Column("region", PlainText),
    Column("country", PlainText),
    Column("country_code", ShortText(2)),
    Column("metropolis", PlainText),  # a large city around there
    # What a person says of it besides words: see catalogue/user_metadata.py.
    Column("own_rating", Whole),  # instead of ``rating``; 0: none; null: as it was read
    Column("favourite", Boolean, nullable=False, server_default=false()),
    Column("hidden", Boolean, nullable=False, server_default=false()),  # shown only to who asks for hidden photos
    Column("review", ShortText(8)),  # of the model's caption: wrong, or later; null: nobody said
    # 0, or a random token like that of text_stale: what was read besides the pixels is to be read again.
    Column("metadata_stale", BigInteger, nullable=False, server_default=text("1"), index=True),
    # The version of the reader that read it, see media/metadata/reader_version.py; 0: one from before there were any.
    Column("metadata_reader", Integer, nullable=False, server_default=text("0"), index=True),
    Column("added_at", UtcTime, nullable=False),
    # That of the catalogue when anything about it changed last: see catalogue/change_feed.py.
    Column("revision", BigInteger, nullable=False, server_default=text("0"), index=True),
    # 0: the full-text index is up to date. Otherwise a random token, new with every change: clearing names the token
    # that was read, so that a change made meanwhile keeps its mark.
    Column("text_stale", BigInteger, nullable=False, index=True),
    Column(
        "fingerprint", LargeBinary
    ),  # see media/decode/fingerprint.py; null until it is decoded, empty when it has none
    Column("looks", PlainText),  # names from types/looks.py with spaces between; null until it is decoded
    # The version of the reader of text that looked for text in it, see media/text/reader_version.py; negative: it found
    # no sign of text and did not look closely; 0: nobody has looked.
    Column("text_reader", Integer, nullable=False, server_default=text("0"), index=True),
    Index("ix_photo_review", "review", sqlite_where=text("review is not null"),
          postgresql_where=text("review is not null")),
)  # fmt: skip

# The lines of text that were read in a photo, in reading order.
text_line = Table(
    "text_line",
    metadata,
    Column("photo_id", ForeignKey("photo.id", ondelete="CASCADE"), primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),  # 0, 1, …
    Column("block", Integer, nullable=False),  # the paragraph, column or sign that it belongs to: 0, 1, …
    Column("text", PlainText, nullable=False),
    Column("confidence", Weight, nullable=False),  # 0 to 1
    # The corners, clockwise from the upper left of the text: x and y in ten-thousandths of the upright photo's sides.
    Column("box", ShortText(64), nullable=False),
)

# The photos that were taken out of the catalogue, for who keeps copies. No number is here that a photo has again.
removed_photo = Table(
    "removed_photo",
    metadata,
    Column("photo_id", Key, primary_key=True, autoincrement=False),
    Column("content_hash", ShortText(64), nullable=False),
    Column("revision", BigInteger, nullable=False, index=True),
)

file = Table(
    "file",
    metadata,
    Column("id", Key, primary_key=True),
    Column("root_id", ForeignKey("root.id", ondelete="CASCADE"), nullable=False),
    Column("relative_path", PathText, nullable=False),
    Column("photo_id", ForeignKey("photo.id"), index=True),  # null until its bytes have been read once
    Column("size", Clamped, nullable=False),
    Column("mtime_ns", Clamped, nullable=False),
    Column("inode", Unsigned64, nullable=False),
    Column("missing_since", UtcTime),
    Column(
        "sidecars", PlainText, nullable=False, server_default=text("''")
    ),  # their state, see media/metadata/sidecars.py
    Column("shot", BigInteger, index=True),  # its folder and stem, hashed: see catalogue/raw_pairs.py
    # The file of the same shot that stands for this one, whose photo_id is null then. No foreign key, as SQLite cannot
    # add one to a table that is there.
    Column("main_id", Key, index=True),
    Column("ctime_ns", Clamped),  # of the inode; null where it is not known: see system/file_state.py
    unique_path("root_id", "relative_path"),
)

model = Table(
    "model",
    metadata,
    Column("id", Key, primary_key=True),
    Column("identity", ShortText(128), nullable=False, unique=True),  # name and first digits of the weights' SHA-256
    Column("name", ShortText(64), nullable=False),
    Column("encoder", ShortText(64), nullable=False),
    Column("first_used_at", UtcTime, nullable=False),
    Column("terms", LargeBinary),  # its vocabulary, see catalogue/term_encoding.py; null when it predicts no terms
    Column("term_scale", Real),
)

caption = Table(
    "caption",
    metadata,
    Column("id", Key, primary_key=True),
    Column("photo_id", ForeignKey("photo.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("text", PlainText, nullable=False),
    Column("source", ShortText(16), nullable=False),
    Column("rank", Integer, nullable=False),  # 0: the caption; 1, 2, …: the model's other candidates
    Column("current", Boolean, nullable=False),  # false: history
    Column("model_id", ForeignKey("model.id")),
    Column("log_probability", Real),
    Column("settings", PlainText),
    Column("confidence", Real),  # 0 to 1, of a model that knows it: see captioner/confidence.py
    Column("created_at", UtcTime, nullable=False),
    # A person said that this one is to be shown, whatever the model or a sidecar says later. One of a photo at most.
    Column("locked", Boolean, nullable=False, server_default=false()),
    # That of the catalogue when it was made: what was queued later is no reason for it.
    Column("revision", BigInteger, nullable=False, server_default=text("0")),
    CheckConstraint("source in ('user', 'sidecar', 'text', 'model')", name="source"),
    # What people reviewed is counted without reading all other captions.
    *(
        Index(name, "photo_id", sqlite_where=text(rows), postgresql_where=text(rows))
        for name, rows in (("ix_caption_locked", "locked"), ("ix_caption_by_user", "source = 'user'"))
    ),
)

# What people changed of a photo, so that it can be undone: see catalogue/corrections.py.
correction = Table(
    "correction",
    metadata,
    Column("id", Key, primary_key=True),
    Column("photo_id", ForeignKey("photo.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("edit", ShortText(32), nullable=False),  # the same for all that was changed at once
    Column("kind", ShortText(16), nullable=False),
    Column("old", PlainText),  # a caption's text, or JSON of tags or of the caption that was locked; null: none
    Column("new", PlainText),
    Column("made_at", UtcTime, nullable=False),
    Column("undone_at", UtcTime),
    CheckConstraint("kind in ('caption', 'tags', 'lock', 'rating', 'favourite', 'hidden', 'review')", name="kind"),
)

# Photos that a person keeps together: picked ones, or all that a query finds.
album = Table(
    "album",
    metadata,
    Column("id", Key, primary_key=True),
    Column("name", PlainText, nullable=False),
    Column("name_key", PlainText, nullable=False, unique=True),  # what equal names have in common, as of tags
    Column("query", PlainText),  # null: its photos were picked
    Column("created_at", UtcTime, nullable=False),
)

album_photo = Table(
    "album_photo",
    metadata,
    Column("album_id", ForeignKey("album.id", ondelete="CASCADE"), primary_key=True),
    Column("photo_id", ForeignKey("photo.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("added_at", UtcTime, nullable=False),
)

# That two photos are no duplicates, although they look alike; of one photo, with itself, that its copies are wanted.
distinct_pair = Table(
    "distinct_pair",
    metadata,
    Column("first_id", ForeignKey("photo.id", ondelete="CASCADE"), primary_key=True),  # the lower of the two
    Column("second_id", ForeignKey("photo.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("made_at", UtcTime, nullable=False),
)

term = Table(
    "term",
    metadata,
    Column("id", Key, primary_key=True),
    Column("photo_id", ForeignKey("photo.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("text", PlainText, nullable=False),
    Column("weight", Weight, nullable=False),
    Column("source", ShortText(16), nullable=False),
)

term_vector = Table(
    "term_vector",
    metadata,
    # SQLAlchemy would make a key of whole numbers count up by itself; this one is the photo's.
    Column("photo_id", ForeignKey("photo.id", ondelete="CASCADE"), primary_key=True),
    Column("model_id", ForeignKey("model.id"), nullable=False),
    # The ids, little-endian uint16, then as many impacts, uint8. Empty: the model in use says nothing of this photo.
    Column("entries", LargeBinary, nullable=False),
    Column("revision", BigInteger, nullable=False, index=True),  # grows with every write, whichever process writes
)

batch = Table(
    "batch",
    metadata,
    Column("id", Key, primary_key=True),
    Column("kind", ShortText(16), nullable=False),  # what was asked: see batches.py
    Column("query", PlainText),  # of a batch made by a query
    Column("model", PlainText, nullable=False),  # the setting; only a process with the same one works on it
    Column("state", ShortText(16), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("finished_at", UtcTime),
    Column("total", Integer, nullable=False),
    Column("done", Integer, nullable=False),
    Column("failed", Integer, nullable=False),  # at the end; until then its jobs say
    Column("seconds", Weight, nullable=False),  # spent on what is done, of all processes together
    CheckConstraint("state in ('active', 'paused', 'cancelled', 'done')", name="state"),
)

job = Table(
    "job",
    metadata,
    Column("id", Key, primary_key=True),
    Column("kind", ShortText(16), nullable=False),
    Column("file_id", ForeignKey("file.id", ondelete="CASCADE"), nullable=False),
    Column("state", ShortText(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_try_at", UtcTime, nullable=False),
    Column("lease_owner", ShortText(128)),
    Column("lease_until", UtcTime),
    Column("error_kind", ShortText(32)),
    Column("error_message", PlainText),
    Column("created_at", UtcTime, nullable=False),
    Column("priority", Integer, nullable=False, server_default="1"),  # lower ones first: jobqueue.PRIORITIES
    Column("batch_id", ForeignKey("batch.id", ondelete="SET NULL"), index=True),
    Column("lease_token", BigInteger),  # of the claim that it is leased by
    Column("queued_revision", BigInteger, nullable=False, server_default=text("0")),  # the catalogue's, then
    UniqueConstraint("file_id", "kind"),
    CheckConstraint("state in ('queued', 'running', 'failed', 'ignored')", name="state"),
    Index("ix_job_due", "state", "priority", "next_try_at"),
)

# PostgreSQL keeps at most some 2,700 bytes in an index, and a path may have more: there a hash of it is kept. Not as
# Index objects, which Alembic would compare with SQLite's.
LONG_PATH_INDEXES: Final = {
    root: ["create unique index uq_root_path on root (sha256(path))"],
    file: [
        "create unique index uq_file_root_id on file (root_id, sha256(relative_path))",
        "create index ix_file_relative_path on file using hash (relative_path)",
    ],
}


def _ddl(statement: str) -> Any:
    return DDL(statement).execute_if(dialect="postgresql")  # type: ignore[no-untyped-call]


for _table, _statements in LONG_PATH_INDEXES.items():
    for _statement in _statements:
        event.listen(_table, "after_create", _ddl(_statement))
