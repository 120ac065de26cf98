"""EXIF: what the camera wrote beside the pixels: when, with what, where and which way up; and what was added later.

EXIF is written by thousands of programs and damaged by as many, so every field is read on its own: one that cannot be
understood is ``None`` and costs the others nothing. Tags and their meaning: Exif 2.32 (CIPA DC-008-2019), sections
4.6.4 (TIFF tags), 4.6.5 (Exif tags) and 4.6.6 (GPS tags).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping

from PIL import ExifTags, Image

from photoindex.media.metadata import dates, positions
from photoindex.media.metadata.cleaning import LONGEST_CAPTION, LONGEST_NAME, MOST_WORDS, each_once, meant, one_line
from photoindex.media.metadata.comments import comment_in, decode_comment
from photoindex.media.metadata.dates import Moment
from photoindex.media.metadata.fields import Fields
from photoindex.media.metadata.tiff import Exif, Value, read_directories

# Of each date: its tag, that of its sub-seconds and that of its offset from UTC.
_ORIGINAL = (ExifTags.Base.DateTimeOriginal, ExifTags.Base.SubsecTimeOriginal, ExifTags.Base.OffsetTimeOriginal)
_DIGITISED = (ExifTags.Base.DateTimeDigitized, ExifTags.Base.SubsecTimeDigitized, ExifTags.Base.OffsetTimeDigitized)
_CHANGED = (ExifTags.Base.DateTime, ExifTags.Base.SubsecTime, ExifTags.Base.OffsetTime)
# Characters of the one field that holds all keywords of a photo, with a semicolon and a blank behind each.
_LONGEST_KEYWORDS = MOST_WORDS * (LONGEST_NAME + 2)


def read_exif(exif: Exif) -> Fields:
    """What EXIF says. Never raises: what is missing or broken is ``None``."""
    main, details, gps = exif.main, exif.details, exif.gps
    latitude, longitude = _position(gps)
    make, model = _text(main.get(ExifTags.Base.Make)), _text(main.get(ExifTags.Base.Model))
    return Fields(
        taken_dates=_moments(main, details, *_ORIGINAL),
        digitised_dates=_moments(main, details, *_DIGITISED),
        changed_dates=_moments(main, details, *_CHANGED),
        camera=camera_name(make, model),
        lens=_text(details.get(ExifTags.Base.LensModel)),
        latitude=latitude,
        longitude=longitude,
        altitude=_altitude(gps),
        rating=_rating(_number(main.get(ExifTags.Base.Rating))),
        title=meant(_windows_text(main.get(ExifTags.Base.XPTitle)), make, model),
        caption=meant(_text(main.get(ExifTags.Base.ImageDescription), LONGEST_CAPTION), make, model)
        or meant(_windows_text(main.get(ExifTags.Base.XPComment)), make, model)
        or meant(_windows_text(main.get(ExifTags.Base.XPSubject)), make, model),
        comment=_comment(details.get(ExifTags.Base.UserComment), make, model),
        keywords=each_once(
            one_line(word)
            for word in (_windows_text(main.get(ExifTags.Base.XPKeywords), _LONGEST_KEYWORDS) or "").split(";")
        ),
    )


def orientation_in(exif: Exif) -> int | None:
    """How the stored pixels lie, 1 to 8 as EXIF numbers it; None where nothing sensible is said."""
    value = _number(exif.main.get(ExifTags.Base.Orientation))
    return int(value) if value is not None and value in range(1, 9) else None


def read_orientation(image: Image.Image) -> int:
    """How the pixels of an opened image lie (1: upright), as its decoder leaves them: some turn them by themselves."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:
        value = None
    if value is None and isinstance(block := image.info.get("exif"), bytes):
        # Pillow gives up at the first entry that points outside the data, such as a maker's name cut off, and then
        # does not get as far as the orientation.
        exif = read_directories(block)
        value = None if exif is None else orientation_in(exif)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _text(value: Value | None, limit: int = LONGEST_NAME) -> str | None:
    return one_line(value, limit) if isinstance(value, bytes) else None


def _raw_text(value: Value | None) -> str | None:
    """A date's or number's text, whose blanks count."""
    if not isinstance(value, bytes):
        return None
    text = value.split(b"\0")[0]
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")


def _number(value: Value | None) -> float | None:
    """The first number of an entry; of one that some programs file as bytes its first byte."""
    return value[0] if value else None


def _moments(
    main: Mapping[int, Value], details: Mapping[int, Value], date: int, subseconds: int, offset: int
) -> tuple[Moment, ...]:
    # Some programs file the Exif dates under the main directory.
    found = (
        dates.from_exif(
            _raw_text(directory.get(date)), _raw_text(directory.get(subseconds)), _raw_text(directory.get(offset))
        )
        for directory in (details, main)
    )
    return tuple(moment for moment in found if moment is not None)


def camera_name(make: str | None, model: str | None) -> str | None:
    """``Canon`` and ``Canon EOS D60`` are a ``Canon EOS D60``; ``NIKON`` and ``E950`` are a ``NIKON E950``."""
    if make is None or model is None:
        return model or make
    # Compared by words, since the maker's legal name differs from its brand: EASTMAN KODAK COMPANY, KODAK DC240.
    words = re.findall(r"\w+", model.casefold())
    if words and words[0] in re.findall(r"\w+", make.casefold()):
        return model
    return f"{make} {model}"


def _windows_text(value: Value | None, limit: int = LONGEST_CAPTION) -> str | None:
    """The XP fields, which the Windows Explorer writes in UTF-16."""
    return one_line(value.decode("utf-16-le", "replace"), limit) if isinstance(value, bytes) else None


def _comment(value: Value | None, make: str | None, model: str | None) -> str | None:
    return comment_in(decode_comment(value), make, model) if isinstance(value, bytes) else None


def _rating(value: float | None) -> int | None:
    return int(value) if value is not None and value in range(1, 6) else None


def _altitude(gps: Mapping[int, Value]) -> float | None:
    """Metres above the sea, below it negative."""
    value = gps.get(ExifTags.GPS.GPSAltitude)
    if not isinstance(value, tuple) or not value:
        return None
    return positions.metres(value[0], below=_number(gps.get(ExifTags.GPS.GPSAltitudeRef)) in (1, 3))


def _position(gps: Mapping[int, Value]) -> positions.Position:
    """Latitude and longitude in degrees, north and east positive, or two Nones.

    Without its hemisphere a number is no place.
    """
    latitude = _degrees(gps, ExifTags.GPS.GPSLatitude, ExifTags.GPS.GPSLatitudeRef, "NS", 90)
    longitude = _degrees(gps, ExifTags.GPS.GPSLongitude, ExifTags.GPS.GPSLongitudeRef, "EW", 180)
    return positions.pair(latitude, longitude)


def _degrees(gps: Mapping[int, Value], tag: int, reference: int, signs: str, limit: float) -> float | None:
    value, side = gps.get(tag), _text(gps.get(reference))
    return positions.degrees(value, side or "", signs, limit) if isinstance(value, tuple) else None
