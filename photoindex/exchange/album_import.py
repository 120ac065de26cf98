"""Imports albums, and what was said to be no duplicates. What this library has is added to, and never taken away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from photoindex.catalogue import albums
from photoindex.catalogue.photos import find_by_hash
from photoindex.exchange.records import AlbumRecord, DistinctRecord


def merge_album(connection: Connection, record: AlbumRecord, matched: Mapping[str, int]) -> bool:
    """Make an album, or add the photos to the one of this name; return whether that changed anything.

    ``matched`` are the photos that stand for contents of the export, by hash. An album of this library keeps its query.
    Raises :class:`photoindex.errors.AlbumError` for a name that cannot be taken.
    """
    found = albums.find_album(connection, record.name)
    made = found is None
    if found is None:
        found = albums.add_album(connection, record.name, record.query, record.created_at)
    if found.query is not None:
        return made
    known = _photos(connection, record.photos, matched)
    ids = [known[content] for content in record.photos if content in known]
    return bool(albums.add_photos(connection, found.id, ids, record.created_at)) or made


def merge_distinct(connection: Connection, record: DistinctRecord, matched: Mapping[str, int]) -> None:
    """Say that two photos are no duplicates, if both are known here."""
    known = _photos(connection, record.photos, matched)
    if len(known) == len(set(record.photos)):
        albums.put_distinct(connection, [known[content] for content in record.photos], record.made_at)


def _photos(connection: Connection, hashes: Sequence[str], matched: Mapping[str, int]) -> dict[str, int]:
    """Return the photo of each content that is known here, or that another stands for."""
    found = {content: known for content, (known, _) in find_by_hash(connection, hashes).items()}
    return found | {content: matched[content] for content in hashes if content in matched}
