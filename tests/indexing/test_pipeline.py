"""A photo's way from the queue to the search, and everything that can happen to it on the way."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from skimage import data

from photoindex.catalogue import files, jobs
from photoindex.config import Settings
from photoindex.indexing.claimed_jobs import ROOT_AWAY
from photoindex.indexing.throttle import Throttle
from photoindex.library import Library
from photoindex.search import FullText
from photoindex.system.file_state import sha256_of
from photoindex.types import Progress
from tests.support import REPOSITORY, FakeCaptioner, add_files, make_photo, names

ON_BOTH = True

OpenLibrary = Callable[..., Library]


class LoadHook:
    """Loads a captioner after doing something to the disk: the model is loaded after hashing and before decoding."""

    def __init__(self, captioner: FakeCaptioner, act: Callable[[], object]) -> None:
        self.captioner = captioner
        self.act = act

    def __call__(self, settings: Settings) -> FakeCaptioner:
        self.act()
        return self.captioner


def set_mtime(path: Path, seconds: int) -> None:
    os.utime(path, (1_700_000_000 + seconds,) * 2)


def snapshot(folder: Path) -> dict[Path, tuple[bytes, int]]:
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def test_progress_counts_what_is_known_already_and_ends_when_all_is_done(library: Library, album: Path) -> None:
    library.index(make_photo(album / "a.jpg", note="known"))
    for number in range(2):
        make_photo(album / f"0 {number}.jpg")
    for number in range(150):  # more than are claimed at once
        make_photo(album / f"1 {number}.jpg", note="known")
    reports: list[Progress] = []

    report = library.index(album, progress=reports.append)

    assert (report.captioned, report.recognised) == (2, 150)
    done = [(each.done, each.total) for each in reports if each.stage == "captioning"]
    assert done[-1] == (152, 152)
    assert done.count((152, 152)) == 1
    assert max(total for _, total in done) == 152


def test_progress_is_told_while_all_that_comes_is_known(library: Library, album: Path) -> None:
    library.index(make_photo(album / "a.jpg", note="known"))
    for number in range(150):
        make_photo(album / f"{number}.jpg", note="known")
    reports: list[Progress] = []

    library.index(album, progress=reports.append)

    done = [each.done for each in reports if each.stage == "captioning"]
    assert len(done) > 1
    assert done == sorted(done)
    assert done[-1] == 150


def test_what_another_process_takes_is_not_left_at_the_end(
    open_library: OpenLibrary, captioner: FakeCaptioner, album: Path
) -> None:
    for number in range(150):
        make_photo(album / f"{number:03}.jpg")
    library, other = open_library(), open_library(FakeCaptioner())
    taken = threading.Event()

    def take_the_rest() -> None:
        if not taken.is_set():
            taken.set()
            other.work_off()

    captioner.before = take_the_rest
    reports: list[Progress] = []
    library.index(album, progress=reports.append)

    last = reports[-1]
    assert last.done == last.total < 150


def test_real_photos_are_captioned_stored_and_found(library: Library, captioner: FakeCaptioner, album: Path) -> None:
    sources = Path(data.__file__).parent
    for name in ("coffee.png", "chelsea.png", "astronaut.png", "camera.png"):
        if (sources / name).is_file():
            shutil.copy(sources / name, album)
    make_photo(album / "wall.png", "red")
    before = snapshot(album)
    report = library.index(album)
    assert report.captioned == report.seen == len(captioner.captions) == len(before)
    assert report.failed == 0
    assert "wall.png" in names(library.search("red square"))
    photo = library.show(album / "wall.png")
    assert photo is not None
    assert photo.facts is not None
    assert (photo.facts.format, photo.facts.width, photo.facts.height) == ("PNG", 48, 32)
    assert photo.content_hash == sha256_of(album / "wall.png")
    assert snapshot(album) == before


def test_bad_files_fail_one_by_one_and_the_rest_goes_on(library: Library, album: Path) -> None:
    (album / "empty.jpg").touch()
    (album / "letter.jpg").write_text("Dear all, this is no photo.\n" * 20)
    whole = make_photo(album / "good.jpg").read_bytes()
    (album / "half.jpg").write_bytes(whole[: len(whole) * 3 // 4])
    make_photo(album / "also good.jpg", "blue")
    report = library.index(album)
    assert (report.seen, report.captioned, report.failed) == (5, 2, 3)
    found = {failure.path.name: failure for failure in report.failures}
    assert {name: failure.kind for name, failure in found.items()} == {
        "empty.jpg": "empty",
        "half.jpg": "damaged",
        "letter.jpg": "not-a-photo",
    }
    for name, failure in found.items():
        assert name in failure.message
        assert len(failure.message.splitlines()) == 1
        assert failure.state == "failed"
    assert names(library.search("square")) == ["also good.jpg", "good.jpg"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has file names that are no text")
def test_a_bad_file_whose_name_is_no_text_does_not_stop_the_rest(library: Library, album: Path) -> None:
    strange = album / os.fsdecode(b"\xff\xfe.jpg")
    strange.touch()
    (album / os.fsdecode(b"\xfa.png")).write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    make_photo(album / os.fsdecode(b"gut \xfc.jpg"), "green")
    report = library.index(album)
    assert (report.captioned, report.failed) == (1, 2)
    assert [hit.path for hit in library.search("green")] == [album / os.fsdecode(b"gut \xfc.jpg")]
    failure = library.failure_at(strange)
    assert failure is not None
    failure.message.encode()


def test_copies_are_captioned_once_and_all_found(library: Library, captioner: FakeCaptioner, album: Path) -> None:
    original = make_photo(album / "a.jpg")
    (album / "sub").mkdir()
    for name in ("b.jpg", "sub/c.jpg"):
        shutil.copy(original, album / name)
    report = library.index(album)
    assert (report.captioned, report.recognised) == (1, 2)
    assert captioner.captions == ["a red square"]
    [hit] = library.search("red")
    assert [hit.path, *hit.other_paths] == [album / "a.jpg", album / "b.jpg", album / "sub" / "c.jpg"]


def test_copies_that_are_claimed_later_are_captioned_once_too(
    library: Library, captioner: FakeCaptioner, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "CLAIM", 4)
    for number in range(3):
        make_photo(album / f"{number}.jpg", note=str(number))
    for number in range(3, 30):
        shutil.copy(album / f"{number % 3}.jpg", album / f"{number}.jpg")
    report = library.index(album)
    assert (report.captioned, report.recognised, report.failed) == (3, 27, 0)
    assert len(captioner.captions) == 3


@pytest.mark.parametrize("batch_size", [4, 512], ids=["as many as are claimed", "more, as a GPU takes"])
def test_the_next_photos_are_claimed_and_decoded_while_those_before_are_captioned(
    open_library: OpenLibrary, album: Path, monkeypatch: pytest.MonkeyPatch, batch_size: int
) -> None:
    monkeypatch.setattr(jobs, "CLAIM", 4)
    for number in range(12):
        make_photo(album / f"{number}.jpg", note=str(number))
    running: list[int] = []
    captioner = FakeCaptioner(batch_size=batch_size, before=lambda: running.append(library.status().jobs["running"]))
    library = open_library(captioner)
    assert library.index(album).captioned == 12
    # Four at first, and two more as long as there are six or fewer.
    assert running == [8, 8, 4]


def test_a_slow_pace_claims_nothing_ahead(
    open_library: OpenLibrary, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Throttle, "batch_size", lambda self, most, seconds=0.0: min(most, 2))
    for number in range(4):
        make_photo(album / f"{number}.jpg", note=str(number))
    running: list[int] = []
    captioner = FakeCaptioner(before=lambda: running.append(library.status().jobs["running"]))
    library = open_library(captioner)
    assert library.index(album).captioned == 4
    assert running == [2, 2]


def test_each_copy_of_a_bad_photo_is_named_in_its_own_failure(library: Library, album: Path) -> None:
    for name in ("one.jpg", "two.jpg"):
        (album / name).write_text("the same letter")
    library.index(album)
    assert [failure.path.name in failure.message for failure in library.failures()] == [True, True]


def test_a_rename_costs_no_captioning(library: Library, captioner: FakeCaptioner, album: Path) -> None:
    make_photo(album / "a.jpg")
    library.index(album)
    (album / "a.jpg").rename(album / "renamed.jpg")
    report = library.index(album)
    assert (report.captioned, report.recognised, report.missing) == (0, 1, 1)
    assert len(captioner.captions) == 1
    assert names(library.search("red")) == ["renamed.jpg"]


def test_a_file_that_changes_before_it_is_decoded_is_read_again(
    data_dir: Path, captioner: FakeCaptioner, album: Path
) -> None:
    make_photo(album / "a.jpg", "red")
    first_content = sha256_of(album / "a.jpg")

    def change() -> None:
        make_photo(album / "a.jpg", "green", note="another note, so another size")

    settings = Settings(data_dir, settle_seconds=0.0)
    with Library(settings, LoadHook(captioner, change)) as library:
        assert library.index(album).captioned == 1
        photo = library.show(album / "a.jpg")
        assert photo is not None
        assert photo.caption is not None
        assert photo.caption.text == "a green square"
        assert photo.content_hash == sha256_of(album / "a.jpg") != first_content
        assert library.search("red") == []
        assert library.status().photos == 1
    assert captioner.captions == ["a green square"]


def test_a_file_that_changes_while_it_is_read_is_waited_for(
    data_dir: Path, captioner: FakeCaptioner, album: Path
) -> None:
    """With a settle time: the run that met it half-written does not end before it has the whole."""
    make_photo(album / "a.jpg", "red")
    set_mtime(album / "a.jpg", 0)

    def change() -> None:
        make_photo(album / "a.jpg", "blue", note="another note, so another size")
        set_mtime(album / "a.jpg", 60)

    with Library(Settings(data_dir, settle_seconds=0.05), LoadHook(captioner, change)) as library:
        assert library.index(album).captioned == 1
        assert names(library.search("blue")) == ["a.jpg"]


def test_a_file_that_changes_after_it_was_decoded_is_captioned_again_by_the_next_run(
    library: Library, captioner: FakeCaptioner, album: Path
) -> None:
    make_photo(album / "a.jpg", "red")

    def change() -> None:
        captioner.before = lambda: None
        make_photo(album / "a.jpg", "green", note="another note, so another size")

    captioner.before = change
    library.index(album)
    assert library.index(album).captioned == 1
    assert captioner.captions == ["a red square", "a green square"]
    assert names(library.search("green")) == ["a.jpg"]
    assert library.search("red") == []


def test_a_photo_that_is_overwritten_by_a_damaged_file_leaves_the_search(library: Library, album: Path) -> None:
    make_photo(album / "a.jpg")
    library.index(album)
    (album / "a.jpg").write_bytes(b"\xff\xd8\xff broken")
    assert library.index(album).failed == 1
    assert library.search("red") == []
    make_photo(album / "a.jpg")
    assert library.index(album).recognised == 1
    assert names(library.search("red")) == ["a.jpg"]


def test_a_photo_that_is_removed_before_it_is_read_is_no_failure(library: Library, album: Path) -> None:
    add_files(library._database, album, "a.jpg", "b.jpg")
    make_photo(album / "b.jpg")
    with library._database.sole_comparer([album]):  # who else may not say that a photo is gone
        tally = library.work_off()
    assert (tally.captioned, tally.failed) == (1, 0)
    assert names(library.search("red")) == ["b.jpg"]
    assert library.status().roots[0].missing == 1
    assert library.status().jobs["queued"] == 0


def test_a_photo_that_is_removed_before_it_is_decoded_is_no_failure(
    data_dir: Path, captioner: FakeCaptioner, album: Path
) -> None:
    for name in ("a.jpg", "b.jpg"):
        make_photo(album / name)
    hook = LoadHook(captioner, (album / "a.jpg").unlink)
    with Library(Settings(data_dir, settle_seconds=0.0), hook) as library:
        report = library.index(album)
        assert (report.captioned, report.failed) == (1, 0)
        assert names(library.search("red")) == ["b.jpg"]
        assert library.status().roots[0].missing == 1
        assert library.status().jobs["queued"] == 0


def test_jobs_are_kept_while_their_whole_folder_is_away(
    data_dir: Path, captioner: FakeCaptioner, tmp_path: Path
) -> None:
    album, elsewhere = tmp_path / "usb", tmp_path / "unplugged"
    make_photo(album / "a.jpg")
    with Library(
        Settings(data_dir, settle_seconds=0.0), LoadHook(captioner, lambda: album.rename(elsewhere))
    ) as library:
        report = library.index(album)
        assert (report.captioned, report.failed, report.missing) == (0, 0, 0)
        status = library.status()
        assert status.jobs["queued"] == 1
        assert (status.roots[0].present, status.roots[0].missing) == (1, 0)
        elsewhere.rename(album)
        soon = datetime.now(timezone.utc) + ROOT_AWAY + timedelta(minutes=1)
        library._pipe()._now = lambda: soon
        assert library.work_off().captioned == 1
    assert captioner.captions == ["a red square"]


@pytest.mark.parametrize("in_its_place", ["a file", "a link to nothing"])
def test_jobs_are_kept_while_something_else_is_in_the_place_of_their_folder(
    data_dir: Path, captioner: FakeCaptioner, album: Path, in_its_place: str
) -> None:
    make_photo(album / "a.jpg")

    def replace() -> None:
        album.rename(album.with_name("elsewhere"))
        if in_its_place == "a file":
            album.write_text("not mounted")
        else:
            album.symlink_to("nothing")

    with Library(Settings(data_dir, settle_seconds=0.0), LoadHook(captioner, replace)) as library:
        library.index(album)
        status = library.status()
        assert status.jobs["queued"] == 1
        assert (status.roots[0].present, status.roots[0].missing) == (1, 0)


def test_a_stop_in_the_middle_gives_the_rest_back_and_the_next_run_finishes(
    open_library: OpenLibrary, album: Path
) -> None:
    colours = ["red", "green", "blue", "yellow", "white", "black"] * 2
    for number, colour in enumerate(colours):
        make_photo(album / f"{number}.jpg", colour)
    stop = threading.Event()
    stopping = FakeCaptioner(batch_size=1, before=stop.set)
    first = open_library(stopping)
    report = first.index(album, stop=stop)
    assert 1 <= report.captioned < len(colours)
    assert first.status().jobs == {
        "queued": len(colours) - report.captioned, "retrying": 0, "running": 0, "failed": 0, "ignored": 0,
    }  # fmt: skip
    assert len(first.search("square", limit=None)) == report.captioned
    second = FakeCaptioner()
    assert open_library(second).index(album).captioned == len(colours) - report.captioned
    assert Counter(stopping.captions + second.captions) == Counter(f"a {colour} square" for colour in colours)
    assert len(first.search("square", limit=None)) == len(colours)


@pytest.mark.sqlite
def test_a_crash_between_store_and_full_text_loses_no_word(
    open_library: OpenLibrary, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        make_photo(album / f"{number}.jpg")
    library = open_library()

    class Crash(Exception):
        pass

    def crash(*_: Any) -> None:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(FullText, "update", crash)
        with pytest.raises(Crash):
            library.index(album)
    assert library.status().waiting_for_index == 3
    idle = FakeCaptioner()
    again = open_library(idle)
    assert again.search("red") == []
    assert again.work_off().done == 0
    assert len(again.search("red")) == 3
    assert again.status().waiting_for_index == 0
    assert idle.captions == []


def test_a_change_while_the_full_text_commits_is_indexed_too(
    library: Library, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_photo(album / "before.jpg")
    real = FullText.update

    def update(self: FullText, documents: Sequence[Any], removed: Sequence[int] = ()) -> None:
        monkeypatch.setattr(FullText, "update", real)
        real(self, documents, removed)
        with library._database.write() as connection:
            files.move(connection, album / "before.jpg", album / "zebra.jpg")

    monkeypatch.setattr(FullText, "update", update)
    library.index(album)
    assert names(library.search("zebra")) == ["zebra.jpg"]
    assert library.search("before") == []
    assert library.status().waiting_for_index == 0


def test_a_captioner_that_raises_gives_its_photos_back(open_library: OpenLibrary, album: Path) -> None:
    make_photo(album / "a.jpg")

    def out_of_memory() -> None:
        raise MemoryError

    with pytest.raises(MemoryError):
        open_library(FakeCaptioner(before=out_of_memory)).index(album)
    library = open_library()
    assert library.status().jobs["queued"] == 1
    assert library.index(album).captioned == 1


def test_captioning_again_replaces_the_captions_of_the_model_before(open_library: OpenLibrary, album: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        make_photo(album / name)
    shutil.copy(album / "a.jpg", album / "copy.jpg")
    open_library().index(album)
    newer = FakeCaptioner("fake-2", shape="tile")
    library = open_library(newer)
    assert library.index(album).captioned == 0
    assert library.recaption().captioned == 2
    assert names(library.search("tile")) == ["a.jpg", "b.jpg"]
    assert library.recaption().captioned == 0
    photo = library.show(album / "copy.jpg")
    assert photo is not None
    assert [earlier.text for earlier in photo.history] == ["a red square"]


def test_content_that_was_captioned_since_is_not_captioned_again_for_another_file(
    open_library: OpenLibrary, album: Path
) -> None:
    shutil.copy(make_photo(album / "a.jpg"), album / "b.jpg")
    open_library().index(album)
    newer = FakeCaptioner("fake-2", shape="tile")
    library = open_library(newer)

    def queue(name: str) -> None:
        with library._database.write() as connection:
            found = files.photo_at(connection, album / name)
            assert found is not None
            jobs.enqueue(connection, [found[0]], datetime.now(timezone.utc), kind=jobs.AGAIN)

    # As by a `reindex` that was killed and the next one, which chose the other file.
    queue("a.jpg")
    queue("b.jpg")
    with library._database.write() as connection:
        held = jobs.claim(connection, "another machine:1:x", 1, datetime.now(timezone.utc))
    assert library.work_off().captioned == 1
    with library._database.write() as connection:
        jobs.release(connection, held, datetime.now(timezone.utc))
    tally = library.work_off()
    assert (tally.captioned, tally.recognised) == (0, 1)
    assert library.status().jobs["queued"] == 0
    queue("a.jpg")  # asked for since that caption
    assert library.work_off().captioned == 1
    assert newer.captions == ["a red tile"] * 2


KILLED = """
import sys
from pathlib import Path

from photoindex.config import Settings
from photoindex.library import Library
from tests.support import FakeCaptioner

given = 0


def before():
    global given
    given += 1
    print(given, flush=True)
    if given == 4:
        sys.stdin.read()  # never comes: the parent kills us here, with a photo at hand


captioner = FakeCaptioner(batch_size=1, before=before)
Library(Settings(Path(sys.argv[1]), settle_seconds=0.0), lambda _: captioner).index(sys.argv[2])
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.sqlite
def test_a_process_killed_in_the_middle_loses_nothing(open_library: OpenLibrary, data_dir: Path, album: Path) -> None:
    colours = ["red", "green", "blue", "yellow", "white", "black"]
    for number in range(12):
        make_photo(album / f"{number:02}.jpg", colours[number % 6])
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(data_dir), str(album)],
        cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(4)] == ["1\n", "2\n", "3\n", "4\n"]
        process.kill()
    captioner = FakeCaptioner()
    library = open_library(captioner)
    status = library.status()
    assert status.captioned == 3  # what was stored before is stored
    assert status.jobs["running"] + status.jobs["queued"] == 9
    stored = {path for path in album.iterdir() if library.show(path) is not None}
    assert len(stored) == 3

    assert library.index(album).captioned == 9
    assert len(captioner.captions) == 9
    for number, path in enumerate(sorted(album.iterdir())):
        photo = library.show(path)
        assert photo is not None
        assert photo.caption is not None
        assert photo.caption.text == f"a {colours[number % 6]} square"
        assert photo.history == ()
    for colour in colours:
        assert len(library.search(colour)) == 2
    assert library.status().jobs["running"] == 0


POISONED = """
import os
import signal
import sys
from pathlib import Path

from photoindex.config import Settings
from photoindex.library import Library
from tests.support import FakeCaptioner


class Poisoned(FakeCaptioner):
    def caption(self, photos):
        if any(photo.mean() < 50 for photo in photos):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().caption(photos)


with Library(Settings(Path(sys.argv[1]), settle_seconds=0.0, decode_workers=1), lambda _: Poisoned()) as library:
    library.index(sys.argv[2])
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.sqlite
def test_a_photo_that_kills_every_process_costs_no_other_photo(library: Library, data_dir: Path, album: Path) -> None:
    for number in range(6):
        make_photo(album / f"{number}.jpg", "black" if number == 2 else "green")
    runs = 0
    code = -signal.SIGKILL
    while code == -signal.SIGKILL and runs <= jobs.MAX_INTERRUPTIONS:
        runs += 1
        arguments = [sys.executable, "-c", POISONED, str(data_dir), str(album)]
        code = subprocess.run(arguments, cwd=REPOSITORY, check=False).returncode
    assert code == 0
    assert [(failure.path.name, failure.kind) for failure in library.failures()] == [("2.jpg", "interrupted")]
    assert names(library.search("green")) == ["0.jpg", "1.jpg", "3.jpg", "4.jpg", "5.jpg"]


def test_the_queue_is_worked_off_without_looking_at_the_folders(library: Library, album: Path) -> None:
    for name in ("queued.jpg", "new.jpg"):
        make_photo(album / name)
    add_files(library._database, album, "queued.jpg")
    assert library.work_off().captioned == 1
    assert names(library.search("red")) == ["queued.jpg"]
