"""Text of metadata as one clean line; and which texts are a camera's and no person's."""

from __future__ import annotations

import contextlib
import re
import unicodedata
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from photoindex.media.metadata.dates import FIRST_PHOTO_YEAR

LONGEST_NAME: Final = 128  # characters; a broken length field can make a whole maker note look like a camera's name
LONGEST_CAPTION: Final = 2000
MOST_WORDS: Final = 200  # keywords, people or places of one photo

# What makes a picture of the sign before it, such as of ‼ or a digit; and the colours of skin.
_EMOJI_PARTS: Final = frozenset({"\ufe0f", "\u20e3", *map(chr, range(0x1F3FB, 0x1F400))})
_NO_PICTURES: Final = frozenset("\ufffc\ufffd")  # they stand for something that was lost

# Descriptions that cameras, phones and scanners fill in by themselves, compared without regard to case.
_JUNK: Final = frozenset(
    line.strip()
    for line in """
    add a caption
    applemark
    ascii
    binary comment
    camera
    caption
    comment
    cof
    dav
    dcim
    default
    description
    digital camera picture
    edf
    exif_jpeg_picture
    exif jpeg picture
    hdrpl
    hdrplus
    image
    image description
    imagedescription
    iptc/xmp
    jpeg
    mde
    my beautiful picture
    no description
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
    scanned document
    scanned image
    screenshot
    sdr
    sony dsc
    minolta dsc
    konica minolta dsc
    title
    unknown
    untitled
    user comments
    """.splitlines()
    if line.strip()
)
# Programs and devices that sign what they made.
_MAKERS: Final = (
    r"(?:the\ )?(?:gimp|adobe|photoshop|lightroom|picasa|acdsee|acd\ systems|irfanview|paint(?:\.net|\ shop)|corel"
    r"|canva|snapseed|vsco|instagram|pixlr|polarr|affinity|capture\ one|darktable|rawtherapee|digikam|luminar"
    r"|imagemagick|graphicsmagick|jpegmini|ijg|gd-jpeg|xnview|faststone|photoscape|photofiltre|shotwell|gthumb"
    r"|krita|inkscape|nero|ulead|microsoft|google|iphone|ipad|ios|android|samsung|galaxy|huawei|honor|xiaomi|redmi"
    r"|mi|poco|oneplus|oppo|vivo|realme|nokia|sony|htc|lg|motorola|blackberry|canon|nikon|epson|hp|vuescan"
    r"|silverfast|dji|gopro|camera)\b.*"
)
_JUNK_PATTERNS: Final = re.compile(
    rf"""(?:.*\s)?digital\s?(?:still\s?)?camera(?:\s\w+)?  # OLYMPUS DIGITAL CAMERA, KODAK Digital Still Camera
      | .*\bcamera\ pictures?                         # SAMSUNG CAMERA PICTURES
      | <.*>                                          # <KENOX S630  / Samsung S630>
      | (?:lead|acd\ systems|intel)\b.{{0,20}}(?:technologies|imaging|jpeg\ library)\b.*
      # File written by Adobe Photoshop 4.0, Processed with VSCO with a5 preset, Edited in Lightroom, Shot on OnePlus
      | (?:file\ )?(?:created|made|generated|edited|modified|processed|written|saved|produced|exported|captured|taken
         |shot|developed|scanned|converted|compressed|optimi[sz]ed)\ (?:with|by|using|via)\ {_MAKERS}
      | (?:edited|processed|developed)\ in\ {_MAKERS}
      | (?:shot|captured)\ on\ {_MAKERS}
      | (?:creator|software):\ ?.*                     # CREATOR: gd-jpeg v1.0 (using IJG JPEG v62), quality = 90
      | adobe\ (?:photoshop|imageready|lightroom|bridge|elements).*
      | gimp(?:\ [\d.]+)?
      | [a-z]{{0,5}}[_-]?\d{{3,}}(?:\.jpe?g)?             # DSC00019, 000015, IMG_1234, P1010001
    """,
    re.VERBOSE | re.IGNORECASE,
)


_YEAR: Final = re.compile(r"\d{4}")


def one_line(value: Any, limit: int = LONGEST_NAME) -> str | None:
    """``value`` (text, or bytes as EXIF has them) as one line, or None where it holds no letter, digit or picture."""
    if isinstance(value, bytes):
        text = in_utf_8(value)
        if text is None:  # then it is nearly always Windows' Western set
            text = value.decode("cp1252", "replace")
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
    return text if any(map(_says_something, text)) else None


def in_utf_8(value: bytes) -> str | None:
    """The text of bytes in UTF-8; None where they are something else.

    Fields of a fixed or limited size are often cut off within a letter, which is left out. Other letters beyond ASCII
    have to stand before it: alone, it may be the last letter of a word in another character set.
    """
    value = value.strip(b"\0 ").split(b"\0", 1)[0]
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        whole = value[: error.start]
        is_cut = error.reason == "unexpected end of data" and not whole.isascii()
        return whole.decode("utf-8") if is_cut else None


def _says_something(character: str) -> bool:
    """Whether it is a letter, a digit, or a picture such as an emoji, a star or a flag; punctuation says nothing."""
    if character.isalnum():
        return True
    if character in _EMOJI_PARTS:
        return True
    return unicodedata.category(character) == "So" and character not in _NO_PICTURES


def meant(text: str | None, make: str | None = None, model: str | None = None) -> str | None:
    """``text`` unless a camera wrote it by itself, such as the names of its maker and its own: ``make``, ``model``."""
    if text is None:
        return None
    folded = text.casefold()
    if _YEAR.fullmatch(text) and FIRST_PHOTO_YEAR <= int(text) <= datetime.now().year:
        return text  # the number of a photo has the same form
    if folded in _JUNK or _JUNK_PATTERNS.fullmatch(text):
        return None
    maker, name = (make or "").casefold(), (model or "").casefold()
    # Of the maker's legal name a part is its brand, NIKON CORPORATION; a part of the model may be anybody's word: Mark.
    return None if folded in (name, f"{maker} {name}") or f" {folded} " in f" {maker} " else text


def each_once(texts: Iterable[str | None]) -> tuple[str, ...]:
    """The texts in their order, each once whatever its case, without gaps, and not more than a person would write."""
    kept: dict[str, str] = {}
    for text in texts:
        if text:
            kept.setdefault(text.casefold(), text)
        if len(kept) == MOST_WORDS:
            break
    return tuple(kept.values())
