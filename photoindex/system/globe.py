"""Distances along the globe, which is taken for a ball."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

EARTH_RADIUS: Final = 6371.0  # km


def kilometres(
    latitude: float, longitude: float, latitudes: float | NDArray[np.float64], longitudes: float | NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the way from one position to others (degrees) along the globe (haversine formula)."""
    here, there = math.radians(latitude), np.radians(latitudes)
    east = np.radians(np.subtract(longitudes, longitude))
    half = np.sin((there - here) / 2) ** 2 + math.cos(here) * np.cos(there) * np.sin(east / 2) ** 2
    distances: NDArray[np.float64] = 2 * EARTH_RADIUS * np.arcsin(np.sqrt(np.minimum(1.0, half)))
    return distances
