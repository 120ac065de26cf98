"""The daily backup: made when it is due, whole or not at all, and never in the way."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
from filelock import FileLock

from photoindex.catalogue import files
from photoindex.catalogue.backups import LOOK_SECONDS, DailyBackup, restore_backup
from photoindex.catalogue.database import BACKUPS_KEPT, BEFORE_UPGRADE, DAILY, Database, backups
from photoindex.library import Library
from tests.support import add_files, add_photo, make_photo, names

OpenLibrary = Callable[..., Library]
DAY = 86_400


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def notices() -> list[str]:
    return []


@pytest.fixture
def daily(database: Database, album: Path, notices: list[str]) -> Callable[[], Path | None]:
    """Looks whether a backup of a catalogue with a photo is due; each time by another process."""
    add_files(database, album, "a.jpg")
    add_photo(database, album / "a.jpg")
    return lambda: DailyBackup(database, 1.0, notices.append).make_when_due()


def age(backup: Path | None, days: float) -> Path:
    """Have a backup been made so many days ago."""
    assert backup is not None
    made = backup.stat().st_mtime - days * DAY
    os.utime(backup, (made, made))
    return backup.rename(backup.with_name(f"{backup.stem}-{days}{backup.suffix}"))  # two may come in one second


def photos_in(backup: Path) -> int:
    with closing(sqlite3.connect(f"{backup.as_uri()}?immutable=1", uri=True)) as connection:
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
        return int(connection.execute("select count(*) from photo").fetchone()[0])


def test_the_first_is_made_as_soon_as_there_is_a_photo(database: Database, album: Path, notices: list[str]) -> None:
    assert DailyBackup(database, 1.0, notices.append).make_when_due() is None
    add_files(database, album, "a.jpg")
    assert DailyBackup(database, 1.0, notices.append).make_when_due() is None
    add_photo(database, album / "a.jpg")
    made = DailyBackup(database, 1.0, notices.append).make_when_due()
    assert made is not None
    assert photos_in(made) == 1
    assert backups(database.path) == [made]
    assert notices == []
    # Nothing is left beside it.
    assert {path.name for path in made.parent.glob(f"*{DAILY}*")} - {"backup.lock"} == {made.name}


def test_the_next_is_made_a_day_later_if_something_changed(
    daily: Callable[[], Path | None], database: Database, album: Path
) -> None:
    first = daily()
    add_files(database, album, "b.jpg")
    assert daily() is None  # not due
    first = age(first, 1.01)
    assert daily() is not None
    with database.write() as connection:
        # What a watcher says of itself is no change.
        [root] = files.list_roots(connection)
        files.note_watcher(connection, root.id, "host:1:x", watches=1, settling=0, last_event_at=None)
    for backup in backups(database.path):
        age(backup, 2)
    before = sorted(database.path.parent.iterdir())
    assert daily() is None
    assert sorted(database.path.parent.iterdir()) == before  # looking into a backup leaves nothing beside it
    with database.write() as connection:
        files.move(connection, album / "a.jpg", album / "renamed.jpg")
    assert daily() is not None


def test_the_latest_are_kept_and_those_of_upgrades_besides(
    daily: Callable[[], Path | None], database: Database, album: Path
) -> None:
    upgrade = database.path.with_name(f"catalogue-{BEFORE_UPGRADE}-from-0001-20240501T000000Z.sqlite3")
    database.backup(upgrade)
    os.utime(upgrade, (0, 0))
    for number in range(BACKUPS_KEPT + 2):
        for days, backup in enumerate(backups(database.path, DAILY)):
            age(backup, 2 + days)
        add_files(database, album, f"{number}.jpg")
        assert daily() is not None
    kept = backups(database.path)
    assert len(kept) == BACKUPS_KEPT + 1
    assert kept[-1] == upgrade


def test_none_is_made_when_that_is_asked_or_when_it_was_looked_for_within_the_hour(
    daily: Callable[[], Path | None], database: Database, notices: list[str]
) -> None:
    assert DailyBackup(database, 0.0, notices.append).make_when_due() is None
    seconds = 0.0
    backup = DailyBackup(database, 1.0, notices.append, lambda: seconds)
    made = backup.make_when_due()
    assert made is not None
    made.unlink()
    assert backup.make_when_due() is None
    seconds = LOOK_SECONDS
    assert backup.make_when_due() is not None


def test_a_disk_without_room_is_one_line_and_no_backup(
    daily: Callable[[], Path | None], database: Database, notices: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9 - 10**6, 10**6))
    assert daily() is None
    [notice] = notices
    assert "nearly full" in notice
    assert len(notice.splitlines()) == 1
    assert backups(database.path) == []


def test_a_backup_that_fails_leaves_nothing_and_ends_nothing(
    daily: Callable[[], Path | None], database: Database, notices: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        assert daily() is None
    [notice] = notices
    assert "Input/output error" in notice
    assert list(database.path.parent.glob(f"*-{DAILY}-*")) == []
    assert daily() is not None


def test_what_a_killed_process_left_is_taken_away_and_who_makes_one_now_is_not_disturbed(
    daily: Callable[[], Path | None], database: Database
) -> None:
    left = database.path.with_name(f"catalogue-{DAILY}-20240501T000000Z.part")
    left.write_bytes(b"half of it")
    with FileLock(database.path.with_name("backup.lock")):
        assert daily() is None
        assert left.exists()
    assert daily() is not None
    assert not left.exists()


def test_a_damaged_catalogue_is_replaced_by_it(daily: Callable[[], Path | None], database: Database) -> None:
    made = daily()
    database.close()
    for end in ("-wal", "-shm"):
        Path(f"{database.path}{end}").unlink(missing_ok=True)
    database.path.write_bytes(b"nothing that anybody could read" * 1000)
    assert restore_backup(database.path).backup == made
    assert photos_in(database.path) == 1


def test_an_index_makes_one_and_so_does_a_restored_library_find_its_photos(
    open_library: OpenLibrary, album: Path
) -> None:
    make_photo(album / "a.jpg")
    library = open_library(backup_days=1.0)
    library.index(album)
    [backup] = backups(library.settings.catalogue_path)
    library.close()
    shutil.copy(backup, library.settings.catalogue_path)
    for end in ("-wal", "-shm"):
        Path(f"{library.settings.catalogue_path}{end}").unlink(missing_ok=True)
    assert names(open_library().search("red")) == ["a.jpg"]
