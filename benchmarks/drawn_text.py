"""Pictures with text drawn onto them, for measuring how text is found and read: what is drawn is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

WORDS = (
    "platform nine exit bakery fresh bread open daily closed monday danger keep out parking permit zone total amount"
    " receipt cash change thank you visit again invoice number date street avenue museum ticket adult child station"
    " express coffee breakfast menu special price summer sale private property no smoking emergency push pull caution"
    " wet floor school hospital pharmacy library garden bridge harbour market village welcome airport gate departure"
    " arrivals customs luggage chapter introduction report summary account balance payment library holiday photograph"
).split()


@dataclass(frozen=True)
class Style:
    """How a line of text is drawn. ``height`` is that of a capital letter in pixels; ``contrast`` between letters and
    their ground is from 0 to 1; ``blur`` is a radius in pixels; ``angle`` in degrees; ``tilt`` how much narrower the
    far end of a line in perspective is, from 0 to 1; ``plate``: on an even ground, as a sign, instead of the photo."""

    height: float
    angle: float = 0.0
    contrast: float = 0.9
    blur: float = 0.0
    tilt: float = 0.0
    plate: bool = True
    font: str = ""  # a file; empty: Pillow's own


def fonts() -> list[str]:
    """Return the font files at hand, of the system and of installed packages; Pillow's own is always there."""
    places = [Path("/usr/share/fonts"), Path("/Library/Fonts"), Path("C:/Windows/Fonts")]
    try:
        import matplotlib

        places.append(Path(matplotlib.get_data_path()) / "fonts" / "ttf")
    except ImportError:
        pass
    found = {file.name: str(file) for place in places for file in sorted(place.rglob("*.ttf"))}
    unreadable = ("Math", "Siz", "NonUni", "cmex", "cmsy", "cmmi", "Display")
    return ["", *(path for name, path in sorted(found.items()) if not any(each in name for each in unreadable))]


def phrase(random: Random, words: int = 3) -> str:
    """Return words as signs and receipts have them: in capitals, as a title or with a number."""
    chosen = random.sample(WORDS, words)
    if random.random() < 0.25:
        chosen[-1] = (
            f"{random.randint(1, 9999)}"
            if random.random() < 0.5
            else f"{random.randint(1, 99)}.{random.randint(10, 99)}"
        )
    text = " ".join(chosen)
    return random.choice((text, text.upper(), text.title(), text.capitalize()))


def _font(style: Style) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    size = max(4, round(style.height / 0.72))  # a capital is about 0.72 of the font's size
    return ImageFont.truetype(style.font, size) if style.font else ImageFont.load_default(size)


def patch(text: str, style: Style, ground: int) -> Image.Image:
    """Return a line of text as a picture with transparency, upon a ground of this grey level, before it is turned."""
    font = _font(style)
    scale = 2  # drawn larger and made smaller: what turns and narrows it stays smooth
    big = font.font_variant(size=font.size * scale) if isinstance(font, ImageFont.FreeTypeFont) else font
    left, top, right, bottom = big.getbbox(text)
    pad = round(style.height * scale * 0.5)
    size = math.ceil(right - left) + 2 * pad, math.ceil(bottom - top) + 2 * pad
    ink = ground - 255 * style.contrast if ground >= 128 else ground + 255 * style.contrast
    level = int(min(255, max(0, ink)))
    picture = Image.new("RGBA", size, (ground, ground, ground, 255 if style.plate else 0))
    ImageDraw.Draw(picture).text((pad - left, pad - top), text, font=big, fill=(level, level, level, 255))
    if style.tilt:
        picture = _narrowed(picture, style.tilt)
    if style.angle:
        picture = picture.rotate(style.angle, Image.Resampling.BICUBIC, expand=True)
    size = max(1, picture.width // scale), max(1, picture.height // scale)
    return picture.resize(size, Image.Resampling.LANCZOS)


def _narrowed(picture: Image.Image, tilt: float) -> Image.Image:
    """Return the picture as if its right end were further away."""
    width, height = picture.size
    cut = height * tilt / 2
    far = width * (1 - tilt / 2)
    ends = [(0, 0), (far, cut), (far, height - cut), (0, height)]
    rows, values = [], []
    for (x, y), (u, v) in zip(ends, [(0, 0), (width, 0), (width, height), (0, height)], strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    numbers = np.linalg.solve(np.array(rows, float), np.array(values, float))
    return picture.transform(
        (math.ceil(far), height), Image.Transform.PERSPECTIVE, list(numbers), Image.Resampling.BICUBIC
    )


def draw(photo: Image.Image, text: str, style: Style, random: Random) -> tuple[int, int, int, int] | None:
    """Draw a line of text somewhere onto an RGB photo, in place; return the box that it fills, or None where it does
    not fit."""
    width, height = photo.size
    around = np.asarray(photo.convert("L"))
    ground = int(around.mean())
    piece = patch(text, style, ground if not style.plate else random.choice((ground, 235, 30, 245)))
    if piece.width >= width or piece.height >= height:
        return None
    left, top = random.randrange(width - piece.width), random.randrange(height - piece.height)
    if not style.plate:
        ground = int(around[top : top + piece.height, left : left + piece.width].mean())
        piece = patch(text, style, ground).crop((0, 0, piece.width, piece.height))
    if style.blur:
        below = photo.crop((left, top, left + piece.width, top + piece.height)).convert("RGBA")
        piece = Image.alpha_composite(below, piece).filter(ImageFilter.GaussianBlur(style.blur))
        photo.paste(piece.convert("RGB"), (left, top))
    else:
        photo.paste(piece.convert("RGB"), (left, top), piece.getchannel("A"))
    return left, top, left + piece.width, top + piece.height


def page(size: tuple[int, int], height: float, random: Random, font: str = "") -> tuple[Image.Image, list[str]]:
    """Return a page of text, such as a document or a receipt, and its lines."""
    picture = Image.new("RGB", size, (250, 250, 247))
    drawing, lines = ImageDraw.Draw(picture), []
    face = _font(Style(height, font=font))
    y = height * 2
    while y < size[1] - height * 3:
        text = phrase(random, 3)
        while face.getlength(text + " and") < size[0] - height * 6 and len(text) < 70:
            text += " " + random.choice(WORDS)
        if face.getlength(text) < size[0] - height * 3:
            drawing.text((height * 2, y), text, font=face, fill=(20, 20, 20))
            lines.append(text)
        y += height * 2.2
    return picture, lines


def receipt(random: Random, font: str = "") -> tuple[Image.Image, list[str]]:
    """Return a narrow receipt, and its lines."""
    lines = [phrase(random, 2).upper(), "Receipt", f"Date {random.randint(10, 28)}.11.2025"]
    prices = [random.randint(80, 2999) / 100 for _ in range(random.randint(4, 9))]
    lines += [f"{random.choice(WORDS)} {price:.2f}" for price in prices]
    lines += [f"Total {sum(prices):.2f}", f"Cash {sum(prices) + 5:.2f}", "Thank you"]
    picture = Image.new("RGB", (500, 40 * len(lines) + 80), (248, 246, 240))
    face = _font(Style(18, font=font))
    for number, line in enumerate(lines):
        ImageDraw.Draw(picture).text((40, 40 + 40 * number), line, font=face, fill=(30, 30, 35))
    return picture, lines


def sign(random: Random, font: str = "") -> tuple[Image.Image, list[str]]:
    """Return a sign that fills the photo, and its lines."""
    ground, ink = random.choice(
        (((250, 220, 40), (10, 10, 10)), ((20, 90, 60), (245, 245, 245)), ((240, 240, 240), (180, 20, 20)))
    )
    picture = Image.new("RGB", (1200, 800), ground)
    lines = [word.upper() for word in random.sample([word for word in WORDS if len(word) <= 8], random.randint(1, 3))]
    for number, line in enumerate(lines):
        ImageDraw.Draw(picture).text((90, 80 + 230 * number), line, font=_font(Style(130, font=font)), fill=ink)
    return picture, lines


def screenshot(random: Random, font: str = "") -> tuple[Image.Image, list[str]]:
    """Return the screen of a telephone with a conversation, and its lines."""
    picture = Image.new("RGB", (1080, 2340), (246, 246, 248))
    drawing, face, lines = ImageDraw.Draw(picture), _font(Style(30, font=font)), []
    drawing.rectangle((0, 0, 1080, 180), fill=(32, 96, 200))
    for number in range(8):
        lines.append(phrase(random, 4).lower())
        top, right = 260 + 240 * number, number % 2
        left = 60 + 180 * right
        drawing.rounded_rectangle(
            (left, top, left + 840, top + 170), 30, fill=(205, 228, 250) if right else (255, 255, 255)
        )
        drawing.text((left + 40, top + 60), lines[-1], font=face, fill=(25, 25, 30))
    return picture, lines


def photographed(flat: Image.Image, photo: Image.Image, random: Random) -> Image.Image:
    """Return a page as it lies on what a photo shows: a little turned, smaller than the photo, not quite white."""
    scale = 0.92 * min(photo.width / flat.width, photo.height / flat.height)
    small = flat.resize((round(flat.width * scale), round(flat.height * scale)), Image.Resampling.LANCZOS)
    dim = Image.eval(small, lambda level: round(level * 0.86)).convert("RGBA")
    turned = dim.rotate(random.uniform(-4, 4), Image.Resampling.BICUBIC, expand=True)
    picture = photo.convert("RGB")
    at = (photo.width - turned.width) // 2, (photo.height - turned.height) // 2
    picture.paste(turned.convert("RGB"), at, turned.getchannel("A"))
    return picture.filter(ImageFilter.GaussianBlur(0.6))
