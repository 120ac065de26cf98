"""Every format that photos are kept in, made here, read by the decoder's worker process and looked at.

`docs/formats.md` names these tests beside the formats; a test holds it to that.
"""

from __future__ import annotations

import importlib
import io
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms, features

from photoindex.errors import DamagedPhoto, NotAPhoto, OversizedPhoto, PhotoError
from photoindex.media.decode import Decoder
from photoindex.media.decode.colour import profile_of
from photoindex.media.decode.photo import decode_photo
from photoindex.types import DecodedPhoto
from tests.media.decode.makers import (
    DISPLAY_P3,
    LONG,
    SHORT,
    SRGB_COLORANTS,
    Tag,
    cmyk_profile,
    dng,
    grey_profile,
    jpeg,
    rgb_profile,
    tiff,
)

SIZE = 64
LIMIT = 20_000_000
# The left half red, the right half blue, with a green stripe on top: any turn or exchange of channels shows.
RED, GREEN, BLUE = (200, 40, 30), (40, 170, 60), (30, 50, 190)


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder(SIZE, workers=1, seconds=60, max_pixels=LIMIT) as decoder:
        yield decoder


@pytest.fixture(scope="module")
def flag() -> Image.Image:
    image = Image.new("RGB", (160, 120), RED)
    image.paste(BLUE, (80, 0, 160, 120))
    image.paste(GREEN, (0, 0, 160, 30))
    return image


def read(decoder: Decoder, path: Path) -> DecodedPhoto:
    """What the worker makes of a file."""
    [(_, answer)] = decoder.decode([path])
    if isinstance(answer, PhotoError):
        raise answer
    return answer


def colours(photo: DecodedPhoto) -> NDArray[np.int64]:
    """The colour in the middle of the stripe, of the left and of the right half."""
    places = photo.pixels[[8, 40, 40], [32, 16, 48]]
    return places.astype(np.int64)


def assert_flag(photo: DecodedPhoto, tolerance: int = 3) -> None:
    assert np.abs(colours(photo) - (GREEN, RED, BLUE)).max() <= tolerance, colours(photo).tolist()


def assert_read(decoder: Decoder, path: Path, name: str, tolerance: int = 3) -> None:
    photo = read(decoder, path)
    assert_flag(photo, tolerance)
    assert (photo.facts.format, photo.facts.width, photo.facts.height) == (name, 160, 120)


class TestPillow:
    def test_jpeg(self, decoder: Decoder, flag: Image.Image, tmp_path: Path) -> None:
        for name, options in (("plain.jpg", {}), ("progressive.jpeg", {"progressive": True}), ("444.jfif", {})):
            flag.save(tmp_path / name, "JPEG", quality=95, subsampling=0, **options)
            assert_read(decoder, tmp_path / name, "JPEG", 4)

    def test_png(self, decoder: Decoder, flag: Image.Image, tmp_path: Path) -> None:
        flag.save(tmp_path / "plain.png")
        flag.quantize(16).save(tmp_path / "palette.png")
        assert_read(decoder, tmp_path / "plain.png", "PNG", 0)
        assert_read(decoder, tmp_path / "palette.png", "PNG")

    def test_webp(self, decoder: Decoder, flag: Image.Image, tmp_path: Path) -> None:
        flag.save(tmp_path / "lossless.webp", lossless=True)
        flag.save(tmp_path / "lossy.webp", quality=95)
        assert_read(decoder, tmp_path / "lossless.webp", "WEBP", 0)
        assert_read(decoder, tmp_path / "lossy.webp", "WEBP", 12)

    def test_gif_first_frame(self, decoder: Decoder, flag: Image.Image, tmp_path: Path) -> None:
        flag.save(tmp_path / "moving.gif", save_all=True, append_images=[Image.new("RGB", flag.size, "white")])
        assert_read(decoder, tmp_path / "moving.gif", "GIF")

    def test_bmp(self, decoder: Decoder, flag: Image.Image, tmp_path: Path) -> None:
        flag.save(tmp_path / "plain.bmp")
        assert_read(decoder, tmp_path / "plain.bmp", "BMP", 0)

    def test_tiff(self, decoder: Decoder, flag: Image.Image, tmp_path: Path) -> None:
        for name in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"):
            flag.save(tmp_path / f"{name}.tif", compression=name)
            assert_read(decoder, tmp_path / f"{name}.tif", "TIFF", 0)
        flag.save(tmp_path / "jpeg.tif", compression="jpeg", quality=95)
        assert_read(decoder, tmp_path / "jpeg.tif", "TIFF", 4)

    def test_tiff_first_page(self, decoder: Decoder, flag: Image.Image, tmp_path: Path) -> None:
        flag.save(tmp_path / "pages.tif", save_all=True, append_images=[Image.new("RGB", flag.size, "white")])
        assert_read(decoder, tmp_path / "pages.tif", "TIFF", 0)

    def test_tiff_16_bit_colours(self, decoder: Decoder, flag: Image.Image, tmp_path: Path) -> None:
        deep = np.asarray(flag).astype("<u2") * 257
        (tmp_path / "deep.tif").write_bytes(plain_tiff(deep, {258: (SHORT, [16] * 3), 262: (SHORT, 2)}))
        assert_read(decoder, tmp_path / "deep.tif", "TIFF", 1)

    @pytest.mark.parametrize(("bits", "white_is_zero"), [(16, False), (16, True)])
    def test_tiff_16_bit_greys(self, decoder: Decoder, bits: int, white_is_zero: bool, tmp_path: Path) -> None:
        ramp = np.tile(np.linspace(0, 65535, SIZE).astype("<u2"), (SIZE, 1))
        stored = 65535 - ramp if white_is_zero else ramp
        tags: dict[int, Tag] = {258: (SHORT, bits), 262: (SHORT, 0 if white_is_zero else 1)}
        (tmp_path / "grey.tif").write_bytes(plain_tiff(stored, tags))
        pixels = read(decoder, tmp_path / "grey.tif").pixels
        assert np.abs(pixels[0, :, 0] - np.linspace(0, 255, SIZE)).max() <= 1

    def test_tiff_12_bit_greys(self, decoder: Decoder, tmp_path: Path) -> None:
        ramp = np.tile(np.linspace(0, 4095, SIZE).astype(np.uint32), (SIZE, 1))
        pairs = ramp.reshape(SIZE, -1, 2)
        packed = np.stack([pairs[..., 0] >> 4, (pairs[..., 0] & 15) << 4 | pairs[..., 1] >> 8, pairs[..., 1] & 255], -1)
        (tmp_path / "grey.tif").write_bytes(
            plain_tiff(packed.astype(np.uint8), {258: (SHORT, 12), 262: (SHORT, 1)}, SIZE, SIZE)
        )
        pixels = read(decoder, tmp_path / "grey.tif").pixels
        assert np.abs(pixels[0, :, 0] - np.linspace(0, 255, SIZE)).max() <= 1

    def test_tiff_cmyk(self, decoder: Decoder, flag: Image.Image, tmp_path: Path) -> None:
        flag.convert("CMYK").save(tmp_path / "print.tif")
        assert_read(decoder, tmp_path / "print.tif", "TIFF")

    def test_tiff_floating_point_greys(self, decoder: Decoder, tmp_path: Path) -> None:
        ramp = np.tile(np.linspace(0, 1, SIZE).astype(np.float32), (SIZE, 1))
        Image.fromarray(ramp).save(tmp_path / "grey.tif")
        pixels = read(decoder, tmp_path / "grey.tif").pixels
        assert np.abs(pixels[0, :, 0] - np.linspace(0, 255, SIZE)).max() <= 1

    def test_tiff_floating_point_colours_are_refused_for_what_they_are(
        self, decoder: Decoder, flag: Image.Image, tmp_path: Path
    ) -> None:
        light = (np.asarray(flag) / 255).astype("<f4")
        tags = {258: (SHORT, [32] * 3), 262: (SHORT, 2), 339: (SHORT, [3] * 3)}
        (tmp_path / "light.tif").write_bytes(plain_tiff(light, tags))
        with pytest.raises(NotAPhoto, match="8 or 16 bits a channel"):
            read(decoder, tmp_path / "light.tif")

    def test_tiff_16_bit_planes_are_refused_as_pillow_reads_them_wrongly(
        self, decoder: Decoder, flag: Image.Image, tmp_path: Path
    ) -> None:
        planes = (np.asarray(flag).astype("<u2") * 257).transpose(2, 0, 1)
        tags = {258: (SHORT, [16] * 3), 262: (SHORT, 2), 284: (SHORT, 2)}
        (tmp_path / "planes.tif").write_bytes(plain_tiff(planes, tags, 160, 120, samples=3))
        with pytest.raises(NotAPhoto, match="planes"):
            read(decoder, tmp_path / "planes.tif")

    @pytest.mark.skipif(not features.check("jpg_2000"), reason="Pillow was built without OpenJPEG")
    def test_jpeg_2000(self, decoder: Decoder, flag: Image.Image, tmp_path: Path) -> None:
        for name in ("boxed.jp2", "bare.j2k"):
            flag.save(tmp_path / name)
            assert_read(decoder, tmp_path / name, "JPEG2000", 1)

    @pytest.mark.skipif(".avif" not in Image.registered_extensions(), reason="this Pillow has no AVIF")
    def test_avif(self, decoder: Decoder, flag: Image.Image, tmp_path: Path) -> None:
        flag.save(tmp_path / "phone.avif", quality=95, subsampling="4:4:4")
        assert_read(decoder, tmp_path / "phone.avif", "AVIF", 4)
        flag.save(tmp_path / "moving.avif", quality=95, save_all=True, append_images=[Image.new("RGB", flag.size)])
        assert_read(decoder, tmp_path / "moving.avif", "AVIF", 12)

    @pytest.mark.parametrize("suffix", ["ppm", "qoi", "tga", "pcx", "sgi"])
    def test_others(self, decoder: Decoder, flag: Image.Image, suffix: str, tmp_path: Path) -> None:
        flag.save(tmp_path / f"scan.{suffix}")
        assert_read(decoder, tmp_path / f"scan.{suffix}", suffix.upper(), 0)

    def test_psd(self, decoder: Decoder, flag: Image.Image, tmp_path: Path) -> None:
        # Adobe's specification: header, no palette, no resources, no layers, the flattened planes as they are.
        width, height = flag.size
        planes = b"".join(plane.tobytes() for plane in flag.split())
        head = struct.pack(">4sH6xHIIHH", b"8BPS", 1, 3, height, width, 8, 3)
        (tmp_path / "work.psd").write_bytes(head + struct.pack(">IIIH", 0, 0, 0, 0) + planes)
        assert_read(decoder, tmp_path / "work.psd", "PSD", 0)

    @pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
    def test_transparent_is_on_white(self, decoder: Decoder, mode: str, tmp_path: Path) -> None:
        picture = Image.new("RGBA", (160, 120), (0, 0, 0, 0))
        picture.paste((90, 90, 90, 255), (80, 0, 160, 120))
        picture.convert(mode).save(tmp_path / "cut.png")
        pixels = read(decoder, tmp_path / "cut.png").pixels
        assert (pixels[:, :30] == 255).all()
        assert np.abs(pixels[:, 34:].astype(int) - 90).max() <= 1


class TestPlugins:
    def test_heic(self, decoder: Decoder, flag: Image.Image, tmp_path: Path) -> None:
        pillow_heif = pytest.importorskip("pillow_heif", reason="needs the extra heif")
        exif = Image.Exif()
        exif[0x0112] = 6
        exif[0x0110] = "Imaginary One"
        heif = pillow_heif.from_pillow(flag.transpose(Image.Transpose.ROTATE_90))
        heif.save(tmp_path / "phone.heic", quality=95, chroma=444, exif=exif.tobytes())
        assert_read(decoder, tmp_path / "phone.heic", "HEIF", 5)
        assert read(decoder, tmp_path / "phone.heic").facts.camera == "Imaginary One"

    def test_jpeg_xl(self, decoder: Decoder, flag: Image.Image, tmp_path: Path) -> None:
        pytest.importorskip("pillow_jxl", reason="needs the extra jxl")
        flag.save(tmp_path / "lossless.jxl", lossless=True)
        flag.save(tmp_path / "lossy.jxl", quality=95)
        assert_read(decoder, tmp_path / "lossless.jxl", "JXL", 0)
        assert_read(decoder, tmp_path / "lossy.jxl", "JXL", 8)

    def test_jpeg_xl_is_turned_once(self, decoder: Decoder, flag: Image.Image, tmp_path: Path) -> None:
        """By its own header; a JPEG that was packed into it by its EXIF."""
        pytest.importorskip("pillow_jxl", reason="needs the extra jxl")
        exif = Image.Exif()
        exif[0x0112] = 6
        flag.save(tmp_path / "upright.jxl", lossless=True, exif=exif.tobytes())
        assert_read(decoder, tmp_path / "upright.jxl", "JXL", 0)
        flag.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "camera.jpg", quality=95, subsampling=0, exif=exif)
        with Image.open(tmp_path / "camera.jpg") as camera:
            camera.save(tmp_path / "packed.jxl", lossless_jpeg=True)
        assert_read(decoder, tmp_path / "packed.jxl", "JXL", 4)

    def test_jpeg_xl_damaged_or_too_large_is_told_apart(
        self, decoder: Decoder, flag: Image.Image, tmp_path: Path
    ) -> None:
        pytest.importorskip("pillow_jxl", reason="needs the extra jxl")
        flag.save(tmp_path / "whole.jxl")
        content = (tmp_path / "whole.jxl").read_bytes()
        (tmp_path / "half.jxl").write_bytes(content[: len(content) // 2])
        with pytest.raises(DamagedPhoto, match=r"half\.jxl"):
            read(decoder, tmp_path / "half.jxl")
        Image.new("L", (6000, 5000)).save(tmp_path / "vast.jxl", effort=1)
        with pytest.raises(OversizedPhoto, match=r"vast\.jxl"):
            read(decoder, tmp_path / "vast.jxl")
        assert_read(decoder, tmp_path / "whole.jxl", "JXL", 12)


class TestRaw:
    """Digital negatives made here; LibRaw reads them as it does a camera's."""

    @pytest.fixture(autouse=True)
    def needs_rawpy(self) -> None:
        pytest.importorskip("rawpy", reason="needs the extra raw")

    def test_preview(self, decoder: Decoder, flag: Image.Image, tmp_path: Path) -> None:
        """The preview is what is captioned: the sensor's data is another picture here, twice the size."""
        sensor = Image.new("RGB", (320, 240), "gray")
        (tmp_path / "IMG_1.DNG").write_bytes(dng(sensor, jpeg(flag), preview_size=flag.size))
        photo = read(decoder, tmp_path / "IMG_1.DNG")
        assert_flag(photo, 5)
        facts = photo.facts
        assert (facts.format, facts.width, facts.height) == ("DNG", 320, 240)
        assert facts.camera == "Imaginary One"
        assert str(facts.taken_at) == "2021-06-05 04:03:02"

    @pytest.mark.parametrize(("orientation", "turn"), [(6, Image.Transpose.ROTATE_90), (3, Image.Transpose.ROTATE_180)])
    def test_orientation(
        self, decoder: Decoder, flag: Image.Image, orientation: int, turn: Image.Transpose, tmp_path: Path
    ) -> None:
        stored = flag.transpose(turn)
        sensor = stored.resize((2 * stored.width, 2 * stored.height))
        content = dng(sensor, jpeg(stored), orientation=orientation, preview_size=stored.size)
        (tmp_path / "turned.dng").write_bytes(content)
        photo = read(decoder, tmp_path / "turned.dng")
        assert_flag(photo, 5)
        assert (photo.facts.width, photo.facts.height, photo.facts.orientation) == (320, 240, orientation)

    def test_without_a_preview_it_is_developed(self, decoder: Decoder, flag: Image.Image, tmp_path: Path) -> None:
        stored = flag.resize((320, 240)).transpose(Image.Transpose.ROTATE_90)
        (tmp_path / "bare.dng").write_bytes(dng(stored, None, orientation=6))
        photo = read(decoder, tmp_path / "bare.dng")
        assert (photo.facts.width, photo.facts.height) == (320, 240)
        green, red, blue = colours(photo)
        assert (green.argmax(), red.argmax(), blue.argmax()) == (1, 0, 2)

    def test_limits(self, decoder: Decoder, flag: Image.Image, tmp_path: Path) -> None:
        content = dng(flag, jpeg(flag), preview_size=flag.size)
        (tmp_path / "small.dng").write_bytes(content)
        with pytest.raises(OversizedPhoto, match="160 x 120"):
            decode_photo(tmp_path / "small.dng", SIZE, 160 * 120 - 1)
        large = jpeg(Image.new("RGB", (5000, 4500)), quality=20)
        (tmp_path / "vast preview.dng").write_bytes(dng(flag, large, preview_size=(5000, 4500)))
        with pytest.raises(OversizedPhoto, match="5000 x 4500"):
            read(decoder, tmp_path / "vast preview.dng")

    def test_damage(self, decoder: Decoder, flag: Image.Image, tmp_path: Path) -> None:
        preview = jpeg(flag)
        (tmp_path / "half.dng").write_bytes(dng(flag, preview[: len(preview) // 2], preview_size=flag.size))
        with pytest.raises(DamagedPhoto, match=r"half\.dng"):
            read(decoder, tmp_path / "half.dng")
        (tmp_path / "noise.nef").write_bytes(b"MM\0*" + bytes(range(256)) * 40)
        with pytest.raises((DamagedPhoto, NotAPhoto), match=r"noise\.nef"):
            read(decoder, tmp_path / "noise.nef")

    def test_another_kind_of_file_under_a_raw_name(self, decoder: Decoder, flag: Image.Image, tmp_path: Path) -> None:
        flag.save(tmp_path / "jpeg.cr2", "JPEG", quality=95)
        flag.save(tmp_path / "tiff.dng", "TIFF")
        assert_read(decoder, tmp_path / "jpeg.cr2", "JPEG", 5)
        assert_read(decoder, tmp_path / "tiff.dng", "TIFF", 0)


@pytest.mark.parametrize("head", [b"II*\0\x10\0\0\0CR\2\0", b"FUJIFILMCCD-RAW ", b"\0\0\0\x18ftypcrx \0\0\0\1crx isom"])
def test_a_raw_photo_names_the_extra_that_reads_it(
    head: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib, "import_module", _not_installed)
    (tmp_path / "IMG_1.cr2").write_bytes(head + bytes(500))
    with pytest.raises(NotAPhoto, match=r"pip install 'photoindex\[raw\]'.*failures retry"):
        decode_photo(tmp_path / "IMG_1.cr2", SIZE, LIMIT)


def _not_installed(name: str) -> object:
    raise ImportError(name)


class TestProfiles:
    def test_display_p3(self, decoder: Decoder, flag: Image.Image, tmp_path: Path) -> None:
        wide = rgb_profile(DISPLAY_P3)
        stored = converted(flag, wide)
        assert np.abs(np.asarray(stored, int) - np.asarray(flag)).max() > 15  # what would be read without it
        stored.save(tmp_path / "phone.jpg", quality=97, subsampling=0, icc_profile=wide)
        stored.save(tmp_path / "phone.png", icc_profile=wide)
        stored.save(tmp_path / "phone.webp", lossless=True, icc_profile=wide)
        stored.save(tmp_path / "phone.tif", icc_profile=wide)
        for name in ("phone.jpg", "phone.png", "phone.webp", "phone.tif"):
            assert_flag(read(decoder, tmp_path / name), 5)

    def test_profiles_of_other_plugins(self, decoder: Decoder, flag: Image.Image, tmp_path: Path) -> None:
        wide = rgb_profile(DISPLAY_P3)
        stored = converted(flag, wide)
        pillow_heif = pytest.importorskip("pillow_heif", reason="needs the extra heif")
        image = stored.copy()
        image.info["icc_profile"] = wide
        pillow_heif.from_pillow(image).save(tmp_path / "phone.heic", quality=95, chroma=444)
        assert_flag(read(decoder, tmp_path / "phone.heic"), 6)
        if ".avif" in Image.registered_extensions():
            stored.save(tmp_path / "phone.avif", quality=95, subsampling="4:4:4", icc_profile=wide)
            assert_flag(read(decoder, tmp_path / "phone.avif"), 6)

    def test_a_large_photo_is_shrunk_first(self, decoder: Decoder, flag: Image.Image, tmp_path: Path) -> None:
        wide = rgb_profile(DISPLAY_P3)
        stored = converted(flag, wide).resize((1600, 1200))
        stored.save(tmp_path / "large.jpg", quality=97, icc_profile=wide)
        stored.save(tmp_path / "large.png", icc_profile=wide)
        for name in ("large.jpg", "large.png"):
            assert_flag(read(decoder, tmp_path / name), 5)

    def test_swapped_colours_are_swapped_back(self, decoder: Decoder, flag: Image.Image, tmp_path: Path) -> None:
        red, green, blue = SRGB_COLORANTS
        r, g, b = flag.split()
        stored = Image.merge("RGB", (g, r, b))
        stored.save(tmp_path / "swapped.png", icc_profile=rgb_profile((green, red, blue)))
        assert_flag(read(decoder, tmp_path / "swapped.png"), 6)

    def test_grey(self, decoder: Decoder, tmp_path: Path) -> None:
        """Linear greys, 8 and 16 bits deep: half the light is 188 in sRGB."""
        linear = grey_profile(1.0)
        Image.new("L", (40, 40), 128).save(tmp_path / "8.png", icc_profile=linear)
        Image.fromarray(np.full((40, 40), 128 * 257, np.uint16)).save(tmp_path / "16.png", icc_profile=linear)
        for name in ("8.png", "16.png"):
            pixels = read(decoder, tmp_path / name).pixels
            assert np.abs(pixels.astype(int) - 188).max() <= 2

    def test_cmyk(self, decoder: Decoder, tmp_path: Path) -> None:
        """A press whose cyan is orange; also in a JPEG, which Adobe's programs and Pillow write inverted."""
        odd = cmyk_profile({"": (100, 0, 0), "c": (70, 40, 70)})
        picture = Image.new("CMYK", (40, 40), (255, 0, 0, 0))
        picture.paste((0, 0, 0, 0), (20, 0, 40, 40))
        picture.save(tmp_path / "print.tif", icc_profile=odd)
        picture.save(tmp_path / "print.jpg", quality=97, subsampling=0, icc_profile=odd)
        for name in ("print.tif", "print.jpg"):
            pixels = read(decoder, tmp_path / name).pixels.astype(int)
            red, green, blue = pixels[32, 8]
            assert red > 220 > 160 > green > 100 > blue
            assert (pixels[32, -8] > 245).all()

    def test_cmyk_jpeg_without_a_profile(self, decoder: Decoder, flag: Image.Image, tmp_path: Path) -> None:
        flag.convert("CMYK").save(tmp_path / "print.jpg", quality=97, subsampling=0)
        assert_read(decoder, tmp_path / "print.jpg", "JPEG", 6)

    @pytest.mark.parametrize("broken", [b"", b"nonsense", b"\0" * 600, rgb_profile(DISPLAY_P3)[:200]])
    def test_a_broken_profile_is_ignored(
        self, decoder: Decoder, flag: Image.Image, broken: bytes, tmp_path: Path
    ) -> None:
        flag.save(tmp_path / "photo.png", icc_profile=broken)
        assert_read(decoder, tmp_path / "photo.png", "PNG", 0)

    def test_a_profile_of_other_colours_is_ignored(self, decoder: Decoder, flag: Image.Image, tmp_path: Path) -> None:
        for number, other in enumerate((grey_profile(1.0), cmyk_profile({}))):
            flag.save(tmp_path / f"{number}.png", icc_profile=other)
            assert_read(decoder, tmp_path / f"{number}.png", "PNG", 0)

    def test_srgb_costs_nothing(self, flag: Image.Image, tmp_path: Path) -> None:
        """sRGB under any name is no profile: its pixels are not touched. A plain gamma of 2.2 is no sRGB."""
        pillows = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        for name, profile in (("srgb.jpg", pillows), ("gamma.jpg", rgb_profile(SRGB_COLORANTS, 2.2))):
            flag.save(tmp_path / name, icc_profile=profile)
        with Image.open(tmp_path / "srgb.jpg") as srgb, Image.open(tmp_path / "gamma.jpg") as gamma:
            assert profile_of(srgb) is None
            assert profile_of(gamma) is not None


def converted(image: Image.Image, profile: bytes) -> Image.Image:
    """``image`` as its colours are stored under a profile."""
    source, target = ImageCms.createProfile("sRGB"), ImageCms.ImageCmsProfile(io.BytesIO(profile))
    stored = ImageCms.profileToProfile(image, source, target, ImageCms.Intent.RELATIVE_COLORIMETRIC)
    assert stored is not None
    return stored


def plain_tiff(
    pixels: NDArray[np.generic],
    tags: dict[int, tuple[int, object]],
    width: int | None = None,
    height: int | None = None,
    samples: int | None = None,
) -> bytes:
    """A TIFF of these values, uncompressed, in one strip (one for each plane)."""
    height, width = height or pixels.shape[0], width or pixels.shape[1]
    samples = samples or (pixels.shape[2] if pixels.ndim == 3 and 258 in tags and isinstance(tags[258][1], list) else 1)
    general = {256: (LONG, width), 257: (LONG, height), 259: (SHORT, 1), 277: (SHORT, samples), 278: (LONG, height)}
    return tiff({**general, **tags}, strips=[np.ascontiguousarray(pixels).tobytes()])
