"""What people say of a photo stays with its file when a program saves the picture in place, or its raw file is left."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import ExifTags, Image

from photoindex.catalogue import files
from photoindex.catalogue.database import Database
from photoindex.catalogue.editor import Edit
from photoindex.catalogue.user_metadata import Locked, UserMetadata
from photoindex.library import Library
from photoindex.types import IndexReport
from tests.catalogue.test_companions import make_raw
from tests.support import make_photo

ON_BOTH = True

ALL = Edit("Minka on the sofa", ("Minka", "Lisbon"), rating=5, favourite=True, hidden=True)
SAID = UserMetadata("Minka on the sofa", ("Minka", "Lisbon"), None, 5, True, True)

Change = Callable[[Path], object]


def save(path: Path, picture: Image.Image, taken: str | None = "2024:05:01 12:00:00", camera: str = "X100") -> Path:
    exif = Image.Exif()
    if taken is not None:
        exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "Fuji", camera
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = taken
    part = path.with_name(path.name + ".part")
    picture.save(part, "PNG" if path.suffix == ".png" else "JPEG", exif=exif)
    return part.replace(path)


def stripes(across: int = 3, size: tuple[int, int] = (96, 64)) -> Image.Image:
    """A picture with a fingerprint: bright fields on a slope of grey."""
    slope = Image.linear_gradient("L").resize(size)
    for number in range(across):
        slope.paste(255, (number * size[0] // across, 0, number * size[0] // across + 7, size[1] // 2))
    return slope.convert("RGB")


def rotated(path: Path) -> None:
    save(path, stripes().transpose(Image.Transpose.ROTATE_90))


def retitled(path: Path) -> None:
    save(path, stripes(), "2031:01:01 00:00:00", "other")


def smaller(path: Path) -> None:
    save(path, stripes().resize((48, 32)), None)


def said(library: Library, path: Path) -> UserMetadata:
    [number] = library.editor().photos_at([path])
    return library.editor().said([number])[number]


def photo_of(library: Library, path: Path) -> int:
    [number] = library.editor().photos_at([path])
    return number


def edit(library: Library, path: Path, change: Edit = ALL) -> int:
    number = photo_of(library, path)
    library.editor().apply([number], change)
    return number


@pytest.fixture
def photo(library: Library, album: Path) -> Path:
    path = save(album / "2.jpg", stripes())
    make_photo(album / "other.jpg", "blue")
    library.index(album)
    return path


def notices(library: Library, *paths: Path) -> tuple[IndexReport, list[str]]:
    lines: list[str] = []
    return library.index(*paths, notice=lines.append), lines


class TestSavedInPlace:
    @pytest.mark.parametrize("change", [rotated, retitled, smaller])
    def test_words_marks_and_albums_go_along(self, library: Library, album: Path, photo: Path, change: Change) -> None:
        before = edit(library, photo)
        made, _ = library.albums.put("Cats", [before])
        other = photo_of(library, album / "other.jpg")
        library.albums.set_distinct([before, other])
        change(photo)
        _, lines = notices(library, album)
        after = photo_of(library, photo)
        assert after != before
        assert said(library, photo) == SAID
        assert not [line for line in lines if "another picture" in line]
        assert after in library.albums.photos(made.id)
        assert library.albums.set_distinct([after, other], distinct=False) == 3
        assert [hit.path for hit in library.search("tag:minka is:hidden")] == [photo]

    def test_the_models_caption_is_made_again_and_undo_takes_it_all_back(
        self, library: Library, album: Path, photo: Path
    ) -> None:
        edit(library, photo)
        rotated(photo)
        assert library.index(album).captioned == 1
        number = photo_of(library, photo)
        kinds = {change.kind for change in library.editor().history([number])[number]}
        assert kinds == {"caption", "tags", "rating", "favourite", "hidden"}
        library.editor().undo([number])
        assert said(library, photo) == UserMetadata()
        library.index(album)
        assert said(library, photo) == UserMetadata()

    def test_a_locked_caption_of_the_model_stays(self, library: Library, album: Path, photo: Path) -> None:
        edit(library, photo, Edit(lock=True))
        before = library.show(photo)
        assert before is not None
        assert before.caption is not None
        rotated(photo)
        library.index(album)
        after = library.show(photo)
        assert after is not None
        assert after.caption is not None
        assert (after.caption.text, after.caption.locked) == (before.caption.text, True)
        library.editor().undo([after.id])
        assert said(library, photo) == UserMetadata()

    def test_a_review_stays_with_the_caption_that_it_is_of(self, library: Library, album: Path, photo: Path) -> None:
        edit(library, photo, Edit(review="wrong", tags=("x",)))
        rotated(photo)
        library.index(album)
        assert said(library, photo) == UserMetadata(None, ("x",))

    def test_what_is_said_of_the_new_content_stays(self, library: Library, album: Path, photo: Path) -> None:
        copy = save(album / "copy.jpg", stripes().transpose(Image.Transpose.ROTATE_180))
        library.index(album)
        edit(library, copy, Edit("upside down", ("copy",), rating=1))
        edit(library, photo)
        copy.replace(photo)
        library.index(album)
        assert said(library, photo) == UserMetadata("upside down", ("copy", "Minka", "Lisbon"), None, 1, True, True)

    def test_a_photo_that_another_file_holds_keeps_its_words_there(
        self, library: Library, album: Path, photo: Path
    ) -> None:
        shutil.copy(photo, album / "copy.jpg")
        library.index(album)
        edit(library, photo)
        rotated(photo)
        library.index(album)
        assert said(library, photo) == UserMetadata()
        assert said(library, album / "copy.jpg") == SAID

    def test_two_files_of_one_photo_saved_at_once_both_have_them(
        self, library: Library, album: Path, photo: Path
    ) -> None:
        shutil.copy(photo, album / "copy.jpg")
        library.index(album)
        edit(library, photo)
        rotated(photo)
        smaller(album / "copy.jpg")
        save(album / "copy.jpg", stripes().resize((48, 32)))
        library.index(album)
        assert said(library, photo) == said(library, album / "copy.jpg") == SAID

    @pytest.mark.parametrize("caption", ["again", None])
    def test_of_two_states_that_come_and_go_the_later_word_counts(
        self, library: Library, album: Path, photo: Path, tmp_path: Path, caption: str | None
    ) -> None:
        first = shutil.copy(photo, tmp_path)
        edit(library, photo)
        rotated(photo)
        second = shutil.copy(photo, tmp_path / "rotated.jpg")
        library.index(album)
        edit(library, photo, Edit("later", untags=("Lisbon",)))
        shutil.copy(first, photo)
        library.index(album)
        assert said(library, photo) == UserMetadata("later", ("Minka",), None, 5, True, True)
        edit(library, photo, Edit(caption, clear=True))
        shutil.copy(second, photo)
        library.index(album)
        assert said(library, photo) == UserMetadata(caption, (), None, 5, True, True)

    def test_a_file_that_was_moved_over_another_while_it_was_watched(
        self, library: Library, database: Database, album: Path, photo: Path
    ) -> None:
        edit(library, photo)
        new = save(album / "new.jpg", stripes().transpose(Image.Transpose.ROTATE_90))
        unlike = make_photo(album / "unlike.jpg", "blue")
        library.index(album)
        left: list[Path] = []
        for source, expected in ((new, []), (unlike, [photo])):
            source.replace(photo)
            with database.write() as connection:
                files.move(connection, source, photo, left)
            assert left == expected
        assert said(library, photo) == UserMetadata()


class TestAnotherPicture:
    @pytest.mark.parametrize("taken", ["2025:06:02 10:00:00", None])
    def test_it_inherits_nothing_and_a_line_says_so(
        self, library: Library, album: Path, photo: Path, taken: str | None
    ) -> None:
        edit(library, photo)
        old = photo.read_bytes()
        save(photo, stripes(11).transpose(Image.Transpose.ROTATE_90), taken, "other")
        _, lines = notices(library, album)
        assert said(library, photo) == UserMetadata()
        [line] = [line for line in lines if "another picture" in line]
        assert line.startswith("1 file holds another picture now, and people's words stayed with the old one: ")
        assert f"{photo};" in line
        (album / "back.jpg").write_bytes(old)
        assert not [line for line in notices(library, album)[1] if "another picture" in line]
        assert said(library, album / "back.jpg") == SAID

    def test_without_words_there_is_no_line(self, library: Library, album: Path, photo: Path) -> None:
        save(photo, stripes(11).transpose(Image.Transpose.ROTATE_90), None)
        assert not [line for line in notices(library, album)[1] if "another picture" in line]

    def test_pictures_without_structure_are_not_alike(self, library: Library, album: Path, photo: Path) -> None:
        make_photo(photo, "red")
        library.index(album)
        edit(library, photo)
        make_photo(photo, "green")
        assert [line for line in notices(library, album)[1] if "another picture" in line]
        assert said(library, photo) == UserMetadata()


class TestRawFiles:
    @pytest.fixture(autouse=True)
    def reader(self) -> None:
        pytest.importorskip("rawpy", reason="needs the extra raw")

    def test_a_raw_file_that_is_left_has_the_words_of_the_pair(self, library: Library, album: Path) -> None:
        raw, main = make_raw(album / "n.dng"), make_photo(album / "N.jpg")
        library.index(album)
        made, _ = library.albums.put("Cats", [edit(library, main)])
        old = main.read_bytes()
        main.unlink()
        library.index(album)
        assert said(library, raw) == SAID
        assert photo_of(library, raw) in library.albums.photos(made.id)
        edit(library, raw, Edit("of the raw file", rating=2))
        main.write_bytes(old)
        library.index(album)
        assert said(library, main) == UserMetadata("of the raw file", ("Minka", "Lisbon"), None, 2, True, True)
        edit(library, main, Edit("of the pair"))
        main.unlink()
        library.index(album)
        assert said(library, raw).caption == "of the pair"

    def test_a_jpeg_that_is_in_the_library_takes_the_words_of_the_raw_file(self, library: Library, album: Path) -> None:
        raw, elsewhere = make_raw(album / "m.dng"), make_photo(album / "x.jpg")
        library.index(album)
        made, _ = library.albums.put("Cats", [edit(library, raw, Edit("of the raw file", ("raw",), lock=True))])
        edit(library, elsewhere, Edit(tags=("jpeg",)))
        shutil.copy(elsewhere, album / "m.jpg")
        library.index(album)
        words = UserMetadata("of the raw file", ("jpeg", "raw"), Locked("user", "of the raw file"))
        assert said(library, album / "m.jpg") == said(library, raw) == words
        assert photo_of(library, raw) in library.albums.photos(made.id)

    def test_a_raw_file_that_another_file_holds_keeps_its_words(self, library: Library, album: Path) -> None:
        raw, elsewhere = make_raw(album / "m.dng"), make_photo(album / "x.jpg")
        shutil.copy(raw, album / "copy.dng")
        library.index(album)
        edit(library, raw)
        shutil.copy(elsewhere, album / "m.jpg")
        library.index(album)
        assert said(library, album / "m.jpg") == UserMetadata()
        assert said(library, album / "copy.dng") == SAID
