"""What a library holds, counted by the columns of its photos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from photoindex.library.gallery.found_counts import (
    cameras_found,
    folders_found,
    labels_found,
    marks_found,
    places_found,
)
from photoindex.library.gallery.snapshot import Snapshot
from photoindex.system.lazy_imports import lazily

if TYPE_CHECKING:
    import numpy as np
else:
    np = lazily("numpy")  # it is imported behind the first answer

MOST: Final = 20  # values of a kind, the most frequent ones


@dataclass(frozen=True, slots=True)
class LibraryCounts:
    """What a library holds, counted. Years come first to last, the rest most frequent first, each with how many photos
    a query for it finds. Hidden photos, which no such query finds, are counted apart."""

    photos: int
    hidden: int
    bytes: int
    undated: int
    years: list[tuple[str, int]]
    months: list[tuple[str, int]]
    cameras: list[tuple[str, int]]
    formats: list[tuple[str, int]]
    places: list[tuple[str, int]]
    folders: list[tuple[str, int]]
    tags: list[tuple[str, int]]
    people: list[tuple[str, int]]
    labels: list[tuple[str, int]]


def count_library(snapshot: Snapshot) -> LibraryCounts:
    """Count the photos of a snapshot, which holds hidden ones too."""
    hidden, snapshot = int(np.count_nonzero(snapshot.hidden)), snapshot.visible()
    return LibraryCounts(
        photos=snapshot.count,
        hidden=hidden,
        bytes=int(snapshot.sizes.sum()),
        undated=snapshot.undated,
        years=snapshot.year_counts(),
        months=snapshot.month_counts(),
        cameras=cameras_found(snapshot.cameras, None, MOST),
        formats=snapshot.formats.counts(None),
        places=places_found(snapshot, None, MOST),
        folders=folders_found(snapshot.folders, None, MOST),
        tags=marks_found(snapshot.tags, None, MOST),
        people=marks_found(snapshot.people, None, MOST),
        labels=labels_found(snapshot, MOST),
    )
