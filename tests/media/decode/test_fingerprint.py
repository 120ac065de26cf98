"""Fingerprints stay the same where photos look the same, and differ where they do not."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from PIL import Image, ImageEnhance, ImageFilter
from skimage import data
from sklearn.datasets import load_sample_images

from photoindex.media.decode.fingerprint import fingerprint_of


@pytest.fixture(scope="module")
def photos() -> list[Image.Image]:
    arrays = [*load_sample_images().images, data.chelsea(), data.coffee(), data.astronaut()]
    return [Image.fromarray(array) for array in arrays]


def bits_apart(one: bytes, other: bytes) -> int:
    return bin(int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).count("1")


def recompressed(image: Image.Image) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=30)
    return Image.open(file)


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "smaller": lambda image: image.resize((image.width // 3, image.height // 3)),
    "squashed": lambda image: image.resize((260, 260)),
    "recompressed": recompressed,
    "lighter": lambda image: ImageEnhance.Brightness(image).enhance(1.1),
    "grey": lambda image: image.convert("L"),
    "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(3)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_photo_that_is_changed_a_little_keeps_nearly_all_bits(photos: list[Image.Image], change: str) -> None:
    for image in photos:
        assert bits_apart(fingerprint_of(image), fingerprint_of(CHANGES[change](image))) <= 10


def test_other_photos_and_a_mirrored_one_have_other_bits(photos: list[Image.Image]) -> None:
    mirrored = photos[0].transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    prints = [fingerprint_of(image) for image in (*photos, mirrored)]
    assert all(len(each) == 16 for each in prints)
    apart = [bits_apart(one, other) for place, one in enumerate(prints) for other in prints[:place]]
    assert min(apart) > 25


def test_a_picture_that_hardly_varies_has_none() -> None:
    assert fingerprint_of(Image.new("RGB", (100, 80), "black")) == b""
    noisy = Image.effect_noise((200, 200), 20)
    assert fingerprint_of(noisy.filter(ImageFilter.GaussianBlur(4))) == b""
