"""Where photo files keep metadata: the blocks of EXIF, XMP and IPTC in every format that is read.

    JPEG, WebP, TIFF, AVIF, HEIC    as Pillow and its plugins hand them out; of a JPEG also its extended XMP
    PNG                             png.py
    PSD, and JPEG and TIFF within   Photoshop's image resources
    JPEG 2000, JPEG XL, CR3         boxes, boxes.py
    GIF                             its application extension
    camera raw                      the tags of its TIFF, then its preview's blocks

What a block says is read in exif.py, xmp.py and iptc.py. Nothing here raises for what a file holds: a container that is
broken has the blocks that were found before.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import BinaryIO, Final

from PIL import Image

from photoindex.media.metadata import boxes, png
from photoindex.media.metadata.tiff import (
    IPTC_TAG,
    PHOTOSHOP_TAG,
    STARTS,
    XMP_TAG,
    Exif,
    Tiff,
    TiffError,
    Value,
    read_directories,
)
from photoindex.system.regular_files import read_up_to

# Adobe Photoshop File Formats Specification, "Image Resource IDs".
IPTC_RESOURCE: Final = 0x0404
EXIF_RESOURCES: Final = (0x0422, 0x0423)
XMP_RESOURCE: Final = 0x0424
_RESOURCE_SIGNATURES: Final = (b"8BIM", b"MeSa", b"PHUT", b"AgHg", b"DCSR")

# XMP specification part 3, section 1.1.3: what begins the segments of a JPEG.
_XMP_SEGMENT: Final = b"http://ns.adobe.com/xap/1.0/\0"
_MORE_XMP_SEGMENT: Final = b"http://ns.adobe.com/xmp/extension/\0"
_EXIF_SEGMENT: Final = b"Exif\0\0"
_PHOTOSHOP_SEGMENT: Final = b"Photoshop 3.0\0"
_GIF_XMP: Final = b"\x21\xff\x0bXMP DataXMP"
MOST_BYTES: Final = 32_000_000  # of one block


@dataclass(frozen=True, slots=True)
class Blocks:
    """The blocks of one photo, each kind in the order in which it is believed."""

    exif: tuple[Exif, ...] = ()
    xmp: tuple[bytes, ...] = ()
    iptc: tuple[bytes, ...] = ()
    title: str | None = None  # what PNG keeps as plain text
    caption: str | None = None
    comment: str | bytes | None = None  # that of a JPEG, a PNG or a GIF

    def __add__(self, other: Blocks) -> Blocks:
        """Both together, each packet once."""
        return Blocks(
            self.exif + other.exif,
            tuple(dict.fromkeys(self.xmp + other.xmp)),
            tuple(dict.fromkeys(self.iptc + other.iptc)),
            self.title or other.title,
            self.caption or other.caption,
            self.comment or other.comment,
        )


def find_blocks(image: Image.Image, file: BinaryIO | None = None) -> Blocks:
    """The blocks of an opened image. ``file`` is what it was opened from; its position is kept."""
    blocks = _of_image(image)
    if file is None:
        return blocks
    place = file.tell()
    try:
        file.seek(0)
        return _of_file(file) + blocks
    finally:
        file.seek(place)


def blocks_of_raw(data: bytes, preview: Image.Image | None) -> Blocks:
    """The blocks of a camera's raw file, and behind them those of its preview."""
    blocks = _of_file(io.BytesIO(data))
    return blocks if preview is None else blocks + _of_image(preview)


def image_resources(data: bytes) -> dict[int, bytes]:
    """Photoshop's image resources by their numbers: signature, number, name, size, content, all of even length."""
    resources: dict[int, bytes] = {}
    place = 0
    while data[place : place + 4] in _RESOURCE_SIGNATURES and place + 12 <= len(data):
        (number,) = struct.unpack_from(">H", data, place + 4)
        name = data[place + 6] + 1
        place += 6 + name + name % 2
        if place + 4 > len(data):
            break
        (size,) = struct.unpack_from(">L", data, place)
        resources.setdefault(number, data[place + 4 : place + 4 + size])
        place += 4 + size + size % 2
    return resources


def _of_image(image: Image.Image) -> Blocks:
    exif = image.info.get("exif")
    segments: list[tuple[str, bytes]] = getattr(image, "applist", [])  # of a JPEG
    # Of several packets in a JPEG, Pillow hands out the last alone.
    packets = [
        packet
        for name, data in segments
        if name == "APP1" and data.startswith(_XMP_SEGMENT)
        for packet in _xmp(data[len(_XMP_SEGMENT) :])
    ]
    blocks = Blocks(
        exif=_exif(exif) if isinstance(exif, bytes) else (),
        xmp=tuple(packets) or _xmp(image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")),
        comment=comment if isinstance(comment := image.info.get("comment"), (str, bytes)) else None,
    )
    return blocks + _of_segments(segments)


def _of_file(file: BinaryIO) -> Blocks:
    """The blocks of the formats that are taken apart here."""
    head = file.read(16)
    try:
        if head.startswith(png.SIGNATURE):
            return _of_png(file)
        if head[:2] in (b"II", b"MM"):
            return _of_tiff(file)
        if head.startswith(b"8BPS"):
            return _of_psd(file)
        if head.startswith((b"GIF87a", b"GIF89a")):
            return _of_gif(file)
        if head[4:8] in (b"jP  ", b"JXL ") or head[4:12] == b"ftypcrx ":
            return _of_boxes(file)
    except (OSError, ValueError, struct.error):
        pass
    return Blocks()


def _of_tiff(file: BinaryIO) -> Blocks:
    try:
        main = Tiff(file).main()
    except TiffError:
        return Blocks()
    return Blocks(exif=_exif(file)) + _of_tags(main)


def _of_tags(values: dict[int, Value]) -> Blocks:
    xmp, record, resources = (values.get(tag) for tag in (XMP_TAG, IPTC_TAG, PHOTOSHOP_TAG))
    blocks = Blocks(xmp=_xmp(xmp), iptc=(record,) if isinstance(record, bytes) and record else ())
    return blocks + _of_resources(resources) if isinstance(resources, bytes) else blocks


def _of_resources(data: bytes) -> Blocks:
    resources = image_resources(data)
    record = resources.get(IPTC_RESOURCE)
    return Blocks(
        exif=tuple(exif for number in EXIF_RESOURCES for exif in _exif(resources.get(number, b""))),
        xmp=_xmp(resources.get(XMP_RESOURCE)),
        iptc=(record,) if record else (),
    )


def _of_segments(segments: list[tuple[str, bytes]]) -> Blocks:
    """What Pillow leaves of a JPEG's application segments: resources that continue in the next one, extended XMP, and
    second blocks of EXIF, which it takes for the end of the first."""
    exif: list[bytes] = []
    for name, data in segments:
        if name == "APP1" and data.startswith(_EXIF_SEGMENT):
            if exif and data[6:10] not in STARTS:
                exif[-1] += data[len(_EXIF_SEGMENT) :]
            else:
                exif.append(data)
    resources = b"".join(
        data[len(_PHOTOSHOP_SEGMENT) :]
        for name, data in segments
        if name == "APP13" and data.startswith(_PHOTOSHOP_SEGMENT)
    )
    more: dict[bytes, dict[int, bytes]] = {}
    for _, data in segments:
        if data.startswith(_MORE_XMP_SEGMENT) and len(data) >= len(_MORE_XMP_SEGMENT) + 40:
            rest = data[len(_MORE_XMP_SEGMENT) :]
            (place,) = struct.unpack(">L", rest[36:40])  # behind the packet's name and length
            more.setdefault(rest[:32], {})[place] = rest[40:]
    packets = (b"".join(part for _, part in sorted(parts.items())) for parts in more.values())
    second = tuple(each for block in exif[1:] for each in _exif(block))
    return _of_resources(resources) + Blocks(exif=second, xmp=tuple(packets))


def _of_psd(file: BinaryIO) -> Blocks:
    """Header, colour table, then the resources (Adobe Photoshop File Formats Specification)."""
    file.seek(26)
    (colours,) = struct.unpack(">L", file.read(4))
    file.seek(30 + colours)
    (size,) = struct.unpack(">L", file.read(4))
    return _of_resources(read_up_to(file, min(size, MOST_BYTES)))


def _of_gif(file: BinaryIO) -> Blocks:
    """The packet lies unbroken in the block, and what follows it only looks like sub-blocks (XMP part 3, 1.1.2)."""
    file.seek(0)
    data = read_up_to(file, MOST_BYTES)
    start = data.find(_GIF_XMP)
    if start < 0:
        return Blocks()
    start += len(_GIF_XMP)
    end = data.find(b"\x01\xff\xfe\xfd", start)
    return Blocks(xmp=_xmp(data[start : end if end >= 0 else len(data)]))


def _of_png(file: BinaryIO) -> Blocks:
    texts = png.read_texts(file)
    blocks = Blocks(title=texts.get("title"), caption=texts.get("description"), comment=texts.get("comment"))
    for chunk in png.chunks(file):
        if chunk.kind == b"eXIf":
            blocks += Blocks(exif=_exif(chunk.read(file)))
    for keyword, text in texts.items():
        if keyword == "xml:com.adobe.xmp":
            blocks += Blocks(xmp=_xmp(text))
        elif keyword.startswith(png.PROFILE):
            blocks += _of_profile(png.profile_bytes(text))
    return blocks


def _of_profile(data: bytes) -> Blocks:
    """What ImageMagick and exiftool put into a PNG's text as hexadecimal digits: judged by its bytes, since EXIF, XMP
    and resources appear under each other's names."""
    data = data.removeprefix(_PHOTOSHOP_SEGMENT)
    if data.startswith(_RESOURCE_SIGNATURES):
        return _of_resources(data)
    if data.startswith(b"\x1c"):
        return Blocks(iptc=(data,))
    if exif := _exif(data):
        return Blocks(exif=exif)
    return Blocks(xmp=_xmp(data.removeprefix(_XMP_SEGMENT)) if b"<" in data[:256] else ())


def _of_boxes(file: BinaryIO) -> Blocks:
    blocks = Blocks()
    for kind, data in boxes.metadata_boxes(file):
        if kind == "exif":
            blocks += Blocks(exif=_exif(data))
        elif kind == "xmp":
            blocks += Blocks(xmp=_xmp(data))
        elif kind == "iptc":
            blocks += Blocks(iptc=(data,))
        else:
            blocks += _of_resources(data)
    parts = boxes.canon_directories(file)
    return blocks + Blocks(exif=(Exif(*(_main(part) for part in parts)),)) if any(parts) else blocks


def _main(block: bytes) -> dict[int, Value]:
    exif = read_directories(block)
    return exif.main if exif else {}


def _exif(block: bytes | BinaryIO) -> tuple[Exif, ...]:
    exif = read_directories(block) if block else None
    return (exif,) if exif else ()


def _xmp(value: object) -> tuple[bytes, ...]:
    data = value.encode("utf-8", "replace") if isinstance(value, str) else value
    return (data,) if isinstance(data, bytes) and data.strip(b"\0 \t\r\n") else ()
