"""The chunks of a PNG (ISO/IEC 15948): its texts, and the file without them.

Pillow decompresses every text when it opens a PNG, and refuses the photo where one is long. Texts are read here
instead, each up to a limit, and Pillow is given the chunks that make the picture.
"""

from __future__ import annotations

import io
import re
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import BinaryIO, Final

from PIL import PngImagePlugin

from photoindex.system.regular_files import read_up_to

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
PROFILE: Final = "raw profile type "  # the keywords under which ImageMagick and exiftool file whole blocks
MOST_TEXT: Final = 20_000_000  # bytes of one text, unpacked; a block of 10 MB in hexadecimal digits
MOST_TEXTS: Final = 40_000_000  # of all texts of a photo
MOST_CHUNKS: Final = 1_000_000

_TEXTS: Final = frozenset({b"tEXt", b"zTXt", b"iTXt"})
# Whose content is the picture, how it is shown, or the order of an animation; all other chunks are others' notes.
_SHOWN: Final = frozenset(
    {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"acTL", b"fcTL", b"fdAT"}
)
_PROFILE: Final = re.compile(rb"\s*([^\n]*?)\s+(\d+)\s+(.*)", re.DOTALL)
_NO_DIGIT: Final = re.compile(rb"[^0-9a-fA-F]")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk's kind, the place of its content, and its length."""

    kind: bytes
    place: int
    length: int

    def read(self, file: BinaryIO) -> bytes:
        file.seek(self.place)
        return read_up_to(file, min(self.length, MOST_TEXT))


def chunks(file: BinaryIO) -> Iterator[Chunk]:
    """The chunks of a PNG, as far as they go."""
    place = len(SIGNATURE)
    for _ in range(MOST_CHUNKS):
        file.seek(place)
        head = file.read(8)
        if len(head) < 8:
            return
        chunk = Chunk(head[4:], place + 8, int.from_bytes(head[:4], "big"))
        yield chunk
        if chunk.kind == b"IEND":
            return
        place = chunk.place + chunk.length + 4


def read_texts(file: BinaryIO) -> dict[str, str]:
    """The texts of a PNG by their keywords, which are in lower case; of several with one keyword the first.

    One that is broken, or longer than a limit, is left out.
    """
    texts: dict[str, str] = {}
    left = MOST_TEXTS
    for chunk in chunks(file):
        if chunk.kind not in _TEXTS or left <= 0:
            continue
        keyword, _, rest = chunk.read(file).partition(b"\0")
        text = _text(chunk.kind, rest, min(left, MOST_TEXT))
        if text:
            left -= len(text)
            texts.setdefault(_decoded(keyword).casefold(), _decoded(text))
    return texts


def profile_bytes(text: str) -> bytes:
    """The bytes of a text like ``\\nexif\\n    4\\n4578\\n6966``: a name, the count of bytes, hexadecimal digits.

    Whatever else stands between and behind the digits is passed over.
    """
    match = _PROFILE.match(text.encode("ascii", "replace"))
    if match is None:
        return b""
    digits = _NO_DIGIT.sub(b"", match[3])
    data = bytes.fromhex(digits[: len(digits) // 2 * 2].decode("ascii"))
    return data[: int(match[2][:9])] or data


def _text(kind: bytes, rest: bytes, most: int) -> bytes | None:
    """The text of a chunk behind its keyword; None where it cannot be unpacked within ``most`` bytes."""
    if kind == b"tEXt":
        return rest[:most]
    packed = kind == b"zTXt" or rest[:1] == b"\1"
    # Before an iTXt's text stand two numbers, the language and the keyword in it; before a zTXt's one number.
    rest = rest[2:].partition(b"\0")[2].partition(b"\0")[2] if kind == b"iTXt" else rest[1:]
    return _unpacked(rest, most) if packed else rest[:most]


def _unpacked(data: bytes, most: int) -> bytes | None:
    try:
        unpacker = zlib.decompressobj()
        text = unpacker.decompress(data, most)
    except zlib.error:
        return None
    return None if unpacker.unconsumed_tail else text


def _decoded(text: bytes) -> str:
    """tEXt is Latin-1 by its standard, and UTF-8 as many write it."""
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")


def picture_of(file: BinaryIO) -> BinaryIO:
    """``file`` without the chunks that are not needed to show it, so that none of them can cost the picture.

    It is ``file`` itself where there are none.
    """
    parts = [(0, len(SIGNATURE))]
    left_out = False
    for chunk in chunks(file):
        if chunk.kind in _SHOWN and not (chunk.kind == b"iCCP" and _has_vast_profile(chunk, file)):
            start, end = chunk.place - 8, chunk.place + chunk.length + 4
            if parts[-1][1] == start:
                parts[-1] = (parts[-1][0], end)
            else:
                parts.append((start, end))
        else:
            left_out = True
    file.seek(0)
    return io.BufferedReader(_Parts(file, parts)) if left_out else file


def _has_vast_profile(chunk: Chunk, file: BinaryIO) -> bool:
    """Whether a colour profile is longer than Pillow unpacks: the colours then count as sRGB's."""
    return _unpacked(chunk.read(file).partition(b"\0")[2][1:], PngImagePlugin.MAX_TEXT_CHUNK) is None


class _Parts(io.RawIOBase):
    """Parts of a file, given by their first byte and the one behind their last, as a file of its own."""

    def __init__(self, file: BinaryIO, parts: list[tuple[int, int]]) -> None:
        self._file, self._parts = file, parts
        self._starts = [0, *accumulate(end - start for start, end in parts)]
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._starts[-1]}[whence]
        if base + offset < 0:
            raise ValueError(f"negative seek value {base + offset}")
        self._place = base + offset
        return self._place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        number = bisect_right(self._starts, self._place) - 1
        if number >= len(self._parts):
            return 0
        start, end = self._parts[number]
        within = self._place - self._starts[number]
        self._file.seek(start + within)
        data = self._file.read(min(len(buffer), end - start - within))
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)
