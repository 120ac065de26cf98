"""What people say of a photo, here and in an export, with the times that it was said; and what counts of the two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from photoindex.catalogue.corrections import Locked, Said, read_tags, tag_key
from photoindex.catalogue.editor import merged_tags
from photoindex.exchange.records import CorrectionRecord, PhotoRecord


@dataclass(frozen=True, slots=True)
class Heard:
    """What people say of a photo, from wherever it comes, and when each was last changed (``None``: nobody knows)."""

    said: Said
    captioned_at: datetime | None = None
    tagged_at: datetime | None = None
    locked_at: datetime | None = None
    untagged: dict[str, datetime] = field(default_factory=dict)  # by key: tags that were taken off, and when


def heard_of(record: PhotoRecord) -> Heard:
    """What a record says."""
    spoken = next((each for each in record.captions if each.source == "user" and each.current), None)
    locked = next((Locked(each.source, each.text) for each in record.captions if each.locked), None)
    said = Said(None if spoken is None else spoken.text, merged_tags((), record.tags), locked)
    return with_times(said, record.corrections, None if spoken is None else spoken.created_at)


def with_times(said: Said, changes: Sequence[CorrectionRecord], spoken_at: datetime | None) -> Heard:
    """What is said, dated by its history, oldest first, and by when the caption was made."""
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
    here = {tag_key(tag) for tag in said.tags}
    captioned_at = max(filter(None, (latest.get("caption"), spoken_at)), default=None)
    return Heard(
        said,
        captioned_at,
        latest.get("tags"),
        latest.get("lock"),
        {key: time for key, time in untagged.items() if key not in here},
    )


def newer(mine: Heard, theirs: Heard) -> Said:
    """What counts of two: by itself caption, tags and lock, each the newer; what nobody dated is older than all."""
    text, tags, locked = mine.said.caption, mine.said.tags, mine.said.locked
    if _after(theirs.captioned_at, mine.captioned_at) or (text is None and mine.captioned_at is None):
        text = theirs.said.caption
    taken_off = _off(mine.untagged, theirs.tagged_at)
    kept_off = _off(theirs.untagged, mine.tagged_at)
    tags = merged_tags(
        (tag for tag in tags if tag_key(tag) not in kept_off),
        (tag for tag in theirs.said.tags if tag_key(tag) not in taken_off),
    )
    if _after(theirs.locked_at, mine.locked_at) or (locked is None and mine.locked_at is None):
        locked = theirs.said.locked
    if locked is not None and locked.source == "user" and locked.text != text:
        locked = None if text is None else Locked("user", text)
    return Said(text, tags, locked)


def _after(one: datetime | None, other: datetime | None) -> bool:
    return one is not None and (other is None or one > other)


def _off(untagged: dict[str, datetime], tagged_at: datetime | None) -> set[str]:
    """The tags that were taken off by the one after the other had last tagged."""
    return {key for key, time in untagged.items() if tagged_at is None or time > tagged_at}
