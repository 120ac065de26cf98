"""Queries about what people say of photos: their captions, their tags, which caption is locked, and what they changed.

A person's caption is a ``caption`` of the source "user", a tag is a ``term`` of the source "tag". Each change is noted
in ``correction`` with what was there before and after, in the transaction that makes it; so it can be undone exactly.
Captions that are replaced or taken away stay as history.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, delete, exists, func, insert, or_, select, update

from photoindex.catalogue.captions import shown_captions
from photoindex.catalogue.chunks import chunks
from photoindex.catalogue.schema import caption, correction, file, photo, root, term
from photoindex.types import CaptionSource, Correction

TAG_SOURCE = "tag"
Kind = Literal["caption", "tags", "lock"]


@dataclass(frozen=True, slots=True)
class Locked:
    """A caption that is to be shown whatever comes."""

    source: CaptionSource
    text: str


@dataclass(frozen=True, slots=True)
class Said:
    """What people say of a photo now."""

    caption: str | None = None
    tags: tuple[str, ...] = ()
    locked: Locked | None = None


def tag_key(tag: str) -> str:
    """What two tags have in common that are the same but for their letters' case or their encoding (Unicode's
    canonical caseless matching, section 3.13 of the standard)."""
    decomposed = unicodedata.normalize("NFD", tag).casefold()
    return unicodedata.normalize("NFC", decomposed)


def said_of(connection: Connection, photo_ids: Sequence[int]) -> dict[int, Said]:
    """What people say of each of these photos."""
    captions: dict[int, str] = {}
    tags: dict[int, list[str]] = {}
    locks: dict[int, Locked] = {}
    for chunk in chunks(photo_ids):
        rows = connection.execute(
            select(caption.c.photo_id, caption.c.text, caption.c.source, caption.c.current, caption.c.locked)
            .where(
                caption.c.photo_id.in_(chunk), or_(caption.c.locked, (caption.c.source == "user") & caption.c.current)
            )
            .order_by(caption.c.id)
        )
        for row in rows:
            if row.locked:
                locks[row.photo_id] = Locked(row.source, row.text)
            if row.source == "user" and row.current:
                captions[row.photo_id] = row.text
        of_people = select(term.c.photo_id, term.c.text).where(term.c.photo_id.in_(chunk), term.c.source == TAG_SOURCE)
        for photo_id, text in connection.execute(of_people.order_by(term.c.id)):
            tags.setdefault(photo_id, []).append(text)
    return {number: Said(captions.get(number), tuple(tags.get(number, ())), locks.get(number)) for number in photo_ids}


def put_captions(connection: Connection, texts: Mapping[int, str | None], made_at: datetime) -> None:
    """Let each text be what the person says of a photo, by id, or nothing; what was said before becomes history.

    A text that the person said before is that caption again, with the time it was made at.
    """
    earlier: dict[tuple[int, str], int] = {}
    for chunk in chunks(texts):
        of_person = caption.c.photo_id.in_(chunk) & (caption.c.source == "user")
        connection.execute(update(caption).where(of_person, caption.c.current).values(current=False))
        query = select(caption.c.photo_id, caption.c.text, caption.c.id).where(of_person).order_by(caption.c.id)
        earlier.update({(row.photo_id, row.text): row.id for row in connection.execute(query)})
    said = [(photo_id, text) for photo_id, text in texts.items() if text is not None]
    for chunk in chunks(earlier[each] for each in said if each in earlier):
        connection.execute(update(caption).where(caption.c.id.in_(chunk)).values(current=True))
    given = {"source": "user", "rank": 0, "current": True, "locked": False, "created_at": made_at}
    rows = [{"photo_id": photo_id, "text": text, **given} for photo_id, text in said if (photo_id, text) not in earlier]
    if rows:
        connection.execute(insert(caption), rows)


def put_tags(connection: Connection, tags: Mapping[int, Iterable[str]]) -> None:
    """Let photos, by id, have these tags and no others."""
    for chunk in chunks(tags):
        connection.execute(delete(term).where(term.c.photo_id.in_(chunk), term.c.source == TAG_SOURCE))
    given = {"weight": 1.0, "source": TAG_SOURCE}
    rows = [{"photo_id": photo_id, "text": tag, **given} for photo_id, texts in tags.items() for tag in texts]
    if rows:
        connection.execute(insert(term), rows)


def put_locks(connection: Connection, locks: Mapping[int, Locked | None]) -> None:
    """Lock of each photo, by id, the latest caption that says this, current or not, or none."""
    chosen: dict[int, int] = {}
    for chunk in chunks(locks):
        these = caption.c.photo_id.in_(chunk)
        connection.execute(update(caption).where(these, caption.c.locked).values(locked=False))
        query = select(caption.c.photo_id, caption.c.id, caption.c.source, caption.c.text).where(these)
        for row in connection.execute(query.order_by(caption.c.current.desc(), caption.c.rank, caption.c.id.desc())):
            if locks[row.photo_id] == Locked(row.source, row.text):
                chosen.setdefault(row.photo_id, row.id)
    for chunk in chunks(chosen.values()):
        connection.execute(update(caption).where(caption.c.id.in_(chunk)).values(locked=True))


def shown(connection: Connection, photo_ids: Sequence[int]) -> dict[int, Locked]:
    """The caption that each of these photos shows now; photos without one are left out."""
    found: dict[int, Locked] = {}
    for chunk in chunks(photo_ids):
        captions = shown_captions(connection, chunk)
        found.update({photo_id: Locked(each.source, each.text) for photo_id, each in captions.items()})
    return found


def note(connection: Connection, changes: Mapping[int, tuple[Said, Said]], edit: str, made_at: datetime) -> None:
    """Note what an edit changed of photos, by id: what was said before, and after.

    It is each photo's latest then, whatever the clock says: when an earlier one was made by a clock that was ahead,
    this one is noted as made just after it, so that it is the first to be undone.
    """
    latest: dict[int, datetime] = {}
    for chunk in chunks(changes):
        others = correction.c.photo_id.in_(chunk) & (correction.c.edit != edit)
        query = select(correction.c.photo_id, func.max(correction.c.made_at).label("latest")).where(others)
        latest.update({row.photo_id: row.latest for row in connection.execute(query.group_by(correction.c.photo_id))})
    rows = []
    for photo_id, (before, after) in changes.items():
        last = latest.get(photo_id)
        at = made_at if last is None or last < made_at else last + timedelta(microseconds=1)
        values: dict[str, tuple[str | None, str | None]] = {
            "caption": (before.caption, after.caption),
            "tags": (_tags_text(before.tags), _tags_text(after.tags)),
            "lock": (_lock_text(before.locked), _lock_text(after.locked)),
        }
        rows += [
            {"photo_id": photo_id, "edit": edit, "kind": kind, "old": old, "new": new, "made_at": at}
            for kind, (old, new) in values.items()
            if old != new
        ]
    if rows:
        connection.execute(insert(correction), rows)


def restore_last(connection: Connection, photo_ids: Iterable[int], now: datetime) -> dict[int, list[Correction]]:
    """Undo the last edit of each photo that is not undone; returns what it had changed, of photos that had any."""
    last = _last_edits(connection, photo_ids)
    captions: dict[int, str | None] = {}
    tags: dict[int, tuple[str, ...]] = {}
    locks: dict[int, Locked | None] = {}
    for photo_id, rows in last.items():
        for row in reversed(rows):  # of two of a kind the first one says what was before
            if row.kind == "caption":
                captions[photo_id] = row.old
            elif row.kind == "tags":
                tags[photo_id] = read_tags(row.old)
            else:
                locks[photo_id] = read_lock(row.old)
    put_captions(connection, captions, now)
    put_tags(connection, tags)
    put_locks(connection, locks)
    for chunk in chunks(row.id for rows in last.values() for row in rows):
        connection.execute(update(correction).where(correction.c.id.in_(chunk)).values(undone_at=now))
    return {photo_id: [read_correction(row) for row in rows] for photo_id, rows in last.items()}


def photos_last_edited_by(connection: Connection, edit: str) -> list[int]:
    """Return the photos whose last edit that is not undone is this one."""
    changed = connection.execute(select(correction.c.photo_id).where(correction.c.edit == edit).distinct()).scalars()
    last = _last_edits(connection, list(changed))
    return sorted(photo_id for photo_id, rows in last.items() if rows[0].edit == edit)


def _last_edits(connection: Connection, photo_ids: Iterable[int]) -> dict[int, list[Any]]:
    """The rows of each photo's last edit that is not undone, in the order in which they were noted."""
    found: dict[int, list[Any]] = {}
    for chunk in chunks(photo_ids):
        standing = correction.c.photo_id.in_(chunk) & correction.c.undone_at.is_(None)
        query = select(correction).where(standing).order_by(correction.c.made_at.desc(), correction.c.id.desc())
        for row in connection.execute(query):
            rows = found.setdefault(row.photo_id, [])
            if not rows or rows[0].edit == row.edit:
                rows.append(row)
    return {photo_id: sorted(rows, key=lambda row: row.id) for photo_id, rows in found.items()}


def captioned_files(connection: Connection) -> list[tuple[Path, str, str | None]]:
    """A present file of each photo that a model captioned, the content's hash, and the person's caption, if any."""
    by_model = exists().where(caption.c.photo_id == photo.c.id, caption.c.source == "model", caption.c.current)
    query = (
        select(photo.c.id, photo.c.content_hash, root.c.path, file.c.relative_path)
        .select_from(photo)
        .join(file, file.c.photo_id == photo.c.id)
        .join(root, root.c.id == file.c.root_id)
        .where(file.c.missing_since.is_(None), by_model)
        .order_by(photo.c.content_hash, file.c.id)
    )
    rows = {row.id: row for row in reversed(connection.execute(query).all())}
    said = select(caption.c.photo_id, caption.c.text).where(caption.c.source == "user", caption.c.current)
    texts = {row.photo_id: row.text for row in connection.execute(said)}
    return [(Path(row.path, row.relative_path), row.content_hash, texts.get(row.id)) for row in rows.values()]


def corrections_of(connection: Connection, photo_ids: Sequence[int]) -> dict[int, tuple[Correction, ...]]:
    """All that people changed of each photo, oldest first."""
    found: dict[int, list[Correction]] = {}
    for chunk in chunks(photo_ids):
        query = select(correction).where(correction.c.photo_id.in_(chunk))
        for row in connection.execute(query.order_by(correction.c.made_at, correction.c.id)):
            found.setdefault(row.photo_id, []).append(read_correction(row))
    return {number: tuple(values) for number, values in found.items()}


def read_correction(row: Any) -> Correction:
    old, new = (_value(row.kind, text) for text in (row.old, row.new))
    return Correction(row.kind, old, new, row.made_at, row.edit, row.undone_at)


def _value(kind: Kind, text: str | None) -> str | tuple[str, ...] | None:
    if kind == "tags":
        return read_tags(text)
    if kind == "lock":
        locked = read_lock(text)
        return None if locked is None else locked.text
    return text


def read_tags(text: str | None) -> tuple[str, ...]:
    """The tags of a ``correction`` row."""
    return () if text is None else tuple(json.loads(text))


def read_lock(text: str | None) -> Locked | None:
    """The locked caption of a ``correction`` row."""
    return None if text is None else Locked(**json.loads(text))


def _tags_text(tags: Sequence[str]) -> str | None:
    return json.dumps(list(tags), ensure_ascii=False) if tags else None


def _lock_text(locked: Locked | None) -> str | None:
    return None if locked is None else json.dumps({"source": locked.source, "text": locked.text}, ensure_ascii=False)
