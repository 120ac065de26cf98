"""Directories of a TIFF, entry by entry: EXIF is one, and so are most cameras' raw files.

Pillow's reader stops at the first entry whose value lies outside the data, and everything behind it is lost. Here such
an entry costs itself alone. Classic TIFF (TIFF 6.0, section 2), BigTIFF, and the raw formats that differ from TIFF by
their third and fourth byte only (Olympus, Panasonic).
"""

from __future__ import annotations

import io
import math
import struct
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from photoindex.system.regular_files import read_up_to

MOST_ENTRIES: Final = 4096  # of one directory; cameras write some hundred
MOST_BYTES: Final = 32_000_000  # of one value; a packet of XMP with retouching steps can have megabytes
MOST_DIRECTORIES: Final = 64

MOST_NUMBERS: Final = 1_000_000  # the same of numbers, such as the places of strips

EXIF_DIRECTORY: Final = 0x8769
GPS_DIRECTORY: Final = 0x8825
SUB_DIRECTORIES: Final = 330
XMP_TAG: Final = 700  # TIFF Technical Note 3
IPTC_TAG: Final = 33723
PHOTOSHOP_TAG: Final = 34377
# These hold other formats; some writers call their bytes numbers.
_BLOCKS: Final = frozenset({XMP_TAG, IPTC_TAG, PHOTOSHOP_TAG})
# EXIF blocks have this before their TIFF, twice, once or not at all; HEIF and JPEG XL have a number there.
STARTS: Final = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_MOST_BEFORE: Final = 32

_BYTES: Final = frozenset({1, 2, 7, 129})  # BYTE, ASCII, UNDEFINED; UTF-8 (Exif 3.0, section 4.6.2)
_RATIONALS: Final = {5: "L", 10: "l"}
_NUMBERS: Final = {3: "H", 4: "L", 6: "b", 8: "h", 9: "l", 11: "f", 12: "d", 13: "L", 16: "Q", 17: "q", 18: "Q"}

Value = bytes | tuple[float, ...]  # of bytes and text; of all else, where rationals are quotients


class TiffError(ValueError):
    """The data does not begin as a TIFF does."""


@dataclass(frozen=True, slots=True)
class Exif:
    """The directories that EXIF is made of: what TIFF itself has, what the camera noted, and the position."""

    main: dict[int, Value] = field(default_factory=dict)
    details: dict[int, Value] = field(default_factory=dict)
    gps: dict[int, Value] = field(default_factory=dict)


def read_directories(block: bytes | BinaryIO) -> Exif | None:
    """Return the directories of a block of EXIF or of a whole TIFF; ``None`` for anything else. Never raises.

    What stands before the TIFF is passed over, and so are bytes behind it.
    """
    if isinstance(block, bytes):
        places = [place for start in STARTS if 0 <= (place := block.find(start, 0, _MOST_BEFORE)) < _MOST_BEFORE]
        block = block[min(places, default=0) :]
    try:
        tiff = Tiff(block)
        main = tiff.main()
        return Exif(main, tiff.below(main, EXIF_DIRECTORY), tiff.below(main, GPS_DIRECTORY))
    except (ValueError, OSError, struct.error):
        return None


@dataclass(frozen=True, slots=True)
class Directory:
    """The entries of a directory that could be read, by their tags, and the place of the next one (0: none)."""

    values: dict[int, Value]
    next: int


class Tiff:
    """A TIFF in a file or in bytes. Raises :class:`TiffError` where there is none."""

    def __init__(self, source: BinaryIO | bytes) -> None:
        self._file = io.BytesIO(source) if isinstance(source, bytes) else source
        head = self._read(0, 16)
        order = {b"II": "<", b"MM": ">"}.get(head[:2])
        if order is None or len(head) < 8 or head[6:14] == b"HEAPCCDR":  # the last is Canon's CIFF
            raise TiffError("it does not begin as a TIFF")
        self._order = order
        self._big = struct.unpack(order + "H", head[2:4])[0] == 43
        if self._big and len(head) < 16:
            raise TiffError("its header is cut off")
        self.first: int = self._unpack("Q", head[8:16])[0] if self._big else self._unpack("L", head[4:8])[0]

    def directory(self, place: int) -> Directory:
        """The directory at ``place``: what can be read of it."""
        count_size, entry_size, width = (8, 20, 8) if self._big else (2, 12, 4)
        head = self._read(place, count_size) if place > 0 else b""
        if len(head) < count_size:
            return Directory({}, 0)
        count = self._unpack("Q" if self._big else "H", head)[0]
        table = self._read(place + count_size, min(count, MOST_ENTRIES) * entry_size + width)
        values: dict[int, Value] = {}
        for number in range(min(count, len(table) // entry_size, MOST_ENTRIES)):
            entry = table[number * entry_size : (number + 1) * entry_size]
            tag, kind, length = self._unpack("HHQ" if self._big else "HHL", entry[: entry_size - width])
            value = self._value(tag, kind, length, entry[entry_size - width :])
            if value is not None:
                values.setdefault(tag, value)
        rest = table[count * entry_size : count * entry_size + width] if count <= MOST_ENTRIES else b""
        following = self._unpack("Q" if self._big else "L", rest)[0] if len(rest) == width else 0
        return Directory(values, following)

    def main(self) -> dict[int, Value]:
        """The entries of the first directory."""
        return self.directory(self.first).values

    def below(self, values: dict[int, Value], tag: int) -> dict[int, Value]:
        """The entries of the directory that an entry points to; none where it points nowhere."""
        place = values.get(tag)
        is_place = isinstance(place, tuple) and len(place) > 0 and math.isfinite(place[0])
        return self.directory(int(place[0])).values if is_place and isinstance(place, tuple) else {}

    def all(self) -> list[dict[int, Value]]:
        """The directories of all pictures: those in the chain and those below them, each once."""
        directories: list[dict[int, Value]] = []
        waiting, seen = [self.first], {0}
        while waiting and len(directories) < MOST_DIRECTORIES:
            place = waiting.pop(0)
            if place in seen:
                continue
            seen.add(place)
            directory = self.directory(place)
            directories.append(directory.values)
            below = directory.values.get(SUB_DIRECTORIES, ())
            waiting += [int(each) for each in below] + [directory.next]
        return directories

    def _value(self, tag: int, kind: int, length: int, place: bytes) -> Value | None:
        form = _RATIONALS.get(kind) or _NUMBERS.get(kind) or ("B" if kind in _BYTES else None)
        if form is None:
            return None
        count = length * 2 if kind in _RATIONALS else length
        size = struct.calcsize(f"={form}") * count
        if size > MOST_BYTES or (length > MOST_NUMBERS and form != "B"):
            return None
        if size > len(place):
            data = self._read(self._unpack("Q" if self._big else "L", place)[0], size)
        else:
            data = place[:size]
        if kind in _BYTES or tag in _BLOCKS:
            return data if data or not size else None  # what is left of a text that is cut off
        if len(data) < size:
            return None
        numbers = self._unpack(f"{count}{form}", data)
        if kind in _RATIONALS:
            return tuple(
                over / under if under else math.nan for over, under in zip(numbers[::2], numbers[1::2], strict=True)
            )
        return numbers

    def _read(self, place: int, size: int) -> bytes:
        if place >= 2**63:  # more than a seek takes
            return b""
        self._file.seek(place)
        return read_up_to(self._file, size)

    def _unpack(self, form: str, data: bytes) -> tuple[int, ...]:
        return struct.unpack(self._order + form, data)
