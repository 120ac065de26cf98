"""Days as people write them after ``taken:``, and the range of days that is meant.

    2023   2023-06   2023-06-12                   a year, a month, a day
    today   yesterday
    this week   last month   last year            whole weeks (from Monday), calendar months and years
    last 7 days   last 3 months                   from so long before today until today
    2023-06-01..2023-07-15   2023..   ..today     from the first day of one to the last day of the other

Words may be joined by a hyphen or an underscore: ``last-week``.
"""

from __future__ import annotations

import calendar
import re
from datetime import date, timedelta
from typing import Final

Days = tuple[date, date]  # the first and the last, both included

UNITS: Final = "day|week|month|year"

_CALENDAR: Final = re.compile(r"([0-9]{4})(?:-([0-9]{1,2})(?:-([0-9]{1,2}))?)?")
_WHOLE: Final = re.compile(f"(this|last|past) ({UNITS})")
_RECENT: Final = re.compile(f"(?:last|past) ([0-9]{{1,4}}) ({UNITS})s?")
_JOINTS: Final = re.compile(r"[\s_-]+")


def days_of(text: str, today: date) -> tuple[date | None, date | None]:
    """The first and the last day of what ``text`` names; None leaves that end open.

    Raises ValueError when it names no day. The last day may come before the first: that is the caller's to refuse.
    """
    start, dots, end = text.partition("..")
    if not dots:
        return _days(text, today)
    if not start.strip() and not end.strip():
        raise ValueError("no date")
    first = _days(start, today)[0] if start.strip() else None
    return first, _days(end, today)[1] if end.strip() else None


def _days(text: str, today: date) -> Days:
    text = text.strip()
    if match := _CALENDAR.fullmatch(text):
        return _calendar(int(match[1]), int(match[2] or 0), int(match[3] or 0))
    words = _JOINTS.sub(" ", text.lower())
    if words == "today":
        return today, today
    if words == "yesterday":
        return (yesterday := _before(today, 1, "day")), yesterday
    if match := _WHOLE.fullmatch(words):
        return _whole(match[2], today if match[1] == "this" else _before(today, 1, match[2]))
    if match := _RECENT.fullmatch(words):
        return _before(today, int(match[1]), match[2]), today
    raise ValueError(text)


def _calendar(year: int, month: int, day: int) -> Days:
    """A day, or with a zero for ``day`` or ``month`` the whole month or year."""
    first = date(year, month or 1, day or 1)
    if day:
        return first, first
    last_month = month or 12
    return first, date(year, last_month, calendar.monthrange(year, last_month)[1])


def _whole(unit: str, day: date) -> Days:
    """The day, week, month or year that ``day`` is in."""
    if unit == "day":
        return day, day
    if unit == "week":
        monday = day - timedelta(days=day.weekday())  # 0001-01-01 is a Monday: never before the calendar begins
        return monday, monday + timedelta(days=6) if monday <= date.max - timedelta(days=6) else date.max
    return _calendar(day.year, day.month if unit == "month" else 0, 0)


def _before(day: date, count: int, unit: str) -> date:
    """The day ``count`` units earlier; the 31st becomes the last of a shorter month."""
    if unit in ("day", "week"):
        days = count * (7 if unit == "week" else 1)
        return date.fromordinal(max(day.toordinal() - days, 1))
    months = day.year * 12 + day.month - 1 - count * (12 if unit == "year" else 1)
    if months < 12:
        return date.min
    year, month = months // 12, months % 12 + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))
