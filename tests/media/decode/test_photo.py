"""Files of every kind, good and bad, through decode_photo."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFile, TiffImagePlugin

from photoindex.errors import DamagedPhoto, EmptyPhoto, NotAPhoto, OversizedPhoto, UnreadablePhoto
from photoindex.media.decode import photo as photo_module
from photoindex.media.decode.photo import decode_photo
from tests.permissions import permissions_count

SIZE = 200  # large enough that the small photos below are not shrunk before the bicubic filter
LIMIT = 300_000_000
ORIENTATION = 0x0112

# How an upright picture has to be stored for each orientation to turn it back.
STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.fixture(scope="module")
def china() -> Image.Image:
    """A photo of 640 x 427 pixels."""
    from sklearn.datasets import load_sample_images

    return Image.fromarray(load_sample_images().images[0])


@pytest.fixture(scope="module")
def cat() -> Image.Image:
    """A photo of 451 x 300 pixels."""
    from skimage import data

    return Image.fromarray(data.chelsea())


def plain(image: Image.Image, size: int = SIZE) -> np.ndarray:
    return np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.BICUBIC))


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Mean absolute difference in grey levels."""
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


def worst(one: np.ndarray, other: np.ndarray) -> int:
    return int(np.abs(one.astype(int) - other.astype(int)).max())


class TestSquare:
    def test_a_photo_becomes_the_square_that_a_bicubic_resize_makes(self, cat: Image.Image, tmp_path: Path) -> None:
        cat.save(tmp_path / "cat.png")

        photo = decode_photo(tmp_path / "cat.png", 260, LIMIT)

        assert photo.pixels.dtype == np.uint8
        assert photo.pixels.shape == (260, 260, 3)
        assert np.array_equal(photo.pixels, plain(cat, 260))

    def test_facts_carry_the_format_and_the_full_size(self, china: Image.Image, tmp_path: Path) -> None:
        china.save(tmp_path / "china.jpg")

        facts = decode_photo(tmp_path / "china.jpg", SIZE, LIMIT).facts

        assert (facts.format, facts.width, facts.height, facts.orientation) == ("JPEG", 640, 427, 1)

    def test_the_content_decides_and_not_the_suffix(self, cat: Image.Image, tmp_path: Path) -> None:
        cat.save(tmp_path / "cat.jpg", format="PNG")

        assert decode_photo(tmp_path / "cat.jpg", SIZE, LIMIT).facts.format == "PNG"

    @pytest.mark.parametrize("suffix", ["png", "tif", "jpg"])
    def test_shrinking_early_stays_close_to_the_plain_resize(
        self, china: Image.Image, suffix: str, tmp_path: Path
    ) -> None:
        large = china.resize((1923, 1283), Image.Resampling.BICUBIC)
        large.save(tmp_path / f"large.{suffix}", quality=95)
        with Image.open(tmp_path / f"large.{suffix}") as stored:
            expected = plain(stored)

        pixels = decode_photo(tmp_path / f"large.{suffix}", SIZE, LIMIT).pixels

        assert difference(pixels, expected) < 1.5

    def test_a_thin_strip_is_squashed_too(self, cat: Image.Image, tmp_path: Path) -> None:
        strip = cat.resize((3001, 7), Image.Resampling.BICUBIC)
        strip.save(tmp_path / "strip.png")

        photo = decode_photo(tmp_path / "strip.png", SIZE, LIMIT)

        assert (photo.facts.width, photo.facts.height) == (3001, 7)
        assert difference(photo.pixels, plain(strip)) < 1.5

    def test_a_single_pixel_fills_the_square(self, tmp_path: Path) -> None:
        Image.new("RGB", (1, 1), (9, 99, 199)).save(tmp_path / "dot.png")

        pixels = decode_photo(tmp_path / "dot.png", SIZE, LIMIT).pixels

        assert (pixels == (9, 99, 199)).all()


class TestOrientation:
    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("name", ["photo.png", "photo.tif", "packed.tif", "photo.webp"])
    def test_every_orientation_gives_the_same_upright_pixels(
        self, cat: Image.Image, name: str, orientation: int, tmp_path: Path
    ) -> None:
        turn = STORED.get(orientation)
        stored = cat if turn is None else cat.transpose(turn)
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        options: dict[str, dict[str, Any]] = {
            "packed.tif": {"compression": "tiff_lzw"},
            "photo.webp": {"lossless": True},
        }
        stored.save(tmp_path / name, exif=exif, **options.get(name, {}))

        photo = decode_photo(tmp_path / name, SIZE, LIMIT)

        # Rounding differs where rows and columns have changed places.
        assert worst(photo.pixels, plain(cat)) <= 1
        assert (photo.facts.width, photo.facts.height) == cat.size
        assert photo.facts.orientation == orientation

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_every_orientation_of_a_jpeg_decoded_small_is_upright(
        self, china: Image.Image, orientation: int, tmp_path: Path
    ) -> None:
        turn = STORED.get(orientation)
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        (china if turn is None else china.transpose(turn)).save(tmp_path / "photo.jpg", exif=exif, quality=95)

        photo = decode_photo(tmp_path / "photo.jpg", 32, LIMIT)

        assert difference(photo.pixels, plain(china, 32)) < 2.5
        assert (photo.facts.width, photo.facts.height) == china.size

    def test_an_orientation_is_applied_though_the_rest_of_the_exif_is_cut_off(
        self, cat: Image.Image, tmp_path: Path
    ) -> None:
        exif = Image.Exif()
        exif[ORIENTATION] = 6
        exif[0x010F] = "a maker with a name far longer than four bytes"
        cut = exif.tobytes()[:-30]
        cat.transpose(STORED[6]).save(tmp_path / "cut.jpg", exif=cut, quality=95)

        photo = decode_photo(tmp_path / "cut.jpg", SIZE, LIMIT)

        assert difference(photo.pixels, plain(cat)) < 2.5

    @pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0garbage", b"Exif\0\0MM\0*\xff\xff\xff\xff" + b"\xff" * 40])
    def test_broken_exif_leaves_the_pixels_as_they_lie(self, cat: Image.Image, exif: bytes, tmp_path: Path) -> None:
        cat.save(tmp_path / "broken.jpg", exif=exif, quality=95)

        photo = decode_photo(tmp_path / "broken.jpg", SIZE, LIMIT)

        assert difference(photo.pixels, plain(cat)) < 2.5
        assert photo.facts.orientation == 1

    @pytest.mark.parametrize("value", [0, 9, 65535])
    def test_an_orientation_out_of_range_is_none(self, cat: Image.Image, value: int, tmp_path: Path) -> None:
        exif = Image.Exif()
        exif[ORIENTATION] = value
        cat.save(tmp_path / "odd.png", exif=exif)

        photo = decode_photo(tmp_path / "odd.png", SIZE, LIMIT)

        assert np.array_equal(photo.pixels, plain(cat))
        assert photo.facts.orientation == 1


class TestModes:
    def test_16_bit_grey_is_scaled_and_not_clipped(self, tmp_path: Path) -> None:
        ramp = np.tile(np.linspace(0, 65535, SIZE).astype(np.uint16), (SIZE, 1))
        Image.fromarray(ramp).save(tmp_path / "ramp.png")
        Image.fromarray(ramp).save(tmp_path / "ramp.tif")

        for name in ("ramp.png", "ramp.tif"):
            pixels = decode_photo(tmp_path / name, SIZE, LIMIT).pixels
            assert worst(pixels[0, :, 0], np.linspace(0, 255, SIZE)) <= 1
            assert (pixels[..., 0] == pixels[..., 2]).all()

    def test_big_endian_16_bit_grey_is_read_the_same(self, tmp_path: Path) -> None:
        ramp = np.tile(np.linspace(0, 65535, SIZE).astype(">u2"), (SIZE, 1))
        header = b"P5\n%d %d\n65535\n" % (SIZE, SIZE)
        (tmp_path / "ramp.pgm").write_bytes(header + ramp.tobytes())

        pixels = decode_photo(tmp_path / "ramp.pgm", SIZE, LIMIT).pixels

        assert worst(pixels[0, :, 0], np.linspace(0, 255, SIZE)) <= 1

    @pytest.mark.parametrize("top", [1.0, 255.0, 65535.0, 4e6])
    def test_floating_point_grey_uses_the_range_it_has(self, top: float, tmp_path: Path) -> None:
        ramp = np.tile(np.linspace(0, top, SIZE).astype(np.float32), (SIZE, 1))
        Image.fromarray(ramp).save(tmp_path / "ramp.tif")

        pixels = decode_photo(tmp_path / "ramp.tif", SIZE, LIMIT).pixels

        assert worst(pixels[0, :, 0], np.linspace(0, 255, SIZE)) <= 1

    def test_floating_point_grey_with_holes_decodes(self, tmp_path: Path) -> None:
        grey = np.full((SIZE, SIZE), 0.5, np.float32)
        grey[0, 0], grey[1, 1] = np.nan, np.inf
        Image.fromarray(grey).save(tmp_path / "holes.tif")

        assert decode_photo(tmp_path / "holes.tif", SIZE, LIMIT).pixels.shape == (SIZE, SIZE, 3)

    @pytest.mark.parametrize("mode", ["L", "CMYK", "RGB", "RGBX"])
    def test_other_colour_models_become_rgb(self, cat: Image.Image, mode: str, tmp_path: Path) -> None:
        stored = cat.convert(mode)
        stored.save(tmp_path / "cat.tif")

        pixels = decode_photo(tmp_path / "cat.tif", SIZE, LIMIT).pixels

        assert worst(pixels, plain(stored)) <= 1

    def test_a_cmyk_jpeg_becomes_rgb(self, cat: Image.Image, tmp_path: Path) -> None:
        cat.convert("CMYK").save(tmp_path / "cat.jpg", quality=95)

        assert difference(decode_photo(tmp_path / "cat.jpg", SIZE, LIMIT).pixels, plain(cat)) < 3

    def test_a_one_bit_scan_is_antialiased(self, cat: Image.Image, tmp_path: Path) -> None:
        cat.convert("1").save(tmp_path / "scan.png")

        pixels = decode_photo(tmp_path / "scan.png", 32, LIMIT).pixels

        assert len(np.unique(pixels)) > 16
        assert difference(pixels, plain(cat.convert("L"), 32)) < 16

    @pytest.mark.parametrize("mode", ["RGBA", "LA"])
    def test_what_is_transparent_becomes_white(self, mode: str, tmp_path: Path) -> None:
        picture = Image.new(mode, (40, 40), (0,) * len(mode))
        picture.paste(Image.new(mode, (20, 40), (0,) * (len(mode) - 1) + (255,)), (0, 0))
        picture.save(tmp_path / "half.png")

        pixels = decode_photo(tmp_path / "half.png", SIZE, LIMIT).pixels

        assert (pixels[:, :40] == 0).all()
        assert (pixels[:, -40:] == 255).all()

    def test_a_transparent_palette_entry_becomes_white(self, tmp_path: Path) -> None:
        picture = Image.new("P", (40, 40), 0)
        picture.putpalette([200, 10, 10, 10, 10, 200])
        picture.paste(1, (20, 0, 40, 40))
        picture.save(tmp_path / "palette.png", transparency=0)
        picture.save(tmp_path / "palette.gif", transparency=0)

        for name in ("palette.png", "palette.gif"):
            pixels = decode_photo(tmp_path / name, SIZE, LIMIT).pixels
            assert (pixels[:, :40] == 255).all()
            assert (pixels[:, -40:] == (10, 10, 200)).all()

    def test_hidden_colour_does_not_leak_when_a_large_picture_is_shrunk(self, tmp_path: Path) -> None:
        pixels = np.zeros((1200, 1200, 4), np.uint8)
        pixels[::2] = (255, 0, 0, 0)
        pixels[1::2] = (255, 255, 255, 255)
        Image.fromarray(pixels).save(tmp_path / "lines.png")

        assert (decode_photo(tmp_path / "lines.png", SIZE, LIMIT).pixels == 255).all()

    def test_a_large_palette_picture_is_shrunk_in_colour(self, china: Image.Image, tmp_path: Path) -> None:
        large = china.resize((2000, 1337)).quantize(64)
        large.save(tmp_path / "large.png")

        assert difference(decode_photo(tmp_path / "large.png", SIZE, LIMIT).pixels, plain(large)) < 1.5

    def test_an_animation_shows_its_first_frame(self, tmp_path: Path) -> None:
        frames = [Image.new("RGB", (50, 50), colour) for colour in ("red", "lime", "blue")]
        for name in ("moving.gif", "moving.webp", "moving.png", "pages.tif"):
            lossless: dict[str, Any] = {"lossless": True} if name.endswith("webp") else {}
            frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], **lossless)

            assert (decode_photo(tmp_path / name, SIZE, LIMIT).pixels == (255, 0, 0)).all()

    def test_a_jpeg_with_a_second_picture_behind_it_is_a_jpeg(self, cat: Image.Image, tmp_path: Path) -> None:
        cat.save(tmp_path / "two.jpg", format="MPO", save_all=True, append_images=[cat.rotate(180)], quality=95)

        photo = decode_photo(tmp_path / "two.jpg", SIZE, LIMIT)

        assert photo.facts.format == "JPEG"
        assert difference(photo.pixels, plain(cat)) < 2.5


class TestHugePhotos:
    def test_a_photo_beyond_the_limit_is_refused_by_its_header(self, tmp_path: Path) -> None:
        Image.new("1", (4000, 3000)).save(tmp_path / "large.png")

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(OversizedPhoto, match="4000 x 3000 pixels") as caught:
                decode_photo(tmp_path / "large.png", SIZE, 11_999_999)

        assert str(tmp_path / "large.png") in str(caught.value)
        assert decode_photo(tmp_path / "large.png", SIZE, 12_000_000).facts.width == 4000

    def test_a_photo_far_beyond_the_limit_is_refused_too(self, tmp_path: Path) -> None:
        Image.new("1", (4000, 3000)).save(tmp_path / "large.png")

        with pytest.raises(OversizedPhoto):
            decode_photo(tmp_path / "large.png", SIZE, 1000)

    @pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
    @pytest.mark.parametrize(("suffix", "megabytes"), [("jpg", 100), ("png", 250)])
    def test_a_huge_photo_needs_little_more_memory_than_its_stored_pixels(
        self, suffix: str, megabytes: int, tmp_path: Path
    ) -> None:
        path = tmp_path / f"huge.{suffix}"
        Image.new("L" if suffix == "png" else "RGB", (12000, 9000), "gray").save(path)
        program = (
            "import re, sys; from pathlib import Path; from photoindex.media.decode.photo import decode_photo\n"
            "peak = lambda: int(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1]) // 1024\n"
            "before = peak(); photo = decode_photo(Path(sys.argv[1]), 260, 300_000_000)\n"
            "print(photo.facts.width, photo.facts.height, photo.pixels.min(), photo.pixels.max(), peak() - before)"
        )
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}

        answer = subprocess.run(
            [sys.executable, "-c", program, str(path)], env=environment, capture_output=True, text=True, check=True
        )

        width, height, low, high, grown = map(int, answer.stdout.split())
        assert (width, height) == (12000, 9000)
        assert 127 <= low <= high <= 129
        assert grown < megabytes


class TestBadFiles:
    def test_an_empty_file_is_called_empty(self, tmp_path: Path) -> None:
        (tmp_path / "empty.jpg").touch()

        with pytest.raises(EmptyPhoto, match="0 bytes"):
            decode_photo(tmp_path / "empty.jpg", SIZE, LIMIT)

    @pytest.mark.parametrize("content", [b"Dear diary,\n" * 50, b"\0" * 5000, b"%!PS-Adobe-3.0 EPSF-3.0\n", b"x"])
    def test_what_is_no_picture_is_called_that(self, content: bytes, tmp_path: Path) -> None:
        (tmp_path / "notes.jpg").write_bytes(content)

        with pytest.raises(NotAPhoto):
            decode_photo(tmp_path / "notes.jpg", SIZE, LIMIT)

    @pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "webp", "tif", "bmp"])
    @pytest.mark.parametrize("kept", [0.01, 0.5, 0.95])
    def test_a_truncated_photo_is_damaged(self, cat: Image.Image, suffix: str, kept: float, tmp_path: Path) -> None:
        path = tmp_path / f"half.{suffix}"
        cat.save(path)
        content = path.read_bytes()
        path.write_bytes(content[: max(20, int(len(content) * kept))])

        with pytest.raises(DamagedPhoto):
            decode_photo(path, SIZE, LIMIT)

    def test_a_truncated_photo_stays_damaged_where_the_program_around_us_is_lenient(
        self, cat: Image.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
        cat.save(tmp_path / "half.jpg")
        (tmp_path / "half.jpg").write_bytes((tmp_path / "half.jpg").read_bytes()[:9000])

        with pytest.raises(DamagedPhoto):
            decode_photo(tmp_path / "half.jpg", SIZE, LIMIT)

        assert ImageFile.LOAD_TRUNCATED_IMAGES is True

    def test_random_damage_ends_in_pixels_or_in_a_photo_error(self, cat: Image.Image, tmp_path: Path) -> None:
        random = np.random.default_rng(7)
        for name in ("a.jpg", "a.png", "a.gif", "a.webp", "a.tif", "a.bmp"):
            cat.resize((60, 40)).save(tmp_path / name)
            content = np.frombuffer((tmp_path / name).read_bytes(), np.uint8)
            for _ in range(60):
                broken = content.copy()
                places = random.integers(0, min(len(broken), 600), 8)
                broken[places] = random.integers(0, 256, 8)
                (tmp_path / "broken").write_bytes(broken.tobytes())
                with contextlib.suppress(DamagedPhoto, NotAPhoto, OversizedPhoto):
                    assert decode_photo(tmp_path / "broken", 16, 10_000_000).pixels.shape == (16, 16, 3)

    def test_a_missing_file_a_folder_and_a_pipe_are_unreadable(self, tmp_path: Path) -> None:
        (tmp_path / "folder.jpg").mkdir()
        names = ["gone.jpg", "folder.jpg"]
        if hasattr(os, "mkfifo"):
            os.mkfifo(tmp_path / "pipe.jpg")
            names.append("pipe.jpg")

        for name in names:
            with pytest.raises(UnreadablePhoto, match=name):
                decode_photo(tmp_path / name, SIZE, LIMIT)

    def test_a_file_without_permission_is_unreadable(self, cat: Image.Image, tmp_path: Path) -> None:
        cat.save(tmp_path / "secret.jpg")
        (tmp_path / "secret.jpg").chmod(0)

        with permissions_count(), pytest.raises(UnreadablePhoto, match="permission"):
            decode_photo(tmp_path / "secret.jpg", SIZE, LIMIT)

    def test_every_message_is_one_printable_line_that_names_the_file(self, tmp_path: Path) -> None:
        path = tmp_path / "two\nlines.jpg"
        path.write_bytes(b"nothing of the kind")

        with pytest.raises(NotAPhoto) as caught:
            decode_photo(path, SIZE, LIMIT)

        assert "two\\nlines.jpg" in str(caught.value)
        assert str(caught.value).isprintable()

    @pytest.mark.parametrize(
        ("extra", "start"),
        [("heif", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"), ("jxl", b"\xff\x0a"), ("jxl", b"\0\0\0\x0cJXL \r\n\x87\n")],
    )
    def test_a_photo_that_needs_a_plugin_names_the_extra_that_brings_it(
        self, extra: str, start: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(photo_module, "can_read", lambda _: False)
        (tmp_path / "phone.jpg").write_bytes(start + bytes(500))

        with pytest.raises(NotAPhoto, match=rf"pip install 'photoindex\[{extra}\]'"):
            decode_photo(tmp_path / "phone.jpg", SIZE, LIMIT)

    def test_a_heic_photo_is_read_upright_with_the_extra(self, cat: Image.Image, tmp_path: Path) -> None:
        pillow_heif = pytest.importorskip("pillow_heif")
        exif = Image.Exif()
        exif[ORIENTATION] = 6
        stored = cat.transpose(STORED[6])
        pillow_heif.from_pillow(stored).save(tmp_path / "phone.heic", quality=95, exif=exif.tobytes())

        photo = decode_photo(tmp_path / "phone.heic", SIZE, LIMIT)

        assert photo.facts.format == "HEIF"
        assert (photo.facts.width, photo.facts.height) == cat.size
        assert difference(photo.pixels, plain(cat)) < 4


def test_decoding_leaves_the_file_and_pillow_s_limits_as_they_were(cat: Image.Image, tmp_path: Path) -> None:
    path = tmp_path / "cat.tif"
    cat.save(path)
    os.utime(path, ns=(1_500_000_000_123_456_789, 1_400_000_000_987_654_321))
    content, status, limit = path.read_bytes(), path.stat(), Image.MAX_IMAGE_PIXELS

    decode_photo(path, SIZE, LIMIT)

    assert path.read_bytes() == content
    assert path.stat().st_mtime_ns == status.st_mtime_ns
    assert path.stat().st_ino == status.st_ino
    assert limit == Image.MAX_IMAGE_PIXELS
    assert TiffImagePlugin.READ_LIBTIFF is False
