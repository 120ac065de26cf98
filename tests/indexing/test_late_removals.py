"""Removals whose events are handled long after they arrived, all in one go, as on a slow machine or after SIGSTOP.

The album has 20 photos that were read, and the loss of few is doubted. Nothing is timed: events carry the times when
they arrived.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

import pytest

from photoindex.catalogue.status import RootStatus
from photoindex.folders import IGNORE_FILE
from photoindex.indexing.removal_history import BURST_SECONDS
from photoindex.indexing.watcher import Watcher
from photoindex.library import Library
from photoindex.types import FileEvent
from tests.support import add_files, add_photo, make_photo

ON_BOTH = True

OpenLibrary = Callable[..., Library]
Event = tuple[float, Literal["written", "removed"], Path]  # when it arrived (seconds), and what it says


@pytest.fixture
def library(open_library: OpenLibrary) -> Library:
    return open_library(suspend_photos=4)


def fill(folder: Path, count: int, first: int = 0) -> list[str]:
    return [make_photo(folder / f"{number}.jpg").name for number in range(first, first + count)]


def root_of(library: Library) -> RootStatus:
    [found] = library.status().roots
    return found


@pytest.fixture
def known(library: Library, album: Path) -> list[Path]:
    paths = [album / f"{number}.jpg" for number in range(20)]
    add_files(library._database, album, *(path.name for path in paths))
    for path in paths:
        add_photo(library._database, path)
        path.touch()
    return paths


@pytest.fixture
def watcher(library: Library, album: Path, known: list[Path]) -> Watcher:
    return Watcher(library._database, library._pipe(), library.settings, [album], threading.Event())


def handle(watcher: Watcher, events: Iterable[Event]) -> None:
    """Let events arrive at their times (seconds), and then handle them all; the disk is as after the last."""
    for arrived, kind, path in events:
        if kind == "removed":
            path.unlink(missing_ok=True)
        watcher._receive(FileEvent(kind, path, arrived=arrived))
    while watcher._events.qsize():  # a drain ends after some seconds
        watcher._drain(0.0)


@pytest.mark.parametrize("seconds", [BURST_SECONDS + 1, 60.0, 3600.0])
def test_photos_that_were_removed_one_by_one_were_removed(
    library: Library, watcher: Watcher, known: list[Path], seconds: float
) -> None:
    handle(watcher, [(place * seconds, "removed", path) for place, path in enumerate(known[:18])])
    assert root_of(library).suspended_photos is None
    assert root_of(library).missing == 18


@pytest.mark.parametrize("every", [1.0, 4.0, 30.0])
@pytest.mark.parametrize("left", [0, 3])
def test_photos_that_come_and_go_and_grow_fewer_over_minutes_were_removed(
    library: Library, watcher: Watcher, album: Path, known: list[Path], every: float, left: int
) -> None:
    """Each that goes is replaced by one that is never read, for long; and at the end they go, slowly."""
    alive = list(known)
    events: list[Event] = []
    clock = 0.0
    for number in range(200):
        clock += every
        alive.append(album / f"new-{number}.jpg")
        events += [(clock, "written", alive[-1]), (clock + every / 2, "removed", alive.pop(0))]
    while len(alive) > left:
        clock += 20 * every
        events.append((clock, "removed", alive.pop(0)))
    handle(watcher, events)
    assert root_of(library).suspended_photos is None
    assert (root_of(library).present, root_of(library).missing) == (0, 20)


@pytest.mark.parametrize("churn", [0, 100, 200])  # that take less than the longest burst, and more
@pytest.mark.parametrize("every", [0.0, 0.5])
def test_photos_that_vanish_at_once_are_kept_whatever_went_before(
    library: Library, watcher: Watcher, album: Path, known: list[Path], churn: int, every: float
) -> None:
    """``every`` 0: the process was stopped, and all events arrived when it went on."""
    events: list[Event] = []
    for number in range(churn):
        path = album / f"new-{number}.jpg"
        events += [(number * every, "written", path), (number * every, "removed", path)]
    events += [(churn * every + place * every / 10, "removed", path) for place, path in enumerate(known[:15])]
    handle(watcher, events)
    assert root_of(library).suspended_photos == 15
    assert root_of(library).missing == 0


@pytest.mark.parametrize("busy", [0, 30, 60])
def test_a_suspension_in_a_busy_folder_keeps_no_more_than_were_lost_and_ends_when_they_are_replaced(
    library: Library, watcher: Watcher, album: Path, known: list[Path], busy: int
) -> None:
    judge, clock = watcher._indexer.missing, 0.0

    def come_and_go(first: int) -> None:
        nonlocal clock
        for number in range(first, first + busy):
            path = album / f"busy-{number}.jpg"
            add_files(library._database, album, path.name)
            add_photo(library._database, path)
            clock += 0.5
            judge.after_removals([path], clock)

    come_and_go(0)
    for path in known[:15]:
        path.unlink()
        clock += 0.1
        judge.after_removals([path], clock)
    most = 15 + (busy > 0)  # one of the busy ones was there as well
    assert root_of(library).suspended_photos == most
    come_and_go(1000)
    assert root_of(library).suspended_photos == most
    assert root_of(library).present == 5 + most
    assert root_of(library).missing == 2 * busy + 15 - most
    for path in known[15:]:
        make_photo(path)  # those that were only touched would be failures
    fill(album, 15, first=100)
    library.index(album)
    assert root_of(library).suspended_photos is None
    assert {hit.path for hit in library.search("red", limit=None)} == set(album.iterdir())


@pytest.mark.parametrize("photos", [1, 3])
def test_a_loss_that_comparisons_of_parts_find_piece_by_piece_is_a_loss(
    library: Library, album: Path, photos: int
) -> None:
    """As when folders were renamed and emptied while the events waited."""
    folders = [album / f"folder-{number}" for number in range(6)]
    for folder in folders:
        fill(folder, photos)
    library.index(album)
    watcher = Watcher(library._database, library._pipe(), library.settings, [album], threading.Event())
    for folder in folders:
        for path in folder.iterdir():
            path.unlink()
        watcher._receive(FileEvent("written", folder, is_directory=True))
    watcher._drain(0.0)
    assert root_of(library).suspended_photos is not None
    assert root_of(library).missing == 0


def test_an_overflow_counts_with_the_removals_before_it(
    library: Library, watcher: Watcher, album: Path, known: list[Path]
) -> None:
    for path in known[:16]:
        path.unlink()
    for path in known[:8]:  # no more than half of them
        watcher._receive(FileEvent("removed", path))
    watcher._receive(FileEvent("overflow", album))
    watcher._drain(0.0)
    assert root_of(library).suspended_photos == 16
    assert root_of(library).missing == 0


def test_removals_of_photos_that_a_comparison_has_kept_are_not_believed(
    library: Library, watcher: Watcher, album: Path, known: list[Path]
) -> None:
    watcher._receive(FileEvent("overflow", album))
    handle(watcher, [(place * 10.0, "removed", path) for place, path in enumerate(known)])
    assert root_of(library).suspended_photos == 20
    assert root_of(library).missing == 0


def test_a_photo_that_is_back_after_the_user_gave_it_up_can_be_removed(
    library: Library, open_library: OpenLibrary, watcher: Watcher, album: Path, known: list[Path]
) -> None:
    """Another process gives the photos up while the watch goes on."""
    handle(watcher, [(place / 10, "removed", path) for place, path in enumerate(known)])
    assert root_of(library).suspended_photos == 20
    assert open_library(suspend_photos=4).index(album, accept_missing=True).missing == 20
    make_photo(known[0])
    library.index(album)
    assert (root_of(library).present, root_of(library).suspended_photos) == (1, None)
    handle(watcher, [(3600.0, "removed", known[0])])
    assert (root_of(library).present, root_of(library).suspended_photos) == (0, None)


@pytest.mark.parametrize("kind", ["copies", "rules"])
def test_photos_with_copies_or_left_out_by_a_rule_are_no_loss_of_the_others(
    library: Library, album: Path, kind: str
) -> None:
    fill(album, 6)
    fill(album / "b", 14, first=100)
    library.index(album)
    if kind == "copies":
        shutil.copytree(album / "b", album.with_name("copies"))
        library.index(album.with_name("copies"))
    watcher = Watcher(library._database, library._pipe(), library.settings, [album], threading.Event())
    gone = sorted((album / "b").iterdir())
    if kind == "copies":
        handle(watcher, [(place / 10, "removed", path) for place, path in enumerate(gone)])
    else:
        (album / IGNORE_FILE).write_text("b/\n")
        watcher._comparer.compare(album)
    handle(watcher, [(2.0, "removed", album / "0.jpg"), (2.1, "removed", album / "1.jpg")])
    assert {root.suspended_photos for root in library.status().roots} == {None}
    assert {root.path: root.missing for root in library.status().roots}[album] == 16


def test_files_of_a_folder_inside_do_not_hide_a_loss(library: Library, album: Path) -> None:
    inner = album / "inner"
    names_ = fill(album, 6)
    fill(inner, 20, first=100)
    library.index(inner)
    library.index(album)
    for name in names_:
        (album / name).unlink()
    assert library._pipe().missing.after_removals([album / name for name in names_]) == 6
