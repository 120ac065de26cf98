"""Positions and heights in all the forms in which EXIF, XMP and JSON write them, as signed numbers.

A hemisphere is a letter (or a word) beside the number, behind it, or the number's sign. Exactly 0, 0 is what cameras
write before they have a fix.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Final

HIGHEST: Final = 100_000  # metres; what is above that was not photographed with a camera that writes metadata

NEAR: Final = 0.001  # degrees, a hundred metres: by as much a position changes that is written in minutes, rounded

Position = tuple[float, float] | tuple[None, None]

# 38  38.72  38,43.2  38,43,12  38 deg 43' 12.00"  38/1 43/1 1234/100, with a sign or a letter on either side
_PART: Final = r"\d{1,10}(?:\.\d*)?(?:/\d{1,10})?"
_BETWEEN: Final = r"(?:\s*[,;:°º]\s*|\s*deg\w*\s*|\s*['\u2032\u2019d]\s*|\s+)"
_DEGREES: Final = re.compile(
    rf"\s*(?P<before>[A-Za-z]{{1,9}}\s*)?(?P<sign>[-+\u2212])?(?P<parts>{_PART}(?:{_BETWEEN}{_PART}){{0,2}})"
    r"\s*(?:[\"\u2033\u201d°º'\u2032]{1,2}|deg\w*)?\s*(?P<behind>[A-Za-z]{1,9})?\s*"
)
_METRES: Final = re.compile(r"\s*([-+\u2212]?\d{1,12}(?:\.\d*)?(?:/\d{1,12})?)\s*(?:m|metres|meters)?\b.*", re.DOTALL)
_BELOW: Final = re.compile(r"\s*(?:1|3|.*below.*)\s*", re.IGNORECASE | re.DOTALL)


def pair(latitude: float | None, longitude: float | None) -> Position:
    """Both, or none: half a position is no place."""
    if latitude is None or longitude is None or (latitude == 0 and longitude == 0):
        return None, None
    return latitude, longitude


def are_near(one: Position, other: Position) -> bool:
    """Whether both are positions, and one may be the other in fewer digits."""
    return all(a is not None and b is not None and abs(a - b) <= NEAR for a, b in zip(one, other, strict=True))


def degrees(parts: Sequence[float], side: str, signs: str, limit: float) -> float | None:
    """Degrees, minutes and seconds as signed degrees.

    ``signs`` names the positive, then the negative hemisphere, and ``side`` begins with one of them in any case.
    """
    letter = side.strip()[:1].upper()
    if not letter or letter not in signs or not parts or not math.isfinite(parts[0]):
        return None
    # A zero denominator reads as NaN: cameras that write minutes with a fraction leave the seconds at 0/0.
    total = sum(part / 60.0**place for place, part in enumerate(parts[:3]) if math.isfinite(part))
    if not 0 <= total <= limit:
        return None
    return round(-total if letter == signs[1] else total, 7)  # 7 decimals are a centimetre


def degrees_in(text: str | None, side: str | None, signs: str, limit: float) -> float | None:
    """Signed degrees of a text like ``38,43.2N`` or ``-9.14``; ``side`` is the hemisphere where it stands apart.

    A number without any hemisphere is signed already.
    """
    match = _DEGREES.fullmatch(text or "")
    if match is None:
        return None
    negative = (match["sign"] or "+") in "-\u2212"
    side = match["behind"] or match["before"] or side or signs[negative]
    numbers = [number for part in re.findall(_PART, match["parts"]) if (number := _number(part)) is not None]
    if any(number >= 60 for number in numbers[1:]):
        return None
    return degrees(numbers, side, signs, limit)


def metres(value: float, *, below: bool) -> float | None:
    """A height above the sea; ``below`` says that it counts downwards."""
    if not math.isfinite(value) or abs(value) > HIGHEST:
        return None
    return round(-abs(value) if below else value, 2)


def metres_in(text: str | None, reference: str | None) -> float | None:
    """The height of a text like ``1234/10`` or ``123.4 m``; ``reference`` is like ``1`` or ``Below Sea Level``."""
    match = _METRES.fullmatch(text or "")
    value = _number(match[1].replace("\u2212", "-")) if match else None
    if value is None:
        return None
    return metres(value, below=bool(_BELOW.fullmatch(reference or "")) or "below" in (text or "").casefold())


def _number(text: str) -> float | None:
    whole, _, under = text.partition("/")
    try:
        return float(whole) / float(under or 1)
    except (ValueError, ZeroDivisionError, OverflowError):
        return None
