"""A photo's facts as columns of ``photo``, and back. A column has the name of its field."""

from __future__ import annotations

from dataclasses import fields, replace
from operator import attrgetter
from typing import Any, Final

from photoindex.types.hit import PhotoFacts, Place
from photoindex.types.looks import LOOKS

_OF_PHOTO: Final = tuple(field.name for field in fields(PhotoFacts) if field.name != "place")
_OF_PLACE: Final = tuple(field.name for field in fields(Place))
_photo_values = attrgetter(*_OF_PHOTO)
_place_values = attrgetter(*_OF_PLACE)

# The columns of ``photo`` that hold what decoding learned, and those that :func:`facts_of` reads.
COLUMNS: Final = _OF_PHOTO + _OF_PLACE
READ_COLUMNS: Final = (*COLUMNS, "own_rating")
# The stars that a photo shows: a person's, else those that were read with it; 0 of a person's is none.
SHOWN_RATING: Final = "nullif(coalesce(photo.own_rating, photo.rating), 0)"


def values_of(facts: PhotoFacts) -> dict[str, Any]:
    """The columns of ``photo`` that hold these facts."""
    values = {name: getattr(facts, name) for name in _OF_PHOTO}
    return values | {name: getattr(facts.place, name, None) for name in _OF_PLACE}


def facts_of(row: Any) -> PhotoFacts | None:
    """The facts in a row of ``photo``, with a person's stars before those that were read; None for a photo that was
    never read."""
    if row.format is None:
        return None
    place = None
    if row.country is not None:
        place = Place(*(text or "" for text in _place_values(row)))
    facts = PhotoFacts(place=place, **dict(zip(_OF_PHOTO, _photo_values(row), strict=True)))
    return facts if row.own_rating is None else replace(facts, rating=row.own_rating or None)


def looks_text(looks: frozenset[str] | None) -> str | None:
    """What a photo looks like as ``photo.looks`` holds it."""
    return None if looks is None else " ".join(name for name in LOOKS if name in looks)


def looks_from(text: str | None) -> frozenset[str] | None:
    """What ``photo.looks`` says; names that are not known here are left out."""
    return None if text is None else frozenset(text.split()) & frozenset(LOOKS)
