"""IPTC-IIM: what newspapers' and older programs write: captions, keywords, places.

Its texts are bytes: in UTF-8 where the record says so, and otherwise in whatever the program used. What is valid UTF-8
is taken for that, all else for Windows' Western set.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from photoindex.media.metadata import dates
from photoindex.media.metadata.cleaning import LONGEST_CAPTION, LONGEST_NAME, each_once, in_utf_8, meant, one_line
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
_MARK: Final = b"\x1c"
_LATIN: Final = (b"\x1b.A", b"\x1b-A")

Key = tuple[int, int]


def read_iptc(block: bytes) -> Fields:
    """What an IPTC record says, as far as it can be read. Never raises."""
    records = _records(block)
    charset = _values(records, _CHARSET)

    def text(*keys: Key, limit: int = LONGEST_NAME) -> str | None:
        values = (one_line(_decoded(value, charset), limit) for key in keys for value in _values(records, key))
        return next((value for value in values if value), None)

    taken = dates.from_iptc(text(_DATE_CREATED), text(_TIME_CREATED))
    return Fields(
        taken_dates=() if taken is None else (taken,),
        title=meant(text(_TITLE, _HEADLINE)),
        caption=meant(text(_CAPTION, limit=LONGEST_CAPTION)),
        keywords=each_once(one_line(_decoded(value, charset)) for value in _values(records, _KEYWORDS)),
        location=text(_SUBLOCATION),
        city=text(_CITY),
        region=text(_STATE),
        country=text(_COUNTRY),
    )


def _records(block: bytes) -> dict[Key, list[bytes]]:
    """The values of each data set (IIM 4.2, chapter 3): a mark, record, number, length, content."""
    if block[:1] != _MARK and block[3:4] == _MARK:  # written as numbers of four bytes in the other byte order
        block = b"".join(block[place : place + 4][::-1] for place in range(0, len(block), 4))
    records: dict[Key, list[bytes]] = {}
    place = max(block.find(_MARK), 0)
    while block[place : place + 1] == _MARK and place + 5 <= len(block):
        key = block[place + 1], block[place + 2]
        size = int.from_bytes(block[place + 3 : place + 5], "big")
        place += 5
        if size & 0x8000:  # an extended data set: this is the length of its length
            width = size & 0x7FFF
            if width > 8:
                break
            size = int.from_bytes(block[place : place + width], "big")
            place += width
        if place + size > len(block):
            break
        records.setdefault(key, []).append(block[place : place + size])
        place += size
    return records


def _values(records: Mapping[Key, list[bytes]], key: Key) -> list[bytes]:
    return records.get(key, [])


def _decoded(value: bytes, charset: list[bytes]) -> str:
    if not any(name.startswith(_LATIN) for name in charset):
        text = in_utf_8(value)
        if text is not None:
            return text
        if any(name.startswith(_UTF8) for name in charset):
            return value.decode("utf-8", "replace")
    return value.decode("cp1252", "replace")
