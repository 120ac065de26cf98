"""The history of what people say of photos: each change, so that it can be undone exactly.

A change is noted in ``correction`` with what was there before and after, in the transaction that makes it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, get_args

from sqlalchemy import Connection, exists, func, select, update

from photoindex.catalogue.chunks import chunks
from photoindex.catalogue.many_rows import SET, insert_rows, is_one_of
from photoindex.catalogue.schema import caption, correction, file, photo, root
from photoindex.catalogue.user_metadata import (
    REVIEWS,
    Changed,
    Locked,
    UserMetadata,
    put_user_metadata,
    tag_key,
    user_metadata_of,
)
from photoindex.types import CaptionSource, Correction, CorrectionKind

__all__ = [
    "KINDS",
    "Locked",
    "Noted",
    "UserMetadata",
    "captioned_files",
    "corrections_of",
    "is_value",
    "last_edits",
    "note",
    "note_each",
    "photos_last_edited_by",
    "read_lock",
    "read_tags",
    "restore_last",
    "tag_key",
    "user_metadata_of",
]  # fmt: skip

KINDS: Final[tuple[CorrectionKind, ...]] = get_args(CorrectionKind)
_YES: Final = "yes"
# What ``correction`` keeps of each part of what is said, and the part again.
_TEXTS: Final[dict[CorrectionKind, Callable[[UserMetadata], str | None]]] = {
    "caption": lambda by_user: by_user.caption,
    "tags": lambda by_user: json.dumps(list(by_user.tags), ensure_ascii=False) if by_user.tags else None,
    "lock": lambda by_user: _lock_text(by_user.locked),
    "rating": lambda by_user: None if by_user.rating is None else str(by_user.rating),
    "favourite": lambda by_user: _YES if by_user.favourite else None,
    "hidden": lambda by_user: _YES if by_user.hidden else None,
    "review": lambda by_user: by_user.review,
}


@dataclass(frozen=True, slots=True)
class Noted:
    """A change of what is said of a photo, by which edit, and when it was made."""

    before: UserMetadata
    after: UserMetadata
    edit: str
    made_at: datetime


def note(connection: Connection, changed: Changed, edit: str, made_at: datetime) -> None:
    """Note what an edit changed of photos.

    It is the latest of each photo then, whatever the clock says: when an earlier one was made by a clock that was
    ahead, this one is noted as made just after it, so that it is the first to be undone.
    """
    note_each(connection, {number: Noted(*change, edit, made_at) for number, change in changed.items()})


def note_each(connection: Connection, changes: Mapping[int, Noted]) -> None:
    """Note a change of each photo, as :func:`note` does."""
    latest: dict[int, datetime] = {}
    for chunk in chunks(changes, SET):
        edits = {changes[number].edit for number in chunk}
        query = select(correction.c.photo_id, func.max(correction.c.made_at))
        query = query.where(is_one_of(correction.c.photo_id, chunk), correction.c.edit.not_in(edits))
        latest.update(map(tuple, connection.execute(query.group_by(correction.c.photo_id))))
    rows = []
    alike: dict[tuple[UserMetadata, UserMetadata], list[tuple[str, str | None, str | None]]] = {}
    for number, each in changes.items():
        known = latest.get(number)
        time = each.made_at if known is None or known < each.made_at else known + timedelta(microseconds=1)
        change = each.before, each.after
        if change not in alike:
            alike[change] = _differences(*change)
        for kind, old, new in alike[change]:
            rows.append({"photo_id": number, "edit": each.edit, "kind": kind, "old": old, "new": new, "made_at": time})
    insert_rows(connection, correction, rows)


def _differences(before: UserMetadata, after: UserMetadata) -> list[tuple[str, str | None, str | None]]:
    """Return (kind, text before, text after) of each part of what is said that changed."""
    texts = [(kind, text(before), text(after)) for kind, text in _TEXTS.items()]
    return [each for each in texts if each[1] != each[2]]


def last_edits(connection: Connection, photo_ids: Sequence[int]) -> dict[int, str]:
    """Return the last edit of each photo that is not undone yet, of those that have one."""
    found: dict[int, str] = {}
    order = func.row_number().over(
        partition_by=correction.c.photo_id, order_by=(correction.c.made_at.desc(), correction.c.id.desc())
    )
    for chunk in chunks(photo_ids, SET):
        standing = is_one_of(correction.c.photo_id, chunk) & correction.c.undone_at.is_(None)
        ranked = select(correction.c.photo_id, correction.c.edit, order.label("place")).where(standing).subquery()
        rows = connection.execute(select(ranked.c.photo_id, ranked.c.edit).where(ranked.c.place == 1))
        found.update(map(tuple, rows))
    return found


def restore_last(
    connection: Connection, photo_ids: Sequence[int], now: datetime, edit: str | None = None
) -> dict[int, list[Correction]]:
    """Undo the last edit of each photo that is not undone; return what each had changed, of those that have one.

    With ``edit``, only that edit is undone: photos whose last one is another stay as they are.
    """
    last = last_edits(connection, photo_ids)
    if edit is not None:
        last = {number: name for number, name in last.items() if name == edit}
    undone: dict[int, list[Any]] = {}
    for chunk in chunks(last, SET):
        standing = is_one_of(correction.c.photo_id, chunk) & correction.c.undone_at.is_(None)
        for row in connection.execute(select(correction).where(standing).order_by(correction.c.id)):
            if row.edit == last[row.photo_id]:
                undone.setdefault(row.photo_id, []).append(row)
    changed = {}
    for number, before in user_metadata_of(connection, list(undone)).items():
        after = before
        for row in reversed(undone[number]):
            after = _with(after, row.kind, row.old)
        changed[number] = before, after
    put_user_metadata(connection, changed, now)
    for chunk in chunks([row.id for rows in undone.values() for row in rows], SET):
        connection.execute(update(correction).where(is_one_of(correction.c.id, chunk)).values(undone_at=now))
    return {number: [read_correction(row) for row in rows] for number, rows in undone.items()}


def _with(by_user: UserMetadata, kind: CorrectionKind, text: str | None) -> UserMetadata:
    """Return what is said with one part of it as a ``correction`` has it."""
    if kind == "caption":
        return dataclasses.replace(by_user, caption=text)
    if kind == "tags":
        return dataclasses.replace(by_user, tags=read_tags(text))
    if kind == "lock":
        return dataclasses.replace(by_user, locked=read_lock(text))
    if kind == "rating":
        return dataclasses.replace(by_user, rating=None if text is None else int(text))
    if kind == "review":
        return dataclasses.replace(by_user, review=text if text in REVIEWS else None)
    if kind == "favourite":
        return dataclasses.replace(by_user, favourite=text is not None)
    return dataclasses.replace(by_user, hidden=text is not None)


def is_value(kind: str, text: str) -> bool:
    """Return whether a text is one that ``correction`` keeps for a kind."""
    if kind == "caption":
        return True
    if kind == "rating":
        return text in map(str, range(-1, 6))
    if kind in ("favourite", "hidden"):
        return text == _YES
    if kind == "review":
        return text in REVIEWS
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    if kind == "tags":
        return isinstance(value, list) and all(isinstance(tag, str) for tag in value)
    return (
        isinstance(value, dict)
        and value.keys() == {"source", "text"}
        and value["source"] in get_args(CaptionSource)
        and isinstance(value["text"], str)
    )


def photos_last_edited_by(connection: Connection, edit: str) -> list[int]:
    """Return the photos whose last edit that is not undone is this one."""
    changed = connection.execute(select(correction.c.photo_id).where(correction.c.edit == edit).distinct()).scalars()
    return [number for number, last in last_edits(connection, sorted(changed)).items() if last == edit]


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
    by_user = select(caption.c.photo_id, caption.c.text).where(caption.c.source == "user", caption.c.current)
    texts = {row.photo_id: row.text for row in connection.execute(by_user)}
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


def _value(kind: CorrectionKind, text: str | None) -> str | tuple[str, ...] | None:
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


def _lock_text(locked: Locked | None) -> str | None:
    return None if locked is None else json.dumps({"source": locked.source, "text": locked.text}, ensure_ascii=False)
