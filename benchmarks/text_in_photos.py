"""How well text in photos is found and read, and what it costs.

python benchmarks/text_in_photos.py accuracy --photos DIR    recall of drawn text, by size, angle, contrast, font, ...
python benchmarks/text_in_photos.py captions --photos DIR    captions that are made of text, right and wrong ones
python benchmarks/text_in_photos.py gate --photos DIR        precision and recall of the glance at several sizes
python benchmarks/text_in_photos.py gated --library DIR      what the shipped model's gate would have left out
python benchmarks/text_in_photos.py throughput --photos DIR  photos a second with the text step on and off, and memory

The library is one in which all photos were glanced at, such as `photoindex evaluate search --library` makes with a
model without a gate. Elsewhere DIR holds photos, with or without text, as they are. Text is drawn onto copies of them
(benchmarks/drawn_text.py), made 1600 pixels on the longer side, with a height of capitals given in pixels of that size.
A line counts as read when its letters and digits are found, in order, in what was read; spaces and case do not count.
"""

from __future__ import annotations

import argparse
import dataclasses
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path
from random import Random

import numpy as np
from drawn_text import Style, draw, fonts, page, photographed, phrase, receipt, screenshot, sign
from footprint import memory_mb
from numpy.typing import NDArray
from PIL import Image
from side_by_side import machine

from photoindex.captioner import model_folder
from photoindex.captioner.text_gate import load_gate
from photoindex.catalogue.term_encoding import vector_batch
from photoindex.errors import PhotoError
from photoindex.media.decode import decode_photo
from photoindex.media.decode.photo import picture_of
from photoindex.media.text import read as reading
from photoindex.media.text.caption import caption_of
from photoindex.training.text_gate import LEAST_SIGNS, SURE

MAX_PIXELS = 300_000_000
BASE = Style(24, contrast=0.8)
GLANCES = (256, 320, 480, 640)
SOURCES = 16  # given photos that are copied into a mixed folder


def folded(text: str) -> str:
    return "".join(each for each in text.casefold() if each.isalnum())


def photos_in(folder: Path, count: int, random: Random) -> list[Image.Image]:
    """Return photos of a folder, some 1600 pixels on the longer side; those that cannot be read are left out."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    found: list[Image.Image] = []
    for path in random.sample(files, len(files)):
        try:
            picture = picture_of(path, 1600, MAX_PIXELS)
        except PhotoError:
            continue
        scale = 1600 / max(picture.size)
        found.append(picture.resize((round(picture.width * scale), round(picture.height * scale))))
        if len(found) == count:
            break
    return found


def recall(styles: Callable[[Random], Style], photos: Sequence[Image.Image], seed: int) -> tuple[float, int]:
    """Return the share of drawn lines that is read, and how many were drawn."""
    random, drawn, right = Random(seed), 0, 0
    for photo in photos:
        picture, text = photo.copy(), phrase(random, 2)
        if draw(picture, text, styles(random), random) is None:
            continue
        drawn += 1
        said = "\n".join(folded(line.text) for line in reading._read(picture).lines)
        right += folded(text) in said
    return right / max(1, drawn), drawn


def accuracy(options: argparse.Namespace) -> None:
    random = Random(options.seed)
    photos = photos_in(options.photos, options.count, random)
    faces = fonts()

    def rows(name: str, values: Sequence[object], change: Callable[[object], dict[str, object]]) -> None:
        for value in values:

            def style(chance: Random, value: object = value) -> Style:
                given = {"plate": chance.random() < 0.5, "font": chance.choice(faces), **change(value)}
                return dataclasses.replace(BASE, **given)  # type: ignore[arg-type]

            share, drawn = recall(style, photos, options.seed)
            print(f"{name:<28}{value!s:<10}{share:6.0%} of {drawn}", flush=True)

    print("drawn text that is read, letter by letter")
    rows("height of capitals, px", (8, 10, 12, 16, 24, 48), lambda value: {"height": value})
    rows("angle, degrees", (10, 30, 45, 90, 180), lambda value: {"angle": value})
    rows("contrast", (0.15, 0.3, 0.5), lambda value: {"contrast": value})
    rows("blur, share of the height", (0.05, 0.1, 0.15), lambda value: {"blur": 24 * value})  # type: ignore[operator]
    rows("perspective", (0.3, 0.6), lambda value: {"tilt": value})
    rows("ground", ("plate", "photo"), lambda value: {"plate": value == "plate"})
    kinds = {"sans": "DejaVuSans.ttf", "serif": "DejaVuSerif.ttf", "mono": "DejaVuSansMono.ttf", "italic": "Oblique"}
    for kind, part in kinds.items():
        chosen = [face for face in faces if part in face]
        if chosen:
            rows("font", (kind,), lambda _value, face=chosen[0]: {"font": face})  # type: ignore[misc]


def gate(options: argparse.Namespace) -> None:
    random = Random(options.seed)
    photos = photos_in(options.photos, options.count, random)
    engine, faces = reading.engine(), fonts()
    closely = [bool(reading._read(photo).lines) for photo in photos]
    print(f"{sum(closely)} of {len(photos)} photos hold text when they are read closely")
    heights = (10, 16, 24, 40, 80)
    pictures = {height: [with_text(photo, height, faces, random) for photo in photos] for height in heights}
    for side in GLANCES:
        started = time.perf_counter()
        plain = [engine.has_text(smaller(photo, side)) for photo in photos]
        seconds = (time.perf_counter() - started) / len(photos)
        right = sum(a and b for a, b in zip(plain, closely, strict=True))
        found = {
            height: sum(engine.has_text(smaller(each, side)) for each in drawn) / len(drawn)
            for height, drawn in pictures.items()
        }
        print(
            f"glance at {side}: {1000 * seconds:.0f} ms a photo; precision {right / max(1, sum(plain)):.0%}, recall "
            f"{right / max(1, sum(closely)):.0%} on these photos; drawn capitals of "
            + ", ".join(f"{height} px {share:.0%}" for height, share in found.items()),
            flush=True,
        )


def captions(options: argparse.Namespace) -> None:
    """Captions made of text, on drawn pages, plain and as they are photographed, and on the given photos."""
    random, faces = Random(options.seed), fonts()
    photos = photos_in(options.photos, options.count, random)
    kinds: dict[str, Callable[[str], tuple[Image.Image, list[str]]]] = {
        "document": lambda face: page((1200, 1600), 18, random, face),
        "receipt": lambda face: receipt(random, face),
        "sign": lambda face: sign(random, face),
        "screenshot": lambda face: screenshot(random, face),
    }
    for kind, made in kinds.items():
        for way in ("as it is", "photographed"):
            said = right = quoted = 0
            for photo in photos:
                flat, lines = made(random.choice(faces))
                caption = caption_of_picture(flat if way == "as it is" else photographed(flat, photo, random), kind)
                if caption is None:
                    continue
                said += 1
                right += caption.startswith(f"a {kind} ")
                quote = folded(caption.partition('"')[2].rstrip('"… '))
                quoted += folded(" ".join(lines)).startswith(quote)
            print(f"{kind}, {way}: {said} of {len(photos)} have a caption of it, {right} name its kind, {quoted} quote "
                  "every letter right", flush=True)  # fmt: skip
    lined = [with_text(photo, 24, faces, random) for photo in photos]
    print(f"photos with a drawn line of 24 pixels: {sum(caption_of_picture(each) is not None for each in lined)} of "
          f"{len(lined)} have a caption of it")  # fmt: skip
    files = sorted(path for path in options.photos.rglob("*") if path.is_file())
    found = {path.name: caption_of_file(path) for path in files}
    print(f"{len(found)} given photos: {sum(each is not None for each in found.values())} have a caption of text")
    for name, caption in found.items():
        if caption is not None:
            print(f"  {name}: {caption}")


def caption_of_picture(picture: Image.Image, kind: str = "") -> str | None:
    """Return the caption that text makes of a picture; what is no screen is saved as a camera would save it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("1.png" if kind == "screenshot" else "1.jpg")
        picture.save(path, quality=92)
        return caption_of_file(path)


def caption_of_file(path: Path) -> str | None:
    try:
        looks = decode_photo(path, 260, MAX_PIXELS).looks
        text = reading.read_text_closely(path, 1, MAX_PIXELS).text
    except PhotoError:
        return None
    return None if text is None else caption_of(text.lines, looks)


def gated(options: argparse.Namespace) -> None:
    """Ask the gate about photos that were glanced at without it."""
    gate = load_gate(model_folder("default"))
    assert gate is not None, "the shipped model has no gate"
    with closing(sqlite3.connect(f"file:{options.library / 'catalogue.sqlite3'}?mode=ro", uri=True)) as connection:
        photos = vector_batch(connection.execute("select photo_id, entries from term_vector order by photo_id"))
        passes = gate.may_hold_text(photos)

        def those(query: str) -> NDArray[np.bool_]:
            return np.isin(photos.photo_ids, [number for (number,) in connection.execute(query)])

        glanced = those("select id from photo where text_reader > 0")
        sure = those(f"select photo_id from text_line where confidence >= {SURE} and length(text) >= {LEAST_SIGNS}")
    print(f"{len(passes)} photos: {passes.sum()} pass the gate; a glance finds a sign of text in {glanced.sum()}, in "
          f"{(glanced & passes).sum()} of those that pass; of {sure.sum()} in which text was surely read then, "
          f"{(sure & passes).sum()} pass")  # fmt: skip


def with_text(photo: Image.Image, height: float, faces: Sequence[str], random: Random) -> Image.Image:
    picture = photo.copy()
    style = dataclasses.replace(BASE, height=height, plate=random.random() < 0.5, font=random.choice(faces))
    draw(picture, phrase(random, 2), style, random)
    return picture


def smaller(picture: Image.Image, side: int) -> Image.Image:
    small = picture.copy()
    small.thumbnail((side, side), Image.Resampling.BICUBIC)
    return small


def throughput(options: argparse.Namespace) -> None:
    """Index the same folder with and without the text step, in turns, by the command line."""
    random = Random(options.seed)
    print(machine("rapidocr", "openvino"))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "photos"
        folder.mkdir()
        mixed_folder(folder, options, random)
        for turn in range(options.turns):
            for setting in ("never", "auto"):
                ran = index(folder, Path(place) / f"library-{setting}-{turn}", setting, options.count)
                print(
                    f"read_text={setting}: captions {options.count / ran.captioned:.2f} photos/s, all "
                    f"{options.count / ran.seconds:.2f} photos/s ({ran.seconds:.0f} s, {ran.processor:.0f} s of "
                    f"processors); {ran.megabytes:.0f} MB at most, all processes",
                    flush=True,
                )


def mixed_folder(folder: Path, options: argparse.Namespace, random: Random) -> None:
    """Write photos of which a tenth has text: half of those a drawn line, half a page. The others are copies of photos
    at hand in which none is found when they are read closely; a few bytes behind the picture make each another photo.
    """
    files = random.sample(found := sorted(path for path in options.photos.rglob("*") if path.is_file()), len(found))
    plain = list(islice(filter(is_without_text, files), SOURCES))
    for number in range(options.count):
        source = plain[number % len(plain)]
        if number % 20 == 0:
            picture, _ = page((1200, 1600), 18, random)
            picture.save(folder / f"{number}.png")
        elif number % 20 == 10:
            picture = picture_of(source, 1600, MAX_PIXELS)
            draw(picture, phrase(random, 2), Style(max(14, picture.width / 40)), random)
            picture.save(folder / f"{number}.jpg", quality=92)
        else:
            (folder / f"{number}{source.suffix}").write_bytes(source.read_bytes() + number.to_bytes(8, "big"))


def is_without_text(path: Path) -> bool:
    try:
        text = reading.read_text_closely(path, 1, MAX_PIXELS).text
    except PhotoError:
        return False
    return text is not None and not text.lines


@dataclasses.dataclass
class Run:
    """What indexing took: seconds until all photos had captions, until the end, and of processors; and the most memory
    that its processes held together, shared pages counted once."""

    captioned: float = 0.0
    seconds: float = 0.0
    processor: float = 0.0
    megabytes: float = 0.0


def index(folder: Path, library: Path, setting: str, count: int) -> Run:
    command = [sys.executable, "-m", "photoindex", "-q", "--data-dir", str(library), "--set", f"read_text={setting}",
               "index", str(folder)]  # fmt: skip
    ran, before, started = Run(), resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        time.sleep(0.25)
        with suppress(OSError, ValueError):
            ran.megabytes = max(ran.megabytes, memory_mb(process.pid)[1])
        if not ran.captioned and captioned(library / "catalogue.sqlite3") >= count:
            ran.captioned = time.perf_counter() - started
    ran.seconds = time.perf_counter() - started
    ran.captioned = ran.captioned or ran.seconds
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    ran.processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return ran


def captioned(catalogue: Path) -> int:
    """Return how many photos have a caption of the model by now."""
    try:
        with closing(sqlite3.connect(f"file:{catalogue}?mode=ro", uri=True)) as connection:
            [[count]] = connection.execute("select count(distinct photo_id) from caption where source = 'model'")
    except sqlite3.Error:  # not made yet
        return 0
    return int(count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("accuracy", "captions", "gate", "gated", "throughput"))
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--library", type=Path)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    needed = "library" if options.what == "gated" else "photos"
    if getattr(options, needed) is None:
        parser.error(f"{options.what} needs --{needed}")
    {"accuracy": accuracy, "captions": captions, "gate": gate, "gated": gated, "throughput": throughput}[options.what](
        options
    )


if __name__ == "__main__":
    main()
