"""All photos of a library as columns in memory, in the order of the timeline: what pages are cut, sorted and counted
from.

A hundred thousand photos take some 15 MB and a quarter of a second to read, and then a year, a count or an order takes
milliseconds. Whoever holds a snapshot has one state of the library, whatever is written meanwhile.
"""

from __future__ import annotations

import os
import posixpath
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from photoindex.catalogue import gallery_queries
from photoindex.catalogue.database import Database
from photoindex.system import memory

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]

LEAST_SECONDS: Final = 1.0  # between two readings of the catalogue
MANY: Final = 20_000  # photos, whose rows take memory worth giving back
SHARE: Final = 20  # a snapshot that takes a second to read is read every 20 seconds at most
NEVER: Final = np.datetime64("NaT", "s")
UNKNOWN: Final = -1  # a code: the photo has no such value
SHAPE_STEPS: Final = 48  # of a shape to each doubling of width to height
SQUARE: Final = 128


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """A column of texts that repeat: ``names``, and for each row its place there, or ``UNKNOWN``."""

    names: tuple[str, ...]
    codes: NDArray[np.int32]

    @classmethod
    def of(cls, values: Iterable[str | None], count: int) -> Codes:
        known: dict[str, int] = {}
        codes = np.fromiter(
            (UNKNOWN if not value else known.setdefault(value, len(known)) for value in values), np.int32, count
        )
        return cls(tuple(known), codes)

    def counts(self, rows: NDArray[np.intp], most: int | None = None) -> list[tuple[str, int]]:
        """Return how many of these rows have each value, the most frequent first."""
        codes = self.codes[rows]
        counted = np.bincount(codes[codes >= 0], minlength=len(self.names))
        order = np.argsort(-counted, kind="stable")[:most]
        return [(self.names[place], int(counted[place])) for place in order if counted[place]]


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """The photos that have a file, one row each: newest first, those without a date last. ``taken`` is local time."""

    revision: int
    ids: Integers
    hashes: NDArray[np.uint8]  # (n, 32)
    widths: NDArray[np.int32]
    heights: NDArray[np.int32]
    taken: NDArray[np.datetime64]
    added: NDArray[np.datetime64]
    ratings: NDArray[np.int8]  # 0: none
    sizes: Integers  # bytes
    cameras: Codes
    formats: Codes
    places: Codes
    folders: Codes
    tags: Codes  # a row a tag, of the photos in tagged
    tagged: NDArray[np.intp]
    favourites: NDArray[np.bool_]
    hidden: NDArray[np.bool_]
    _ascending: NDArray[np.intp] = field(repr=False)  # rows by id

    @property
    def count(self) -> int:
        """How many photos there are."""
        return int(self.ids.size)

    def is_like(self, other: Snapshot) -> bool:
        """Return whether both hold the same photos, with the same facts."""
        return self.tags.names == other.tags.names and all(
            np.array_equal(mine, theirs) for mine, theirs in zip(self._facts(), other._facts(), strict=True)
        )

    def _facts(self) -> tuple[NDArray[Any], ...]:
        times = self.taken.view(np.int64)  # NaT is equal to itself there
        marks = self.ratings, self.favourites, self.hidden
        return self.ids, self.hashes, times, *marks, self.folders.codes, self.tags.codes, self.tagged

    def visible(self) -> Snapshot:
        """Return the snapshot without hidden photos: itself where there are none."""
        if not self.hidden.any():
            return self
        kept = np.flatnonzero(~self.hidden)
        place = np.cumsum(~self.hidden) - 1  # of a row among those that are kept
        tagged = ~self.hidden[self.tagged]

        def of(codes: Codes) -> Codes:
            return Codes(codes.names, codes.codes[kept])

        columns: dict[str, Any] = {name: getattr(self, name)[kept] for name in _COLUMNS}
        columns |= {name: of(getattr(self, name)) for name in ("cameras", "formats", "places", "folders")}
        return replace(
            self,
            **columns,
            tags=Codes(self.tags.names, self.tags.codes[tagged]),
            tagged=place[self.tagged[tagged]].astype(np.intp),
            _ascending=np.argsort(self.ids[kept], kind="stable"),
        )

    def rows_of(self, photo_ids: Sequence[int] | Integers) -> NDArray[np.intp]:
        """Return the rows of those of these photos that are here, in their order."""
        return self.locate(photo_ids)[0]

    def locate(self, photo_ids: Sequence[int] | Integers) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the rows of those of these photos that are here, in their order, and their places among them all."""
        wanted = np.asarray(photo_ids, np.int64)
        if not self.count or not wanted.size:
            return np.zeros(0, np.intp), np.zeros(0, np.intp)
        ascending = self.ids[self._ascending]
        places = np.minimum(np.searchsorted(ascending, wanted), self.count - 1)
        met = ascending[places] == wanted
        return self._ascending[places[met]], np.flatnonzero(met)

    def content_hash(self, row: int) -> str:
        """Return the SHA-256 of a photo."""
        return bytes(self.hashes[row]).hex()

    def taken_text(self, row: int) -> str | None:
        """Return when a photo was taken, in ISO form; ``None`` when that is not known."""
        return None if np.isnat(self.taken[row]) else str(self.taken[row])

    def days(self) -> list[tuple[str | None, int]]:
        """Return (day in ISO form, or ``None``; number of its photos) in the order of the rows."""
        if not self.count:
            return []
        days = self.taken.astype("datetime64[D]")
        numbers = days.view(np.int64)
        starts = np.flatnonzero(np.diff(numbers, prepend=numbers[0] - 1))
        counts = np.diff(starts, append=self.count)
        names = [None if np.isnat(day) else str(day) for day in days[starts]]
        return list(zip(names, counts.tolist(), strict=True))

    def shapes(self) -> bytes:
        """Return a byte a photo: 128 for a square, 48 more for each doubling of width to height."""
        known = (self.widths > 0) & (self.heights > 0)
        ratio = np.where(known, self.widths / np.maximum(self.heights, 1), 4 / 3)
        steps = np.round(np.log2(np.maximum(ratio, 1e-3)) * SHAPE_STEPS) + SQUARE
        return bytes(np.clip(steps, 0, 255).astype(np.uint8))

    def tag_counts(self, rows: NDArray[np.intp], most: int) -> list[tuple[str, int]]:
        """Return how many of these photos have each tag, the most frequent first."""
        chosen = np.zeros(self.count, np.bool_)
        chosen[rows] = True
        return self.tags.counts(np.flatnonzero(chosen[self.tagged]), most)


_COLUMNS: Final = (
    "ids", "hashes", "widths", "heights", "taken", "added", "ratings", "sizes", "favourites", "hidden",
)  # fmt: skip


class Snapshots:
    """The latest snapshot, read again when the catalogue has changed, and not too often. Safe between threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._latest: Snapshot | None = None
        self._visible: Snapshot | None = None  # of the latest
        self._version: Any = None  # SQLite's, of the latest
        self._read_at = -1e9
        self._read_seconds = 0.0

    def latest(self, *, now: bool = False) -> Snapshot:
        """Return a snapshot that is no older than it must be; with ``now``, one of this moment."""
        with self._lock:
            version = self._data_version()
            pause = max(LEAST_SECONDS, SHARE * self._read_seconds)
            due = now or time.monotonic() - self._read_at >= pause
            if self._latest is None or (version != self._version and due):
                started = time.monotonic()
                read = read_snapshot(self._database, 1 if self._latest is None else self._latest.revision + 1)
                if self._latest is None or not read.is_like(self._latest):
                    self._latest, self._visible = read, None
                self._version = version
                self._read_at = time.monotonic()
                self._read_seconds = self._read_at - started
                if read.count >= MANY:
                    memory.give_back()  # the rows that it was read from
            return self._latest

    def visible(self) -> Snapshot:
        """Return the latest snapshot without hidden photos."""
        latest = self.latest()
        with self._lock:
            if latest is not self._latest:
                return latest.visible()
            if self._visible is None:
                self._visible = latest.visible()
            return self._visible

    def state(self) -> tuple[int, Any]:
        """Return what differs after every change: the latest snapshot's revision, and that of the catalogue."""
        revision = self.latest().revision
        with self._lock:
            return revision, self._data_version()

    def _data_version(self) -> Any:
        return self._database.commits()


def read_snapshot(database: Database, revision: int) -> Snapshot:
    """Read all photos that have a file."""
    with database.ask() as asker:
        rows = gallery_queries.present_photos(asker)
        written = gallery_queries.written_terms(asker)
        roots = gallery_queries.root_paths(asker)
    rows = [row for row in rows if _is_hash(row[1])]
    count = len(rows)
    columns: Sequence[Sequence[Any]] = list(zip(*rows, strict=True)) or [()] * 16
    (ids, hashes, widths, heights, taken, cameras, ratings, added, formats, countries, cities, sizes, root_ids,
     relatives, favourites, hidden) = columns  # fmt: skip
    id_column = np.array(ids, np.int64)
    times = _times(taken)
    # Newest first; NaT is the smallest number there is, so that it comes last.
    order = np.lexsort((-id_column, -times.view(np.int64).astype(np.float64)))
    place_names = (", ".join(part for part in pair if part) for pair in zip(cities, countries, strict=True))
    folders = (
        os.path.join(roots[root], os.fsdecode(posixpath.dirname(bytes(relative)))).rstrip("/")
        for root, relative in zip(root_ids, relatives, strict=True)
    )
    sorted_ids = id_column[order]
    ascending = np.argsort(sorted_ids, kind="stable")
    hash_column = np.frombuffer(bytes.fromhex("".join(hashes)), np.uint8).reshape(count, 32)

    def coded(values: Iterable[str | None]) -> Codes:
        codes = Codes.of(values, count)
        return Codes(codes.names, codes.codes[order])

    places = np.searchsorted(sorted_ids[ascending], np.array([row[0] for row in written], np.int64))
    held = [
        (int(ascending[place]), text)
        for place, (photo_id, text) in zip(places.tolist(), written, strict=True)
        if place < count and sorted_ids[ascending[place]] == photo_id
    ]
    return Snapshot(
        revision=revision,
        ids=sorted_ids,
        hashes=hash_column[order],
        widths=_numbers(widths, np.int32)[order],
        heights=_numbers(heights, np.int32)[order],
        taken=times[order],
        added=_times(added)[order],
        ratings=_numbers(ratings, np.int8)[order],
        sizes=_numbers(sizes, np.int64)[order],
        cameras=coded(cameras),
        formats=coded(formats),
        places=coded(place_names),
        folders=coded(folders),
        tags=Codes.of((text for _, text in held), len(held)),
        tagged=np.array([row for row, _ in held], np.intp),
        favourites=_numbers(favourites, np.bool_)[order],
        hidden=_numbers(hidden, np.bool_)[order],
        _ascending=ascending,
    )


def _is_hash(text: str) -> bool:
    try:
        return len(bytes.fromhex(text)) == 32
    except ValueError:
        return False


def _numbers(values: Sequence[Any], kind: Any) -> NDArray[Any]:
    return np.array([value or 0 for value in values], kind)


def _times(values: Sequence[str | datetime | None]) -> NDArray[np.datetime64]:
    """Return times as a driver has them, as texts or not, to the second."""
    texts = (NEVER if value is None else str(value)[:19].replace(" ", "T") for value in values)
    return np.array(list(texts), "datetime64[s]")
