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

from photoindex.system.globe import kilometres
from photoindex.types import PhotoFacts, Place

NEAR: Final = 40.0  # km; a photo farther from the next town was not taken in it
LARGE: Final = 500_000  # people
FAR: Final = 150.0  # km; beyond it, at sea or on the ice, no country can be told by the nearest town


class Gazetteer:
    """Places by their position. Not for several threads at once."""

    def __init__(self) -> None:
        self._towns: Any = None
        self._cities: Any = None

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
        if self._towns is None:
            package = importlib.import_module("reverse_geocode")
            # Past its metaclass, which would keep both tables for as long as the process lives.
            self._cities = type.__call__(package.GeocodeData, LARGE)
            self._towns = type.__call__(package.GeocodeData)
        town, distance = _nearest(self._towns, latitude, longitude)
        if distance > FAR:
            return None
        near = distance <= NEAR
        return Place(
            city=str(town["city"]) if near else "",
            district=str(town.get("county", "")) if near else "",
            region=str(town.get("state", "")),
            country=str(town["country"]),
            country_code=str(town["country_code"]),
            metropolis=self._metropolis(latitude, longitude, str(town["country_code"])),
        )

    def _metropolis(self, latitude: float, longitude: float, country_code: str) -> str:
        city, distance = _nearest(self._cities, latitude, longitude)
        around = city["country_code"] == country_code and distance <= math.sqrt(city["population"]) / 100
        return str(city["city"]) if around else ""


def _nearest(table: Any, latitude: float, longitude: float) -> tuple[dict[str, Any], float]:
    """The nearest place of a table, and how far it is (km)."""
    town: dict[str, Any] = table.query([(latitude, longitude)])[0]
    return town, float(kilometres(latitude, longitude, float(town["latitude"]), float(town["longitude"])))
