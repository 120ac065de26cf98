"""Imports albums, and what was said to be no duplicates. What this library has is added to, and never taken away."""

from __future__ import annotations

from sqlalchemy import Connection

from photoindex.catalogue import albums
from photoindex.catalogue.photos import find_by_hash
from photoindex.exchange.records import AlbumRecord, DistinctRecord


def merge_album(connection: Connection, record: AlbumRecord) -> bool:
    """Make an album, or add the photos to the one of this name; return whether that changed anything.

    An album of this library keeps its query. Raises :class:`photoindex.errors.AlbumError` for a name that cannot be
    taken.
    """
    found = albums.find_album(connection, record.name)
    made = found is None
    if found is None:
        found = albums.add_album(connection, record.name, record.query, record.created_at)
    if found.query is not None:
        return made
    known = find_by_hash(connection, record.photos)
    ids = [known[content][0] for content in record.photos if content in known]
    return bool(albums.add_photos(connection, found.id, ids, record.created_at)) or made


def merge_distinct(connection: Connection, record: DistinctRecord) -> None:
    """Say that two photos are no duplicates, if both are known here."""
    known = find_by_hash(connection, record.photos)
    if len(known) == len(set(record.photos)):
        albums.put_distinct(connection, [known[content][0] for content in record.photos], record.made_at)
