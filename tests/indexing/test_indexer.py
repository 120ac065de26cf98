"""Keeping the catalogue equal to the folders, once, with real files."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from photoindex.catalogue import files, jobs
from photoindex.catalogue.database import Database
from photoindex.errors import FolderError
from photoindex.folders import IGNORE_FILE, Settler
from photoindex.folders.walk import file_stat
from photoindex.indexing.indexer import Indexer
from photoindex.library import Library
from photoindex.types import FileStat, Progress, ScannedFile
from tests.media.metadata.samples import described
from tests.support import FakeCaptioner, Writer, add_files, make_photo, names, put_on_another_disk, refuse

ON_BOTH = True
walking = import_module("photoindex.folders.walk")  # the package has a function of this name

OpenLibrary = Callable[..., Library]


def test_an_index_reports_what_it_did(library: Library, album: Path) -> None:
    for name in ("a.jpg", "sub/b.png", "sub/c.jpg"):
        make_photo(album / name)
    shutil.copy(album / "a.jpg", album / "copy.jpg")
    (album / "notes.txt").write_text("no photo")
    (album / "empty.jpg").touch()
    progress: list[Progress] = []
    report = library.index(album, progress=progress.append)
    assert (report.seen, report.captioned, report.recognised, report.failed) == (5, 3, 1, 1)
    assert (report.unchanged, report.missing) == (0, 0)
    assert [failure.path for failure in report.failures] == [album / "empty.jpg"]
    assert progress[-1].done == progress[-1].total == 5


def test_a_second_index_does_nothing(library: Library, captioner: FakeCaptioner, album: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        make_photo(album / name)
    (album / "empty.jpg").touch()
    library.index(album)
    given = len(captioner.captions)
    report = library.index(album)
    assert (report.seen, report.unchanged, report.captioned, report.recognised, report.missing) == (3, 2, 0, 0, 0)
    assert report.failed == 1
    assert len(captioner.captions) == given
    assert report.failed == 1  # it still has no caption, and the report says so
    assert report.failures[0].attempts == 1


def test_an_index_reports_the_folders_that_it_could_not_read(
    library: Library, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_photo(album / "a.jpg")
    shut = make_photo(album / "shut" / "b.jpg").parent
    library.index(album)
    for more in (0, 1):
        notices: list[str] = []
        with monkeypatch.context() as patch:
            refuse(patch, shut)
            report = library.index(album, notice=notices.append)
        assert (report.seen, report.captioned, report.missing, report.unreadable) == (1 + more, more, 0, (shut,))
        assert [line for line in notices if str(shut) in line] == [
            f"cannot read the folder {shut}: Permission denied; its photos are left as they were"
        ]
        make_photo(album / "c.jpg", "blue")
    report = library.index(album)
    assert (report.seen, report.missing, report.unreadable) == (3, 0, ())


def test_an_index_says_what_another_process_is_captioning(
    library: Library, database: Database, captioner: FakeCaptioner, album: Path
) -> None:
    make_photo(album / "a.jpg")
    make_photo(album / "b.jpg", "blue")
    notices: list[str] = []
    library.index(album, queue_only=True, notice=notices.append)
    with database.write() as connection:
        claimed = jobs.claim(connection, jobs.owner_name(), 2, database.now())
        jobs.release(connection, claimed[1:], database.now())
    report = library.index(album, notice=notices.append)
    assert (report.captioned, len(captioner.captions)) == (1, 1)
    line = "1 photo is being captioned by another process: photoindex status says how many are left"
    assert notices == [line]
    with database.write() as connection:
        jobs.release(connection, claimed[:1], database.now())
    assert library.index(album, notice=notices.append).captioned == 1
    assert notices == [line]


def test_files_that_cannot_be_looked_at_are_one_line_for_their_folder(
    library: Library, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a folder that may be listed and not entered."""
    listed = [make_photo(album / "listed" / f"{number}.jpg", note=str(number)) for number in range(5)]
    one = make_photo(album / "one" / "a.jpg")
    library.index(album)
    state = walking._state

    def refused(entry: Any) -> os.stat_result:
        if Path(entry.path) in [*listed, one]:
            raise PermissionError(13, "Permission denied", entry.path)
        found: os.stat_result = state(entry)
        return found

    make_photo(album / "new.jpg", "blue")
    notices: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(walking, "_state", refused)
        report = library.index(album, notice=notices.append)
    assert (report.seen, report.captioned, report.missing) == (1, 1, 0)
    assert report.unreadable == (*listed, one)
    assert [line for line in notices if "cannot" in line] == [
        f"cannot read {listed[0]} and 4 more there: Permission denied; what is known of them stays",
        f"cannot read {one}: Permission denied; what is known of them stays",
    ]


def test_a_data_folder_among_the_photos_is_left_alone(library: Library, album: Path, data_dir: Path) -> None:
    make_photo(album / "a.jpg")
    make_photo(data_dir / "b.jpg")  # where photos lie in the data folder, that is the root
    for root in (data_dir.parent, data_dir):
        for _ in range(3):
            assert library.index(root).recognised == 0
            assert list((data_dir / "thumbnails").rglob("*.jpg"))
    assert library.status().photos == 2
    assert names(library.search("red")) == ["a.jpg", "b.jpg"]


def test_a_path_that_does_not_exist_is_an_error_before_anything_is_done(library: Library, album: Path) -> None:
    make_photo(album / "a.jpg")
    with pytest.raises(FolderError, match="no such file or folder") as caught:
        library.index(album, album / "nowhere")
    assert len(str(caught.value).splitlines()) == 1
    assert library.status().roots == ()
    assert library.status().photos == 0


def test_one_file_can_be_indexed_and_the_others_are_left_alone(library: Library, album: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        make_photo(album / name)
    assert library.index(album / "a.jpg").seen == 1
    assert names(library.search("red")) == ["a.jpg"]
    assert library.index(album).captioned == 1


def test_files_named_one_by_one_are_compared_like_those_of_a_folder(
    library: Library, album: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    paths = [make_photo(album / f"{number}.jpg", note=str(number)) for number in range(3)]
    paths.append(make_photo(elsewhere / "far.jpg", "blue"))
    assert library.index(*paths[1:]).captioned == 3
    assert [root.path for root in library.status().roots] == [album, elsewhere]

    make_photo(paths[1], "green", note="changed, and longer")
    (album / "2.jpg.xmp").write_bytes(described("a boat"))
    report = library.index(*paths, paths[2], elsewhere)
    assert (report.seen, report.captioned, report.unchanged) == (4, 2, 2)
    assert names(library.search("green")) == ["1.jpg"]
    assert names(library.search("blue")) == ["far.jpg"]
    assert names(library.search("boat")) == ["2.jpg"]


@pytest.mark.parametrize("order", [1, -1])
def test_a_file_is_counted_once_however_many_of_the_paths_lead_to_it(
    library: Library, album: Path, tmp_path: Path, order: int
) -> None:
    for name in ("a.jpg", "in/b.jpg", "in/deep/c.jpg"):
        make_photo(album / name)
    (album / "link").symlink_to(tmp_path / "elsewhere")
    make_photo(tmp_path / "elsewhere" / "e.jpg")
    places = [album, album / "in", album / "in" / "deep", album / "a.jpg"][::order]
    for captioned in (4, 0):
        report = library.index(*places)
        assert (report.seen, report.captioned, report.unchanged) == (4, captioned, 4 - captioned)
    assert [root.path for root in library.status().roots] == [album]
    (album / "in" / "b.jpg").unlink()
    make_photo(album / "in" / "f.jpg", "blue")
    report = library.index(*places)
    assert (report.seen, report.captioned, report.unchanged, report.missing) == (4, 1, 3, 1)


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    "inner", [".hidden", ".hidden/b.jpg", "ruled", "ruled/b.jpg", "scan0001", "link", "link/in", "in/.b.jpg"]
)
def test_a_file_is_counted_once_whether_or_not_a_walk_comes_to_it(
    library: Library, album: Path, tmp_path: Path, inner: str, order: int
) -> None:
    """What is named within a folder may lie behind a link, or where its walk does not look."""
    (album / "link").symlink_to(tmp_path / "elsewhere")
    (album / "link").resolve().mkdir()
    place = album / inner
    make_photo(album / "a.jpg", "red")
    photo = place if "." in place.name[1:] or place.name == "scan0001" else place / "b.jpg"
    make_photo(photo.with_suffix(".jpg"), "blue").rename(photo)
    (album / IGNORE_FILE).write_text("ruled\n")
    places = [album, place][::order]
    for captioned in (2, 0, 0):
        report = library.index(*places)
        assert (report.seen, report.captioned, report.unchanged, report.missing) == (2, captioned, 2 - captioned, 0)
    assert [root.path for root in library.status().roots] == [album]


def test_a_file_named_by_the_user_stays_when_its_folder_is_indexed(library: Library, album: Path) -> None:
    """The scan of the folder passes by what has no photo's name."""
    make_photo(album / "a.jpg").rename(album / "scan0001")
    make_photo(album / "b.jpg", "blue")
    library.index(album / "scan0001")
    report = library.index(album)
    assert (report.captioned, report.missing) == (1, 0)
    assert names(library.search("red")) == ["scan0001"]
    (album / "scan0001").unlink()
    assert library.index(album).missing == 1
    assert library.search("red") == []


def test_thumbnails_of_another_library_that_were_taken_for_photos_leave_the_search(
    library: Library, album: Path
) -> None:
    make_photo(album / "a.jpg")
    thumbnail = make_photo(album / "Anna" / "thumbnails" / "6d" / "6d01-240.jpg", "blue")
    assert library.index(album).captioned == 2
    make_photo(album / "Anna" / "b.jpg", "green")
    (album / "Anna" / "catalogue.sqlite3").touch()
    report = library.index(album)
    assert (report.seen, report.captioned, report.missing) == (2, 1, 1)
    assert names(library.search("square")) == ["a.jpg", "b.jpg"]
    assert thumbnail.exists()


def test_a_deleted_photo_leaves_the_search_but_not_the_catalogue_and_comes_back_without_captioning(
    library: Library, captioner: FakeCaptioner, album: Path, tmp_path: Path
) -> None:
    make_photo(album / "a.jpg")
    library.index(album)
    (album / "a.jpg").rename(tmp_path / "away.jpg")
    assert library.index(album).missing == 1
    assert library.search("red") == []
    photo = library.show(album / "a.jpg")
    assert photo is not None
    assert (photo.paths, photo.missing_paths) == ((), (album / "a.jpg",))
    assert photo.caption is not None

    (tmp_path / "away.jpg").rename(album / "a.jpg")
    report = library.index(album)
    assert (report.captioned, report.recognised) == (0, 0)
    assert names(library.search("red")) == ["a.jpg"]
    assert len(captioner.captions) == 1


def test_a_changed_photo_is_captioned_again(library: Library, album: Path) -> None:
    make_photo(album / "a.jpg", "red")
    library.index(album)
    make_photo(album / "a.jpg", "blue", note="another note, so another size")
    assert library.index(album).captioned == 1
    assert library.search("red") == []
    assert names(library.search("blue")) == ["a.jpg"]


def test_a_folder_that_cannot_be_read_keeps_its_photos(
    library: Library, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_photo(album / "open" / "a.jpg")
    make_photo(album / "closed" / "b.jpg")
    library.index(album)
    notices: list[str] = []
    with monkeypatch.context() as patch:
        refuse(patch, album / "closed")
        report = library.index(album, notice=notices.append)
    assert (report.seen, report.missing) == (1, 0)
    assert len(notices) == 1
    assert str(album / "closed") in notices[0]
    assert names(library.search("red")) == ["a.jpg", "b.jpg"]


def test_an_emptied_folder_loses_its_photos(library: Library, album: Path) -> None:
    make_photo(album / "a.jpg")
    library.index(album)
    (album / "a.jpg").unlink()
    assert library.index(album).missing == 1


def test_a_disk_that_comes_back_with_another_number_is_known_again(library: Library, album: Path) -> None:
    make_photo(album / "a.jpg")
    library.index(album)
    put_on_another_disk(library._database)
    assert library.index(album).unchanged == 1
    (album / "a.jpg").unlink()
    assert library.index(album).missing == 1


def test_a_folder_within_another_keeps_its_photos_while_its_disk_is_away(
    library: Library, album: Path, database: Database
) -> None:
    """However the folder around it is compared: the empty mount point shows no photo of the disk."""
    stick = album / "stick"
    for name in ("a.jpg", "stick/b.jpg", "stick/c.jpg"):
        make_photo(album / name)
    library.index(stick)
    library.index(album)
    (stick / "b.jpg").rename(album.parent / "b.jpg")
    (stick / "c.jpg").rename(album.parent / "c.jpg")
    (album / "a.jpg").unlink()
    put_on_another_disk(database, stick)
    notices: list[str] = []
    assert library.index(album, notice=notices.append).missing == 1
    assert notices == [f"{stick} is not on the disk it was on before: its disk is away; its photos are kept"]
    assert names(library.search("red")) == ["b.jpg", "c.jpg"]
    (album.parent / "b.jpg").rename(stick / "b.jpg")  # and one was deleted elsewhere
    assert library.index(album).missing == 1
    assert names(library.search("red")) == ["b.jpg"]
    put_on_another_disk(database, stick)
    (stick / "b.jpg").unlink()
    assert library.index(album).missing == 0
    assert library.index(album, accept_missing=True).missing == 1


def test_a_disk_within_another_folder_that_comes_back_with_another_number_is_known_again(
    library: Library, album: Path, database: Database
) -> None:
    make_photo(album / "a.jpg")
    make_photo(album / "stick" / "b.jpg")
    library.index(album / "stick")
    library.index(album)
    put_on_another_disk(database, album / "stick")
    assert library.index(album).unchanged == 2
    (album / "stick" / "b.jpg").unlink()
    assert library.index(album).missing == 1


def test_photos_that_wait_for_their_disk_are_captioned_as_soon_as_it_is_back(library: Library, album: Path) -> None:
    make_photo(album / "known.jpg")
    library.index(album)
    waiting = make_photo(album / "waiting.jpg", "blue")
    stat = file_stat(waiting)
    assert stat is not None
    with library._database.write() as connection:
        files.record_files(connection, [ScannedFile(waiting, stat)])
    away = album.with_name("away")
    album.rename(away)
    album.mkdir()
    put_on_another_disk(library._database)
    assert library.work_off().done == 0
    assert library.status().jobs["queued"] == 1
    album.rmdir()
    away.rename(album)
    library.index(album)
    assert names(library.search("square")) == ["known.jpg", "waiting.jpg"]


def test_an_index_that_is_stopped_takes_nothing(library: Library, captioner: FakeCaptioner, album: Path) -> None:
    make_photo(album / "a.jpg")
    stop = threading.Event()
    stop.set()
    assert library.index(album, stop=stop).seen == 0
    assert captioner.captions == []


class Clock:
    """A clock that moves only when somebody waits for its ``stop``."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.stop = threading.Event()
        self.stop.wait = self._wait  # type: ignore[method-assign]

    def __call__(self) -> float:
        return self.seconds

    def _wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.seconds += timeout
        return False


def test_a_photo_written_in_two_parts_is_not_captioned_until_it_is_whole(
    library: Library, captioner: FakeCaptioner, album: Path
) -> None:
    writer = Writer(album / "a.jpg", "blue")
    writer.begin()
    settings = replace(library.settings, settle_seconds=0.05)
    indexer = Indexer(library._database, library._pipe(), settings, settler=Settler(0.05, stat=writer.stat))
    report = indexer.index([album], threading.Event())
    assert (report.captioned, report.failed) == (1, 0)
    assert writer.looks >= 3
    assert captioner.captions == ["a blue square"]


def test_an_index_does_not_wait_for_ever_for_a_file_that_keeps_changing(
    library: Library, captioner: FakeCaptioner, album: Path
) -> None:
    make_photo(album / "whole.jpg", "green")
    restless = make_photo(album / "restless.jpg", "blue")
    os.utime(restless, (4_000_000_000, 4_000_000_000))
    looks = iter(range(10_000))

    def ever_changing(path: Path) -> FileStat | None:
        found = file_stat(path)
        return None if found is None else replace(found, mtime_ns=next(looks))

    minutes = iter(range(0, 6_000, 60))  # each look at the clock is a minute later
    notices: list[str] = []
    settings = replace(library.settings, settle_seconds=0.01)
    impatient = Indexer(
        library._database,
        library._pipe(),
        settings,
        notice=notices.append,
        settler=Settler(0.01, stat=ever_changing),
        now=lambda: float(next(minutes)),
    )
    assert impatient.index([album], threading.Event()).captioned == 1
    assert captioner.captions == ["a green square"]
    assert notices == ["some files are still being written and were left for the next run"]
    assert library.index(album).captioned == 1  # at rest now


def test_photos_that_a_rule_leaves_out_go_and_come_back_without_captioning(
    library: Library, captioner: FakeCaptioner, album: Path
) -> None:
    for name in ("a.jpg", "raw/b.jpg", "raw/deep/c.jpg"):
        make_photo(album / name)
    library.index(album)
    rules = album / IGNORE_FILE
    rules.write_text("raw/\n")
    report = library.index(album)
    assert (report.seen, report.missing) == (1, 2)
    assert names(library.search("red")) == ["a.jpg"]
    assert library.index(album).missing == 0
    rules.unlink()
    report = library.index(album)
    assert (report.seen, report.captioned, report.recognised) == (3, 0, 0)
    assert names(library.search("red")) == ["a.jpg", "b.jpg", "c.jpg"]
    assert len(captioner.captions) == 3


def test_what_is_queued_and_then_left_out_by_a_rule_is_not_captioned(
    library: Library, captioner: FakeCaptioner, album: Path
) -> None:
    make_photo(album / "a.jpg")
    add_files(library._database, album, "a.jpg")
    (album / IGNORE_FILE).write_text("*.jpg")
    library.index(album)
    assert captioner.captions == []
    assert library.status().jobs["queued"] == 0


def test_a_broken_ignore_file_is_one_notice_and_no_more(library: Library, album: Path) -> None:
    make_photo(album / "a.jpg")
    make_photo(album / "b.png", "blue")
    (album / IGNORE_FILE).write_text("[z-a]\n*.png\n")
    notices: list[str] = []
    assert library.index(album, notice=notices.append).captioned == 1
    [notice] = notices
    assert str(album / IGNORE_FILE) in notice
    assert names(library.search("square")) == ["a.jpg"]


@pytest.mark.parametrize("count", [1, 3])
def test_a_fresh_empty_file_does_not_hold_up_an_index(library: Library, album: Path, count: int) -> None:
    make_photo(album / "whole.jpg", "green")
    for number in range(count):
        (album / f"{number}.jpg").touch()
    clock = Clock()
    notices: list[str] = []
    settings = replace(library.settings, settle_seconds=2.0)
    once = Indexer(
        library._database, library._pipe(), settings, notice=notices.append, settler=Settler(2.0, clock=clock)
    )
    report = once.index([album], clock.stop)
    assert clock.seconds <= 2 * settings.settle_seconds
    assert (report.captioned, report.failed) == (1, 0)
    [notice] = notices
    assert str(album / "0.jpg") in notice
    assert "empty" in notice
    assert ("2 more" in notice) == (count == 3)
    later = library.index(album)  # nothing has filled them
    assert [failure.kind for failure in later.failures] == ["empty"] * count


def test_an_empty_file_that_is_filled_while_others_are_waited_for_is_taken(
    library: Library, captioner: FakeCaptioner, album: Path
) -> None:
    clock = Clock()
    writer = Writer(album / "b.jpg", "blue")
    (album / "a.jpg").touch()
    writer.begin()

    def fill(path: Path) -> FileStat | None:
        if writer.looks == 2 and path.name == "b.jpg":
            make_photo(album / "a.jpg", "red")
        return writer.stat(path)

    settings = replace(library.settings, settle_seconds=2.0)
    settler = Settler(2.0, clock=clock, stat=fill)
    once = Indexer(library._database, library._pipe(), settings, settler=settler)
    assert once.index([album], clock.stop).captioned == 2
    assert sorted(captioner.captions) == ["a blue square", "a red square"]


def test_a_folder_that_is_away_makes_no_folder_around_it_a_root(library: Library, album: Path) -> None:
    make_photo(album / "a.jpg")
    library.index(album)
    shutil.rmtree(album)
    once = Indexer(library._database, library._pipe(), library.settings)
    with pytest.raises(FolderError, match="does not exist"):
        once.comparer.compare(album)
    assert [root.path for root in library.status().roots] == [album]
