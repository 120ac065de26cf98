"""Where photos were taken: clusters of positions within a box of degrees, for drawing them over a map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from photoindex.library.gallery.snapshot import Snapshot
from photoindex.system.lazy_imports import lazily

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = lazily("numpy")  # it is imported behind the first answer

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


def clusters_within(snapshot: Snapshot, box: Box, across: int) -> Clusters:
    """Return the photos of a box, those of one cell of a grid together."""
    chosen = _inside(snapshot, box)
    located = int(np.count_nonzero(~np.isnan(snapshot.latitudes)))
    if not chosen.size:
        return Clusters([], 0, located)
    latitudes = snapshot.latitudes[chosen].astype(np.float64)
    longitudes = snapshot.longitudes[chosen].astype(np.float64)
    west, _, east, _ = box
    cell = max(((east - west) % 360 or 360) / max(1, min(across, MOST_CELLS)), 1e-6)
    # Cells have fixed places on the globe, so that moving the map does not regroup what it shows.
    columns = np.floor((longitudes + 180) / cell).astype(np.int64)
    rows = np.floor((latitudes + 90) / cell).astype(np.int64)
    cells = rows * 1_000_000_000 + columns
    order = np.argsort(cells, kind="stable")
    starts = np.flatnonzero(np.diff(cells[order], prepend=-1))
    counts = np.diff(starts, append=order.size)
    y, x = latitudes[order], longitudes[order]
    south, north = np.minimum.reduceat(y, starts), np.maximum.reduceat(y, starts)
    left, right = np.minimum.reduceat(x, starts), np.maximum.reduceat(x, starts)
    middles = np.add.reduceat(y, starts) / counts, np.add.reduceat(x, starts) / counts
    found = []
    for number in np.argsort(-counts, kind="stable").tolist():
        row = int(chosen[order[starts[number]]])
        bounds = (float(left[number]), float(south[number]), float(right[number]), float(north[number]))
        found.append(
            Cluster(
                float(middles[0][number]), float(middles[1][number]), bounds, int(counts[number]),
                int(snapshot.ids[row]), snapshot.content_hash(row),
            )
        )  # fmt: skip
    return Clusters(found, int(chosen.size), located)


def _inside(snapshot: Snapshot, box: Box) -> NDArray[np.intp]:
    """Return the rows of the photos within a box."""
    west, south, east, north = (np.float32(edge) for edge in box)
    latitudes, longitudes = snapshot.latitudes, snapshot.longitudes
    tall = (latitudes >= south) & (latitudes <= north)
    if west <= east:
        return np.flatnonzero(tall & (longitudes >= west) & (longitudes <= east))
    return np.flatnonzero(tall & ((longitudes >= west) | (longitudes <= east)))
