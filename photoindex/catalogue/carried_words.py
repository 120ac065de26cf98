"""What people say of a photo, carried over to the photo that takes its file.

A program that saves a picture in place makes another content of it, and so another photo. What was said of the old one
would be shown nowhere. It is carried over as an edit, which ``edit --undo`` takes back:

- only where no other present file holds the old photo;
- caption, tags, stars, favourite, hidden, a lock, the places in albums and what is said to be no duplicate. A review is
  of the old photo's model caption, and stays with it;
- what is said of the new photo stays. Where something was carried over between the two before, the later word counts.

Another picture that is written over a file inherits nothing: see :func:`_is_same`.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, insert, or_, select

from photoindex.catalogue import corrections as store
from photoindex.catalogue.chunks import chunks
from photoindex.catalogue.dialects import insert_new
from photoindex.catalogue.many_rows import SET, among, is_one_of
from photoindex.catalogue.photos import mark_text_stale
from photoindex.catalogue.schema import album_photo, caption, correction, distinct_pair, file, photo
from photoindex.catalogue.user_metadata import Locked, UserMetadata, merged_tags, put_user_metadata, user_metadata_of
from photoindex.system.clock import utc_now

NEAR: Final = 10  # of the 128 bits of fingerprints may differ, as docs/formats.md advises for duplicates
_CARRIED: Final = "carried-"  # the names of these edits begin with it
_DATED_BY: Final = ("exif", "xmp", "iptc")  # not by a file's name, folder or time

Pair = tuple[int, int]  # the photo that a file held, and the one that it holds now


@dataclass
class _Changes:
    """When each part of what is said of a photo changed last, by its kind: whoever changed it, and by people alone."""

    last: dict[str, datetime] = field(default_factory=dict)
    by_people: dict[str, datetime] = field(default_factory=dict)
    carried: set[str] = field(default_factory=set)


def carry_over(connection: Connection, pairs: Iterable[Pair], *, of_one_shot: bool = False) -> set[Pair]:
    """Carry over what people say of photos that lost their last file to the photos that took these files. Return the
    pairs that are other pictures, of whose old photo something is said.

    ``of_one_shot``: the two are a raw file and its JPEG, which need not look alike. Call this when the files hold the
    new photos.
    """
    wanted = list(dict.fromkeys(pair for pair in pairs if pair[0] != pair[1]))
    if not wanted:
        return set()
    held = among(connection, file.c.photo_id, [old for old, _ in wanted], file.c.missing_since.is_(None))
    wanted = [pair for pair in wanted if pair[0] not in held]
    by_user = user_metadata_of(connection, list(dict.fromkeys(number for pair in wanted for number in pair)))
    olds = [old for old, _ in wanted]
    grouped = among(connection, album_photo.c.photo_id, olds)
    for column in (distinct_pair.c.first_id, distinct_pair.c.second_id):
        grouped |= among(connection, column, olds)
    wanted = [pair for pair in wanted if replace(by_user[pair[0]], review=None) != UserMetadata() or pair[0] in grouped]
    if not wanted:
        return set()
    facts = _facts(connection, wanted)
    left = {pair for pair in wanted if not _is_same(facts[pair[0]], facts[pair[1]], of_one_shot)}
    carried = [pair for pair in wanted if pair not in left]
    if carried:
        _carry(connection, carried, by_user)
        _take_places(connection, carried)
    return left


def _carry(connection: Connection, pairs: Sequence[Pair], by_user: Mapping[int, UserMetadata]) -> None:
    changes, now = _changes(connection, pairs), dict(by_user)
    for old, new in pairs:
        now[new] = _merged(now[old], now[new], changes[old], changes[new])
        locked = now[new].locked
        if locked is not None and locked != by_user[new].locked and locked.source != "user":
            _copy_locked(connection, old, new)
    changed = {new: (by_user[new], now[new]) for _, new in pairs if now[new] != by_user[new]}
    moment = utc_now()
    put_user_metadata(connection, changed, moment)
    store.note(connection, changed, _CARRIED + secrets.token_hex(12), moment)
    mark_text_stale(connection, [new for _, new in pairs])


def _merged(old: UserMetadata, new: UserMetadata, olds: _Changes, news: _Changes) -> UserMetadata:
    """Return what is said of a photo with what was said of the one before."""

    def choose(kind: str, before: Any, now: Any, nothing: Any = None) -> Any:
        if kind in news.last and kind in news.carried | olds.carried:  # the two had the same words once
            return before if kind in olds.by_people and olds.by_people[kind] > news.last[kind] else now
        if kind == "tags":
            return merged_tags(now, before)
        return before if now == nothing else now

    text = choose("caption", old.caption, new.caption)
    return UserMetadata(
        text,
        choose("tags", old.tags, new.tags),
        _merged_lock(choose("lock", old.locked, new.locked), new.locked, text),
        choose("rating", old.rating, new.rating),
        choose("favourite", old.favourite, new.favourite, False),
        choose("hidden", old.hidden, new.hidden, False),
        new.review if text is None else None,
    )


def _merged_lock(chosen: Locked | None, before: Locked | None, text: str | None) -> Locked | None:
    """Return the lock of a photo whose person's caption is ``text`` now."""
    if chosen is not None and chosen != before and chosen != Locked("user", text or "") and text is not None:
        chosen = before
    if chosen is not None and chosen.source == "user" and chosen.text != text:
        return None if text is None else Locked("user", text)
    return chosen


def _copy_locked(connection: Connection, old: int, new: int) -> None:
    """Add the caption that is locked of a photo to the history of another, where it can be locked."""
    names = [column.name for column in caption.columns if column.name not in ("id", "photo_id", "current", "locked")]
    rows = connection.execute(
        select(*(caption.c[name] for name in names)).where(caption.c.photo_id == old, caption.c.locked)
    )
    copies = [{**row._mapping, "photo_id": new, "current": False, "locked": False} for row in rows]
    if copies:
        connection.execute(insert(caption), copies)


def _take_places(connection: Connection, pairs: Sequence[Pair]) -> None:
    """Put the new photos beside the old ones into albums, and among what is no duplicate."""
    news: defaultdict[int, list[int]] = defaultdict(list)
    for old, new in pairs:
        news[old].append(new)
    albums, distinct = [], []
    for chunk in chunks(news, SET):
        for row in connection.execute(select(album_photo).where(is_one_of(album_photo.c.photo_id, chunk))):
            albums += [{**row._mapping, "photo_id": new} for new in news[row.photo_id]]
        either = (is_one_of(column, chunk) for column in (distinct_pair.c.first_id, distinct_pair.c.second_id))
        for row in connection.execute(select(distinct_pair).where(or_(*either))):
            for old in {row.first_id, row.second_id} & set(chunk):
                other = row.first_id if row.second_id == old else row.second_id
                for new in news[old]:
                    ids = sorted((new, new if other == old else other))
                    if other != new:
                        distinct.append({"first_id": ids[0], "second_id": ids[1], "made_at": row.made_at})
    for table, rows in ((album_photo, albums), (distinct_pair, distinct)):
        if rows:
            connection.execute(insert_new(connection, table), rows)


def _changes(connection: Connection, pairs: Sequence[Pair]) -> defaultdict[int, _Changes]:
    found: defaultdict[int, _Changes] = defaultdict(_Changes)
    for chunk in chunks(dict.fromkeys(number for pair in pairs for number in pair), SET):
        for row in connection.execute(select(correction).where(is_one_of(correction.c.photo_id, chunk))):
            one, time = found[row.photo_id], max(row.made_at, row.undone_at or row.made_at)
            one.last[row.kind] = max(time, one.last.get(row.kind, time))
            if row.edit.startswith(_CARRIED):
                one.carried.add(row.kind)
            else:
                one.by_people[row.kind] = max(time, one.by_people.get(row.kind, time))
    return found


def _facts(connection: Connection, pairs: Sequence[Pair]) -> dict[int, Any]:
    columns = (photo.c.id, photo.c.taken_at, photo.c.taken_source, photo.c.camera, photo.c.fingerprint)
    return {
        row.id: row
        for chunk in chunks(dict.fromkeys(number for pair in pairs for number in pair), SET)
        for row in connection.execute(select(*columns).where(is_one_of(photo.c.id, chunk)))
    }


def _is_same(old: Any, new: Any, of_one_shot: bool) -> bool:
    """Return whether two photos are one picture: taken by the same camera at the same time, or of near fingerprints.

    A rotated picture has another fingerprint; one without metadata has no date. Photos ``of_one_shot`` are one picture
    unless their cameras and dates differ: a camera numbers from 1 again.
    """
    dated = all(each.camera and each.taken_at and each.taken_source in _DATED_BY for each in (old, new))
    if dated and (old.camera, old.taken_at) == (new.camera, new.taken_at):
        return True
    return not dated if of_one_shot else _are_near(old.fingerprint, new.fingerprint)


def _are_near(one: bytes | None, other: bytes | None) -> bool:
    if not one or not other or len(one) != len(other):
        return False
    return bin(int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).count("1") <= NEAR
