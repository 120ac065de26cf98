"""The page of the timeline: whole without scripts, page by page; with them, the place that they draw all photos in."""

from __future__ import annotations

import os
from typing import Any, Final

from photoindex.library.gallery import Gallery, ShownPhoto, Timeline
from photoindex.web.calls import Call
from photoindex.web.timeline_filter import filter_of, filter_values

PAGE: Final = 60
# The parts of a filter: what a person calls each, and each one's absence.
FILTERS: Final = {
    "folder": ("Folder", "Any folder"), "camera": ("Camera", "Any camera"), "person": ("Person", "Anybody"),
    "place": ("Place", "Any place"), "rating": ("Stars", "Any number of stars"),
}  # fmt: skip


class TimelinePage:
    """The page; :meth:`timeline` takes a :class:`Call`, and returns a template's name and what fills it."""

    def __init__(self, gallery: Gallery) -> None:
        self._gallery = gallery

    def timeline(self, call: Call) -> tuple[str, dict[str, Any]]:
        timeline = self._gallery.narrowed(filter_of(call))
        days, day = timeline.days(), call.query.get("day", "")
        first = call.whole("from", _place_of_day(days, day) if day else 0, 0, 2**31)
        groups: list[tuple[str | None, list[ShownPhoto]]] = []
        for photo in self._gallery.rows(timeline, first, PAGE):
            key = photo.taken[:10] if photo.taken else None
            if not groups or groups[-1][0] != key:
                groups.append((key, []))
            groups[-1][1].append(photo)
        narrowed = filter_values(timeline.chosen)
        return "timeline.html", {
            "page": "timeline", "title": "Timeline", "groups": groups, "total": timeline.count,
            "whole": timeline.snapshot.count, "first": first, "before": max(0, first - PAGE) if first else None,
            "after": first + PAGE if first + PAGE < timeline.count else None, "years": _year_starts(days),
            "narrowed": narrowed, "filters": _filters(timeline, narrowed),
            "chips": [(FILTERS[name], shown_choice(name, value), _without(narrowed, name))
                      for name, value in narrowed.items()],
        }  # fmt: skip


def shown_choice(name: str, value: str) -> str:
    """Return what a filter can be, as a person reads it."""
    if name == "rating":
        return "★" * int(value) + ("" if value == "5" else " or more")
    return os.sep.join(value.rsplit(os.sep, 2)[-2:]) if name == "folder" else value


def _filters(timeline: Timeline, narrowed: dict[str, str]) -> list[dict[str, Any]]:
    """Return the fields of the form: what each can be, with what it is now among that."""
    found = []
    for name, pairs in timeline.choices.items():
        counts = dict(pairs)
        now = narrowed.get(name, "")
        if now:
            counts.setdefault(now, 0)
        choices = [(value, shown_choice(name, value), counts[value]) for value in sorted(counts)]
        if choices:
            found.append({"name": name, "label": FILTERS[name][0], "any": FILTERS[name][1], "now": now,
                          "choices": choices})  # fmt: skip
    return found


def _without(narrowed: dict[str, str], name: str) -> dict[str, str]:
    return {other: value for other, value in narrowed.items() if other != name}


def _year_starts(days: list[tuple[str | None, int]]) -> dict[str, int]:
    """Return the place of the first photo of each year, newest first, and of those without a date."""
    starts: dict[str, int] = {}
    place = 0
    for name, count in days:
        starts.setdefault(name[:4] if name else "undated", place)
        place += count
    return starts


def _place_of_day(days: list[tuple[str | None, int]], day: str) -> int:
    """Return the place of the first photo that was taken on a day (or in a month or year) or before it."""
    place = 0
    for name, count in days:
        if name is None or name[: len(day)] <= day:
            return place
        place += count
    return max(0, place - 1)
