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


def on_ball(degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    """Latitudes and longitudes (..., 2) -> points (..., 3) on a ball of radius 1. What is nearest along the globe is so
    in a straight line, too."""
    latitudes, longitudes = np.moveaxis(np.radians(degrees), -1, 0)
    level = np.cos(latitudes)
    return np.stack((level * np.cos(longitudes), level * np.sin(longitudes), np.sin(latitudes)), -1)
