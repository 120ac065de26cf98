"""Names of places from positions, offline: the nearest town of GeoNames' 155,000, by the package reverse_geocode.

In a large city the nearest town is a part of it or a suburb: the Eiffel Tower stands nearest to Vanves. So the nearest
of the cities of half a million is known as well, where the position is no farther from its centre than such a city is
wide: by a density of 3,200 people a square kilometre within it, a hundredth of the root of its people in kilometres.

The tables take two seconds to load and 110 MB to hold, so they are loaded when the first position is asked for and let
go of with :meth:`Gazetteer.close`. Searching never needs it: names are stored with the photos.
"""

from __future__ import annotations

import importlib
import math
from dataclasses import replace
from typing import Any, Final

import numpy as np

from photoindex.system.globe import kilometres, on_ball
from photoindex.types import PhotoFacts, Place

NEAR: Final = 40.0  # km; a photo farther from the next town was not taken in it
LARGE: Final = 500_000  # people
FAR: Final = 150.0  # km; beyond it, at sea or on the ice, no country can be told by the nearest town


class Gazetteer:
    """Places by their position. Not for several threads at once."""

    def __init__(self) -> None:
        self._towns: _Towns | None = None
        self._cities: _Towns | None = None

    def close(self) -> None:
        """Let go of the tables; they come back when they are needed."""
        self._towns = self._cities = None

    def placed(self, facts: PhotoFacts) -> PhotoFacts:
        """``facts`` with the place of their position; without one, or far from everywhere, with what was written."""
        if facts.latitude is None or facts.longitude is None:
            return facts
        place = self.place_at(facts.latitude, facts.longitude)
        return facts if place is None else replace(facts, place=place)

    def place_at(self, latitude: float, longitude: float) -> Place | None:
        """The place at a position in degrees; None far from every town."""
        if self._towns is None or self._cities is None:
            package = importlib.import_module("reverse_geocode")
            # Past its metaclass, which would keep both tables for as long as the process lives.
            self._cities = _Towns(type.__call__(package.GeocodeData, LARGE))
            self._towns = _Towns(type.__call__(package.GeocodeData))
        town, distance = self._towns.nearest(latitude, longitude)
        if distance > FAR:
            return None
        near = distance <= NEAR
        return Place(
            city=str(town["city"]) if near else "",
            district=str(town.get("county", "")) if near else "",
            region=str(town.get("state", "")),
            country=str(town["country"]),
            country_code=str(town["country_code"]),
            metropolis=_metropolis(self._cities, latitude, longitude, str(town["country_code"])),
        )


def _metropolis(cities: _Towns, latitude: float, longitude: float, country_code: str) -> str:
    city, distance = cities.nearest(latitude, longitude)
    around = city["country_code"] == country_code and distance <= math.sqrt(city["population"]) / 100
    return str(city["city"]) if around else ""


class _Towns:
    """A table of the package, asked by ways along the globe. It compares degrees, as if those of longitude were as long
    everywhere and the map ended at the date line: one in seven positions between 45 and 55 degrees got another town."""

    def __init__(self, table: Any) -> None:
        spatial = importlib.import_module("scipy.spatial")
        self._table = table
        self._degrees = np.asarray(table._tree.data)  # (N, 2), latitudes and longitudes
        self._tree = spatial.cKDTree(on_ball(self._degrees))

    def nearest(self, latitude: float, longitude: float) -> tuple[dict[str, Any], float]:
        """The nearest town, and how far it is (km)."""
        _, number = self._tree.query(on_ball(np.array([latitude, longitude])))
        there = self._degrees[number]
        town: dict[str, Any] = self._table.query([there])[0]
        return town, float(kilometres(latitude, longitude, *map(float, there)))
