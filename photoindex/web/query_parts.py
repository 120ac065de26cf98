"""The parts of a query, as a page shows each; and what of an address narrows the timeline."""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from photoindex.library.gallery import FILTER_FIELDS, MOST_STARS, TimelineFilter
from photoindex.library.quoting import parts_of
from photoindex.web.calls import Call, whole

LONGEST_VALUE: Final = 4096  # of a filter: as long as a path may be


def query_of(call: Call) -> str:
    """Return the query of a request, with one space between its parts."""
    return " ".join(call.query.get("q", "").split())[:1000]


def chips(query: str, common: Container[str]) -> list[tuple[str, str]]:
    """Return (clause, the query without it) for each part of a query that a person can take away."""
    parts = parts_of(query)
    if len(parts) < 2:
        return []
    return [
        (part, " ".join(parts[:place] + parts[place + 1 :])) for place, part in enumerate(parts) if part not in common
    ]


def filter_of(call: Call) -> TimelineFilter:
    """Return what the address of a request narrows the timeline to. Raises :class:`.problems.Problem`."""
    texts = {name: call.query.get(name, "")[:LONGEST_VALUE] for name in FILTER_FIELDS if name != "rating"}
    return TimelineFilter(**texts, rating=whole("rating", call.query.get("rating") or 0, 0, MOST_STARS))


def filter_values(chosen: TimelineFilter) -> dict[str, str]:
    """Return what an address says of a filter: those of its parts that are given."""
    return {name: str(value) for name, value in chosen._asdict().items() if value}
