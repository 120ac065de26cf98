"""The namespaces of XMP that are read or written, and the prefixes that programs use for them."""

from __future__ import annotations

from typing import Final

XML: Final = "http://www.w3.org/XML/1998/namespace"
RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
META: Final = "adobe:ns:meta/"
DC: Final = "http://purl.org/dc/elements/1.1/"
XMP: Final = "http://ns.adobe.com/xap/1.0/"
PHOTOSHOP: Final = "http://ns.adobe.com/photoshop/1.0/"
EXIF: Final = "http://ns.adobe.com/exif/1.0/"
EXIF_EX: Final = "http://cipa.jp/exif/1.0/"
AUX: Final = "http://ns.adobe.com/exif/1.0/aux/"
TIFF: Final = "http://ns.adobe.com/tiff/1.0/"
LIGHTROOM: Final = "http://ns.adobe.com/lightroom/1.0/"
DIGIKAM: Final = "http://www.digikam.org/ns/1.0/"
MICROSOFT: Final = "http://ns.microsoft.com/photo/1.0/"
MP: Final = "http://ns.microsoft.com/photo/1.2/"
MP_REGION: Final = "http://ns.microsoft.com/photo/1.2/t/Region#"
MWG_REGIONS: Final = "http://www.metadataworkinggroup.com/schemas/regions/"
IPTC_CORE: Final = "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"
IPTC_EXT: Final = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
ACDSEE: Final = "http://ns.acdsee.com/iptc/1.0/"
PHOTOINDEX: Final = "urn:photoindex:xmp:1.0/"  # what photoindex itself notes of what it wrote into a sidecar

# Of prefixes that are used without having been declared.
BY_PREFIX: Final = {
    "rdf": RDF,
    "x": META,
    "dc": DC,
    "xmp": XMP,
    "xap": XMP,
    "photoshop": PHOTOSHOP,
    "exif": EXIF,
    "exifEX": EXIF_EX,
    "aux": AUX,
    "tiff": TIFF,
    "lr": LIGHTROOM,
    "digiKam": DIGIKAM,
    "MicrosoftPhoto": MICROSOFT,
    "Iptc4xmpCore": IPTC_CORE,
    "Iptc4xmpExt": IPTC_EXT,
}
