"""One photo file to an upright square of pixels, in the calling process, by Pillow and its plugins.

The order matters for memory: the size is checked before anything is decoded, JPEGs are decoded at a fraction of their
size, and everything else is brought to 8 bits and shrunk in bands, so that a huge photo costs little more than its own
stored pixels.
"""

from __future__ import annotations

import dataclasses
import math
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageFile, TiffImagePlugin, UnidentifiedImageError

from photoindex.errors import DamagedPhoto, EmptyPhoto, NotAPhoto, OversizedPhoto, UnreadablePhoto
from photoindex.media.decode.colour import BITS_PER_SAMPLE, flatten, levels_of, profile_of
from photoindex.media.decode.fingerprint import fingerprint_of
from photoindex.media.decode.raw import TIFF_HEADS, NotRaw, RawTooLarge, is_raw, open_raw, rawpy
from photoindex.media.decode.readers import pillow_readers, plugin_works
from photoindex.media.formats import HEIC, JPEG_XL, RAW, PhotoFormat
from photoindex.media.metadata.exif import read_orientation
from photoindex.media.metadata.read import describe
from photoindex.system.paths import shown
from photoindex.types import DecodedPhoto

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
# ISO 18181-2: a bare codestream, and one in a container.
_JPEG_XL_STARTS = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")

PLANAR_CONFIGURATION = 284  # TIFF 6.0: 2 for planes

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

    The content decides the format, not the suffix (but of a camera's raw photo that is a TIFF by its bytes). Of an
    animation or a file of several pages the first picture is taken, of a raw photo its preview; what is transparent
    becomes white; colours become sRGB. The pixels are what ``Image.resize(..., BICUBIC)`` gives, for photos
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


def describe_photo(path: Path, size: int, max_pixels: int) -> DecodedPhoto:
    """What ``path`` and the sidecars beside it say of the photo, without decoding it (but for a PNG, whose EXIF may lie
    behind its pixels). The pixels of the answer are black.

    Raises as :func:`decode_photo` does, but for what only shows when the pixels are decoded.
    """
    try:
        with _file(path) as file, _limits(max_pixels):
            head = _head(file, path)
            pixels = np.zeros((size, size, 3), np.uint8)
            if is_raw(head, path):  # what it says is read with its preview
                return dataclasses.replace(_decode(file, path, size, max_pixels), pixels=pixels)
            with _open(file, head, path) as image:
                width, height = image.size
                if width * height > max_pixels:
                    raise _oversized(path, width, height, max_pixels)
                if image.format == "PNG":
                    _load(image, path)
                turned = not _lies_upright(image) and read_orientation(image) >= 5
                found = describe(image, image.format or "", (height, width) if turned else (width, height), path)
            return DecodedPhoto(found.facts, pixels, found.written, found.sidecars, found.problems)
    except (MemoryError, Image.DecompressionBombError) as error:
        raise OversizedPhoto(f"{shown(path)} needs more memory than can be had here") from error


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
    head = _head(file, path)
    if is_raw(head, path):
        try:
            return _decode_raw(file, path, size, max_pixels)
        except NotRaw:  # another kind of file, under a name like IMG_1.dng
            file.seek(0)
    return _finish(_open(file, head, path), path, size, max_pixels)


def _decode_raw(file: BinaryIO, path: Path, size: int, max_pixels: int) -> DecodedPhoto:
    library = rawpy()
    if library is None:
        raise _needs_plugin(path, "a camera's raw photo", RAW)
    try:
        raw = open_raw(library, file, max_pixels)
    except RawTooLarge as error:
        raise _oversized(path, *error.size, max_pixels) from None
    except (MemoryError, NotRaw, Image.DecompressionBombError, library.LibRawUnsufficientMemoryError) as error:
        raise error if isinstance(error, NotRaw) else MemoryError from error
    except Exception as error:
        raise _failed(path, error) from error
    photo = _finish(raw.picture, path, size, max_pixels)
    found = describe(raw.facts_from, path.suffix[1:].upper() or "RAW", (raw.width, raw.height), path)
    facts = dataclasses.replace(found.facts, orientation=photo.facts.orientation)
    return dataclasses.replace(photo, facts=facts, written=found.written)


def _finish(image: Image.Image, path: Path, size: int, max_pixels: int) -> DecodedPhoto:
    """The pixels of an opened picture, which is closed."""
    width, height = image.size
    try:
        if width * height > max_pixels:
            raise _oversized(path, width, height, max_pixels)
        # JPEGs can be decoded small, and a HEIC may bring a small copy; then image.size shrinks, and the box is the
        # photo's exact extent within it.
        least = math.ceil(size * DRAFT_GAP)
        draft = image.draft(None, (least, least))
        if image.format == "PNG":
            # Its EXIF may lie behind the pixels, and damage must be met here rather than while reading EXIF.
            _load(image, path)
        # Before loading, since Pillow turns a TIFF upright as it loads and forgets how it lay.
        found = describe(image, image.format or "", image.size, path)
        _load(image, path)
        orientation = 1 if _lies_upright(image) else read_orientation(image)
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
            facts=dataclasses.replace(found.facts, width=upright[0], height=upright[1]),
            pixels=np.array(square, dtype=np.uint8),
            written=found.written,
            sidecars=found.sidecars,
            problems=found.problems,
            fingerprint=fingerprint_of(square),
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


def _lies_upright(image: Image.Image) -> bool:
    """Whether the decoder has turned the pixels already, whatever EXIF says: JPEG XL keeps the orientation in its own
    header (ISO 18181-1), unless it holds a JPEG that was packed as it is."""
    return image.format == "JXL" and not getattr(image, "jpeg", False)


def _head(file: BinaryIO, path: Path) -> bytes:
    try:
        head = file.read(64)
        file.seek(0)
    except OSError as error:
        raise _unreadable(path, error) from error
    return head


def _open(file: BinaryIO, head: bytes, path: Path) -> ImageFile.ImageFile:
    """The picture's header; its pixels are still in the file."""
    plugin = HEIC if _is_heif(head, path) else JPEG_XL if head.startswith(_JPEG_XL_STARTS) else None
    formats = pillow_readers()
    if plugin is not None and plugin_works(plugin):
        formats = (*formats, plugin.reader)
    try:
        image = Image.open(file, formats=formats)
    except (MemoryError, Image.DecompressionBombError):
        raise
    except UnidentifiedImageError as error:
        if plugin is not None and plugin.reader not in formats:
            raise _needs_plugin(path, f"a {plugin.name} photo", plugin) from error
        if head.startswith(TIFF_HEADS) and _is_whole_tiff(file):
            raise NotAPhoto(
                f"{shown(path)} is a TIFF of a kind that cannot be read here, such as colours in floating point;"
                " save it with 8 or 16 bits a channel, or leave it out"
            ) from error
        if head.startswith(_SIGNATURES) or (head.startswith(b"RIFF") and head[8:12] == b"WEBP"):
            raise _damaged(path, "its header cannot be read") from error
        raise NotAPhoto(
            f"{shown(path)} is not a photo in a format that can be read here; convert it, or leave it out"
        ) from error
    except Exception as error:
        raise _failed(path, error) from error
    if _in_deep_planes(image):
        image.close()
        raise NotAPhoto(
            f"{shown(path)} is a TIFF with 16 bits a channel in separate planes, which cannot be read here;"
            " save it with its channels interleaved, or leave it out"
        )
    return image


def _in_deep_planes(image: Image.Image) -> bool:
    """Whether a TIFF is of the kind that Pillow takes for one of 8 bits, which gives half the picture, and noise."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return False
    tags = image.tag_v2
    return tags.get(PLANAR_CONFIGURATION) == 2 and max(tags.get(BITS_PER_SAMPLE, (8,))) > 8


def _is_whole_tiff(file: BinaryIO) -> bool:
    """Whether a TIFF that Pillow does not open says what its pixels are: it is of a kind unknown, and not damaged."""
    try:
        file.seek(0)
        directory = TiffImagePlugin.ImageFileDirectory_v2(file.read(8))
        file.seek(directory.next)
        directory.load(file)
        return all(tag in directory for tag in (256, 257, 258, 262))
    except Exception:
        return False


def _load(image: Image.Image, path: Path) -> None:
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
    profile = profile_of(image)
    mode = "RGB" if profile is None else profile.mode
    levels = levels_of(image)
    if across == down == 1:
        small = flatten(image, mode, levels)
    else:
        # Averaging across x down pixels in flat colours, not in the stored mode: palette indices have no average, and
        # transparent pixels must not lend their hidden colour.
        small = Image.new(mode, (math.ceil(width / across), math.ceil(height / down)))
        rows = down * max(1, BAND_PIXELS // (width * down))
        for top in range(0, height, rows):
            band = image.crop((0, top, width, min(top + rows, height)))
            small.paste(flatten(band, mode, levels).reduce((across, down)), (0, top // down))
    # The last column and row of averages may stand for fewer pixels; the fractional box keeps the proportions exact.
    box = (0.0, 0.0, extent[0] / across, extent[1] / down)
    square = small.resize((size, size), Image.Resampling.BICUBIC, box=box)
    return square if profile is None else profile.to_srgb(square)


def _is_heif(head: bytes, path: Path) -> bool:
    # The suffix counts only among files of the right family: an AVIF or a film starts with the same box.
    return head[4:8] == b"ftyp" and (head[8:12] in _HEIF_BRANDS or path.suffix.lower() in HEIC.suffixes)


def _needs_plugin(path: Path, what: str, plugin: PhotoFormat) -> NotAPhoto:
    return NotAPhoto(
        f"{shown(path)} is {what}, which needs a plugin: pip install {plugin.install}, then photoindex failures retry"
    )


def _oversized(path: Path, width: int, height: int, max_pixels: int) -> OversizedPhoto:
    return OversizedPhoto(
        f"{shown(path)} has {width} x {height} pixels, more than the limit of {max_pixels};"
        " raise max_pixels to take it (PHOTOINDEX_MAX_PIXELS)"
    )


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
