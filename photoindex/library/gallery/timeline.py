"""The timeline, whole or narrowed by folder, camera, person, place and stars.

What is narrowed to is found by masks over the columns of a snapshot: of a million photos it takes some milliseconds,
and four bytes for each photo that is left.
"""

from __future__ import annotations

import os
import threading
from collections import Counter, OrderedDict
from collections.abc import Iterable
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from photoindex.library.gallery.snapshot import Codes, Marks, Snapshot, count_dates
from photoindex.system.lazy_imports import lazily
from photoindex.system.paths import is_text_below, printable
from photoindex.types.limits import MOST_STARS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = lazily("numpy")  # it is imported behind the first answer

MOST_KEPT: Final = 4  # timelines: some megabytes each of a million photos
MOST_CHOICES: Final = 200  # of each kind, those of most photos


class TimelineFilter(NamedTuple):
    """Which photos are wanted; what is empty, or 0, wants all. ``folder``: in it or below it, as
    :func:`.paths.printable` writes it; ``rating``: so many stars or more."""

    folder: str = ""
    camera: str = ""
    person: str = ""
    place: str = ""
    rating: int = 0


EVERY_PHOTO: Final = TimelineFilter()
FILTER_FIELDS: Final = TimelineFilter._fields


class Timeline:
    """The photos of a snapshot that a filter wants, in its order. A *place* is a number among these, from 0."""

    def __init__(self, snapshot: Snapshot, chosen: TimelineFilter = EVERY_PHOTO) -> None:
        self.snapshot = snapshot
        self.chosen = chosen

    @cached_property
    def _masks(self) -> dict[str, NDArray[np.bool_]]:
        """For each part of the filter that is given: which rows it wants."""
        given = self.chosen._asdict()
        return {name: _mask(self.snapshot, name, value) for name, value in given.items() if value}

    @cached_property
    def _rows(self) -> NDArray[np.int32] | None:
        """The rows of the photos; ``None``: all of them."""
        mask = _both(self._masks.values())
        return None if mask is None else np.flatnonzero(mask).astype(np.int32)

    @property
    def count(self) -> int:
        """How many photos there are."""
        return self.snapshot.count if self._rows is None else int(self._rows.size)

    def rows(self, first: int, count: int) -> list[int]:
        """Return the snapshot's rows of so many photos from a place on."""
        places = range(max(first, 0), min(first + count, self.count))
        if self._rows is None:
            return list(places)
        rows: list[int] = self._rows[places.start : places.stop].tolist()
        return rows

    def place_of(self, photo_id: int) -> int | None:
        """Return the place of a photo; ``None`` when it is not here."""
        rows = self.snapshot.rows_of([photo_id])
        if not rows.size:
            return None
        if self._rows is None:
            return int(rows[0])
        place = int(np.searchsorted(self._rows, rows[0]))
        return place if place < self.count and self._rows[place] == rows[0] else None

    def around(self, photo_id: int, whole: Snapshot) -> tuple[int | None, int | None]:
        """Return the photos before and after one. A photo that is not here, as it was hidden or got fewer stars a
        moment ago, has the place that it would have: its own in ``whole``, which holds hidden photos too."""
        ids, rows = self.snapshot.ids, self._rows
        place = self.place_of(photo_id)
        if place is not None:
            before, after = self.rows(place - 1, 1) if place else [], self.rows(place + 1, 1)
            return next((int(ids[row]) for row in before), None), next((int(ids[row]) for row in after), None)
        wanted = whole.rows_of([photo_id])
        if not wanted.size:
            return None, None
        held = whole.mask_of(ids if rows is None else ids[rows])
        earlier, later = np.flatnonzero(held[: wanted[0]]), np.flatnonzero(held[wanted[0] + 1 :])
        return (
            int(whole.ids[earlier[-1]]) if earlier.size else None,
            int(whole.ids[wanted[0] + 1 + later[0]]) if later.size else None,
        )

    @cached_property
    def _days(self) -> list[tuple[str | None, int]]:
        return count_dates(self.snapshot.taken[self._rows], "D")

    def days(self) -> list[tuple[str | None, int]]:
        """Return (day in ISO form, or ``None``; number of its photos) in the order of the photos."""
        return self.snapshot.days() if self._rows is None else self._days

    def shapes(self) -> bytes:
        """Return a byte a photo, as :meth:`.Snapshot.shapes` does."""
        whole = self.snapshot.shapes()
        return whole if self._rows is None else np.frombuffer(whole, np.uint8)[self._rows].tobytes()

    @cached_property
    def choices(self) -> dict[str, list[tuple[str, int]]]:
        """For each part of the filter: what it can be, and how many photos it would leave beside the other parts.
        Stars from one on, the rest by name."""
        return {name: self._choices_of(name) for name in FILTER_FIELDS}

    def _choices_of(self, name: str) -> list[tuple[str, int]]:
        snapshot = self.snapshot
        others = _both(mask for part, mask in self._masks.items() if part != name)
        if name == "rating":
            ratings = snapshot.ratings if others is None else snapshot.ratings[others]
            counts = [(str(stars), int(np.count_nonzero(ratings >= stars))) for stars in range(1, MOST_STARS + 1)]
            return [each for each in counts if each[1]]
        if name == "person":
            return sorted(snapshot.people.counts(others, MOST_CHOICES))
        column: Codes = getattr(snapshot, f"{name}s")
        counted = column.counts(None if others is None else np.flatnonzero(others))
        if name == "folder":
            counted = folder_counts((printable(Path(text)), count) for text, count in counted)
        return sorted(counted[:MOST_CHOICES])


class Timelines:
    """The timelines that were asked for last, so that neither a part of one nor its choices are worked out again. Safe
    between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[TimelineFilter, Timeline] = OrderedDict()

    def of(self, snapshot: Snapshot, chosen: TimelineFilter) -> Timeline:
        """Return the timeline of a snapshot that a filter leaves."""
        with self._lock:
            timeline = self._kept.pop(chosen, None)
            if timeline is None or timeline.snapshot is not snapshot:
                timeline = Timeline(snapshot, chosen)
            self._kept[chosen] = timeline
            # Those of an older snapshot would keep all of it in memory.
            for key in [key for key, each in self._kept.items() if each.snapshot is not snapshot]:
                del self._kept[key]
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
            return timeline


def folder_counts(counted: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    """Return how many photos lie in each folder or below it, most first, by how many lie in each itself; of the folders
    above without photos of their own those alone that tell others apart."""
    own = Counter(dict(counted))
    below: Counter[str] = Counter()
    inside: dict[str, set[str]] = {}  # what holds photos directly below a folder
    for folder, count in own.items():
        inner = folder
        below[folder] += count
        while (outer := inner.rpartition(os.sep)[0]) != inner:
            inside.setdefault(outer, set()).add(inner)
            below[outer] += count
            inner = outer
    return [(folder, count) for folder, count in below.most_common()
            if folder and (folder in own or len(inside[folder]) > 1)]  # fmt: skip


def _both(masks: Iterable[NDArray[np.bool_]]) -> NDArray[np.bool_] | None:
    """Return where all masks are true; ``None`` when there is none."""
    within = None
    for mask in masks:
        within = mask if within is None else within & mask
    return within


def _mask(snapshot: Snapshot, name: str, value: str | int) -> NDArray[np.bool_]:
    """Return which rows one part of a filter wants."""
    if isinstance(value, int):
        wanted: NDArray[np.bool_] = snapshot.ratings >= value
        return wanted
    if name == "person":
        return _marked(snapshot, snapshot.people, value)
    column: Codes = getattr(snapshot, f"{name}s")
    if name == "folder":
        texts = _printable(column.names)
        chosen = [code for code, text in enumerate(texts) if text == value or is_text_below(text, value)]
    else:
        chosen = [code for code, text in enumerate(column.names) if text == value]
    table = np.zeros(len(column.names) + 1, np.bool_)  # the last is that of UNKNOWN
    table[chosen] = True
    return table[column.codes]


def _marked(snapshot: Snapshot, marks: Marks, value: str) -> NDArray[np.bool_]:
    code = marks.names.index(value) if value in marks.names else len(marks.names)
    return snapshot.mask(marks.rows[marks.codes == code])


@lru_cache(maxsize=2)
def _printable(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(printable(Path(name)) for name in names)
