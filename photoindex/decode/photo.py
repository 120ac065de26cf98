"""One photo file to an upright square of pixels, in the calling process, by Pillow.

The order matters for memory: the size is checked before anything is decoded, JPEGs are decoded at a fraction of their
size, and everything else is brought to RGB and shrunk in bands, so that a huge photo costs little more than its own
stored pixels.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import math
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError, features

from photoindex.decode.exif import read_facts, read_orientation
from photoindex.errors import DamagedPhoto, EmptyPhoto, NotAPhoto, OversizedPhoto, UnreadablePhoto
from photoindex.types import DecodedPhoto

# Photos and scans only. Pillow reads many more formats, but each is a parser fed with unknown bytes, some are no
# pictures of anything, and EPS would start Ghostscript.
FORMATS = (
    "JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF", "JPEG2000", "PPM", "PSD", "QOI", "TGA", "PCX", "SGI",
)  # fmt: skip

# Libraries that Pillow may have been built without: it knows the format then and cannot decode it.
_NEEDS = {
    "JPEG": ("jpg",),
    "PNG": ("zlib",),
    "WEBP": ("webp",),
    "AVIF": ("avif",),
    "JPEG2000": ("jpg_2000",),
    "TIFF": ("libtiff",),
}

# A photo is first brought cheaply to no less than this many times the size asked for, and from there by the bicubic
# filter; Pillow's Image.thumbnail uses the same factor.
REDUCING_GAP = 2
# A JPEG is decoded small: each of its pixels is then the mean of a square of the photo's. From 1.25 times the size on
# the result is within a grey level of what it is from 2 times on, in two thirds of the time.
DRAFT_GAP = 1.25
BAND_PIXELS = 4_000_000
VAST_PIXELS = 100_000_000  # more than cameras make; a worker's memory may be too little for some formats

# File signatures that leave no doubt: with one of these a file that does not open is damaged, not "no photo".
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")
# ISO 23008-12 (HEIF), annex B: major brands of HEVC still pictures and sequences.
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode_photo(path: Path, size: int, max_pixels: int) -> DecodedPhoto:
    """Read ``path`` as an upright RGB photo of ``size`` x ``size`` pixels, squashed rather than cropped.

    The content decides the format, not the suffix. Of an animation or a file of several pages the first picture is
    taken; what is transparent becomes white. The pixels are what ``Image.resize(..., BICUBIC)`` gives, for photos
    many times larger within a few grey levels.

    Raises :class:`EmptyPhoto`, :class:`NotAPhoto`, :class:`DamagedPhoto` (truncated or corrupt),
    :class:`OversizedPhoto` (more than ``max_pixels``, or than memory holds) or :class:`UnreadablePhoto`
    (no permission, not there, not a file, input/output error).
    """
    try:
        with _file(path) as file, _limits(max_pixels):
            return _decode(file, path, size, max_pixels)
    except (MemoryError, Image.DecompressionBombError) as error:
        raise OversizedPhoto(
            f"{shown(path)} needs more memory than can be had here; make a smaller copy of it"
        ) from error


def shown(path: Path) -> str:
    """``path`` fit for one line on a terminal, whatever bytes are in its name."""
    text = str(path)
    return text if text.isprintable() else ascii(text)


@contextmanager
def _file(path: Path) -> Iterator[BinaryIO]:
    try:
        # Asked before opening, because opening a named pipe waits for its writer.
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            raise UnreadablePhoto(f"cannot read {shown(path)}: it is {kind}; give the photo file itself")
        if status.st_size == 0:
            raise EmptyPhoto(f"{shown(path)} is empty (0 bytes); copy or download it again")
        file = path.open("rb")
    except OSError as error:
        raise _unreadable(path, error) from error
    with file:
        yield file


@contextmanager
def _limits(max_pixels: int) -> Iterator[None]:
    """Pillow's own limits as we need them, put back afterwards: a program that uses us may rely on its own."""
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    # Pillow checks the size that the header claims and that of pictures within the picture, and raises at twice the
    # limit; between once and twice it only warns, and there our own check speaks.
    Image.MAX_IMAGE_PIXELS = max_pixels
    # Half a photo would be captioned as if whole.
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = before


def _decode(file: BinaryIO, path: Path, size: int, max_pixels: int) -> DecodedPhoto:
    image = _open(file, path)
    width, height = image.size
    try:
        if width * height > max_pixels:
            raise OversizedPhoto(
                f"{shown(path)} has {width} x {height} pixels, more than the limit of {max_pixels};"
                " raise max_pixels to take it (PHOTOINDEX_MAX_PIXELS)"
            )
        # Only JPEGs can be decoded small; then image.size shrinks, and the box is the photo's exact extent within it.
        least = math.ceil(size * DRAFT_GAP)
        draft = image.draft(None, (least, least))
        if image.format == "PNG":
            # Its EXIF may lie behind the pixels, and damage must be met here rather than while reading EXIF.
            _load(image, path)
        # Before loading, since Pillow turns a TIFF upright as it loads and forgets how it lay.
        facts = read_facts(image, image.format or "", image.size)
        _load(image, path)
        orientation = read_orientation(image)
        box = draft[1] if draft else (0, 0, *image.size)
        full_width, full_height = (width, height) if draft else image.size
        upright = (full_height, full_width) if orientation >= 5 else (full_width, full_height)
        try:
            square = _square(image, (box[2], box[3]), size)
        except (ValueError, OSError) as error:  # a colour model that Pillow reads but cannot convert
            raise _failed(path, error) from error
        if orientation in _UPRIGHT:
            square = square.transpose(_UPRIGHT[orientation])
        return DecodedPhoto(
            facts=dataclasses.replace(facts, width=upright[0], height=upright[1]),
            pixels=np.array(square, dtype=np.uint8),
        )
    except DamagedPhoto as error:
        # Decoders that get no more memory say no more than that they failed.
        if width * height < VAST_PIXELS:
            raise
        raise DamagedPhoto(
            f"{error}; or make a smaller copy: {width} x {height} pixels can need more memory than one photo gets"
        ) from error
    finally:
        image.close()


def _open(file: BinaryIO, path: Path) -> ImageFile.ImageFile:
    """The picture's header; its pixels are still in the file."""
    try:
        head = file.read(64)
        file.seek(0)
    except OSError as error:
        raise _unreadable(path, error) from error
    heif = _is_heif(head, path)
    heif_readable = heif and _register_heif()
    try:
        return Image.open(file, formats=(*_formats(), "HEIF") if heif_readable else _formats())
    except (MemoryError, Image.DecompressionBombError):
        raise
    except UnidentifiedImageError as error:
        if heif and not heif_readable:
            raise NotAPhoto(
                f"{shown(path)} is a HEIC photo, which needs a plugin: pip install 'photoindex[heif]'"
            ) from error
        if head.startswith(_SIGNATURES) or (head.startswith(b"RIFF") and head[8:12] == b"WEBP"):
            raise _damaged(path, "its header cannot be read") from error
        raise NotAPhoto(
            f"{shown(path)} is not a photo in a format that can be read here; convert it, or leave it out"
        ) from error
    except Exception as error:
        raise _failed(path, error) from error


def _load(image: ImageFile.ImageFile, path: Path) -> None:
    """Decode the pixels. Everything the decoders raise of broken bytes is damage, and they raise nearly everything:
    OSError, SyntaxError, ValueError, struct.error, zlib.error, EOFError, KeyError, ..."""
    try:
        image.load()
    except (MemoryError, Image.DecompressionBombError):
        raise
    except Exception as error:
        raise _failed(path, error) from error


def _square(image: Image.Image, extent: tuple[float, float], size: int) -> Image.Image:
    """The part ``extent`` (width, height) of ``image``, from its upper left, as RGB of ``size`` x ``size``."""
    width, height = image.size
    across = max(1, int(extent[0] / size / REDUCING_GAP))
    down = max(1, int(extent[1] / size / REDUCING_GAP))
    levels = _levels(image)
    if across == down == 1:
        small = _rgb(image, levels)
    else:
        # Averaging across x down pixels in RGB, not in the stored mode: palette indices have no average, and
        # transparent pixels must not lend their hidden colour.
        small = Image.new("RGB", (math.ceil(width / across), math.ceil(height / down)))
        rows = down * max(1, BAND_PIXELS // (width * down))
        for top in range(0, height, rows):
            band = image.crop((0, top, width, min(top + rows, height)))
            small.paste(_rgb(band, levels).reduce((across, down)), (0, top // down))
    # The last column and row of averages may stand for fewer pixels; the fractional box keeps the proportions exact.
    box = (0.0, 0.0, extent[0] / across, extent[1] / down)
    return small.resize((size, size), Image.Resampling.BICUBIC, box=box)


def _levels(image: Image.Image) -> tuple[float, float] | None:
    """The values that are black and white in a greyscale ``image`` deeper than 8 bits; None for all other modes."""
    if image.mode.startswith("I;16"):
        return 0.0, 65535.0
    if image.mode not in ("I", "F"):
        return None
    # 32 bits hold 8-bit, 16-bit and 0-to-1 greys alike, and the file does not say which.
    low, high = (float(value) for value in image.getextrema())  # type: ignore[arg-type]
    for white in (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0):
        if low >= 0 and high <= white:
            return 0.0, white
    return (low, high) if math.isfinite(high - low) else (0.0, 1.0)


def _rgb(image: Image.Image, levels: tuple[float, float] | None) -> Image.Image:
    """``image`` in RGB: deep greys between ``levels``, transparency on white."""
    if levels is not None:
        # Pillow's convert clips these modes at 255.
        grey = np.nan_to_num(np.asarray(image, dtype=np.float32))
        grey = (grey - levels[0]) * (255 / max(levels[1] - levels[0], 1e-12))
        return Image.fromarray(np.rint(grey.clip(0, 255)).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        white.alpha_composite(image.convert("RGBA"))
        return white.convert("RGB")
    return image.convert("RGB")


def readable_formats() -> dict[str, bool]:
    """Each format photos are read in, and whether what is installed here reads it."""
    Image.init()
    found = {name: name in Image.OPEN and all(map(features.check, _NEEDS.get(name, ()))) for name in FORMATS}
    return {**found, "HEIC": _register_heif()}


@functools.cache
def _formats() -> tuple[str, ...]:
    """Those of FORMATS that the installed Pillow can open; it may have been built without some."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


@functools.cache
def _register_heif() -> bool:
    """Teach Pillow HEIC by the optional extra ``heif``; whether that is installed."""
    try:
        plugin = importlib.import_module("pillow_heif")
    except ImportError:
        return False
    plugin.register_heif_opener()
    return True


def _is_heif(head: bytes, path: Path) -> bool:
    # The suffix counts only among files of the right family: an AVIF or a film starts with the same box.
    return head[4:8] == b"ftyp" and (head[8:12] in _HEIF_BRANDS or path.suffix.lower() in (".heic", ".heif"))


def _failed(path: Path, error: Exception) -> DamagedPhoto | UnreadablePhoto:
    """Decoders raise OSError without a number of their own; with one it came from the file system."""
    if isinstance(error, OSError) and error.errno is not None:
        return _unreadable(path, error)
    return _damaged(path, str(error) or type(error).__name__)


def _damaged(path: Path, reason: str) -> DamagedPhoto:
    line = " ".join(reason.split())[:120]
    return DamagedPhoto(f"{shown(path)} is damaged ({line}); copy it again or restore it from a backup")


def _unreadable(path: Path, error: OSError) -> UnreadablePhoto:
    reason = error.strerror or type(error).__name__
    if isinstance(error, FileNotFoundError):
        advice = "was it moved or its disk taken away?"
    elif isinstance(error, PermissionError):
        advice = "give yourself read permission, then try again"
    else:
        advice = "check the disk, then try again"
    return UnreadablePhoto(f"cannot read {shown(path)}: {reason}; {advice}")
