"""Puts blocks of metadata into photos of every format that holds some, as programs do."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from tests.media.decode import photoshop
from tests.media.decode.makers import BYTE, Tag, dng, jpeg

XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
EXIF_UUID = b"JpgTiffExif->JP2"
IPTC_UUID = bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38")


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))


def text_chunk(kind: str, keyword: str, text: bytes) -> bytes:
    """A text of a PNG in one of its three kinds; ``zTXt`` and ``iTXt`` are compressed."""
    key = keyword.encode()
    if kind == "tEXt":
        return chunk(b"tEXt", key + b"\0" + text)
    if kind == "zTXt":
        return chunk(b"zTXt", key + b"\0\0" + zlib.compress(text))
    return chunk(b"iTXt", key + b"\0\1\0\0\0" + zlib.compress(text))


def png(*chunks: bytes, picture: Image.Image | None = None, behind: bool = False) -> bytes:
    """A PNG with these chunks before its pixels, or behind them."""
    file = io.BytesIO()
    (picture or Image.new("RGB", (48, 32), "red")).save(file, "PNG")
    content = file.getvalue()
    place = content.index(b"IEND" if behind else b"IDAT") - 4
    return content[:place] + b"".join(chunks) + content[place:]


def profile(name: str, data: bytes, *, line: int = 36, newline: str = "\n", length: int | None = None) -> bytes:
    """A block as ImageMagick writes it into a PNG's text."""
    digits = data.hex()
    lines = newline.join(digits[place : place + line * 2] for place in range(0, len(digits), line * 2))
    return f"\n{name}\n{len(data) if length is None else length:8}\n{lines}\n".encode()


def resource(number: int, data: bytes) -> bytes:
    """One of Photoshop's image resources."""
    return b"8BIM" + struct.pack(">HHL", number, 0, len(data)) + data + bytes(len(data) % 2)


def psd(resources: Mapping[int, bytes]) -> bytes:
    """A small Photoshop document with these resources."""
    picture = Image.new("RGB", (48, 32), "red")
    return photoshop.psd(photoshop.RGB, photoshop.planes(picture), packed=photoshop.RUNS, resources=resources)


def box(kind: bytes, data: bytes) -> bytes:
    """A box of JPEG 2000 or JPEG XL."""
    return struct.pack(">L", len(data) + 8) + kind + data


def jpeg_2000(*boxes: bytes) -> bytes:
    """A JP2 with these boxes before its codestream."""
    file = io.BytesIO()
    Image.new("RGB", (48, 32), "red").save(file, "JPEG2000")
    content = file.getvalue()
    place = content.index(b"jp2c") - 4
    return content[:place] + b"".join(boxes) + content[place:]


def jpeg_xl(*boxes: bytes) -> bytes:
    """A JPEG XL in a container with these boxes behind its codestream."""
    import pillow_jxl  # noqa: F401 - registers the format

    file = io.BytesIO()
    Image.new("RGB", (48, 32), "red").save(file, "JXL")
    content = file.getvalue()
    if content.startswith(b"\xff\x0a"):
        start = b"\0\0\0\x0cJXL \r\n\x87\n" + box(b"ftyp", b"jxl \0\0\0\0jxl ")
        content = start + box(b"jxlc", content)
    return content + b"".join(boxes)


def gif(xmp: bytes) -> bytes:
    """A GIF with a packet of XMP in its application extension (XMP part 3, 1.1.2)."""
    file = io.BytesIO()
    Image.new("RGB", (48, 32), "red").save(file, "GIF")
    content = file.getvalue()
    colours = 3 * 2 ** ((content[10] & 7) + 1) if content[10] & 0x80 else 0
    trailer = b"\1" + bytes(range(255, -1, -1)) + b"\0"
    return content[: 13 + colours] + b"!\xff\x0bXMP DataXMP" + xmp + trailer + content[13 + colours :]


def raw(tags: Mapping[int, bytes], *, exif: bytes | None = None) -> bytes:
    """A digital negative with a preview; ``tags`` are in its main directory, ``exif`` is in its preview."""
    picture = Image.new("RGB", (160, 120), "red")
    preview = jpeg(picture, **({"exif": exif} if exif else {}))
    extra: dict[int, Tag] = {tag: (BYTE, data) for tag, data in tags.items()}
    return dng(picture, preview, preview_size=picture.size, extra=extra)


def write(path: Path, content: bytes) -> Path:
    """Write a file, and say where."""
    path.write_bytes(content)
    return path
