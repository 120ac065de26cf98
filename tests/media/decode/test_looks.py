"""What a photo looks like: black and white, dark, blurred, a screenshot, a document."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageOps, PngImagePlugin

from photoindex.media.decode import Decoder, describe_photo
from photoindex.media.decode.photo import decode_photo
from photoindex.types import DecodedPhoto

SIZE = 224
WORDS = "the quick brown fox jumps over a lazy dog and walks home along the river at night".split()


def scene(width: int = 960, height: int = 640) -> Image.Image:
    """Something with colours, light, shade and fine detail."""
    chance = np.random.default_rng(7)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    base = np.stack([90 + 120 * x / width, 60 + 140 * y / height, 200 - 110 * x / width], axis=2)
    image = Image.fromarray((base + chance.normal(0, 18, base.shape)).clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for number in range(120):
        left, top = int(chance.integers(width)), int(chance.integers(height))
        colour = tuple(map(int, chance.integers(0, 255, 3)))
        draw.ellipse((left, top, left + 20 + number % 50, top + 14 + number % 40), fill=colour)
    return image


def dimmed(photo: Image.Image) -> Image.Image:
    return photo.point([level // 5 for level in range(256)] * 3)


def page(width: int = 1240, height: int = 1754, paper: int = 255, ink: int = 10) -> Image.Image:
    """Lines of text."""
    image = Image.new("RGB", (width, height), (paper, paper, paper))
    draw, chance = ImageDraw.Draw(image), random.Random(3)
    for y in range(height // 12, height - height // 12, height // 55):
        line = " ".join(chance.choices(WORDS, k=chance.randint(9, 14)))
        draw.text((width // 10, y), line, fill=(ink, ink, ink), font_size=height // 75)
    return image


def screen(width: int, height: int) -> Image.Image:
    """A window with a bar, a list at its side and lines of text."""
    image = page(width, height, 30, 220)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, width, height // 18), fill=(45, 45, 52))
    draw.rectangle((0, height // 18, width // 12, height), fill=(20, 20, 25))
    return image


def decoded(tmp_path: Path, photo: Image.Image, name: str = "photo.jpg", **options: object) -> DecodedPhoto:
    path = tmp_path / name
    photo.save(path, **options)  # type: ignore[arg-type]
    return decode_photo(path, SIZE, 10**9)


def looks(tmp_path: Path, photo: Image.Image, name: str = "photo.jpg", **options: object) -> set[str]:
    found = decoded(tmp_path, photo, name, **options).looks
    assert found is not None
    return set(found)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif"])
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda photo: photo, set()),
        (ImageOps.grayscale, {"bw"}),
        (lambda photo: ImageOps.grayscale(photo).convert("RGB"), {"bw"}),
        (dimmed, {"dark"}),
        (lambda photo: photo.filter(ImageFilter.GaussianBlur(14)), {"blurred"}),
        (lambda photo: ImageOps.grayscale(dimmed(photo)), {"bw", "dark"}),
        (lambda photo: photo.transpose(Image.Transpose.ROTATE_90), set()),
    ],
)
def test_a_photo_is_what_was_done_to_it(
    tmp_path: Path, name: str, change: Callable[[Image.Image], Image.Image], expected: set[str]
) -> None:
    assert looks(tmp_path, change(scene()), name) == expected


@pytest.mark.parametrize("size", [(1920, 1080), (1170, 2532), (739, 1600)])
@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_a_window_in_the_size_of_a_screen_is_a_screenshot(tmp_path: Path, size: tuple[int, int], name: str) -> None:
    assert "screenshot" in looks(tmp_path, screen(*size), name)


@pytest.mark.parametrize(
    "name",
    ["Screenshot 2024-05-01 at 12.00.00.png", "Screen Shot 2019.jpg", "Screenshot_20240501-120000.jpg",
     "Bildschirmfoto 2024-05-01.png", "Capture d’écran 2024.png", "スクリーンショット 2024.png"],
)  # fmt: skip
def test_a_name_that_systems_give_screenshots_is_believed(tmp_path: Path, name: str) -> None:
    assert "screenshot" in looks(tmp_path, scene(), name)


def test_what_phones_write_into_a_screenshot_is_believed(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0Screenshot"
    assert "screenshot" in looks(tmp_path, scene(), exif=exif)
    info = PngImagePlugin.PngInfo()
    xmp = '<rdf:li xml:lang="x-default">Screenshot</rdf:li>'
    info.add_itxt(
        "XML:com.adobe.xmp", f"<x:xmpmeta><exif:UserComment><rdf:Alt>{xmp}</rdf:Alt></exif:UserComment></x:xmpmeta>"
    )
    assert "screenshot" in looks(tmp_path, scene(), "b.png", pnginfo=info)


def test_what_a_camera_took_is_no_screenshot(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Canon", "EOS R"
    assert "screenshot" not in looks(tmp_path, screen(1920, 1080), "Screenshot.jpg", exif=exif)


@pytest.mark.parametrize(("name", "expected"), [("a.png", {"screenshot"}), ("a.jpg", set())])
def test_in_the_size_of_a_photo_only_a_png_is_a_screenshot(tmp_path: Path, name: str, expected: set[str]) -> None:
    assert looks(tmp_path, screen(2048, 1536), name) & {"screenshot"} == expected


def test_a_photo_in_the_size_of_a_screen_is_no_screenshot(tmp_path: Path) -> None:
    assert "screenshot" not in looks(tmp_path, scene(1600, 1200))


@pytest.mark.parametrize("paper", [255, 236])
def test_a_page_of_text_is_a_document(tmp_path: Path, paper: int) -> None:
    assert looks(tmp_path, page(paper=paper), "page.png") & {"document", "screenshot"} == {"document"}


def test_a_thumbnail_is_not_blurred_for_being_small(tmp_path: Path) -> None:
    assert looks(tmp_path, scene().resize((90, 60))) == set()


@pytest.mark.parametrize("level", [0, 128, 255])
def test_an_even_frame_is_nothing_but_dark(tmp_path: Path, level: int) -> None:
    assert looks(tmp_path, Image.new("RGB", (400, 300), (level, level, level))) == ({"dark"} if level < 70 else set())


def test_the_size_that_was_asked_for_does_not_matter(tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    for change in (scene(), dimmed(scene()), page(), scene().filter(ImageFilter.GaussianBlur(14))):
        change.save(photo)
        assert len({decode_photo(photo, size, 10**9).looks for size in (224, 260, 320)}) == 1


def test_workers_hand_the_looks_over_and_metadata_has_none(tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    ImageOps.grayscale(scene()).save(photo)
    assert describe_photo(photo, 1, 10**9).looks is decode_photo(photo, 32, 10**9).looks is None
    for function, expected in ((decode_photo, frozenset({"bw"})), (describe_photo, None)):
        with Decoder(SIZE, 1, 60, 10**9, function) as decoder:
            [(_, answer)] = decoder.decode([photo])
        assert isinstance(answer, DecodedPhoto)
        assert answer.looks == expected
