"""Metadata as programs write it, made for the tests: XMP packets, IPTC records, photos and sidecars that hold them."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

NAMESPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "exifEX": "http://cipa.jp/exif/1.0/",
    "aux": "http://ns.adobe.com/exif/1.0/aux/",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "lr": "http://ns.adobe.com/lightroom/1.0/",
    "digiKam": "http://www.digikam.org/ns/1.0/",
    "MicrosoftPhoto": "http://ns.microsoft.com/photo/1.0/",
    "MP": "http://ns.microsoft.com/photo/1.2/",
    "MPRI": "http://ns.microsoft.com/photo/1.2/t/RegionInfo#",
    "MPReg": "http://ns.microsoft.com/photo/1.2/t/Region#",
    "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/",
    "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "acdsee": "http://ns.acdsee.com/iptc/1.0/",
    "photoindex": "urn:photoindex:xmp:1.0/",
}

# A value with qualifiers, in the forms that XMP part 1, section 7.8 and RDF have for it.
QUALIFIED = [
    ' rdf:parseType="Resource"><rdf:value>VALUE</rdf:value><exif:Flash>0.9</exif:Flash>',
    "><rdf:Description><rdf:value>VALUE</rdf:value><exif:Flash>0.9</exif:Flash></rdf:Description>",
    '><rdf:Description rdf:value="VALUE" exif:Flash="0.9"/>',
    ' rdf:value="VALUE" exif:Flash="0.9">',
]


def packet(body: str = "", attributes: str = "") -> bytes:
    """An XMP packet whose one description has these child elements and attributes."""
    names = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items())
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" {names} {attributes}>{body}</rdf:Description></rdf:RDF></x:xmpmeta>\n'
        '<?xpacket end="w"?>'
    ).encode()


def bag(name: str, *items: str, kind: str = "Bag") -> str:
    """A property of several values."""
    return f"<{name}><rdf:{kind}>{''.join(f'<rdf:li>{item}</rdf:li>' for item in items)}</rdf:{kind}></{name}>"


def alt(name: str, **texts: str) -> str:
    """A property in several languages; ``x_default`` is the one to show."""
    items = "".join(f'<rdf:li xml:lang="{key.replace("_", "-")}">{text}</rdf:li>' for key, text in texts.items())
    return f"<{name}><rdf:Alt>{items}</rdf:Alt></{name}>"


def described(caption: str, *keywords: str) -> bytes:
    """A packet with a caption and keywords."""
    return packet(alt("dc:description", x_default=caption) + bag("dc:subject", *keywords))


NOWHERE = {"latitude": 0.0, "longitude": 0.0, "altitude": 0.0, "latitudeSpan": 0.0, "longitudeSpan": 0.0}


def takeout(description: str = "", **fields: Any) -> bytes:
    """A JSON file of Google Takeout, of a photo taken on 2019-07-04 at 12:00 UTC, and with these fields."""
    return json.dumps({
        "title": "IMG_1234.jpg",
        "description": description,
        "imageViews": "3",
        "creationTime": {"timestamp": "1562250000", "formatted": "4 Jul 2019, 14:20:00 UTC"},
        "photoTakenTime": {"timestamp": "1562241600", "formatted": "4 Jul 2019, 12:00:00 UTC"},
        "geoData": NOWHERE,
        "geoDataExif": NOWHERE,
        "url": "https://photos.google.com/photo/AF1Qip",
        "googlePhotosOrigin": {"mobileUpload": {"deviceType": "ANDROID_PHONE"}},
        **fields,
    }).encode()  # fmt: skip


def iptc(records: Mapping[tuple[int, int], bytes | Sequence[bytes]]) -> bytes:
    """An IPTC-IIM record."""
    data = b""
    for (record, number), values in records.items():
        for value in [values] if isinstance(values, bytes) else values:
            data += struct.pack(">BBBH", 0x1C, record, number, len(value)) + value
    return data


def with_iptc(jpeg: Path, record: bytes) -> None:
    """Put an IPTC record into a JPEG, as Photoshop's image resource 0x0404 in its APP13 segment."""
    padded = record + b"\0" * (len(record) % 2)
    resource = b"Photoshop 3.0\x008BIM" + struct.pack(">HHL", 0x0404, 0, len(record)) + padded
    content = jpeg.read_bytes()
    jpeg.write_bytes(content[:2] + struct.pack(">HH", 0xFFED, len(resource) + 2) + resource + content[2:])


def photo(path: Path, *, xmp: bytes | None = None, exif: Image.Exif | None = None, colour: str = "red") -> Path:
    """A small photo of the format that its suffix says, with these embedded."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", (48, 32), colour)
    # As bytes: of an Exif object Pillow writes only the main directory into a TIFF.
    options: dict[str, object] = {} if exif is None else {"exif": exif.tobytes()}
    if path.suffix.lower() in (".jpg", ".jpeg"):
        options["comment"] = path.name.encode()  # so that no two are copies
    if xmp is not None and path.suffix == ".png":
        from PIL import PngImagePlugin

        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", xmp.decode())
        options["pnginfo"] = info
    elif xmp is not None and path.suffix in (".tif", ".tiff"):
        options["tiffinfo"] = {700: xmp}
    elif xmp is not None:
        options["xmp"] = xmp
    image.save(path, **options)  # type: ignore[arg-type]
    return path
