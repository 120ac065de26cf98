"""Image files with something wrong in them: real photos in six formats, and what may happen to a file's bytes."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import skimage.data
from PIL import Image, PngImagePlugin, features

SOURCES = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png")
SIZES = ((160, 120), (97, 141))
SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "TIFF": ".tif", "BMP": ".bmp"}
# 17,000 x 17,000 is just below the limit of pixels, and so is believed.
SIDES = (0, 1, 2, 255, 17_000, 17_320, 17_321, 32_767, 32_768, 65_500, 65_535, 2**31 - 1, 2**31, 2**32 - 1)
NUMBERS = (0, 1, 2, 3, 8, 127, 128, 255, 256, 32_767, 32_768, 65_535, 65_536, 2**24, 2**31 - 1, 2**31, 2**32 - 1)


@dataclass(frozen=True, slots=True)
class Sound:
    """A whole image file: its format by Pillow's name, and its bytes."""

    format: str
    content: bytes


def sound_images() -> list[Sound]:
    """Photos that scikit-image carries, small, in the six formats and in many of their variants."""
    found = []
    for number, name in enumerate(SOURCES):
        photo = Image.open(Path(skimage.data.__file__).parent / name).convert("RGB").resize(SIZES[number % len(SIZES)])
        for kind, image, options in _variants(photo):
            stream = io.BytesIO()
            image.save(stream, kind, **options)
            found.append(Sound(kind, stream.getvalue()))
    return found


def _variants(photo: Image.Image) -> list[tuple[str, Image.Image, dict[str, object]]]:
    grey, palette, clear = photo.convert("L"), photo.convert("P"), photo.convert("RGBA")
    clear.putalpha(grey)
    turned = [photo.rotate(angle) for angle in (90, 180)]
    exif = Image.Exif()
    exif.update({0x0112: 6, 0x010F: "maker", 0x0110: "camera", 0x9003: "2024:05:01 12:00:00"})
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 8.0, 12.5), 3: "E", 4: (11.0, 34.0, 1.5)})
    text = PngImagePlugin.PngInfo()
    text.add_text("comment", "a photo " * 50, zip=True)
    found: list[tuple[str, Image.Image, dict[str, object]]] = [
        ("JPEG", photo, {"exif": exif}),
        ("JPEG", photo, {"progressive": True, "quality": 95, "subsampling": 0}),
        ("JPEG", grey, {"optimize": True}),
        ("JPEG", photo.convert("CMYK"), {}),
        ("PNG", photo, {"pnginfo": text, "exif": exif}),
        ("PNG", palette, {}),
        ("PNG", clear, {}),
        ("PNG", grey.convert("I;16"), {}),
        ("PNG", grey.convert("1"), {}),
        ("GIF", palette, {}),
        ("GIF", photo, {"save_all": True, "append_images": turned, "loop": 0}),
        ("TIFF", photo, {}),
        ("TIFF", photo, {"compression": "tiff_lzw", "save_all": True, "append_images": turned}),
        ("TIFF", clear, {"compression": "tiff_adobe_deflate"}),
        ("TIFF", photo, {"compression": "jpeg"}),
        ("TIFF", grey.convert("1"), {"compression": "group4"}),
        ("BMP", photo, {}),
        ("BMP", palette, {}),
        ("BMP", grey.convert("1"), {}),
    ]
    if features.check("webp"):
        found += [
            ("WEBP", photo, {"exif": exif}),
            ("WEBP", clear, {"lossless": True}),
            ("WEBP", photo, {"save_all": True, "append_images": turned}),
        ]
    return found


def mutate(chooser: random.Random, images: Sequence[Sound]) -> tuple[str, str, bytes]:
    """One of ``images`` with something done to it: (what was done, suffix, bytes)."""
    sound = chooser.choice(images)
    name = chooser.choice([*GENERAL, "splice", "extreme", "extreme"])
    if name == "extreme":
        content = extreme(chooser, sound)
    elif name == "splice":
        content = splice(chooser, sound, chooser.choice(images))
    else:
        content = GENERAL[name](chooser, sound.content)
    if chooser.random() < 0.1:  # trouble seldom comes alone
        content = flip(chooser, content)
    return name, SUFFIXES[sound.format], content


# ---- what happens to any bytes


def flip(chooser: random.Random, content: bytes) -> bytes:
    """Single bits, here and there; half of the time in the first 256 bytes only, where headers are."""
    changed = bytearray(content)
    reach = min(len(changed), 256) if chooser.random() < 0.5 else len(changed)
    for _ in range(chooser.choice((1, 1, 2, 8, 64))):
        if reach:
            changed[chooser.randrange(reach)] ^= 1 << chooser.randrange(8)
    return bytes(changed)


def scribble(chooser: random.Random, content: bytes) -> bytes:
    """A run of bytes becomes noise, zeros or ones: a bad sector."""
    start = chooser.randrange(len(content))
    length = min(chooser.choice((1, 4, 64, 512, 4096)), len(content) - start)
    noise = chooser.choice((chooser.randbytes(length), bytes(length), b"\xff" * length))
    return content[:start] + noise + content[start + length :]


def truncate(chooser: random.Random, content: bytes) -> bytes:
    """Cut off: anywhere, in the header, or a few bytes before the end."""
    end = len(content)
    return content[: chooser.choice((chooser.randrange(end), chooser.randrange(64), end - chooser.randint(1, 16)))]


def cut_out(chooser: random.Random, content: bytes) -> bytes:
    start, end = sorted(chooser.randrange(len(content) + 1) for _ in range(2))
    return content[:start] + content[end:]


def repeat(chooser: random.Random, content: bytes) -> bytes:
    """A part comes twice, or many times."""
    start, end = sorted(chooser.randrange(len(content) + 1) for _ in range(2))
    times = chooser.choice((1, 2, 50)) if end - start < 2000 else 1
    return content[:end] + content[start:end] * times + content[end:]


def word(chooser: random.Random, content: bytes) -> bytes:
    """A number of 1, 2 or 4 bytes near the beginning gets an extreme value."""
    size, layout = chooser.choice(((1, "B"), (2, "<H"), (2, ">H"), (4, "<I"), (4, ">I")))
    place = chooser.randrange(max(1, min(len(content), 200) - size))
    value = chooser.choice(NUMBERS) % (1 << 8 * size)
    return content[:place] + struct.pack(layout, value) + content[place + size :]


GENERAL: dict[str, Callable[[random.Random, bytes], bytes]] = {
    "flip": flip,
    "scribble": scribble,
    "truncate": truncate,
    "cut out": cut_out,
    "repeat": repeat,
    "word": word,
}


def splice(chooser: random.Random, one: Sound, other: Sound) -> bytes:
    """The beginning of one file and the end of another."""
    return one.content[: chooser.randrange(len(one.content))] + other.content[chooser.randrange(len(other.content)) :]


# ---- extreme numbers in headers, where each format has them


def extreme(chooser: random.Random, sound: Sound) -> bytes:
    """Width, height and other numbers of the header become extreme, with all checksums right."""
    changed = bytearray(sound.content)
    _EXTREMES[sound.format](chooser, changed)
    return bytes(changed)


def _png(chooser: random.Random, data: bytearray) -> None:
    if chooser.random() < 0.15:  # text that unfolds to 64 MiB
        text = zlib.compress(bytes(1 << 26), 9)
        body = b"zTXtcomment\0\0" + text
        chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
        data[33:33] = chunk
        return
    width, height = _sides(chooser, struct.unpack_from(">II", data, 16))
    struct.pack_into(">II", data, 16, width, height)
    if chooser.random() < 0.3:
        data[24] = chooser.choice((1, 2, 4, 8, 16, 32))  # bits
        data[25] = chooser.choice((0, 2, 3, 4, 6, 7))  # kind of colour
    struct.pack_into(">I", data, 29, zlib.crc32(data[12:29]))


def _jpeg(chooser: random.Random, data: bytearray) -> None:
    place = 2
    segments = []
    while place + 4 <= len(data) and data[place] == 0xFF and data[place + 1] != 0xDA:
        segments.append(place)
        place += 2 + struct.unpack_from(">H", data, place + 2)[0]
    frame = next(place for place in segments if data[place + 1] in (0xC0, 0xC1, 0xC2))
    if chooser.random() < 0.7:
        height, width = _sides(chooser, struct.unpack_from(">HH", data, frame + 5))
        struct.pack_into(">HH", data, frame + 5, height % 65_536, width % 65_536)
    elif chooser.random() < 0.5:
        data[frame + 9] = chooser.choice((0, 1, 2, 4, 255))  # components
        data[frame + 11] = chooser.choice((0x00, 0x44, 0xFF))  # sampling
    else:
        struct.pack_into(">H", data, chooser.choice(segments) + 2, chooser.choice(NUMBERS) % 65_536)  # a length


def _gif(chooser: random.Random, data: bytearray) -> None:
    width, height = _sides(chooser, struct.unpack_from("<HH", data, 6))
    struct.pack_into("<HH", data, 6, width % 65_536, height % 65_536)
    frame = data.find(b"\x2c", 13 + 3 * (2 << (data[10] & 7)))
    if frame > 0 and chooser.random() < 0.6:
        struct.pack_into("<HHHH", data, frame + 1, *(chooser.choice(SIDES) % 65_536 for _ in range(4)))


def _bmp(chooser: random.Random, data: bytearray) -> None:
    if chooser.random() < 0.6:
        width, height = _sides(chooser, struct.unpack_from("<II", data, 18))
        struct.pack_into("<II", data, 18, width, height)
    # Where the pixels begin, bits, compression, bytes, colours.
    place, layout = chooser.choice(((10, "<I"), (14, "<I"), (28, "<H"), (30, "<I"), (34, "<I"), (46, "<I")))
    struct.pack_into(layout, data, place, chooser.choice(NUMBERS) % (1 << 8 * struct.calcsize(layout)))


def _tiff(chooser: random.Random, data: bytearray) -> None:
    order = "<" if data[:2] == b"II" else ">"
    [directory] = struct.unpack_from(order + "I", data, 4)
    [entries] = struct.unpack_from(order + "H", data, directory)
    if chooser.random() < 0.1:  # a chain of directories without an end
        struct.pack_into(order + "I", data, directory + 2 + 12 * entries, directory)
        return
    places = {
        struct.unpack_from(order + "H", data, place)[0]: place
        for place in range(directory + 2, directory + 2 + 12 * entries, 12)
    }
    if chooser.random() < 0.4:
        for tag in chooser.choice(((256,), (257,), (256, 257))):  # width, height
            struct.pack_into(order + "HII", data, places[tag] + 2, 4, 1, chooser.choice(SIDES))
        return
    for _ in range(chooser.choice((1, 1, 2, 4))):
        field, layout = chooser.choice(((8, "I"), (8, "I"), (4, "I"), (2, "H")))  # value, count, type
        value = chooser.choice(NUMBERS) % (1 << 8 * struct.calcsize(order + layout))
        struct.pack_into(order + layout, data, chooser.choice(list(places.values())) + field, value)


def _webp(chooser: random.Random, data: bytearray) -> None:
    kind = bytes(data[12:16])
    if chooser.random() < 0.2:
        struct.pack_into("<I", data, chooser.choice((4, 16)), chooser.choice(NUMBERS))  # the file's or chunk's length
    elif kind == b"VP8X":  # 24 bits each, less one
        width, height = (max(side, 1) - 1 for side in _sides(chooser, (160, 120)))
        data[24:30] = (width % 2**24).to_bytes(3, "little") + (height % 2**24).to_bytes(3, "little")
    elif kind == b"VP8L":  # 14 bits each, less one
        struct.pack_into("<I", data, 21, chooser.choice((0x0FFF_FFFF, 0xFFFF_FFFF, 0, chooser.randrange(1 << 32))))
    else:
        struct.pack_into("<HH", data, 26, chooser.choice(SIDES) % 65_536, chooser.choice(SIDES) % 65_536)


def _sides(chooser: random.Random, found: tuple[int, ...]) -> tuple[int, int]:
    """Another width, another height, or both."""
    which = chooser.randrange(3)
    width = found[0] if which == 1 else chooser.choice(SIDES)
    height = found[1] if which == 0 else chooser.choice(SIDES)
    return width, height


_EXTREMES: dict[str, Callable[[random.Random, bytearray], None]] = {
    "PNG": _png,
    "JPEG": _jpeg,
    "GIF": _gif,
    "BMP": _bmp,
    "TIFF": _tiff,
    "WEBP": _webp,
}
