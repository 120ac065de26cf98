"""Walk a folder once and set aside what is as it was: the first half of every comparison.

Asks the catalogue in plain SQL and imports little, as most runs of ``photoindex index`` end here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

from photoindex.catalogue.database import Database
from photoindex.catalogue.fast_queries import known_states, sidecar_states
from photoindex.folders.compare import Sifted, sift
from photoindex.folders.filters import PhotoFilter
from photoindex.folders.walk import scanned_file, walk
from photoindex.system.file_state import Numbers
from photoindex.system.storage import is_folder
from photoindex.types import Progress


@dataclass(frozen=True, slots=True)
class TreeWalk:
    """What one walk of a folder (or of one file) met.

    ``left`` are the states of known files that differ or were not met, ``sidecars`` those of the known sidecars.
    ``was_empty``: no file was known there.
    """

    sifted: Sifted
    left: dict[str, Numbers]
    sidecars: dict[str, str]
    was_empty: bool
    problems: list[tuple[Path, OSError]] = field(default_factory=list)  # what could not be read

    @property
    def found_nothing_new(self) -> bool:
        """Whether all files, and all sidecars, are as they are known to be."""
        return not (self.left or self.sifted.others or self.sifted.beside or self.problems)


def walk_tree(
    database: Database, photo_filter: PhotoFilter, place: Path, report: Callable[[Progress], None] | None = None
) -> TreeWalk:
    """Walk a folder or look at a file. Raises :class:`FolderError` or OSError when it cannot be read."""
    with database.ask() as asker:
        known, sidecars = known_states(asker, place), sidecar_states(asker, place)
    was_empty = not known
    problems: list[tuple[Path, OSError]] = []

    def each(seen: int, path: str) -> None:
        if report is not None:
            report(Progress("scanning", seen, seen, Path(path), counting=True))

    files = walk(place, photo_filter, lambda path, error: problems.append((path, error)))
    sifted = sift(files, known, sidecars, scanned_file, each)
    return TreeWalk(sifted, known, sidecars, was_empty, problems)


def met_by_others(places: Collection[Path], photo_filter: PhotoFilter) -> set[Path]:
    """Return those of the places whose files a walk of another one meets, so that they are not counted twice."""
    given = set(places)
    return {
        place
        for place in given
        for around in place.parents
        if around in given and photo_filter.accepts_below(around, place) and _is_entered(around, place, photo_filter)
    }


def _is_entered(around: Path, place: Path, photo_filter: PhotoFilter) -> bool:
    """Return whether a walk that looks at ``place`` takes it under this path: behind a link it may have another."""
    if not is_folder(place):
        return photo_filter.accepts_file(place) and not _has_links(around, place.parent)
    return photo_filter.enters_folder(place) and not _has_links(around, place)


def _has_links(around: Path, folder: Path) -> bool:
    return any(os.path.islink(each) for each in (folder, *folder.parents) if around in each.parents)
