"""All that is known of photos, at paths and by ids, from every part of the catalogue."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

from sqlalchemy import Connection

from photoindex.catalogue import files, photos, term_vectors
from photoindex.catalogue.companions import companions_of
from photoindex.errors import FolderError
from photoindex.system.paths import absolute
from photoindex.types import Photo


def photo_at(connection: Connection, path: Path) -> Photo | None:
    """The photo at a path, with its learned terms and companions; ``None`` when its content has not been read yet.

    Raises :class:`FolderError` when the library never met that path.
    """
    place = absolute(path)
    found = files.photo_at(connection, place)
    if found is None:
        raise FolderError(f"{place} is not in the library: add it with `photoindex index {place.parent}`")
    if found[1] is None:
        return None
    photo = photos.load_photos(connection, [found[1]], files.paths_of(connection, [found[1]]))[0]
    terms = photo.terms + term_vectors.terms_of(connection, photo.id)
    return dataclasses.replace(photo, terms=terms, companions=companions_of(connection, photo))


def photos_by_id(connection: Connection, photo_ids: Sequence[int]) -> list[Photo]:
    """The photos with these ids, in this order, without learned terms; unknown ones are left out."""
    return photos.load_photos(connection, photo_ids, files.paths_of(connection, photo_ids))


def file_ids_at(connection: Connection, paths: Iterable[Path]) -> list[int]:
    """The ids of the files at these paths. Raises :class:`FolderError` for one that the library never met."""
    ids = []
    for place in map(absolute, paths):
        found = files.photo_at(connection, place)
        if found is None:
            raise FolderError(f"{place} is not in the library")
        ids.append(found[0])
    return ids
