"""Photoshop documents in all depths, colour modes and packings, with and without more channels than the picture has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from photoindex.errors import DamagedPhoto, OversizedPhoto, UnsupportedPhoto
from photoindex.media.decode import decode_photo, describe_photo
from tests.media.decode import photoshop
from tests.media.decode.photoshop import PLAIN, RUNS, ZIP, planes, psd

SIZE, LIMIT = 32, 10_000
NEAR = 3  # grey levels


@pytest.fixture
def picture() -> Image.Image:
    """Four fields, red, green, blue and grey, of 61 x 33 pixels: no row is a whole number of words."""
    pixels = np.zeros((33, 61, 3), np.uint8)
    pixels[:16, :30], pixels[:16, 30:] = (220, 30, 20), (20, 180, 40)
    pixels[16:, :30], pixels[16:, 30:] = (10, 40, 210), (120, 120, 120)
    return Image.fromarray(pixels)


def read(path: Path, content: bytes) -> NDArray[np.uint8]:
    path.write_bytes(content)
    return decode_photo(path, SIZE, LIMIT).pixels


def fields(pixels: NDArray[np.uint8]) -> NDArray[np.int16]:
    """The colours in the middle of the four fields."""
    quarter = len(pixels) // 4
    return pixels[[quarter, quarter, -quarter, -quarter], [quarter, -quarter, quarter, -quarter]].astype(np.int16)


def same(pixels: NDArray[np.uint8], picture: Image.Image, near: int = NEAR) -> bool:
    expected = np.asarray(picture.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BICUBIC))
    return int(np.abs(fields(pixels) - fields(expected)).max()) <= near


@pytest.mark.parametrize("packed", [PLAIN, RUNS, ZIP])
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("extra", [0, 1, 3])
def test_channels_behind_the_colours_do_not_shift_them(
    tmp_path: Path, picture: Image.Image, packed: int, version: int, extra: int
) -> None:
    mask = np.full((33, 61), 7, np.uint8)

    pixels = read(
        tmp_path / "a.psd",
        psd(photoshop.RGB, [*planes(picture), *[mask] * extra], packed=packed, version=version),
    )

    assert same(pixels, picture)


@pytest.mark.parametrize("packed", [PLAIN, RUNS, ZIP])
def test_sixteen_bits(tmp_path: Path, picture: Image.Image, packed: int) -> None:
    deep = [(channel.astype(">u2") * 257).astype(">u2") for channel in planes(picture)]

    assert same(read(tmp_path / "a.psd", psd(photoshop.RGB, deep, depth=16, packed=packed)), picture)


@pytest.mark.parametrize("packed", [PLAIN, RUNS])
def test_thirty_two_bits_are_linear_light(tmp_path: Path, picture: Image.Image, packed: int) -> None:
    parts = [channel / 255.0 for channel in planes(picture)]
    light = [np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4).astype(">f4") for part in parts]

    assert same(read(tmp_path / "a.psd", psd(photoshop.RGB, light, depth=32, packed=packed)), picture)


@pytest.mark.parametrize("mode", [photoshop.GREY, photoshop.DUOTONE])
@pytest.mark.parametrize("depth", [8, 16])
def test_greys_and_duotones(tmp_path: Path, picture: Image.Image, mode: int, depth: int) -> None:
    grey = planes(picture.convert("L"))
    channels = grey if depth == 8 else [(grey[0].astype(">u2") * 257).astype(">u2")]

    assert same(read(tmp_path / "a.psd", psd(mode, channels, depth=depth)), picture.convert("L"))


def test_bitmaps(tmp_path: Path, picture: Image.Image) -> None:
    black = np.asarray(picture.convert("L")) < 100
    channel = np.packbits(black, axis=1)

    pixels = read(tmp_path / "a.psd", psd(photoshop.BITMAP, [channel], depth=1, width=61))

    assert same(pixels, Image.fromarray(np.where(black, 0, 255).astype(np.uint8)))


def test_indexed_colours(tmp_path: Path, picture: Image.Image) -> None:
    indexed = picture.quantize(16)
    table = np.zeros((256, 3), np.uint8)
    palette = np.array(indexed.getpalette(), np.uint8).reshape(-1, 3)
    table[: len(palette)] = palette

    content = psd(photoshop.INDEXED, [np.asarray(indexed)], colours=table.T.tobytes(), packed=RUNS)

    assert same(read(tmp_path / "a.psd", content), indexed)


@pytest.mark.parametrize("extra", [0, 1])
def test_ink_is_stored_as_its_absence(tmp_path: Path, picture: Image.Image, extra: int) -> None:
    inks = [255 - channel for channel in planes(picture.convert("CMYK"))]
    spot = [np.zeros((33, 61), np.uint8)] * extra

    assert same(read(tmp_path / "a.psd", psd(photoshop.CMYK, [*inks, *spot])), picture)


def test_lab(tmp_path: Path, picture: Image.Image) -> None:
    transform = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    lab = transform.apply(picture)

    assert same(read(tmp_path / "a.psd", psd(photoshop.LAB, planes(lab))), picture, near=14)  # 8 bits of Lab are coarse


def test_what_is_transparent_lies_on_white(tmp_path: Path, picture: Image.Image) -> None:
    alpha = np.full((33, 61), 255, np.uint8)
    alpha[:, :30] = 0

    pixels = read(tmp_path / "a.psd", psd(photoshop.RGB, [*planes(picture), alpha], transparent=True))

    assert fields(pixels)[0].min() >= 250
    assert np.abs(fields(pixels)[1] - (20, 180, 40)).max() <= NEAR


@pytest.mark.parametrize(
    ("mode", "depth", "reason"),
    [(photoshop.MULTICHANNEL, 8, "multichannel"), (photoshop.RGB, 24, "24 bits"), (5, 8, "colour mode 5")],
)
def test_what_cannot_be_read_is_unsupported_and_not_damaged(
    tmp_path: Path, picture: Image.Image, mode: int, depth: int, reason: str
) -> None:
    with pytest.raises(UnsupportedPhoto, match=reason):
        read(tmp_path / "a.psd", psd(mode, planes(picture), depth=depth))


def test_an_unknown_packing_is_unsupported(tmp_path: Path, picture: Image.Image) -> None:
    start = planes(picture)[0].tobytes()[:40]
    content = psd(photoshop.RGB, planes(picture)).replace(b"\0\0" + start, b"\0\3" + start)

    with pytest.raises(UnsupportedPhoto, match="compression 3"):
        read(tmp_path / "a.psd", content)


@pytest.mark.parametrize("packed", [PLAIN, RUNS, ZIP])
@pytest.mark.parametrize("kept", [20, 60, 0.5, 0.95])
def test_one_that_is_cut_off_is_damaged(tmp_path: Path, picture: Image.Image, packed: int, kept: float) -> None:
    content = psd(photoshop.RGB, planes(picture), packed=packed)

    with pytest.raises(DamagedPhoto):
        read(tmp_path / "a.psd", content[: int(kept if kept >= 1 else len(content) * kept)])


def test_the_limit_counts_before_anything_is_decoded(tmp_path: Path, picture: Image.Image) -> None:
    with pytest.raises(OversizedPhoto, match="61 x 33"):
        (tmp_path / "a.psd").write_bytes(psd(photoshop.RGB, planes(picture)))
        decode_photo(tmp_path / "a.psd", SIZE, 61 * 33 - 1)
    with pytest.raises(OversizedPhoto, match="61 x 33"):
        describe_photo(tmp_path / "a.psd", SIZE, 61 * 33 - 1)
