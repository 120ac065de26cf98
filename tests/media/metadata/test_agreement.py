"""photoindex and exiftool read the same: of cameras' photos, and of each format that exiftool can write to."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from photoindex.media.decode import describe_photo
from tests.media.decode.makers import dng, jpeg
from tests.media.metadata import containers, exiftool

pytestmark = pytest.mark.skipif(exiftool.EXIFTOOL is None, reason="exiftool is not installed")

SHARED = Path(os.environ.get("PHOTOINDEX_SHARED") or Path(__file__).resolve().parents[3].parent / "shared")
LIBRARY = SHARED / "data" / "library"
LIMIT = 300_000_000

# Where photoindex says nothing on purpose: what a camera filled in by itself, and clocks that were never set.
NOT_MEANT = {
    "caption": {"OLYMPUS DIGITAL CAMERA", "SANYO DIGITAL CAMERA", "TRAVELER DIGITAL CAMERA", "SAMSUNG",
                "000015", "000007", "000001", "DSC00019", "DSC00006"},
    "taken": {"1998-01-01 00:00:00"},
}  # fmt: skip

WRITTEN = {
    "EXIF": ["-EXIF:DateTimeOriginal=2019:07:04 12:34:56", "-EXIF:OffsetTimeOriginal=+02:00", "-EXIF:Make=Canon",
             "-EXIF:Model=Canon EOS R5", "-EXIF:LensModel=RF 50mm F1.2", "-EXIF:GPSLatitude=38.7223",
             "-EXIF:GPSLatitudeRef=N", "-EXIF:GPSLongitude=9.1393", "-EXIF:GPSLongitudeRef=W", "-EXIF:GPSAltitude=42.5",
             "-EXIF:GPSAltitudeRef=Below Sea Level", "-EXIF:ImageDescription=A boat near the pier"],
    "XMP": ["-XMP-dc:Title=Regatta", "-XMP-dc:Description=Boats at dawn, manhã", "-XMP-dc:Subject=boat",
            "-XMP-dc:Subject=harbour", "-XMP-xmp:Rating=4", "-XMP-exif:DateTimeOriginal=2018:01:02 03:04:05+01:00",
            "-XMP-exif:GPSLatitude=-33.8568", "-XMP-exif:GPSLongitude=151.2153", "-XMP-exif:GPSAltitude=12.25",
            "-XMP-aux:Lens=EF 85mm", "-XMP-tiff:Make=NIKON", "-XMP-tiff:Model=NIKON Z 6"],
    "IPTC": ["-IPTC:ObjectName=Harvest", "-IPTC:Caption-Abstract=A tractor on a field", "-IPTC:Keywords=wheat",
             "-IPTC:Keywords=tractor", "-IPTC:DateCreated=2002:09:16", "-IPTC:TimeCreated=10:15:00+01:00"],
}  # fmt: skip


def by_pillow(suffix: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        Image.new("RGB", (64, 48), "navy").save(path)

    return pytest.param(suffix, make, id=suffix)  # type: ignore[return-value]


def _heic(path: Path) -> None:
    pytest.importorskip("pillow_heif").from_pillow(Image.new("RGB", (64, 48), "navy")).save(path)


def _jxl(path: Path) -> None:
    pytest.importorskip("pillow_jxl")
    path.write_bytes(containers.jpeg_xl())


def _avif(path: Path) -> None:
    if ".avif" not in Image.registered_extensions():
        pytest.skip("no AVIF here")
    Image.new("RGB", (64, 48), "navy").save(path)


def _dng(path: Path) -> None:
    pytest.importorskip("rawpy")
    picture = Image.new("RGB", (64, 48), "navy")
    path.write_bytes(dng(picture, jpeg(picture), preview_size=picture.size))


FORMATS = [
    *(by_pillow(suffix) for suffix in (".jpg", ".tif", ".png", ".webp", ".jp2", ".gif")),
    pytest.param(".psd", lambda path: path.write_bytes(containers.psd({})), id=".psd"),
    pytest.param(".avif", _avif, id=".avif"),
    pytest.param(".heic", _heic, id=".heic"),
    pytest.param(".jxl", _jxl, id=".jxl"),
    pytest.param(".dng", _dng, id=".dng"),
]
# What exiftool does not write into a format.
NOT_WRITTEN = {".gif": {"EXIF", "IPTC"}, ".webp": {"IPTC"}, ".avif": {"IPTC"}, ".heic": {"IPTC"}, ".jxl": {"IPTC"}}


@pytest.mark.parametrize("kinds", [("EXIF",), ("XMP",), ("IPTC",), ("EXIF", "XMP", "IPTC")], ids="+".join)
@pytest.mark.parametrize(("suffix", "make"), FORMATS)
def test_every_format_and_kind_is_read_as_exiftool_reads_it(
    tmp_path: Path, suffix: str, make: Callable[[Path], object], kinds: tuple[str, ...]
) -> None:
    kinds = tuple(kind for kind in kinds if kind not in NOT_WRITTEN.get(suffix, ()))
    if not kinds:
        pytest.skip(f"exiftool does not write this into {suffix}")
    path = tmp_path / f"a{suffix}"
    make(path)
    arguments = [argument for kind in kinds for argument in WRITTEN[kind]]
    exiftool.run("-overwrite_original", "-codedcharacterset=utf8" if "IPTC" in kinds else "-m", *arguments, path)

    tags = exiftool.tags_of([path])[path]
    ours = exiftool.seen_by_photoindex(describe_photo(path, 1, LIMIT), tags)
    theirs = exiftool.seen_by_exiftool(tags)

    assert theirs != exiftool.Seen()  # it was written
    assert list(exiftool.differences(path.name, ours, theirs)) == []


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_the_orientation_is_read_as_exiftool_reads_it(tmp_path: Path, suffix: str, orientation: int) -> None:
    path = tmp_path / f"a{suffix}"
    Image.new("RGB", (64, 48), "navy").save(path)
    exiftool.run("-overwrite_original", "-n", f"-EXIF:Orientation={orientation}", path)

    facts = describe_photo(path, 1, LIMIT).facts

    assert facts.orientation == exiftool.tags_of([path])[path]["IFD0:Orientation"] == orientation
    assert (facts.width, facts.height) == ((64, 48) if orientation < 5 else (48, 64))


@pytest.mark.skipif(not LIBRARY.is_dir(), reason=f"the library of camera photos is not at {LIBRARY}")
def test_cameras_photos_are_read_as_exiftool_reads_them() -> None:
    paths = sorted(LIBRARY.glob("*.jpg"))
    tags = exiftool.tags_of(paths)
    found: list[str] = []
    for path in paths:
        ours = exiftool.seen_by_photoindex(describe_photo(path, 1, LIMIT), tags[path])
        theirs = exiftool.seen_by_exiftool(tags[path])
        for name, texts in NOT_MEANT.items():
            if getattr(theirs, name) in texts or (name == "caption" and theirs.caption is None):
                # A comment is a caption where there is no other.
                comments = exiftool.comments_of(tags[path]) if name == "caption" else []
                assert getattr(ours, name) in (None, *comments), path.name
                ours, theirs = exiftool.without(ours, name), exiftool.without(theirs, name)
        found += exiftool.differences(path.name, ours, theirs)

    print(*found, sep="\n")
    assert len(paths) > 50
    assert found == []
