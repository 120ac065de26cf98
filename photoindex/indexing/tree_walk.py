"""Walk a folder once and set aside what is as it was: the first half of every comparison.

Asks the catalogue in plain SQL and imports little, as most runs of ``photoindex index`` end here.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from photoindex.catalogue.database import Database
from photoindex.catalogue.fast_queries import known_states, sidecar_states
from photoindex.folders.compare import Sifted, sift
from photoindex.folders.filters import PhotoFilter
from photoindex.folders.walk import Met, scanned_file, walk
from photoindex.system.file_state import Numbers
from photoindex.system.paths import is_in_any
from photoindex.types import Progress


@dataclass(frozen=True, slots=True)
class TreeWalk:
    """What one walk of a folder (or of one file) met.

    ``left`` are the states of known files that differ or were not met, ``sidecars`` those of the known sidecars.
    ``was_empty``: no file was known there. ``counted`` are the files that were met, but for those that are counted with
    a path within.
    """

    sifted: Sifted
    counted: int
    left: dict[str, Numbers]
    sidecars: dict[str, str]
    was_empty: bool
    problems: list[tuple[Path, OSError]] = field(default_factory=list)  # what could not be read

    @property
    def found_nothing_new(self) -> bool:
        """Whether all files, and all sidecars, are as they are known to be."""
        return not (self.left or self.sifted.others or self.sifted.beside or self.problems)


def walk_tree(
    database: Database,
    photo_filter: PhotoFilter,
    place: Path,
    report: Callable[[Progress], None] | None = None,
    within: Collection[Path] = (),
) -> TreeWalk:
    """Walk a folder or look at a file. ``within`` are paths whose files are counted with them (:func:`nested`).

    Raises :class:`FolderError` or OSError when it cannot be read.
    """
    with database.ask() as asker:
        known, sidecars = known_states(asker, place), sidecar_states(asker, place)
    was_empty = not known
    problems: list[tuple[Path, OSError]] = []
    elsewhere = 0

    def each(seen: int, path: str) -> None:
        if report is not None:
            report(Progress("scanning", seen, seen, Path(path), counting=True))

    def count(met: Iterable[Met]) -> Iterator[Met]:
        nonlocal elsewhere
        of_folder = cache(lambda folder: is_in_any(Path(folder), within))
        for item in met:
            path = item[0]
            elsewhere += of_folder(os.path.dirname(path)) or Path(path) in within
            yield item

    files = walk(place, photo_filter, lambda path, error: problems.append((path, error)))
    sifted = sift(count(files) if within else files, known, sidecars, scanned_file, each)
    return TreeWalk(sifted, sifted.seen - elsewhere, known, sidecars, was_empty, problems)


def nested(places: Iterable[Path]) -> dict[Path, set[Path]]:
    """Return those of the places that have others below them, each with these.

    A file is counted with the deepest of them that it lies at or below, or each that leads to it would count it. So it
    does not matter whether a walk from one comes to another, which names, rules and links may prevent.
    """
    given = set(places)
    found: dict[Path, set[Path]] = defaultdict(set)
    for place in given:
        for around in place.parents:
            if around in given:
                found[around].add(place)
    return dict(found)
