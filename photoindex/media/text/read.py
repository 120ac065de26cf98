"""Read the text in a photo: what a worker process does with one file.

A glance first: the library's detection looks at a small picture, at a tenth of what reading costs. Only where it finds
something is the photo decoded at a size where small print is legible, and read.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from photoindex.media.decode.photo import picture_of
from photoindex.media.text.engine import LONGEST_SIDE, Engine, Quad
from photoindex.media.text.layout import in_reading_order
from photoindex.types import DecodedPhoto, PhotoFacts, PhotoText, TextLine
from photoindex.types.text import BOX_UNITS, Box

GLANCE_SIDE: Final = 480  # pixels of the longer side that detection glances at
SMALL_SIDE: Final = 800  # a picture whose longer side is shorter is made larger, twice at most
MOST_LINES: Final = 500  # of a photo; a page of a newspaper has some 300
LONGEST_LINE: Final = 1000  # characters
MOST_THREADS: Final = 4
# What a worker may allocate besides what decoding needs: networks, and what they compute at the largest size.
ROOM: Final = 2 << 30


def read_text(path: Path, size: int, max_pixels: int) -> DecodedPhoto:
    """Read the text in ``path``, after a glance that leaves most photos without text alone.

    The answer has text, and no more of the photo: its pixels are ``size`` x ``size`` black ones. Raises as
    :func:`.decode_photo` does, and :class:`TextReaderUnavailable`.
    """
    return _answer(_glance_and_read(path, max_pixels), size)


def read_text_closely(path: Path, size: int, max_pixels: int) -> DecodedPhoto:
    """Read the text in ``path`` as :func:`read_text` does, without a glance first."""
    return _answer(_read(picture_of(path, LONGEST_SIDE, max_pixels)), size)


def _answer(text: PhotoText, size: int) -> DecodedPhoto:
    return DecodedPhoto(PhotoFacts("", 0, 0), np.zeros((size, size, 3), np.uint8), text=text)


def shows_text(path: Path, max_pixels: int) -> bool:
    """Return whether a glance at the photo in ``path`` finds a sign of text. Raises as :func:`read_text` does."""
    return engine().has_text(picture_of(path, GLANCE_SIDE, max_pixels))


def _glance_and_read(path: Path, max_pixels: int) -> PhotoText:
    if not shows_text(path, max_pixels):
        return PhotoText(closely=False)
    return _read(picture_of(path, LONGEST_SIDE, max_pixels))


def _read(picture: Image.Image) -> PhotoText:
    if max(picture.size) < SMALL_SIDE:
        scale = min(2.0, SMALL_SIDE / max(picture.size))
        larger = round(picture.width * scale), round(picture.height * scale)
        picture = picture.resize(larger, Image.Resampling.BICUBIC)
    found = engine().read(picture)[:MOST_LINES]
    lines = [
        TextLine(" ".join(text.split())[:LONGEST_LINE], confidence, _box(quad, picture.size))
        for quad, text, confidence in found
        if text.strip()
    ]
    blocks = in_reading_order(lines, *picture.size)
    return PhotoText(tuple(line._replace(block=number) for number, block in enumerate(blocks) for line in block))


def _box(quad: Quad, size: tuple[int, int]) -> Box:
    """Return corners in pixels of a picture of this size as a box."""
    ends = [
        min(max(round(value / side * BOX_UNITS), 0), BOX_UNITS)
        for corner in quad
        for value, side in zip(corner, size, strict=True)
    ]
    return (ends[0], ends[1], ends[2], ends[3], ends[4], ends[5], ends[6], ends[7])


@cache
def engine() -> Engine:
    """Return the engine of this process, which loads its networks when it is first asked for."""
    return Engine(threads())


def threads() -> int:
    """Return how many threads read: one a core, four at most."""
    return min(MOST_THREADS, os.cpu_count() or 1)
