"""The boxes of the ISO base media file format (ISO/IEC 14496-12) that hold metadata: JPEG 2000, JPEG XL, Canon's CR3.

A box is its length, its kind in four letters, and its content. Metadata lies at the top level, but for CR3's EXIF.
"""

from __future__ import annotations

import importlib
import struct
from collections.abc import Iterator
from typing import BinaryIO, Final

from photoindex.system.regular_files import read_up_to

MOST_BOXES: Final = 10_000
MOST_BYTES: Final = 32_000_000

# By the first 16 bytes of a box of the kind ``uuid``.
_XMP: Final = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
KINDS: Final = {
    _XMP: "xmp",
    b"JpgTiffExif->JP2": "exif",
    bytes.fromhex("0537cdab9d0c4431a72afa561f2a113e"): "exif",
    bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38"): "iptc",
    bytes.fromhex("09a14e97c0b442e0bebf36df6f0ce36f"): "iptc",
    bytes.fromhex("2c4c0100850440b9a03e562148d6dfeb"): "resources",
}
_CANON: Final = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")

Box = tuple[bytes, int, int]  # kind, place of the content, place behind it


def boxes(file: BinaryIO, start: int, end: int) -> Iterator[Box]:
    """The boxes between two places of a file, as far as they go."""
    place = start
    for _ in range(MOST_BOXES):
        file.seek(place)
        head = file.read(16)
        if len(head) < 8 or place >= end:
            return
        length, kind = struct.unpack(">L4s", head[:8])
        content = place + 8
        if length == 1 and len(head) == 16:
            (length,) = struct.unpack(">Q", head[8:])
            content += 8
        behind = end if length == 0 else min(place + length, end)
        if behind < content:
            return
        yield kind, content, behind
        place = behind


def metadata_boxes(file: BinaryIO) -> Iterator[tuple[str, bytes]]:
    """What each box of metadata holds, as ``exif``, ``xmp``, ``iptc`` or (Photoshop's) ``resources``, and its bytes."""
    for kind, start, end in boxes(file, 0, _size(file)):
        if kind not in (b"uuid", b"Exif", b"xml ", b"brob"):
            continue
        file.seek(start)
        data = read_up_to(file, min(end - start, MOST_BYTES))
        if kind == b"uuid" and data[:16] in KINDS:
            yield KINDS[data[:16]], data[16:]
            continue
        if kind == b"brob":
            kind, data = data[:4], _unpacked(data[4:])
        if kind == b"Exif":
            yield "exif", data
        elif kind == b"xml " and b"rdf" in data.replace(b"\0", b"").lower():
            yield "xmp", data


def canon_directories(file: BinaryIO) -> tuple[bytes, bytes, bytes]:
    """The TIFFs in a CR3 that hold what EXIF's main, Exif and GPS directories do; empty where there is none."""
    directories: dict[bytes, bytes] = {}
    for kind, start, end in boxes(file, 0, _size(file)):
        if kind != b"moov":
            continue
        for inner, first, last in boxes(file, start, end):
            file.seek(first)
            if inner != b"uuid" or file.read(16) != _CANON:
                continue
            for name, place, behind in boxes(file, first + 16, last):
                if name in (b"CMT1", b"CMT2", b"CMT4"):
                    file.seek(place)
                    directories[name] = read_up_to(file, min(behind - place, MOST_BYTES))
    return directories.get(b"CMT1", b""), directories.get(b"CMT2", b""), directories.get(b"CMT4", b"")


def _size(file: BinaryIO) -> int:
    return file.seek(0, 2)


def _unpacked(data: bytes) -> bytes:
    """What JPEG XL packs with Brotli; nothing where the library is not installed or the data is broken."""
    try:
        brotli = importlib.import_module("brotli")
        unpacker = brotli.Decompressor()
        return bytes(unpacker.process(data, output_buffer_limit=MOST_BYTES))
    except TypeError:  # releases before 1.2 know no limit, and a packet can grow a thousandfold
        return b""
    except Exception:
        return b""
