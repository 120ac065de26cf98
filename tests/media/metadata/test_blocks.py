"""Metadata is found wherever a format keeps it, and in the forms in which programs leave it there."""

from __future__ import annotations

import struct
from datetime import datetime
from pathlib import Path

import pytest
from PIL import Image

from photoindex.media.decode import decode_photo, describe_photo
from photoindex.media.metadata import boxes, png
from photoindex.media.metadata.blocks import image_resources
from photoindex.media.metadata.tiff import Tiff, TiffError, read_directories
from photoindex.types import DecodedPhoto
from tests.media.metadata import containers
from tests.media.metadata.containers import EXIF_UUID, IPTC_UUID, XMP_UUID, box, chunk, profile, resource, write
from tests.media.metadata.samples import alt, described, iptc, packet, photo, with_iptc

LIMIT = 1_000_000
XMP = packet(alt("dc:description", x_default="A boat"), 'xmp:Rating="4"')
IPTC = iptc({(2, 25): [b"wheat", b"tractor"], (2, 90): b"Alnwick"})


def exif(orientation: int = 1) -> bytes:
    """A block of EXIF with its usual start."""
    tags = Image.Exif()
    tags.update({0x010F: "Canon", 0x0110: "Canon EOS R5", 0x0112: orientation})
    tags.get_ifd(0x8769).update({0x9003: "2019:07:04 12:34:56"})
    return tags.tobytes()


BARE = exif().removeprefix(b"Exif\0\0")


def read(path: Path) -> DecodedPhoto:
    described_only, decoded = describe_photo(path, 8, LIMIT), decode_photo(path, 8, LIMIT)
    assert (described_only.facts, described_only.written) == (decoded.facts, decoded.written)
    return decoded


def check_all(path: Path) -> None:
    found = read(path)
    assert found.facts.camera == "Canon EOS R5"
    assert (found.facts.taken_at, found.facts.taken_source) == (datetime(2019, 7, 4, 12, 34, 56), "exif")
    assert (found.facts.rating, found.written.caption) == (4, "A boat")
    assert found.written.keywords == ("wheat", "tractor")
    assert found.problems == ()


class TestRaw:
    @pytest.fixture(autouse=True)
    def _library(self) -> None:
        pytest.importorskip("rawpy")

    @pytest.mark.parametrize("suffix", ["dng", "nef", "cr2", "arw", "pef", "srw", "3fr"])
    def test_xmp_and_iptc_in_the_raw_files_own_directory(self, tmp_path: Path, suffix: str) -> None:
        found = read(write(tmp_path / f"a.{suffix}", containers.raw({700: XMP, 33723: IPTC})))

        assert (found.written.caption, found.facts.rating) == ("A boat", 4)
        assert found.written.keywords == ("wheat", "tractor")
        assert (found.facts.camera, found.facts.format) == ("Imaginary One", suffix.upper())

    @pytest.mark.parametrize("number", [0x0404, 0x0424])
    def test_photoshops_resources_in_it(self, tmp_path: Path, number: int) -> None:
        found = read(
            write(tmp_path / "a.dng", containers.raw({34377: resource(number, {0x0404: IPTC}.get(number, XMP))}))
        )

        assert (found.written.keywords or found.written.caption) in (("wheat", "tractor"), "A boat")

    def test_what_only_the_preview_says(self, tmp_path: Path) -> None:
        found = read(write(tmp_path / "a.dng", containers.raw({}, exif=exif())))

        assert found.facts.taken_at == datetime(2019, 7, 4, 12, 34, 56)
        assert found.facts.camera == "Imaginary One"  # the raw file's own comes first


class TestPng:
    @pytest.mark.parametrize("kind", ["tEXt", "zTXt", "iTXt"])
    @pytest.mark.parametrize("behind", [False, True])
    def test_profiles_of_imagemagick(self, tmp_path: Path, kind: str, behind: bool) -> None:
        texts = [("exif", exif()), ("xmp", XMP), ("iptc", resource(0x0404, IPTC))]
        chunks = [containers.text_chunk(kind, f"Raw profile type {name}", profile(name, data)) for name, data in texts]

        check_all(write(tmp_path / "a.png", containers.png(*chunks, behind=behind)))

    @pytest.mark.parametrize(
        ("name", "data"),
        [
            ("APP1", exif()),
            ("exif", BARE),
            ("EXIF", b"Exif\0\0" + exif()),
            ("exif", exif() + b"left over" * 9),
            ("APP1", b"http://ns.adobe.com/xap/1.0/\0" + XMP),
            ("xmp", XMP),
            ("iptc", resource(0x0404, IPTC)),
            ("iptc", b"Photoshop 3.0\0" + resource(0x0404, IPTC)),
            ("8bim", resource(0x03ED, b"x" * 15) + resource(0x0404, IPTC)),
            ("iptc", IPTC),
        ],
    )
    def test_profiles_go_by_what_they_hold(self, tmp_path: Path, name: str, data: bytes) -> None:
        content = containers.png(containers.text_chunk("zTXt", f"Raw profile type {name}", profile(name.lower(), data)))

        found = read(write(tmp_path / "a.png", content))

        assert (found.facts.camera, found.written.caption, found.written.keywords) in (
            ("Canon EOS R5", None, ()),
            (None, "A boat", ()),
            (None, None, ("wheat", "tractor")),
        )

    @pytest.mark.parametrize(
        "text",
        [
            profile("exif", BARE, newline="\r\n"),
            profile("exif", BARE, line=1),
            profile("exif", BARE, line=10_000),
            profile("exif", BARE, newline=" \t\n  "),
            profile("exif", BARE).upper(),
            profile("generic profile", BARE),
            profile("exif", BARE, length=0),
            profile("exif", BARE, length=10**8),
            profile("exif", BARE).lstrip(),
            profile("exif", BARE) + b"f00ba",
            profile("exif", BARE) + b"not hexadecimal",
        ],
    )
    def test_digits_in_any_layout(self, tmp_path: Path, text: bytes) -> None:
        content = containers.png(containers.text_chunk("tEXt", "Raw profile type exif", text))

        assert read(write(tmp_path / "a.png", content)).facts.camera == "Canon EOS R5"

    @pytest.mark.parametrize("text", ["", "\n", "exif", "\nexif\n  many\nff", "\nexif\n   4\nzzzz", "\nexif\n 1\n0"])
    def test_what_is_no_profile_says_nothing(self, text: str) -> None:
        assert len(png.profile_bytes(text)) <= 1

    @pytest.mark.parametrize("data", [BARE, exif(), BARE + bytes(50)])
    @pytest.mark.parametrize("behind", [False, True])
    def test_exif_in_its_own_chunk(self, tmp_path: Path, data: bytes, behind: bool) -> None:
        content = containers.png(chunk(b"eXIf", data), behind=behind)

        assert read(write(tmp_path / "a.png", content)).facts.camera == "Canon EOS R5"

    @pytest.mark.parametrize("in_text", [False, True])
    def test_it_is_turned_by_either(self, tmp_path: Path, in_text: bool) -> None:
        text = containers.text_chunk("zTXt", "Raw profile type exif", profile("exif", exif(6)))
        content = containers.png(text if in_text else chunk(b"eXIf", exif(6)))

        facts = read(write(tmp_path / "a.png", content)).facts

        assert (facts.orientation, facts.width, facts.height) == (6, 32, 48)

    def test_the_words_of_its_own_standard(self, tmp_path: Path) -> None:
        texts = [("Title", "Férias".encode("latin-1")), ("Description", b"Um barco"), ("Software", b"GIMP")]
        content = containers.png(*(containers.text_chunk("tEXt", *text) for text in texts))

        written = read(write(tmp_path / "a.png", content)).written

        assert (written.title, written.caption) == ("Férias", "Um barco")


class TestOtherFormats:
    @pytest.mark.parametrize("data", [exif(), BARE])
    def test_photoshops_documents(self, tmp_path: Path, data: bytes) -> None:
        check_all(write(tmp_path / "a.psd", containers.psd({0x0404: IPTC, 0x0422: data, 0x0424: XMP})))

    @pytest.mark.parametrize("data", [exif(), BARE])
    def test_jpeg_2000(self, tmp_path: Path, data: bytes) -> None:
        content = containers.jpeg_2000(
            box(b"uuid", XMP_UUID + XMP), box(b"uuid", EXIF_UUID + data), box(b"uuid", IPTC_UUID + IPTC)
        )

        check_all(write(tmp_path / "a.jp2", content))

    def test_jpeg_2000_with_xmp_in_an_xml_box_and_photoshops_resources(self, tmp_path: Path) -> None:
        resources = boxes_of("resources") + resource(0x0404, IPTC) + resource(0x0422, exif())

        check_all(write(tmp_path / "a.jp2", containers.jpeg_2000(box(b"xml ", XMP), box(b"uuid", resources))))

    @pytest.mark.parametrize("before", [b"", bytes(4), struct.pack(">L", 6) + b"Exif\0\0"])
    def test_jpeg_xl(self, tmp_path: Path, before: bytes) -> None:
        pytest.importorskip("pillow_jxl")
        found = read(write(tmp_path / "a.jxl", containers.jpeg_xl(box(b"Exif", before + BARE), box(b"xml ", XMP))))

        assert (found.facts.camera, found.written.caption, found.facts.rating) == ("Canon EOS R5", "A boat", 4)

    def test_jpeg_xl_with_compressed_boxes(self, tmp_path: Path) -> None:
        pytest.importorskip("pillow_jxl")
        brotli = pytest.importorskip("brotli")
        packed = [
            box(b"brob", b"Exif" + brotli.compress(bytes(4) + BARE)), box(b"brob", b"xml " + brotli.compress(XMP))
        ]  # fmt: skip

        found = read(write(tmp_path / "a.jxl", containers.jpeg_xl(*packed)))

        assert (found.facts.camera, found.written.caption) == ("Canon EOS R5", "A boat")

    def test_gif(self, tmp_path: Path) -> None:
        found = read(write(tmp_path / "a.gif", containers.gif(XMP)))

        assert (found.written.caption, found.facts.rating, found.problems) == ("A boat", 4, ())

    def test_tiff_with_photoshops_resources(self, tmp_path: Path) -> None:
        resources = resource(0x0404, IPTC) + resource(0x0424, XMP)
        Image.new("RGB", (48, 32)).save(tmp_path / "a.tif", tiffinfo={34377: resources})

        found = read(tmp_path / "a.tif")

        assert (found.written.caption, found.written.keywords) == ("A boat", ("wheat", "tractor"))

    @pytest.mark.parametrize("suffix", [".jpg", ".webp", ".png", ".tif"])
    @pytest.mark.parametrize("behind", [b"", b"\0\0\0", b"left over" * 5])
    def test_bytes_behind_exif_cost_nothing(self, tmp_path: Path, suffix: str, behind: bytes) -> None:
        path = tmp_path / f"a{suffix}"
        if suffix == ".tif":
            tags = Image.Exif()
            tags[0x0110] = "Canon EOS R5"
            Image.new("RGB", (48, 32)).save(path, exif=tags)
            path.write_bytes(path.read_bytes() + behind)
        else:
            Image.new("RGB", (48, 32)).save(path, exif=exif() + behind)

        assert read(path).facts.camera == "Canon EOS R5"


class TestJpeg:
    def test_xmp_that_goes_on_in_other_segments(self, tmp_path: Path) -> None:
        more = described("A boat", "sea", "wind")
        guid, half = b"0123456789ABCDEF0123456789ABCDEF", len(more) // 2
        path = photo(tmp_path / "a.jpg", xmp=packet(attributes='xmp:Rating="4"'))
        for place, part in ((half, more[half:]), (0, more[:half])):  # in whatever order they lie
            start = b"http://ns.adobe.com/xmp/extension/\0" + guid + struct.pack(">LL", len(more), place)
            add_segment(path, 0xFFE1, start + part)

        found = read(path)

        assert (found.facts.rating, found.written.caption, found.written.keywords) == (4, "A boat", ("sea", "wind"))

    def test_several_packets(self, tmp_path: Path) -> None:
        path = photo(tmp_path / "a.jpg")
        packets = described("A boat", "sea"), packet(attributes='xmp:Rating="4"'), described("A ship", "wind", "sea")
        for each in reversed(packets):  # each is put before all others
            add_segment(path, 0xFFE1, b"http://ns.adobe.com/xap/1.0/\0" + each)

        found = read(path)

        assert (found.facts.rating, found.written.caption, found.written.keywords) == (4, "A boat", ("sea", "wind"))

    def test_resources_that_go_on_in_the_next_segment(self, tmp_path: Path) -> None:
        path = photo(tmp_path / "a.jpg")
        resources = resource(0x03ED, bytes(16)) + resource(0x0404, IPTC)
        for part in (resources[40:], resources[:40]):
            add_segment(path, 0xFFED, b"Photoshop 3.0\0" + part)

        assert read(path).written.keywords == ("wheat", "tractor")

    def test_a_record_in_the_other_byte_order(self, tmp_path: Path) -> None:
        padded = IPTC + bytes(-len(IPTC) % 4)
        swapped = b"".join(padded[place : place + 4][::-1] for place in range(0, len(padded), 4))
        path = photo(tmp_path / "a.jpg")
        with_iptc(path, swapped)

        assert read(path).written.keywords == ("wheat", "tractor")


class TestTiff:
    def test_an_entry_that_points_outside_costs_itself_alone(self) -> None:
        tags = Image.Exif()
        tags.update({0x010F: "Maker of cameras", 0x0110: "Model One", 0x0112: 6, 0x0132: "2019:07:04 12:34:56"})
        block = bytearray(tags.tobytes())
        at = block.index(struct.pack(">HH", 0x010F, 2)) + 8
        block[at : at + 4] = b"\x7f\0\0\0"

        found = read_directories(bytes(block))

        assert found is not None
        assert set(found.main) == {0x0110, 0x0112, 0x0132}

    @pytest.mark.parametrize("data", [b"", b"II", b"II*\0", b"XX*\0\0\0\0\x08", b"II\x1a\0\0\0HEAPCCDR\2\0"])
    def test_what_is_none_is_said_so(self, data: bytes) -> None:
        with pytest.raises(TiffError):
            Tiff(data)
        assert read_directories(data) is None

    def test_directories_that_point_at_each_other_end(self) -> None:
        empty = struct.pack("<HL", 0, 8)

        assert len(Tiff(b"II*\0" + struct.pack("<L", 8) + empty).all()) == 1

    @pytest.mark.parametrize(("tag", "text"), [(0x0110, "Câmara"), (0x010F, "写真機"), (0x010E, "Um barco na praça")])
    def test_text_in_utf_8(self, tag: int, text: str) -> None:
        """Type 129 of Exif 3.0."""
        data = text.encode() + b"\0"
        entry = struct.pack("<HHLL", tag, 129, len(data), 8 + 2 + 12 + 4)
        found = Tiff(b"II*\0" + struct.pack("<LH", 8, 1) + entry + bytes(4) + data).main()

        assert found[tag] == data

    def test_bigtiff(self) -> None:
        entry = struct.pack("<HHQ8s", 0x0110, 2, 6, b"Model\0")
        found = Tiff(b"II+\0" + struct.pack("<HHQ", 8, 0, 16) + struct.pack("<Q", 1) + entry + bytes(8)).main()

        assert found == {0x0110: b"Model\0"}


@pytest.mark.parametrize("cut", range(0, 60, 7))
def test_resources_that_are_cut_off_keep_what_was_before(cut: int) -> None:
    whole = resource(1, b"first") + resource(2, b"x" * 60)

    assert image_resources(whole[: len(whole) - cut])[1] == b"first"


def boxes_of(kind: str) -> bytes:
    return next(mark for mark, name in boxes.KINDS.items() if name == kind)


def add_segment(jpeg: Path, marker: int, data: bytes) -> None:
    content = jpeg.read_bytes()
    jpeg.write_bytes(content[:2] + struct.pack(">HH", marker, len(data) + 2) + data + content[2:])
