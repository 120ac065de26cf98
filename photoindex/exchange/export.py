"""From the catalogue to the records of an export."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, select

from photoindex.catalogue import files
from photoindex.catalogue.chunks import chunks
from photoindex.catalogue.corrections import TAG_SOURCE
from photoindex.catalogue.schema import caption, correction, file, model, photo, root, term, term_vector
from photoindex.catalogue.term_encoding import unpack_words
from photoindex.exchange.records import (
    CaptionRecord,
    CorrectionRecord,
    FileRecord,
    LibraryRecord,
    ModelRecord,
    PhotoRecord,
    TermRecord,
    VectorRecord,
)

# Of the table ``photo``: what a record has a field of its own for, and what is of one catalogue alone.
_OWN_FIELDS = ("id", "content_hash", "size", "added_at", "text_stale")
FACTS = tuple(column for column in photo.columns if column.name not in _OWN_FIELDS)


def library_record(connection: Connection, photos: int) -> LibraryRecord:
    return LibraryRecord(tuple(str(each.path) for each in files.list_roots(connection)), photos)


def model_records(connection: Connection) -> Iterator[ModelRecord]:
    """The models, by identity."""
    for row in connection.execute(select(model).order_by(model.c.identity)):
        words = None if row.terms is None else unpack_words(row.terms)
        yield ModelRecord(row.identity, row.name, row.encoder, row.first_used_at, words, row.term_scale)


def ids_by_content(connection: Connection, photo_ids: Sequence[int] | None) -> list[int]:
    """The ids of these photos, or of all, in the order of their hashes: the same in every catalogue."""
    query = select(photo.c.id).order_by(photo.c.content_hash)
    chosen = None if photo_ids is None else set(photo_ids)
    return [number for number in connection.execute(query).scalars() if chosen is None or number in chosen]


def photo_records(connection: Connection, photo_ids: Sequence[int]) -> Iterator[PhotoRecord]:
    """The records of these photos, in this order; as many are read at once as a statement takes."""
    for chunk in chunks(photo_ids):
        yield from _chunk(connection, chunk)


def _chunk(connection: Connection, ids: Sequence[int]) -> Iterator[PhotoRecord]:
    rows = {row.id: row for row in connection.execute(select(photo).where(photo.c.id.in_(ids)))}
    paths: dict[int, list[FileRecord]] = {}
    query = select(file, root.c.path).join_from(file, root).where(file.c.photo_id.in_(ids))
    for row in connection.execute(query):
        record = FileRecord(row.path, row.relative_path, row.size, row.mtime_ns, row.missing_since)
        paths.setdefault(row.photo_id, []).append(record)
    captions: dict[int, list[CaptionRecord]] = {}
    told = select(caption, model.c.identity).join_from(caption, model, isouter=True)
    for row in connection.execute(told.where(caption.c.photo_id.in_(ids)).order_by(caption.c.id)):
        captions.setdefault(row.photo_id, []).append(
            CaptionRecord(
                row.text, row.source, row.rank, row.current, row.locked, row.identity, row.log_probability,
                row.settings, row.created_at,
            )
        )  # fmt: skip
    tags: dict[int, list[str]] = {}
    terms: dict[int, list[TermRecord]] = {}
    for row in connection.execute(select(term).where(term.c.photo_id.in_(ids)).order_by(term.c.id)):
        if row.source == TAG_SOURCE:
            tags.setdefault(row.photo_id, []).append(row.text)
        else:
            terms.setdefault(row.photo_id, []).append(TermRecord(row.text, row.weight, row.source))
    learned = select(term_vector.c.photo_id, term_vector.c.entries, model.c.identity).join_from(term_vector, model)
    found = {row.photo_id: row for row in connection.execute(learned.where(term_vector.c.photo_id.in_(ids)))}
    changes: dict[int, list[CorrectionRecord]] = {}
    query = select(correction).where(correction.c.photo_id.in_(ids)).order_by(correction.c.made_at, correction.c.id)
    for row in connection.execute(query):
        record_of = CorrectionRecord(row.edit, row.kind, row.old, row.new, row.made_at, row.undone_at)
        changes.setdefault(row.photo_id, []).append(record_of)
    for number in ids:
        if number not in rows:
            continue
        row, vector = rows[number], found.get(number)
        yield PhotoRecord(
            row.content_hash,
            row.size,
            row.added_at,
            {column.name: fact(getattr(row, column.name)) for column in FACTS},
            tuple(sorted(paths.get(number, ()), key=lambda each: (each.root, each.path))),
            tuple(captions.get(number, ())),
            tuple(tags.get(number, ())),
            tuple(sorted(terms.get(number, ()), key=lambda each: (each.source, -each.weight, each.text))),
            VectorRecord(vector.identity, vector.entries) if vector is not None and vector.entries else None,
            tuple(changes.get(number, ())),
        )


def fact(value: Any) -> Any:
    """A column's value as a record has it."""
    if isinstance(value, dt.date):  # a datetime is one as well
        return value.isoformat()
    return value
