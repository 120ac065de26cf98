"""Dates as cameras, programs and file names write them, and which of them are none.

A moment is the local time at the place, as a camera shows it, with the offset from UTC where that is known. The order
in which sources are believed is in read.py; a file's modification time comes last and is only shown and sorted by,
since copying or restoring a library can give all its photos the same one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import IntEnum
from pathlib import PurePath
from typing import Final

FIRST_PHOTO_YEAR: Final = 1826  # Niépce's view from the window; people date scans of old prints
FIRST_CAMERA_YEAR: Final = 1990  # from here on a date may be that of a digital camera's clock
CLOCK_SKEW: Final = timedelta(days=1)  # a camera on the other side of the date line is ahead of this machine
EPOCHS: Final = frozenset({1904, 1970, 1980})  # at whose beginning the clocks of systems start: Mac, Unix, DOS
MOST_OFFSET: Final = 15 * 60  # minutes; the easternmost clocks are at +14:00
LAST_LEAP_SECOND: Final = 61  # as far as C's tm_sec goes
ZONE_STEP: Final = 15 * 60  # seconds; all clocks are at a multiple of it from UTC
ROUNDED: Final = timedelta(seconds=1)  # by which programs differ that leave parts of a second out

# The halves of a day that stand before the hour: Chinese, Japanese, Korean.
_MORNING: Final = "上午|午前|오전|凌晨|清晨|早上"
_EVENING: Final = "下午|午後|午后|오후|傍晚|晚上"
_HALF: Final = rf"(?P<half_before>{_MORNING}|{_EVENING}|[ap]\.?m\b\.?)"

# Eight digits in a row, perhaps with the clock's six behind them; three numbers with blanks between them; or a year,
# month and day with some other sign between them, padded with a blank or missing.
_DAY: Final = re.compile(
    r"""\s*(?:(\d{4})(\d\d)(\d\d)(?=\d{6}(?!\d)|\D|$)
          |(\d{4})\s+(\d{1,2})\s+(\d{1,2})(?![\d:])
          |(\d{4})(?:\s?[^\d\s]\s?(\d{1,2}|[ ]{1,2})
                   (?:\s?[^\d\s]\s?(\d{1,2}|[ ]{1,2})|\s(\d{1,2})(?![\d:]))?)?(?!\d))""",
    re.VERBOSE,
)
_CLOCK: Final = re.compile(
    rf"""(?:\D{{0,3}}?\s*{_HALF}\s*|\D{{0,3}}?\s*|[T ])
        (?:(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)(?!\d)
          |(?P<hour1>\d{{1,2}})\s*(?P<colon>[^\d\s])\s*(?P<minute1>\d{{1,2}})(?:\s*(?P=colon)\s*(?P<second1>\d{{1,2}}))?)
        (?:[.,](?P<fraction>\d+))?(?:\s*(?P<half>[ap])\.?m\b\.?)?\s*(?P<offset>Z|UTC|GMT|[+-]\d{{1,2}}(?::?\d\d)?)?""",
    re.VERBOSE | re.IGNORECASE,
)
_EXIF_CLOCKS: Final = (("hour", "minute", "second"), ("hour1", "minute1", "second1"))
_OFFSET: Final = re.compile(r"\s*(?:(Z|UTC|GMT)|([+-])(\d{1,2})(?::?(\d\d))?)\s*", re.IGNORECASE)

_NAMED_DAY: Final = re.compile(
    r"(?<!\d)(?P<year>(?:18|19|20)\d\d)(?P<joint>[-_.]?)(?P<month>\d\d)(?P=joint)(?P<day>\d\d)"
    r"|(?<!\d)(?P<year1>(?:18|19|20)\d\d)\s?[年년]\s?(?P<month1>\d{1,2})\s?[月월]\s?(?P<day1>\d{1,2})\s?[日일]"
)
# The clock behind a day in a name: at once, or behind the word with which systems name screenshots ("um", "a las").
_NAMED_CLOCK: Final = re.compile(
    rf"""(?:[-_T.]|\s)?
        (?P<word>(?:[-_]|\s)*(?:at|um|om|ob|klo?|klokken|kell|à|às|alle|ore|a\ las|a\ les|o|о|в|saat)\.?(?:[-_]|\s)+)?
        (?:{_HALF}\s?)?
        (?:(?P<hour>\d\d)(?P<colon>[-_.:]?)(?P<minute>\d\d)(?P=colon)(?P<second>\d\d)(?:[-_.]?(?P<milli>\d{{3}}))?
          |(?P<hour1>\d)(?P<colon1>[-_.:])(?P<minute1>\d\d)(?P=colon1)(?P<second1>\d\d)
          |(?P<hour2>\d\d?)h(?P<minute2>\d\d)(?:m(?P<second2>\d\d)s?)?
          |(?P<hour3>\d\d?)\s?[時时点시]\s?(?P<minute3>\d\d?)\s?[分분](?:\s?(?P<second3>\d\d?)\s?[秒초])?
          |(?P<hour4>\d\d?)[-.:](?P<minute4>\d\d)(?!\d|[-.:]\d)
          |(?P<hour5>\d\d)(?P<minute5>\d\d)(?!x|p\b))
        (?!\d)(?P<behind>(?:[-_.]|\s)*(?P<half>[ap])\.?\s?m(?![^\W_])\.?)?""",
    re.VERBOSE | re.IGNORECASE,
)
_CLOCKS: Final = tuple((f"hour{n}", f"minute{n}", f"second{n}") for n in ("", "1", "2", "3"))
_SHORT_CLOCKS: Final = (("hour4", "minute4", None), ("hour5", "minute5", None))
# What may stand behind an hour and a minute for them to be a clock: nothing but the number of a copy and the suffix.
_NAME_ENDS: Final = re.compile(r"(?:\s*\(\d+\))?(?:\.\w{2,5})?$")

_PART: Final = r"(?:[-_.\s]|$)"  # what ends a number in a folder's name
_FOLDER_DAY: Final = re.compile(r"((?:18|19|20)\d\d)([-_.]?)(\d\d)\2(\d\d)(?!\d)")
_FOLDER_MONTH: Final = re.compile(rf"((?:18|19|20)\d\d)[-_.](\d\d){_PART}")
_FOLDER_YEAR: Final = re.compile(r"((?:18|19|20)\d\d)")
_FOLDER_NUMBER: Final = re.compile(rf"(\d\d){_PART}")
MOST_FOLDERS: Final = 3  # above a photo, whose names may date it: year, month, day
_MONTHS: Final = (
    "january february march april may june july august september october november december".split()
)  # fmt: skip


class Known(IntEnum):
    """How much of a date was given; all that is finer is the first, or midnight."""

    YEAR = 1
    MONTH = 2
    DAY = 3
    CLOCK = 4


@dataclass(frozen=True, slots=True)
class Moment:
    """Local time, and minutes east of UTC where known; ``known`` says how much of it was given."""

    time: datetime
    offset: int | None = None
    known: Known = field(default=Known.CLOCK, compare=False)

    def refines(self, other: Moment) -> bool:
        """Whether this is a more precise date within the year, month or day that ``other`` names."""
        return self.known > other.known and self._day_as_of(other.known) == other._day_as_of(other.known)

    def agrees(self, other: Moment) -> bool:
        """Whether both may be the same moment: as far as both are known, but for a second, and for the zone where one
        of them is in UTC, as programs write it, and the other is local time."""
        known = min(self.known, other.known)
        if known is not Known.CLOCK:
            return self._day_as_of(known) == other._day_as_of(known)
        apart = abs(self.time - other.time)
        zones, rest = divmod(apart + ROUNDED, timedelta(seconds=ZONE_STEP))
        in_utc = self.offset == 0 or other.offset == 0
        return rest <= 2 * ROUNDED and (zones == 0 or (in_utc and apart <= timedelta(minutes=MOST_OFFSET) + ROUNDED))

    def _day_as_of(self, known: Known) -> tuple[int, ...]:
        return (self.time.year, self.time.month, self.time.day)[:known]


def from_exif(text: str | None, subseconds: str | None = None, offset: str | None = None) -> Moment | None:
    """``2008:05:25 19:31:26`` and what writers made of it; ``0000:00:00 00:00:00`` and blanks are no date.

    A part that is blank or impossible costs what is finer alone: of a clock at 25:61 the day is kept, of month 00 the
    year. ``subseconds`` are the digits behind the point (SubSecTimeOriginal), ``offset`` is like ``+02:00``.
    """
    match = _DAY.match(text or "")
    if match is None or text is None:
        return None
    day = [match[1] or match[4] or match[7], match[2] or match[5] or match[8], match[3] or match[6] or match[9]]
    day[2] = day[2] or match[10]
    clock = _CLOCK.match(text, match.end())
    if clock is None:
        return _moment(day)
    digits = clock["fraction"] or (subseconds or "").strip()
    fraction = digits if digits.isascii() and digits.isdigit() else ""
    return _moment(day, _hours(clock, _EXIF_CLOCKS), fraction, clock["offset"] or offset)


def from_iso(text: str | None, subseconds: str | None = None, offset: str | None = None) -> Moment | None:
    """XMP's dates (ISO 8601): from ``2003`` alone to ``2003-08-06T18:04:34.61-05:00``; some programs copy EXIF's."""
    return from_exif(text, subseconds, offset)


def from_iptc(day: str | None, time: str | None) -> Moment | None:
    """``20030806`` and ``180434-0500`` (IPTC-IIM 2:55 and 2:60)."""
    moment = from_exif(f"{(day or '').strip()} {(time or '').strip()}")
    if moment is not None and moment.known is Known.CLOCK and _is_midnight(moment.time):
        return replace(moment, known=Known.DAY)  # programs that know only the day write midnight
    return moment


def from_name(name: str) -> Moment | None:
    """The date in a file's name: ``IMG_20190704_123456``, ``Screenshot 2020-01-01 at 9.34.56 PM``,
    ``IMG-20190704-WA0001``, ``2019-07-04 12.34.56``, ``signal-2019-07-04-123456``; None where there is none."""
    name = unicodedata.normalize("NFC", name)
    for match in _NAMED_DAY.finditer(name):
        # Eight digits in a row may be any number; one from before digital cameras was hardly named by one.
        if match["joint"] == "" and int(match["year"]) < FIRST_CAMERA_YEAR:
            continue
        hours, milli = _named_clock(name, match)
        if hours is None and name[match.end() : match.end() + 1].isdigit():
            continue
        day = [match[part] or match[f"{part}1"] for part in ("year", "month", "day")]
        if "00" in day[1:]:
            continue
        # Pixel phones name their photos by UTC.
        offset = "Z" if name.upper().startswith("PXL_") and hours else None
        moment = _moment(day, hours, milli, offset)
        if moment is not None:
            return moment
    return None


def _named_clock(name: str, day: re.Match[str]) -> tuple[list[str | None] | None, str]:
    """Return hour, minute and second behind the ``day`` in a name, and the digits of its milliseconds.

    Four digits may as well be the number of a photo, and two numbers a price. So they are a clock only behind eight
    digits in a row or at the end of the name, beside a half of the day or behind a word such as "at".
    """
    clock = _NAMED_CLOCK.match(name, day.end())
    if clock is None:
        return None, ""
    if clock["hour5"] is None and clock["hour4"] is None:
        return _hours(clock, _CLOCKS), clock["milli"] or ""
    is_plain = day["joint"] == ""
    hours = _hours(clock, _SHORT_CLOCKS)
    valid = int(hours[0] or 0) <= 23 and int(hours[1] or 0) <= 59
    said = clock["half_before"] or clock["half"] or clock["word"]
    if clock["hour4"] is not None:
        return (hours if valid and (said or _NAME_ENDS.match(name, clock.end())) else None), ""
    return (hours if valid and (said or (is_plain and int(hours[0] or 0) > 0)) else None), ""


def from_folders(folder: PurePath) -> Moment | None:
    """The date in the names of the folders a photo lies in: ``2019-08-14 Lisbon``, ``2019/08``, ``2019/08-August``,
    ``2019-08 Portugal``, ``2019/2019-08-14``, ``2019``; None where there is none.

    A year counts where it is the whole name, a month and a day below theirs. The names nearest to the photo decide.
    """
    year: str | None = None
    month: str | None = None
    day: str | None = None
    has_own_folder = False  # the day
    for name in folder.parts[-MOST_FOLDERS:]:
        if match := _FOLDER_DAY.match(name):
            year, month, day, has_own_folder = match[1], match[3], match[4], False
        elif match := _FOLDER_MONTH.match(name):
            year, month, day = match[1], match[2], None
        elif _FOLDER_YEAR.fullmatch(name):
            year, month, day = name, None, None
        elif year and not month and (number := _month_of(name)):
            month = number
        elif month and not day and (match := _FOLDER_NUMBER.match(name)):
            day, has_own_folder = match[1], True
    if year is None:
        return None
    moment = _moment([year, month, day])
    # 2019/06/31 is no day, and yet the folder lies in a month's.
    return _moment([year, month, None]) if moment is None and has_own_folder else moment


def _month_of(name: str) -> str | None:
    """The number of a month that a folder below a year is named by: ``08``, ``08-August``, ``August``, ``Aug``."""
    if match := _FOLDER_NUMBER.match(name):
        return match[1] if 1 <= int(match[1]) <= 12 else None
    word = name.strip().casefold()
    matching = [number for number, month in enumerate(_MONTHS, 1) if word in (month, month[:3])]
    return f"{matching[0]:02}" if matching else None


def believable(moment: Moment | None, now: datetime, *, clock: bool = False) -> Moment | None:
    """``moment`` unless it cannot be when a photo was taken: before there were photos, or after ``now`` (local time).

    ``clock``: it was a camera's clock that said so. One that was never set begins at a new year's midnight, of a year
    when there were such cameras or where a system's time begins; of older years that is how people date what they
    know only the year of.
    """
    if moment is None or moment.time.year < FIRST_PHOTO_YEAR or moment.time > now + CLOCK_SKEW:
        return None
    return None if clock and moment.known >= Known.DAY and _is_unset(moment.time) else moment


def doubtful_last(moments: Iterable[Moment | None]) -> tuple[Moment, ...]:
    """Put behind the others of a source's dates those that a clock which was never set shows."""
    given = [moment for moment in moments if moment is not None]
    return tuple(sorted(given, key=lambda moment: moment.known is Known.CLOCK and _is_unset(moment.time)))


def _is_unset(time: datetime) -> bool:
    is_start = (time.month, time.day) == (1, 1) and _is_midnight(time)
    return is_start and (time.year >= FIRST_CAMERA_YEAR or time.year in EPOCHS)


def _is_midnight(time: datetime) -> bool:
    return (time.hour, time.minute, time.second) == (0, 0, 0)


def offset_minutes(text: str | None) -> int | None:
    """``+02:00`` or ``Z`` as minutes east of UTC."""
    match = _OFFSET.fullmatch(text or "")
    if match is None:
        return None
    if match[1]:
        return 0
    minutes = int(match[3]) * 60 + int(match[4] or 0)
    if minutes > MOST_OFFSET or int(match[4] or 0) > 59:
        return None
    return -minutes if match[2] == "-" else minutes


def offset_text(minutes: int) -> str:
    """``+02:00``, as ISO 8601 writes it."""
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def from_mtime(nanoseconds: int) -> Moment | None:
    """When a file was last changed (ns since 1970), in local time."""
    try:
        return Moment(datetime.fromtimestamp(nanoseconds // 10**9)) if nanoseconds > 0 else None
    except (OverflowError, ValueError, OSError):
        return None


def from_instant(seconds: int) -> Moment | None:
    """An instant (seconds since 1970) in UTC; 0 is none."""
    if seconds == 0:
        return None
    try:
        return Moment(datetime(1970, 1, 1) + timedelta(seconds=seconds), 0)
    except OverflowError:
        return None


def in_zone_of(instant: Moment | None, local: Moment | None) -> Moment | None:
    """``instant`` (in UTC) as the clock showed it that wrote ``local``, if that is the same moment in some zone."""
    if instant is None or local is None or local.offset is not None:
        return instant
    seconds = (local.time.replace(microsecond=0) - instant.time).total_seconds()
    if seconds % ZONE_STEP or abs(seconds) > MOST_OFFSET * 60:
        return instant
    return Moment(local.time, int(seconds) // 60)


def _hours(match: re.Match[str], groups: Iterable[tuple[str, str, str | None]]) -> list[str | None]:
    """Hour, minute and second by the first of the groups that took part; ``11 PM`` is 23, and so is ``午後11``."""
    hour, minute, second = next(
        [match[group] if group else None for group in three] for three in groups if match[three[0]] is not None
    )
    half = (match["half"] or match["half_before"] or "").lower()
    if half and int(hour or 0) <= 12:
        is_evening = half[0] == "p" or half in _EVENING.split("|")
        hour = str(int(hour or 0) % 12 + (12 if is_evening else 0))
    return [hour, minute, second]


def _moment(
    day: Sequence[str | None], clock: Sequence[str | None] | None = None, fraction: str = "", offset: str | None = None
) -> Moment | None:
    """A moment of its parts, of which those that cannot be are left out with all that is finer."""
    year, month, date = (int(part) if part and part.strip() else 0 for part in day)
    known = Known.YEAR if not month else Known.DAY if date else Known.MONTH
    if not month:
        date = 0
    try:
        start = datetime(year, month or 1, date or 1)
    except ValueError:
        return None
    hour, minute, second = (int(part or 0) for part in clock or (None, None, None))
    if known < Known.DAY or clock is None or hour > 23 or minute > 59:
        return Moment(start, None, known)
    if second > 59:
        second, fraction = (59, "") if second <= LAST_LEAP_SECOND else (0, "")
    micro = int(fraction[:6].ljust(6, "0")) if fraction else 0
    return Moment(start.replace(hour=hour, minute=minute, second=second, microsecond=micro), offset_minutes(offset))
