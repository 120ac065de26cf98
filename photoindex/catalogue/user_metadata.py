"""What people say of photos: their captions, their tags, which caption is locked, stars, favourites, hidden photos, and
what they say of the model's caption.

A person's caption is a ``caption`` of the source "user", a tag is a ``term`` of the source "tag", the rest are columns
of ``photo``. Many photos are read and written by a few statements. Captions that are replaced stay as history.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, get_args

from sqlalchemy import Connection, bindparam, delete, func, or_, select, update

from photoindex.catalogue.captions import shown_captions
from photoindex.catalogue.chunks import chunks
from photoindex.catalogue.column_types import plain_text
from photoindex.catalogue.many_rows import SET, insert_rows, is_one_of
from photoindex.catalogue.schema import caption, photo, term
from photoindex.types import CaptionSource
from photoindex.types.term_sources import TAG_SOURCE

Review = Literal["wrong", "later"]  # of the model's caption; a right one is locked
REVIEWS: Final[tuple[Review, ...]] = get_args(Review)


@dataclass(frozen=True, slots=True)
class Locked:
    """A caption that is to be shown whatever comes."""

    source: CaptionSource
    text: str


@dataclass(frozen=True, slots=True)
class UserMetadata:
    """What people say of a photo now. ``rating``: -1 (rejected) to 5, 0 for no stars whatever the file says, ``None``
    when nobody said."""

    caption: str | None = None
    tags: tuple[str, ...] = ()
    locked: Locked | None = None
    rating: int | None = None
    favourite: bool = False
    hidden: bool = False
    review: Review | None = None


Changed = Mapping[int, tuple[UserMetadata, UserMetadata]]  # photo id -> what was said before, and what is said now


def tag_key(tag: str) -> str:
    """What two tags have in common that are the same but for their letters' case or their encoding (Unicode's
    canonical caseless matching, section 3.13 of the standard)."""
    decomposed = unicodedata.normalize("NFD", tag).casefold()
    return unicodedata.normalize("NFC", decomposed)


def merged_tags(tags: Iterable[str], more: Iterable[str]) -> tuple[str, ...]:
    """``tags`` and those of ``more`` that are not among them in another spelling of case or encoding."""
    found: dict[str, str] = {}
    for tag in (*tags, *more):
        found.setdefault(tag_key(tag), tag)
    return tuple(found.values())


def user_metadata_of(connection: Connection, photo_ids: Sequence[int]) -> dict[int, UserMetadata]:
    """What people say of each of these photos."""
    captions: dict[int, str] = {}
    tags: dict[int, list[str]] = {}
    locks: dict[int, Locked] = {}
    marks: dict[int, tuple[Any, ...]] = {}
    for chunk in chunks(photo_ids, SET):
        of_people = (caption.c.source == "user") & caption.c.current
        rows = connection.execute(
            select(caption.c.photo_id, caption.c.text, caption.c.source, caption.c.current, caption.c.locked)
            .where(is_one_of(caption.c.photo_id, chunk), or_(caption.c.locked, of_people))
            .order_by(caption.c.id)
        )
        for number, text, source, current, locked in rows:
            if locked:
                locks[number] = Locked(source, text)
            if source == "user" and current:
                captions[number] = text
        said_tags = select(term.c.photo_id, term.c.text).where(is_one_of(term.c.photo_id, chunk))
        for number, text in connection.execute(said_tags.where(term.c.source == TAG_SOURCE).order_by(term.c.id)):
            tags.setdefault(number, []).append(text)
        columns = (photo.c.id, photo.c.own_rating, photo.c.favourite, photo.c.hidden, photo.c.review)
        for number, *values in connection.execute(select(*columns).where(is_one_of(photo.c.id, chunk))):
            marks[number] = tuple(values)
    nothing = (None, False, False, None)
    alike: dict[tuple[Any, ...], UserMetadata] = {}  # of most photos the same is said: nothing
    found = {}
    for number in photo_ids:
        key = (captions.get(number), tuple(tags.get(number, ())), locks.get(number), *marks.get(number, nothing))
        found[number] = alike.get(key) or alike.setdefault(key, UserMetadata(*key))
    return found


def put_user_metadata(connection: Connection, changed: Changed, made_at: datetime | Mapping[int, datetime]) -> None:
    """Store what is said of photos now. What is equal before and after is not touched. ``made_at``: when it was said,
    of all or of each."""

    def those(value: Callable[[UserMetadata], Any]) -> dict[int, Any]:
        return {number: value(now) for number, (before, now) in changed.items() if value(before) != value(now)}

    put_captions(connection, those(lambda by_user: by_user.caption), made_at)
    put_tags(connection, those(lambda by_user: by_user.tags))
    put_locks(connection, those(lambda by_user: by_user.locked))
    put_marks(connection, those(lambda by_user: (by_user.rating, by_user.favourite, by_user.hidden, by_user.review)))


def put_captions(
    connection: Connection, texts: Mapping[int, str | None], made_at: datetime | Mapping[int, datetime]
) -> None:
    """Let each text be what the person says of a photo, or nothing; what was said before becomes history.

    A text that the person said before is that caption again, with the time it was made at.
    """
    by_user = {number: plain_text(text) for number, text in texts.items() if text is not None}
    known: dict[tuple[int, str], int] = {}
    for chunk in chunks(texts, SET):
        of_person = is_one_of(caption.c.photo_id, chunk) & (caption.c.source == "user")
        connection.execute(update(caption).where(of_person, caption.c.current).values(current=False))
        query = select(caption.c.photo_id, caption.c.text, func.max(caption.c.id)).where(of_person)
        rows = connection.execute(query.group_by(caption.c.photo_id, caption.c.text))
        known.update({(photo_id, text): number for photo_id, text, number in rows})
    again = [{"one": known[pair]} for pair in by_user.items() if pair in known]
    if again:
        connection.execute(update(caption).where(caption.c.id == bindparam("one")).values(current=True), again)
    new = [
        {"photo_id": number, "text": text, "source": "user", "rank": 0, "current": True, "locked": False,
         "created_at": made_at if isinstance(made_at, datetime) else made_at[number]}
        for number, text in by_user.items()
        if (number, text) not in known
    ]  # fmt: skip
    insert_rows(connection, caption, new)


def put_tags(connection: Connection, tags: Mapping[int, Iterable[str]]) -> None:
    """Let each photo have these tags and no others."""
    for chunk in chunks(tags, SET):
        connection.execute(delete(term).where(is_one_of(term.c.photo_id, chunk), term.c.source == TAG_SOURCE))
    rows = [
        {"photo_id": number, "text": tag, "weight": 1.0, "source": TAG_SOURCE}
        for number, given in tags.items()
        for tag in given
    ]
    insert_rows(connection, term, rows)


def put_locks(connection: Connection, locks: Mapping[int, Locked | None]) -> None:
    """Lock the latest caption of each photo that says this, current or not, or none."""
    found: dict[int, int] = {}
    for chunk in chunks(locks, SET):
        theirs = is_one_of(caption.c.photo_id, chunk)
        connection.execute(update(caption).where(theirs, caption.c.locked).values(locked=False))
        query = select(caption.c.id, caption.c.photo_id, caption.c.source, caption.c.text).where(theirs)
        for row in connection.execute(query.order_by(caption.c.current.desc(), caption.c.rank, caption.c.id.desc())):
            if locks[row.photo_id] == Locked(row.source, row.text):
                found.setdefault(row.photo_id, row.id)
    for chunk in chunks(found.values(), SET):
        connection.execute(update(caption).where(is_one_of(caption.c.id, chunk)).values(locked=True))


def put_marks(connection: Connection, marks: Mapping[int, tuple[int | None, bool, bool, Review | None]]) -> None:
    """Store the stars, whether a photo is a favourite, whether it is hidden, and the review of each."""
    alike: dict[tuple[int | None, bool, bool, Review | None], list[int]] = {}
    for number, values in marks.items():
        alike.setdefault(values, []).append(number)
    for (rating, favourite, hidden, review), numbers in alike.items():
        for chunk in chunks(numbers, SET):
            statement = update(photo).where(is_one_of(photo.c.id, chunk))
            connection.execute(statement.values(own_rating=rating, favourite=favourite, hidden=hidden, review=review))


def shown(connection: Connection, photo_ids: Sequence[int]) -> dict[int, Locked]:
    """The caption that each photo shows now, of those that show one."""
    return {
        number: Locked(each.source, each.text) for number, each in shown_captions(connection, photo_ids).items()
    }  # fmt: skip
