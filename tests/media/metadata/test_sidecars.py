"""Which sidecars belong to which photo, and how a change of one shows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from photoindex.exchange.sidecars import SidecarFiles
from photoindex.media.metadata import sidecars
from tests.media.metadata.samples import described


def write(path: Path, text: str = "A boat") -> Path:
    path.write_bytes(described(text))
    return path


def names(photo: Path) -> list[str]:
    return [sidecar.path.name for sidecar in sidecars.beside(photo)]


def test_both_ways_of_naming_belong_to_a_photo_and_the_fuller_comes_first(tmp_path: Path) -> None:
    write(tmp_path / "a.xmp")
    write(tmp_path / "a.jpg.xmp")
    write(tmp_path / "b.xmp")

    assert names(tmp_path / "a.jpg") == ["a.jpg.xmp", "a.xmp"]


def test_of_a_raw_file_and_its_jpeg_the_one_sidecar_belongs_to_both(tmp_path: Path) -> None:
    write(tmp_path / "a.xmp")

    assert names(tmp_path / "a.jpg") == names(tmp_path / "a.cr2") == ["a.xmp"]


def test_case_does_not_matter(tmp_path: Path) -> None:
    write(tmp_path / "img_1.XMP")

    assert names(tmp_path / "IMG_1.JPG") == ["img_1.XMP"]


@pytest.mark.parametrize("other", ["a.jpg", "ab.xmp", "._a.xmp", "a.xmp.bak", "a.png.xmp", ".xmp"])
def test_other_files_are_none(tmp_path: Path, other: str) -> None:
    write(tmp_path / other)

    assert names(tmp_path / "a.jpg") == []


def test_what_is_no_regular_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.xmp").mkdir()
    os.mkfifo(tmp_path / "a.jpg.xmp")

    assert names(tmp_path / "a.jpg") == []


def test_a_folder_that_is_gone_has_none(tmp_path: Path) -> None:
    assert names(tmp_path / "gone" / "a.jpg") == []


def test_the_state_tells_what_came_changed_and_went(tmp_path: Path) -> None:
    first = write(tmp_path / "a.xmp")
    second = write(tmp_path / "a.jpg.xmp")
    before = sidecars.state(sidecars.beside(tmp_path / "a.jpg"))
    first.unlink()
    write(second, "A boat that sank")
    write(tmp_path / "A.Xmp")

    after = sidecars.state(sidecars.beside(tmp_path / "a.jpg"))

    assert sidecars.changed(before, after) == {"a.xmp": False, "a.jpg.xmp": True, "A.Xmp": True}
    assert sidecars.changed(after, after) == {}


def test_names_that_are_no_text_survive_in_the_state(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9 | a:1.xmp")
    try:
        write(tmp_path / name)
    except OSError:
        pytest.skip("this file system takes text only")

    state = sidecars.state(sidecars.beside((tmp_path / name).with_suffix(".jpg")))

    assert state.isascii()
    assert sidecars.changed("", state) == {name: True}


def test_a_sidecar_that_comes_to_a_folder_just_looked_into_is_seen(tmp_path: Path) -> None:
    os.utime(tmp_path, (1, 1))  # at rest for long: its listing is kept
    assert names(tmp_path / "a.jpg") == []

    write(tmp_path / "a.xmp")

    assert names(tmp_path / "a.jpg") == ["a.xmp"]


def test_the_photos_of_a_sidecar(tmp_path: Path) -> None:
    known = [tmp_path / name for name in ("a.jpg", "A.CR2", "b.jpg", "sub/a.jpg")]

    assert list(sidecars.photos_of(tmp_path, ["a.xmp"], known)) == known[:2]
    assert list(sidecars.photos_of(tmp_path, ["a.jpg.xmp"], known)) == known[:1]
    assert list(sidecars.photos_of(tmp_path, ["b.xmp", "A.CR2.xmp"], known)) == known[1:3]
    assert list(sidecars.photos_of(tmp_path, ["b.jpg.supplemental-metadata.json"], known)) == known[2:3]


def test_a_scan_and_a_reading_write_the_state_alike(tmp_path: Path) -> None:
    for name in ("a b.jpg.xmp", "a b.xmp", "a b.jpg.json", "ä b.jpg.json"):
        write(tmp_path / name)
    folder = sidecars.Folder(tmp_path, os.listdir(tmp_path))

    for photo, count in (("a b.jpg", 3), ("ä b.jpg", 1), ("c.jpg", 0)):
        found = folder.beside(tmp_path / photo)
        assert len(found) == count
        assert folder.state(photo) == sidecars.state(found)


class TestOneNotionOfASidecar:
    """Reading and export agree on which sidecars are a photo's."""

    @pytest.mark.parametrize(
        ("photo", "sidecar"),
        [
            ("IMG_1.JPG", "img_1.xmp"),
            ("IMG_1.JPG", "IMG_1.XMP"),
            ("img_1.jpg", "IMG_1.JPG.xmp"),
            ("img_1.jpg", "Img_1.Jpg.Xmp"),
            ("IMG_1.CR2", "img_1.cr2.XMP"),
            ("Éa.jpg", "e\u0301A.xmp"),
            ("e\u0301a.JPG", "ÉA.jpg.xmp"),
            ("a.b.jpg", "A.B.xmp"),
        ],
    )
    def test_export_writes_into_the_one_that_is_read(self, tmp_path: Path, photo: str, sidecar: str) -> None:
        write(tmp_path / sidecar)
        found = SidecarFiles({tmp_path / photo: 1})

        assert names(tmp_path / photo) == [sidecar]
        assert found.to_write(tmp_path / photo, None) == tmp_path / sidecar
        assert found.of(tmp_path / photo) == [tmp_path / sidecar]

    @pytest.mark.parametrize("other", ["a.jpg", "._a.xmp", "b.xmp", "a.png.xmp", "a.xmp.bak"])
    def test_neither_takes_another_file(self, tmp_path: Path, other: str) -> None:
        write(tmp_path / other)

        assert names(tmp_path / "a.jpg") == []
        assert SidecarFiles({tmp_path / "a.jpg": 1}).to_write(tmp_path / "a.jpg", None) == tmp_path / "a.jpg.xmp"

    @pytest.mark.parametrize(("one", "other"), [("IMG_1.JPG", "img_1.png"), ("Éa.jpg", "e\u0301a.png")])
    def test_photos_share_a_stem_however_it_is_written(self, tmp_path: Path, one: str, other: str) -> None:
        found = SidecarFiles({tmp_path / one: 1, tmp_path / other: 2})

        assert found.shares_stem(tmp_path / one)
        assert found.shares_stem(tmp_path / other)
        assert not SidecarFiles({tmp_path / one: 1, tmp_path / other: 1}).shares_stem(tmp_path / one)
