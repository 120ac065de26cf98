"""Thumbnails: upright, of the photo's shape, kept by content, and never more than allowed."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photoindex.config import Settings
from photoindex.media.decode import decode_photo, decode_with_thumbnails, make_thumbnails
from photoindex.media.thumbnail_files import LIST_SIDES
from photoindex.media.thumbnails import SIDE, Thumbnails
from tests.permissions import permissions_count
from tests.support import make_photo


def content(path: Path) -> tuple[str, Path]:
    return hashlib.sha256(path.read_bytes()).hexdigest(), path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "thumbnails"


def thumbnails(folder: Path, limit: int = 1_000_000) -> Thumbnails:
    return Thumbnails(folder, limit, Settings(folder.parent))


def opened(picture: bytes | None) -> Image.Image:
    assert picture is not None
    return Image.open(io.BytesIO(picture))


def test_a_thumbnail_is_upright_and_has_the_photos_shape(folder: Path, tmp_path: Path) -> None:
    image = Image.new("RGB", (800, 400), (220, 20, 20))
    image.paste((20, 20, 220), (0, 0, 400, 400))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise: what is left comes to be at the top
    image.save(tmp_path / "a.jpg", exif=exif)
    [picture] = thumbnails(folder).of([content(tmp_path / "a.jpg")])
    seen = opened(picture)
    assert seen.size == (SIDE // 2, SIDE)
    top, bottom = seen.getpixel((80, 20)), seen.getpixel((80, 300))
    assert isinstance(top, tuple)
    assert isinstance(bottom, tuple)
    assert (top[2] > 200, bottom[0] > 200) == (True, True)


def test_it_is_made_once_for_a_content_wherever_that_is(folder: Path, tmp_path: Path) -> None:
    first = make_photo(tmp_path / "a.jpg")
    wanted = content(first)
    [picture] = thumbnails(folder).of([wanted])
    moved = first.rename(tmp_path / "b.jpg")
    moved.write_bytes(b"")  # it is not read again
    assert list(thumbnails(folder).of([(wanted[0], moved)])) == [picture]


def test_photos_that_cannot_be_read_have_none_and_the_order_is_kept(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_text("no photo")
    red, blue = make_photo(tmp_path / "red.jpg"), make_photo(tmp_path / "blue.jpg", "blue")
    [one, nothing, two, gone] = thumbnails(folder).of(
        [content(red), content(tmp_path / "bad.jpg"), content(blue), ("0" * 64, tmp_path / "gone.jpg")]
    )
    assert nothing is gone is None
    assert opened(one).getpixel((9, 9))[0] > 200  # type: ignore[index]
    assert opened(two).getpixel((9, 9))[2] > 200  # type: ignore[index]


def test_a_photo_that_took_anothers_place_is_not_kept_for_it(folder: Path, tmp_path: Path) -> None:
    path = make_photo(tmp_path / "a.jpg", "red")
    before = content(path)
    make_photo(path, "blue")
    [picture] = thumbnails(folder).of([before])
    assert opened(picture).getpixel((9, 9))[2] > 200  # type: ignore[index]
    assert list(folder.glob("*/*")) == []


def test_a_damaged_one_is_made_again(folder: Path, tmp_path: Path) -> None:
    wanted = [content(make_photo(tmp_path / "a.jpg"))]
    [picture] = thumbnails(folder).of(wanted)
    [place] = folder.glob("*/*")
    place.write_bytes(place.read_bytes()[:50])
    assert list(thumbnails(folder).of(wanted)) == [picture]
    assert place.read_bytes() == picture


def test_those_not_used_for_longest_go_when_there_are_too_many(folder: Path, tmp_path: Path) -> None:
    photos = [content(make_photo(tmp_path / f"{name}.jpg", name)) for name in ("red", "green", "blue")]
    pictures = list(thumbnails(folder).of(photos))
    for age, (digest, _) in enumerate(photos):
        [place] = folder.glob(f"*/{digest}*")
        os.utime(place, (1_600_000_000 - age,) * 2)  # blue is the oldest
    list(thumbnails(folder).of(photos[2:]))  # and used just now
    size = sum(len(picture or b"") for picture in pictures)
    new = content(make_photo(tmp_path / "white.jpg", "white"))
    list(thumbnails(folder, size).of([new]))
    kept = {path.name[:64] for path in folder.glob("*/*")}
    assert kept >= {photos[2][0], new[0]}
    assert photos[1][0] not in kept
    assert sum(path.stat().st_size for path in folder.glob("*/*")) <= size


def test_none_are_kept_when_there_is_no_room_for_any(folder: Path, tmp_path: Path) -> None:
    [picture] = thumbnails(folder, 0).of([content(make_photo(tmp_path / "a.jpg"))])
    assert picture is not None
    assert not folder.exists()


def test_a_folder_that_cannot_be_written_costs_only_time(folder: Path, tmp_path: Path) -> None:
    folder.mkdir(mode=0o500)
    photo = make_photo(tmp_path / "a.jpg")
    with permissions_count():
        [picture] = thumbnails(folder).of([content(photo)])
    assert picture is not None
    assert list(folder.iterdir()) == []


def test_a_file_where_the_folder_would_be_costs_only_time(folder: Path, tmp_path: Path) -> None:
    folder.write_text("in the way")
    [picture] = thumbnails(folder).of([content(make_photo(tmp_path / "a.jpg"))])
    assert picture is not None


SHAPES = [
    (4000, 3000),
    (3000, 4000),
    (2600, 2600),
    (3466, 2600),
    (1000, 750),
    (500, 400),
    (480, 20),
    (30, 20),
    (1, 1),
    (3, 900),
]


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
@pytest.mark.parametrize("shape", SHAPES)
def test_thumbnails_beside_the_pixels_do_not_change_them(tmp_path: Path, shape: tuple[int, int], name: str) -> None:
    path = tmp_path / name
    Image.effect_noise((40, 30), 90).resize(shape).convert("RGB").save(path)
    plain, both = decode_photo(path, 260, 10**9), decode_with_thumbnails(path, 260, 10**9)
    assert np.array_equal(plain.pixels, both.pixels)
    assert (plain.facts, plain.fingerprint) == (both.facts, both.fingerprint)
    alone = make_thumbnails(path, LIST_SIDES[0], 10**9)
    assert set(alone.thumbnails) == set(LIST_SIDES)
    assert set(both.thumbnails) in (set(), set(LIST_SIDES))
    assert both.thumbnails or min(shape) >= 2600  # not there where they would take decoding it larger
    for made in (alone.thumbnails, both.thumbnails):
        for side, picture in made.items():
            with Image.open(io.BytesIO(picture)) as image:
                assert max(image.size) <= min(side * 1.1, max(shape))
                assert max(image.size) >= min(side, max(shape)) - 1
                for got, wanted in zip(image.size, shape, strict=True):
                    assert abs(got - wanted * max(image.size) / max(shape)) <= 1


def test_a_thumbnail_of_a_turned_photo_is_upright_and_carries_no_metadata(tmp_path: Path) -> None:
    image = Image.new("RGB", (4000, 2000), (220, 20, 20))
    image.paste((20, 20, 220), (0, 0, 2000, 2000))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a secret"
    image.save(tmp_path / "a.jpg", exif=exif, comment="a secret")
    for side, picture in make_thumbnails(tmp_path / "a.jpg", 480, 10**9).thumbnails.items():
        assert b"secret" not in picture
        with Image.open(io.BytesIO(picture)) as seen:
            assert seen.size[1] == 2 * seen.size[0] >= side
            assert seen.getpixel((20, 20))[2] > 200
