"""Queries about the text in photos: the lines that were read, and which photos are still to be looked at.

Photos that nobody looked at are found by their column ``text_reader``, newest first, and become jobs of the kind
:data:`.jobs.TEXT` a few at a time, as a worker claims them. So there is no queue to fill or to lose: only photos at
work, those that failed, and those that a person asked for as a batch have a job.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, case, delete, exists, func, insert, literal, select, update

from photoindex.catalogue.chunks import chunks
from photoindex.catalogue.facts import looks_from
from photoindex.catalogue.jobs import PRIORITIES, TEXT
from photoindex.catalogue.photos import mark_text_stale
from photoindex.catalogue.roots import reachable_file
from photoindex.catalogue.schema import caption, file, job, model, photo, term_vector, text_line
from photoindex.catalogue.term_encoding import vector_batch
from photoindex.catalogue.text_lines import box_text
from photoindex.system.clock import utc_now
from photoindex.types import PhotoText, VectorBatch

BACKGROUND: Final = max(PRIORITIES.values()) + 1  # the priority of photos that nobody asked for
TEXTUAL: Final = frozenset({"screenshot", "document"})  # looks of photos that are made of text


@dataclass(frozen=True, slots=True)
class TextCounts:
    """How far the reading of text is, in photos with a file: ``read`` were looked at, ``with_text`` of them hold some,
    ``waiting`` were not looked at yet; ``failed`` cannot be read."""

    read: int
    with_text: int
    waiting: int
    failed: int


def is_unread(reader: int, *, closely: bool) -> ColumnElement[bool]:
    """Return the condition that a photo is to be looked at by this version of the reader; ``closely``: also one that
    was only glanced at."""
    column = photo.c.text_reader
    return column < reader if closely else and_(column < reader, column > -reader)


def unread_files(
    connection: Connection,
    reader: int,
    limit: int | None,
    *,
    closely: bool,
    among: Sequence[int] | None = None,
    roots: Collection[int] | None = None,
) -> list[int]:
    """Return one present file of each photo that is to be looked at, the newest photo first, without those that have a
    job already; of these files, if ``among`` names some, and of those in these roots, by id, if any are given."""
    queued = exists().where(job.c.file_id == file.c.id, job.c.kind == TEXT)
    query = (
        select(func.min(file.c.id))
        .join_from(file, photo)
        .where(is_unread(reader, closely=closely), file.c.missing_since.is_(None))
        .group_by(photo.c.id, photo.c.taken_at, photo.c.added_at)
        .having(func.max(_as_number(queued)) == 0)
        .order_by(func.coalesce(photo.c.taken_at, photo.c.added_at).desc(), photo.c.id.desc())
        .limit(limit)
    )
    if among is not None:
        query = query.where(file.c.id.in_(among))
    if roots is not None:
        query = query.where(file.c.root_id.in_(roots))
    return list(connection.execute(query).scalars())


def _as_number(condition: ColumnElement[bool]) -> ColumnElement[int]:
    """Return 1 where a condition is true, else 0: no database has a maximum of truths."""
    return case((condition, literal(1)), else_=literal(0))


def files_of(connection: Connection, photo_ids: Sequence[int] | None) -> list[int]:
    """Return one present file of each of these photos, in their order; of all, the newest first, for ``None``."""
    query = (
        select(photo.c.id, reachable_file(connection).label("file_id"))
        .join_from(file, photo)
        .where(file.c.missing_since.is_(None))
        .group_by(photo.c.id, photo.c.taken_at, photo.c.added_at)
        .order_by(func.coalesce(photo.c.taken_at, photo.c.added_at).desc(), photo.c.id.desc())
    )
    found = {row.id: row.file_id for row in connection.execute(query)}
    return [found[number] for number in (found if photo_ids is None else photo_ids) if number in found]


def queue(
    connection: Connection,
    file_ids: Sequence[int],
    now: datetime,
    *,
    batch_id: int | None = None,
    priority: int = BACKGROUND,
) -> int:
    """Queue files whose text is to be read, in their order; return how many. Those that are at work are left alone; of
    the others a job that waits or failed begins again, but only when they are asked for as a batch."""
    count = 0
    for chunk in chunks(file_ids):
        here = and_(job.c.file_id.in_(chunk), job.c.kind == TEXT)
        if batch_id is not None:
            connection.execute(delete(job).where(here, job.c.state != "running"))
        present = set(connection.execute(select(job.c.file_id).where(here)).scalars())
        rows = [
            {"kind": TEXT, "file_id": file_id, "state": "queued", "attempts": 0, "next_try_at": now, "created_at": now,
             "batch_id": batch_id, "priority": priority}
            for file_id in chunk
            if file_id not in present
        ]  # fmt: skip
        if rows:
            connection.execute(insert(job), rows)
        count += len(rows)
    return count


def photos_of_files(connection: Connection, file_ids: Sequence[int]) -> dict[int, int]:
    """Return the ids of the photos that these files hold, by file id, of files that are present and hold one."""
    query = select(file.c.id, file.c.photo_id).where(
        file.c.id.in_(file_ids), file.c.photo_id.is_not(None), file.c.missing_since.is_(None)
    )
    return {row.id: row.photo_id for row in connection.execute(query)}


def contents_of_files(connection: Connection, file_ids: Sequence[int]) -> dict[int, str]:
    """Return the SHA-256 of the photos that these files hold, by file id, of files that are present and hold one."""
    query = select(file.c.id, photo.c.content_hash).join_from(file, photo)
    here = query.where(file.c.id.in_(file_ids), file.c.missing_since.is_(None))
    return {row.id: row.content_hash for row in connection.execute(here)}


def vectors_of(connection: Connection, file_ids: Sequence[int], model_identity: str) -> tuple[list[int], VectorBatch]:
    """Return the learned terms of photos in which no text was read yet, for those of these files that have some by this
    model: the files, and the vectors in the same order. Screenshots and documents are left out."""
    query = (
        select(file.c.id, term_vector.c.photo_id, term_vector.c.entries, photo.c.looks)
        .select_from(file.join(photo).join(term_vector, term_vector.c.photo_id == photo.c.id).join(model))
        .where(model.c.identity == model_identity, photo.c.text_reader <= 0, func.length(term_vector.c.entries) > 0)
    )
    found = [row for chunk in chunks(file_ids) for row in connection.execute(query.where(file.c.id.in_(chunk)))]
    found = [row for row in found if TEXTUAL.isdisjoint(looks_from(row.looks) or ())]
    vectors = vector_batch((row.photo_id, row.entries) for row in found)
    file_of = {row.photo_id: row.id for row in found}
    return [file_of[number] for number in vectors.photo_ids.tolist()], vectors


def save(connection: Connection, read: Mapping[int, PhotoText], reader: int) -> None:
    """Store what was read in photos, by id, in place of what was read before."""
    had: set[int] = set()
    for chunk in chunks(read):
        had.update(connection.execute(select(text_line.c.photo_id).where(text_line.c.photo_id.in_(chunk))).scalars())
        connection.execute(delete(text_line).where(text_line.c.photo_id.in_(chunk)))
        for closely in (True, False):
            ids = [number for number in chunk if read[number].closely is closely]
            value = reader if closely else -reader
            connection.execute(update(photo).where(photo.c.id.in_(ids)).values(text_reader=value))
    rows = [
        {"photo_id": number, "place": place, "block": line.block, "text": line.text, "confidence": line.confidence,
         "box": box_text(line.box)}
        for number, text in read.items()
        for place, line in enumerate(text.lines)
    ]  # fmt: skip
    if rows:
        connection.execute(insert(text_line), rows)
    mark_text_stale(connection, sorted(had.union(number for number, text in read.items() if text.lines)))


def save_captions(connection: Connection, captions: Mapping[int, str | None]) -> None:
    """Store what the text in photos makes of their captions, by photo id; ``None``: nothing. What it said before and
    no longer says becomes history."""
    ours = and_(caption.c.source == "text", caption.c.current)
    known: dict[int, str] = {}
    for chunk in chunks(captions):
        query = select(caption.c.photo_id, caption.c.text).where(ours, caption.c.photo_id.in_(chunk))
        known.update({row.photo_id: row.text for row in connection.execute(query)})
    changed = [number for number, said in captions.items() if known.get(number) != said]
    for chunk in chunks(changed):
        connection.execute(update(caption).where(ours, caption.c.photo_id.in_(chunk)).values(current=False))
    given = {"source": "text", "rank": 0, "current": True, "created_at": utc_now()}
    said = [(number, captions[number]) for number in changed]
    rows = [{"photo_id": number, "text": text, **given} for number, text in said if text is not None]
    if rows:
        connection.execute(insert(caption), rows)
    mark_text_stale(connection, changed)


def counts(connection: Connection, reader: int, *, closely: bool) -> TextCounts:
    """Count the photos that this version of the reader has looked at, and those that it has not."""
    present = exists().where(file.c.photo_id == photo.c.id, file.c.missing_since.is_(None))
    unread = is_unread(reader, closely=closely)
    with_lines = exists().where(text_line.c.photo_id == photo.c.id)
    failed = exists().where(
        file.c.photo_id == photo.c.id, job.c.file_id == file.c.id, job.c.kind == TEXT,
        job.c.state.in_(("failed", "ignored")),
    )  # fmt: skip

    def count(*conditions: ColumnElement[bool]) -> int:
        return connection.execute(select(func.count()).select_from(photo).where(present, *conditions)).scalar_one()

    lost = count(unread, failed)
    return TextCounts(count(~unread), count(with_lines), count(unread) - lost, lost)
