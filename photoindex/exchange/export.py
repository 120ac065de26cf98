"""Reads the records of an export from the catalogue."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from photoindex.catalogue.albums import album_hashes, distinct_hashes
from photoindex.catalogue.chunks import chunks
from photoindex.catalogue.indexed_files import IndexedFile, holds
from photoindex.catalogue.roots import list_roots
from photoindex.catalogue.schema import caption, correction, file, model, photo, root, term, term_vector
from photoindex.catalogue.term_encoding import unpack_words
from photoindex.catalogue.text_lines import text_lines
from photoindex.errors import ExchangeError
from photoindex.exchange.records import (
    AlbumRecord,
    CaptionRecord,
    CorrectionRecord,
    DistinctRecord,
    FileRecord,
    LibraryRecord,
    ModelRecord,
    PhotoRecord,
    TermRecord,
    TextLineRecord,
    TextRecord,
    VectorRecord,
)
from photoindex.system.paths import shown
from photoindex.system.presence import is_present
from photoindex.system.url_paths import url_text
from photoindex.types import TextLine
from photoindex.types.term_sources import TAG_SOURCE

# Columns of the table ``photo`` that a record has a field for, or that have a meaning in one catalogue only.
_OWN_FIELDS = (
    "id", "content_hash", "size", "added_at", "text_stale", "revision", "own_rating", "favourite", "hidden", "review",
    "text_reader",
)  # fmt: skip
ALBUM_PART = 10_000  # photos in a line
FACTS = tuple(column for column in photo.columns if column.name not in _OWN_FIELDS)


def is_there(path: Path, indexed: IndexedFile) -> bool:
    """Return whether a photo is at its path. Raises :class:`ExchangeError` when the path holds other content now."""
    try:
        if holds(path, indexed):
            return True
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise ExchangeError(f"cannot read {shown(path)}: {error.strerror or error}") from error
    raise ExchangeError(f"{shown(path)} has changed since it was indexed: run `photoindex index` first")


def library_record(connection: Connection, photos: int) -> LibraryRecord:
    """Return the roots of a library, and the number of exported photos."""
    return LibraryRecord(tuple(url_text(each.path) for each in list_roots(connection)), photos)


def model_records(connection: Connection) -> Iterator[ModelRecord]:
    """Yield the models in the order of their identities."""
    for row in connection.execute(select(model).order_by(model.c.identity)):
        words = None if row.terms is None else unpack_words(row.terms)
        yield ModelRecord(row.identity, row.name, row.encoder, row.first_used_at, words, row.term_scale)


def ids_by_content(connection: Connection, photo_ids: Sequence[int] | None) -> list[int]:
    """Return the ids of these photos, or of all, in the order of their hashes: the same in every catalogue."""
    query = select(photo.c.id).order_by(photo.c.content_hash)
    chosen = None if photo_ids is None else set(photo_ids)
    return [number for number in connection.execute(query).scalars() if chosen is None or number in chosen]


def photo_records(connection: Connection, photo_ids: Sequence[int], now: dt.datetime) -> Iterator[PhotoRecord]:
    """Yield the records of these photos in this order. A path where nothing is any more is missing since ``now``."""
    for chunk in chunks(photo_ids):
        yield from _records(connection, chunk, now)


def _records(connection: Connection, ids: Sequence[int], now: dt.datetime) -> Iterator[PhotoRecord]:
    rows = {row.id: row for row in connection.execute(select(photo).where(photo.c.id.in_(ids)))}
    paths, captions, changes = _files(connection, ids, now), _captions(connection, ids), _corrections(connection, ids)
    tags: dict[int, list[str]] = {}
    terms: dict[int, list[TermRecord]] = {}
    for row in connection.execute(select(term).where(term.c.photo_id.in_(ids)).order_by(term.c.id)):
        if row.source == TAG_SOURCE:
            tags.setdefault(row.photo_id, []).append(row.text)
        else:
            terms.setdefault(row.photo_id, []).append(TermRecord(row.text, row.weight, row.source))
    query = select(term_vector.c.photo_id, term_vector.c.entries, model.c.identity).join_from(term_vector, model)
    vectors = {row.photo_id: row for row in connection.execute(query.where(term_vector.c.photo_id.in_(ids)))}
    lines = text_lines(connection, ids)
    for number in ids:
        if number not in rows:
            continue
        row, vector = rows[number], vectors.get(number)
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
            row.own_rating,
            row.favourite,
            row.hidden,
            row.review,
            text_record(row.text_reader, lines.get(number, ())),
        )


def _files(connection: Connection, ids: Sequence[int], now: dt.datetime) -> dict[int, list[FileRecord]]:
    by_photo: dict[int, list[FileRecord]] = {}
    query = select(file, root.c.path).join_from(file, root).where(file.c.photo_id.in_(ids))
    for row in connection.execute(query):
        missing_since = row.missing_since
        if missing_since is None and not is_present(Path(row.path, row.relative_path)):
            missing_since = now
        record = FileRecord(url_text(row.path), row.relative_path, row.size, row.mtime_ns, missing_since)
        by_photo.setdefault(row.photo_id, []).append(record)
    return by_photo


def _captions(connection: Connection, ids: Sequence[int]) -> dict[int, list[CaptionRecord]]:
    by_photo: dict[int, list[CaptionRecord]] = {}
    with_model = select(caption, model.c.identity).join_from(caption, model, isouter=True)
    for row in connection.execute(with_model.where(caption.c.photo_id.in_(ids)).order_by(caption.c.id)):
        record = CaptionRecord(
            row.text, row.source, row.rank, row.current, row.locked, row.identity, row.log_probability,
            row.settings, row.created_at, row.confidence,
        )  # fmt: skip
        by_photo.setdefault(row.photo_id, []).append(record)
    return by_photo


def _corrections(connection: Connection, ids: Sequence[int]) -> dict[int, list[CorrectionRecord]]:
    by_photo: dict[int, list[CorrectionRecord]] = {}
    query = select(correction).where(correction.c.photo_id.in_(ids)).order_by(correction.c.made_at, correction.c.id)
    for row in connection.execute(query):
        record = CorrectionRecord(row.edit, row.kind, row.old, row.new, row.made_at, row.undone_at)
        by_photo.setdefault(row.photo_id, []).append(record)
    return by_photo


def text_record(reader: int, lines: Sequence[TextLine]) -> TextRecord | None:
    """Return what was read in a photo; ``None`` when nobody looked for text. ``reader`` is ``photo.text_reader``."""
    rows = (TextLineRecord(line.text, line.confidence, line.box, line.block) for line in lines)
    return TextRecord(abs(reader), reader > 0, tuple(rows)) if reader else None


def album_records(connection: Connection, photo_ids: Sequence[int]) -> Iterator[AlbumRecord]:
    """Yield the albums by name, with those of their photos that are exported; a large one in several records."""
    for each, hashes in album_hashes(connection, photo_ids):
        for start in range(0, max(len(hashes), 1), ALBUM_PART):
            part = tuple(hashes[start : start + ALBUM_PART])
            yield AlbumRecord(each.name, each.query, each.created_at, part)


def distinct_records(connection: Connection, photo_ids: Sequence[int]) -> Iterator[DistinctRecord]:
    """Yield what was said to be no duplicates, of photos that are exported."""
    for first, second, made_at in distinct_hashes(connection, photo_ids):
        yield DistinctRecord((first, second), made_at)


def fact(value: Any) -> Any:
    """Return a column's value in the form that records have."""
    if isinstance(value, dt.date):  # includes datetime
        return value.isoformat()
    return value
