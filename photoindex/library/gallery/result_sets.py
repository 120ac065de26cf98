"""Sets of results that are kept for a while, so that a page, a count, an order or a selection needs no new search."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, get_args

from photoindex.errors import ResultSetGone
from photoindex.library.gallery.found_counts import cameras_found, folders_found, marks_found, places_found
from photoindex.library.gallery.snapshot import Snapshot
from photoindex.system.lazy_imports import lazily
from photoindex.types.hit import Matched

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = lazily("numpy")  # it is imported behind the first answer

KEPT_SECONDS: Final = 600.0
MOST_KEPT: Final = 64
LEAST_KEPT: Final = 4  # however many photos they hold
MOST_PHOTOS: Final = 600_000  # of all sets together, 9 bytes each: as many searches as eight browsers show at once
FACET_VALUES: Final = 12  # of each kind

SetOrder = Literal["best", "newest", "oldest", "added", "rating"]
ORDERS: Final[tuple[SetOrder, ...]] = get_args(SetOrder)


@dataclass(frozen=True, slots=True, eq=False)
class ResultSet:
    """What a search found: ids, scores and whether the photo says it, best first. ``matched`` has the reasons for the
    first page. ``query`` is empty for photos like another one."""

    token: str
    query: str
    ids: NDArray[np.int64] | NDArray[np.int32]
    scores: NDArray[np.float32]
    said: NDArray[np.bool_]
    matched: Mapping[int, tuple[Matched, ...]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """How many photos there are."""
        return int(self.ids.size)

    @property
    def said_total(self) -> int:
        """How many of them say all of the query in their own words."""
        return int(np.count_nonzero(self.said))

    def places(self, snapshot: Snapshot, order: SetOrder) -> NDArray[np.intp]:
        """Return the places in the set in an order; photos of which nothing is known to sort by come last."""
        if order == "best":
            return np.arange(self.total)
        place_of = np.full(snapshot.count, -1, np.int64)  # of a row in the set
        rows, places = snapshot.locate(self.ids)
        place_of[rows] = places
        found = place_of[_rows_in(snapshot, order)]
        return found[found >= 0]

    def around(self, photo_id: int, snapshot: Snapshot, order: SetOrder) -> tuple[int | None, int | None] | None:
        """Return the photos before and after one in an order, of those that still have a file; ``None`` when the set
        does not hold this one."""
        ids = self.ids[self.places(snapshot, order)]
        at = np.flatnonzero(ids == photo_id)
        if not at.size:
            return None
        _, held = snapshot.locate(ids)
        earlier, later = held[held < at[0]], held[held > at[0]]
        return int(ids[earlier[-1]]) if earlier.size else None, int(ids[later[0]]) if later.size else None

    def facets(self, snapshot: Snapshot) -> dict[str, list[tuple[str, int]]]:
        """Return the years, places, cameras, folders, tags and people of the set, each with how many of its photos a
        query for it finds."""
        chosen = snapshot.mask_of(self.ids)
        rows = np.flatnonzero(chosen)  # in their order: a column is read from its start to its end, in half the time
        return {
            "years": snapshot.year_counts(chosen)[::-1],
            "places": places_found(snapshot, rows, FACET_VALUES),
            "cameras": cameras_found(snapshot.cameras, rows, FACET_VALUES),
            "folders": folders_found(snapshot.folders, rows, FACET_VALUES),
            "tags": marks_found(snapshot.tags, chosen, FACET_VALUES),
            "people": marks_found(snapshot.people, chosen, FACET_VALUES),
        }


def _rows_in(snapshot: Snapshot, order: SetOrder) -> NDArray[np.intp]:
    """Return the rows of a snapshot, which stand newest first and those without a date last, in another order."""
    rows = np.arange(snapshot.count)
    if order == "oldest":
        dated = int(np.count_nonzero(~np.isnat(snapshot.taken)))
        return np.concatenate([rows[:dated][::-1], rows[dated:]])
    if order == "added":
        return snapshot.last_added
    if order == "rating":
        return np.argsort(-snapshot.ratings, kind="stable")  # a number of 8 bits: sorted by its digits
    return rows


class ResultSets:
    """The sets of the last ten minutes, by token; fewer when they hold very many photos. Safe between threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, ResultSet]] = OrderedDict()

    def add(
        self,
        query: str,
        ids: NDArray[np.int64] | NDArray[np.int32],
        scores: NDArray[np.float32],
        said: NDArray[np.bool_],
        matched: Mapping[int, tuple[Matched, ...]],
    ) -> ResultSet:
        """Keep a new set."""
        if ids.size and int(ids.max()) < 1 << 31:
            ids = ids.astype(np.int32)
        made = ResultSet(secrets.token_urlsafe(12), query, ids, scores, said, matched)
        with self._lock:
            self._kept[made.token] = self._clock(), made
            self._drop_old()
        return made

    def get(self, token: str) -> ResultSet:
        """Return a set, which is kept for ten minutes more. Raises :class:`ResultSetGone`."""
        with self._lock:
            self._drop_old()
            if token not in self._kept:
                raise ResultSetGone("these results are no longer kept: search again")
            found = self._kept.pop(token)[1]
            self._kept[token] = self._clock(), found
            return found

    def _drop_old(self) -> None:
        oldest = self._clock() - KEPT_SECONDS
        photos = sum(found.total for _, found in self._kept.values())
        while self._kept:
            used_at, first = next(iter(self._kept.values()))
            is_much = len(self._kept) > MOST_KEPT or (photos > MOST_PHOTOS and len(self._kept) > LEAST_KEPT)
            if not is_much and used_at >= oldest:
                break
            photos -= first.total
            self._kept.popitem(last=False)
