"""Camera raw photos by the preview their camera put in: a finished JPEG, nearly always of the full size.

Developing the sensor's own data would take a second or more and say nothing else to a captioner. It is done, at half
size, only where there is no preview. By rawpy (LibRaw), the optional extra ``raw``.
"""

from __future__ import annotations

import importlib
import io
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

from PIL import ExifTags, Image, UnidentifiedImageError

from photoindex.media.formats import is_raw_name
from photoindex.media.metadata.blocks import Blocks, blocks_of_raw
from photoindex.media.metadata.tiff import Tiff, TiffError
from photoindex.system.regular_files import read_up_to

MOST_BYTES = 1 << 30  # of a file, which is read as a whole; medium format cameras write a fifth of that
LAST_ROWS = 16  # of so many parts of a picture the last is looked at
STRIPS, STRIP_LENGTHS, TILES, TILE_LENGTHS = 273, 279, 324, 325  # TIFF 6.0, sections 8 and 15
# What makes a raw file known whatever its name: Fujifilm, Canon CR3 and CR2, Panasonic, Olympus, Sigma, Minolta.
_STARTS = (b"FUJIFILMCCD-RAW", b"IIU\0", b"IIRO", b"IIRS", b"MMOR", b"FOVb", b"\0MRM")
_ORIENTATIONS = {3: 3, 5: 8, 6: 6}  # EXIF's, by LibRaw's ``flip``


class NotRaw(Exception):
    """LibRaw does not know it: perhaps another kind of file under a raw file's name."""


class CutOff(Exception):
    """The sensor's data ends before it should; the message says so in a few words."""


class RawTooLarge(Exception):
    """More pixels than allowed: ``size`` is (width, height)."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__(size)
        self.size = size


@dataclass(frozen=True, slots=True)
class RawPicture:
    """What is shown of a raw photo. ``width`` and ``height`` (pixels, upright) are the photo's, not the preview's."""

    picture: Image.Image  # its pixels may still be in the preview's JPEG
    blocks: Blocks  # of metadata: the camera's own, and behind them those of the preview
    width: int
    height: int


def is_raw(head: bytes, path: Path) -> bool:
    """Whether a file that begins so is to be tried as a camera's raw photo."""
    if head.startswith(_STARTS) or head[4:12] == b"ftypcrx " or (head[:4] == b"II*\0" and head[8:10] == b"CR"):
        return True
    # The others are TIFFs by their first bytes; of those the name decides.
    return is_raw_name(path) and not head.startswith(b"\xff\xd8\xff")


def rawpy() -> ModuleType | None:
    """The library, when it is installed."""
    try:
        return importlib.import_module("rawpy")
    except ImportError:
        return None


def open_raw(library: ModuleType, file: BinaryIO, max_pixels: int) -> RawPicture:
    """The picture to caption of a raw photo.

    Raises :class:`NotRaw`, :class:`RawTooLarge`, :class:`CutOff`, MemoryError, and whatever LibRaw says of damage.
    """
    data = read_up_to(file, MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise MemoryError
    try:
        with library.imread(io.BytesIO(data)) as raw:
            sizes = raw.sizes
            width, height = sizes.width, sizes.height
            if width * height > max_pixels:
                raise RawTooLarge((width, height))
            turned = _ORIENTATIONS.get(sizes.flip, 1) >= 5
            preview = _preview(library, raw, sizes.flip)
            blocks = blocks_of_raw(data, preview)
            if preview is None:
                _check_whole(data, raw)
                developed = raw.postprocess(half_size=True, use_camera_wb=True, output_bps=8)
                preview = Image.fromarray(developed)  # LibRaw has turned it upright
    except library.LibRawFileUnsupportedError as error:
        raise NotRaw from error
    return RawPicture(preview, blocks, *((height, width) if turned else (width, height)))


def _check_whole(data: bytes, raw: Any) -> None:
    """Raise :class:`CutOff` where the sensor's data is not all there: LibRaw develops what is missing as black."""
    try:
        directories = Tiff(data).all()
    except TiffError:
        visible = raw.raw_image_visible
        # No sensor is without noise.
        if visible is not None and not visible[-max(1, len(visible) // LAST_ROWS) :].any():
            raise CutOff("its last rows are missing") from None
        return
    for values in directories:
        for places, lengths in ((STRIPS, STRIP_LENGTHS), (TILES, TILE_LENGTHS)):
            starts, sizes = values.get(places, ()), values.get(lengths, ())
            end = max((start + size for start, size in zip(starts, sizes, strict=False)), default=0)
            if end > len(data):
                raise CutOff(f"{end - len(data):.0f} bytes are missing at its end")


def _preview(library: ModuleType, raw: Any, flip: int) -> Image.Image | None:
    """The largest preview, with its orientation as EXIF has it; None where there is none that can be had."""
    try:
        thumbnail = raw.extract_thumb()
    except (library.LibRawNoThumbnailError, library.LibRawUnsupportedThumbnailError):
        return None
    if thumbnail.format == library.ThumbFormat.BITMAP:
        bitmap = Image.fromarray(thumbnail.data)
        bitmap.getexif()[ExifTags.Base.Orientation] = _ORIENTATIONS.get(flip, 1)
        return bitmap
    try:
        # LibRaw puts the orientation into a JPEG that has no EXIF.
        return Image.open(io.BytesIO(thumbnail.data), formats=("JPEG",))
    except UnidentifiedImageError:
        return None
