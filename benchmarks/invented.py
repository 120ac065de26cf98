"""Catalogues of invented photos: words as often as in real captions, and rows as the pipeline writes them."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from search_scale import BATCH, CAPTION_WORDS, FIRST_DAY, Maker
from sqlalchemy import Connection, Table, insert, update

from photoindex.catalogue import photos
from photoindex.catalogue.database import Database
from photoindex.catalogue.roots import ensure_root
from photoindex.catalogue.schema import caption, catalogue, file, photo, term, term_vector
from photoindex.catalogue.term_encoding import pack_vector
from photoindex.types import FileStat, TermVector, TermVocabulary

FOLDER_PHOTOS = 500
TERM_SCALE = 0.01


def relative_path(number: int) -> str:
    """Where an invented photo lies below its root."""
    return f"{number // FOLDER_PHOTOS:04}/img_{number:07}.jpg"


def fill(
    database: Database, root: Path, count: int, *, terms: int = 64, stats: dict[str, FileStat] | None = None
) -> None:
    """Add so many captioned photos, which need not exist, below a folder that does; ``terms`` learned ones each.

    ``stats`` are the states of those that exist, by :func:`relative_path`. None of them is marked for the index.
    """
    maker = Maker()
    now = datetime.now(timezone.utc)
    vocabulary = TermVocabulary(tuple(maker.terms), TERM_SCALE) if terms else None
    vectors = maker.vectors(count, terms) if terms else iter(())
    with database.write() as connection:
        root_id = ensure_root(connection, root).id
        model = photos.ensure_model(connection, "invented-1", "invented", "none", vocabulary)
    for first in range(0, count, BATCH):
        numbers = range(first + 1, min(first + BATCH, count) + 1)
        said = [maker.sentences(len(numbers), length) for length in (CAPTION_WORDS, CAPTION_WORDS, CAPTION_WORDS, 2, 2)]
        rows: dict[Table, list[dict[str, Any]]] = {table: [] for table in (photo, file, caption, term)}
        for number, (best, second, third, label, kind) in zip(numbers, zip(*said, strict=True), strict=True):
            path = relative_path(number)
            stat = stats[path] if stats is not None else FileStat(1, 1, number)
            rows[photo].append({
                "id": number, "content_hash": f"{number:064}", "size": stat.size, "format": "JPEG", "width": 4000,
                "height": 3000, "orientation": 1, "taken_at": FIRST_DAY, "camera": "Canon EOS R5", "added_at": now,
                "text_stale": 0, "metadata_stale": 0,
            })  # fmt: skip
            rows[file].append({
                "root_id": root_id, "relative_path": path, "photo_id": number, "size": stat.size,
                "mtime_ns": stat.mtime_ns, "inode": stat.inode,
            })  # fmt: skip
            rows[caption] += [
                {"photo_id": number, "text": text, "source": "model", "rank": rank, "current": True, "model_id": model,
                 "log_probability": -9.0 - rank, "settings": "beam 3", "created_at": now}
                for rank, text in enumerate((best, second, third))
            ]  # fmt: skip
            rows[term] += [
                {"photo_id": number, "text": text, "weight": 0.5, "source": source}
                for source, text in (("label", label), ("kind", kind))
            ]
        with database.write() as connection:
            for table, values in rows.items():
                connection.execute(insert(table), values)
            if terms:
                _add_vectors(connection, next(vectors), model)
    if terms:
        with database.write() as connection:
            connection.execute(update(catalogue).values(vector_revision=count))


def _add_vectors(connection: Connection, batch: Any, model: int) -> None:
    rows, start = [], 0
    for photo_id, size in zip(batch.photo_ids.tolist(), batch.counts.tolist(), strict=True):
        vector = TermVector(batch.ids[start : start + size], batch.impacts[start : start + size])
        rows.append({"photo_id": photo_id, "model_id": model, "entries": pack_vector(vector), "revision": photo_id})
        start += size
    connection.execute(insert(term_vector), rows)
