"""Positions as people ask for them: ``near:38.7,-9.1,5``, ``near:lisbon``, ``bbox:-9.5,38.6,-9,38.9``.

The index holds degrees as whole numbers from 0 on, hundred-thousandths of them (1.1 m), counted from the south pole and
from the date line.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LATITUDE, LONGITUDE = "latitude", "longitude"
FIELDS: Final = (LATITUDE, LONGITUDE)  # of the index
NAMES: Final = ("near", "bbox")  # of the query language
DEFAULT_KM: Final = 10.0
MOST_KM: Final = 20_040.0  # half way around the earth

_PER_DEGREE: Final = 100_000
_LEAST: Final = {LATITUDE: -90, LONGITUDE: -180}
_NUMBER: Final = r"[+-]?(?:[0-9]{1,9}(?:[.][0-9]{0,20})?|[.][0-9]{1,20})"
_DEGREES: Final = re.compile(rf"\s*({_NUMBER})\s*°?\s*")
_DISTANCE: Final = re.compile(rf"\s*({_NUMBER})\s*(km|m)?\s*", re.IGNORECASE)


class Distanced(NamedTuple):
    """What ``near:`` names: a position in degrees, or a place by its name, and how far around it in kilometres."""

    position: tuple[float, float] | None
    place: str
    km: float


def stored(field: str, degrees: float) -> int:
    """Return degrees as the index holds them."""
    return round((degrees - _LEAST[field]) * _PER_DEGREE)


def degrees(field: str, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the degrees that numbers of the index stand for."""
    return numbers / _PER_DEGREE + _LEAST[field]


def distanced(text: str) -> Distanced:
    """Return what ``near:`` names. Raises ValueError for what is neither a position nor a name.

    ``38.7,-9.1``, ``38.7,-9.1,5``, ``38.7,-9.1,500m``, ``lisbon``, ``lisbon,5km``.
    """
    parts = text.split(",")
    numbers = [_DEGREES.fullmatch(part) for part in parts[:2]]
    if len(parts) in (2, 3) and all(numbers):
        latitude, longitude = (float(found[1]) for found in numbers if found)
        if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
            raise ValueError("no degrees")
        return Distanced((latitude, longitude), "", _kilometres(parts[2]) if len(parts) == 3 else DEFAULT_KM)
    name, comma, last = text.rpartition(",")
    km = _DISTANCE.fullmatch(last) if comma else None
    place = (name if km else text).strip()
    if not any(letter.isalpha() for letter in place) or any(map(_is_number, place.split(","))):
        raise ValueError("no place")
    if any(map(_reads_as_number, place.split(",")[1:])):  # Nan is a town in Thailand: it may come first
        raise ValueError("no distance")
    return Distanced(None, place, _kilometres(last) if km else DEFAULT_KM)


def _is_number(text: str) -> bool:
    return any(map(str.isdecimal, text)) and _reads_as_number(text)


def _reads_as_number(text: str) -> bool:
    """Whether a program would write a number so: ``1e5``, ``nan`` and ``inf``, too."""
    try:
        float(text.replace("°", ""))
    except ValueError:
        return False
    return True


def box(text: str) -> tuple[float, float, float, float]:
    """Return (west, south, east, north) in degrees. Raises ValueError.

    West is larger than east in a box across the date line.
    """
    found = [_DEGREES.fullmatch(part) for part in text.split(",")]
    if len(found) != 4 or not all(found):
        raise ValueError("not four numbers")
    west, south, east, north = (float(each[1]) for each in found if each)
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90):
        raise ValueError("no degrees")
    return west, south, east, north


def _kilometres(text: str) -> float:
    match = _DISTANCE.fullmatch(text)
    if match is None:
        raise ValueError("no distance")
    km = float(match[1]) / (1000 if (match[2] or "").lower() == "m" else 1)
    if km <= 0 or not math.isfinite(km):
        raise ValueError("no distance")
    return min(km, MOST_KM)
