"""Load photos with all their details, by path or id."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from sqlalchemy import Connection

from photoindex.catalogue import files, photos, raw_pairs, term_vectors
from photoindex.errors import FolderError
from photoindex.media.formats import FILM_SUFFIXES, suffix_of
from photoindex.system import storage
from photoindex.system.paths import absolute, shown
from photoindex.system.terminal import shell_quoted
from photoindex.system.url_paths import is_url
from photoindex.types import Companion, Photo


def photo_at(connection: Connection, path: Path) -> Photo | None:
    """Return the photo at a path, with its learned terms and companions; ``None`` before its content was read.

    Raises :class:`FolderError` for an unknown path.
    """
    place = absolute(path)
    ids = files.photo_at(connection, place)
    if ids is None:
        raise unknown(place)
    if ids[1] is None:
        return None
    photo = photos.load_photos(connection, [ids[1]], files.paths_of(connection, [ids[1]]))[0]
    terms = photo.terms + term_vectors.terms_of(connection, photo.id)
    return dataclasses.replace(photo, terms=terms, companions=companions_of(connection, photo))


def unknown(place: Path, instead_of_folder: str = "name photos") -> FolderError:
    """Return the error for a path that the library knows nothing of, by what is there: nothing, a folder, or a file."""
    if storage.is_folder(place) and storage.is_there(place):
        return FolderError(f"{shown(place)} is a folder: {instead_of_folder}")
    if storage.is_gone(place):
        return FolderError(f"{shown(place)} is not in the library, and there is no such file")
    command = f"photoindex index {shell_quoted(place.parent)}"
    return FolderError(f"{shown(place)} is not in the library: add it with: {command}")


def photos_by_id(connection: Connection, photo_ids: Sequence[int]) -> list[Photo]:
    """Return the photos with these ids, in this order, without learned terms; unknown ids are skipped."""
    return photos.load_photos(connection, photo_ids, files.paths_of(connection, photo_ids))


def file_ids_at(connection: Connection, paths: Iterable[Path]) -> list[int]:
    """Return the ids of the files at these paths. Raises :class:`FolderError` for an unknown path."""
    places = list(map(absolute, paths))
    known = files.rows_at(connection, places)
    for place in places:
        if place not in known:
            raise unknown(place)
    return [known[place].id for place in places]


def companions_of(connection: Connection, photo: Photo) -> tuple[Companion, ...]:
    """Return the files that belong to a photo beside those that were read, by path: its raw file, its film.

    Raw files are known to the catalogue. Films are none of its files: whether one lies beside a photo is looked at now.
    """
    raws = [Companion(path, "raw") for path in raw_pairs.raws_of(connection, photo.id)]
    films = [Companion(film, "live") for path in photo.paths for film in films_beside(path)]
    return tuple(sorted((*raws, *films), key=lambda companion: companion.path))


def films_beside(path: Path) -> list[Path]:
    """Return the films in a photo's folder with its stem, without regard to case: the moving part of a live photo.

    None for a photo behind a URL: a page does not wait for a store to list a folder.
    """
    if is_url(path):
        return []
    stem = path.stem.casefold()
    try:
        names = os.listdir(path.parent)
    except OSError:
        return []
    beside = [path.with_name(name) for name in names]
    return [each for each in beside if suffix_of(each) in FILM_SUFFIXES and each.stem.casefold() == stem]
