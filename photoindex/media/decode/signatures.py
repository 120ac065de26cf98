"""What a file claims to be by its first bytes: with a claim a file that does not open is damaged or unsupported, and
without one it is no photo."""

from __future__ import annotations

from collections.abc import Iterator
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

# ITU-T T.81, table B.1: markers without a segment, the one of a scan, and frames that libjpeg does not decode
# (lossless, hierarchical).
_ALONE: Final = frozenset({0x01, *range(0xD0, 0xD8)})
SCAN: Final = 0xDA
_OTHER_FRAMES: Final = frozenset({0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF, 0xF7})
FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA}) | _OTHER_FRAMES
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


def jpeg_segments(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The markers of a JPEG from its beginning, each with the bytes of its segment, up to and with that of the first
    scan, as far as they are well-formed."""
    place = 2
    for _ in range(MOST_SEGMENTS):
        file.seek(place)
        head = file.read(4)
        if len(head) < 4 or head[0] != 0xFF:
            return
        length = int.from_bytes(head[2:], "big")
        if head[1] == 0xFF:  # filling
            place += 1
        elif head[1] in _ALONE:
            place += 2
        elif length < 2:
            return
        else:
            yield head[1], file.read(length - 2)
            if head[1] == SCAN:
                return
            place += 2 + length


def lossless_jpeg(file: BinaryIO) -> bool:
    """Whether a JPEG's picture is of a kind that nothing here decodes: its frame's marker says so."""
    frame = next((marker for marker, _ in jpeg_segments(file) if marker in FRAMES), None)
    return frame in _OTHER_FRAMES
