"""Whatever colours a picture is stored in, to 8 bits of sRGB: deep greys, transparency, ICC profiles.

A profile is applied last, to the few pixels that are left after shrinking; until then the pixels stay in the profile's
own colours. Most photos have no profile or sRGB's, and pay nothing.
"""

from __future__ import annotations

import functools
import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, TiffImagePlugin

if TYPE_CHECKING:
    from PIL import ImageCms

# A profile whose colours are this close to sRGB's (grey levels of 255) is sRGB under another name: there are dozens.
SAME_LEVELS = 3
# Samples along each axis of a profile's colours when it is compared with sRGB.
SAMPLES = 7
BITS_PER_SAMPLE = 258
PHOTOMETRIC = 262  # 0 in a TIFF: the lowest value is white
SAMPLE_FORMAT = 339  # TIFF 6.0, section 19: 1 for unsigned numbers, 2 for signed ones
MOST_GREY = 1e30  # beyond it numbers stand for no data

# The colours of a profile (ICC.1:2022, 7.2.6) and the Pillow mode they are kept in while a picture is shrunk.
_SPACES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}
_GREYS = ("1", "L", "LA", "La", "I", "F")


@dataclass(frozen=True, slots=True)
class Profile:
    """How to get from a picture's colours to sRGB: ``transform`` takes an 8-bit image of ``mode``."""

    mode: str
    transform: ImageCms.ImageCmsTransform

    def to_srgb(self, image: Image.Image) -> Image.Image:
        return self.transform.apply(image)


def profile_of(image: Image.Image) -> Profile | None:
    """The profile a picture carries, if it changes anything; a broken one, or one of other colours, is ignored."""
    data = image.info.get("icc_profile")
    if not isinstance(data, bytes) or not data:
        return None
    profile = _profile(data)
    if profile is None or profile.mode != _kind(image.mode):
        return None
    return profile


def _kind(mode: str) -> str:
    if mode == "CMYK":
        return "CMYK"
    return "L" if mode in _GREYS or mode.startswith("I;16") else "RGB"


@functools.lru_cache(maxsize=32)
def _profile(data: bytes) -> Profile | None:
    from PIL import ImageCms  # with LittleCMS, for the few photos that need it

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(data))
        mode = _SPACES.get(source.profile.xcolor_space)
        if mode is None:
            return None
        transform = ImageCms.buildTransform(
            source, ImageCms.createProfile("sRGB"), mode, "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )  # fmt: skip
        profile = Profile(mode, transform)
        samples = _samples(mode)
        after = np.asarray(profile.to_srgb(samples), np.int16)
    except Exception:  # damage takes many shapes here, and a photo is worth more than its profile
        return None
    if mode != "CMYK" and np.abs(after - np.asarray(samples.convert("RGB"), np.int16)).max() <= SAME_LEVELS:
        return None
    return profile


def _samples(mode: str) -> Image.Image:
    """A picture with colours from all over ``mode``."""
    if mode == "L":
        return Image.linear_gradient("L")
    axis = np.linspace(0, 255, SAMPLES).astype(np.uint8)
    colours = np.stack(np.meshgrid(*[axis] * len(mode)), axis=-1).reshape(-1, SAMPLES, len(mode))
    return (
        Image.fromarray(colours, mode) if mode == "RGB" else Image.frombytes("CMYK", (SAMPLES, len(colours)), colours)
    )


@dataclass(frozen=True, slots=True)
class Levels:
    """The values of a greyscale picture that are black and white; ``stored`` is their type where Pillow has another."""

    black: float
    white: float
    stored: str | None = None


def levels_of(image: Image.Image) -> Levels | None:
    """The levels of a greyscale ``image`` deeper than 8 bits, or of signed numbers; None for all others."""
    if image.mode.startswith("I;16"):
        return Levels(*(_tiff_levels(image) or (0.0, 65535.0)))
    if image.mode == "L" and _sample_format(image) == 2:
        return Levels(*((127.0, -128.0) if _is_white_lowest(image) else (-128.0, 127.0)), "int8")
    if image.mode not in ("I", "F"):
        return None
    stored = "uint32" if image.mode == "I" and _sample_format(image) == 1 else None
    # 32 bits hold 8-bit, 16-bit and 0-to-1 greys alike, and the file does not say which.
    low, high = (float(value) for value in image.getextrema())  # type: ignore[arg-type]
    if stored is not None and low < 0:
        values = np.asarray(image).view(stored)
        low, high = float(values.min()), float(values.max())
    elif not max(abs(low), abs(high)) <= MOST_GREY:
        values = np.asarray(image)
        values = values[np.abs(values) <= MOST_GREY]
        low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    for white in (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0):
        if low >= 0 and high <= white:
            return Levels(0.0, white, stored)
    return Levels(low, high, stored) if math.isfinite(high - low) else Levels(0.0, 1.0)


def _tiff_levels(image: Image.Image) -> tuple[float, float] | None:
    """What a TIFF says of its greys, which Pillow leaves as they are: 12 bits in 16, and 0 for white."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return None
    bits = image.tag_v2.get(BITS_PER_SAMPLE, (16,))[0]
    white = float(2 ** min(bits, 16) - 1)
    return (white, 0.0) if _is_white_lowest(image) else (0.0, white)


def _sample_format(image: Image.Image) -> int | None:
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return None
    value = image.tag_v2.get(SAMPLE_FORMAT, (1,))
    return int(value[0]) if isinstance(value, tuple) and value else None


def _is_white_lowest(image: Image.Image) -> bool:
    return isinstance(image, TiffImagePlugin.TiffImageFile) and image.tag_v2.get(PHOTOMETRIC) == 0


def flatten(image: Image.Image, mode: str, levels: Levels | None) -> Image.Image:
    """``image`` in 8 bits of ``mode`` (RGB, L or CMYK): deep greys between ``levels``, transparency on white.

    On white, because that is what browsers and viewers show and so what the pictures that captioners learn from lie
    on: a product or a drawing cut out. On black, dark lines and hair would vanish.
    """
    if levels is not None:
        # Pillow's convert clips these modes at 255.
        span = levels.white - levels.black
        values = np.asarray(image)
        values = values if levels.stored is None else values.view(levels.stored)
        grey = np.nan_to_num(values.astype(np.float32))
        with np.errstate(over="ignore"):  # of numbers that stand for no data
            grey = (grey - levels.black) * (255 / (span if abs(span) > 1e-12 else 1e-12))
        image = Image.fromarray(np.rint(grey.clip(0, 255)).astype(np.uint8))
    elif image.has_transparency_data:
        backdrop = Image.new("RGBA", image.size, "white")
        backdrop.alpha_composite(image.convert("RGBA"))
        image = backdrop.convert("RGB")
    return image if image.mode == mode else image.convert(mode)
