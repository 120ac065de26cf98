"""One photo file to an upright square of pixels, in the calling process, by Pillow and its plugins.

The order matters for memory: the size is checked before anything is decoded, JPEGs are decoded at a fraction of their
size, and everything else is brought to 8 bits and shrunk in bands, so that a huge photo costs little more than its own
stored pixels.
"""

from __future__ import annotations

import dataclasses
import io
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageFile, TiffImagePlugin, UnidentifiedImageError

from photoindex.errors import DamagedPhoto, EmptyPhoto, OversizedPhoto
from photoindex.media.decode import drafts, failures, psd
from photoindex.media.decode.colour import BITS_PER_SAMPLE, flatten, levels_of, profile_of
from photoindex.media.decode.fingerprint import fingerprint_of
from photoindex.media.decode.looks import LEAST_SIDE, looks_of
from photoindex.media.decode.raw import CutOff, NotRaw, RawPicture, RawTooLarge, is_raw, open_raw, rawpy
from photoindex.media.decode.readers import can_read, pillow_readers
from photoindex.media.decode.signatures import DIB_SUFFIX, claimed_format, lossless_jpeg
from photoindex.media.formats import HEIC, JPEG_XL, RAW
from photoindex.media.metadata import png
from photoindex.media.metadata.blocks import Blocks, find_blocks
from photoindex.media.metadata.read import Description, describe, orientation_of
from photoindex.media.thumbnail_files import LIST_SIDES
from photoindex.system.paths import shown
from photoindex.system.storage import open_file
from photoindex.types import DecodedPhoto, PhotoFacts, Written

# A photo is first brought cheaply to no less than this many times the size asked for, and from there by the bicubic
# filter; Pillow's Image.thumbnail uses the same factor.
REDUCING_GAP = 2
BAND_PIXELS = 4_000_000
VAST_PIXELS = 100_000_000  # more than cameras make; a worker's memory may be too little for some formats

NEAR_SIDE = 1.1
THUMBNAIL_QUALITY = 80
FULL_QUALITY, LOOKED_AT_CLOSELY = 92, 2000  # of pictures with more pixels on their longer side
NOT_DESCRIBED = Description(PhotoFacts("", 0, 0), Written())

IMAGE_WIDTH = 256
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
    return _decode_file(path, size, max_pixels, ())


def decode_with_thumbnails(path: Path, size: int, max_pixels: int) -> DecodedPhoto:
    """Read ``path`` as :func:`decode_photo` does, to the same pixels, with thumbnails of the sizes that lists show;
    without them where they would take decoding it larger."""
    return _decode_file(path, size, max_pixels, LIST_SIDES)


def make_thumbnails(path: Path, size: int, max_pixels: int) -> DecodedPhoto:
    """Return an upright JPEG of ``path`` without metadata, ``size`` pixels on its longer side (up to a tenth more), or
    the photo's own if it is smaller, and those of the sizes of lists that are smaller still. The answer has no pixels,
    and no facts but the size.

    Raises as :func:`decode_photo` does.
    """
    return _decode_file(path, 0, max_pixels, (size, *(side for side in LIST_SIDES if side < size <= LIST_SIDES[0])))


def picture_of(path: Path, longest: int, max_pixels: int) -> Image.Image:
    """Return ``path`` as an upright RGB picture, made smaller where its longer side has more than ``longest`` pixels.

    Raises as :func:`decode_photo` does.
    """
    with _photo_file(path, max_pixels) as file:
        head = _head(file, path)
        try:
            raw = _open_raw(file, path, max_pixels) if is_raw(head, path) else None
        except NotRaw:
            raw = None
            file.seek(0)
        image, blocks = _open(file, head, path) if raw is None else (raw.picture, raw.blocks)
        return _upright_picture(image, blocks, path, longest, max_pixels, file if raw is None else None)


def _upright_picture(
    image: Image.Image, blocks: Blocks, path: Path, longest: int, max_pixels: int, file: BinaryIO | None
) -> Image.Image:
    width, height = image.size
    with image:
        if width * height > max_pixels:
            raise failures.oversized(path, width, height, max_pixels)
        draft = image.draft(None, drafts.draft_size(image.size, 0, longest))
        _load(image, path, file)
        turn = None if _lies_upright(image) else _UPRIGHT.get(orientation_of(image, blocks))
        extent = draft[1][2:] if draft else image.size
        scale = min(1.0, longest / max(extent))
        size = max(1, round(extent[0] * scale)), max(1, round(extent[1] * scale))
        with failures.of_conversion(path):
            return _shrunk(image, extent, size, turn)


def _decode_file(path: Path, size: int, max_pixels: int, sides: tuple[int, ...]) -> DecodedPhoto:
    with _photo_file(path, max_pixels) as file:
        return _decode(file, path, size, max_pixels, sides)


def describe_photo(path: Path, size: int, max_pixels: int) -> DecodedPhoto:
    """What ``path`` and the sidecars beside it say of the photo, without decoding it. The pixels of the answer are
    black.

    Raises as :func:`decode_photo` does, but for what only shows when the pixels are decoded.
    """
    with _photo_file(path, max_pixels) as file:
        head = _head(file, path)
        pixels = np.zeros((size, size, 3), np.uint8)
        if is_raw(head, path):  # what it says is read with its preview
            return dataclasses.replace(_decode(file, path, size, max_pixels), pixels=pixels)
        image, blocks = _open(file, head, path)
        with image:
            width, height = image.size
            if width * height > max_pixels:
                raise failures.oversized(path, width, height, max_pixels)
            found = describe(image, image.format or "", _upright_size(image, blocks), path, blocks=blocks)
        return DecodedPhoto(
            found.facts, pixels, found.written, found.sidecars, found.problems, unexported=found.unexported
        )


@contextmanager
def _photo_file(path: Path, max_pixels: int) -> Iterator[BinaryIO]:
    """Open a photo's file, within the limit of pixels. Raises :class:`OversizedPhoto` where memory ends."""
    try:
        with _file(path) as file, _limits(max_pixels):
            yield file
    except (MemoryError, Image.DecompressionBombError) as error:
        message = f"{shown(path)} needs more memory than can be had here; make a smaller copy of it"
        raise OversizedPhoto(message) from error


@contextmanager
def _file(path: Path) -> Iterator[BinaryIO]:
    try:
        file = open_file(path)
    except OSError as error:
        raise failures.unreadable(path, error) from error
    with file:
        if file.seek(0, 2) == 0:
            raise EmptyPhoto(f"{shown(path)} is empty (0 bytes); copy or download it again")
        file.seek(0)
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


def _decode(file: BinaryIO, path: Path, size: int, max_pixels: int, sides: tuple[int, ...] = ()) -> DecodedPhoto:
    head = _head(file, path)
    if is_raw(head, path):
        try:
            return _decode_raw(file, path, size, max_pixels, sides)
        except NotRaw:  # another kind of file, under a name like IMG_1.dng
            file.seek(0)
    image, blocks = _open(file, head, path)
    return _finish(image, blocks, path, size, max_pixels, sides, file)


def _decode_raw(file: BinaryIO, path: Path, size: int, max_pixels: int, sides: tuple[int, ...]) -> DecodedPhoto:
    raw = _open_raw(file, path, max_pixels)
    photo = _finish(raw.picture, raw.blocks, path, size, max_pixels, sides)
    facts = dataclasses.replace(
        photo.facts, format=path.suffix[1:].upper() or "RAW", width=raw.width, height=raw.height
    )
    return dataclasses.replace(photo, facts=facts)


def _open_raw(file: BinaryIO, path: Path, max_pixels: int) -> RawPicture:
    library = rawpy()
    if library is None:
        raise failures.missing_plugin(path, "a camera's raw photo", RAW)
    try:
        return open_raw(library, file, max_pixels)
    except RawTooLarge as error:
        raise failures.oversized(path, *error.size, max_pixels) from None
    except CutOff as error:
        raise failures.damaged(path, str(error)) from None
    except (MemoryError, NotRaw, Image.DecompressionBombError, library.LibRawUnsufficientMemoryError) as error:
        raise error if isinstance(error, NotRaw) else MemoryError from error
    except Exception as error:
        raise failures.failure_of(path, error) from error


def _finish(
    image: Image.Image, blocks: Blocks, path: Path, size: int, max_pixels: int, sides: tuple[int, ...],
    file: BinaryIO | None = None,
) -> DecodedPhoto:  # fmt: skip
    """The pixels of an opened picture, which is closed, what is said of it, and thumbnails of these ``sides``, largest
    first. ``file`` is what it was opened from. With size 0 there are only thumbnails."""
    width, height = image.size
    try:
        if width * height > max_pixels:
            raise failures.oversized(path, width, height, max_pixels)
        # JPEGs can be decoded small, and a HEIC may bring a small copy; then image.size shrinks, and the box is the
        # photo's exact extent within it.
        draft = image.draft(None, drafts.draft_size(image.size, size, max(sides, default=0) if not size else 0))
        # Before loading, since Pillow turns a TIFF upright as it loads and forgets how it lay.
        found = describe(image, image.format or "", image.size, path, blocks=blocks) if size else NOT_DESCRIBED
        if file is None or not drafts.put_into(image):
            _load(image, path, file)
        orientation = 1 if _lies_upright(image) else orientation_of(image, blocks)
        box = draft[1] if draft else (0, 0, *image.size)
        full_width, full_height = (width, height) if draft else image.size
        upright = (full_height, full_width) if orientation >= 5 else (full_width, full_height)
        turn = _UPRIGHT.get(orientation)
        if size and max(box[2:]) < min(max(sides, default=0), max(full_width, full_height)):
            sides = ()  # it was decoded too small for them, and the pixels do not depend on whether they are wanted
        with failures.of_conversion(path):
            square = _shrunk(image, (box[2], box[3]), (size, size), turn) if size else None
            thumbnails = _thumbnails(image, (box[2], box[3]), (full_width, full_height), sides, turn)
        facts = dataclasses.replace(found.facts, width=upright[0], height=upright[1])
        looks = looks_of(square, facts, path, blocks) if square is not None and size >= LEAST_SIDE else None
        return DecodedPhoto(
            facts=facts,
            pixels=np.zeros((0, 0, 3), np.uint8) if square is None else np.array(square, dtype=np.uint8),
            written=found.written,
            sidecars=found.sidecars,
            problems=found.problems,
            fingerprint=b"" if square is None else fingerprint_of(square),
            looks=looks,
            thumbnails=thumbnails,
            unexported=found.unexported,
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


def _thumbnails(
    image: Image.Image, extent: tuple[float, float], full: tuple[int, int], sides: tuple[int, ...],
    turn: Image.Transpose | None,
) -> dict[int, bytes]:  # fmt: skip
    """Return upright JPEGs by their longer sides; none is larger than the photo, whose size is ``full``. What was
    decoded small is taken as it is up to a tenth more than the side asked for: that saves most of the time."""
    made: dict[int, bytes] = {}
    picture: Image.Image | None = None
    for place, side in enumerate(sides):
        scale = min(1.0, side / max(full))
        wanted = max(1, round(full[0] * scale)), max(1, round(full[1] * scale))
        if picture is None:
            is_near = side <= max(extent) <= side * NEAR_SIDE and max(full) > side
            size = (math.ceil(extent[0]), math.ceil(extent[1])) if is_near else wanted
            picture = _shrunk(image, extent, size, None)
        elif side * 2 == sides[place - 1] and min(picture.size) > 1 and max(full) > sides[place - 1]:
            picture = picture.reduce(2)
        else:
            picture = picture.resize(wanted, Image.Resampling.BICUBIC, reducing_gap=REDUCING_GAP)
        upright = picture if turn is None else picture.transpose(turn)
        upright.info = {}  # Pillow would write the photo's comment into the new file
        buffer = io.BytesIO()
        quality = THUMBNAIL_QUALITY if side < LOOKED_AT_CLOSELY else FULL_QUALITY
        upright.save(buffer, "JPEG", quality=quality)
        made[side] = buffer.getvalue()
    return made


def _upright_size(image: Image.Image, blocks: Blocks) -> tuple[int, int]:
    """The width and height of an opened picture when it is turned upright."""
    width, height = image.size
    if _lies_upright(image) or orientation_of(image, blocks) < 5:
        return width, height
    if isinstance(image, TiffImagePlugin.TiffImageFile) and image.tag_v2.get(IMAGE_WIDTH) != width:
        return width, height  # Pillow has exchanged them as it opened the file
    return height, width


def _lies_upright(image: Image.Image) -> bool:
    """Whether the decoder has turned the pixels already, whatever EXIF says: JPEG XL keeps the orientation in its own
    header (ISO 18181-1), unless it holds a JPEG that was packed as it is."""
    return image.format == "JXL" and not getattr(image, "jpeg", False)


def _head(file: BinaryIO, path: Path) -> bytes:
    try:
        head = file.read(64)
        file.seek(0)
    except OSError as error:
        raise failures.unreadable(path, error) from error
    return head


def _open(file: BinaryIO, head: bytes, path: Path) -> tuple[Image.Image, Blocks]:
    """The picture's header, its pixels still in the file; and the blocks of metadata in the file."""
    try:
        image = _opened(file, head, path)
        blocks = find_blocks(image, file)
    except (MemoryError, Image.DecompressionBombError):
        raise
    except Exception as error:
        raise failures.failure_of(path, error) from error
    if _in_deep_planes(image):
        image.close()
        raise failures.unsupported(
            path,
            "a TIFF with 16 bits a channel in separate planes, which cannot be read here",
            "save it with its channels interleaved",
        )
    return image, blocks


def _opened(file: BinaryIO, head: bytes, path: Path) -> Image.Image:
    claimed = claimed_format(head, path)
    if claimed is not None and not can_read(claimed):
        raise failures.missing_plugin(path, f"a {claimed.name} photo", claimed)
    if head.startswith(psd.SIGNATURE):
        return psd.PsdImage(file)
    formats = pillow_readers()
    if claimed in (HEIC, JPEG_XL):
        formats = (*formats, claimed.reader)
    if path.suffix.lower() == DIB_SUFFIX:
        formats = (*formats, "DIB")  # what a bitmap file holds behind its own header
    source = png.picture_of(file) if head.startswith(png.SIGNATURE) else file
    try:
        return Image.open(source, formats=formats)
    except UnidentifiedImageError as error:
        if claimed is None:
            raise failures.not_a_photo(path) from error
        if claimed.name == "TIFF" and _is_whole_tiff(file):
            raise failures.unsupported(
                path,
                "a TIFF of a kind that cannot be read here, such as colours in floating point",
                "save it with 8 or 16 bits a channel",
            ) from error
        raise failures.refusal_of(source, formats) or failures.damaged(path, "its header cannot be read") from error
    except KeyError as error:  # of TIFF's compressions
        if claimed is not None and claimed.name == "TIFF" and _is_whole_tiff(file):
            raise failures.unsupported(path, f"a TIFF packed in a way that cannot be read here ({error})") from error
        raise


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
        needed = (256, 257, 258, 262) + ((320,) if directory.get(262) == 3 else ())  # a palette, where it is used
        return all(tag in directory for tag in needed)
    except Exception:
        return False


def _load(image: Image.Image, path: Path, file: BinaryIO | None) -> None:
    """Decode the pixels. Everything the decoders raise of broken bytes is damage, and they raise nearly everything:
    OSError, SyntaxError, ValueError, struct.error, zlib.error, EOFError, KeyError, ..."""
    try:
        image.load()
    except (MemoryError, Image.DecompressionBombError):
        raise
    except Exception as error:
        if image.format == "JPEG" and file is not None and lossless_jpeg(file):
            raise failures.unsupported(path, "a JPEG of a kind that cannot be read here, such as lossless") from error
        raise failures.failure_of(path, error) from error
    if image.mode in ("P", "PA") and image.palette is None:
        raise failures.damaged(path, "its pixels are numbers in a palette, which is missing")


def _shrunk(
    image: Image.Image, extent: tuple[float, float], size: tuple[int, int], turn: Image.Transpose | None
) -> Image.Image:
    """The part ``extent`` (width, height) of ``image``, from its upper left, as RGB of ``size``, then turned."""
    width, height = image.size
    across = max(1, int(extent[0] / size[0] / REDUCING_GAP))
    down = max(1, int(extent[1] / size[1] / REDUCING_GAP))
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
    is_of_size = small.size == size and box == (0.0, 0.0, *size)  # Pillow would copy it
    shrunk = small if is_of_size else small.resize(size, Image.Resampling.BICUBIC, box=box)
    shrunk = shrunk if profile is None else profile.to_srgb(shrunk)
    return shrunk if turn is None else shrunk.transpose(turn)
