"""EXIF: what the camera wrote beside the pixels: when, with what, where and which way up; and what was added later.

EXIF is written by thousands of programs and damaged by as many, so every field is read on its own: one that cannot be
understood is ``None`` and costs the others nothing. Tags and their meaning: Exif 2.32 (CIPA DC-008-2019), sections
4.6.4 (TIFF tags), 4.6.5 (Exif tags) and 4.6.6 (GPS tags).
"""

from __future__ import annotations

import math
import re
import struct
import warnings
from collections.abc import Mapping
from typing import Any

from PIL import ExifTags, Image

from photoindex.media.metadata import dates
from photoindex.media.metadata.cleaning import LONGEST_CAPTION, each_once, meant, one_line
from photoindex.media.metadata.dates import Moment
from photoindex.media.metadata.fields import Fields

HIGHEST = 100_000  # metres; what is above that was not photographed with a camera that writes EXIF

# Of each date: its tag, that of its sub-seconds and that of its offset from UTC.
_ORIGINAL = (ExifTags.Base.DateTimeOriginal, ExifTags.Base.SubsecTimeOriginal, ExifTags.Base.OffsetTimeOriginal)
_DIGITISED = (ExifTags.Base.DateTimeDigitized, ExifTags.Base.SubsecTimeDigitized, ExifTags.Base.OffsetTimeDigitized)
_CHANGED = (ExifTags.Base.DateTime, ExifTags.Base.SubsecTime, ExifTags.Base.OffsetTime)


def read_exif(image: Image.Image) -> Fields:
    """What the EXIF of ``image`` says. Never raises: what is missing or broken is ``None``.

    Reading the EXIF of a PNG loads its pixels, because it may lie behind them.
    """
    main, details, gps = _tags(image)
    latitude, longitude = _position(gps)
    make, model = one_line(main.get(ExifTags.Base.Make)), one_line(main.get(ExifTags.Base.Model))
    described = one_line(main.get(ExifTags.Base.ImageDescription), LONGEST_CAPTION)
    return Fields(
        original=_moment(main, details, *_ORIGINAL),
        digitised=_moment(main, details, *_DIGITISED),
        changed=_moment(main, details, *_CHANGED),
        camera=camera_name(make, model),
        lens=one_line(details.get(ExifTags.Base.LensModel)),
        latitude=latitude,
        longitude=longitude,
        altitude=_altitude(gps),
        rating=_rating(main.get(ExifTags.Base.Rating)),
        title=meant(_windows_text(main.get(ExifTags.Base.XPTitle)), make, model),
        caption=meant(described, make, model)
        or meant(_windows_text(main.get(ExifTags.Base.XPComment)), make, model)
        or meant(_windows_text(main.get(ExifTags.Base.XPSubject)), make, model),
        keywords=each_once(
            " ".join(word.split()) for word in (_windows_text(main.get(ExifTags.Base.XPKeywords)) or "").split(";")
        ),
    )


def read_orientation(image: Image.Image) -> int:
    """How the stored pixels lie, 1 to 8 as EXIF numbers it (1: upright); 1 where nothing sensible is said."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:
        value = None
    if value is None:
        # Pillow gives up at the first entry that points outside the data, such as a maker's name cut off, and then
        # does not get as far as the orientation.
        value = _scanned_orientation(image.info.get("exif"))
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _scanned_orientation(exif: Any) -> int | None:
    """The orientation entry of the main directory (TIFF 6.0, section 2), looking at nothing else."""
    if not isinstance(exif, bytes):
        return None
    data = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None or len(data) < 8:
        return None
    start = struct.unpack_from(order + "L", data, 4)[0] + 2  # past the count of entries, which may be broken as well
    for place in range(start, len(data) - 11, 12):
        tag, kind, count, value = struct.unpack_from(order + "HHLH", data, place)
        if (tag, kind, count) == (ExifTags.Base.Orientation, 3, 1):
            return int(value)
        if tag > ExifTags.Base.Orientation:
            return None  # entries are in ascending order
    return None


def _tags(image: Image.Image) -> tuple[dict[int, Any], dict[int, Any], dict[int, Any]]:
    """The main, the Exif and the GPS directory, each as far as it can be read."""
    main: dict[int, Any] = {}
    details: dict[int, Any] = {}
    gps: dict[int, Any] = {}
    # Pillow warns of each corrupt tag; for the owner of the photo that is noise.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exif = image.getexif()
            tags = list(exif)
        except Exception:
            return main, details, gps
        for tag in tags:
            try:
                main[tag] = exif[tag]
            except Exception:
                continue
        try:
            details.update(exif.get_ifd(ExifTags.IFD.Exif))
        except Exception:
            details.clear()
        try:
            gps.update(exif.get_ifd(ExifTags.IFD.GPSInfo))
        except Exception:
            gps.clear()
    return main, details, gps


def _moment(
    main: Mapping[int, Any], details: Mapping[int, Any], date: int, subseconds: int, offset: int
) -> Moment | None:
    # Some programs file the Exif dates under the main directory.
    for directory in (details, main):
        text = one_line(directory.get(date))
        moment = dates.from_exif(text, one_line(details.get(subseconds)), one_line(details.get(offset)))
        if moment is not None:
            return moment
    return None


def camera_name(make: str | None, model: str | None) -> str | None:
    """``Canon`` and ``Canon EOS D60`` are a ``Canon EOS D60``; ``NIKON`` and ``E950`` are a ``NIKON E950``."""
    if make is None or model is None:
        return model or make
    # Compared by words, since the maker's legal name differs from its brand: EASTMAN KODAK COMPANY, KODAK DC240.
    words = re.findall(r"\w+", model.casefold())
    if words and words[0] in re.findall(r"\w+", make.casefold()):
        return model
    return f"{make} {model}"


def _windows_text(value: Any) -> str | None:
    """The XP fields, which the Windows Explorer writes in UTF-16."""
    if isinstance(value, tuple) and all(isinstance(part, int) and 0 <= part < 256 for part in value):
        value = bytes(value)
    return one_line(value.decode("utf-16-le", "replace"), LONGEST_CAPTION) if isinstance(value, bytes) else None


def _rating(value: Any) -> int | None:
    return value if isinstance(value, int) and 1 <= value <= 5 else None


def _altitude(gps: Mapping[int, Any]) -> float | None:
    """Metres above the sea, below it negative."""
    try:
        metres = float(gps[ExifTags.GPS.GPSAltitude])
    except (KeyError, TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    if not math.isfinite(metres) or not 0 <= abs(metres) <= HIGHEST:
        return None
    below = gps.get(ExifTags.GPS.GPSAltitudeRef) in (1, b"\1", b"\3", 3)
    return round(-metres if below else metres, 2)


def _position(gps: Mapping[int, Any]) -> tuple[float, float] | tuple[None, None]:
    """Latitude and longitude in degrees, north and east positive, or two Nones.

    Without its hemisphere a number is no place, and half a position is none. Exactly (0, 0) is what cameras write
    before they have a fix.
    """
    latitude = _degrees(gps.get(ExifTags.GPS.GPSLatitude), one_line(gps.get(ExifTags.GPS.GPSLatitudeRef)), "NS", 90)
    longitude = _degrees(gps.get(ExifTags.GPS.GPSLongitude), one_line(gps.get(ExifTags.GPS.GPSLongitudeRef)), "EW", 180)
    if latitude is None or longitude is None or (latitude == 0 and longitude == 0):
        return None, None
    return latitude, longitude


def _degrees(value: Any, hemisphere: str | None, signs: str, limit: float) -> float | None:
    """Degrees, minutes and seconds as signed degrees; ``signs`` names the positive, then the negative hemisphere."""
    side = (hemisphere or " ")[0].upper()
    if side not in signs:
        return None
    try:
        parts = [float(part) for part in (value if isinstance(value, tuple) else (value,))]
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    if not parts or not math.isfinite(parts[0]):
        return None
    # A zero denominator reads as NaN: cameras that write minutes with a fraction leave the seconds at 0/0.
    total = sum(part / 60.0**place for place, part in enumerate(parts[:3]) if math.isfinite(part))
    if not 0 <= total <= limit:
        return None
    return round(-total if side == signs[1] else total, 7)  # 7 decimals are a centimetre
