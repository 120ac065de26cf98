"""What was read of a photo as JSON holds it, on its way from a decode worker."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from photoindex.types import PhotoFacts, Place, Unexported, Written


def facts_dict(facts: PhotoFacts) -> dict[str, Any]:
    """``facts`` in what JSON knows."""
    fields = dataclasses.asdict(facts)
    fields["taken_at"] = None if facts.taken_at is None else facts.taken_at.isoformat()
    return fields


def facts_from(fields: Mapping[str, Any]) -> PhotoFacts:
    """The facts that :func:`facts_dict` was given. Raises ValueError, LookupError or TypeError for anything else."""
    values = dict(fields)
    taken_at, place = values["taken_at"], values.get("place")
    values["taken_at"] = None if taken_at is None else datetime.fromisoformat(taken_at)
    values["place"] = None if place is None else Place(**place)
    return PhotoFacts(**values)


def written_from(fields: Mapping[str, Any]) -> Written:
    """The words that ``dataclasses.asdict`` was given. Raises LookupError or TypeError for anything else."""
    values = dict(fields)
    for name in ("keywords", "people", "places"):
        values[name] = tuple(map(str, values[name]))
    return Written(**values)


def unexported_from(fields: Mapping[str, Any] | None) -> Unexported | None:
    """What ``dataclasses.asdict`` was given, or None. Raises LookupError, ValueError or TypeError for anything else."""
    if fields is None:
        return None
    rating = fields["rating"]
    return Unexported(written_from(fields["written"]), None if rating is None else int(rating))
