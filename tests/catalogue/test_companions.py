"""A camera's raw file beside its JPEG, and a live photo's film: one photo, whatever comes first and whatever goes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import insert, select

from photoindex.catalogue import files, jobs
from photoindex.catalogue.database import Database
from photoindex.catalogue.details import films_beside
from photoindex.catalogue.schema import file, job
from photoindex.library import Library
from photoindex.types import Companion
from tests.conftest import OpenLibrary
from tests.media.decode.makers import dng, jpeg
from tests.support import COLOURS, NOW, FakeCaptioner, downgrade, make_photo, names

ON_BOTH = True

pytest.importorskip("rawpy", reason="needs the extra raw")


def make_raw(path: Path, colour: str = "red") -> Path:
    """A raw photo with a preview of one colour."""
    picture = Image.new("RGB", (96, 64), COLOURS[colour])
    part = path.with_name(path.name + ".part")
    part.write_bytes(dng(picture, jpeg(picture, comment=path.name.encode()), preview_size=picture.size))
    return part.replace(path)


def shown(library: Library, path: Path) -> tuple[list[str], list[str]]:
    """Names of a photo's own files, and of its companions."""
    photo = library.show(path)
    assert photo is not None
    return [each.name for each in photo.paths], [f"{each.path.name} ({each.kind})" for each in photo.companions]


def found(library: Library) -> list[str]:
    return names(library.search("square", None))


class TestRawAndJpeg:
    @pytest.mark.parametrize(
        ("raw", "main"), [("IMG_1.DNG", "IMG_1.JPG"), ("img_1.dng", "IMG_1.jpeg"), ("Été.dng", "ÉTÉ.jpg")]
    )
    def test_they_are_one_photo_that_is_captioned_once(
        self, library: Library, captioner: FakeCaptioner, album: Path, raw: str, main: str
    ) -> None:
        make_raw(album / raw)
        make_photo(album / main)
        report = library.index(album)
        assert (report.captioned, report.recognised, report.failed) == (1, 1, 0)
        assert captioner.captions == ["a red square"]
        assert found(library) == [main]
        assert shown(library, album / main) == shown(library, album / raw) == ([main], [f"{raw} (raw)"])

    @pytest.mark.parametrize("state", ["failed", "ignored"])
    def test_text_that_cannot_be_read_parts_no_pair(
        self, library: Library, album: Path, database: Database, state: str
    ) -> None:
        make_raw(album / "IMG_1.dng")
        make_photo(album / "IMG_1.jpg")
        library.index(album)
        with database.write() as connection:
            number = connection.execute(select(file.c.id).where(file.c.relative_path == Path("IMG_1.jpg"))).scalar_one()
            connection.execute(insert(job).values(
                file_id=number, kind=jobs.TEXT, state=state, priority=0, attempts=3, next_try_at=NOW, created_at=NOW,
                queued_revision=0, error_kind="interrupted", error_message="",
            ))  # fmt: skip
        assert library.index(album).captioned == 0
        assert found(library) == ["IMG_1.jpg"]
        make_raw(album / "IMG_1.nef")  # nor does it keep another file of the shot out
        assert library.index(album).captioned == 0
        assert shown(library, album / "IMG_1.jpg") == (["IMG_1.jpg"], ["IMG_1.dng (raw)", "IMG_1.nef (raw)"])

    def test_the_raw_file_is_not_even_read(self, library: Library, album: Path) -> None:
        (album / "IMG_1.CR2").write_bytes(b"nothing that could be read")
        make_photo(album / "IMG_1.JPG")
        assert library.index(album).failed == 0
        assert shown(library, album / "IMG_1.JPG") == (["IMG_1.JPG"], ["IMG_1.CR2 (raw)"])

    def test_other_stems_folders_and_formats_are_other_photos(self, library: Library, album: Path) -> None:
        (album / "sub").mkdir()
        make_raw(album / "IMG_1.dng")
        for name in ("IMG_10.jpg", "sub/IMG_1.jpg", "IMG_1.png"):
            make_photo(album / name, "blue")
        library.index(album)
        assert found(library) == ["IMG_1.dng", "IMG_1.jpg", "IMG_1.png", "IMG_10.jpg"]

    def test_the_next_run_has_nothing_to_do(self, library: Library, album: Path) -> None:
        make_raw(album / "IMG_1.dng")
        make_photo(album / "IMG_1.jpg")
        library.index(album)
        report = library.index(album)
        assert (report.unchanged, report.captioned, report.recognised) == (2, 0, 0)
        assert library.recaption(everything=True).captioned == 1

    def test_when_the_jpeg_goes_the_raw_file_is_captioned_and_when_it_is_back_they_are_one_again(
        self, library: Library, captioner: FakeCaptioner, album: Path, tmp_path: Path
    ) -> None:
        make_raw(album / "IMG_1.dng")
        make_photo(album / "IMG_1.jpg")
        library.index(album)
        shutil.move(album / "IMG_1.jpg", tmp_path)
        report = library.index(album)
        assert (report.captioned, report.missing) == (1, 1)
        assert found(library) == ["IMG_1.dng"]
        assert shown(library, album / "IMG_1.dng") == (["IMG_1.dng"], [])
        shutil.move(tmp_path / "IMG_1.jpg", album)
        assert library.index(album).captioned == 0
        assert found(library) == ["IMG_1.jpg"]
        (album / "IMG_1.jpg").unlink()
        assert library.index(album).captioned == 0  # the raw file's caption is remembered
        assert found(library) == ["IMG_1.dng"]
        assert len(captioner.captions) == 2

    def test_a_jpeg_that_comes_later_takes_the_raw_file_s_caption(
        self, library: Library, captioner: FakeCaptioner, album: Path
    ) -> None:
        make_raw(album / "IMG_1.dng")
        library.index(album)
        before = library.show(album / "IMG_1.dng")
        make_photo(album / "IMG_1.jpg")
        report = library.index(album)
        assert (report.captioned, report.recognised) == (0, 1)
        assert captioner.captions == ["a red square"]
        assert found(library) == ["IMG_1.jpg"]
        photo = library.show(album / "IMG_1.jpg")
        assert photo is not None
        assert before is not None
        assert photo.facts is not None
        assert (photo.id, photo.caption, photo.terms) == (before.id, before.caption, before.terms)
        assert (photo.facts.format, photo.facts.width, photo.size) == ("JPEG", 48, (album / "IMG_1.jpg").stat().st_size)
        assert photo.content_hash != before.content_hash
        assert photo.companions == (Companion(album / "IMG_1.dng", "raw"),)

    def test_a_raw_file_with_a_copy_elsewhere_keeps_its_photo(self, library: Library, album: Path) -> None:
        (album / "backup").mkdir()
        shutil.copy(make_raw(album / "IMG_1.dng"), album / "backup" / "a.dng")
        library.index(album)
        make_photo(album / "IMG_1.jpg")
        assert library.index(album).captioned == 1
        assert found(library) == ["IMG_1.jpg", "a.dng"]
        assert shown(library, album / "IMG_1.jpg") == (["IMG_1.jpg"], ["IMG_1.dng (raw)"])

    def test_a_jpeg_that_cannot_be_read_leaves_the_raw_file_to_be_captioned(
        self, library: Library, album: Path
    ) -> None:
        make_raw(album / "IMG_1.dng")
        (album / "IMG_1.jpg").write_text("no photo at all")
        report = library.index(album)
        assert (report.captioned, report.failed) == (1, 1)
        assert found(library) == ["IMG_1.dng"]
        make_photo(album / "IMG_1.jpg")
        assert library.index(album).captioned == 0
        assert found(library) == ["IMG_1.jpg"]

    def test_a_jpeg_given_up_by_another_process_leaves_the_raw_file_too(
        self, library: Library, database: Database, album: Path
    ) -> None:
        make_raw(album / "IMG_1.dng")
        make_photo(album / "IMG_1.jpg")
        library.index(album)
        with database.write() as connection:
            [main] = [files.photo_at(connection, album / "IMG_1.jpg")]
            assert main is not None
            jobs.enqueue(connection, [main[0]], NOW)
            connection.exec_driver_sql("update job set state = 'failed', error_kind = 'interrupted'")
        assert library.work_off().captioned == 1
        assert "IMG_1.dng" in found(library)

    def test_a_heic_stands_for_it_where_there_is_no_jpeg(self, library: Library, album: Path) -> None:
        pillow_heif = pytest.importorskip("pillow_heif", reason="needs the extra heif")
        make_raw(album / "IMG_1.dng", "blue")
        pillow_heif.from_pillow(Image.new("RGB", (64, 64), COLOURS["green"])).save(album / "IMG_1.HIF")
        library.index(album)
        assert found(library) == ["IMG_1.HIF"]
        make_photo(album / "IMG_1.JPG", "red")
        make_raw(album / "IMG_1.dng", "yellow")
        library.index(album)
        assert shown(library, album / "IMG_1.JPG") == (["IMG_1.JPG"], ["IMG_1.dng (raw)"])
        assert shown(library, album / "IMG_1.HIF") == (["IMG_1.HIF"], [])


class TestMoves:
    """As the watcher hears of them."""

    @pytest.fixture
    def pair(self, library: Library, album: Path) -> Library:
        make_raw(album / "IMG_1.dng")
        make_photo(album / "IMG_1.jpg")
        library.index(album)
        return library

    def move(self, library: Library, database: Database, source: Path, destination: Path) -> int:
        destination.parent.mkdir(exist_ok=True)
        source.rename(destination)
        with database.write() as connection:
            files.move(connection, source, destination)
        return library.work_off().done

    def test_a_folder_takes_its_pairs_along(self, pair: Library, database: Database, album: Path) -> None:
        (album / "in").mkdir()
        for name in ("IMG_1.jpg", "IMG_1.dng"):
            self.move(pair, database, album / name, album / "in" / name)
        assert self.move(pair, database, album / "in", album / "out") == 0
        assert shown(pair, album / "out" / "IMG_1.jpg") == (["IMG_1.jpg"], ["IMG_1.dng (raw)"])

    def test_one_that_moves_away_is_a_photo_of_its_own_and_joins_again(
        self, pair: Library, database: Database, captioner: FakeCaptioner, album: Path
    ) -> None:
        assert self.move(pair, database, album / "IMG_1.jpg", album / "in" / "IMG_1.jpg") == 1
        assert found(pair) == ["IMG_1.dng", "IMG_1.jpg"]
        assert self.move(pair, database, album / "IMG_1.dng", album / "in" / "IMG_1.dng") == 0
        pair.work_off()
        assert found(pair) == ["IMG_1.jpg"]
        assert len(captioner.captions) == 2

    def test_a_jpeg_that_is_replaced_by_another_keeps_its_raw_file(
        self, pair: Library, database: Database, album: Path
    ) -> None:
        make_photo(album / "edited.jpg", "blue")
        pair.index(album)
        assert self.move(pair, database, album / "edited.jpg", album / "IMG_1.jpg") == 0
        assert shown(pair, album / "IMG_1.jpg") == (["IMG_1.jpg"], ["IMG_1.dng (raw)"])
        assert names(pair.search("blue")) == ["IMG_1.jpg"]
        assert names(pair.search("red square")) == ["IMG_1.jpg"]


class TestFilms:
    def test_a_live_photo_s_film_is_shown_beside_it_and_is_no_photo(self, library: Library, album: Path) -> None:
        make_photo(album / "IMG_1.jpg")
        for name in ("img_1.MOV", "IMG_2.mov", "IMG_1.xmp", "IMG_1.AAE", "IMG_1.THM"):
            (album / name).write_bytes(b"no photo")
        report = library.index(album)
        assert (report.seen, report.failed) == (1, 0)
        assert shown(library, album / "IMG_1.jpg") == (["IMG_1.jpg"], ["img_1.MOV (live)"])
        (album / "img_1.MOV").unlink()
        assert shown(library, album / "IMG_1.jpg") == (["IMG_1.jpg"], [])

    def test_a_folder_that_is_gone_has_none(self, tmp_path: Path) -> None:
        assert films_beside(tmp_path / "gone" / "a.jpg") == []


@pytest.mark.sqlite
def test_an_older_catalogue_s_photos_take_the_raw_files_that_are_met_now(
    library: Library, open_library: OpenLibrary, database: Database, captioner: FakeCaptioner, album: Path
) -> None:
    """The migration gives files that are known the number by which pairs are found."""
    make_photo(album / "IMG_1.jpg")
    library.index(album)
    downgrade(database, "0005")
    library.close()
    database.close()
    make_raw(album / "IMG_1.dng")
    with open_library() as upgraded:
        report = upgraded.index(album)
        assert (report.unchanged, report.captioned, report.recognised) == (1, 0, 1)
        assert shown(upgraded, album / "IMG_1.jpg") == (["IMG_1.jpg"], ["IMG_1.dng (raw)"])
    assert captioner.captions == ["a red square"]
