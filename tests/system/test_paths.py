"""Paths on file systems that do not tell spellings apart, made up here; and on this one."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path, PureWindowsPath

import pytest

from photoindex.catalogue.stored_paths import stored_path
from photoindex.library import Library
from photoindex.system.paths import (
    as_on_disk,
    is_at_or_below,
    is_in_any,
    is_text_below,
    native_path,
    printable,
    relative_text,
    shown,
)
from tests.support import make_photo, names

NFC, NFD = unicodedata.normalize("NFC", "Été"), unicodedata.normalize("NFD", "Été")


class Disk:
    """A file system by its folders' listings. ``same`` is how it compares names."""

    def __init__(self, listing: Mapping[str, Sequence[str]], *, case: bool = False, unicode: bool = False) -> None:
        self.listing = listing
        self.case, self.unicode = case, unicode

    def _key(self, name: str) -> str:
        name = unicodedata.normalize("NFC", name) if self.unicode else name
        return name.casefold() if self.case else name

    def _folder(self, path: Path) -> str | None:
        spelt = "/".join(map(self._key, path.parts[1:]))
        return next((known for known in self.listing if "/".join(map(self._key, Path(known).parts)) == spelt), None)

    def names_in(self, path: Path) -> Sequence[str]:
        found = self._folder(path)
        if found is None:
            raise FileNotFoundError(path)
        return self.listing[found]

    def exists(self, path: Path) -> bool:
        folder = self._folder(path.parent)
        return folder is not None and self._key(path.name) in map(self._key, self.listing[folder])

    def spell(self, path: str) -> str:
        any_case = self.case or self.unicode
        return str(as_on_disk(Path(path), any_case=any_case, names_in=self.names_in, exists=self.exists))


PICTURES = {"": ["Users"], "Users": ["Anna"], "Users/Anna": ["Pictures"], "Users/Anna/Pictures": ["IMG_1.JPG", NFD]}


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("/users/ANNA/pictures/img_1.jpg", "/Users/Anna/Pictures/IMG_1.JPG"),
        ("/Users/Anna/Pictures/IMG_1.JPG", "/Users/Anna/Pictures/IMG_1.JPG"),
        (f"/Users/Anna/Pictures/{NFC}", f"/Users/Anna/Pictures/{NFD}"),
        (f"/Users/Anna/Pictures/{NFC.upper()}", f"/Users/Anna/Pictures/{NFD}"),
        ("/users/Anna/Pictures/gone.jpg", "/Users/Anna/Pictures/gone.jpg"),
        ("/users/Bob/x", "/Users/Bob/x"),
    ],
)
def test_macos_finds_files_under_any_spelling_and_they_are_known_by_one(typed: str, meant: str) -> None:
    assert Disk(PICTURES, case=True, unicode=True).spell(typed) == meant


def test_windows_tells_unicode_forms_apart_and_case_not() -> None:
    disk = Disk({"": ["Photos"], "Photos": [NFC, NFD, "A.jpg"]}, case=True)
    assert disk.spell(f"/PHOTOS/{NFD}") == f"/Photos/{NFD}"
    assert disk.spell(f"/PHOTOS/{NFC}") == f"/Photos/{NFC}"
    assert disk.spell("/PHOTOS/a.JPG") == "/Photos/A.jpg"


def test_where_case_matters_names_that_exist_stay_as_they_are() -> None:
    disk = Disk({"": ["a", "A"], "a": ["x"], "A": [NFD]})
    assert [disk.spell(path) for path in ("/a/x", "/A/x", "/a/X")] == ["/a/x", "/A/x", "/a/X"]
    assert disk.spell(f"/A/{NFC}") == f"/A/{NFD}"  # typed on a keyboard, and copied from a Mac


def test_of_two_that_could_be_meant_neither_is_chosen() -> None:
    disk = Disk({"": ["A" + NFC, "A" + NFD]})
    assert (
        disk.spell("/A" + unicodedata.normalize("NFD", "É") + "té") == "/A" + unicodedata.normalize("NFD", "É") + "té"
    )


@pytest.mark.skipif(os.name == "nt", reason="NTFS tells both forms apart")
def test_a_photo_is_shown_under_either_form_of_its_name(library: Library, album: Path) -> None:
    make_photo(album / NFD / "a.jpg", "red")
    library.index(album / NFC)
    photo = library.show(album / NFC / "a.jpg")
    assert photo is not None
    assert photo.paths == (album / NFD / "a.jpg",)
    assert names(library.search(f"red {NFC}")) == ["a.jpg"]


def test_windows_paths_are_kept_with_slashes_and_a_backslash_elsewhere_is_a_letter() -> None:
    assert stored_path("holiday\\a.jpg", "\\") == b"holiday/a.jpg"
    assert stored_path("odd\\name.jpg", "/") == b"odd\\name.jpg"
    assert PureWindowsPath("C:\\photos", "holiday/a.jpg") == PureWindowsPath("C:\\photos\\holiday\\a.jpg")


@pytest.mark.parametrize(
    ("name", "on_a_line", "as_text"),
    [
        (b"M\xc3\xb6we 1.jpg", "Möwe 1.jpg", "Möwe 1.jpg"),
        (b"a\nb\x1b[31m.jpg", "a\\nb\\x1b[31m.jpg", "a\nb\x1b[31m.jpg"),
        (b"M\xf6we.jpg", "M\\xf6we.jpg", "M\N{REPLACEMENT CHARACTER}we.jpg"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="Windows has no names that are no text")
def test_any_name_can_be_shown(name: bytes, on_a_line: str, as_text: str) -> None:
    path = Path(os.fsdecode(name))
    assert shown(path) == on_a_line
    assert printable(path) == as_text


@pytest.mark.parametrize(
    ("path", "folder", "expected"),
    [
        ("/p/a", "/p/a", True),
        ("/p/a/b/c.jpg", "/p/a", True),
        ("/p/ab", "/p/a", False),
        ("/p", "/p/a", False),
        ("/p/a.jpg", "/p/a", False),
        ("/p/a", "/", True),
        ("/p/\udcff/x", "/p/\udcff", True),
        ("/p/a%20b/x", "/p/a b", False),
    ],
)
def test_a_path_lies_at_or_below_a_folder_by_whole_names(path: str, folder: str, expected: bool) -> None:
    assert is_at_or_below(Path(path), Path(folder)) is expected
    assert is_in_any(Path(path), [Path("/elsewhere"), Path(folder)]) is expected
    assert is_in_any(Path(path), {Path(folder)}) is expected


@pytest.mark.parametrize(
    ("path", "folder", "separator", "relative"),
    [
        (r"C:\Photos\trip\a.jpg", r"C:\Photos", "\\", "trip/a.jpg"),
        (r"C:\Photos\trip", r"C:\Photos\trip", "\\", None),
        (r"C:\Photos 2\a.jpg", r"C:\Photos", "\\", None),
        ("D:\\a.jpg", "D:\\", "\\", "a.jpg"),
        (r"\\nas\share\in\a.jpg", "\\\\nas\\share\\", "\\", "in/a.jpg"),
        (r"C:\Photos\grün\é.jpg", r"C:\Photos", "\\", "grün/é.jpg"),
        ("/home/me/a\\b.jpg", "/home/me", "/", "a\\b.jpg"),
        ("/home/me", "/", "/", "home/me"),
        ("/home/meadow", "/home/me", "/", None),
    ],
)
def test_paths_are_compared_as_the_system_writes_them(
    path: str, folder: str, separator: str, relative: str | None
) -> None:
    assert is_text_below(path, folder, separator) == (relative is not None)
    if relative is not None:
        assert relative_text(path, folder, separator) == relative


@pytest.mark.parametrize(
    ("path", "separator"),
    [
        (r"C:\Photos\trip\a.jpg", "\\"),
        (r"\\nas\share\a.jpg", "\\"),
        ("/home/me/a\\b.jpg", "/"),
        (os.fsdecode(b"/home/gr\xfcn.jpg"), "/"),
        (os.fsdecode(b"C:\\gr\xfcn.jpg"), "\\"),
    ],
)
def test_a_path_comes_back_from_the_catalogue_as_it_was(path: str, separator: str) -> None:
    stored = stored_path(path, separator)
    assert separator == "/" or separator.encode() not in stored
    assert native_path(stored, separator) == path
