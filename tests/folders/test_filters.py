"""Which names are photos, and which folders are entered."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from photoindex.folders.filters import PhotoFilter
from photoindex.media.decode.readers import pillow_readers
from photoindex.media.formats import PHOTO_SUFFIXES


@pytest.mark.parametrize(
    "name", ["a.jpg", "A.JPEG", "b.Heic", "c.heif", "d.avif", "e.png", "f.TIF", "g.webp", "été.gif"]
)
def test_photo_names_are_accepted_whatever_their_case(name: str) -> None:
    assert PhotoFilter().accepts_file(Path("/p", name))
    assert PhotoFilter()(Path("/p", name))


@pytest.mark.parametrize(
    "name",
    [
        "a.jpg.part",
        "a.jpg.crdownload",
        "a.jpg.tmp",
        "a.jpg.partial",
        "a.jpg.download",
        "a.jpg~",
        "a.mp4",
        "a.xmp",
        "jpg",
    ],
)
@pytest.mark.parametrize("hidden_files", [False, True])
def test_unfinished_downloads_and_other_files_are_refused(name: str, hidden_files: bool) -> None:
    assert not PhotoFilter(hidden_files).accepts_file(Path("/p", name))


def test_hidden_photos_are_accepted_only_on_request() -> None:
    assert not PhotoFilter().accepts_file(Path("/p/.a.jpg"))
    assert PhotoFilter(hidden_files=True).accepts_file(Path("/p/.a.jpg"))


@pytest.mark.parametrize("hidden_files", [False, True])
def test_apple_double_files_are_never_photos(hidden_files: bool) -> None:
    assert not PhotoFilter(hidden_files).accepts_file(Path("/p/._a.jpg"))


def test_a_name_that_is_not_valid_text_is_judged_by_its_suffix() -> None:
    assert PhotoFilter().accepts_file(Path("/p/\udcff.jpg"))


@pytest.mark.parametrize(
    "name",
    [
        "@eaDir",
        ".stfolder",
        ".stversions",
        ".thumbnails",
        ".git",
        "#recycle",
        "$RECYCLE.BIN",
        "$Recycle.Bin",
        "System Volume Information",
        "lost+found",
        "Catalog Previews.lrdata",
        ".photoindex",
        ".photoindex-trash",
        ".Trash-1000",
    ],
)
@pytest.mark.parametrize("hidden_files", [False, True])
def test_folders_that_belong_to_a_tool_are_never_entered(name: str, hidden_files: bool) -> None:
    assert not PhotoFilter(hidden_files).enters_folder(Path("/p", name))


def test_hidden_folders_are_entered_only_on_request() -> None:
    assert not PhotoFilter().enters_folder(Path("/p/.private"))
    assert PhotoFilter(hidden_files=True).enters_folder(Path("/p/.private"))


def test_ordinary_folders_are_entered() -> None:
    for name in ("2024", "git", "Wedding.final", "été"):
        assert PhotoFilter().enters_folder(Path("/p", name))


def test_a_path_is_accepted_below_a_root_only_when_every_folder_between_is_entered() -> None:
    photos = PhotoFilter()
    root = Path("/home/.me/photos")
    assert photos.accepts_below(root, root)
    assert photos.accepts_below(root, root / "a.jpg")
    assert photos.accepts_below(root, root / "2024/may/a.jpg")
    assert not photos.accepts_below(root, root / "2024/@eaDir/a.jpg")
    assert not photos.accepts_below(root, root / ".cache/2024/a.jpg")
    assert not photos.accepts_below(root, Path("/home/.me/photos2/a.jpg"))
    assert not photos.accepts_below(root, Path("/home/.me"))


def test_every_suffix_of_the_formats_that_are_read_is_a_photos() -> None:
    Image.init()
    pillow = {suffix for suffix, name in Image.registered_extensions().items() if name in pillow_readers()}
    assert pillow - PHOTO_SUFFIXES == set()


@pytest.mark.parametrize("name", ["a.xmp", "a.jpg.xmp", "a.aae", "a.thm", "a.mov", "a.mp4", "a.ico", "a.raw", "a.txt"])
def test_sidecars_films_and_other_files_are_no_photos(name: str) -> None:
    assert not PhotoFilter()(Path("/photos", name))


@pytest.mark.parametrize("name", ["a.NEF", "a.cr3", "a.dng", "a.HIF", "a.jxl", "a.heic"])
def test_photos_that_need_a_plugin_are_photos(name: str) -> None:
    assert PhotoFilter()(Path("/photos", name))
