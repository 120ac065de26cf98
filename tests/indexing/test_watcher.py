"""Keeping up with folders for as long as asked, with real files and real events."""

from __future__ import annotations

import ctypes
import errno
import os
import queue
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from photoindex.catalogue import sqlite
from photoindex.catalogue.database import Database
from photoindex.catalogue.editor import Edit
from photoindex.catalogue.roots import list_roots, note_mode
from photoindex.errors import CaptionerCrashed, CatalogueReplaced, CatalogueUnavailable, FolderError
from photoindex.folders import IGNORE_FILE, Settler
from photoindex.folders.walk import Met
from photoindex.folders.walk import walk as folder_walk
from photoindex.indexing import retry, tree_walk, watch_status, watcher
from photoindex.indexing.watcher import Watcher
from photoindex.library import Library
from photoindex.system.file_state import sha256_of
from photoindex.system.inotify_limits import InotifyLimits
from photoindex.types import FileEvent, IndexReport, Tally
from tests.support import (
    FakeCaptioner,
    FullDisk,
    Writer,
    add_files,
    make_photo,
    many_photos,
    names,
    put_on_another_disk,
    refuse,
    run_thread,
)

OpenLibrary = Callable[..., Library]
PATIENCE = 30.0  # seconds; only a failure waits that long


class Watch:
    """A library that watches in a thread. What it does comes through queues, so that a test waits and never sleeps."""

    def __init__(self, library: Library, *folders: Path) -> None:
        self.ready: queue.Queue[IndexReport] = queue.Queue()
        self.worked: queue.Queue[Tally] = queue.Queue()
        self.notices: queue.Queue[str] = queue.Queue()
        self.stop = threading.Event()
        self.error: BaseException | None = None
        self.library = library
        self._folders = folders
        self._thread = run_thread(self._run)

    def _run(self) -> None:
        try:
            self.library.watch(
                *self._folders,
                stop=self.stop,
                ready=self.ready.put,
                worked=self.worked.put,
                notice=self.notices.put,
            )
        except BaseException as error:
            self.error = error

    def end(self) -> None:
        self.stop.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        if self.error is not None:
            raise self.error


@pytest.fixture
def watch(open_library: OpenLibrary) -> Iterator[Callable[..., Watch]]:
    """Watches folders; returns when all that was there is done."""
    with ExitStack() as stack:

        def begin(*folders: Path, **settings: Any) -> Watch:
            watching = Watch(open_library(**settings), *folders)
            stack.callback(watching.end)
            watching.ready.get(timeout=PATIENCE)
            return watching

        yield begin


def test_a_disk_that_is_away_keeps_its_photos(library: Library, album: Path, watch: Callable[..., Watch]) -> None:
    make_photo(album / "a.jpg")
    library.index(album)
    (album / "a.jpg").unlink()
    put_on_another_disk(library._database)
    notices: list[str] = []
    assert library.index(album, notice=notices.append).missing == 0
    assert "disk is away" in notices[0]
    watch(album).end()
    assert library.index(album).missing == 0
    assert names(library.search("red")) == ["a.jpg"]


@pytest.mark.parametrize("mode", ["events", "polling"])
def test_a_disk_within_a_watched_folder_keeps_its_photos_when_it_goes_away(
    watch: Callable[..., Watch], library: Library, album: Path, mode: str
) -> None:
    stick = album / "stick"
    make_photo(stick / "a.jpg")
    make_photo(album / "b.jpg")
    library.index(stick)
    watching = watch(album, watch_mode=mode, poll_seconds=0.1)
    put_on_another_disk(library._database, stick)
    (stick / "a.jpg").unlink()
    (album / "b.jpg").unlink()
    work_of(watching, album)
    assert names(library.search("red")) == ["a.jpg"]


def test_a_fresh_empty_file_does_not_hold_up_the_start_of_a_watch_and_is_taken_when_filled(
    watch: Callable[..., Watch], album: Path
) -> None:
    (album / "a.jpg").touch()
    watching = watch(album, settle_seconds=0.1)
    make_photo(album / "a.jpg", "blue")
    assert watching.worked.get(timeout=PATIENCE).captioned == 1
    watching.end()
    assert not [notice for notice in watching.notices.queue if "empty" in notice]


def test_a_watch_takes_nothing_from_a_data_folder_among_the_photos(
    watch: Callable[..., Watch], album: Path, data_dir: Path
) -> None:
    watching = watch(data_dir.parent)
    for name in ("a.jpg", "b.jpg"):
        make_photo(album / name)
        worked = watching.worked.get(timeout=PATIENCE)
        assert (worked.captioned, worked.recognised) == (1, 0)
        assert list((data_dir / "thumbnails").rglob("*.jpg"))
    watching.end()
    assert watching.library.index(data_dir.parent).seen == 2


def test_a_new_photo_is_found_by_another_process(
    watch: Callable[..., Watch], open_library: OpenLibrary, album: Path
) -> None:
    make_photo(album / "old.jpg")
    watching = watch(album)
    make_photo(album / "sub" / "new.jpg", "green")
    assert watching.worked.get(timeout=PATIENCE).captioned == 1
    with open_library(FakeCaptioner()) as other:
        assert names(other.search("green")) == ["new.jpg"]
        assert names(other.search("red")) == ["old.jpg"]
        assert other.status().roots[0].mode == "events"


def test_a_watcher_tells_other_processes_how_it_stands(
    watch: Callable[..., Watch], open_library: OpenLibrary, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_status, "LOOK_SECONDS", 0.0)
    make_photo(album / "sub" / "old.jpg")
    watching = watch(album)
    make_photo(album / "new.jpg", "green")
    assert watching.worked.get(timeout=PATIENCE).captioned == 1
    with open_library(FakeCaptioner()) as other:
        [found] = other.status().roots
        assert found.watcher is not None
        assert (found.watcher.pid, found.watcher.runs) == (os.getpid(), True)
        assert found.mode == "events"
        assert found.watches in (2, None)  # None where the system does not count them
        assert found.last_event_at is not None
        assert found.last_reconcile_at is not None
        assert found.last_event_at > found.last_reconcile_at
        watching.end()
        [found] = other.status().roots
        assert (found.watcher, found.watches, found.settling, found.mode) == (None, None, None, "events")


def test_a_comparison_leaves_what_is_known_of_the_watching(library: Library, database: Database, album: Path) -> None:
    make_photo(album / "a.jpg")
    library.index(album)
    with database.write() as connection:
        [root] = list_roots(connection)
        note_mode(connection, root.id, "polling", "a reason")
    library.index(album)
    [found] = library.status().roots
    assert (found.mode, found.mode_reason) == ("polling", "a reason")


def work_of(watching: Watch, album: Path) -> None:
    """Returns when everything that happened in the album before is done: a photo that comes now is captioned."""
    make_photo(album / "last.jpg", "black")
    while not watching.worked.get(timeout=PATIENCE).captioned:
        pass


def test_renames_are_followed_without_captioning(
    watch: Callable[..., Watch], library: Library, captioner: FakeCaptioner, album: Path
) -> None:
    for name in ("a.jpg", "trip/b.jpg"):
        make_photo(album / name)
    watching = watch(album)
    (album / "a.jpg").rename(album / "z.jpg")
    (album / "trip").rename(album / "voyage")
    work_of(watching, album)
    assert sorted(hit.path for hit in library.search("red")) == [album / "voyage" / "b.jpg", album / "z.jpg"]
    assert sorted(captioner.captions) == ["a black square", "a red square", "a red square"]
    assert library.status().roots[0].missing == 0


def exchange(one: Path, other: Path) -> None:
    """Let two files or folders have each other's names, in one step; skips the test where the system cannot."""
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "renameat2"):
        pytest.skip("needs renameat2, of Linux")
    if library.renameat2(-100, os.fsencode(one), -100, os.fsencode(other), 2):  # AT_FDCWD and RENAME_EXCHANGE
        pytest.skip(f"no names can be exchanged here: {os.strerror(ctypes.get_errno())}")


@pytest.mark.parametrize(
    ("one", "other", "mode"),
    [
        ("a.jpg", "b.jpg", "events"),
        ("a.jpg", "b.jpg", "polling"),
        ("old/c.jpg", "new/d.jpg", "events"),
        ("old", "new", "events"),
        ("new", "old", "polling"),
        ("old", "new/far", "events"),
        ("old", "a.jpg", "events"),
        ("b.jpg", "new", "events"),
    ],
)
def test_names_that_are_exchanged_are_followed_without_captioning(
    watch: Callable[..., Watch],
    library: Library,
    captioner: FakeCaptioner,
    album: Path,
    one: str,
    other: str,
    mode: str,
) -> None:
    names_before = ["a.jpg", "b.jpg", "old/c.jpg", "old/e.jpg", "new/d.jpg", "new/far/e.jpg"]
    for name in names_before:
        make_photo(album / name, note=name)
    watching = watch(album, watch_mode=mode, poll_seconds=0.1)
    editor = library.editor()
    editor.apply(editor.photos_at([album / name for name in names_before]), Edit(tags=("mine",)))
    exchange(album / one, album / other)
    work_of(watching, album)
    there = {path: sha256_of(path) for path in album.rglob("*.jpg") if path.is_file()}
    found = {hit.path: library.show(hit.path) for hit in library.search("square")}
    assert {path: known.content_hash for path, known in found.items() if known is not None} == there
    assert len(captioner.captions) == len(names_before) + 1
    assert not [notice for notice in watching.notices.queue if "another picture" in notice]


@pytest.mark.parametrize("mode", ["events", "polling"])
@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("x.jpg", "x.jpg", ""),
        ("x.jpg", "x.jpg", "x.jpg/y.jpg"),
        ("in/x.jpg", "in/x.jpg", "in/x.jpg/y.jpg"),
        ("x.jpg", "x.jpg/y.jpg", "x.jpg"),
        ("x", "x/y.jpg", "x"),
    ],
)
def test_what_takes_the_name_of_a_photo_or_a_folder_and_is_the_other_one_leaves_nothing_listed(
    watch: Callable[..., Watch], library: Library, album: Path, tmp_path: Path, mode: str, name: str, before: str,
    after: str,
) -> None:  # fmt: skip
    make_photo(album / before, "red")
    make_photo(album / "other.jpg", "green")
    watching = watch(album, watch_mode=mode, poll_seconds=0.1)
    new = tmp_path / "new"
    new.mkdir()
    if after:
        make_photo(new / "y.jpg", "blue")
    exchange(album / name, new / "y.jpg" if name == after else new)  # in one step, so that no look is between
    last = make_photo(album / "z.jpg", "black")
    while last not in (found := {hit.path for hit in library.search("square")}):
        watching.worked.get(timeout=PATIENCE)
    watching.end()
    assert found == {album / "other.jpg", last, *([album / after] if after.endswith(".jpg") else [])}


def test_folders_that_exchanged_their_names_are_still_watched(
    watch: Callable[..., Watch], library: Library, album: Path
) -> None:
    folders = [album / "old", album / "new", album / "new" / "far"]
    for folder in folders:
        make_photo(folder / "a.jpg")
    watching = watch(album, poll_seconds=0.05)
    exchange(*folders[:2])
    work_of(watching, album)
    places = [album / "old", album / "new", album / "old" / "far"]
    late = [make_photo(place / "late.jpg", "blue", note=str(place)) for place in places]
    while sorted(hit.path for hit in library.search("blue")) != sorted(late):
        watching.worked.get(timeout=PATIENCE)
    watching.end()


@pytest.mark.parametrize("what", ["forget", "move"])
def test_a_watched_folder_that_is_forgotten_is_not_taken_in_again(
    watch: Callable[..., Watch], library: Library, album: Path, tmp_path: Path, what: str
) -> None:
    make_photo(album / "a.jpg")
    other = tmp_path / "other"
    make_photo(other / "b.jpg")
    watching = watch(album, other, reconcile_seconds=0.05)
    if what == "forget":
        library.forget(album)
    else:
        album.rename(tmp_path / "elsewhere")
        library.move(album, tmp_path / "elsewhere")
    make_photo(album / "late.jpg")
    work_of(watching, other)  # by then all folders were compared again, as well
    line = watching.notices.get(timeout=PATIENCE)
    while "forgotten" not in line:
        line = watching.notices.get(timeout=PATIENCE)
    assert line == (
        f"{album} was forgotten or moved in the library: nothing of it is taken in until this watch is started again"
    )
    make_photo(other / "later.jpg", "blue")
    assert watching.worked.get(timeout=PATIENCE).captioned == 1
    watching.end()
    found = {tmp_path / "elsewhere" / "a.jpg", other / "b.jpg"} if what == "move" else {other / "b.jpg"}
    assert {hit.path for hit in library.search("red")} == found
    assert not [notice for notice in watching.notices.queue if "forgotten" in notice]
    watch(album)
    assert album / "late.jpg" in {hit.path for hit in library.search("red")}


def test_removed_photos_leave_the_search(watch: Callable[..., Watch], library: Library, album: Path) -> None:
    for name in ("a.jpg", "b.jpg", "trip/c.jpg", "trip/far/d.jpg"):
        make_photo(album / name)
    watching = watch(album)
    (album / "a.jpg").unlink()
    shutil.rmtree(album / "trip")
    work_of(watching, album)
    assert names(library.search("red")) == ["b.jpg"]


def test_a_photo_that_is_overwritten_is_captioned_again(
    watch: Callable[..., Watch], library: Library, album: Path
) -> None:
    make_photo(album / "a.jpg", "red")
    watching = watch(album)
    make_photo(album / "other" / "new.jpg", "blue").replace(album / "a.jpg")
    work_of(watching, album)
    assert names(library.search("blue")) == ["a.jpg"]
    assert library.search("red") == []


def test_a_folder_that_is_moved_in_brings_its_photos(
    watch: Callable[..., Watch], library: Library, album: Path, tmp_path: Path
) -> None:
    watching = watch(album)
    make_photo(tmp_path / "trip" / "far" / "a.jpg")
    (tmp_path / "trip").rename(album / "trip")
    assert watching.worked.get(timeout=PATIENCE).captioned == 1
    assert names(library.search("red")) == ["a.jpg"]


def test_a_folder_that_cannot_be_read_does_not_stop_the_watch(
    watch: Callable[..., Watch], library: Library, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watching = watch(album)
    with monkeypatch.context() as patch:
        refuse(patch, album / "closed")
        (album / "closed").mkdir()
        # Older versions of watchdog come with a notice about themselves first.
        while str(album / "closed") not in watching.notices.get(timeout=PATIENCE):
            pass
        work_of(watching, album)
    assert names(library.search("black")) == ["last.jpg"]


def test_a_bad_photo_does_not_stop_the_watch(watch: Callable[..., Watch], library: Library, album: Path) -> None:
    watching = watch(album)
    (album / "letter.jpg").write_text("Dear all")
    assert watching.worked.get(timeout=PATIENCE).failed == 1
    work_of(watching, album)
    assert [failure.path.name for failure in library.failures()] == ["letter.jpg"]


def test_a_stop_ends_a_watch_that_waits_for_events(watch: Callable[..., Watch], album: Path) -> None:
    threads = set(threading.enumerate())
    watch(album).end()
    left = {thread.name for thread in set(threading.enumerate()) - threads}
    assert "photoindex-watch" not in left
    assert "photoindex-stop" not in left


def test_only_folders_that_exist_can_be_watched(library: Library, album: Path) -> None:
    make_photo(album / "a.jpg")
    for paths, why in (
        ([album, album / "a.jpg"], "not a folder"),
        ([album / "a.jpg", album / "nowhere"], "not a folder"),
        ([album / "nowhere"], "no such folder"),
        ([album / "nowhere", album / "neither"], "no such folder"),
    ):
        with pytest.raises(FolderError, match=why):
            library.watch(*paths, stop=threading.Event())


def test_a_folder_that_goes_away_during_the_first_comparison_is_compared_when_it_is_back(
    watch: Callable[..., Watch], album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, unplugged = tmp_path / "disk", tmp_path / "unplugged"
    make_photo(disk / "a.jpg", "red")
    make_photo(album / "b.jpg", "blue")

    def walk(place: Path, *rest: Any) -> Iterator[Met]:
        if place == disk and not unplugged.exists():
            disk.rename(unplugged)
        return folder_walk(place, *rest)

    monkeypatch.setattr(tree_walk, "walk", walk)
    watching = watch(disk, album, poll_seconds=0.05)
    assert names(watching.library.search("square")) == ["b.jpg"]
    assert str(disk) in notice_of(watching, "when it is back")
    unplugged.rename(disk)
    monkeypatch.setattr(tree_walk, "walk", folder_walk)
    captioned(watching, 1)
    assert names(watching.library.search("square")) == ["a.jpg", "b.jpg"]


def test_a_folder_that_is_watched_already_is_not_watched_twice(
    watch: Callable[..., Watch], library: Library, album: Path
) -> None:
    watching = watch(album)
    with pytest.raises(FolderError, match=f"is watched already, by process {os.getpid()} on "):
        library.watch(album, stop=threading.Event())
    make_photo(album / "a.jpg")
    assert library.index(album).seen == 1  # which needs no lock
    watching.end()
    watch(album, album)


def test_a_watched_photo_written_in_two_parts_is_not_captioned_until_it_is_whole(
    library: Library, captioner: FakeCaptioner, album: Path
) -> None:
    writer = Writer(album / "a.jpg", "blue")
    stop = threading.Event()
    settler = Settler(0.05, stat=writer.stat)
    watching = Watcher(library._database, library._pipe(), library.settings, [album], stop, settler=settler)
    done: queue.Queue[Tally] = queue.Queue()
    ready: queue.Queue[IndexReport] = queue.Queue()
    thread = run_thread(lambda: watching.run(ready.put, done.put))
    ready.get(timeout=PATIENCE)
    writer.begin()
    tally = done.get(timeout=PATIENCE)
    stop.set()
    thread.join(PATIENCE)
    assert (tally.captioned, tally.failed) == (1, 0)
    assert captioner.captions == ["a blue square"]
    assert names(library.search("blue")) == ["a.jpg"]


@pytest.mark.parametrize(
    "event",
    [
        FileEvent("written", Path("/elsewhere/a.jpg")),
        FileEvent("written", Path("/"), is_directory=True),
        FileEvent("removed", Path("/elsewhere/a.jpg")),
        FileEvent("removed", Path("/elsewhere"), is_directory=True),
        FileEvent("moved", Path("/elsewhere/a.jpg"), Path("/elsewhere/b.jpg")),
        FileEvent("moved", Path("/usr"), Path("/usr"), is_directory=True),
        FileEvent("overflow", Path("/usr")),
    ],
)
def test_an_event_from_outside_all_folders_changes_nothing(library: Library, album: Path, event: FileEvent) -> None:
    make_photo(album / "a.jpg")
    library.index(album)
    before = library.status()
    watching = Watcher(library._database, library._pipe(), library.settings, [album], threading.Event())
    watching._receive(event)
    watching._drain(0.0)
    watching._indexer.comparer.take_settled()
    assert library.status() == before


def test_a_folder_that_is_gone_when_its_event_is_handled_changes_nothing(library: Library, album: Path) -> None:
    add_files(library._database, album, "a.jpg")
    watching = Watcher(library._database, library._pipe(), library.settings, [album], threading.Event())
    watching._receive(FileEvent("written", album / "gone", is_directory=True))
    watching._receive(FileEvent("moved", album / "gone", album / "also gone", is_directory=True))
    watching._between()
    assert library.status().roots[0].present == 1


def test_a_watcher_without_work_lets_go_of_the_model_and_takes_it_up_again(
    watch: Callable[..., Watch], album: Path, captioner: FakeCaptioner
) -> None:
    make_photo(album / "one.jpg", "red")
    watching = watch(album, unload_seconds=0.2)
    assert captioner.closed.wait(PATIENCE)
    captioner.closed.clear()
    make_photo(album / "two.jpg", "blue")
    assert watching.worked.get(timeout=PATIENCE).captioned == 1
    assert captioner.closed.wait(PATIENCE)


def test_a_captioner_that_dies_costs_no_photo_and_not_the_watcher(
    watch: Callable[..., Watch],
    open_library: OpenLibrary,
    album: Path,
    captioner: FakeCaptioner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retry, "FIRST_PAUSE", 0.0)
    deaths = ["for want of memory"]

    def die_once() -> None:
        if deaths:
            raise CaptionerCrashed(deaths.pop())

    watching = watch(album)
    captioner.before = die_once
    make_photo(album / "one.jpg", "red")
    assert watching.worked.get(timeout=PATIENCE).captioned == 1
    assert captioner.closed.is_set()
    assert names(open_library().search("red")) == ["one.jpg"]


def test_a_captioner_that_dies_during_the_first_comparison_is_started_again(
    watch: Callable[..., Watch],
    open_library: OpenLibrary,
    album: Path,
    captioner: FakeCaptioner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retry, "FIRST_PAUSE", 0.0)
    deaths = ["for want of memory", "and once more"]

    def die_twice() -> None:
        if deaths:
            raise CaptionerCrashed(deaths.pop())

    captioner.before = die_twice
    for name in ("one.jpg", "two.jpg"):
        make_photo(album / name)
    watching = watch(album)
    assert deaths == []
    assert captioner.closed.is_set()
    assert "and once more" in watching.notices.get(timeout=PATIENCE)
    assert names(open_library().search("red")) == ["one.jpg", "two.jpg"]


@pytest.mark.usefixtures("cold")
def test_a_decoder_that_cannot_be_started_costs_no_photo_and_not_the_watcher(
    watch: Callable[..., Watch], album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "FIRST_PAUSE", 0.0)
    refusals = 2
    real = subprocess.Popen

    def refuse(*arguments: Any, **options: Any) -> Any:
        nonlocal refusals
        if refusals:
            refusals -= 1
            raise OSError(errno.ENOMEM, "Cannot allocate memory")
        return real(*arguments, **options)

    watching = watch(album)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    make_photo(album / "one.jpg", "red")
    assert "Cannot allocate memory" in notice_of(watching, "decoding cannot start")
    assert watching.worked.get(timeout=PATIENCE).captioned == 1
    notice_of(watching, "going on")
    assert names(watching.library.search("red")) == ["one.jpg"]
    assert watching.library.failures() == []


def test_a_burst_of_removals_suspends_a_folder_until_its_photos_are_back(
    watch: Callable[..., Watch], album: Path, captioner: FakeCaptioner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "SUSPENDED_SECONDS", 0.0)
    photos = [make_photo(album / f"{number}.jpg") for number in range(8)]
    watching = watch(album, suspend_photos=4)
    elsewhere = album.with_name("elsewhere")
    elsewhere.mkdir()
    for path in photos:
        path.rename(elsewhere / path.name)
    assert "--accept-missing" in notice_of(watching, "vanished at once")
    work_of(watching, album)
    assert len(watching.library.search("red")) == 8
    for path in photos:
        (elsewhere / path.name).rename(path)
    notice_of(watching, "are back")
    make_photo(album / "later.jpg", "blue")
    captioned(watching, 1)
    assert len(watching.library.search("red")) == 8
    photos[0].unlink()
    make_photo(album / "last of all.jpg", "blue")
    captioned(watching, 1)
    assert len(watching.library.search("red")) == 7
    assert captioner.captions.count("a red square") == 8


def notice_of(watching: Watch, text: str) -> str:
    """The next notice that says so."""
    while text not in (notice := watching.notices.get(timeout=PATIENCE)):
        pass
    return notice


def captioned(watching: Watch, count: int) -> None:
    """Returns when so many photos have been captioned."""
    while count > 0:
        count -= watching.worked.get(timeout=PATIENCE).captioned


def test_a_full_disk_holds_the_watch_up_until_there_is_room(
    watch: Callable[..., Watch], album: Path, captioner: FakeCaptioner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "FIRST_PAUSE", 0.01)
    make_photo(album / "old.jpg")
    watching = watch(album)
    disk = FullDisk(watching.library._database)
    disk.full = True
    many_photos(album, 40)
    line = notice_of(watching, "is full")
    assert str(watching.library.settings.catalogue_path) in line
    (album / "old.jpg").rename(album / "renamed.jpg")
    disk.full = False
    captioned(watching, 40)
    notice_of(watching, "going on")
    work_of(watching, album)
    assert len(watching.library.search("green", limit=None)) == 40
    assert names(watching.library.search("red")) == ["renamed.jpg"]
    assert sorted(captioner.captions) == ["a black square"] + ["a green square"] * 40 + ["a red square"]
    assert watching.library.status().jobs["running"] == 0


def test_more_events_than_can_be_kept_while_a_watch_is_retrying_lose_no_photo(
    watch: Callable[..., Watch], album: Path, captioner: FakeCaptioner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(watcher, "EVENTS_KEPT", 0)
    make_photo(album / "old.jpg")
    watching = watch(album)
    disk = FullDisk(watching.library._database)
    disk.full = True
    with monkeypatch.context() as patch:
        patch.setattr(watcher, "EVENTS_KEPT", 100)
        many_photos(album / "first", 40)
        notice_of(watching, "is full")
    many_photos(album / "second", 10, "blue")
    (album / "old.jpg").unlink()
    disk.full = False
    captioned(watching, 50)
    monkeypatch.setattr(watcher, "EVENTS_KEPT", 100)
    work_of(watching, album)
    assert len(watching.library.search("blue", limit=None)) == 10
    assert watching.library.search("red") == []
    assert len(captioner.captions) == 52


def test_a_burst_of_events_does_not_hold_up_the_work_that_it_brings(
    library: Library, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "DRAIN_SECONDS", 0.0)  # each time is up at once
    make_photo(album / "a.jpg")
    watching = Watcher(library._database, library._pipe(), library.settings, [album], threading.Event())
    for _ in range(3):
        watching._receive(FileEvent("written", album / "a.jpg"))
    watching._drain(0.0)
    assert watching._events.qsize() == 3
    monkeypatch.setattr(watcher, "DRAIN_SECONDS", 60.0)
    watching._drain(0.0)
    assert watching._events.qsize() == 0


def test_a_disk_that_is_full_from_the_start_holds_the_first_comparison_up(
    open_library: OpenLibrary, album: Path, captioner: FakeCaptioner
) -> None:
    library = open_library()
    disk = FullDisk(library._database)
    disk.full = True
    photos = many_photos(album, 40)
    notices: list[str] = []
    pauses: list[float] = []

    def pause(stop: threading.Event, seconds: float) -> None:
        pauses.append(seconds)
        disk.full = len(pauses) < 4

    stop = threading.Event()
    reports: list[IndexReport] = []

    def ready(report: IndexReport) -> None:
        reports.append(report)
        stop.set()

    watching = Watcher(
        library._database, library._pipe(), library.settings, [album], stop, notice=notices.append, pause=pause
    )
    watching.run(ready)
    assert pauses == [retry.FIRST_PAUSE * factor for factor in (1, 2, 4, 8)]
    assert [("is full" in notice, "going on" in notice) for notice in notices] == [(True, False), (False, True)]
    assert (reports[0].seen, reports[0].captioned) == (40, 40)
    assert len(captioner.captions) == len(photos)


def test_a_stop_ends_a_watch_that_is_retrying(
    watch: Callable[..., Watch], album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "FIRST_PAUSE", 1000.0)
    watching = watch(album)
    FullDisk(watching.library._database).full = True
    many_photos(album, 40)
    notice_of(watching, "is full")
    watching.end()


def test_an_index_ends_at_a_full_disk_and_the_next_one_goes_on(
    open_library: OpenLibrary, album: Path, captioner: FakeCaptioner
) -> None:
    library = open_library()
    disk = FullDisk(library._database)
    disk.full = True
    many_photos(album, 40)
    with pytest.raises(CatalogueUnavailable, match="is full") as caught:
        library.index(album)
    assert len(str(caught.value).splitlines()) == 1
    disk.full = False
    assert library.index(album).seen == 40
    assert len(library.search("green", limit=None)) == 40
    assert len(captioner.captions) == 40


def test_a_catalogue_that_another_program_keeps_locked_holds_the_watch_up(
    watch: Callable[..., Watch], album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    monkeypatch.setattr(retry, "FIRST_PAUSE", 0.01)
    make_photo(album / "a.jpg")
    watching = watch(album)
    with closing(sqlite3.connect(watching.library.settings.catalogue_path, isolation_level=None)) as other:
        other.execute("begin immediate")
        make_photo(album / "b.jpg", "blue")
        (album / "a.jpg").unlink()
        notice_of(watching, "keeps it locked")
        other.execute("rollback")
    captioned(watching, 1)
    notice_of(watching, "going on")
    work_of(watching, album)
    assert names(watching.library.search("square")) == ["b.jpg", "last.jpg"]


def test_an_index_of_words_that_refuses_to_be_written_keeps_no_photo_from_being_captioned(
    watch: Callable[..., Watch], album: Path, captioner: FakeCaptioner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "FIRST_PAUSE", 0.01)
    watching = watch(album)
    index = watching.library._text()
    index.timeout = 0.01
    with index._generations.writing("testing", 1.0):
        many_photos(album, 10)
        notice_of(watching, "is testing the full-text index")
        captioned(watching, 10)
    notice_of(watching, "going on")
    assert len(watching.library.search("green", limit=None)) == 10
    assert len(captioner.captions) == 10


def test_an_index_of_words_that_is_damaged_while_watching_is_rebuilt(watch: Callable[..., Watch], album: Path) -> None:
    make_photo(album / "a.jpg")
    watching = watch(album)
    for path in watching.library.settings.index_path.glob("index-*/*"):
        path.unlink()
    work_of(watching, album)
    assert names(watching.library.search("square")) == ["a.jpg", "last.jpg"]


@pytest.mark.parametrize("polled", [False, True])
def test_a_watch_follows_an_ignore_file_that_comes_changes_and_goes(
    watch: Callable[..., Watch],
    album: Path,
    captioner: FakeCaptioner,
    monkeypatch: pytest.MonkeyPatch,
    polled: bool,
) -> None:
    if polled:
        monkeypatch.setattr(InotifyLimits, "allowed", lambda self: 0)
    for name in ("a.jpg", "raw/b.jpg", "sub/c.png"):
        make_photo(album / name)
    watching = watch(album, poll_seconds=0.05, settle_seconds=0.05)
    rules = album / IGNORE_FILE

    def until(found: list[str]) -> None:
        """What the watcher does with rules shows in the catalogue alone; it ends the test when it never does."""
        deadline = threading.Event()
        timer = threading.Timer(PATIENCE, deadline.set)
        timer.start()
        while names(watching.library.search("red")) != found:
            assert not deadline.is_set()
        timer.cancel()

    rules.write_text("raw/")
    until(["a.jpg", "c.png"])
    rules.write_text("*.png")
    until(["a.jpg", "b.jpg"])
    rules.rename(album / "sub" / IGNORE_FILE)
    until(["a.jpg", "b.jpg"])
    (album / "sub" / IGNORE_FILE).write_text("*.jpg")
    until(["a.jpg", "b.jpg", "c.png"])
    (album / "sub" / IGNORE_FILE).rename(rules)
    until(["c.png"])
    rules.unlink()
    until(["a.jpg", "b.jpg", "c.png"])
    assert captioner.captions == ["a red square"] * 3


class TestFoldersThatAreNotThere:
    def test_one_is_waited_for_while_the_rest_is_watched(
        self, watch: Callable[..., Watch], album: Path, tmp_path: Path
    ) -> None:
        make_photo(album / "a.jpg", "blue")
        late = tmp_path / "disk" / "late"
        watching = watch(album, late, poll_seconds=0.05)
        assert str(late) in notice_of(watching, "is watched as soon as it is")
        make_photo(album / "b.jpg", "green")
        captioned(watching, 1)
        make_photo(tmp_path / "elsewhere" / "c.jpg", "red")
        late.parent.mkdir()
        (tmp_path / "elsewhere").rename(late)
        captioned(watching, 1)
        assert names(watching.library.search("red")) == ["c.jpg"]
        make_photo(late / "d.jpg", "yellow")  # it is watched from now on
        captioned(watching, 1)
        assert {root.path for root in watching.library.status().roots} == {album, late}

    def test_a_library_whose_only_folder_is_away_is_waited_for(
        self, watch: Callable[..., Watch], library: Library, album: Path, tmp_path: Path
    ) -> None:
        """As a service does that starts before the disk is mounted."""
        make_photo(album / "a.jpg")
        library.index(album)
        album.rename(tmp_path / "away")
        watching = watch(album, poll_seconds=0.05)
        assert names(watching.library.search("red")) == ["a.jpg"]
        make_photo(tmp_path / "away" / "b.jpg", "blue")
        (tmp_path / "away").rename(album)
        captioned(watching, 1)
        assert names(watching.library.search("square")) == ["a.jpg", "b.jpg"]

    def test_a_folder_that_cannot_be_read_does_not_end_the_watch_of_the_others(
        self, watch: Callable[..., Watch], album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        closed = tmp_path / "closed"
        make_photo(closed / "a.jpg")
        with monkeypatch.context() as patch:
            refuse(patch, closed)
            watching = watch(album, closed, poll_seconds=0.05)
            assert str(closed) in notice_of(watching, "cannot read the folder")
            make_photo(album / "b.jpg", "green")
            captioned(watching, 1)
        captioned(watching, 1)
        assert names(watching.library.search("red")) == ["a.jpg"]

    @pytest.mark.parametrize("there", [True, False])
    def test_a_file_in_the_place_of_a_folder_is_an_error_at_once(
        self, library: Library, album: Path, tmp_path: Path, *, there: bool
    ) -> None:
        photo = make_photo(album / "a.jpg")
        other = album if there else tmp_path / "nowhere"
        with pytest.raises(FolderError, match="not a folder"):
            library.watch(other, photo, stop=threading.Event())


def test_pipeline_indexer_and_watcher_have_one_judge_of_missing_photos(library: Library, album: Path) -> None:
    """Two would each see half of a loss, and neither would doubt it."""
    pipeline = library._pipe()
    watching = Watcher(library._database, pipeline, library.settings, [album], threading.Event())
    assert pipeline.missing is watching._indexer.missing is watching._handlers._missing
    assert watching._comparer._missing is pipeline.missing


def test_a_watch_whose_catalogue_is_deleted_ends_with_one_line(
    open_library: OpenLibrary, album: Path, data_dir: Path
) -> None:
    make_photo(album / "a.jpg")
    watching = Watch(open_library(), album)
    watching.ready.get(timeout=PATIENCE)
    for path in data_dir.glob("catalogue.sqlite3*"):
        path.unlink()
    make_photo(album / "b.jpg", "blue")
    watching._thread.join(PATIENCE)
    assert not watching._thread.is_alive()
    assert isinstance(watching.error, CatalogueReplaced)
    assert len(str(watching.error).splitlines()) == 1
