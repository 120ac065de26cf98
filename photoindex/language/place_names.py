"""The words by which a place is found."""

from __future__ import annotations

from typing import Final

from photoindex.types.hit import Place

# Names as people say them, where the table has the formal one or a person would as well use another.
SPOKEN: Final = {
    "AE": "United Arab Emirates UAE",
    "BO": "Bolivia",
    "CD": "Congo",
    "CZ": "Czechia",
    "FK": "Falklands",
    "GB": "UK Britain Great Britain",
    "IR": "Iran",
    "KP": "North Korea",
    "KR": "South Korea",
    "LA": "Laos",
    "MD": "Moldova",
    "MK": "North Macedonia",
    "MM": "Burma",
    "NL": "Holland",
    "PS": "Palestine",
    "RU": "Russia",
    "SY": "Syria",
    "SZ": "Eswatini",
    "TR": "Türkiye",
    "TW": "Taiwan",
    "TZ": "Tanzania",
    "US": "USA America",
    "VA": "Vatican",
    "VE": "Venezuela",
    "VN": "Vietnam",
}


BETWEEN_PARTS: Final = " . "


def words_of(place: Place) -> str:
    """The words a place is found by: its parts, and what people call its country."""
    spoken = SPOKEN.get(place.country_code, "")
    parts = dict.fromkeys((place.city, place.district, place.region, place.country, place.metropolis, spoken))
    return BETWEEN_PARTS.join(part for part in parts if part)
