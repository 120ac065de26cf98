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

TIFF_HEADS = (b"II*\0", b"MM\0*")
# What makes a raw file known whatever its name: Fujifilm, Canon CR3 and CR2, Panasonic, Olympus, Sigma, Minolta.
_STARTS = (b"FUJIFILMCCD-RAW", b"IIU\0", b"IIRO", b"IIRS", b"MMOR", b"FOVb", b"\0MRM")
_ORIENTATIONS = {3: 3, 5: 8, 6: 6}  # EXIF's, by LibRaw's ``flip``


class NotRaw(Exception):
    """LibRaw does not know it: perhaps another kind of file under a raw file's name."""


class RawTooLarge(Exception):
    """More pixels than allowed: ``size`` is (width, height)."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__(size)
        self.size = size


@dataclass(frozen=True, slots=True)
class RawPicture:
    """What is shown of a raw photo. ``width`` and ``height`` (pixels, upright) are the photo's, not the preview's."""

    picture: Image.Image  # its pixels may still be in the preview's JPEG
    facts_from: Image.Image  # an image to read EXIF from
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

    Raises :class:`NotRaw`, :class:`RawTooLarge`, MemoryError, and whatever LibRaw says of damage.
    """
    data = file.read()
    try:
        with library.imread(io.BytesIO(data)) as raw:
            sizes = raw.sizes
            width, height = sizes.width, sizes.height
            if width * height > max_pixels:
                raise RawTooLarge((width, height))
            turned = _ORIENTATIONS.get(sizes.flip, 1) >= 5
            preview = _preview(library, raw, sizes.flip)
            if preview is None:
                developed = raw.postprocess(half_size=True, use_camera_wb=True, output_bps=8)
                preview = Image.fromarray(developed)  # LibRaw has turned it upright
    except library.LibRawFileUnsupportedError as error:
        raise NotRaw from error
    facts_from = preview
    if data.startswith(TIFF_HEADS):
        # EXIF is a TIFF, and so is this: all that the camera noted, where a preview repeats a part of it.
        facts_from = Image.new("L", (1, 1))
        facts_from.info["exif"] = data
    return RawPicture(preview, facts_from, *((height, width) if turned else (width, height)))


def _preview(library: ModuleType, raw: Any, flip: int) -> Image.Image | None:
    """The largest preview, with its orientation as EXIF has it; None where there is none that can be had."""
    try:
        found = raw.extract_thumb()
    except (library.LibRawNoThumbnailError, library.LibRawUnsupportedThumbnailError):
        return None
    if found.format == library.ThumbFormat.BITMAP:
        bitmap = Image.fromarray(found.data)
        bitmap.getexif()[ExifTags.Base.Orientation] = _ORIENTATIONS.get(flip, 1)
        return bitmap
    try:
        # LibRaw puts the orientation into a JPEG that has no EXIF.
        return Image.open(io.BytesIO(found.data), formats=("JPEG",))
    except UnidentifiedImageError:
        return None
