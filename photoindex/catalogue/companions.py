"""The files that belong to a photo beside the one that was read: its raw file, its film.

Raw files are known to the catalogue. Films are none of its files; whether one lies beside a photo is seen when it is
asked.
"""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import Connection

from photoindex.catalogue import raw_pairs
from photoindex.media.formats import FILM_SUFFIXES, suffix_of
from photoindex.types import Companion, Photo


def companions_of(connection: Connection, photo: Photo) -> tuple[Companion, ...]:
    """What belongs to the files of a photo that are there, by path."""
    raws = [Companion(path, "raw") for path in raw_pairs.raws_of(connection, photo.id)]
    films = [Companion(film, "live") for path in photo.paths for film in films_beside(path)]
    return tuple(sorted((*raws, *films), key=lambda companion: companion.path))


def films_beside(path: Path) -> list[Path]:
    """The films in a photo's folder that have its stem, whatever the case: the moving part of a live photo."""
    stem = path.stem.casefold()
    try:
        with os.scandir(path.parent) as entries:
            names = [entry.name for entry in entries]
    except OSError:
        return []
    beside = [path.with_name(name) for name in names]
    return [each for each in beside if suffix_of(each) in FILM_SUFFIXES and each.stem.casefold() == stem]
