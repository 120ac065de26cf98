"""Make the picture of a contact sheet that the documentation shows: python -m tests.screenshot docs/contact-sheet.png

The photos are drawn here, and so are their captions: they show the page and not the model.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from photoindex.cli.main import main
from photoindex.config import Settings
from photoindex.library import Library
from photoindex.types import Candidate, Prediction
from tests.chromium import screenshot
from tests.support import FakeCaptioner

SIZE = (640, 480)
Scene = tuple[str, str, Callable[[ImageDraw.ImageDraw], None]]


def boat(draw: ImageDraw.ImageDraw) -> None:
    sky(draw, (250, 214, 165), (110, 160, 210), 300)
    draw.rectangle((0, 290, 640, 480), fill=(30, 95, 140))
    draw.polygon([(320, 90), (320, 300), (200, 300)], fill=(250, 248, 240))
    draw.polygon([(330, 120), (330, 300), (430, 300)], fill=(214, 60, 50))
    draw.polygon([(180, 310), (450, 310), (410, 360), (230, 360)], fill=(96, 56, 32))


def lake(draw: ImageDraw.ImageDraw) -> None:
    sky(draw, (200, 225, 245), (90, 150, 215), 250)
    draw.polygon([(0, 250), (150, 70), (290, 250)], fill=(88, 98, 120))
    draw.polygon([(180, 250), (380, 40), (600, 250)], fill=(70, 80, 104))
    draw.polygon([(330, 92), (380, 40), (436, 100), (390, 86)], fill=(245, 248, 252))
    draw.rectangle((0, 250, 640, 480), fill=(48, 110, 150))
    for row in range(12):
        draw.line(
            (40 + row * 30 % 200, 270 + row * 17, 560 - row * 23 % 180, 270 + row * 17), fill=(96, 150, 186), width=3
        )


def ducks(draw: ImageDraw.ImageDraw) -> None:
    draw.rectangle((0, 0, 640, 480), fill=(70, 130, 120))
    for x, y, r in ((170, 240, 60), (400, 300, 52), (480, 150, 40)):
        draw.ellipse((x - r * 1.4, y - r * 0.5, x + r * 1.4, y + r * 0.9), fill=(224, 188, 72))
        draw.ellipse((x + r * 0.7, y - r * 1.2, x + r * 1.7, y - r * 0.2), fill=(230, 198, 84))
        draw.polygon(
            [(x + r * 1.6, y - r * 0.8), (x + r * 2.1, y - r * 0.6), (x + r * 1.6, y - r * 0.5)], fill=(226, 110, 40)
        )
        draw.ellipse((x + r * 1.25, y - r * 0.95, x + r * 1.4, y - r * 0.8), fill=(20, 20, 20))


def lighthouse(draw: ImageDraw.ImageDraw) -> None:
    sky(draw, (238, 150, 110), (60, 70, 130), 360)
    draw.rectangle((0, 350, 640, 480), fill=(28, 52, 90))
    draw.polygon([(360, 480), (420, 340), (640, 330), (640, 480)], fill=(52, 46, 48))
    draw.polygon([(470, 345), (490, 130), (540, 130), (560, 345)], fill=(240, 236, 228))
    for top in (170, 240, 310):
        draw.polygon(
            [(486 - top / 40, top), (544 + top / 40, top), (546 + top / 40, top + 28), (484 - top / 40, top + 28)],
            fill=(200, 50, 46),
        )
    draw.ellipse((490, 90, 540, 140), fill=(255, 240, 170))


def swimmer(draw: ImageDraw.ImageDraw) -> None:
    draw.rectangle((0, 0, 640, 480), fill=(60, 175, 205))
    for lane in (110, 235, 360):
        for x in range(0, 640, 40):
            draw.ellipse((x, lane, x + 30, lane + 12), fill=(235, 80, 60) if x // 40 % 2 else (250, 250, 250))
    draw.ellipse((300, 165, 350, 215), fill=(236, 190, 150))
    draw.pieslice((298, 160, 352, 214), 180, 360, fill=(40, 50, 110))
    draw.line((200, 200, 300, 195), fill=(236, 190, 150), width=22)
    draw.line((348, 195, 440, 160), fill=(236, 190, 150), width=18)


def fountain(draw: ImageDraw.ImageDraw) -> None:
    sky(draw, (210, 232, 246), (130, 185, 235), 330)
    draw.rectangle((0, 330, 640, 480), fill=(150, 150, 140))
    for step in range(-9, 10):
        points = [(320 + step * 1.9 * t, 300 - 34 * t + 2.6 * t * t) for t in range(13)]
        draw.line(points, fill=(250, 253, 255), width=3)
    draw.ellipse((150, 300, 490, 390), fill=(120, 115, 108))
    draw.ellipse((170, 308, 470, 372), fill=(70, 140, 180))


SCENES: Sequence[Scene] = (
    ("2023-07 Baltic/boat at anchor.jpg", "a boat with white and red sails on the water", boat),
    ("2023-07 Baltic/lighthouse.jpg", "a lighthouse on a rock by the water in the evening", lighthouse),
    ("mountains/lake.jpg", "a lake with calm water below snowy mountains", lake),
    ("park/ducks.jpg", "three yellow ducks swimming in the water", ducks),
    ("pool/saturday.jpg", "a swimmer in the water of a pool", swimmer),
    ("park/fountain.jpg", "a fountain sprays water into the air in a park", fountain),
)


def sky(draw: ImageDraw.ImageDraw, low: tuple[int, int, int], high: tuple[int, int, int], horizon: int) -> None:
    for y in range(horizon):
        part = y / horizon
        draw.line((0, y, 640, y), fill=tuple(round(h + (w - h) * part) for h, w in zip(high, low, strict=True)))


class DrawnCaptioner(FakeCaptioner):
    """Knows the drawings by their mean colour, and says what they were drawn as."""

    def __init__(self, known: list[tuple[NDArray[np.float64], str]]) -> None:
        super().__init__()
        self.input_size, self.terms, self._known = 64, None, known

    def _predict(self, pixels: NDArray[np.uint8]) -> Prediction:
        mean = pixels.reshape(-1, 3).mean(axis=0)
        text = min(self._known, key=lambda pair: math.dist(pair[0], mean))[1]
        return Prediction((Candidate(text, -1.0, -0.1),))


def main_(target: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        album, data_dir = Path(folder, "Pictures"), Path(folder, "data")
        known = []
        for name, caption, paint in SCENES:
            image = Image.new("RGB", SIZE)
            paint(ImageDraw.Draw(image))
            path = album / name
            path.parent.mkdir(parents=True, exist_ok=True)
            image.filter(ImageFilter.GaussianBlur(0.8)).save(path, quality=90)
            with Image.open(path) as saved:
                known.append((np.asarray(saved).reshape(-1, 3).mean(axis=0), caption))
        with Library(Settings(data_dir, settle_seconds=0.0), lambda _: DrawnCaptioner(known)) as library:
            library.index(album)
        page = Path(folder, "water.html")
        CliRunner().invoke(main, ["--data-dir", str(data_dir), "search", "water", "--html", str(page)])
        # Where they lie is of no interest.
        page.write_text(
            page.read_text(encoding="utf-8").replace(f">{folder}", ">~").replace(f"{folder}/", "~/"), "utf-8"
        )
        halves = [
            screenshot(page, Path(folder, "seen.png"), width=820, height=710, dark=dark) for dark in (False, True)
        ]
        both = Image.new("RGB", (820, 1420))
        for number, half in enumerate(halves):
            both.paste(half, (0, 710 * number))
        both.quantize(256).save(target, optimize=True)
    print(f"{target}: {target.stat().st_size} bytes", file=sys.stderr)


if __name__ == "__main__":
    main_(Path(sys.argv[1]))
