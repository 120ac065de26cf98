"""The views of a photo that training sees: the whole of it, and varied ones.

View 0 is what the captioner sees later: the photo turned upright and resized to a square, nothing cut off. Each further
view takes a part of the photo of at least 70 % of its area and of another aspect, with the light and colours changed a
little; every other one is mirrored. A view is the same on every machine and in every run: its randomness is drawn from
the photo's file name and the view's number.
"""

from __future__ import annotations

import math
import random
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps, UnidentifiedImageError

from photoindex.errors import DatasetError
from photoindex.system.error_lines import reason_of

SMALLEST_AREA = 0.7
WIDEST_ASPECT = 4 / 3
STRONGEST_CHANGE = 0.25  # of brightness, contrast and colour


def load_view(path: Path, size: int, number: int = 0) -> NDArray[np.uint8]:
    """View ``number`` of a photo as uint8 (3, size, size). Raises :class:`DatasetError`."""
    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
            square = _varied(upright, size, random.Random(f"{path.name}-{number}"), mirrored=number % 2 == 1) \
                if number else upright.resize((size, size), Image.Resampling.BICUBIC)  # fmt: skip
    except UnidentifiedImageError as error:  # what it says names the file again
        raise DatasetError(f"cannot read the training photo {path}: no image that can be read") from error
    except (OSError, ValueError, SyntaxError) as error:
        raise DatasetError(f"cannot read the training photo {path}: {reason_of(error)}") from error
    pixels: NDArray[np.uint8] = np.ascontiguousarray(np.asarray(square, dtype=np.uint8).transpose(2, 0, 1))
    return pixels


def _varied(image: Image.Image, size: int, chance: random.Random, *, mirrored: bool) -> Image.Image:
    side = math.sqrt(chance.uniform(SMALLEST_AREA, 1.0))
    aspect = math.sqrt(math.exp(chance.uniform(-math.log(WIDEST_ASPECT), math.log(WIDEST_ASPECT))))
    width, height = min(1.0, side * aspect), min(1.0, side / aspect)  # shares of the photo's
    left, top = chance.uniform(0, 1 - width), chance.uniform(0, 1 - height)
    box = (
        left * image.width,
        top * image.height,
        (left + width) * image.width,
        (top + height) * image.height,
    )
    part = image.resize((size, size), Image.Resampling.BICUBIC, box=box)
    if mirrored:
        part = ImageOps.mirror(part)
    for change in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        part = change(part).enhance(chance.uniform(1 - STRONGEST_CHANGE, 1 + STRONGEST_CHANGE))
    return part
