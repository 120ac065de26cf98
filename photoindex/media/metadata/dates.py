"""Dates as cameras, programs and file names write them, and which of them are none.

A moment is the local time at the place, as a camera shows it, with the offset from UTC where that is known. The order
in which sources are believed is in read.py; a file's modification time comes last and is only shown and sorted by,
since copying or restoring a library can give all its photos the same one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

FIRST_PHOTO_YEAR: Final = 1826  # Niépce's view from the window; people date scans of old prints
FIRST_CAMERA_YEAR: Final = 1990  # from here on a date may be that of a digital camera's clock
CLOCK_SKEW: Final = timedelta(days=1)  # a camera on the other side of the date line is ahead of this machine
EPOCHS: Final = frozenset({1904, 1970, 1980})  # at whose beginning the clocks of systems start: Mac, Unix, DOS
MOST_OFFSET: Final = 15 * 60  # minutes; the easternmost clocks are at +14:00
ZONE_STEP: Final = 15 * 60  # seconds; all clocks are at a multiple of it from UTC

_EXIF: Final = re.compile(r"\s*(\d{4})\D(\d{1,2})\D(\d{1,2})(?:\D+(\d{1,2})\D(\d{1,2})(?:\D(\d{1,2}))?)?")
_ISO: Final = re.compile(
    r"\s*(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?\s*(Z|[+-]\d\d:?\d\d)?)?)?)?\s*",
    re.IGNORECASE,
)
_OFFSET: Final = re.compile(r"\s*(?:(Z)|([+-])(\d\d):?(\d\d))\s*", re.IGNORECASE)
_IPTC_DATE: Final = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)")
_IPTC_TIME: Final = re.compile(r"(\d\d):?(\d\d):?(\d\d)?([+-]\d\d:?\d\d)?")
_NAME: Final = re.compile(
    r"""(?<!\d)(?P<year>(?:18|19|20)\d\d)(?P<joint>[-_.]?)(?P<month>\d\d)(?P=joint)(?P<day>\d\d)
        (?:(?:[-_T.\ ]|[-_\ ]at[-_\ ])?(?P<hour>\d\d)(?P<colon>[-_.:]?)(?P<minute>\d\d)(?P=colon)(?P<second>\d\d)
           (?:[-_.]?(?P<milli>\d{3}))?)?
        (?!\d)""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Moment:
    """Local time, and minutes east of UTC where known."""

    time: datetime
    offset: int | None = None


def from_exif(text: str | None, subseconds: str | None = None, offset: str | None = None) -> Moment | None:
    """``2008:05:25 19:31:26`` and what writers made of it; ``0000:00:00 00:00:00`` and blanks are no date.

    ``subseconds`` are the digits behind the point (SubSecTimeOriginal), ``offset`` is like ``+02:00``.
    """
    found = _EXIF.match(text or "")
    if found is None:
        return None
    digits = (subseconds or "").strip()
    fraction = digits if digits.isascii() and digits.isdigit() and found[6] else ""
    return _moment([*found.groups()], fraction, offset)


def from_iso(text: str | None) -> Moment | None:
    """XMP's dates (ISO 8601): from ``2003`` alone to ``2003-08-06T18:04:34.61-05:00``."""
    found = _ISO.fullmatch(text or "")
    if found is None:
        return from_exif(text)  # some programs copy EXIF's form
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    return _moment([year, month or "1", day or "1", hour, minute, second], fraction or "", offset)


def from_iptc(day: str | None, time: str | None) -> Moment | None:
    """``20030806`` and ``180434-0500`` (IPTC-IIM 2:55 and 2:60)."""
    date = _IPTC_DATE.fullmatch((day or "").strip())
    if date is None:
        return None
    clock = _IPTC_TIME.fullmatch((time or "").strip())
    hour, minute, second, offset = clock.groups() if clock else (None, None, None, None)
    # Programs that know only the day write midnight.
    return _moment([*date.groups(), hour, minute, second], "", offset)


def from_name(name: str) -> Moment | None:
    """The date in a file's name: ``IMG_20190704_123456``, ``Screenshot_2020-01-01-12-34-56``,
    ``IMG-20190704-WA0001``, ``2019-07-04 12.34.56``, ``signal-2019-07-04-123456``; None where there is none."""
    for found in _NAME.finditer(name):
        # Eight digits in a row may be any number; one from before digital cameras was hardly named by one.
        if not found["joint"] and int(found["year"]) < FIRST_CAMERA_YEAR:
            continue
        day = [found["year"], found["month"], found["day"]]
        clock = [found["hour"], found["minute"], found["second"]]
        # Pixel phones name their photos by UTC.
        offset = "Z" if name.upper().startswith("PXL_") and found["hour"] else None
        moment = _moment([*day, *clock], found["milli"] or "", offset) or _moment([*day, None, None, None], "", None)
        if moment is not None:
            return moment
    return None


def believable(moment: Moment | None, now: datetime, *, clock: bool = False) -> Moment | None:
    """``moment`` unless it cannot be when a photo was taken: before there were photos, or after ``now`` (local time).

    ``clock``: it was a camera's clock that said so. One that was never set begins at a new year's midnight, of a year
    when there were such cameras or where a system's time begins; of older years that is how people date what they
    know only the year of.
    """
    if moment is None or moment.time.year < FIRST_PHOTO_YEAR or moment.time > now + CLOCK_SKEW:
        return None
    time = moment.time
    if clock and (time.month, time.day, time.hour, time.minute, time.second) == (1, 1, 0, 0, 0):
        unset = time.year >= FIRST_CAMERA_YEAR or time.year in EPOCHS
        return None if unset else moment
    return moment


def offset_minutes(text: str | None) -> int | None:
    """``+02:00`` or ``Z`` as minutes east of UTC."""
    found = _OFFSET.fullmatch(text or "")
    if found is None:
        return None
    if found[1]:
        return 0
    minutes = int(found[3]) * 60 + int(found[4])
    if minutes > MOST_OFFSET or int(found[4]) > 59:
        return None
    return -minutes if found[2] == "-" else minutes


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


def _moment(parts: list[str | None], fraction: str, offset: str | None) -> Moment | None:
    """``parts``: year to second, of which the clock's may be None."""
    try:
        whole = [int(part or 0) for part in parts]
        if whole[5] == 60:  # a leap second
            whole[5] = 59
        micro = int(fraction[:6].ljust(6, "0")) if fraction else 0
        return Moment(datetime(*whole, micro), offset_minutes(offset))  # type: ignore[arg-type,call-arg]
    except ValueError:
        return None
