"""What a photo looks like that can be told without a network: black and white, dark, blurred, a screenshot, a document.

Everything is measured on the small picture that the captioner gets, brought to one size, so that the figures mean the
same for every model. Whether it is a screenshot or a page of text is a sum of eight measures with weights (logistic
regression); the weights and all limits were chosen on training photos. `python benchmarks/photo_looks.py` makes the
pictures that they were chosen with, prints how well they do on validation photos and, with --fit, the weights.

Toned photos (sepia), overexposed ones and drawings are not told: limits that found toned photos found as many photos of
grey things, and those for overexposed photos most photos of a thing on a white background.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFilter

from photoindex.media.metadata.blocks import Blocks
from photoindex.types import PhotoFacts

SIDE: Final = 256  # pixels of the square that is measured
LEAST_SIDE: Final = 128  # a smaller one, or a smaller photo, made larger is always blurred
# Grey levels, of 255.
LEAST_RANGE: Final = 16  # between the darkest and the lightest hundredth; below, a picture shows nothing
MOST_COLOUR: Final = 10  # between the channels of the most colourful hundredth of a black and white photo
DARK: Final = 70  # nine of ten pixels of a dark photo are darker
# Detail of one or two pixels beside that of nine, at half the size. Photos whose blur is wider than a hundredth of
# their longer side have less.
LEAST_DETAIL: Final = 0.28

# The measures of :func:`measure` -> the weight of each.
SCREEN: Final = {
    "even": 28.418, "nearly even": -12.716, "strong": -10.689, "straight": 9.964, "lines": 6.671,
    "bands": 0.777, "colours": 0.509, "crisp": 6.315,
}  # fmt: skip
PAGE: Final = {
    "even": -12.639, "nearly even": 20.966, "strong": -56.171, "straight": 8.236, "lines": 12.055,
    "bands": -0.609, "colours": -0.98, "crisp": 8.529,
}  # fmt: skip
SCREEN_BIAS: Final = -21.823
PAGE_BIAS: Final = -22.615
# What the sum has to exceed.
SCREEN_LIMIT: Final = 2.55
PAGE_LIMIT: Final = 2.6

# Pixels of computers', tablets' and phones' screens, the longer side first.
SCREENS: Final = frozenset({
    (800, 600), (1024, 768), (1280, 720), (1280, 800), (1280, 1024), (1366, 768), (1440, 900), (1536, 864),
    (1600, 900), (1600, 1200), (1680, 1050), (1920, 1080), (1920, 1200), (2048, 1152), (2048, 1536), (2160, 1440),
    (2160, 1620), (2224, 1668), (2256, 1504), (2304, 1440), (2388, 1668), (2560, 1080), (2560, 1440), (2560, 1600),
    (2732, 2048), (2736, 1824), (2880, 1620), (2880, 1800), (2880, 1864), (3000, 2000), (3024, 1964), (3072, 1920),
    (3200, 1800), (3440, 1440), (3456, 2234), (3840, 1600), (3840, 2160), (3840, 2400), (4096, 2304), (5120, 1440),
    (5120, 2880), (960, 640), (1136, 640), (1334, 750), (2208, 1242),
})  # fmt: skip
# Photos have these proportions, too, and what messengers make of them has such sizes: then only a PNG counts.
PHOTO_SHAPES: Final = (4 / 3, 3 / 2)
# The longer side of a phone's screen beside the shorter one. What messengers make smaller keeps it.
PHONE_SHAPE: Final = (1.75, 2.35)
_NAMED: Final = re.compile(
    r"(?i)screen[-_ ]?(shot|cap)|scrnshot|bildschirmfoto|capture d.{1,2}.?[ée]cran|captura de (pantalla|tela)|"
    r"schermafbeelding|schermata|sk[äæ]rm(bild|billede)|skjermbilde|zrzut ekranu|снимок экрана|"
    r"スクリーンショット|截屏|截图|屏幕快照"
)
# What phones and macOS write into the comment of EXIF (CIPA DC-008, tag 37510), or into that of XMP.
_USER_COMMENT: Final = 37510
_SAYS_SO: Final = re.compile(rb"(?i)screenshot")
_SAYS_SO_IN_XMP: Final = re.compile(rb"(?is)UserComment.{0,200}?screenshot")


def looks_of(square: Image.Image, facts: PhotoFacts, path: Path, blocks: Blocks | None = None) -> frozenset[str]:
    """What an upright picture, squashed to a square, looks like: names of :data:`photoindex.types.looks.LOOKS`.

    ``facts`` are the photo's own size and camera, ``path`` its file's, ``blocks`` its metadata.
    """
    measures = measure(square)
    shows = measures["range"] >= LEAST_RANGE
    found = {
        "bw": shows and measures["colour"] <= MOST_COLOUR,
        "dark": measures["light"] < DARK,
        "blurred": shows and measures["detail"] < LEAST_DETAIL and min(facts.width, facts.height) >= LEAST_SIDE,
        "screenshot": is_screenshot(measures, facts, path, blocks),
    }
    found["document"] = not found["screenshot"] and is_page(measures)
    return frozenset(name for name, true in found.items() if true)


def is_page(measures: dict[str, float]) -> bool:
    """Whether a picture looks like a page of text, drawn or photographed."""
    return _sum(measures, PAGE) + PAGE_BIAS > PAGE_LIMIT


def is_like_a_screen(measures: dict[str, float]) -> bool:
    """Whether a picture could be one of a screen, by its pixels alone; a clean page of text could, too."""
    return _sum(measures, SCREEN) + SCREEN_BIAS > SCREEN_LIMIT


def is_screenshot(measures: dict[str, float], facts: PhotoFacts, path: Path, blocks: Blocks | None = None) -> bool:
    """Whether a picture is of a screen: its name or its metadata say so, or its pixels look so and it has a screen's
    size or a phone's shape. A camera takes none."""
    if facts.camera:
        return False
    if _NAMED.search(path.stem) or (blocks is not None and _says_so(blocks)):
        return True
    longer, shorter = max(facts.width, facts.height), min(facts.width, facts.height)
    shape = longer / max(1, shorter)
    is_phone = facts.height > facts.width and PHONE_SHAPE[0] <= shape <= PHONE_SHAPE[1]
    is_as_photos = any(abs(shape - each) < 0.01 for each in PHOTO_SHAPES)
    is_screen = (longer, shorter) in SCREENS and (facts.format == "PNG" or not is_as_photos)
    return (is_phone or is_screen) and is_like_a_screen(measures)


def _says_so(blocks: Blocks) -> bool:
    comments = (str(exif.details.get(_USER_COMMENT, "")).encode() for exif in blocks.exif)
    return any(map(_SAYS_SO.search, comments)) or any(map(_SAYS_SO_IN_XMP.search, blocks.xmp))


def _sum(measures: dict[str, float], weights: dict[str, float]) -> float:
    return sum(weight * measures[name] for name, weight in weights.items())


def measure(square: Image.Image) -> dict[str, float]:
    """What :func:`looks_of` goes by, of an RGB picture of any size. Levels are of 255, shares from 0 to 1."""
    if square.size != (SIDE, SIDE):
        square = square.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    red, green, blue = (np.asarray(band) for band in square.split())
    # Band by band: numpy's maximum along an axis of three takes ten times as long.
    spread = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    grey = square.convert("L")
    levels = np.asarray(grey)
    lightness = _shares(grey)
    across = np.abs(np.diff(levels.astype(np.int16), axis=1))[:-1]
    down = np.abs(np.diff(levels.astype(np.int16), axis=0))[:, :-1]
    steps = np.maximum(across, down)
    edges = steps > 24
    straight = edges & (np.minimum(across, down) < 4)
    rows, columns = _ink(grey)
    fine, coarse = _detail(grey.reduce(2))
    return {
        "range": float(_at(lightness, 0.99) - _at(lightness, 0.01)),
        "colour": float(_at(_shares(Image.fromarray(spread)), 0.99)),
        "light": float(_at(lightness, 0.9)),
        "detail": _top(fine) / (_top(coarse) + 1),
        # Of a screen or a page: flat areas, straight edges, lines of text, few colours.
        "even": _share(steps == 0),
        "nearly even": _share(steps <= 1),
        "strong": _share(steps > 40),
        "straight": _share(straight) / max(1 / edges.size, _share(edges)),
        "lines": float(np.log1p(rows)),
        "bands": float(rows / (columns + 0.3)),
        "colours": float(np.log1p(_colours(red, green, blue))),
        "crisp": float((_mean(fine) / (_mean(coarse) + 1)).max()),
    }


def _shares(band: Image.Image) -> NDArray[np.float64]:
    """The share of pixels up to each level, (256,)."""
    return np.cumsum(band.histogram()) / (band.width * band.height)


def _share(pixels: NDArray[np.bool_]) -> float:
    return float(np.count_nonzero(pixels)) / pixels.size


def _at(shares: NDArray[np.float64], share: float) -> int:
    return int(np.searchsorted(shares, share))


def _top(values: NDArray[np.float32]) -> float:
    """The value that one in a hundred exceeds."""
    place = int(0.99 * values.size)
    return float(np.partition(values.ravel(), place)[place])


def _detail(grey: Image.Image) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """How far each pixel is from the mean of 3 x 3 around it, and from that of 9 x 9."""
    levels = np.asarray(grey, np.float32)
    fine, coarse = (np.asarray(grey.filter(ImageFilter.BoxBlur(radius)), np.float32) for radius in (1, 4))
    return np.abs(levels - fine), np.abs(levels - coarse)


def _mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of each field of 16 x 16."""
    fields: NDArray[np.float32] = values.reshape(SIDE // 32, 16, SIDE // 32, 16).mean((1, 3))
    return fields


def _ink(grey: Image.Image) -> tuple[float, float]:
    """How much what is darker than its surroundings changes from row to row of eight columns, and the other way."""
    ink = np.asarray(ImageChops.subtract(grey.filter(ImageFilter.BoxBlur(12)), grey))  # 0 where it is lighter
    rows = ink.reshape(SIDE, 8, SIDE // 8).mean(2, dtype=np.float32)
    columns = ink.reshape(8, SIDE // 8, SIDE).mean(1, dtype=np.float32)
    return float(np.abs(np.diff(rows, axis=0)).mean()), float(np.abs(np.diff(columns, axis=1)).mean())


def _colours(red: NDArray[np.uint8], green: NDArray[np.uint8], blue: NDArray[np.uint8]) -> int:
    """How many colours, of 32 levels a channel, nine of ten pixels have."""
    wide = np.uint16
    codes = ((red >> 3).astype(wide) << 10) | ((green >> 3).astype(wide) << 5) | (blue >> 3)
    counts = np.bincount(codes.ravel())
    counts = np.sort(counts[counts > 0])[::-1]
    return int(np.searchsorted(np.cumsum(counts), 0.9 * codes.size))
