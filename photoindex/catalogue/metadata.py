"""Queries about what was read of photos besides their pixels: facts, words that people wrote, and what is to be read
again.

A photo whose metadata may have changed carries a mark, a random token that is new with every change. It is cleared by
the transaction that stores what was read, and only if it still is the token that was there before the reading began.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, exists, insert, or_, select, true, update

from photoindex.catalogue import files
from photoindex.catalogue.chunks import chunks
from photoindex.catalogue.facts import COLUMNS, values_of
from photoindex.catalogue.photos import mark_text_stale, new_token
from photoindex.catalogue.schema import caption, file, photo, term
from photoindex.media.metadata.reader_version import READER_VERSION
from photoindex.system.clock import utc_now
from photoindex.types import PhotoFacts, Written
from photoindex.types.term_sources import KEYWORD_SOURCE, PERSON_SOURCE, PLACE_SOURCE, TITLE_SOURCE

if TYPE_CHECKING:
    from photoindex.catalogue.database import Database

# What was read with a photo, as terms: the source of each and the field of Written it comes from.
STEP = 1000  # files of one transaction, of many that are marked
SOURCES = (KEYWORD_SOURCE, PERSON_SOURCE, PLACE_SOURCE, TITLE_SOURCE)


def save_facts(connection: Connection, facts: Mapping[int, PhotoFacts]) -> None:
    """Store the facts of photos that are known, by id."""
    values = {photo_id: values_of(each) for photo_id, each in facts.items()}
    changed: list[int] = []
    for chunk in chunks(values):
        query = select(photo.c.id, *(photo.c[name] for name in COLUMNS)).where(photo.c.id.in_(chunk))
        for photo_id, *row in connection.execute(query):
            if dict(zip(COLUMNS, row, strict=True)) != values[photo_id]:
                changed.append(photo_id)
    if changed:
        given = {name: bindparam(name, type_=photo.c[name].type) for name in COLUMNS}
        statement = update(photo).where(photo.c.id == bindparam("changed_id")).values(**given)
        connection.execute(statement, [{"changed_id": photo_id, **values[photo_id]} for photo_id in changed])
        mark_text_stale(connection, changed)


def save_written(connection: Connection, said: Mapping[int, Written]) -> None:
    """Store what people wrote of photos, by id. A caption that is no longer there becomes history."""
    changed = _save_captions(connection, said) | _save_words(connection, said)
    if changed:
        mark_text_stale(connection, sorted(changed))


def _save_captions(connection: Connection, said: Mapping[int, Written]) -> set[int]:
    ours = and_(caption.c.source == "sidecar", caption.c.current)
    known: dict[int, str] = {}
    for ids in chunks(said):
        query = select(caption.c.photo_id, caption.c.text).where(ours, caption.c.photo_id.in_(ids))
        known.update({row.photo_id: row.text for row in connection.execute(query)})
    changed = {photo_id for photo_id, written in said.items() if known.get(photo_id) != written.caption}
    for ids in chunks(changed & known.keys()):
        connection.execute(update(caption).where(ours, caption.c.photo_id.in_(ids)).values(current=False))
    given = {"source": "sidecar", "rank": 0, "current": True, "created_at": utc_now()}
    captions = [(photo_id, said[photo_id].caption) for photo_id in sorted(changed)]
    rows = [{"photo_id": photo_id, "text": text, **given} for photo_id, text in captions if text is not None]
    if rows:
        connection.execute(insert(caption), rows)
    return changed


def _save_words(connection: Connection, said: Mapping[int, Written]) -> set[int]:
    ours = term.c.source.in_(SOURCES)
    known: dict[int, list[tuple[str, str]]] = {}
    for ids in chunks(said):
        query = select(term.c.photo_id, term.c.source, term.c.text).where(ours, term.c.photo_id.in_(ids))
        for row in connection.execute(query.order_by(term.c.id)):
            known.setdefault(row.photo_id, []).append((row.source, row.text))
    words = {photo_id: _words(written) for photo_id, written in said.items()}
    changed = {photo_id for photo_id in said if known.get(photo_id, []) != words[photo_id]}
    for ids in chunks(changed & known.keys()):
        connection.execute(delete(term).where(ours, term.c.photo_id.in_(ids)))
    rows = [
        {"photo_id": photo_id, "text": text, "weight": 1.0, "source": source}
        for photo_id in sorted(changed)
        for source, text in words[photo_id]
    ]
    if rows:
        connection.execute(insert(term), rows)
    return changed


def _words(written: Written) -> list[tuple[str, str]]:
    return [
        *((KEYWORD_SOURCE, text) for text in written.keywords),
        *((PERSON_SOURCE, text) for text in written.people),
        *((PLACE_SOURCE, text) for text in written.places),
        *((TITLE_SOURCE, text) for text in filter(None, [written.title])),
    ]


# ---- what is to be read again --------------------------------------------------------------------


def mark_stale(connection: Connection, photo_ids: Sequence[int]) -> None:
    """Say that what was read of these photos may be true no longer."""
    for chunk in chunks(photo_ids):
        connection.execute(update(photo).where(photo.c.id.in_(chunk)).values(metadata_stale=new_token()))


def mark_paths(connection: Connection, paths: Iterable[Path]) -> int:
    """Mark the photos that these files hold to be read again; returns how many of the files are known."""
    ids = [photo_id for _, photo_id in files.photos_at(connection, paths).values() if photo_id is not None]
    mark_stale(connection, ids)
    return len(ids)


def mark_paths_in_steps(database: Database, paths: Iterable[Path]) -> None:
    """Mark the photos that these files hold, however many, in transactions that others need not wait for.

    What is not marked when this is broken off is found again by the next comparison of its folder.
    """
    for chunk in chunks(paths, STEP):
        with database.write() as connection:
            mark_paths(connection, chunk)


def mark_if_named(connection: Connection, photo_ids: Sequence[int]) -> None:
    """Mark photos one of whose files came, went or changed its name, if anything was known from beside the file."""
    beside = exists().where(file.c.photo_id == photo.c.id, file.c.sidecars != "")
    by_name = or_(photo.c.taken_source.is_(None), photo.c.taken_source.in_(("name", "folder", "mtime")))
    for chunk in chunks(photo_ids):
        named = and_(photo.c.id.in_(chunk), or_(beside, by_name))
        connection.execute(update(photo).where(named).values(metadata_stale=new_token()))


def mark_beside(connection: Connection, photo_ids: Sequence[int]) -> None:
    """Mark those of these photos that were read with sidecars: of what stands there, more is the user's own now."""
    beside = exists().where(file.c.photo_id == photo.c.id, file.c.sidecars != "")
    for chunk in chunks(photo_ids):
        connection.execute(update(photo).where(photo.c.id.in_(chunk), beside).values(metadata_stale=new_token()))


def stale_photos(connection: Connection, roots: Collection[int] | None = None) -> list[tuple[int, int]]:
    """(photo id, token) of photos to be read again that have a file to be read, below one of these ``roots``, by id
    (``None``: any)."""
    return _to_be_read(connection, photo.c.metadata_stale != 0, roots)


def read_by_older(connection: Connection, roots: Collection[int] | None = None) -> list[tuple[int, int]]:
    """(photo id, 0) of photos without a mark that an older version read, and that have a file to be read, below one of
    these ``roots``."""
    return _to_be_read(connection, and_(photo.c.metadata_reader < READER_VERSION, photo.c.metadata_stale == 0), roots)


def _to_be_read(
    connection: Connection, which: ColumnElement[bool], roots: Collection[int] | None
) -> list[tuple[int, int]]:
    below = true() if roots is None else file.c.root_id.in_(roots)
    present = exists().where(file.c.photo_id == photo.c.id, file.c.missing_since.is_(None), below)
    query = select(photo.c.id, photo.c.metadata_stale).where(which, present)
    return [(row.id, row.metadata_stale) for row in connection.execute(query.order_by(photo.c.id))]


def clear_stale(connection: Connection, read: Sequence[tuple[int, int]]) -> None:
    """These photos have been read, (id, token) each; one that was marked again since keeps its mark."""
    if read:
        seen = and_(photo.c.id == bindparam("read_id"), photo.c.metadata_stale == bindparam("seen_token"))
        rows = [{"read_id": photo_id, "seen_token": token} for photo_id, token in read]
        connection.execute(update(photo).where(seen).values(metadata_stale=0, metadata_reader=READER_VERSION), rows)
