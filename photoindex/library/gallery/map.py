"""Where photos were taken: clusters of positions within a box of degrees, for drawing them over a map."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from photoindex.catalogue import gallery_queries
from photoindex.catalogue.database import Database
from photoindex.library.gallery.snapshot import Snapshot

if TYPE_CHECKING:
    from numpy.typing import NDArray

Box = tuple[float, float, float, float]  # west, south, east, north; west > east crosses the date line

MOST_CELLS: Final = 128  # to the width of a box


class Cluster(NamedTuple):
    """Photos that lie near each other: the mean of their positions, the box that they lie in, how many, and one of them
    by its id and content."""

    latitude: float
    longitude: float
    box: Box
    photos: int
    photo_id: int
    content_hash: str


class Clusters(NamedTuple):
    """The clusters of a box, the largest first; how many photos lie in it, and how many have a position at all."""

    clusters: list[Cluster]
    photos: int
    located: int


class Positions:
    """The positions of a library's photos, read again when a snapshot has changed. Safe between threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._revision = -1
        self._ids: NDArray[np.int64] = np.zeros(0, np.int64)
        self._latitudes: NDArray[np.float64] = np.zeros(0)
        self._longitudes: NDArray[np.float64] = np.zeros(0)

    def _read(self, snapshot: Snapshot) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        with self._lock:
            if self._revision != snapshot.revision:
                with self._database.ask() as asker:
                    rows = gallery_queries.positions(asker)
                table = np.array(rows, np.float64).reshape(len(rows), 3)
                table = table[np.isin(table[:, 0].astype(np.int64), snapshot.ids)]
                table = table[(np.abs(table[:, 1]) <= 90) & (np.abs(table[:, 2]) <= 180)]
                self._ids, self._latitudes, self._longitudes = table[:, 0].astype(np.int64), table[:, 1], table[:, 2]
                self._revision = snapshot.revision
            return self._ids, self._latitudes, self._longitudes

    def within(self, snapshot: Snapshot, box: Box) -> NDArray[np.int64]:
        """Return the photos that were taken within a box."""
        ids, latitudes, longitudes = self._read(snapshot)
        return ids[_inside(latitudes, longitudes, box)]

    def clusters(self, snapshot: Snapshot, box: Box, across: int) -> Clusters:
        """Return the photos of a box, those of one cell of a grid together."""
        ids, latitudes, longitudes = self._read(snapshot)
        chosen = np.flatnonzero(_inside(latitudes, longitudes, box))
        west, _, east, _ = box
        cell = max(((east - west) % 360 or 360) / max(1, min(across, MOST_CELLS)), 1e-6)
        # Cells have fixed places on the globe, so that moving the map does not regroup what it shows.
        columns = np.floor((longitudes[chosen] + 180) / cell).astype(np.int64)
        rows = np.floor((latitudes[chosen] + 90) / cell).astype(np.int64)
        _, first, group, counts = np.unique(
            rows * 1_000_000_000 + columns, return_index=True, return_inverse=True, return_counts=True
        )
        found = []
        order = np.argsort(group, kind="stable")
        starts = np.concatenate([[0], np.cumsum(counts)])
        places = snapshot.rows_of(ids[chosen[first]])
        for number in np.argsort(-counts, kind="stable").tolist():
            members = chosen[order[starts[number] : starts[number + 1]]]
            y, x = latitudes[members], longitudes[members]
            bounds = (float(x.min()), float(y.min()), float(x.max()), float(y.max()))
            photo = int(ids[chosen[first[number]]])
            content = snapshot.content_hash(int(places[number]))
            found.append(Cluster(float(y.mean()), float(x.mean()), bounds, int(counts[number]), photo, content))
        return Clusters(found, int(chosen.size), int(ids.size))


def _inside(latitudes: NDArray[np.float64], longitudes: NDArray[np.float64], box: Box) -> NDArray[np.bool_]:
    west, south, east, north = box
    tall = (latitudes >= south) & (latitudes <= north)
    if west <= east:
        return tall & (longitudes >= west) & (longitudes <= east)
    return tall & ((longitudes >= west) | (longitudes <= east))
