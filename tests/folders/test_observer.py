"""Hearing of changes: real folders, real events. A test waits for the event itself, never for a length of time."""

from __future__ import annotations

import errno
import os
import queue
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver
from watchdog.observers.polling import PollingObserver

from photoindex.errors import FolderError
from photoindex.folders.filters import PhotoFilter
from photoindex.folders.ignore import IGNORE_FILE
from photoindex.folders.observer import FolderObserver
from photoindex.system.inotify_limits import InotifyLimits
from photoindex.types import FileEvent
from tests.support import REPOSITORY, Limits, put

QUICK = 0.05  # seconds between looks
NEVER = 3600.0

# Earlier versions do not watch deep inside a folder that is moved in (polling takes over there), and say so.
watchdog_7_1 = pytest.mark.skipif(
    tuple(map(int, version("watchdog").split(".")[:2])) < (7, 1), reason="watchdog is older than 7.1"
)
linux = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")


class Watch:
    """A running observer and the events it has given."""

    def __init__(self) -> None:
        self.events: queue.Queue[FileEvent] = queue.Queue()
        self.observer: FolderObserver | None = None

    def start(self, *roots: Path, poll_seconds: float = NEVER, **seams: object) -> FolderObserver:
        self.observer = FolderObserver(roots, PhotoFilter(), self.events.put, poll_seconds, **seams)  # type: ignore[arg-type]
        self.observer.start()
        return self.observer

    def until(self, wanted: FileEvent) -> list[FileEvent]:
        """Every event up to the wanted one, without repeats. Fails when it does not come."""
        seen: list[FileEvent] = []
        while wanted not in seen:
            try:
                event = self.events.get(timeout=60)
            except queue.Empty:
                pytest.fail(f"{wanted} did not come; only {seen} did")
            if event not in seen:
                seen.append(event)
        return seen

    def until_marker(self, folder: Path) -> list[FileEvent]:
        """Every event up to that of a file written now: what has not come by then does not come."""
        marker = folder / "marker.jpg"
        marker.write_bytes(b"marker")
        return [event for event in self.until(written(marker)) if event.path != marker]


@pytest.fixture
def watch() -> Iterator[Watch]:
    watching = Watch()
    yield watching
    if watching.observer is not None:
        watching.observer.stop()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    return folder


def written(path: Path) -> FileEvent:
    return FileEvent("written", path)


def folder_written(path: Path) -> FileEvent:
    return FileEvent("written", path, is_directory=True)


def refuse(number: int) -> Callable[[], BaseObserver]:
    def make() -> BaseObserver:
        raise OSError(number, os.strerror(number))

    return make


class TestFiles:
    @watchdog_7_1
    def test_a_written_photo_is_reported_and_other_files_are_not(self, watch: Watch, root: Path) -> None:
        observer = watch.start(root)
        put(root / "note.txt")
        put(root / ".hidden.jpg")
        put(root / "a.jpg")
        assert watch.until_marker(root) == [written(root / "a.jpg")]
        assert observer.mode(root) == "events"
        assert observer.problems() == []

    def test_reading_a_photo_is_not_reported(self, watch: Watch, root: Path) -> None:
        photo = put(root / "a.jpg")
        watch.start(root)
        photo.read_bytes()
        assert watch.until_marker(root) == []

    def test_setting_a_photo_s_time_or_permissions_is_reported_as_written(self, watch: Watch, root: Path) -> None:
        photo = put(root / "a.jpg")
        watch.start(root)
        os.utime(photo, (1, 1))
        assert watch.until_marker(root) == [written(photo)]

    def test_photos_below_refused_folders_are_not_reported(self, watch: Watch, root: Path) -> None:
        (root / "@eaDir" / "x").mkdir(parents=True)
        watch.start(root)
        put(root / "@eaDir/x/a.jpg")
        (root / "@eaDir/y").mkdir()
        (root / ".new").mkdir()
        assert watch.until_marker(root) == []

    def test_a_finished_download_is_reported_under_its_final_name(self, watch: Watch, root: Path) -> None:
        watch.start(root)
        put(root / "x.jpg.part").rename(root / "x.jpg")
        assert watch.until_marker(root) == [written(root / "x.jpg")]

    def test_a_rename_is_a_move(self, watch: Watch, root: Path) -> None:
        put(root / "a.jpg")
        (root / "sub").mkdir()
        watch.start(root)
        (root / "a.jpg").rename(root / "sub/b.jpg")
        assert watch.until_marker(root) == [FileEvent("moved", root / "a.jpg", root / "sub/b.jpg")]

    def test_a_photo_renamed_to_another_kind_of_name_is_removed(self, watch: Watch, root: Path) -> None:
        put(root / "a.jpg")
        watch.start(root)
        (root / "a.jpg").rename(root / "a.jpg.tmp")
        assert watch.until_marker(root) == [FileEvent("removed", root / "a.jpg")]

    def test_a_photo_moved_in_from_outside_is_written_and_one_moved_out_is_removed(
        self, watch: Watch, root: Path, outside: Path
    ) -> None:
        put(outside / "a.jpg")
        watch.start(root)
        (outside / "a.jpg").rename(root / "a.jpg")
        watch.until(written(root / "a.jpg"))
        (root / "a.jpg").rename(outside / "a.jpg")
        watch.until(FileEvent("removed", root / "a.jpg"))

    def test_a_deleted_photo_is_removed(self, watch: Watch, root: Path) -> None:
        put(root / "a.jpg")
        watch.start(root)
        (root / "a.jpg").unlink()
        assert watch.until_marker(root) == [FileEvent("removed", root / "a.jpg")]

    def test_a_name_that_is_not_valid_text_keeps_its_bytes(self, watch: Watch, root: Path) -> None:
        watch.start(root)
        raw = os.fsencode(root) + b"/\xff.jpg"
        try:
            with open(raw, "wb") as file:
                file.write(b"photo")
        except OSError:
            pytest.skip("this file system takes only valid text")
        (event,) = watch.until_marker(root)
        assert os.fsencode(event.path) == raw


class TestFolders:
    def test_a_new_folder_is_reported_and_watched(self, watch: Watch, root: Path) -> None:
        watch.start(root)
        (root / "new").mkdir()
        watch.until(folder_written(root / "new"))
        put(root / "new/a.jpg")
        watch.until(written(root / "new/a.jpg"))

    @watchdog_7_1
    def test_a_folder_moved_in_from_outside_is_reported_once_and_watched(
        self, watch: Watch, root: Path, outside: Path
    ) -> None:
        put(outside / "album/deep/a.jpg")
        watch.start(root)
        (outside / "album").rename(root / "album")
        assert watch.until_marker(root) == [folder_written(root / "album")]
        put(root / "album/deep/b.jpg")
        watch.until(written(root / "album/deep/b.jpg"))

    def test_a_folder_moved_in_that_watchdog_cannot_see_into_is_not_lost(
        self, watch: Watch, root: Path, outside: Path
    ) -> None:
        put(outside / "album/deep/a.jpg")
        observer = watch.start(root, poll_seconds=QUICK, limits=Limits(held=1))
        (outside / "album").rename(root / "album")
        watch.until(FileEvent("overflow", root))
        assert observer.mode(root) == "polling"
        put(root / "album/deep/b.jpg")
        watch.until(written(root / "album/deep/b.jpg"))

    def test_a_renamed_folder_is_one_move_and_is_watched_under_its_new_name(self, watch: Watch, root: Path) -> None:
        put(root / "old/deep/a.jpg")
        watch.start(root)
        (root / "old").rename(root / "new")
        assert watch.until_marker(root) == [FileEvent("moved", root / "old", root / "new", is_directory=True)]
        put(root / "new/deep/b.jpg")
        watch.until(written(root / "new/deep/b.jpg"))

    def test_a_folder_renamed_from_a_refused_name_is_written_and_to_one_is_removed(
        self, watch: Watch, root: Path
    ) -> None:
        put(root / ".importing/a.jpg")
        watch.start(root)
        (root / ".importing").rename(root / "album")
        watch.until(folder_written(root / "album"))
        (root / "album").rename(root / ".importing")
        watch.until(FileEvent("removed", root / "album", is_directory=True))

    def test_a_folder_moved_out_or_deleted_is_removed(self, watch: Watch, root: Path, outside: Path) -> None:
        (root / "one").mkdir()
        (root / "two").mkdir()
        watch.start(root)
        (root / "one").rename(outside / "one")
        (root / "two").rmdir()
        watch.until(FileEvent("removed", root / "one", is_directory=True))
        watch.until(FileEvent("removed", root / "two", is_directory=True))


class TestRoots:
    @pytest.mark.parametrize("kind", ["missing", "file"])
    def test_a_root_that_is_no_folder_is_refused_and_nothing_is_watched(
        self, watch: Watch, root: Path, kind: str
    ) -> None:
        bad = root / "none" if kind == "missing" else put(root / "a.jpg")
        with pytest.raises(FolderError):
            watch.start(root, bad)
        assert watch.observer is not None
        with pytest.raises(FolderError, match="not being watched"):
            watch.observer.mode(root)

    def test_a_root_that_is_a_link_is_watched_and_keeps_its_spelling(
        self, watch: Watch, root: Path, tmp_path: Path
    ) -> None:
        (root / "sub").mkdir()
        link = tmp_path / "link"
        link.symlink_to(root)
        watch.start(link)
        put(root / "a.jpg")
        watch.until(written(link / "a.jpg"))
        put(root / "sub/b.jpg")
        watch.until(written(link / "sub/b.jpg"))

    def test_a_relative_root_gives_absolute_paths(
        self, watch: Watch, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(root.parent)
        observer = watch.start(Path("root"))
        assert observer.mode(root) == observer.mode(Path("root")) == "events"
        put(root / "a.jpg")
        watch.until(written(root / "a.jpg"))

    def test_roots_may_lie_inside_each_other_or_be_links_to_each_other(
        self, watch: Watch, root: Path, tmp_path: Path
    ) -> None:
        (root / ".inner").mkdir()
        (tmp_path / "link").symlink_to(root)
        roots = (root, root / ".inner", tmp_path / "link")
        observer = watch.start(*roots, poll_seconds=QUICK)
        assert {observer.mode(each) for each in roots} == {"events"}
        put(root / ".inner/a.jpg")
        watch.until(written(root / ".inner/a.jpg"))
        put(root / "b.jpg")
        assert {written(root / "b.jpg"), written(tmp_path / "link/b.jpg")} <= {
            *watch.until(written(root / "b.jpg")),
            *watch.until_marker(root),
        }

    def test_stop_ends_all_threads_and_may_be_repeated(self, watch: Watch, root: Path) -> None:
        observer = watch.start(root)
        observer.stop()
        observer.stop()
        put(root / "a.jpg")
        assert watch.events.empty()
        FolderObserver([root], PhotoFilter(), watch.events.put).stop()

    def test_an_observer_can_be_started_again(self, watch: Watch, root: Path) -> None:
        observer = watch.start(root)
        observer.stop()
        observer.start()
        put(root / "a.jpg")
        watch.until(written(root / "a.jpg"))

    def test_an_error_in_the_callback_is_told_and_later_events_still_come(
        self, watch: Watch, root: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail_once(event: FileEvent) -> None:
            if event.path.name == "bad.jpg":
                raise ValueError("no")
            watch.events.put(event)

        watch.observer = FolderObserver([root], PhotoFilter(), fail_once)
        watch.observer.start()
        put(root / "bad.jpg")
        put(root / "good.jpg")
        watch.until(written(root / "good.jpg"))
        assert any("bad.jpg" in line and "ValueError" in line for line in watch.observer.problems())

    def test_stopping_from_the_callback_is_refused(self, watch: Watch, root: Path) -> None:
        answers: queue.Queue[str] = queue.Queue()

        def stop(event: FileEvent) -> None:
            assert watch.observer is not None
            try:
                watch.observer.stop()
            except RuntimeError as error:
                answers.put(str(error))

        watch.observer = FolderObserver([root], PhotoFilter(), stop)
        watch.observer.start()
        put(root / "a.jpg")
        assert "on_event" in answers.get(timeout=60)


class TestPolling:
    def polled(self, watch: Watch, root: Path) -> FolderObserver:
        return watch.start(root, poll_seconds=QUICK, make_observer=refuse(errno.EMFILE))

    @pytest.mark.parametrize(
        ("number", "setting"), [(errno.ENOSPC, "max_user_watches"), (errno.EMFILE, "max_user_instances")]
    )
    def test_a_root_is_polled_when_inotify_is_exhausted_and_that_is_told(
        self, watch: Watch, root: Path, number: int, setting: str
    ) -> None:
        observer = watch.start(root, poll_seconds=QUICK, make_observer=refuse(number))
        assert observer.mode(root) == "polling"
        (line,) = observer.problems()
        assert line.startswith(f"{root}: ")
        assert setting in line
        put(root / "sub/a.jpg")
        watch.until(written(root / "sub/a.jpg"))

    def test_a_root_is_polled_when_its_own_watch_is_refused(
        self, watch: Watch, root: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        observer = Observer()
        schedule = observer.schedule

        def refuse_one(handler: object, path: str, **options: bool) -> object:
            if path == str(root):
                raise OSError(errno.ENOSPC, "inotify watch limit reached")
            return schedule(handler, path, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(observer, "schedule", refuse_one)
        watching = watch.start(root, outside, make_observer=lambda: observer)
        assert (watching.mode(root), watching.mode(outside)) == ("polling", "events")

    def test_a_system_without_events_is_polled(self, watch: Watch, root: Path) -> None:
        assert watch.start(root, make_observer=PollingObserver).mode(root) == "polling"

    @pytest.mark.parametrize("limits", [Limits(allowed=2), Limits(held=2)], ids=["limit too low", "watched in part"])
    def test_a_tree_with_more_folders_than_watches_is_polled_and_that_is_told(
        self, watch: Watch, root: Path, limits: Limits
    ) -> None:
        (root / "a/b").mkdir(parents=True)
        observer = watch.start(root, poll_seconds=QUICK, limits=limits)
        assert observer.mode(root) == "polling"
        assert any("max_user_watches" in line for line in observer.problems())
        put(root / "a/b/c.jpg")
        watch.until(written(root / "a/b/c.jpg"))

        assert "max_user_watches" in str(observer.why_polled(root))
        assert observer.watches(root) is None

    def test_a_tree_with_as_many_folders_as_watches_is_watched(self, watch: Watch, root: Path) -> None:
        (root / "a/b").mkdir(parents=True)
        observer = watch.start(root, limits=Limits(allowed=3, held=3))
        assert (observer.mode(root), observer.watches(root), observer.why_polled(root)) == ("events", 3, None)

    def test_a_root_inside_another_holds_no_watches_of_its_own(self, watch: Watch, root: Path) -> None:
        (root / "a/b").mkdir(parents=True)
        observer = watch.start(root, root / "a", limits=Limits(allowed=10))
        assert (observer.watches(root), observer.watches(root / "a")) == (3, 0)

    def test_where_nobody_counts_watches_none_are_told(self, watch: Watch, root: Path) -> None:
        observer = watch.start(root, limits=Limits())
        assert (observer.mode(root), observer.watches(root)) == ("events", None)

    def test_polling_reports_writes_moves_and_removals(self, watch: Watch, root: Path) -> None:
        moved, removed, changed = put(root / "m.jpg", b"1"), put(root / "r.jpg", b"12"), put(root / "c.jpg", b"123")
        self.polled(watch, root)
        (root / "sub").mkdir()
        moved.rename(root / "sub/n.jpg")
        watch.until(FileEvent("moved", moved, root / "sub/n.jpg"))
        removed.unlink()
        watch.until(FileEvent("removed", removed))
        put(changed, b"other")
        watch.until(written(changed))

    def test_links_that_loop_do_not_keep_polling_from_working(self, watch: Watch, root: Path) -> None:
        (root / "x").mkdir()
        (root / "x/one").symlink_to(root)
        (root / "x/two").symlink_to(root / "x")
        self.polled(watch, root)
        put(root / "x/a.jpg")
        watch.until(written(root / "x/a.jpg"))


class TestHealth:
    def test_a_root_that_is_replaced_is_polled_from_then_on_and_asks_for_a_full_comparison(
        self, watch: Watch, root: Path
    ) -> None:
        observer = watch.start(root, poll_seconds=QUICK)
        root.rename(root.with_name("away"))
        put(root / "a.jpg")
        watch.until(FileEvent("overflow", root))
        assert observer.mode(root) == "polling"
        assert any("scanned every" in line for line in observer.problems())
        put(root / "b.jpg")
        watch.until(written(root / "b.jpg"))

    def test_a_deleted_root_is_reported_and_taken_up_when_it_returns(self, watch: Watch, root: Path) -> None:
        watch.start(root, poll_seconds=QUICK)
        root.rmdir()
        watch.until(FileEvent("removed", root, is_directory=True))
        root.mkdir()
        watch.until(FileEvent("overflow", root))

    def test_a_root_whose_event_thread_dies_is_polled(self, watch: Watch, root: Path) -> None:
        watchdog = Observer()
        observer = watch.start(root, poll_seconds=QUICK, make_observer=lambda: watchdog)
        for emitter in list(watchdog.emitters):
            emitter.stop()
        watch.until(FileEvent("overflow", root))
        assert observer.mode(root) == "polling"
        put(root / "a.jpg")
        watch.until(written(root / "a.jpg"))

    def test_folders_that_come_later_and_get_no_watch_lead_to_polling(self, watch: Watch, root: Path) -> None:
        limits = Limits(held=1)
        observer = watch.start(root, poll_seconds=QUICK, limits=limits)
        assert observer.mode(root) == "events"
        (root / "new").mkdir()
        watch.until(FileEvent("overflow", root))
        assert observer.mode(root) == "polling"

    def test_folders_that_watchdog_lost_are_watched_again_before_being_polled(self, watch: Watch, root: Path) -> None:
        limits = Limits(held=1)

        class Forgetful(Observer):  # type: ignore[misc, valid-type]
            def schedule(self, *args: Any, **options: Any) -> Any:
                watched = super().schedule(*args, **options)
                limits.held_watches = 1 + sum(path.is_dir() for path in root.iterdir())
                return watched

        observer = watch.start(root, poll_seconds=QUICK, limits=limits, make_observer=Forgetful)
        (root / "new").mkdir()
        watch.until(FileEvent("overflow", root))
        put(root / "new" / "a.jpg")
        watch.until(written(root / "new" / "a.jpg"))
        assert (observer.mode(root), observer.problems()) == ("events", [])

    @linux
    def test_events_that_the_kernel_dropped_are_reported_as_overflow(self, watch: Watch, root: Path) -> None:
        inotify_c = pytest.importorskip("watchdog.observers.inotify_c")
        watchdog = Observer()
        observer = watch.start(root, make_observer=lambda: watchdog)
        reader = getattr(watchdog, "_inotify_fd", None)
        if reader is None or not hasattr(reader, "handle_event"):
            assert any("watchdog" in line for line in observer.problems())
            pytest.skip("this version of watchdog does not say when events are lost")
        overflow = inotify_c.InotifyConstants.IN_Q_OVERFLOW
        reader.handle_event(inotify_c.InotifyEvent(-1, overflow, 0, b""))  # what it reads from the kernel then
        watch.until(FileEvent("overflow", root))
        put(root / "a.jpg")
        watch.until(written(root / "a.jpg"))

    @linux
    def test_the_kernel_s_count_of_watches_grows_with_the_folders_watched(self, watch: Watch, root: Path) -> None:
        for name in "abc":
            (root / name).mkdir()
        watch.start(root)
        held = InotifyLimits().held()
        if held is None:
            pytest.skip("this kernel does not tell")
        assert held >= 4

    @linux
    @watchdog_7_1
    def test_a_folder_that_is_watched_twice_prints_nothing(self, root: Path) -> None:
        script = f"""
from pathlib import Path
from watchdog.observers.inotify_c import InotifyFD
from photoindex.folders import FolderObserver, PhotoFilter
observer = FolderObserver([Path({str(root)!r})], PhotoFilter(), print)
observer.start()
for _ in range(2):
    InotifyFD.get_instance().add_callback({os.fsencode(root)!r}, 2, print, "again")
observer.stop()
print("watched")
"""
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True
        )
        assert (done.stdout, done.stderr) == ("watched\n", "")


class TestFileSystems:
    """Those on which other machines, or a program, change things without an event."""

    @staticmethod
    def mounts(root: Path, *mounted: tuple[Path, str]) -> str:
        places = [(Path("/"), "ext4"), *mounted]
        return "".join(
            f"{number} 1 0:{number} / {os.path.realpath(place)} rw - {kind} source rw\n"
            for number, (place, kind) in enumerate(places)
        )

    @pytest.mark.parametrize("kind", ["nfs4", "cifs", "9p", "vboxsf", "fuse.sshfs", "fuse.mergerfs"])
    def test_they_are_polled_and_that_is_told(self, watch: Watch, root: Path, kind: str) -> None:
        put(root / "old.jpg")
        observer = watch.start(root, poll_seconds=QUICK, mountinfo=lambda: self.mounts(root, (root, kind)))
        assert observer.mode(root) == "polling"
        assert f"is on {kind}" in (observer.why_polled(root) or "")
        assert len(observer.problems()) == 1
        put(root / "a.jpg")
        watch.until(written(root / "a.jpg"))

    @pytest.mark.parametrize("kind", ["ext4", "btrfs", "fuseblk", "overlay"])
    def test_others_are_watched(self, watch: Watch, root: Path, kind: str) -> None:
        observer = watch.start(root, mountinfo=lambda: self.mounts(root, (root, kind)))
        assert observer.mode(root) == "events"

    def test_where_the_system_does_not_say_nothing_changes(self, watch: Watch, root: Path) -> None:
        def refuse() -> str:
            raise FileNotFoundError("/proc/self/mountinfo")

        assert watch.start(root, mountinfo=refuse).mode(root) == "events"

    def test_the_user_may_rely_on_events_all_the_same(self, watch: Watch, root: Path) -> None:
        observer = watch.start(root, mode="events", mountinfo=lambda: self.mounts(root, (root, "nfs4")))
        assert observer.mode(root) == "events"

    def test_the_user_may_have_everything_polled(self, watch: Watch, root: Path) -> None:
        observer = watch.start(root, poll_seconds=QUICK, mode="polling")
        assert observer.mode(root) == "polling"
        assert observer.why_polled(root) == "watch_mode is polling"
        put(root / "a.jpg")
        watch.until(written(root / "a.jpg"))

    def test_one_that_is_mounted_below_has_the_root_polled_from_then_on(self, watch: Watch, root: Path) -> None:
        for name in ("nas", ".cache"):
            (root / name).mkdir()
        mounted = [(root / ".cache", "fuse.portal")]  # nobody looks for photos there
        observer = watch.start(root, poll_seconds=QUICK, mountinfo=lambda: self.mounts(root, *mounted))
        assert observer.mode(root) == "events"
        mounted.append((root / "nas", "nfs4"))
        watch.until(FileEvent("overflow", root))
        assert observer.mode(root) == "polling"
        assert observer.why_polled(root) == f"{root / 'nas'} is on nfs4, where changes may come without events"


class TestLinkedFolders:
    def test_changes_in_a_linked_folder_are_found_by_polling_and_that_is_told(
        self, watch: Watch, root: Path, outside: Path
    ) -> None:
        put(outside / "old.jpg")
        (root / "link").symlink_to(outside)
        observer = watch.start(root, poll_seconds=QUICK)
        assert observer.mode(root) == "events"
        assert any("linked folder" in line for line in observer.problems())
        put(outside / "a.jpg")
        assert watch.until(written(root / "link/a.jpg")) == [written(root / "link/a.jpg")]

    def test_a_link_that_comes_later_is_reported_and_polled(self, watch: Watch, root: Path, outside: Path) -> None:
        put(outside / "old.jpg")
        watch.start(root, poll_seconds=QUICK)
        (root / "link").symlink_to(outside)
        watch.until(folder_written(root / "link"))
        put(outside / "a.jpg")
        watch.until(written(root / "link/a.jpg"))

    def test_a_link_taken_away_removes_its_folder(self, watch: Watch, root: Path, outside: Path) -> None:
        put(outside / "a.jpg")
        (root / "link").symlink_to(outside)
        observer = watch.start(root, poll_seconds=QUICK)
        (root / "link").unlink()
        watch.until(FileEvent("removed", root / "link", is_directory=True))
        assert observer.mode(root) == "events"

    @watchdog_7_1
    def test_links_to_folders_that_are_watched_anyway_are_not_polled(
        self, watch: Watch, root: Path, tmp_path: Path
    ) -> None:
        (root / "real").mkdir()
        (root / "link").symlink_to(root / "real")
        (root / "up").symlink_to(tmp_path)
        observer = watch.start(root)
        assert observer.problems() == []
        put(root / "real/a.jpg")
        assert watch.until_marker(root) == [written(root / "real/a.jpg")]


def test_ignore_files_are_reported_and_what_they_leave_out_is_not(watch: Watch, root: Path) -> None:
    put(root / "trip" / IGNORE_FILE, b"raw/\n*.png")
    watch.start(root)
    put(root / "trip" / "a.png")
    put(root / "trip" / "raw" / "b.jpg")
    put(root / "trip" / "c.jpg").rename(root / "trip" / "c.png")
    put(root / "trip" / "raw" / IGNORE_FILE, b"!*")
    rules = put(root / IGNORE_FILE, b"# none")
    seen = watch.until_marker(root)
    assert {event.path for event in seen if event.kind == "written"} == {root / "trip" / "c.jpg", rules}
    assert FileEvent("removed", root / "trip" / "c.jpg") in seen
    rules.unlink()
    watch.until(FileEvent("removed", rules))
