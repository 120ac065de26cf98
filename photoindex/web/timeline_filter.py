"""What the address of a page or of a request narrows the timeline to."""

from __future__ import annotations

from typing import Final

from photoindex.library.gallery import FILTER_FIELDS, TimelineFilter
from photoindex.types.limits import MOST_STARS
from photoindex.web.calls import Call, whole

LONGEST_VALUE: Final = 4096  # as long as a path may be


def filter_of(call: Call) -> TimelineFilter:
    """Return what the address of a request narrows the timeline to. Raises :class:`.problems.Problem`."""
    texts = {name: call.query.get(name, "")[:LONGEST_VALUE] for name in FILTER_FIELDS if name != "rating"}
    return TimelineFilter(**texts, rating=whole("rating", call.query.get("rating") or 0, 0, MOST_STARS))


def filter_values(chosen: TimelineFilter) -> dict[str, str]:
    """Return what an address says of a filter: those of its parts that are given."""
    return {name: str(value) for name, value in chosen._asdict().items() if value}
