"""What the camera wrote beside the pixels: when, with what, where and which way up.

EXIF is written by thousands of programs and damaged by as many, so every field is read on its own: one that cannot be
understood is ``None`` and costs the others nothing. Tags and their meaning: Exif 2.32 (CIPA DC-008-2019), sections
4.6.4 (TIFF tags), 4.6.5 (Exif tags) and 4.6.6 (GPS tags).
"""

from __future__ import annotations

import contextlib
import math
import re
import struct
import warnings
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from PIL import ExifTags, Image

from photoindex.types import PhotoFacts

LONGEST_TEXT = 128  # characters; a broken length field can make a whole maker note look like a camera's name

_DATE = re.compile(r"\s*(\d{4})\D(\d{1,2})\D(\d{1,2})(?:\D+(\d{1,2})\D(\d{1,2})(?:\D(\d{1,2}))?)?")
_DATE_TAGS = (ExifTags.Base.DateTimeOriginal, ExifTags.Base.DateTimeDigitized, ExifTags.Base.DateTime)
# A JPEG with a second picture or a gain map behind it is still what its owner calls a JPEG.
_FORMAT_NAMES = {"MPO": "JPEG"}


def read_facts(image: Image.Image, format_name: str, upright_size: tuple[int, int]) -> PhotoFacts:
    """What ``image`` says of itself. Never raises: what is missing or broken is ``None``.

    ``format_name`` is Pillow's name of the file format; ``upright_size`` is (width, height) in pixels after the
    orientation was applied. Reading the EXIF of a PNG loads its pixels, because it may lie behind them.
    """
    main, details, gps = _tags(image)
    latitude, longitude = _position(gps)
    return PhotoFacts(
        format=_FORMAT_NAMES.get(format_name, format_name),
        width=upright_size[0],
        height=upright_size[1],
        orientation=read_orientation(image),
        taken_at=_taken_at(main, details),
        camera=_camera(_text(main.get(ExifTags.Base.Make)), _text(main.get(ExifTags.Base.Model))),
        lens=_text(details.get(ExifTags.Base.LensModel)),
        latitude=latitude,
        longitude=longitude,
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


def _taken_at(main: Mapping[int, Any], details: Mapping[int, Any]) -> datetime | None:
    """The first date that is one: when taken, when digitised, when the file was last changed."""
    for tag in _DATE_TAGS:
        # Some programs file the Exif dates under the main directory.
        for directory in (details, main):
            taken_at = _date(_text(directory.get(tag)))
            if taken_at is not None:
                return taken_at
    return None


def _date(text: str | None) -> datetime | None:
    """``2008:05:25 19:31:26`` and what writers made of it; ``0000:00:00 00:00:00`` and blanks are no date."""
    found = _DATE.match(text or "")
    if found is None:
        return None
    try:
        return datetime(*(int(part or 0) for part in found.groups()))  # type: ignore[arg-type]
    except ValueError:
        return None


def _camera(make: str | None, model: str | None) -> str | None:
    """``Canon`` and ``Canon EOS D60`` are a ``Canon EOS D60``; ``NIKON`` and ``E950`` are a ``NIKON E950``."""
    if make is None or model is None:
        return model or make
    # Compared by words, since the maker's legal name differs from its brand: EASTMAN KODAK COMPANY, KODAK DC240.
    words = re.findall(r"\w+", model.casefold())
    if words and words[0] in re.findall(r"\w+", make.casefold()):
        return model
    return f"{make} {model}"


def _text(value: Any) -> str | None:
    """``value`` as one clean line, or None where it holds no letter or digit."""
    if isinstance(value, bytes):
        text = value.decode("utf-8", "replace")
    elif isinstance(value, str):
        text = value
        # Pillow reads Latin-1, but phones write UTF-8; valid UTF-8 beyond ASCII is hardly ever anything else.
        with contextlib.suppress(UnicodeError):
            text = value.encode("latin-1").decode("utf-8")
    else:
        return None
    # Fixed-width fields end in NULs, and what follows the first one is left over from another string.
    text = text.strip("\0 ").split("\0", 1)[0]
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())[:LONGEST_TEXT].rstrip()
    return text if any(c.isalnum() for c in text) else None


def _position(gps: Mapping[int, Any]) -> tuple[float, float] | tuple[None, None]:
    """Latitude and longitude in degrees, north and east positive, or two Nones.

    Without its hemisphere a number is no place, and half a position is none. Exactly (0, 0) is what cameras write
    before they have a fix.
    """
    latitude = _degrees(gps.get(ExifTags.GPS.GPSLatitude), _text(gps.get(ExifTags.GPS.GPSLatitudeRef)), "NS", 90)
    longitude = _degrees(gps.get(ExifTags.GPS.GPSLongitude), _text(gps.get(ExifTags.GPS.GPSLongitudeRef)), "EW", 180)
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
