"""What is written into sidecars, what stays, and which file that is."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

from photoindex.errors import ExchangeError
from photoindex.exchange import sidecars
from photoindex.exchange.sidecars import SidecarChange, SidecarContent, SidecarFiles, read_words, write_sidecar
from photoindex.exchange.xmp_document import MOST_BYTES, XmpDocument
from photoindex.media.metadata.sidecars import beside
from photoindex.types import SidecarStyle
from tests.exchange import samples

NOW = datetime(2024, 5, 1, 12, tzinfo=timezone.utc)
MINKA = SidecarContent("Minka", "user", None, NOW, ("Cat", "sofa"), frozenset({"Minka"}), frozenset({"cat", "sofa"}))
MACHINE = SidecarContent("a dog on grass", "model", "lite2-0123", NOW, ())
NOTHING = SidecarContent(None, None, None, None, ())
RATED = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="STARS"/></rdf:RDF></x:xmpmeta>"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.jpg.xmp"


def write(path: Path, wanted: SidecarContent, **options: bool) -> SidecarChange:
    written = write_sidecar(path, wanted, NOW, **options)
    assert written is not None
    return written


def read(path: Path) -> XmpDocument:
    return XmpDocument.parse(path.read_bytes(), path)


class TestWhatIsWritten:
    def test_a_new_sidecar_says_it_all(self, path: Path) -> None:
        assert write(path, MINKA) == SidecarChange(path, True, "Minka", ("Cat", "sofa"), (), None)
        assert (read(path).caption, read(path).tags) == ("Minka", ["Cat", "sofa"])
        assert not read(path).caption_is_machine_made

    def test_writing_it_again_does_not_touch_the_file(self, path: Path) -> None:
        write(path, MINKA)
        before = (path.read_bytes(), path.stat().st_ino)
        assert not write(path, MINKA).changes
        assert (path.read_bytes(), path.stat().st_ino) == before

    def test_stars_replace_those_that_stand_there_and_give_them_back(self, path: Path) -> None:
        rated = replace(NOTHING, rating=5, known_ratings=frozenset({5}))
        path.write_bytes(RATED.replace(b"STARS", b"3"))
        assert write(path, rated).rating == 5
        assert (read(path).rating, read(path).mark.rating, read(path).mark.rating_before) == (5, 5, 3)
        assert b' xmp:Rating="5"' in path.read_bytes()
        assert not write(path, rated).changes
        assert write(path, replace(rated, rating=2, known_ratings=frozenset({5, 2}))).rating == 2
        assert write(path, replace(rated, rating=None, known_ratings=frozenset({5, 2}))).rating == 3
        assert (read(path).rating, read(path).mark.is_empty) == (3, True)

    def test_stars_that_another_program_changed_since_stay(self, path: Path) -> None:
        write(path, replace(NOTHING, rating=5))
        document = read(path)
        document.set_rating(2)
        path.write_bytes(document.to_bytes())
        for wanted in (5, 4, None):
            assert not write(path, replace(NOTHING, rating=wanted, known_ratings=frozenset({5, 4}))).changes
        assert read(path).rating == 2

    def test_no_stars_and_rejected_are_written_where_there_are_some(self, path: Path) -> None:
        assert write_sidecar(path, replace(NOTHING, rating=0), NOW) is None
        path.write_bytes(RATED.replace(b"STARS", b"0"))
        assert not write(path, replace(NOTHING, rating=0)).changes
        assert write(path, replace(NOTHING, rating=-1)).rating == -1
        assert write(path, replace(NOTHING, rating=0)).rating == 0
        assert read(path).rating == 0

    def test_no_stars_are_written_over_those_within_the_photo(self, path: Path) -> None:
        none = replace(NOTHING, rating=0, known_ratings=frozenset({0}), rated=True)
        assert write(path, none).rating == 0
        assert (read(path).rating, read(path).mark.rating) == (0, 0)
        assert not write(path, none).changes
        assert read_words([path], {path: NOW}).rating == 0
        assert write(path, replace(none, rating=None)).rating == 0
        assert read(path).rating is None
        assert read(path).mark.is_empty
        path.write_bytes(RATED.replace(b"STARS", b"many"))  # nor by what is no number of stars
        assert write(path, none).rating == 0

    def test_a_favourite_comes_and_goes(self, path: Path) -> None:
        assert write(path, replace(NOTHING, favourite=True, known_favourite=True)).favourite is True
        assert read(path).mark.favourite
        assert not write(path, NOTHING).changes  # a new library, which never knew
        assert write(path, replace(NOTHING, known_favourite=True)).favourite is False
        assert read(path).mark.is_empty

    @pytest.mark.parametrize("stars", ["", "many", "nan", "1e999", "77"])
    def test_what_is_no_number_of_stars_is_replaced(self, path: Path, stars: str) -> None:
        path.write_bytes(RATED.replace(b"STARS", stars.encode()))
        assert read(path).rating is None
        assert write(path, replace(NOTHING, rating=4)).rating == 4
        assert read(path).rating == 4

    def test_a_dry_run_says_the_same_and_writes_nothing(self, path: Path) -> None:
        assert write(path, MINKA, dry_run=True).changes
        assert not path.exists()
        path.write_bytes(samples.DARKTABLE)
        assert write(path, MINKA, dry_run=True).caption == "Minka"
        assert path.read_bytes() == samples.DARKTABLE

    def test_nothing_to_say_makes_no_file(self, path: Path) -> None:
        assert write_sidecar(path, NOTHING, NOW) is None
        assert not path.exists()

    def test_a_persons_description_stays_and_is_told(self, path: Path) -> None:
        path.write_bytes(samples.LIGHTROOM)
        written = write(path, replace(MINKA, tags=("BEACH", "sofa")))
        assert (written.caption, written.kept) == (None, "Our holiday")
        assert (read(path).caption, read(path).tags) == ("Our holiday", ["beach", "Portugal", "sofa"])
        assert read(path).mark.tags == ("sofa",)

    def test_a_machines_caption_gives_way_to_a_person_and_never_the_other_way(self, path: Path) -> None:
        write(path, MACHINE)
        assert read(path).caption_is_machine_made
        assert read(path).mark.model == "lite2-0123"
        write(path, replace(MACHINE, caption="a cat on a sofa", model="lite3-4567"))
        assert read(path).caption == "a cat on a sofa"
        write(path, MINKA)
        assert (read(path).caption, read(path).mark.source, read(path).mark.model) == ("Minka", "user", None)
        path.write_bytes(samples.LIGHTROOM)
        assert not write(path, MACHINE).changes
        assert path.read_bytes() == samples.LIGHTROOM

    def test_the_persons_later_caption_replaces_the_earlier(self, path: Path) -> None:
        write(path, MINKA)
        later = replace(MINKA, caption="Minka and Mio", known=frozenset({"Minka", "Minka and Mio"}))
        assert write(path, later).caption == "Minka and Mio"
        assert read(path).caption == "Minka and Mio"

    def test_what_was_cleared_goes(self, path: Path) -> None:
        write(path, MINKA)
        written = write(path, replace(NOTHING, known=MINKA.known, known_tags=MINKA.known_tags))
        assert (written.caption, set(written.removed)) == ("", {"Cat", "sofa"})
        assert (read(path).caption, read(path).tags) == (None, [])

    def test_a_new_library_that_knows_of_nothing_takes_nothing_away(self, path: Path) -> None:
        write(path, MINKA)
        other = SidecarContent("someone", "user", None, NOW, ("x",), frozenset({"someone"}), frozenset({"x"}))
        assert write(path, other).kept == "Minka"
        assert read(path).tags == ["Cat", "sofa", "x"]
        write_sidecar(path, NOTHING, NOW)
        assert read(path).caption == "Minka"

    def test_a_description_changed_by_another_program_is_the_persons(self, path: Path) -> None:
        write(path, MINKA)
        path.write_bytes(path.read_bytes().replace(b">Minka<", b">Minka, asleep<"))
        later = replace(MINKA, caption="Mio", known=frozenset({"Minka", "Mio"}))
        assert write(path, later).kept == "Minka, asleep"
        assert read(path).caption == "Minka, asleep"

    def test_a_tag_that_others_wrote_stays_when_the_person_untags_it(self, path: Path) -> None:
        path.write_bytes(samples.LIGHTROOM)
        write(path, replace(MINKA, caption=None, tags=("Beach", "sofa")))
        written = write(path, replace(MINKA, caption=None, tags=(), known_tags=frozenset({"beach", "sofa"})))
        assert written.removed == ("sofa",)
        assert read(path).tags == ["beach", "Portugal"]


class TestTheFile:
    def test_its_permissions_stay_and_a_link_stays_a_link(self, path: Path, tmp_path: Path) -> None:
        real = tmp_path / "elsewhere.xmp"
        real.write_bytes(samples.DARKTABLE)
        real.chmod(0o640)
        path.symlink_to(real)
        write(path, MINKA)
        assert path.is_symlink()
        assert stat.S_IMODE(real.stat().st_mode) == 0o640
        assert read(real).caption == "Minka"

    def test_a_link_to_a_photo_is_not_written_to(self, path: Path, tmp_path: Path) -> None:
        photo = tmp_path / "a.jpg"
        photo.write_bytes(b"")
        path.symlink_to(photo)
        with pytest.raises(ExchangeError, match="no sidecar"):
            write_sidecar(path, MINKA, NOW)
        assert photo.read_bytes() == b""

    def test_what_is_no_sidecar_is_left_as_it_is(self, path: Path) -> None:
        path.write_bytes(b"\xff\xd8 a photo")
        with pytest.raises(ExchangeError):
            write_sidecar(path, MINKA, NOW)
        assert path.read_bytes() == b"\xff\xd8 a photo"

    def test_one_that_changes_meanwhile_is_read_again(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path.write_bytes(samples.DARKTABLE)
        whole = sidecars.read_sidecar
        calls: list[Path] = []

        def interrupted(at: Path) -> XmpDocument:
            found = whole(at)
            if not calls:
                path.write_bytes(samples.LIGHTROOM)
            calls.append(at)
            return found

        monkeypatch.setattr(sidecars, "read_sidecar", interrupted)
        assert write(path, MINKA).kept == "Our holiday"
        assert len(calls) == 2
        assert read(path).tags == ["beach", "Portugal", "Cat", "sofa"]

    def test_a_disk_that_refuses_leaves_the_old_one_and_no_rubbish(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path.write_bytes(samples.DARKTABLE)

        def refuse(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", refuse)
        with pytest.raises(ExchangeError, match="No space left") as caught:
            write_sidecar(path, MINKA, NOW)
        assert str(path) in str(caught.value)
        assert path.read_bytes() == samples.DARKTABLE
        assert list(path.parent.iterdir()) == [path]


class TestWhichFile:
    @pytest.fixture
    def there(self, tmp_path: Path) -> Callable[..., None]:
        return lambda *names: [(tmp_path / name).write_bytes(b"") for name in names]  # type: ignore[return-value]

    def files_of(self, folder: Path, **photos: int) -> SidecarFiles:
        return SidecarFiles({folder / name.replace("_", "."): number for name, number in photos.items()})

    @pytest.mark.parametrize(
        ("existing", "style", "expected"),
        [
            ([], None, "a.jpg.xmp"),
            ([], "a.xmp", "a.xmp"),
            (["a.xmp"], None, "a.xmp"),
            (["a.xmp", "a.jpg.XMP"], None, "a.jpg.XMP"),
            (["a.xmp", "a.jpg.XMP"], "a.xmp", "a.xmp"),
            (["A.XMP"], None, "A.XMP"),
            (["A.JPG.xmp"], None, "A.JPG.xmp"),
            (["A.Jpg.Xmp"], "a.jpg.xmp", "A.Jpg.Xmp"),
            (["A.xmp", "a.xmp"], None, "a.xmp"),
            (["a.xmp"], "a.jpg.xmp", "a.jpg.xmp"),
        ],
    )
    def test_one_that_exists_in_any_case_is_written_and_no_second_one(
        self, tmp_path: Path, there: Callable[..., None], existing: list[str], style: SidecarStyle, expected: str
    ) -> None:
        there(*existing)
        assert self.files_of(tmp_path, a_jpg=1).to_write(tmp_path / "a.jpg", style).name == expected

    @pytest.mark.parametrize("photo", ["a.jpg", "A.JPG", "IMG_1.JPG", "\u00e9t\u00e9.jpeg", "two.dots.png"])
    @pytest.mark.parametrize("spell", [str, str.lower, str.upper, str.swapcase, str.title])
    def test_what_is_read_for_a_photo_is_what_is_written_for_it(
        self, tmp_path: Path, photo: str, spell: Callable[[str], str]
    ) -> None:
        for name in (photo, Path(photo).stem):
            folder = tmp_path / name / spell("x")
            folder.mkdir(parents=True)
            (folder / (spell(name) + spell(".xmp"))).write_bytes(b"")
            [read] = [each.path for each in beside(folder / photo)]
            files = SidecarFiles({folder / photo: 1})
            assert files.of(folder / photo) == [read]
            assert files.to_write(folder / photo, None) == read

    @pytest.mark.parametrize(
        ("suffix", "own"),
        [("MOV", False), ("mp4", False), ("PNG", False), ("JPG", True), (".jpg", True), ("CR2", True)],
    )
    def test_one_that_says_it_is_for_another_file_is_neither_read_nor_written(
        self, tmp_path: Path, suffix: str, own: bool
    ) -> None:
        sidecar = tmp_path / "a.xmp"
        element = RATED.replace(b"STARS", b"3").replace(
            b"xmp:Rating", b'xmlns:ps="http://ns.adobe.com/photoshop/1.0/" ps:SidecarForExtension="EXT" xmp:Rating'
        )
        sidecar.write_bytes(element.replace(b"EXT", suffix.encode()))
        files = self.files_of(tmp_path, a_jpg=1)
        assert files.of(tmp_path / "a.jpg") == ([sidecar] if own else [])
        assert files.to_write(tmp_path / "a.jpg", None).name == ("a.xmp" if own else "a.jpg.xmp")
        if own:
            assert files.to_write(tmp_path / "a.jpg", "a.xmp") == sidecar
        else:
            with pytest.raises(ExchangeError, match="sidecar of another file"):
                files.to_write(tmp_path / "a.jpg", "a.xmp")

    def test_one_that_two_photos_share_is_nobodys(self, tmp_path: Path, there: Callable[..., None]) -> None:
        there("a.xmp")
        files = self.files_of(tmp_path, a_jpg=1, a_png=2)
        assert files.of(tmp_path / "a.jpg") == []
        assert files.to_write(tmp_path / "a.jpg", None).name == "a.jpg.xmp"
        with pytest.raises(ExchangeError, match="more than one photo"):
            files.to_write(tmp_path / "a.jpg", "a.xmp")

    @pytest.mark.parametrize(
        ("photos", "shared"),
        [
            ({"a.jpg": 1, "a.cr2": 1, "b.jpg": 2}, False),
            ({"a.jpg": 1, "a.png": 3}, True),
            ({"a.jpg": 1, "A.PNG": 3}, True),  # their sidecars are found in any case
            ({"a.jpg": 1, "b/a.png": 3}, False),
        ],
    )
    def test_photos_share_a_stem_when_one_sidecar_would_be_found_for_both(
        self, tmp_path: Path, photos: dict[str, int], shared: bool
    ) -> None:
        files = SidecarFiles({tmp_path / name: number for name, number in photos.items()})
        assert files.shares_stem(tmp_path / "a.jpg") == shared

    def test_a_sidecar_with_the_whole_name_of_a_photo_is_of_no_other(
        self, tmp_path: Path, there: Callable[..., None]
    ) -> None:
        there("a.jpg.xmp")
        files = self.files_of(tmp_path, a_jpg=1, a_jpg_png=2)
        assert files.of(tmp_path / "a.jpg.png") == []
        assert files.to_write(tmp_path / "a.jpg.png", None).name == "a.jpg.png.xmp"
        assert [path.name for path in files.of(tmp_path / "a.jpg")] == ["a.jpg.xmp"]

    def test_photos_whose_names_differ_in_case_only_have_their_own(
        self, tmp_path: Path, there: Callable[..., None]
    ) -> None:
        there("a.jpg.xmp")
        if (tmp_path / "A.JPG.XMP").exists():
            pytest.skip("this file system does not tell case apart")
        files = self.files_of(tmp_path, a_jpg=1, A_JPG=2)
        assert [path.name for path in files.of(tmp_path / "a.jpg")] == ["a.jpg.xmp"]
        assert files.of(tmp_path / "A.JPG") == []
        assert files.to_write(tmp_path / "A.JPG", None).name == "A.JPG.xmp"

    def test_a_link_to_another_sidecar_of_the_photo_is_read_once(
        self, tmp_path: Path, there: Callable[..., None]
    ) -> None:
        there("a.jpg.xmp")
        (tmp_path / "a.xmp").symlink_to("a.jpg.xmp")
        assert [path.name for path in self.files_of(tmp_path, a_jpg=1).of(tmp_path / "a.jpg")] == ["a.jpg.xmp"]


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def make_device_link(path: Path) -> None:
    path.symlink_to("/dev/zero")


def make_large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(MOST_BYTES + 1)


NOT_REGULAR = [make_pipe, make_socket, Path.mkdir, make_device_link, make_large]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
class TestWhatIsNoFile:
    @pytest.mark.parametrize("make", NOT_REGULAR)
    def test_it_is_neither_read_nor_written(self, tmp_path: Path, make: Callable[[Path], None]) -> None:
        path = tmp_path / "a.xmp"
        make(path)
        before = path.lstat()
        with pytest.raises(ExchangeError, match=r"a\.xmp") as caught:
            write_sidecar(path, MINKA, NOW)
        assert "\n" not in str(caught.value)
        with pytest.raises(ExchangeError):
            sidecars.read_sidecar(path)
        assert (path.lstat().st_ino, path.lstat().st_mode) == (before.st_ino, before.st_mode)
        assert [each.name for each in tmp_path.iterdir()] == ["a.xmp"]

    def test_a_broken_link_is_not_followed_to_make_a_file_elsewhere(self, tmp_path: Path) -> None:
        path = tmp_path / "a.xmp"
        path.symlink_to(tmp_path / "elsewhere.xmp")
        with pytest.raises(ExchangeError, match="broken link"):
            write_sidecar(path, MINKA, NOW)
        assert not (tmp_path / "elsewhere.xmp").exists()
