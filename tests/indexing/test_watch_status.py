"""The notes of a watcher in the catalogue: when they are written, and what they say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from photoindex.catalogue import jobs
from photoindex.catalogue.database import Database
from photoindex.catalogue.roots import WatchNote, ensure_root, list_roots, note_watcher, watch_notes
from photoindex.errors import CatalogueUnavailable
from photoindex.folders import FolderObserver, PhotoFilter, Settler
from photoindex.indexing.watch_status import HEARTBEAT_SECONDS, LOOK_SECONDS, WatchReporter
from tests.support import Limits, make_photo


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def settler(clock: Clock) -> Settler:
    return Settler(2.0, clock)


@pytest.fixture
def reporter(database: Database, album: Path, settler: Settler, clock: Clock) -> Iterator[WatchReporter]:
    """Of a watcher of ``album`` and of the folder ``inside`` it, which have a root each."""
    inside = album / "inside"
    inside.mkdir()
    with database.write() as connection:
        ensure_root(connection, inside)
        ensure_root(connection, album)
    observer = FolderObserver([album, inside], PhotoFilter(), lambda _: None, limits=Limits(100, 100))
    observer.start()
    yield WatchReporter(database, observer, settler, [album, inside], clock)
    observer.stop()


def notes(database: Database) -> dict[str, WatchNote]:
    with database.read() as connection:
        found = watch_notes(connection)
        return {root.path.name: found[root.id] for root in list_roots(connection)}


def count_writes(database: Database, monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """A list that gets longer with each write transaction."""
    writes: list[None] = []
    real = database.write

    @contextmanager
    def write() -> Iterator[Any]:
        writes.append(None)
        with real() as connection:
            yield connection

    monkeypatch.setattr(database, "write", write)
    return writes


def test_the_first_note_says_who_watches_and_with_how_many_watches(database: Database, reporter: WatchReporter) -> None:
    reporter.write_when_due()
    note = notes(database)["album"]
    assert note.watcher == jobs.owner_name()
    assert note.seen_at is not None
    assert datetime.now(timezone.utc) - note.seen_at < timedelta(minutes=1)
    assert (note.watches, note.settling, note.last_event_at, note.reason) == (2, 0, None, None)
    assert notes(database)["inside"].watches == 0  # its watches are those of the folder around it


def test_an_event_is_that_of_the_deepest_folder_it_happened_in(
    database: Database, reporter: WatchReporter, album: Path
) -> None:
    reporter.note_event(album / "inside" / "a.jpg")
    reporter.note_event(album.parent / "elsewhere.jpg")
    reporter.write_when_due()
    found = notes(database)
    assert found["inside"].last_event_at is not None
    assert found["album"].last_event_at is None


def test_files_that_settle_are_counted_in_each_folder_above_them(
    database: Database, reporter: WatchReporter, settler: Settler, album: Path
) -> None:
    settler.touch(make_photo(album / "inside" / "a.jpg"))
    settler.touch(make_photo(album / "b.jpg"))
    reporter.write_when_due()
    assert (notes(database)["inside"].settling, notes(database)["album"].settling) == (1, 2)


def test_a_storm_of_events_is_written_now_and_then(
    database: Database, reporter: WatchReporter, clock: Clock, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = count_writes(database, monkeypatch)
    for _ in range(100):
        clock.now += LOOK_SECONDS / 50
        reporter.note_event(album / "a.jpg")
        reporter.write_when_due()
    assert len(writes) == 2


def test_without_a_change_only_a_sign_of_life_is_written(
    database: Database, reporter: WatchReporter, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = count_writes(database, monkeypatch)
    reporter.write_when_due()
    clock.now += HEARTBEAT_SECONDS - 1
    reporter.write_when_due()
    assert len(writes) == 1
    clock.now += LOOK_SECONDS
    reporter.write_when_due()
    assert len(writes) == 2


def test_it_says_when_it_will_have_something_to_write(reporter: WatchReporter, clock: Clock, album: Path) -> None:
    assert reporter.due_in() == 0
    reporter.write_when_due()
    clock.now += 4
    assert reporter.due_in() == HEARTBEAT_SECONDS - 4
    reporter.note_event(album / "a.jpg")
    assert reporter.due_in() == LOOK_SECONDS - 4
    clock.now += LOOK_SECONDS
    assert reporter.due_in() == 0
    reporter.write_when_due()
    assert reporter.due_in() == HEARTBEAT_SECONDS


def test_a_watcher_that_ends_says_so_and_the_last_event_stays_known(
    database: Database, reporter: WatchReporter, album: Path
) -> None:
    reporter.note_event(album / "a.jpg")
    reporter.write_when_due()
    before = notes(database)["album"]
    reporter.close()
    after = notes(database)["album"]
    assert (after.watcher, after.watches, after.settling) == (None, None, None)
    assert after.last_event_at == before.last_event_at


def test_another_watchers_notes_are_left_to_it(database: Database, reporter: WatchReporter) -> None:
    reporter.write_when_due()
    with database.write() as connection:
        for root in list_roots(connection):
            note_watcher(connection, root.id, "other:1:x", watches=5, settling=0, last_event_at=None)
    reporter.close()
    assert notes(database)["album"].watcher == "other:1:x"


def test_a_catalogue_that_cannot_be_written_costs_the_note_and_the_next_one_is_written(
    database: Database, reporter: WatchReporter, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> Any:
        raise CatalogueUnavailable("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(database, "write", refuse)
        reporter.write_when_due()
        reporter.close()
    assert notes(database)["album"].watcher is None
    clock.now += LOOK_SECONDS
    reporter.write_when_due()
    assert notes(database)["album"].watcher == jobs.owner_name()
