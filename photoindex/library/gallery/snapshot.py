"""All photos of a library as columns in memory, in the order of the timeline: what pages are cut, sorted and counted
from.

A page, a year, a count or an order of a million photos takes milliseconds. Whoever holds a snapshot has one state of
the library, whatever is written meanwhile. :mod:`.snapshots` has the latest one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

from photoindex.system.lazy_imports import lazily

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]
    PhotoIds = Sequence[int] | Integers | NDArray[np.int32]
else:
    np = lazily("numpy")  # it is imported behind the first answer

UNKNOWN: Final = -1  # a code: the photo has no such value
NO_ROW: Final = -1
SHAPE_STEPS: Final = 48  # of a shape to each doubling of width to height
SQUARE: Final = 128

# The columns of one value a photo, with their types; ``taken`` is local time, without a date it is NaT. Where there is
# only the file's own time, ``file_times`` is true: photos are shown and sorted by it, and counted as without a date.
PLAIN: Final = {
    "ids": "<i8", "hashes": "32u1", "widths": "<i4", "heights": "<i4", "taken": "<M8[s]", "added": "<M8[s]",
    "file_times": "?", "ratings": "i1", "sizes": "<i8", "favourites": "?", "hidden": "?", "latitudes": "<f4",
    "longitudes": "<f4",
}  # fmt: skip
CODED: Final = ("cameras", "formats", "places", "wheres", "folders")
MARKED: Final = ("tags", "labels", "people")


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """A column of texts that repeat: ``names``, and for each row its place there, or ``UNKNOWN``."""

    names: tuple[str, ...]
    codes: NDArray[np.int32]

    def text(self, row: int) -> str | None:
        """Return the text of a row; ``None`` when it has none."""
        code = int(self.codes[row])
        return None if code == UNKNOWN else self.names[code]

    def counts(self, rows: NDArray[np.intp] | None, most: int | None = None) -> list[tuple[str, int]]:
        """Return how many of these rows, or of all, have each value, the most frequent first."""
        return most_frequent(self.names, self.totals(rows), most)

    def totals(self, rows: NDArray[np.intp] | None) -> NDArray[np.intp]:
        """Return how many of these rows, or of all, have each of the names."""
        return _totals(self.names, self.codes if rows is None else self.codes[rows])


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """Texts of which a photo has any number: a row and a place in ``names`` for each, in no order."""

    names: tuple[str, ...]
    rows: NDArray[np.int32]
    codes: NDArray[np.int32]

    def counts(self, chosen: NDArray[np.bool_] | None, most: int | None = None) -> list[tuple[str, int]]:
        """Return how many photos have each text, the most frequent first; of those rows alone where a mask is true."""
        return most_frequent(self.names, self.totals(chosen), most)

    def totals(self, chosen: NDArray[np.bool_] | None) -> NDArray[np.intp]:
        """Return how many photos have each of the names; of those rows alone where a mask is true."""
        return _totals(self.names, self.codes if chosen is None else self.codes[np.flatnonzero(chosen[self.rows])])


def _totals(names: tuple[str, ...], codes: NDArray[np.int32]) -> NDArray[np.intp]:
    # One more, so that UNKNOWN is counted too, and left out.
    return np.bincount(np.add(codes, 1, dtype=np.intp), minlength=len(names) + 1)[1:]


def most_frequent(names: tuple[str, ...], counted: NDArray[np.intp], most: int | None) -> list[tuple[str, int]]:
    """Return the names that were counted, the most frequent first."""
    order = np.argsort(-counted, kind="stable")[:most]
    return [(names[place], int(counted[place])) for place in order if counted[place]]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The photos that have a file, one row each: newest first, of one moment the last added first, those without a date
    last. ``revision`` is the catalogue's when what is here changed last; :data:`PLAIN` has the columns' types."""

    revision: int
    ids: Integers
    hashes: NDArray[np.uint8]  # (n, 32)
    widths: NDArray[np.int32]
    heights: NDArray[np.int32]
    taken: NDArray[np.datetime64]
    added: NDArray[np.datetime64]
    file_times: NDArray[np.bool_]
    ratings: NDArray[np.int8]  # 0: none
    sizes: Integers  # bytes
    favourites: NDArray[np.bool_]
    hidden: NDArray[np.bool_]
    latitudes: NDArray[np.float32]  # degrees; NaN: not known
    longitudes: NDArray[np.float32]
    cameras: Codes
    formats: Codes
    places: Codes  # city and country
    wheres: Codes  # all that a place is found by
    folders: Codes
    tags: Marks  # keywords too
    labels: Marks
    people: Marks

    @property
    def count(self) -> int:
        """How many photos there are."""
        return int(self.ids.size)

    @cached_property
    def label_of_where(self) -> NDArray[np.int32]:
        """For each name of ``wheres``, where in ``places`` the label of photos there is; ``UNKNOWN`` without one."""
        labels = np.full(len(self.wheres.names), UNKNOWN, np.int32)
        rows = np.flatnonzero((self.wheres.codes != UNKNOWN) & (self.places.codes != UNKNOWN))
        labels[self.wheres.codes[rows]] = self.places.codes[rows]
        return labels

    @cached_property
    def _row_of(self) -> NDArray[np.int32]:
        """The row of each id. Ids are given out one after another, so that few of them have none."""
        table = np.full(int(self.ids.max(initial=-1)) + 1, NO_ROW, np.int32)
        table[self.ids] = np.arange(self.count, dtype=np.int32)
        return table

    @cached_property
    def last_added(self) -> NDArray[np.intp]:
        """The rows, last added first."""
        return np.argsort(-self.added.view(np.int64), kind="stable")

    def visible(self) -> Snapshot:
        """Return the snapshot without hidden photos: itself where there are none."""
        return self.taking(np.flatnonzero(~self.hidden)) if self.hidden.any() else self

    def taking(self, rows: NDArray[np.intp]) -> Snapshot:
        """Return a snapshot of these rows alone, in their order."""
        place = np.full(self.count, NO_ROW, np.int32)
        place[rows] = np.arange(rows.size, dtype=np.int32)
        columns: dict[str, Any] = {name: getattr(self, name)[rows] for name in PLAIN}
        for name in CODED:
            codes: Codes = getattr(self, name)
            columns[name] = Codes(codes.names, codes.codes[rows])
        for name in MARKED:
            marks: Marks = getattr(self, name)
            places = place[marks.rows]
            kept = places != NO_ROW
            columns[name] = Marks(marks.names, places[kept], marks.codes[kept])
        return replace(self, **columns)

    def rows_of(self, photo_ids: PhotoIds) -> NDArray[np.intp]:
        """Return the rows of those of these photos that are here, in their order."""
        return self.locate(photo_ids)[0]

    def locate(self, photo_ids: PhotoIds) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the rows of those of these photos that are here, in their order, and their places among them all."""
        rows = self._rows(photo_ids)
        places = np.flatnonzero(rows != NO_ROW)
        return rows[places].astype(np.intp), places

    def _rows(self, photo_ids: PhotoIds) -> NDArray[np.int32]:
        """Return the row of each of these photos, ``NO_ROW`` of those that are not here."""
        wanted = photo_ids if isinstance(photo_ids, np.ndarray) else np.asarray(photo_ids, np.int64)
        table = self._row_of
        rows = table.take(wanted, mode="clip") if table.size else np.full(wanted.size, NO_ROW, np.int32)
        if wanted.size and (wanted.min() < 0 or wanted.max() >= table.size):
            rows[(wanted < 0) | (wanted >= table.size)] = NO_ROW
        return rows

    def content_hash(self, row: int) -> str:
        """Return the SHA-256 of a photo."""
        return bytes(self.hashes[row]).hex()

    def taken_text(self, row: int) -> str | None:
        """Return when a photo was taken, in ISO form; ``None`` when that is not known."""
        return None if np.isnat(self.taken[row]) else str(self.taken[row])

    @cached_property
    def _days(self) -> list[tuple[str | None, int]]:
        return count_dates(self.taken, "D")

    def days(self) -> list[tuple[str | None, int]]:
        """Return (day in ISO form, or ``None``; number of its photos) in the order of the rows."""
        return self._days

    @cached_property
    def _years(self) -> list[tuple[str | None, int]]:
        return count_dates(self.taken, "Y")

    def year_counts(self, chosen: NDArray[np.bool_] | None = None) -> list[tuple[str, int]]:
        """Return (year, number of its photos), earliest first; of those rows alone where a mask is true. Without those
        that have the file's time alone, which ``taken:`` does not find."""
        return self._dated(self._years, chosen)

    def month_counts(self) -> list[tuple[str, int]]:
        """Return (month in ISO form, number of photos), earliest first; counted as years are."""
        return self._dated(count_dates(self.taken, "M"), None)

    def _dated(
        self, dates: list[tuple[str | None, int]], chosen: NDArray[np.bool_] | None
    ) -> list[tuple[str, int]]:  # fmt: skip
        wanted = ~self.file_times if chosen is None else chosen & ~self.file_times
        counts, start = [], 0
        for date, photos in dates:
            held = int(np.count_nonzero(wanted[start : start + photos]))
            if date is not None and held:
                counts.append((date, held))
            start += photos
        return counts[::-1]

    @property
    def undated(self) -> int:
        """How many photos have no date, or only the file's time."""
        return int(np.count_nonzero(np.isnat(self.taken) | self.file_times))

    @cached_property
    def _shapes(self) -> bytes:
        known = (self.widths > 0) & (self.heights > 0)
        ratio = np.where(known, self.widths / np.maximum(self.heights, 1), np.float32(4 / 3)).astype(np.float32)
        steps = np.round(np.log2(np.maximum(ratio, np.float32(1e-3))) * SHAPE_STEPS) + SQUARE
        return bytes(np.clip(steps, 0, 255).astype(np.uint8))

    def shapes(self) -> bytes:
        """Return a byte a photo: 128 for a square, 48 more for each doubling of width to height."""
        return self._shapes

    def mask(self, rows: NDArray[np.intp] | NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return for each row whether it is one of these, of which ``NO_ROW`` is none."""
        chosen = np.zeros(self.count + 1, np.bool_)  # the last one is that of NO_ROW
        chosen[rows] = True
        return chosen[:-1]

    def mask_of(self, photo_ids: PhotoIds) -> NDArray[np.bool_]:
        """Return for each row whether it is that of one of these photos."""
        return self.mask(self._rows(photo_ids))


def count_dates(taken: NDArray[np.datetime64], unit: Literal["D", "M", "Y"]) -> list[tuple[str | None, int]]:
    """Return (day, month or year in ISO form, or ``None``; how many of these times), in their order, which is that of
    time."""
    if not taken.size:
        return []
    dates = taken.astype(f"datetime64[{unit}]")
    numbers = dates.view(np.int64)
    starts = np.flatnonzero(np.diff(numbers, prepend=~numbers[:1]))  # another number than the first, whatever it is
    counts = np.diff(starts, append=taken.size)
    names = [None if np.isnat(date) else str(date) for date in dates[starts]]
    return list(zip(names, counts.tolist(), strict=True))
