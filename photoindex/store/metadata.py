"""Queries about what was read of photos besides their pixels: facts, words that people wrote, and what is to be read
again.

A photo whose metadata may have changed carries a mark, a random token that is new with every change. It is cleared by
the transaction that stores what was read, and only if it still is the token that was there before the reading began.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from pathlib import Path

from sqlalchemy import Connection, delete, exists, insert, or_, select, update

from photoindex.store import files
from photoindex.store.facts import values_of
from photoindex.store.photos import CHUNK, mark_text_stale, new_token
from photoindex.store.tables import caption, file, photo, term
from photoindex.types import PhotoFacts, Written

# What was read with a photo, as terms: the source of each and the field of Written it comes from.
KEYWORD_SOURCE = "keyword"
PERSON_SOURCE = "person"
PLACE_SOURCE = "place"
TITLE_SOURCE = "title"
SOURCES = (KEYWORD_SOURCE, PERSON_SOURCE, PLACE_SOURCE, TITLE_SOURCE)


def save_facts(connection: Connection, photo_id: int, facts: PhotoFacts) -> None:
    """Store the facts of a photo that is known."""
    values = values_of(facts)
    row = connection.execute(select(*(photo.c[name] for name in values)).where(photo.c.id == photo_id)).one()
    if dict(row._mapping) != values:
        connection.execute(update(photo).where(photo.c.id == photo_id).values(**values))
        mark_text_stale(connection, [photo_id])


def save_written(connection: Connection, photo_id: int, written: Written) -> None:
    """Store what people wrote of a photo. A caption that is no longer there becomes history."""
    if _save_caption(connection, photo_id, written.caption) | _save_words(connection, photo_id, written):
        mark_text_stale(connection, [photo_id])


def _save_caption(connection: Connection, photo_id: int, text: str | None) -> bool:
    ours = (caption.c.photo_id == photo_id) & (caption.c.source == "sidecar") & caption.c.current
    known = connection.execute(select(caption.c.text).where(ours)).scalar()
    if known == text:
        return False
    connection.execute(update(caption).where(ours).values(current=False))
    if text is not None:
        now = datetime.now(timezone.utc)
        connection.execute(
            insert(caption).values(photo_id=photo_id, text=text, source="sidecar", rank=0, current=True, created_at=now)
        )
    return True


def _save_words(connection: Connection, photo_id: int, written: Written) -> bool:
    words = [
        *((KEYWORD_SOURCE, text) for text in written.keywords),
        *((PERSON_SOURCE, text) for text in written.people),
        *((PLACE_SOURCE, text) for text in written.places),
        *((TITLE_SOURCE, text) for text in filter(None, [written.title])),
    ]
    ours = (term.c.photo_id == photo_id) & term.c.source.in_(SOURCES)
    known = connection.execute(select(term.c.source, term.c.text).where(ours).order_by(term.c.id)).all()
    if [tuple(row) for row in known] == words:
        return False
    connection.execute(delete(term).where(ours))
    if words:
        rows = [{"photo_id": photo_id, "text": text, "weight": 1.0, "source": source} for source, text in words]
        connection.execute(insert(term), rows)
    return True


# ---- what is to be read again --------------------------------------------------------------------


def mark_stale(connection: Connection, photo_ids: Sequence[int]) -> None:
    """Say that what was read of these photos may be true no longer."""
    for start in range(0, len(photo_ids), CHUNK):
        chunk = photo_ids[start : start + CHUNK]
        connection.execute(update(photo).where(photo.c.id.in_(chunk)).values(metadata_stale=new_token()))


def mark_paths(connection: Connection, paths: Iterable[Path]) -> int:
    """The same of the photos that these files hold; returns how many of the files are known."""
    found = (files.photo_at(connection, path) for path in paths)
    ids = [row[1] for row in found if row is not None and row[1] is not None]
    mark_stale(connection, ids)
    return len(ids)


def mark_if_named(connection: Connection, photo_id: int) -> None:
    """Mark a photo one of whose files came, went or changed its name, if anything was known from beside the file."""
    beside = exists().where(file.c.photo_id == photo.c.id, file.c.sidecars != "")
    by_name = or_(photo.c.taken_source.is_(None), photo.c.taken_source.in_(("name", "mtime")))
    connection.execute(
        update(photo).where(photo.c.id == photo_id, or_(beside, by_name)).values(metadata_stale=new_token())
    )


def stale_photos(connection: Connection) -> list[tuple[int, int]]:
    """(photo id, token) of photos to be read again that have a file to be read."""
    present = exists().where(file.c.photo_id == photo.c.id, file.c.missing_since.is_(None))
    query = select(photo.c.id, photo.c.metadata_stale).where(photo.c.metadata_stale != 0, present)
    return [(row.id, row.metadata_stale) for row in connection.execute(query.order_by(photo.c.id))]


def clear_stale(connection: Connection, photo_id: int, token: int) -> None:
    """It has been read; a photo that was marked again since keeps its mark."""
    connection.execute(
        update(photo).where(photo.c.id == photo_id, photo.c.metadata_stale == token).values(metadata_stale=0)
    )
