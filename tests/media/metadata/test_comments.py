"""Comments of EXIF, XMP, JPEG, PNG and GIF: captions of last resort."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from photoindex.media.decode import describe_photo
from photoindex.media.metadata.comments import comment_in, decode_comment
from tests.media.metadata import containers
from tests.media.metadata.samples import alt, described, packet


def caption_of(path: Path) -> str | None:
    return describe_photo(path, 1, 10_000).written.caption


def with_comment(path: Path, comment: bytes = b"", user_comment: bytes = b"", description: str = "") -> Path:
    exif = Image.Exif()
    exif[0x010F] = "Canon"
    if description:
        exif[0x010E] = description
    if user_comment:
        exif.get_ifd(0x8769)[0x9286] = user_comment
    Image.new("RGB", (48, 32)).save(path, exif=exif, comment=comment)
    return path


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"ASCII\0\0\0A boat at the pier", "A boat at the pier"),
        (b"ASCII\0\0\0" + "Férias".encode(), "Férias"),
        (b"UNICODE\0" + "Férias em Março".encode("utf-16-le"), "Férias em Março"),
        (b"UNICODE\0" + "Férias em Março".encode("utf-16-be"), "Férias em Março"),
        (b"UNICODE\0" + "Пристань".encode("utf-16-be"), "Пристань"),
        (b"UNICODE\0" + "港の船です".encode("utf-16"), "港の船です"),
        (b"JIS\0\0\0\0\0" + "港の船".encode("iso2022_jp"), "港の船"),
        (bytes(8) + b"A boat", "A boat"),
        (b"A boat without a prefix", "A boat without a prefix"),
        (b"ASCII\0\0\0" + b" " * 200, None),
        (b"ASCII\0\0\0" + bytes(200), None),
        (bytes(264), None),
        (b"\xfe\x91\x00\x12\xc1\x07\x93\xff\xd3\xaa\x01", None),
        (b"", None),
    ],
)
def test_the_comment_of_exif_in_its_character_codes(value: bytes, text: str | None) -> None:
    assert comment_in(decode_comment(value)) == text


@pytest.mark.parametrize(
    "text",
    [
        "CREATOR: gd-jpeg v1.0 (using IJG JPEG v62), quality = 90",
        "Lavc58.91.100", "IMG_1234.JPG", "a b.jpeg", "x.CR2",
        "filter: 0; fileterIntensity: 0.0; filterMask: 0; captureOrientation: 0;", '{"mirror":false,"sensor":"rear"}',
        "JPEG Encoder Copyright 1998, James R. Weeks and BioElectroMech.", "https://ezgif.com/resize", "Screenshot",
        "0012 3456", "3f2a9c01b7", "a=1, b=2, c=3", "LEAD Technologies Inc. V1.01", "User comments", "Canon",
        "#### ----", "DBP",
        "quality: 90", "1=1=1=1=1=1=" * 150, "1 " * 900 + "!", "1984",
    ],
)  # fmt: skip
def test_what_machines_fill_in_is_no_comment(text: str) -> None:
    assert comment_in(text, "Canon", "Canon EOS R5") is None


@pytest.mark.parametrize(
    "text", ["A boat", "Oma, 80 years", "Lisbon: the harbour at dawn", "港の船", "❤️", "Us; at last!"]
)
def test_what_people_write_is_kept(text: str) -> None:
    assert comment_in(text) == text


def test_comments_come_last(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    user = b"ASCII\0\0\0by exif's comment"

    assert caption_of(with_comment(path, b"by the jpeg", user, "by exif")) == "by exif"
    assert caption_of(with_comment(path, b"by the jpeg", user)) == "by exif's comment"
    assert caption_of(with_comment(path, b"by the jpeg")) == "by the jpeg"
    (tmp_path / "a.xmp").write_bytes(packet(alt("exif:UserComment", x_default="by xmp's comment")))
    assert caption_of(with_comment(path, b"by the jpeg", user, "by exif")) == "by exif"
    assert caption_of(with_comment(path, b"by the jpeg", user)) == "by xmp's comment"
    (tmp_path / "a.xmp").write_bytes(described("by a.xmp"))
    assert caption_of(with_comment(path, b"by the jpeg", user, "by exif")) == "by a.xmp"


def test_an_alternative_text_is_the_last_of_xmp(tmp_path: Path) -> None:
    path = with_comment(tmp_path / "a.jpg")
    alternative = alt("Iptc4xmpCore:AltTextAccessibility", x_default="A boat at a pier")
    (tmp_path / "a.xmp").write_bytes(packet(alternative))
    assert caption_of(path) == "A boat at a pier"
    (tmp_path / "a.xmp").write_bytes(packet(alternative + alt("dc:description", x_default="Our boat")))
    assert caption_of(path) == "Our boat"


def test_png_and_gif(tmp_path: Path) -> None:
    png = containers.write(tmp_path / "a.png", containers.png(containers.text_chunk("tEXt", "Comment", b"Um barco")))
    Image.new("P", (48, 32)).save(tmp_path / "a.gif", comment=b"A boat")

    assert (caption_of(png), caption_of(tmp_path / "a.gif")) == ("Um barco", "A boat")
