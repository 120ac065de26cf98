"""What is there several times: copies, and photos that look alike."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image
from skimage import data

from photoindex.catalogue.database import Database
from photoindex.cli.main import main
from photoindex.errors import FolderError
from photoindex.library import Library
from photoindex.types import Progress
from tests.support import FakeCaptioner, make_photo

ON_BOTH = True

Groups = list[list[tuple[str, int]]]


@pytest.fixture
def cat() -> Image.Image:
    return Image.fromarray(data.chelsea())


@pytest.fixture
def indexed(library: Library, album: Path, cat: Image.Image) -> Library:
    """A cat in three sizes, the smallest twice; coffee; two frames that are all of one colour."""
    cat.save(album / "cat.png")
    cat.resize((300, 200)).save(album / "a small cat.jpg", quality=60)
    (album / "old").mkdir()
    cat.resize((90, 60)).save(album / "old" / "tiny.jpg")
    shutil.copy(album / "old" / "tiny.jpg", album / "old" / "tiny copy.jpg")
    Image.fromarray(data.coffee()).save(album / "coffee.jpg")
    make_photo(album / "black 1.jpg", "black")
    make_photo(album / "black 2.jpg", "black")
    library.index(album)
    return library


def groups(library: Library, *paths: Path, near: int | None = None) -> Groups:
    return [[(each.path.name, each.distance) for each in group] for group in library.duplicates(*paths, near=near)]


def test_files_with_the_same_bytes_are_copies(indexed: Library) -> None:
    assert groups(indexed) == [[("tiny copy.jpg", 0), ("tiny.jpg", 0)]]


def test_photos_that_look_alike_are_grouped_with_the_best_first(indexed: Library, album: Path) -> None:
    [group] = indexed.duplicates(near=10)
    assert [each.path.name for each in group] == ["cat.png", "a small cat.jpg", "tiny copy.jpg", "tiny.jpg"]
    assert [each.width for each in group] == [451, 300, 90, 90]
    assert group[0].bytes == (album / "cat.png").stat().st_size
    assert group[2].content_hash == group[3].content_hash != group[1].content_hash
    assert all(each.distance <= 10 for each in group)


def test_paths_choose_groups_and_not_the_files_in_them(indexed: Library, album: Path) -> None:
    assert len(groups(indexed, album / "old", near=10)[0]) == 4
    assert groups(indexed, album / "coffee.jpg", near=10) == []
    assert groups(indexed, album / "coffee.jpg", album / "cat.png") == []
    with pytest.raises(FolderError, match="nowhere"):
        indexed.duplicates(album / "nowhere")


def test_a_file_that_is_gone_is_no_duplicate(indexed: Library, album: Path) -> None:
    (album / "old" / "tiny copy.jpg").unlink()
    (album / "cat.png").unlink()
    indexed.index(album)
    assert groups(indexed) == []
    assert [name for name, _ in groups(indexed, near=10)[0]] == ["a small cat.jpg", "tiny.jpg"]


def test_nothing_is_changed_by_looking(indexed: Library, album: Path) -> None:
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in album.rglob("*.*")}
    indexed.duplicates(near=15)
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in album.rglob("*.*")} == before


class TestOlderPhotos:
    """Captioned before there were fingerprints."""

    @pytest.fixture
    def older(self, indexed: Library, database: Database) -> Library:
        with database.write() as connection:
            connection.exec_driver_sql("update photo set fingerprint = null")
        return indexed

    def missing(self, database: Database) -> int:
        with database.read() as connection:
            query = "select count(*) from photo where fingerprint is null"
            return int(connection.exec_driver_sql(query).scalar_one())

    def test_they_get_theirs_when_they_are_asked_for_and_no_new_caption(
        self, older: Library, database: Database, captioner: FakeCaptioner
    ) -> None:
        captions = len(captioner.captions)
        assert len(groups(older)) == 1
        assert self.missing(database) == 6
        seen: list[Progress] = []
        assert len(older.duplicates(near=10, progress=seen.append)[0]) == 4
        assert (seen[-1].done, seen[-1].total) == (6, 6)
        assert self.missing(database) == 0
        assert len(captioner.captions) == captions
        seen.clear()
        older.duplicates(near=10, progress=seen.append)
        assert seen == []

    def test_reindexing_gives_them_theirs(self, older: Library, database: Database) -> None:
        older.recaption(everything=True)
        assert self.missing(database) == 0

    def test_one_that_cannot_be_read_or_has_changed_is_left_out(
        self, older: Library, database: Database, album: Path
    ) -> None:
        (album / "cat.png").write_bytes(b"no photo any more")
        make_photo(album / "a small cat.jpg", "red")
        assert groups(older, near=10) == [[("tiny copy.jpg", 0), ("tiny.jpg", 0)]]
        assert self.missing(database) == 2

    def test_what_was_done_before_a_stop_is_kept(self, older: Library, database: Database) -> None:
        stop = threading.Event()
        older.duplicates(near=10, stop=stop, progress=lambda _: stop.set())
        assert self.missing(database) == 4


Run = Callable[..., Result]


class TestCommand:
    @pytest.fixture
    def run(self, indexed: Library, data_dir: Path) -> Run:
        def run(*arguments: str | Path) -> Result:
            return CliRunner().invoke(main, ["--data-dir", str(data_dir), "duplicates", *map(str, arguments)])

        return run

    def test_groups_are_listed_for_people(self, run: Run, album: Path) -> None:
        result = run("--near", 10)
        assert result.exit_code == 0
        lines = result.stdout.splitlines()
        assert len(lines) == 4
        assert lines[0].split()[:3] == ["451", "x", "300"]
        assert lines[0].endswith(f" {album / 'cat.png'}")
        assert "PNG" in lines[0]
        assert "bits" in lines[2]
        assert result.stderr.startswith("1 group; without the best of each, 3 files of ")

    def test_the_others_can_be_passed_on(self, run: Run, album: Path) -> None:
        assert run("--others", "-0").stdout_bytes == bytes(album / "old" / "tiny.jpg") + b"\0"

    def test_as_json(self, run: Run, album: Path) -> None:
        [group] = json.loads(run("--json", album / "old").stdout)
        first, second = group["files"]
        assert first["path"] == str(album / "old" / "tiny copy.jpg")
        assert (first["width"], first["height"], first["format"], first["distance"]) == (90, 60, "JPEG", 0)
        assert first["sha256"] == second["sha256"]
        assert first["bytes"] == (album / "old" / "tiny.jpg").stat().st_size

    @pytest.mark.parametrize("bits", ["-1", "16", "some"])
    def test_a_number_of_bits_that_cannot_be_is_wrong_usage(self, run: Run, bits: str) -> None:
        assert run("--near", bits).exit_code == 2
