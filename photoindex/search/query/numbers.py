"""Numbers of photos as people ask for them: ``rating:>=4``, ``width:3000..``, ``mp:12``, ``confidence:<0.4``.

The index holds each as a whole number from 0 to 2**32 - 1: stars moved up by one, since a rejected photo has -1, and
tenths of megapixels, and hundredths of a confidence.
"""

from __future__ import annotations

import math
import re
from typing import Final

# What a person writes before the colon -> the field of the index.
NUMBERS: Final = {
    "rating": "rating",
    "stars": "rating",
    "width": "width",
    "height": "height",
    "mp": "megapixels",
    "megapixels": "megapixels",
    "confidence": "confidence",
}
FIELDS: Final = tuple(dict.fromkeys(NUMBERS.values()))
MOST: Final = (1 << 32) - 1

_SHIFT: Final = {"rating": 1}
_SCALE: Final = {"megapixels": 10, "confidence": 100}

_COMPARED: Final = re.compile(r"(>=|<=|>|<|=|)(-?(?:[0-9]{1,9}(?:[.][0-9]{1,9})?|[.][0-9]{1,9}))")
_RANGE: Final = re.compile(r"(-?[0-9]{1,9}(?:[.][0-9]{1,9})?)?[.]{2}(-?[0-9]{1,9}(?:[.][0-9]{1,9})?)?")


def stored(field: str, value: float) -> int:
    """Return ``value`` as the index holds it."""
    return min(max(math.floor(value * _SCALE.get(field, 1) + 1e-6) + _SHIFT.get(field, 0), 0), MOST)


class BackwardsRange(ValueError):
    """A range whose end is less than its beginning: no number is in it."""


def bounds_of(field: str, text: str) -> tuple[int, int]:
    """Return the smallest and the largest stored number that ``text`` asks for; the first may be the larger.

    ``4``, ``>=4``, ``>3``, ``3..5``, ``3..``. A number alone means itself, of megapixels all that begin so: ``mp:12``
    is 12.0 to 12.9. Raises ValueError when it asks for no number, BackwardsRange for ``5..3``.
    """
    text = text.strip().replace("\u2265", ">=").replace("\u2264", "<=")
    if match := _RANGE.fullmatch(text):
        if match[1] is None and match[2] is None:
            raise ValueError("no number")
        if match[1] is not None and match[2] is not None and float(match[1]) > float(match[2]):
            raise BackwardsRange(text)
        return (
            0 if match[1] is None else _first(field, float(match[1])),
            MOST if match[2] is None else _last(field, float(match[2]), whole="." not in match[2]),
        )
    match = _COMPARED.fullmatch(text)
    if match is None:
        raise ValueError(text)
    sign, number = match[1], float(match[2])
    whole = "." not in match[2]
    if sign == ">":
        return _last(field, number, whole=whole) + 1, MOST
    if sign == ">=":
        return _first(field, number), MOST
    if sign == "<":
        return 0, _first(field, number) - 1
    if sign == "<=":
        return 0, _last(field, number, whole=whole)
    return _first(field, number), _last(field, number, whole=whole)


def _first(field: str, number: float) -> int:
    """Return the smallest stored number that is at least ``number``."""
    return math.ceil(number * _SCALE.get(field, 1) - 1e-6) + _SHIFT.get(field, 0)


def _last(field: str, number: float, *, whole: bool) -> int:
    """Return the largest that still counts as ``number``: 12.9 megapixels are 12."""
    scale = _SCALE.get(field, 1)
    more = scale - 1 if whole and field == "megapixels" else 0
    return math.floor(number * scale + 1e-6) + _SHIFT.get(field, 0) + more
