"""IPTC-IIM: what newspapers' and older programs write: captions, keywords, places. Pillow finds and splits it.

Its texts are bytes: in UTF-8 where the record says so, and otherwise in whatever the program used. What is valid UTF-8
is taken for that, all else for Windows' Western set.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from PIL import Image, ImageFile, IptcImagePlugin

from photoindex.media.metadata import dates
from photoindex.media.metadata.cleaning import LONGEST_CAPTION, LONGEST_NAME, each_once, meant, one_line
from photoindex.media.metadata.fields import Fields

# IIM 4.2, sections 5 and 6; (record, data set).
_CHARSET: Final = (1, 90)
_TITLE: Final = (2, 5)
_KEYWORDS: Final = (2, 25)
_DATE_CREATED: Final = (2, 55)
_TIME_CREATED: Final = (2, 60)
_CITY: Final = (2, 90)
_SUBLOCATION: Final = (2, 92)
_STATE: Final = (2, 95)
_COUNTRY: Final = (2, 101)
_HEADLINE: Final = (2, 105)
_CAPTION: Final = (2, 120)

_UTF8: Final = b"\x1b%G"  # ISO 2022's way of saying so
_LATIN: Final = (b"\x1b.A", b"\x1b-A")

Key = tuple[int, int]


def read_iptc(image: Image.Image) -> Fields:
    """What the IPTC record of a JPEG or TIFF says; nothing of other formats. Never raises."""
    try:
        records: Mapping[Key, Any] = IptcImagePlugin.getiptcinfo(cast(ImageFile.ImageFile, image)) or {}
    except Exception:  # of broken records Pillow raises nearly everything
        return Fields()
    charset = _values(records, _CHARSET)

    def text(*keys: Key, limit: int = LONGEST_NAME) -> str | None:
        values = (one_line(_decoded(value, charset), limit) for key in keys for value in _values(records, key))
        return next((value for value in values if value), None)

    return Fields(
        original=dates.from_iptc(text(_DATE_CREATED), text(_TIME_CREATED)),
        title=meant(text(_TITLE, _HEADLINE)),
        caption=meant(text(_CAPTION, limit=LONGEST_CAPTION)),
        keywords=each_once(one_line(_decoded(value, charset)) for value in _values(records, _KEYWORDS)),
        location=text(_SUBLOCATION),
        city=text(_CITY),
        region=text(_STATE),
        country=text(_COUNTRY),
    )


def _values(records: Mapping[Key, Any], key: Key) -> list[bytes]:
    found = records.get(key)
    return [value for value in (found if isinstance(found, list) else [found]) if isinstance(value, bytes)]


def _decoded(value: bytes, charset: list[bytes]) -> str:
    if not any(name.startswith(_LATIN) for name in charset):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            if any(name.startswith(_UTF8) for name in charset):
                return value.decode("utf-8", "replace")
    return value.decode("cp1252", "replace")
