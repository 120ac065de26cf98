"""Comments: fields without a fixed use, which people write captions into, and cameras and programs all else.

So a comment is a caption only where there is no other, and where nothing about it looks like a machine's.
"""

from __future__ import annotations

import re
from typing import Final

from photoindex.media.metadata.cleaning import LONGEST_CAPTION, in_utf_8, meant, one_line

_PREFIX: Final = 8  # bytes: the name of the character code (Exif 2.32, section 4.6.5, UserComment)
LONGEST_SIGN: Final = 4  # letters of the abbreviations by which programs sign
_MARKS: Final = ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))

_MACHINES: Final = re.compile(
    r"""[\[{(<].*                                       # JSON, XML, lists of settings
      | .*\.(?:jpe?g|png|tiff?|gif|webp|hei[cf]|avif|jxl|bmp|psd|raw|dng|cr[23]|nef|arw|orf|rw2|raf|pef|srw)  # a file
      | .*(?:;|\b\w+\s?=\s?\S+[,;\s]+)\s*\w+\s?[=:].*   # filter: 0; rotation: 90; a=1, b=2
      | (?:.*[\s,;])?\w+:\s?[\d.]+(?:[,;].*)?           # quality: 90
      | .*\b(?:encoder|codec|lavc[\d.]*|ffmpeg|libjpeg|imagemagick|ezgif|version:?\s?\d|software)\b.*
      | .*\b(?:copyright|firmware|https?)\b.*
      | \S{40,}
    """,
    re.VERBOSE | re.IGNORECASE,
)


def comment_in(value: object, *names: str | None) -> str | None:
    """Return what a person wrote as a comment (text or bytes); ``names`` are those of the maker and of the camera."""
    text = meant(one_line(value, LONGEST_CAPTION), *names)
    return None if text is None or _MACHINES.fullmatch(text) or _is_noise(text) else text


def decode_comment(value: bytes) -> str | bytes | None:
    """Return the text of EXIF's UserComment, whose first eight bytes name its character code."""
    code, rest = value[:_PREFIX].rstrip(b"\0 ").upper(), value[_PREFIX:]
    if code == b"UNICODE":
        return _utf_16(rest)
    if code == b"JIS":
        try:
            return rest.decode("iso2022_jp")
        except UnicodeDecodeError:
            return rest.decode("cp932", "replace")
    if code in (b"ASCII", b""):
        return rest
    return in_utf_8(value)  # some programs write the text alone


def _utf_16(data: bytes) -> str:
    """Decode UTF-16 in the order of bytes that its mark names, or else in the one by which its letters are alike."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(name, "replace")
    data = data[: len(data) // 2 * 2]
    name = "utf-16-be" if len(set(data[0::2])) < len(set(data[1::2])) else "utf-16-le"
    return data.decode(name, "replace")


def _is_noise(text: str) -> bool:
    """Whether too few of its signs are letters, as of numbers and of binary data that was taken for text."""
    if all(any(map(str.isdigit, word)) for word in text.split()):
        return True  # numbers, hashes, serial numbers
    if text.isascii() and text.isupper() and len(text) <= LONGEST_SIGN:
        return True
    letters = sum(sign.isalpha() or sign.isspace() for sign in text)
    return "\ufffd" in text or (letters < len(text) * 2 / 3 and any(sign.isalnum() for sign in text))
