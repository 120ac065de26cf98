"""What a library holds, counted by the columns of its photos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from photoindex.library.gallery.snapshot import Snapshot
from photoindex.system.lazy_imports import lazily

if TYPE_CHECKING:
    import numpy as np
else:
    np = lazily("numpy")  # it is imported behind the first answer

MOST: Final = 20  # values of a kind, the most frequent ones


@dataclass(frozen=True, slots=True)
class LibraryCounts:
    """What a library holds, counted. Years come first to last, the rest most frequent first."""

    photos: int
    bytes: int
    undated: int
    years: list[tuple[str, int]]
    months: list[tuple[str, int]]
    cameras: list[tuple[str, int]]
    formats: list[tuple[str, int]]
    places: list[tuple[str, int]]
    folders: list[tuple[str, int]]
    tags: list[tuple[str, int]]
    labels: list[tuple[str, int]]


def count_library(snapshot: Snapshot) -> LibraryCounts:
    """Count the photos of a snapshot."""
    return LibraryCounts(
        photos=snapshot.count,
        bytes=int(snapshot.sizes.sum()),
        undated=int(np.count_nonzero(np.isnat(snapshot.taken))),
        years=snapshot.year_counts(),
        months=snapshot.month_counts(),
        cameras=snapshot.cameras.counts(None, MOST),
        formats=snapshot.formats.counts(None),
        places=snapshot.places.counts(None, MOST),
        folders=snapshot.folders.counts(None, MOST),
        tags=snapshot.tags.counts(None, MOST),
        labels=snapshot.labels.counts(None, MOST),
    )
