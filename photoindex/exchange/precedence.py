"""What users wrote about a photo, here and in an export, with dates; and which of the two counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from photoindex.catalogue.corrections import read_tags
from photoindex.catalogue.user_metadata import Locked, UserMetadata, merged_tags, tag_key
from photoindex.exchange.records import CorrectionRecord, PhotoRecord

MARKS: Final = ("rating", "favourite", "hidden", "review")


@dataclass(frozen=True, slots=True)
class DatedWords:
    """What is said of a photo, from any origin, and when each part was last changed (``None``: unknown).

    ``untagged`` holds the tags that were removed, by :func:`tag_key`, and when; ``marked_at`` the times of the parts
    that are neither caption nor tags nor lock, by their names.
    """

    words: UserMetadata
    captioned_at: datetime | None = None
    tagged_at: datetime | None = None
    locked_at: datetime | None = None
    untagged: dict[str, datetime] = field(default_factory=dict)
    marked_at: dict[str, datetime] = field(default_factory=dict)

    def times(self) -> Iterator[datetime]:
        """Yield the times that are known."""
        yield from filter(None, (self.captioned_at, self.tagged_at, self.locked_at, *self.marked_at.values()))


def words_of_record(record: PhotoRecord) -> DatedWords:
    """Return what a record of an export holds of the user's words."""
    own = next((each for each in record.captions if each.source == "user" and each.current), None)
    locked = next((Locked(each.source, each.text) for each in record.captions if each.locked), None)
    words = UserMetadata(
        None if own is None else own.text, merged_tags((), record.tags), locked,
        record.own_rating, record.favourite, record.hidden, record.review,
    )  # fmt: skip
    return with_dates(words, record.corrections, None if own is None else own.created_at)


def with_dates(words: UserMetadata, changes: Sequence[CorrectionRecord], captioned_at: datetime | None) -> DatedWords:
    """Date words by their history, oldest change first, and by the time the caption was made."""
    latest: dict[str, datetime] = {}
    untagged: dict[str, datetime] = {}
    for each in changes:
        for time in filter(None, (each.made_at, each.undone_at)):
            latest[each.kind] = max(time, latest.get(each.kind, time))
        if each.kind == "tags":
            old, new = ({tag_key(tag) for tag in read_tags(text)} for text in (each.old, each.new))
            for key in old - new:
                untagged[key] = each.made_at
            if each.undone_at is not None:
                for key in new - old:
                    untagged[key] = each.undone_at
    present = {tag_key(tag) for tag in words.tags}
    return DatedWords(
        words,
        max(filter(None, (latest.get("caption"), captioned_at)), default=None),
        latest.get("tags"),
        latest.get("lock"),
        {key: time for key, time in untagged.items() if key not in present},
        {name: latest[name] for name in MARKS if name in latest},
    )


def newest(mine: DatedWords, theirs: DatedWords) -> UserMetadata:
    """Merge two states of a photo: of caption, lock, stars and the like the newer one each, and the tags of both that
    were not removed since.

    What has no date is older than everything.
    """
    text, tags, locked = mine.words.caption, mine.words.tags, mine.words.locked
    if _after(theirs.captioned_at, mine.captioned_at) or (text is None and mine.captioned_at is None):
        text = theirs.words.caption
    removed_here = _removed_after(mine.untagged, theirs.tagged_at)
    removed_there = _removed_after(theirs.untagged, mine.tagged_at)
    tags = merged_tags(
        (tag for tag in tags if tag_key(tag) not in removed_there),
        (tag for tag in theirs.words.tags if tag_key(tag) not in removed_here),
    )
    if _after(theirs.locked_at, mine.locked_at) or (locked is None and mine.locked_at is None):
        locked = theirs.words.locked
    if locked is not None and locked.source == "user" and locked.text != text:
        locked = None if text is None else Locked("user", text)
    marks = {}
    for name in MARKS:
        before, after = getattr(mine.words, name), getattr(theirs.words, name)
        unsaid = not before and name not in mine.marked_at
        marks[name] = after if unsaid or _after(theirs.marked_at.get(name), mine.marked_at.get(name)) else before
    return UserMetadata(text, tags, locked, **marks)


def _after(one: datetime | None, other: datetime | None) -> bool:
    return one is not None and (other is None or one > other)


def _removed_after(untagged: dict[str, datetime], tagged_at: datetime | None) -> set[str]:
    return {key for key, time in untagged.items() if tagged_at is None or time > tagged_at}
