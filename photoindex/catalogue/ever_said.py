"""All that a user ever said of photos, taken back or not: by it this library knows its own words again where it meets
them in a sidecar, into which photoindex wrote them."""

from __future__ import annotations

import dataclasses
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from photoindex.catalogue.chunks import chunks
from photoindex.catalogue.many_rows import SET, is_one_of
from photoindex.catalogue.schema import caption, correction, photo, term
from photoindex.catalogue.user_metadata import tag_key
from photoindex.media.metadata.cleaning import each_once
from photoindex.media.metadata.xmp import caption_as_read, keyword_as_read
from photoindex.types import DecodedPhoto
from photoindex.types.term_sources import TAG_SOURCE


@dataclass
class EverSaid:
    """What a user ever said of a photo: captions and tags as they were written, stars, whether it was a favourite."""

    captions: set[str] = field(default_factory=set)
    tags: set[str] = field(default_factory=set)
    ratings: set[int] = field(default_factory=set)
    favourite: bool = False


def ever_said(connection: Connection, photo_ids: Sequence[int]) -> defaultdict[int, EverSaid]:
    """Return what a user ever said of each of these photos."""
    found: defaultdict[int, EverSaid] = defaultdict(EverSaid)
    for chunk in chunks(photo_ids, SET):
        captions = select(caption.c.photo_id, caption.c.text).where(caption.c.source == "user")
        for number, text in connection.execute(captions.where(is_one_of(caption.c.photo_id, chunk))):
            found[number].captions.add(text)
        tags = select(term.c.photo_id, term.c.text).where(term.c.source == TAG_SOURCE)
        for number, text in connection.execute(tags.where(is_one_of(term.c.photo_id, chunk))):
            found[number].tags.add(text)
        marks = select(photo.c.id, photo.c.own_rating, photo.c.favourite).where(is_one_of(photo.c.id, chunk))
        for number, rating, favourite in connection.execute(marks):
            if rating is not None:
                found[number].ratings.add(rating)
            found[number].favourite |= favourite
        changes = select(correction.c.photo_id, correction.c.kind, correction.c.old, correction.c.new)
        changes = changes.where(correction.c.kind.in_(("tags", "rating", "favourite")))
        for number, kind, *values in connection.execute(changes.where(is_one_of(correction.c.photo_id, chunk))):
            for value in filter(None, values):
                _add(found[number], kind, value)
    return found


def _add(said: EverSaid, kind: str, value: str) -> None:
    if kind == "tags":
        said.tags |= set(json.loads(value))
    elif kind == "rating":
        said.ratings.add(int(value))
    else:
        said.favourite = True


def without_own_words(connection: Connection, read: Sequence[tuple[int, DecodedPhoto]]) -> list[DecodedPhoto]:
    """Return what was read of photos, by id, without the words of this library's user in their sidecars: those that
    photoindex wrote there and that the user ever said here.

    What the user says is known here. What they took back must not come back as another's words, from a sidecar that
    was written before. In a library that never had a word, it counts as the sidecar's.
    """
    with_words = [number for number, photo in read if photo.unexported is not None]
    said = ever_said(connection, with_words) if with_words else {}
    return [_without(photo, said[number]) if photo.unexported is not None else photo for number, photo in read]


def _without(photo: DecodedPhoto, said: EverSaid) -> DecodedPhoto:
    facts, written, others = photo.facts, photo.written, photo.unexported
    assert others is not None
    tags = {tag_key(tag) for tag in map(keyword_as_read, said.tags) if tag is not None}
    own = {word for word in {*written.keywords} - {*others.written.keywords} if tag_key(word) in tags}
    own_captions = map(caption_as_read, said.captions)
    is_own_caption = written.caption != others.written.caption and written.caption in own_captions
    is_own_rating = facts.rating != others.rating and (facts.rating or 0) in said.ratings
    kept = (word for word in written.keywords if word not in own)
    return dataclasses.replace(
        photo,
        facts=dataclasses.replace(facts, rating=others.rating) if is_own_rating else facts,
        written=dataclasses.replace(
            written,
            caption=others.written.caption if is_own_caption else written.caption,
            keywords=each_once((*kept, *others.written.keywords)),
        ),
        unexported=None,
    )
