"""Days as people write them, and the range of days that is meant.

    2023   2023-06   2023-06-12   2023/06/12   2023.06.12   20230612    a year, a month, a day
    12.06.2023   06/2023   2023年6月12日           a day (with dots the day comes first), a month, a day
    october 2008   12 october 2008   Oct 12, 2008            a month, a day; Saturday may stand before a day
    summer 2019   winter 2019/20   the 1990s   the 90s       seasons (winter: December to February), decades
    christmas 2019   easter 2020   halloween 2018            see HOLIDAYS
    today   yesterday   3 days ago   two weeks ago           a day, a week, ...
    this week   last month   last weekend   last year        whole weeks (from Monday), calendar months and years
    last summer   last christmas   last october   last monday    the last one that has begun
    last 7 days   last 3 months                              from so long before today until today
    2023-06-01..2023-07-15   2023..   ..today                from the first day of one to the last day of the other
    2008-2010   2008 to 2010   between 2008 and 2010   june to august 2019   the same; the first may lack its year
    >2008   >=2008   <2008   since 2008   before june 2010   after or before; "since" and ">=" include what they name

Words may be joined by a hyphen or an underscore: ``last-week``.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import date, timedelta
from typing import Final

Days = tuple[date, date]  # the first and the last, both included
Range = tuple[date | None, date | None]  # None leaves that end open

_MONTHS: Final = {
    name: number
    for number in range(1, 13)
    for name in (calendar.month_name[number].lower(), calendar.month_abbr[number].lower())
} | {"sept": 9}
_WEEKDAYS: Final = {calendar.day_name[number].lower(): number for number in range(7)}
# The month that each begins in, three months long. Those of the northern half of the earth.
_SEASONS: Final = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}


def _easter(year: int) -> date:
    """Return Easter Sunday in the Gregorian calendar (Meeus, "Astronomical Algorithms", chapter 8)."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    h = (19 * a + b - d - (8 * b + 13) // 25 + 15) % 30
    i, k = divmod(c, 4)
    weekday = (32 + 2 * e + 2 * i - h - k) % 7
    month, day = divmod(h + weekday - 7 * ((a + 11 * h + 22 * weekday) // 451) + 114, 31)
    return date(year, month, day + 1)


def _thanksgiving(year: int) -> date:
    first = date(year, 11, 1)
    return first + timedelta(days=(3 - first.weekday()) % 7 + 21)


def _fixed(month: int, day: int, days: int = 1) -> Callable[[int], Days]:
    return lambda year: (date(year, month, day), date(year, month, day) + timedelta(days=days - 1))


HOLIDAYS: Final[dict[str, Callable[[int], Days]]] = {
    "christmas eve": _fixed(12, 24),
    "christmas day": _fixed(12, 25),
    "christmas": _fixed(12, 24, 3),
    "xmas": _fixed(12, 24, 3),
    "boxing day": _fixed(12, 26),
    "new years eve": _fixed(12, 31),
    "new years day": _fixed(1, 1),
    "new years": _fixed(1, 1),
    "new year": _fixed(1, 1),
    "halloween": _fixed(10, 31),
    "valentines day": _fixed(2, 14),
    "valentines": _fixed(2, 14),
    "easter": lambda year: (_easter(year) - timedelta(days=2), _easter(year) + timedelta(days=1)),
    "thanksgiving": lambda year: (_thanksgiving(year), _thanksgiving(year) + timedelta(days=3)),
}
_EASTER_YEARS: Final = range(1583, 9999)  # of the Gregorian calendar, and a day before the end of all dates


def _any_of(names: object) -> str:
    return "|".join(sorted(names, key=len, reverse=True))  # type: ignore[call-overload]


UNITS: Final = "day|week|month|year"
_MONTH: Final = _any_of(_MONTHS)
_SEASON: Final = _any_of(_SEASONS)
_HOLIDAY: Final = _any_of(HOLIDAYS)
_WEEKDAY: Final = _any_of([*_WEEKDAYS, *(name[:3] for name in _WEEKDAYS)])
_COUNTED: Final = "one two three four five six seven eight nine ten eleven twelve".split()
_COUNTS: Final = {"a": 1, "an": 1} | {word: number for number, word in enumerate(_COUNTED, 1)}
_COUNT: Final = f"[0-9]{{1,4}}|{_any_of(_COUNTS)}"
_DAY_OF: Final = "[0-3]?[0-9](?:st|nd|rd|th)?"
_YEAR: Final = "[0-9]{4}"

# What follows is compared with text in small letters, with single spaces and without commas and apostrophes.
# Patterns are compiled when they are first used: most queries have no date, and compiling them takes milliseconds.
_CALENDAR: Final = r"([0-9]{4})(?:[-/. ]([0-9]{1,2})(?:[-/. ]([0-9]{1,2}))?)?"
_DIGITS: Final = "([0-9]{4})(0[1-9]|1[0-2])([0-3][0-9])"
_EAST_ASIAN: Final = "([0-9]{4})[\u5e74\ub144] ?(?:([0-9]{1,2})[\u6708\uc6d4] ?(?:([0-9]{1,2})[\u65e5\uc77c])?)?"
_MONTH_FIRST: Final = "(0?[1-9]|1[0-2])[-/.]([0-9]{4})"
_DAY_FIRST: Final = r"([0-9]{1,2})[.] ?([0-9]{1,2})[.] ?([0-9]{4})"
_DECADE: Final = r"(?:the )?((?:[0-9]{2})?[0-9])0s"
_MONTH_YEAR: Final = rf"(?:in |of )?({_MONTH})[.]? (?:of )?({_YEAR})|({_YEAR}) ({_MONTH})[.]?"
_DAY_MONTH: Final = rf"({_DAY_OF})[.]? (?:of )?({_MONTH})[.]? ({_YEAR})|({_MONTH})[.]? ({_DAY_OF}) ({_YEAR})"
_NAMED_YEAR: Final = rf"(?:in |the )?({_SEASON}|{_HOLIDAY}) (?:of |in )?({_YEAR})(?:[-/ ]((?:[0-9]{{2}}){{1,2}}))?"
_WHOLE: Final = f"(this|last|past) ({UNITS})"
_WEEKEND: Final = "(this|last|past) weekend"
_LAST_NAMED: Final = rf"(this|last|past) ({_SEASON}|{_HOLIDAY}|{_MONTH}|{_any_of(_WEEKDAYS)})"
_RECENT: Final = f"(?:in )?(?:the )?(?:last|past) ({_COUNT}) ({UNITS})s?"
_AGO: Final = f"({_COUNT}) ({UNITS})s? ago"
_SIGN: Final = "since|after|before|until|till|from|between"
_COMPARED: Final = rf"(?s:(?:taken[\s_-]+)?(>=|<=|>|<|=|(?:{_SIGN})[\s_-])[\s_-]*(.+))"
TO: Final = r"[\s_-]+(?:to|until|till|through)[\s_-]+|\s+-\s+|-|\s*[\u2013\u2014]\s*"  # between two dates
_AND: Final = r"[\s_-]+and[\s_-]+"
_JOINTS: Final = r"[\s_]+|(?<=[a-z])-+(?=[a-z0-9])|(?<=[0-9])-+(?=[a-z])"

# Dates within the text of a query, without quotes or a field. Words that mean something else as often are left out:
# "this may be", "summer", and "from" before one date: photos "from 2010" are mostly those of that year.
_SPACED_HOLIDAY: Final = _HOLIDAY.replace(" ", "[ ]")
_WRITTEN_HOLIDAY: Final = _SPACED_HOLIDAY.replace("years", "year'?s").replace("valentines", "valentine'?s")
MAY_BE_IN_TEXT: Final = "(?i:[0-9]|this|last|past|yesterday|today|ago)"  # one of these stands in each of them
_LIKELY_YEAR: Final = "(?:1[0-9]|2[01])[0-9]{2}"
_DATE: Final = rf"""(?:
    (?:(?:{_WEEKDAY}),?\s+)?(?:{_DAY_OF}\s+)?(?:{_MONTH})[.]?,?\s+(?:{_DAY_OF},?\s+)?{_YEAR}
  | (?:{_SEASON}|{_WRITTEN_HOLIDAY})\s+{_YEAR}(?:[-/][0-9]{{2,4}})?
  | (?:this|last|past)[\s-]+(?:{UNITS}|weekend|{_SEASON})
  | last[\s-]+(?:{_WRITTEN_HOLIDAY}|{_MONTH}|{_any_of(_WEEKDAYS)})
  | (?:last|past)\s+(?:{_COUNT})\s+(?:{UNITS})s?
  | (?:{_COUNT})\s+(?:{UNITS})s?\s+ago
  | yesterday | today
  | {_LIKELY_YEAR}[.][.]{_LIKELY_YEAR}
  | {_LIKELY_YEAR}(?:[-/.][01]?[0-9](?:[-/.][0-3]?[0-9])?)?
  | {_LIKELY_YEAR}[01][0-9][0-3][0-9]
  | {_LIKELY_YEAR}[\u5e74\ub144](?:\s?[0-9]{{1,2}}[\u6708\uc6d4](?:\s?[0-9]{{1,2}}[\u65e5\uc77c])?)?
  | [0-3]?[0-9][.][01]?[0-9][.]{_YEAR} | [01]?[0-9]/{_LIKELY_YEAR}
  | (?:the\s+)?(?:1[0-9]|2[01])[0-9]0s | (?:the\s+)['\u2019]?[0-9]0s
)"""
# "June" or "12" before "to August 2019" or "to 15 June 2019".
_NO_YEAR: Final = rf"(?:(?:{_MONTH})[.]?(?:\s+{_DAY_OF})?|{_DAY_OF}(?:\s+(?:{_MONTH})[.]?)?)"
_BEFORE_ONE: Final = r"(?:since|after|before|until|till)\s+"
IN_TEXT: Final = rf"(?xi:(?:taken\s+)?(?:{_BEFORE_ONE})?{_DATE})"
# The same and two dates. It takes three times as long to compile, and does so for texts with such a sign alone.
MAY_BE_TWO: Final = (
    r"(?i:(?<![^\W_])(?:between|to|until|till|through)(?![^\W_])"
    rf"|[-\u2013\u2014]\s*(?:{_LIKELY_YEAR}|[0-9]{{1,4}}[\s./]|[0-9]{{0,2}}[a-z]))"
)
TWO_IN_TEXT: Final = rf"""(?xi:
    (?:taken\s+)?(?:(?P<pair>(?P<both>between)\s+|from\s+) | {_BEFORE_ONE})?
    (?:{_NO_YEAR} (?P<first>JOINT) (?=(?:{_DAY_OF}\s+)?(?:{_MONTH})))? {_DATE} (?P<second>JOINT {_DATE})?
    (?(pair)(?(first)|(?(second)|(?!))))
)""".replace("JOINT", rf"(?(both){_AND}|(?:{TO}))")


def days_of(text: str, today: date) -> Range:
    """Return the first and the last day of what ``text`` names.

    Raises ValueError when it names no day. The last day may come before the first: that is the caller's to refuse.
    """
    text = text.strip().replace("\u2265", ">=").replace("\u2264", "<=").lower()
    if match := re.fullmatch(_COMPARED, text):
        sign, text = match[1].strip("-_ \t\n"), match[2]
        days = _span(text, today, _AND if sign == "between" else TO)
        if days is not None and sign in ("between", "from", "since"):
            return days
        return _compared(sign, days or _days(text, today))
    start, dots, end = text.partition("..")
    if not dots:
        return _span(text, today, TO) or _days(text, today)
    if not start.strip() and not end.strip():
        raise ValueError("no date")
    first = _days(start, today)[0] if start.strip() else None
    return first, _days(end, today)[1] if end.strip() else None


def _span(text: str, today: date, joint: str) -> Days | None:
    """Return the days from one date to another; None when ``text`` is not two dates with a joint between them."""
    with suppress(ValueError):  # 2008-10 is a month, and no two years
        _days(text, today)
        return None
    for match in re.finditer(joint, text):
        start, end = text[: match.start()], text[match.end() :]
        with suppress(ValueError):
            return _first_of(start, end, today), _days(end, today)[1]
    return None


def _first_of(start: str, end: str, today: date) -> date:
    """Return the first day of ``start``, which may leave out what ``end`` says: "june" before "august 2019", "12"
    before "15 june 2019"."""
    with suppress(ValueError):
        return _days(start, today)[0]
    first_of_end, last = _days(end, today)
    month = f"{calendar.month_name[last.month]} {last.year}".lower()
    for rest in [str(last.year), *([month] if first_of_end == last else [])]:
        with suppress(ValueError):
            if re.search("[a-z]", end):  # 10-06-2023 is one day
                first = _days(f"{start} {rest}", today)[0]
                # From November to February is across the turn of the year.
                return first if first <= last else _days(f"{start} {last.year - 1}", today)[0]
    raise ValueError(start)


def _compared(sign: str, days: Days) -> Range:
    first, last = days
    if sign in (">", "after"):
        return _moved(last, 1), None
    if sign in (">=", "since", "from"):
        return first, None
    if sign in ("<", "before"):
        return None, _moved(first, -1)
    if sign in ("<=", "until", "till"):
        return None, last
    if sign == "between":
        raise ValueError("one date")
    return first, last


def _moved(day: date, days: int) -> date:
    if not 1 <= day.toordinal() + days <= date.max.toordinal():
        raise ValueError("no day is beyond that")
    return day + timedelta(days=days)


def _days(text: str, today: date) -> Days:
    text = text.strip()
    if match := re.fullmatch(_CALENDAR, text):
        return _calendar(int(match[1]), int(match[2] or 0), int(match[3] or 0))
    if match := re.fullmatch(_DIGITS, text) or re.fullmatch(_EAST_ASIAN, text):
        return _calendar(int(match[1]), int(match[2] or 0), int(match[3] or 0))
    if match := re.fullmatch(_MONTH_FIRST, text):
        return _calendar(int(match[2]), int(match[1]), 0)
    if match := re.fullmatch(_DAY_FIRST, text):
        return _calendar(int(match[3]), int(match[2]), int(match[1]))
    words = " ".join(re.sub(_JOINTS, " ", text.replace(",", " ").replace("'", "").replace("\u2019", "")).split())
    for understand in (_named, _relative):
        if (days := understand(words, today)) is not None:
            return days
    raise ValueError(text)


def _named(words: str, today: date) -> Days | None:
    """Days with a year."""
    if match := re.fullmatch(_DECADE, words):
        first = int(match[1]) * 10
        if first < 100:  # the last of this name that has begun
            first += today.year // 100 * 100
            first -= 100 if first > today.year else 0
        return date(first, 1, 1), date(first + 9, 12, 31)
    if match := re.fullmatch(_MONTH_YEAR, words):
        return _calendar(int(match[2] or match[3]), _MONTHS[match[1] or match[4]], 0)
    if match := re.fullmatch(f"(?:(?:{_WEEKDAY}) )?(?:{_DAY_MONTH})", words):
        day, month, year = match[1] or match[5], match[2] or match[4], match[3] or match[6]
        return _calendar(int(year), _MONTHS[month], int(day.rstrip("sthndr")))
    if match := re.fullmatch(_NAMED_YEAR, words):
        year, next_year = int(match[2]), match[3]
        if next_year and (match[1] != "winter" or not str(year + 1).endswith(next_year)):
            raise ValueError("no season of two years")
        return _period(match[1], year)
    return None


def _relative(words: str, today: date) -> Days | None:
    """Days counted from today."""
    if words == "today":
        return today, today
    if words in ("yesterday", "day before yesterday", "the day before yesterday"):
        day = _before(today, 1 if words == "yesterday" else 2, "day")
        return day, day
    if match := re.fullmatch(_WHOLE, words):
        return _whole(match[2], today if match[1] == "this" else _before(today, 1, match[2]))
    if match := re.fullmatch(_WEEKEND, words):
        monday = _whole("week", today if match[1] == "this" else _before(today, 1, "week"))[0]
        return _moved(monday, 5), _moved(monday, 6)
    if match := re.fullmatch(_RECENT, words):
        return _before(today, _count(match[1]), match[2]), today
    if match := re.fullmatch(_AGO, words):
        return _whole(match[2], _before(today, _count(match[1]), match[2]))
    if match := re.fullmatch(_LAST_NAMED, words):
        return _last_named(match[2], today, this=match[1] == "this")
    return None


def _count(text: str) -> int:
    return int(text) if text.isdecimal() else _COUNTS[text]


def _period(name: str, year: int) -> Days:
    """Return the days of a month, season or holiday in a year; winter goes on into the next."""
    if name in _MONTHS:
        return _calendar(year, _MONTHS[name], 0)
    if name in _SEASONS:
        month = _SEASONS[name] + 2
        later, last = (year + 1, month - 12) if month > 12 else (year, month)
        return date(year, _SEASONS[name], 1), _calendar(later, last, 0)[1]
    if name == "easter" and year not in _EASTER_YEARS:
        raise ValueError("no Easter is known of that year")
    return HOLIDAYS[name](year)


def _last_named(name: str, today: date, *, this: bool) -> Days:
    """Return the last one before today; with ``this`` the one that today is in, or else this year's."""
    if name in _WEEKDAYS:
        day = _before(today, (today.weekday() - _WEEKDAYS[name] - 1) % 7 + 1, "day")
        return day, day
    periods = [_period(name, year) for year in range(max(today.year - 2, 1), min(today.year + 1, 9998))]
    if this:
        return next((days for days in periods if days[0] <= today <= days[1]), periods[-1])
    before = [days for days in periods if days[1] < today]
    if not before:
        raise ValueError("no day is before that")
    return before[-1]


def _calendar(year: int, month: int, day: int) -> Days:
    """Return a day, or with a zero for ``day`` or ``month`` the whole month or year."""
    first = date(year, month or 1, day or 1)
    if day:
        return first, first
    last_month = month or 12
    return first, date(year, last_month, calendar.monthrange(year, last_month)[1])


def _whole(unit: str, day: date) -> Days:
    """Return the day, week, month or year that ``day`` is in."""
    if unit == "day":
        return day, day
    if unit == "week":
        monday = day - timedelta(days=day.weekday())  # 0001-01-01 is a Monday: never before the calendar begins
        return monday, monday + timedelta(days=6) if monday <= date.max - timedelta(days=6) else date.max
    return _calendar(day.year, day.month if unit == "month" else 0, 0)


def _before(day: date, count: int, unit: str) -> date:
    """Return the day ``count`` units earlier; the 31st becomes the last of a shorter month."""
    if unit in ("day", "week"):
        days = count * (7 if unit == "week" else 1)
        return date.fromordinal(max(day.toordinal() - days, 1))
    months = day.year * 12 + day.month - 1 - count * (12 if unit == "year" else 1)
    if months < 12:
        return date.min
    year, month = months // 12, months % 12 + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))
