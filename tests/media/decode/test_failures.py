"""Damaged, unsupported, without its plugin, or not to be read now: which error a photo gets."""

from __future__ import annotations

import errno
import io
import os
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photoindex.errors import (
    DamagedPhoto,
    EmptyPhoto,
    MissingPlugin,
    NotAPhoto,
    PhotoError,
    UnreadablePhoto,
    UnsupportedPhoto,
)
from photoindex.media.decode import decode_photo, describe_photo, failures
from photoindex.media.decode import photo as photo_module
from photoindex.system.regular_files import NotRegularFile
from tests.media.decode.makers import LONG, SHORT, dng, jpeg, tiff
from tests.media.metadata.containers import chunk, png, text_chunk, write

SIZE, LIMIT = 16, 1_000_000
PATH = Path("a.jpg")


@pytest.fixture
def picture() -> Image.Image:
    return Image.new("RGB", (64, 48), (200, 40, 30))


def saved(picture: Image.Image, format_name: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, format_name, **options)
    return file.getvalue()


class TestTheRule:
    @pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.ENOENT, errno.ESTALE, errno.ENODEV])
    def test_what_a_disk_does_is_tried_again(self, number: int) -> None:
        error = failures.failure_of(PATH, OSError(number, os.strerror(number)))

        assert isinstance(error, UnreadablePhoto)
        assert error.retryable

    @pytest.mark.parametrize("number", [errno.EINVAL, errno.EOVERFLOW, errno.EFBIG, errno.ERANGE])
    def test_a_place_that_makes_no_sense_is_damage(self, number: int) -> None:
        error = failures.failure_of(PATH, OSError(number, os.strerror(number)))

        assert isinstance(error, DamagedPhoto)
        assert not error.retryable

    @pytest.mark.parametrize(
        "error",
        [
            OSError("Unsupported BMP compression (4)"),
            OSError("unknown PCX mode"),
            SyntaxError("cannot handle 12-bit layers"),
            ValueError("Unsupported SGI image mode"),
            NotImplementedError("in a while"),
            OSError("Windows Media Photo files not yet supported"),
            Exception(b"Unsupported file format or not RAW file"),
            ValueError("conversion from Q to RGB not supported"),
            OSError("decoder jpeg2k not available"),
        ],
    )
    def test_what_a_decoder_does_not_know_is_unsupported(self, error: Exception) -> None:
        found = failures.failure_of(PATH, error)

        assert type(found) is UnsupportedPhoto
        assert found.kind == "unsupported"
        assert "damaged" not in str(found)
        assert "b'" not in str(found)

    @pytest.mark.parametrize(
        "error",
        [
            OSError("image file is truncated (12 bytes not processed)"),
            OSError("broken data stream when reading image file"),
            struct.error("unpack requires a buffer of 4 bytes"),
            zlib.error("Error -3 while decompressing data"),
            ValueError("negative seek value -40"),
            Exception(b"data corrupted at 1024"),
            KeyError(7),
        ],
    )
    def test_all_else_is_damage_in_one_line(self, error: Exception) -> None:
        found = failures.failure_of(PATH, error)

        assert type(found) is DamagedPhoto
        assert "b'" not in str(found)
        assert str(found).isprintable()

    def test_what_is_no_file_says_so(self) -> None:
        assert "it is a folder" in str(failures.unreadable(PATH, NotRegularFile(errno.EINVAL, "it is a folder")))


class TestPalettes:
    """Pillow opens some pictures whose pixels are numbers in a palette that is not there, and fails as it converts."""

    @pytest.fixture
    def indexed(self, picture: Image.Image) -> Image.Image:
        return picture.quantize(16)

    @pytest.mark.parametrize("size", [(64, 48), (900, 700)])
    @pytest.mark.parametrize("renamed", [b"pLTE", b"tEXt"])
    def test_a_png_without_one_is_damaged(
        self, tmp_path: Path, indexed: Image.Image, size: tuple[int, int], renamed: bytes
    ) -> None:
        content = saved(indexed.resize(size), "PNG")
        place = content.index(b"PLTE")
        (length,) = struct.unpack(">I", content[place - 4 : place])
        body = renamed + content[place + 4 : place + 4 + length]
        crc = struct.pack(">I", zlib.crc32(body))
        path = write(tmp_path / "a.png", content[:place] + body + crc + content[place + 8 + length :])

        for decode in (decode_photo, photo_module.decode_with_thumbnails, photo_module.make_thumbnails):
            with pytest.raises(DamagedPhoto, match="palette"):
                decode(path, SIZE, LIMIT)
        with pytest.raises(DamagedPhoto, match="palette"):
            photo_module.picture_of(path, 32, LIMIT)

    def test_a_tiff_without_one_is_damaged(self, tmp_path: Path, indexed: Image.Image) -> None:
        content = saved(indexed, "TIFF")
        place = content.index(struct.pack("<HH", 320, SHORT))
        path = write(tmp_path / "a.tif", content[:place] + struct.pack("<HH", 60000, SHORT) + content[place + 4 :])

        with pytest.raises(DamagedPhoto):
            decode_photo(path, SIZE, LIMIT)

    def test_what_a_conversion_raises_is_damage(self) -> None:
        for error in (AssertionError(), AttributeError("getdata"), KeyError("icc"), struct.error("bad"), OSError("?")):
            with pytest.raises(DamagedPhoto, match=re.escape(str(PATH))), failures.of_conversion(PATH):
                raise error

    @pytest.mark.parametrize("error", [MemoryError(), Image.DecompressionBombError("large")])
    def test_memory_that_ends_is_not_told_there(self, error: Exception) -> None:
        with pytest.raises(type(error)), failures.of_conversion(PATH):
            raise error


class TestPngTexts:
    """Nothing that others note in a PNG costs the picture."""

    @pytest.mark.parametrize("kind", ["zTXt", "iTXt", "tEXt"])
    @pytest.mark.parametrize("behind", [False, True])
    def test_a_long_text_is_no_damage(self, tmp_path: Path, kind: str, behind: bool) -> None:
        content = png(text_chunk(kind, "workflow", b"step " * 700_000), behind=behind)

        photo = decode_photo(write(tmp_path / "a.png", content), SIZE, LIMIT)

        assert photo.pixels[0, 0].tolist() == [255, 0, 0]

    def test_many_long_texts_are_no_damage(self, tmp_path: Path) -> None:
        texts = [text_chunk("zTXt", f"step {number}", b"x" * 900_000) for number in range(90)]

        assert decode_photo(write(tmp_path / "a.png", png(*texts)), SIZE, LIMIT).facts.width == 48

    @pytest.mark.parametrize(
        "broken",
        [
            chunk(b"zTXt", b"Comment\0\0no zlib"),
            chunk(b"tEXt", b"Comment\0x")[:-4] + b"nope",  # a wrong checksum
            chunk(b"iTXt", b"Comment"),
            chunk(b"eXIf", b"MM")[:-1] + b"\0",
            chunk(b"pHYs", b"1"),
            chunk(b"prVt", b"x" * 100),
            text_chunk("zTXt", "Comment", b"\0" * 100_000_000),
        ],
        ids=["no zlib", "checksum", "no text", "exif", "pHYs", "private", "bomb"],
    )
    def test_a_broken_note_is_no_damage(self, tmp_path: Path, broken: bytes) -> None:
        assert decode_photo(write(tmp_path / "a.png", png(broken)), SIZE, LIMIT).facts.format == "PNG"

    def test_a_vast_colour_profile_is_no_damage(self, tmp_path: Path) -> None:
        vast = chunk(b"iCCP", b"vast\0\0" + zlib.compress(bytes(3_000_000)))

        assert decode_photo(write(tmp_path / "a.png", png(vast)), SIZE, LIMIT).facts.format == "PNG"

    def test_pixels_that_are_cut_off_still_are(self, tmp_path: Path) -> None:
        noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8))
        content = png(text_chunk("zTXt", "a", b"b"), picture=noise)

        with pytest.raises(DamagedPhoto):
            decode_photo(write(tmp_path / "a.png", content[: len(content) // 2]), SIZE, LIMIT)


def bmp_compressed(picture: Image.Image) -> bytes:
    content = bytearray(saved(picture, "BMP"))
    content[30:34] = struct.pack("<L", 4)  # a JPEG within
    return bytes(content)


def bmp_of_two_bits(picture: Image.Image) -> bytes:
    content = bytearray(saved(picture, "BMP"))
    content[28:30] = struct.pack("<H", 2)
    return bytes(content)


def pcx_of_three_planes_of_two_bits(picture: Image.Image) -> bytes:
    content = bytearray(saved(picture, "PCX"))
    content[3], content[65] = 2, 3
    return bytes(content)


def jpeg_of_twelve_bits(picture: Image.Image) -> bytes:
    content = bytearray(saved(picture, "JPEG"))
    content[content.index(b"\xff\xc0") + 4] = 12
    return bytes(content)


def jpeg_lossless(picture: Image.Image) -> bytes:
    return saved(picture, "JPEG").replace(b"\xff\xc0", b"\xff\xc3", 1)


def tiff_of_unknown_compression(picture: Image.Image) -> bytes:
    tags = {
        256: (LONG, 64), 257: (LONG, 48), 258: (SHORT, [8] * 3), 259: (SHORT, 34712), 262: (SHORT, 2),
        277: (SHORT, 3), 278: (LONG, 48),
    }  # fmt: skip
    return tiff(tags, strips=[bytes(64 * 48 * 3)])


@pytest.mark.parametrize(
    ("suffix", "make"),
    [
        ("bmp", bmp_compressed),
        ("bmp", bmp_of_two_bits),
        ("pcx", pcx_of_three_planes_of_two_bits),
        ("jpg", jpeg_of_twelve_bits),
        ("jpg", jpeg_lossless),
        ("tif", tiff_of_unknown_compression),
    ],
)
def test_variants_that_nothing_reads_are_not_called_damaged(
    tmp_path: Path, picture: Image.Image, suffix: str, make: Callable[[Image.Image], bytes]
) -> None:
    with pytest.raises(UnsupportedPhoto, match=r"^\S+ is [^b].*leave it out$") as caught:
        decode_photo(write(tmp_path / f"a.{suffix}", make(picture)), SIZE, LIMIT)

    assert not caught.value.retryable


def test_a_bitmap_without_its_files_header_is_read(tmp_path: Path, picture: Image.Image) -> None:
    content = saved(picture, "DIB")

    photo = decode_photo(write(tmp_path / "a.dib", content), SIZE, LIMIT)

    assert photo.pixels[0, 0].tolist() == [200, 40, 30]
    # Such bytes could be anything: without the name nobody takes them for a picture.
    with pytest.raises(NotAPhoto):
        decode_photo(write(tmp_path / "a.jpg", content), SIZE, LIMIT)
    assert decode_photo(write(tmp_path / "b.dib", saved(picture, "BMP")), SIZE, LIMIT).facts.format == "BMP"


@pytest.mark.parametrize("place", [0xFFFFFFF0, 0x7FFFFFFF, 0x80000000, 3])
def test_a_tiff_that_points_outside_itself_is_damaged_and_not_tried_again(
    tmp_path: Path, picture: Image.Image, place: int
) -> None:
    content = saved(picture, "TIFF")
    broken = content[:4] + struct.pack("<L", place) + content[8:]

    with pytest.raises(PhotoError) as caught:
        decode_photo(write(tmp_path / "a.tif", broken), SIZE, LIMIT)

    assert not caught.value.retryable


def test_a_tiff_whose_strips_lie_outside_is_damaged_and_not_tried_again(tmp_path: Path, picture: Image.Image) -> None:
    tags = {256: (LONG, 64), 257: (LONG, 48), 258: (SHORT, [8] * 3), 259: (SHORT, 1), 262: (SHORT, 2), 277: (SHORT, 3)}
    content = tiff(tags, strips=[bytes(64 * 48 * 3)])
    at = content.index(struct.pack("<HHL", 273, LONG, 1)) + 8

    with pytest.raises(DamagedPhoto):
        decode_photo(
            write(tmp_path / "a.tif", content[:at] + struct.pack("<L", 0xFFFFFFF0) + content[at + 4 :]), SIZE, LIMIT
        )


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("AVIF", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1"),
        ("WebP", b"RIFF\x10\0\0\0WEBPVP8 "),
        ("JPEG 2000", b"\0\0\0\x0cjP  \r\n\x87\n"),
        ("HEIC", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"),
        ("JPEG XL", b"\xff\x0a"),
    ],
)
def test_a_format_that_is_not_installed_names_what_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, start: bytes
) -> None:
    monkeypatch.setattr(photo_module, "can_read", lambda _: False)

    with pytest.raises(MissingPlugin, match=rf"is a {name} photo, which needs a plugin: pip install .*failures retry"):
        decode_photo(write(tmp_path / "a.jpg", start + bytes(500)), SIZE, LIMIT)


class TestCutOffRaw:
    @pytest.fixture(autouse=True)
    def _library(self) -> None:
        pytest.importorskip("rawpy")

    @pytest.mark.parametrize("suffix", ["dng", "nef", "cr2", "arw"])
    @pytest.mark.parametrize("kept", [0.3, 0.6, 0.97])
    def test_without_a_preview_it_is_damaged(
        self, tmp_path: Path, picture: Image.Image, suffix: str, kept: float
    ) -> None:
        whole = dng(picture.resize((320, 240)), None, pixels_last=True)
        cut = write(tmp_path / f"a.{suffix}", whole[: int(len(whole) * kept)])

        for read in (decode_photo, describe_photo):
            with pytest.raises(DamagedPhoto, match="missing at its end"):
                read(cut, SIZE, LIMIT)

    def test_a_whole_one_is_developed(self, tmp_path: Path, picture: Image.Image) -> None:
        photo = decode_photo(
            write(tmp_path / "a.dng", dng(picture.resize((320, 240)), None, pixels_last=True)), SIZE, LIMIT
        )

        assert photo.pixels[..., 0].mean() > 120

    def test_a_dark_one_is_no_damage(self, tmp_path: Path) -> None:
        content = dng(Image.new("RGB", (320, 240)), None, pixels_last=True)

        assert decode_photo(write(tmp_path / "a.dng", content), SIZE, LIMIT).pixels.max() < 30

    def test_with_a_preview_that_is_shown(self, tmp_path: Path, picture: Image.Image) -> None:
        whole = dng(picture.resize((320, 240)), jpeg(picture), preview_size=picture.size, pixels_last=True)

        photo = decode_photo(write(tmp_path / "a.dng", whole[: int(len(whole) * 0.9)]), SIZE, LIMIT)

        assert abs(int(photo.pixels[8, 8, 0]) - 200) < 6

    def test_the_reason_is_no_bytes(self, tmp_path: Path) -> None:
        with pytest.raises(PhotoError) as caught:
            decode_photo(write(tmp_path / "a.nef", b"MM\0*" + bytes(range(256)) * 40), SIZE, LIMIT)

        assert "b'" not in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "endless.jpg").symlink_to("/dev/zero")
    (tmp_path / "broken.jpg").symlink_to(tmp_path / "gone.jpg")

    for name in ("pipe.jpg", "folder.png", "endless.jpg", "broken.jpg"):
        for read in (decode_photo, describe_photo):
            with pytest.raises(UnreadablePhoto, match=name):
                read(tmp_path / name, SIZE, LIMIT)
    (tmp_path / "nothing.jpg").symlink_to("/dev/null")
    with pytest.raises((UnreadablePhoto, EmptyPhoto)):
        decode_photo(tmp_path / "nothing.jpg", SIZE, LIMIT)
