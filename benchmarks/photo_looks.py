"""How often `is:bw`, `is:dark`, `is:blurred`, `is:screenshot` and `is:document` are right.

python benchmarks/photo_looks.py --data DIR           on validation photos
python benchmarks/photo_looks.py --data DIR --fit     the weights of screenshots and pages, from training photos

DIR holds data sets with a captions.tsv or labels.tsv each (flickr8k, coco, objects), and library/, photos as they are.
Photos of which a fact is true are made: photos without colour, with a twelfth to a thirtieth of their light, blurred by
a hundredth or a fiftieth of their longer side, shaken by six hundredths of it; windows, desktops, chats and terminals
drawn at the sizes of screens; letters, tables, forms and receipts drawn, and laid over a photo, tilted, shaded and
blurred as a photographed page is. Other photos should not have the fact, but some do: look at those that --list names.
"""

from __future__ import annotations

import argparse
import csv
import math
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from photoindex.media.decode import looks
from photoindex.media.decode.photo import decode_photo
from photoindex.training.logistic import fit_logistic

MADE = 150  # of each kind
MOST = 1000  # photos of each data set
SETS = ("coco", "flickr8k", "objects")
FALSE_POSITIVES = {"screen": 0.01, "page": 0.001}  # of training photos that the limits let through
BASE = ("even", "nearly even", "strong", "straight", "lines", "bands", "colours", "crisp")
SIZES = ((1920, 1080), (1366, 768), (2560, 1440), (1440, 900), (1280, 800), (1170, 2532), (1080, 2400), (1080, 1920),
         (750, 1334), (2048, 1536))  # fmt: skip


class Draughtsman:
    """Draws pages and screens from the words and the photos of one split, the same ones each time."""

    def __init__(self, photos: Sequence[Path], texts: Sequence[str], seed: str) -> None:
        self.chance = random.Random(seed)
        self.photos, self.texts = photos, texts
        self.fonts = [Path(path) for path in _fonts()]

    def font(self, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
        if not self.fonts:
            return ImageFont.load_default(size)
        return ImageFont.truetype(str(self.chance.choice(self.fonts)), size)

    def photo(self, size: tuple[int, int]) -> Image.Image:
        return Image.open(self.chance.choice(self.photos)).convert("RGB").resize(size)

    def words(self, count: int) -> str:
        return " ".join(self.chance.choice(self.texts).split()[:count])

    def page(self) -> Image.Image:
        """A letter, a table, a form, a receipt, two columns, or a page that is half empty."""
        chance = self.chance
        width = chance.choice([1240, 1275, 1000])
        height = int(width * chance.choice([1.414, 1.294, 1.414, 0.75]))
        paper = chance.choice([(255, 255, 255)] * 4 + [(250, 247, 238), (244, 240, 228)])
        ink = chance.choice([(0, 0, 0), (20, 20, 20), (40, 40, 60)])
        kind = chance.choice(["letter", "columns", "table", "receipt", "form", "sparse"])
        if kind == "receipt":
            width //= 2
        image = Image.new("RGB", (width, height), paper)
        draw = ImageDraw.Draw(image)
        edge, size = int(width * chance.uniform(0.06, 0.13)), int(height * chance.uniform(0.011, 0.017))
        font, top = self.font(size), edge
        if kind != "receipt":
            draw.text((edge, top), self.words(6), font=self.font(int(size * 1.8)), fill=ink)
            top += int(size * 3.4)
        if kind in ("table", "receipt"):
            columns = 2 if kind == "receipt" else chance.randint(3, 6)
            for y in range(top, height - edge, int(size * chance.choice([1.5, 2.0]))):
                for column in range(columns):
                    x = edge + column * (width - 2 * edge) // columns
                    text = f"{chance.random() * 999:.2f}" if chance.random() < 0.5 else self.words(2)
                    draw.text((x, y), text, font=font, fill=ink)
            return image
        columns = 2 if kind == "columns" else 1
        across = (width - 2 * edge) // columns
        bottom = height - edge if kind != "sparse" else int(height * chance.uniform(0.35, 0.6))
        for column in range(columns):
            y, left = top, edge + column * across
            while y < bottom:
                for line in self.wrapped(draw, font, int(across * 0.94)):
                    if y < bottom:
                        draw.text((left, y), line, font=font, fill=ink)
                    y += int(size * 1.4)
                if kind == "form":
                    draw.rectangle((left, y, left + int(across * 0.9), y + 2 * size), outline=ink)
                    y += 3 * size
                y += size
        if kind == "letter" and chance.random() < 0.3:
            image.paste(self.photo((width // 4, width // 4)), (width - edge - width // 4, height - edge - width // 4))
        return image

    def wrapped(
        self, draw: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int
    ) -> Iterator[str]:
        line = ""
        for word in " ".join(self.chance.sample(self.texts, 3)).split():
            if draw.textlength(f"{line} {word}", font=font) > width:
                yield line
                line = word
            else:
                line = f"{line} {word}".strip()
        yield line

    def photographed(self, page: Image.Image) -> Image.Image:
        """A page as a photo of it: tilted, on something, with shade, noise and a little blur."""
        chance, (width, height) = self.chance, (1200, 1600)
        photo = self.photo((width, height)).filter(ImageFilter.GaussianBlur(chance.choice([4, 20])))
        scale = min(width / page.width, height / page.height) * chance.uniform(0.8, 0.98)
        page = page.resize((int(page.width * scale), int(page.height * scale)), Image.Resampling.LANCZOS)
        left, top = (width - page.width) / 2, (height - page.height) / 2
        corners = [(0, 0), (page.width, 0), (page.width, page.height), (0, page.height)]
        equations, values = [], []
        for x, y in corners:
            to_x = left + x + page.width * chance.uniform(-0.03, 0.03)
            to_y = top + y + page.height * chance.uniform(-0.03, 0.03)
            equations += [
                [to_x, to_y, 1, 0, 0, 0, -x * to_x, -x * to_y],
                [0, 0, 0, to_x, to_y, 1, -y * to_x, -y * to_y],
            ]
            values += [x, y]
        solved = np.linalg.solve(np.array(equations, float), np.array(values, float)).tolist()
        how = ((width, height), Image.Transform.PERSPECTIVE, solved)
        photo.paste(page.transform(*how, Image.Resampling.BICUBIC), mask=Image.new("L", page.size, 255).transform(*how))
        across, down = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
        angle = chance.uniform(0, 2 * math.pi)
        shade = 1 + chance.uniform(0.05, 0.25) * (across * math.cos(angle) + down * math.sin(angle))
        lit = np.asarray(photo, np.float32) * (chance.uniform(0.6, 0.95) * shade)[..., None]
        lit *= np.array(chance.choice([(1, 1, 1), (1, 0.96, 0.86), (0.95, 0.98, 1)]))
        lit += np.random.default_rng(chance.randrange(1 << 30)).normal(0, 4, lit.shape)
        made = Image.fromarray(np.clip(lit, 0, 255).astype(np.uint8))
        return made.filter(ImageFilter.GaussianBlur(chance.uniform(0.3, 1.6)))

    def screen(self) -> Image.Image:
        """A program, a desktop, a chat, a feed or a terminal, light or dark, on a computer's screen or a phone's."""
        chance, (width, height) = self.chance, self.chance.choice(SIZES)
        ground, ink, bar = ((30, 30, 34), (220, 220, 225), (45, 45, 52))
        if chance.random() < 0.6:
            ground, ink = chance.choice([(255, 255, 255), (246, 246, 248)]), (30, 30, 30)
            bar = chance.choice([(230, 230, 235), (36, 80, 160), (240, 240, 240)])
        unit = max(14, int(min(width, height) * chance.uniform(0.016, 0.03)))
        font, accent = self.font(unit), tuple(chance.randint(30, 230) for _ in range(3))
        kind = chance.choice(["program", "page", "desktop", "chat", "feed", "terminal"])
        if kind == "desktop":
            image = self.photo((width, height))
        else:
            image = Image.new("RGB", (width, height), (12, 12, 12) if kind == "terminal" else ground)
        draw = ImageDraw.Draw(image)
        if kind == "terminal":
            for y in range(8, int(height * chance.uniform(0.5, 1)), int(unit * 1.3)):
                colour = chance.choice([(200, 200, 200), (80, 220, 90), (90, 160, 250)])
                draw.text((8, y), self.words(chance.randint(1, 16)), font=font, fill=colour)
            return image
        if kind == "desktop":
            for number in range(chance.randint(3, 14)):
                place = (20, 20 + number * unit * 5, 20 + unit * 3, 20 + number * unit * 5 + unit * 3)
                draw.rounded_rectangle(place, unit // 2, fill=tuple(chance.randint(0, 255) for _ in range(3)))
            draw.rectangle((0, height - unit * 3, width, height), fill=(20, 20, 25))
            left, top = width // chance.randint(4, 8), height // chance.randint(5, 9)
            draw.rectangle((left, top, left + width // 2, top + height // 2), fill=ground)
            for y in range(top + unit * 2, top + height // 2 - 2 * unit, int(unit * 1.7)):
                draw.text((left + unit, y), self.words(8), font=font, fill=ink)
            return image
        draw.rectangle((0, 0, width, unit * 3), fill=bar)
        draw.text((unit, unit // 2), self.words(4), font=font, fill=ink)
        left, y = unit, unit * 4
        if kind == "program":
            draw.rectangle((0, unit * 3, unit * 12, height), fill=tuple(max(0, level - 14) for level in ground))
            left = unit * 13
            for line in range(unit * 4, height - unit, unit * 2):
                draw.text((unit, line), self.words(2), font=font, fill=ink)
        while y < height - unit * 2:
            if kind == "chat":
                text, mine = self.words(6), chance.random() < 0.5
                long = draw.textlength(text, font=font)
                start = width - long - 3 * unit if mine else unit
                draw.rounded_rectangle((start, y, start + long + 2 * unit, y + 2 * unit), unit,
                                       fill=accent if mine else bar)  # fmt: skip
                draw.text((start + unit, y + unit // 3), text, font=font, fill=ink)
                y += 3 * unit
            elif chance.random() < (0.3 if kind == "feed" else 0.08):
                across = min(width - 2 * unit - left, unit * chance.randint(12, 30))
                image.paste(self.photo((across, across * 2 // 3)), (left, y))
                y += across * 2 // 3 + unit
            else:
                text = " ".join(chance.sample(self.texts, 3))[: max(10, int((width - left) / unit * 1.5))]
                draw.text((left, y), text, font=font, fill=ink)
                y += int(unit * 1.8)
        return image


def _fonts() -> list[str]:
    folders = [Path("/usr/share/fonts"), Path("/System/Library/Fonts"), Path("C:/Windows/Fonts")]
    found = [path for folder in folders if folder.is_dir() for path in folder.rglob("*.ttf")]
    return sorted(str(path) for path in found if "math" not in path.name.lower() and "emoji" not in path.name.lower())


def dim(photo: Image.Image, chance: random.Random) -> Image.Image:
    light = (np.asarray(photo, np.float32) / 255) ** 2.2 * chance.uniform(1 / 30, 1 / 12)
    light += np.random.default_rng(chance.randrange(1 << 30)).normal(0, 0.0015, light.shape)
    return Image.fromarray((np.clip(light, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8))


def shake(photo: Image.Image, chance: random.Random) -> Image.Image:
    levels, angle = np.asarray(photo, np.float32), chance.uniform(0, math.pi)
    steps = max(2, int(max(photo.size) * 0.06))
    moved = np.zeros_like(levels)
    for step in range(steps):
        far = step - (steps - 1) / 2
        moved += np.roll(levels, (round(far * math.sin(angle)), round(far * math.cos(angle))), (0, 1))
    return Image.fromarray((moved / steps).astype(np.uint8))


def make(photos: Sequence[Path], texts: Sequence[str], seed: str, folder: Path) -> dict[str, list[Path]]:
    """Pictures of which a fact is true, as files, by what they are."""
    artist = Draughtsman(photos, texts, seed)
    chance = artist.chance

    def changed(how: Callable[[Image.Image], Image.Image]) -> Callable[[], Image.Image]:
        return lambda: how(Image.open(chance.choice(photos)).convert("RGB"))

    def blurred(share: float) -> Callable[[], Image.Image]:
        return changed(lambda photo: photo.filter(ImageFilter.GaussianBlur(max(photo.size) * share)))

    kinds: dict[str, Callable[[], Image.Image]] = {
        "without colour": changed(lambda photo: ImageOps.grayscale(photo).convert("RGB")),
        "with little light": changed(lambda photo: dim(photo, chance)),
        "blurred by 1 %": blurred(0.01),
        "blurred by 2 %": blurred(0.02),
        "shaken by 6 %": changed(lambda photo: shake(photo, chance)),
        "screens": artist.screen,
        "pages": artist.page,
        "photographed pages": lambda: artist.photographed(artist.page()),
    }
    made: dict[str, list[Path]] = {}
    for name, draw in kinds.items():
        made[name] = []
        for number in range(MADE):
            path = folder / f"{name} {number}.{'png' if name == 'screens' and number % 2 else 'jpg'}"
            path.parent.mkdir(exist_ok=True, parents=True)
            draw().save(path, quality=90)
            made[name].append(path)
    return made


def members(data: Path, name: str, split: str) -> tuple[list[Path], list[str]]:
    """The photos of a data set's split, and their captions."""
    table = next(path for each in ("captions.tsv", "labels.tsv") if (path := data / name / each).exists())
    with table.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
                if (row["split"] or "train") == split]  # fmt: skip
    photos = [data / name / "images" / image for image in sorted({row["image"] for row in rows})]
    random.Random(name).shuffle(photos)
    return photos[:MOST], [row["caption"] for row in rows if row.get("caption")]


def seen(path: Path) -> tuple[frozenset[str], dict[str, float]]:
    photo = decode_photo(path, 260, 1 << 40)
    return photo.looks or frozenset(), looks.measure(Image.fromarray(photo.pixels))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--list", action="store_true", help="name the photos that are found, to look at them")
    wanted = parser.parse_args()
    split = "train" if wanted.fit else "val"
    sets = {name: members(wanted.data, name, split) for name in SETS}
    texts = [text for _, captions in sets.values() for text in captions]
    with tempfile.TemporaryDirectory() as folder:
        sources = [path for name in ("coco", "flickr8k") for path in sets[name][0]]
        made = make(sources, texts, split, Path(folder))
        real = {name: photos for name, (photos, _) in sets.items()}
        if wanted.fit:
            fit(made, real)
        else:
            report(made, real | {"library": sorted((wanted.data / "library").glob("*.jp*g"))}, wanted.list)


def fit(made: dict[str, list[Path]], real: dict[str, list[Path]]) -> None:
    """Print the weights of screens and pages, and limits that let few photos through."""
    others = np.array([_row(path) for photos in real.values() for path in photos])
    for name, kinds in (("screen", ("screens",)), ("page", ("pages", "photographed pages"))):
        rows = np.array([_row(path) for kind in kinds for path in made[kind]])
        answers = np.repeat([True, False], [len(rows), len(others)])
        counts = np.where(answers, 1 / len(rows), 1 / len(others)) * len(answers) / 2
        weights, bias = fit_logistic(np.concatenate([rows, others]), answers, counts)
        limit = float(np.quantile(others @ weights + bias, 1 - FALSE_POSITIVES[name]))
        print(name, {key: round(float(weight), 3) for key, weight in zip(BASE, weights, strict=True)})
        print(f"  bias {bias:.3f}, limit {limit:.2f}: {np.mean(rows @ weights + bias > limit):.1%} found")


def _row(path: Path) -> list[float]:
    measures = seen(path)[1]
    return [measures[name] for name in BASE]


def report(made: dict[str, list[Path]], real: dict[str, list[Path]], listed: bool) -> None:
    """Print how many of each kind have each fact."""
    names = ("bw", "dark", "blurred", "screenshot", "document", "like a screen")
    print(f"{'':<22}{'photos':>8}" + "".join(f"{name:>15}" for name in names))
    for title, paths in (made | real).items():
        found = [(path, *seen(path)) for path in paths]
        counts = {name: [path for path, facts, _ in found if name in facts] for name in names}
        counts["like a screen"] = [path for path, _, measures in found if looks.is_like_a_screen(measures)]
        print(f"{title:<22}{len(found):>8}" + "".join(f"{len(counts[name]):>15}" for name in names))
        if listed and title in real:
            for name in names:
                print(f"  {name}: {' '.join(path.name for path in counts[name])}")
    picture, rounds = Image.fromarray(decode_photo(real["coco"][0], 260, 1 << 40).pixels), 200
    started = time.process_time()
    for _ in range(rounds):
        looks.measure(picture)
    print(f"{(time.process_time() - started) / rounds * 1000:.2f} ms of processor time a photo")


if __name__ == "__main__":
    main()
