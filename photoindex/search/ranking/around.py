"""Which photos were taken within a box of degrees, or within a distance of a position or a place."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from photoindex.search.query.positions import LATITUDE, LONGITUDE, degrees, stored
from photoindex.search.query.syntax import Around, Inside
from photoindex.system.globe import EARTH_RADIUS, kilometres

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from photoindex.search.fulltext.reader import IndexReader
    from photoindex.search.query.syntax import Node

    Mask = NDArray[np.bool_]


def documents_at(reader: IndexReader, node: Inside | Around, find: Callable[[Node], Mask]) -> Mask:
    """Return the documents that were taken where a clause says; ``find`` returns those with the name of a place."""
    if isinstance(node, Inside):
        return within_box(reader, *node)
    position = node.position if node.place is None else middle(reader, find(node.place))
    if position is None:
        return np.zeros(reader.size, np.bool_)
    return within_distance(reader, *position, node.km)


def within_box(reader: IndexReader, west: float, south: float, east: float, north: float) -> Mask:
    """Return the documents with a position in a box of degrees; from west on to the date line, and from there to east,
    where west is the larger one."""
    tall = reader.in_range(LATITUDE, stored(LATITUDE, south), stored(LATITUDE, north))
    first, last = stored(LONGITUDE, west), stored(LONGITUDE, east)
    if first <= last:
        return tall & reader.in_range(LONGITUDE, first, last)
    most = stored(LONGITUDE, 180)
    return tall & (reader.in_range(LONGITUDE, first, most) | reader.in_range(LONGITUDE, 0, last))


def within_distance(reader: IndexReader, latitude: float, longitude: float, km: float) -> Mask:
    """Return the documents whose position is at most so many kilometres from one in degrees, along the globe."""
    mask = within_box(reader, *_box_around(latitude, longitude, km))
    chosen = np.flatnonzero(mask)
    mask[chosen] = kilometres(latitude, longitude, *_positions(reader, chosen)) <= km
    return mask


def middle(reader: IndexReader, chosen: Mask) -> tuple[float, float] | None:
    """Return the median latitude and longitude of these documents; ``None`` when none of them has a position.

    A mean would lie in the sea when a name stands for places in two continents, and on the wrong side of the globe for
    one at the date line.
    """
    located = np.flatnonzero(chosen & reader.in_range(LATITUDE, 0, stored(LATITUDE, 90)))
    if not located.size:
        return None
    half = (located.size - 1) // 2
    latitudes, longitudes = (np.partition(each, half)[half] for each in _positions(reader, located))
    return float(latitudes), float(longitudes)


def _positions(reader: IndexReader, documents: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return latitudes and longitudes, in degrees, of documents that have them."""
    latitudes, longitudes = (reader.numbers(field, documents).astype(np.float64) for field in (LATITUDE, LONGITUDE))
    return degrees(LATITUDE, latitudes), degrees(LONGITUDE, longitudes)


def _box_around(latitude: float, longitude: float, km: float) -> tuple[float, float, float, float]:
    """Return a box (west, south, east, north) that holds the circle around a position; all longitudes at a pole."""
    tall = math.degrees(km / EARTH_RADIUS) + 1e-4
    south, north = max(latitude - tall, -90.0), min(latitude + tall, 90.0)
    if south == -90 or north == 90:
        return -180.0, south, 180.0, north
    # The meridian that touches the circle touches it nearer to the pole than its middle.
    wide = math.degrees(math.asin(min(1.0, math.sin(km / EARTH_RADIUS) / math.cos(math.radians(latitude))))) + 1e-4
    if wide >= 180:
        return -180.0, south, 180.0, north
    return (longitude - wide + 180) % 360 - 180, south, (longitude + wide + 180) % 360 - 180, north
