"""Makes files that no library here writes: plain TIFFs tag by tag, camera raw (DNG), colour profiles."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from itertools import product

import numpy as np
from PIL import Image

BYTE, ASCII, SHORT, LONG, RATIONAL, SRATIONAL = 1, 2, 3, 4, 5, 10
_FORMATS = {BYTE: "B", SHORT: "H", LONG: "L", RATIONAL: "L", SRATIONAL: "l"}
Tag = tuple[int, object]  # type, and a number, several, or bytes


def tiff(*directories: dict[int, Tag], strips: Sequence[bytes], order: str = "<", strips_last: bool = False) -> bytes:
    """A TIFF (TIFF 6.0, section 2) of one directory and the directories below it (SubIFDs), each with one strip.

    StripOffsets, StripByteCounts and SubIFDs are filled in.
    """
    if strips_last:  # as if they were nothing, and then where all else ends
        end = len(tiff(*directories, strips=[b""] * len(strips), order=order))
        places = [end + sum(map(len, strips[:number])) for number in range(len(strips))]
        lengths = [len(strip) for strip in strips]
        return _tiff(directories, [b""] * len(strips), order, places, lengths) + b"".join(strips)
    return _tiff(directories, strips, order)


def _tiff(
    directories: Sequence[dict[int, Tag]],
    strips: Sequence[bytes],
    order: str,
    places: Sequence[int] = (),
    lengths: Sequence[int] = (),
) -> bytes:
    parts: list[bytes] = []
    place = 8

    def put(data: bytes) -> int:
        nonlocal place
        at = place
        parts.append(data + bytes(len(data) % 2))
        place += len(parts[-1])
        return at

    offsets = [put(strip) for strip in strips]
    below: list[int] = []
    for number in reversed(range(len(directories))):
        tags = dict(directories[number])
        tags[273] = (LONG, places[number] if places else offsets[number])
        tags[279] = (LONG, lengths[number] if lengths else len(strips[number]))
        if number == 0 and below:
            tags[330] = (LONG, list(reversed(below)))
        entries = b""
        for tag, (kind, value) in sorted(tags.items()):
            count, data = _packed(kind, value, order)
            field = data.ljust(4, b"\0") if len(data) <= 4 else struct.pack(order + "L", put(data))
            entries += struct.pack(order + "HHL", tag, kind, count) + field
        below.append(put(struct.pack(order + "H", len(tags)) + entries + bytes(4)))
    header = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "L", below[-1])
    return header + b"".join(parts)


def _packed(kind: int, value: object, order: str) -> tuple[int, bytes]:
    if isinstance(value, bytes):
        return len(value), value
    numbers = list(value) if isinstance(value, Sequence) else [value]
    data = struct.pack(order + _FORMATS[kind] * len(numbers), *numbers)
    return len(numbers) // (2 if kind in (RATIONAL, SRATIONAL) else 1), data


def jpeg(image: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", **{"quality": 95, **options})
    return file.getvalue()


def dng(
    picture: Image.Image,
    preview: bytes | None,
    *,
    orientation: int = 1,
    preview_size: tuple[int, int] = (0, 0),
    extra: dict[int, Tag] | None = None,
    pixels_last: bool = False,
) -> bytes:
    """A minimal digital negative (DNG 1.4): ``picture`` as an RGGB mosaic of 16 bits, and a JPEG preview if any.

    ``extra`` are more tags of the main directory; ``pixels_last`` puts the pixels behind all directories.

    The sensor's colours are sRGB's, linear, so that developing it gives the picture back, more or less.
    """
    main: dict[int, Tag] = {
        271: (ASCII, b"Imaginary\0"),
        272: (ASCII, b"Imaginary One\0"),
        274: (SHORT, orientation),
        306: (ASCII, b"2021:06:05 04:03:02\0"),
        50706: (BYTE, [1, 4, 0, 0]),  # DNGVersion
        50707: (BYTE, [1, 1, 0, 0]),
        50708: (ASCII, b"Imaginary One\0"),
        50721: (SRATIONAL, _matrix(XYZ_TO_SRGB)),  # ColorMatrix1
        50728: (RATIONAL, [1, 1] * 3),  # AsShotNeutral
        50778: (SHORT, 21),  # CalibrationIlluminant1: D65
        **(extra or {}),
    }
    linear = (np.asarray(picture.convert("RGB"), np.float64) / 255) ** 2.2
    mosaic = linear[..., 1].copy()
    mosaic[::2, ::2] = linear[::2, ::2, 0]
    mosaic[1::2, 1::2] = linear[1::2, 1::2, 2]
    raw: dict[int, Tag] = {
        254: (LONG, 0),
        256: (LONG, picture.width),
        257: (LONG, picture.height),
        258: (SHORT, 16),
        259: (SHORT, 1),
        262: (SHORT, 32803),  # a colour filter array
        277: (SHORT, 1),
        278: (LONG, picture.height),
        33421: (SHORT, [2, 2]),
        33422: (BYTE, [0, 1, 1, 2]),
        50714: (SHORT, 0),  # BlackLevel
        50717: (LONG, 65535),  # WhiteLevel
    }
    pixels = np.rint(mosaic * 65535).astype("<u2").tobytes()
    if preview is None:
        return tiff({**raw, **main}, strips=[pixels], strips_last=pixels_last)
    small: dict[int, Tag] = {
        254: (LONG, 1),  # a reduced picture
        256: (LONG, preview_size[0]),
        257: (LONG, preview_size[1]),
        258: (SHORT, [8, 8, 8]),
        259: (SHORT, 7),  # JPEG
        262: (SHORT, 6),
        277: (SHORT, 3),
        278: (LONG, preview_size[1]),
    }
    return tiff({**small, **main}, raw, strips=[preview, pixels], strips_last=pixels_last)


XYZ_TO_SRGB = ((3.2406, -1.5372, -0.4986), (-0.9689, 1.8758, 0.0415), (0.0557, -0.2040, 1.0570))


def _matrix(rows: Sequence[Sequence[float]]) -> list[int]:
    return [number for row in rows for value in row for number in (round(value * 10000), 10000)]


# Colour profiles (ICC.1:2001-04, version 2). Colorants are adapted to D50.
SRGB_COLORANTS = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
DISPLAY_P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
WHITE = (0.9642, 1.0, 0.8249)


def rgb_profile(colorants: Sequence[Sequence[float]], gamma: float = 2.2) -> bytes:
    """A display's profile: the XYZ of its red, green and blue, and one curve for all."""
    tags = {f"{name}XYZ": _xyz(xyz) for name, xyz in zip("rgb", colorants, strict=True)}
    return _profile("mntr", "RGB ", "XYZ ", {**tags, **{f"{name}TRC": _gamma(gamma) for name in "rgb"}})


def grey_profile(gamma: float) -> bytes:
    return _profile("mntr", "GRAY", "XYZ ", {"kTRC": _gamma(gamma)})


def cmyk_profile(colours: dict[str, tuple[int, int, int]]) -> bytes:
    """A printer's: the L*, a*, b* of paper ("") and of inks that are wholly on, as "c" or "my"; black where none is
    given."""
    corners = bytearray()
    for on in product((0, 1), repeat=4):
        inks = "".join(ink for ink, used in zip("cmyk", on, strict=True) if used)
        lightness, a, b = colours.get(inks, (0, 0, 0))
        corners += bytes((round(lightness * 2.55), a + 128, b + 128))
    straight = bytes(range(256))
    identity = struct.pack(">9l", *(65536 if place % 4 == 0 else 0 for place in range(9)))
    table = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + identity + straight * 4 + bytes(corners) + straight * 3
    return _profile("prtr", "CMYK", "Lab ", {"A2B0": table})


def _profile(kind: str, space: str, connection: str, tags: dict[str, bytes]) -> bytes:
    text = b"made for a test\0"
    described = b"desc" + bytes(4) + struct.pack(">L", len(text)) + text + bytes(8 + 3 + 67)
    tags = {"desc": described, "cprt": b"text" + bytes(4) + text, "wtpt": _xyz(WHITE), **tags}
    place = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">L", len(tags)), b""
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        table += name.encode() + struct.pack(">LL", place + len(body), len(data))
        body += data
    head = struct.pack(">L4sL4s4s4s6H4s", place + len(body), b"\0" * 4, 0x02400000, kind.encode(), space.encode(),
                       connection.encode(), 2024, 1, 1, 0, 0, 0, b"acsp")  # fmt: skip
    return head.ljust(68, b"\0") + _xyz(WHITE)[8:] + bytes(48) + table + body


def _xyz(value: Sequence[float]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3l", *(round(part * 65536) for part in value))


def _gamma(value: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">LH", 1, round(value * 256))
