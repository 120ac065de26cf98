"""Text of metadata as one clean line; and which texts are a camera's and no person's."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from typing import Any, Final

LONGEST_NAME: Final = 128  # characters; a broken length field can make a whole maker note look like a camera's name
LONGEST_CAPTION: Final = 2000
MOST_WORDS: Final = 200  # keywords, people or places of one photo

# Descriptions that cameras, phones and scanners fill in by themselves, compared without regard to case.
_JUNK: Final = frozenset(
    line.strip()
    for line in """
    applemark
    ascii
    comment
    cof
    dav
    dcim
    default
    description
    edf
    exif_jpeg_picture
    exif jpeg picture
    hdrpl
    hdrplus
    image
    iptc/xmp
    jpeg
    mde
    none
    normal
    null
    oznor
    photo
    picture
    rbt
    rhdr
    samsung
    scan
    sdr
    sony dsc
    minolta dsc
    konica minolta dsc
    untitled
    user comments
    """.splitlines()
    if line.strip()
)
_JUNK_PATTERNS: Final = re.compile(
    r"""(?:.*\s)?digital\s(?:still\s)?camera          # OLYMPUS DIGITAL CAMERA, KODAK Digital Still Camera
      | .*\bcamera\ pictures?                         # SAMSUNG CAMERA PICTURES
      | <.*>                                          # <KENOX S630  / Samsung S630>
      | lead\ technologies\b.*
      | (?:created|made|edited|processed)\ (?:with|by)\ .*
      | [a-z]{0,5}[_-]?\d{3,}(?:\.jpe?g)?             # DSC00019, 000015, IMG_1234, P1010001
    """,
    re.VERBOSE | re.IGNORECASE,
)


def one_line(value: Any, limit: int = LONGEST_NAME) -> str | None:
    """``value`` (text, or bytes as EXIF has them) as one clean line, or None where it holds no letter or digit."""
    if isinstance(value, bytes):
        text = value.decode("utf-8", "replace")
    elif isinstance(value, str):
        text = value
        # Pillow reads EXIF as Latin-1, but phones write UTF-8; valid UTF-8 beyond ASCII is hardly ever anything else.
        with contextlib.suppress(UnicodeError):
            text = value.encode("latin-1").decode("utf-8")
    else:
        return None
    # Fixed-width fields end in NULs, and what follows the first one is left over from another string.
    text = text.strip("\0 ").split("\0", 1)[0]
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())[:limit].rstrip()
    return text if any(c.isalnum() for c in text) else None


def meant(text: str | None, *names: str | None) -> str | None:
    """``text`` unless a camera wrote it by itself; ``names`` are those of the camera and its maker."""
    if text is None:
        return None
    folded = text.casefold()
    if folded in _JUNK or _JUNK_PATTERNS.fullmatch(text):
        return None
    return None if any(name is not None and folded in name.casefold() for name in names) else text


def each_once(texts: Iterable[str | None]) -> tuple[str, ...]:
    """The texts in their order, each once whatever its case, without gaps, and not more than a person would write."""
    found: dict[str, str] = {}
    for text in texts:
        if text:
            found.setdefault(text.casefold(), text)
        if len(found) == MOST_WORDS:
            break
    return tuple(found.values())
