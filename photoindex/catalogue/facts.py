"""A photo's facts as columns of ``photo``, and back. A column has the name of its field."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Final

from photoindex.types.hit import PhotoFacts, Place
from photoindex.types.looks import LOOKS

_OF_PHOTO: Final = tuple(field.name for field in fields(PhotoFacts) if field.name != "place")
_OF_PLACE: Final = tuple(field.name for field in fields(Place))

# The columns of ``photo`` that :func:`facts_of` reads.
COLUMNS: Final = _OF_PHOTO + _OF_PLACE


def values_of(facts: PhotoFacts) -> dict[str, Any]:
    """The columns of ``photo`` that hold these facts."""
    values = {name: getattr(facts, name) for name in _OF_PHOTO}
    return values | {name: getattr(facts.place, name, None) for name in _OF_PLACE}


def facts_of(row: Any) -> PhotoFacts | None:
    """The facts in a row of ``photo``; None for one that was never read."""
    if row.format is None:
        return None
    place = None
    if row.country is not None:
        place = Place(**{name: getattr(row, name) or "" for name in _OF_PLACE})
    return PhotoFacts(place=place, **{name: getattr(row, name) for name in _OF_PHOTO})


def looks_text(looks: frozenset[str] | None) -> str | None:
    """What a photo looks like as ``photo.looks`` holds it."""
    return None if looks is None else " ".join(name for name in LOOKS if name in looks)


def looks_from(text: str | None) -> frozenset[str] | None:
    """What ``photo.looks`` says; names that are not known here are left out."""
    return None if text is None else frozenset(text.split()) & frozenset(LOOKS)
