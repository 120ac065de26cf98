"""The JSON files that Google Takeout puts beside photos: what people said of them in Google Photos.

Only what a person may have said, or the photo itself has lost, is taken: the description, the names of people, whether
it is a favourite, when and where it was taken. Google documents no schema; each field is read on its own, and one that
is something else than in its archives costs the others nothing. A JSON that is not Takeout's says nothing: other
programs, such as gallery-dl, name theirs alike.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any, Final

from photoindex.media.formats import FILM_SUFFIXES, PHOTO_SUFFIXES
from photoindex.media.metadata import dates, positions
from photoindex.media.metadata.cleaning import LONGEST_CAPTION, each_once, meant, one_line
from photoindex.media.metadata.dates import Moment
from photoindex.media.metadata.fields import Fields
from photoindex.media.metadata.takeoutnames import original_stem

MOST_BYTES: Final = 1_000_000  # they have about a thousand; a million can become a hundred times as much in memory
FAVORITE: Final = "favorite"  # the keyword of photos that were given a star

_OURS: Final = ("photoTakenTime", "geoData", "googlePhotosOrigin", "photoLastModifiedTime")  # one is in each of them
_DIGITS: Final = re.compile(r"-?\d{1,12}")


class TakeoutError(ValueError):
    """A file that cannot be read as JSON; the message says why, in a few words."""


class _WrongError(ValueError):
    """A value that is something else than Takeout writes there."""


def read_takeout(data: bytes, photo_name: str, *, by_title: bool = False) -> tuple[Fields, tuple[str, ...]]:
    """What a JSON file says of the photo called ``photo_name``, and the names of the fields that made no sense.

    ``by_title``: the file's name holds a part of the photo's alone, so that its title decides whose it is. Says
    nothing where it is another photo's, or not Takeout's. ``original`` has an offset of 0: Takeout knows the instant.

    Raises :class:`TakeoutError` when it is no JSON, is nested too deep to be read, or has more than 1 MB.
    """
    if len(data) > MOST_BYTES:
        raise TakeoutError(f"it has more than {MOST_BYTES // 1_000_000} MB")
    try:
        values = json.loads(data, parse_constant=_refused)
    except RecursionError:
        raise TakeoutError("it is nested too deep") from None
    except ValueError as error:  # of encodings, too
        raise TakeoutError(f"it is no JSON: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict) or not any(name in values for name in _OURS):
        return Fields(), ()
    if by_title and not _is_title_of(values.get("title"), photo_name):
        return Fields(), ()
    wrong: list[str] = []

    def get(name: str, read: Any, default: Any = None) -> Any:
        try:
            return default if values.get(name) is None else read(values[name])
        except (_WrongError, ArithmeticError, ValueError):
            wrong.append(name)
            return default

    # The camera's own first: the other may be Google's guess by where the phone was.
    latitude, longitude, altitude = get("geoDataExif", _position) or get("geoData", _position) or (None, None, None)
    fields = Fields(
        taken_dates=() if (taken := get("photoTakenTime", _instant)) is None else (taken,),
        latitude=latitude,
        longitude=longitude,
        altitude=altitude,
        title=_unlike_name(get("title", _text), photo_name),
        caption=meant(one_line(get("description", _text), LONGEST_CAPTION)),
        keywords=(FAVORITE,) if get("favorited", _is_true) else (),
        people=each_once(get("people", lambda value: list(_people(value)), ())),
    )
    return fields, tuple(wrong)


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON's")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _WrongError
    return value


def _is_true(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _WrongError
    return value


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _WrongError
    return value


def _people(value: Any) -> Iterator[str | None]:
    if not isinstance(value, list):
        raise _WrongError
    for person in value:
        name = _object(person).get("name")
        yield None if name is None else one_line(_text(name))


def _instant(value: Any) -> Moment | None:
    """``{"timestamp": "1562243696"}``: seconds since 1970, before it negative; 0 is what is written for none."""
    stamp = _object(value).get("timestamp")
    if isinstance(stamp, bool) or not isinstance(stamp, str | int) or not _DIGITS.fullmatch(str(stamp)):
        raise _WrongError
    return dates.from_instant(int(stamp))


def _position(value: Any) -> tuple[float, float, float | None] | None:
    """Degrees and metres; zeros are what is written for none."""
    place = _object(value)
    latitude, longitude = _number(place.get("latitude")), _number(place.get("longitude"))
    if abs(latitude) > 90 or abs(longitude) > 180:
        raise _WrongError
    if latitude == 0 and longitude == 0:
        return None
    altitude = _number(place.get("altitude", 0.0))
    return latitude, longitude, positions.metres(altitude, below=False) if altitude else None


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _WrongError
    return float(value)


def _is_title_of(title: Any, photo_name: str) -> bool:
    """Whether a photo that was called ``title`` may be called ``photo_name`` in an archive."""
    return isinstance(title, str) and _filed(title).startswith(_filed(original_stem(photo_name)))


def _unlike_name(title: str | None, photo_name: str) -> str | None:
    """The title, which is the name that the file once had, where the archive cut it or it is another altogether."""
    text = one_line(title, LONGEST_CAPTION)
    if text is None:
        return None
    name = PurePath(text)
    stem = text[: -len(name.suffix)] if name.suffix.lower() in PHOTO_SUFFIXES | FILM_SUFFIXES else text
    names = (original_stem(photo_name), PurePath(photo_name).stem)
    return None if _filed(stem) in map(_filed, names) else meant(stem)


def _filed(name: str) -> str:
    """A name to compare: Takeout writes _ for what some file system does not allow."""
    return re.sub(r"\W", "_", unicodedata.normalize("NFC", name).casefold())
