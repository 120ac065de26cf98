"""What was read of a photo as JSON holds it, on its way from a decode worker."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from photoindex.types import PhotoFacts, Place, Written


def facts_dict(facts: PhotoFacts) -> dict[str, Any]:
    """``facts`` in what JSON knows."""
    fields = dataclasses.asdict(facts)
    fields["taken_at"] = None if facts.taken_at is None else facts.taken_at.isoformat()
    return fields


def facts_from(fields: Mapping[str, Any]) -> PhotoFacts:
    """The facts that :func:`facts_dict` was given. Raises ValueError, LookupError or TypeError for anything else."""
    found = dict(fields)
    taken_at, place = found["taken_at"], found.get("place")
    found["taken_at"] = None if taken_at is None else datetime.fromisoformat(taken_at)
    found["place"] = None if place is None else Place(**place)
    return PhotoFacts(**found)


def written_from(fields: Mapping[str, Any]) -> Written:
    """The words that ``dataclasses.asdict`` was given. Raises LookupError or TypeError for anything else."""
    found = dict(fields)
    for name in ("keywords", "people", "places"):
        found[name] = tuple(map(str, found[name]))
    return Written(**found)
