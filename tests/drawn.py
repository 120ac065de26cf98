"""A library of drawn photos, as large as asked: scenes in several colours and shapes, taken over some years.

They show pages and not the model: the captioner knows each drawing by its mean colour, and says what it was drawn as.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from photoindex.language.analysis import content_words, stem
from photoindex.types import Candidate, Label, Prediction, TermVocabulary
from tests.screenshot import SCENES, SIZE, sky
from tests.support import FakeCaptioner, term_vector

Scene = tuple[str, str, Callable[[ImageDraw.ImageDraw], None]]
CROPS = ((0, 0, 640, 480), (80, 0, 560, 480), (140, 0, 500, 480), (0, 40, 640, 400))
FIRST = datetime(2024, 7, 14, 18, 30)


def giraffe(draw: ImageDraw.ImageDraw) -> None:
    sky(draw, (255, 226, 170), (120, 190, 225), 330)
    draw.rectangle((0, 320, 640, 480), fill=(176, 164, 70))
    for x in range(0, 640, 9):
        draw.line((x, 350 - x % 23, x + 4, 330 - x % 31), fill=(132, 138, 52), width=3)
    for x, size in ((230, 1.0), (420, 0.8)):

        def at(dx: float, dy: float, x: int = x, size: float = size) -> tuple[float, float]:
            return x + dx * size, 400 + dy * size

        draw.polygon([at(-60, -130), at(50, -120), at(45, -60), at(-58, -62)], fill=(226, 170, 90))
        draw.polygon([at(28, -124), at(52, -116), at(86, -300), at(66, -306)], fill=(226, 170, 90))
        draw.polygon([at(62, -312), at(92, -318), at(128, -292), at(84, -284)], fill=(226, 170, 90))
        for leg in (-52, -30, 24, 40):
            draw.line((*at(leg, -64), *at(leg - 3, 0)), fill=(206, 150, 78), width=max(3, round(9 * size)))
        for dx, dy in ((-40, -110), (-12, -96), (18, -108), (44, -150), (58, -196), (68, -240), (-30, -80), (20, -80)):
            (left, top), (right, bottom) = at(dx - 8, dy - 7), at(dx + 8, dy + 8)
            draw.ellipse((left, top, right, bottom), fill=(140, 84, 40))


def balloons(draw: ImageDraw.ImageDraw) -> None:
    sky(draw, (250, 205, 180), (70, 120, 190), 480)
    for x, y, r, colour in (
        (170, 150, 74, (206, 60, 66)),
        (400, 120, 58, (240, 184, 60)),
        (500, 270, 44, (66, 128, 96)),
        (290, 290, 36, (90, 86, 160)),
    ):
        draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)
        draw.polygon(
            [
                (x - r * 0.7, y + r * 0.7),
                (x + r * 0.7, y + r * 0.7),
                (x + r * 0.2, y + r * 1.4),
                (x - r * 0.2, y + r * 1.4),
            ],
            fill=colour,
        )
        draw.pieslice((x - r * 0.5, y - r, x + r * 0.5, y + r), 0, 360, fill=tuple(min(255, c + 34) for c in colour))
        draw.rectangle((x - r * 0.22, y + r * 1.6, x + r * 0.22, y + r * 1.95), fill=(110, 72, 40))


def street(draw: ImageDraw.ImageDraw) -> None:
    sky(draw, (60, 50, 90), (24, 22, 52), 480)
    for x in range(0, 640, 80):
        height = 170 + (x * 37) % 160
        draw.rectangle((x, 420 - height, x + 74, 430), fill=(40 + x % 90 // 4, 36, 62))
        for y in range(430 - height, 400, 26):
            for wx in range(x + 10, x + 68, 20):
                if (wx * 7 + y * 3) % 5 < 3:
                    draw.rectangle((wx, y, wx + 9, y + 13), fill=(250, 214, 120))
    draw.rectangle((0, 425, 640, 480), fill=(30, 28, 40))
    for x in range(0, 640, 60):
        draw.rectangle((x, 450, x + 30, 454), fill=(200, 190, 150))


MORE: Sequence[Scene] = (
    ("safari/giraffes.jpg", "two giraffes standing in tall grass", giraffe),
    ("festival/balloons.jpg", "hot air balloons in the sky at sunrise", balloons),
    ("city/night.jpg", "a city street at night with lit windows", street),
)
ALL: Sequence[Scene] = (MORE[0], SCENES[0], MORE[1], SCENES[2], SCENES[3], MORE[2], SCENES[1], SCENES[5], SCENES[4])
OTHERS = {
    "giraffe": ("a giraffe next to a fence", "two horses in a field"),
    "balloon": ("colourful kites in the sky", "a bunch of balloons"),
}


def draw_album(folder: Path, count: int) -> list[tuple[NDArray[np.float64], str]]:
    """Draw so many photos below a folder; returns what :class:`DrawnCaptioner` knows them by."""
    known = []
    for number in range(count):
        name, caption, paint = ALL[number % len(ALL)]
        image = Image.new("RGB", SIZE)
        paint(ImageDraw.Draw(image))
        turn = number // len(ALL)
        image = _tinted(image, 0.035 * turn).crop(CROPS[(number + turn) % len(CROPS)])
        path = folder / name.replace(".jpg", f" {turn + 1}.jpg")
        path.parent.mkdir(parents=True, exist_ok=True)
        taken = FIRST - timedelta(days=3 * (number // 5) + 61 * (number // 17), minutes=37 * number)
        exif = Image.Exif()
        exif[0x010F], exif[0x0110] = "Fujifilm", ("X-T5", "X100V")[turn % 2]
        exif.get_ifd(0x8769)[0x9003] = f"{taken:%Y:%m:%d %H:%M:%S}"
        image.filter(ImageFilter.GaussianBlur(0.7)).save(path, quality=90, exif=exif)
        with Image.open(path) as saved:
            known.append((np.asarray(saved).reshape(-1, 3).mean(axis=0), caption))
    return known


def _tinted(image: Image.Image, turn: float) -> Image.Image:
    if not turn:
        return image
    red, green, blue = colorsys.hsv_to_rgb(turn % 1, 0.16, 1.0)
    return Image.merge(
        "RGB",
        [
            band.point([round(value * share) for value in range(256)])
            for band, share in zip(image.split(), (red, green, blue), strict=True)
        ],
    )


class DrawnPhotosCaptioner(FakeCaptioner):
    """Knows the drawings by their mean colour. Its learned words are those of the caption, and what belongs to it."""

    def __init__(self, known: Sequence[tuple[NDArray[np.float64], str]]) -> None:
        super().__init__()
        self.input_size, self._known = 64, known
        words = sorted(
            {stem(word) for _, _, caption in ((0, 0, c) for _, c, _ in ALL) for word in content_words(caption)}
        )
        self.terms = TermVocabulary((*words, "anim", "outdoor"), 0.01)

    def _predict(self, pixels: NDArray[np.uint8]) -> Prediction:
        mean = pixels.reshape(-1, 3).mean(axis=0)
        distances = [float(np.abs(mean - colour).sum()) for colour, _ in self._known]
        text = self._known[int(np.argmin(distances))][1]
        others = next((said for word, said in OTHERS.items() if word in text), ("a picture of a place", "a drawing"))
        assert self.terms is not None
        impacts = {stem(word): 210 - 23 * place for place, word in enumerate(content_words(text)[:8])}
        impacts |= {"anim": 150 if "giraffe" in text or "duck" in text else 12, "outdoor": 90}
        return Prediction(
            (Candidate(text, -7.5 - len(text) / 9, -0.4), *(Candidate(other, -16.0, -1.1) for other in others)),
            (Label("outdoors", 0.42), Label("drawing", 0.31)),
            terms=term_vector(self.terms, impacts),
        )
