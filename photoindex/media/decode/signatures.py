"""What a file claims to be by its first bytes: with a claim a file that does not open is damaged or unsupported, and
without one it is no photo."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, Final

from photoindex.media.formats import FORMATS, HEIC, JPEG_XL, PhotoFormat

DIB_SUFFIX: Final = ".dib"
_BY_NAME: Final = {each.name: each for each in FORMATS}
_STARTS: Final = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"8BPS\0", "PSD"),
    (b"qoif", "QOI"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    # ISO 18181-2: a bare codestream, and one in a container.
    (b"\xff\x0a", JPEG_XL.name),
    (b"\0\0\0\x0cJXL \r\n\x87\n", JPEG_XL.name),
)
# ISO 23008-12 (HEIF), annex B: major brands of HEVC still pictures and sequences.
_HEIF_BRANDS: Final = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
_AVIF_BRANDS: Final = (b"avif", b"avis")
_WEAK: Final = {b"BM": "BMP", b"\x01\xda": "SGI"}  # two bytes: they count where the name says the same

# ITU-T T.81, table B.1: frames that libjpeg does not decode (lossless, hierarchical).
_OTHER_FRAMES: Final = frozenset({0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF, 0xF7})
_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA}) | _OTHER_FRAMES
MOST_SEGMENTS: Final = 1000


def claimed_format(head: bytes, path: Path) -> PhotoFormat | None:
    """The format that a file's first 64 bytes leave no doubt of; None where there is any."""
    for start, name in _STARTS:
        if head.startswith(start):
            return _BY_NAME[name]
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return _BY_NAME["WebP"]
    suffix = path.suffix.lower()
    if head[4:8] == b"ftyp":
        if head[8:12] in _AVIF_BRANDS:
            return _BY_NAME["AVIF"]
        # The suffix counts only among files of the right family: a film starts with the same box.
        return HEIC if head[8:12] in _HEIF_BRANDS or suffix in HEIC.suffixes else None
    named = next((each for start, name in _WEAK.items() if head.startswith(start) for each in (_BY_NAME[name],)), None)
    return named if named is not None and suffix in named.suffixes else None


def lossless_jpeg(file: BinaryIO) -> bool:
    """Whether a JPEG's picture is of a kind that nothing here decodes: its frame's marker says so."""
    place = 2
    for _ in range(MOST_SEGMENTS):
        file.seek(place)
        head = file.read(4)
        if len(head) < 4 or head[0] != 0xFF:
            return False
        if head[1] in _FRAMES:
            return head[1] in _OTHER_FRAMES
        place += 2 + int.from_bytes(head[2:], "big")
    return False
