"""The daily backup: made when it is due, whole or not at all, and never in the way."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from filelock import FileLock
from sqlalchemy import Connection

from photoindex.catalogue import files, metadata, user_metadata
from photoindex.catalogue.backup_files import BACKUPS_KEPT, BEFORE_UPGRADE, DAILY, backups, newest_whole
from photoindex.catalogue.backups import LOOK_SECONDS, DailyBackup, restore_backup
from photoindex.catalogue.database import Database
from photoindex.catalogue.opening import open_database
from photoindex.catalogue.roots import list_roots, note_watcher
from photoindex.catalogue.sqlite_database import SqliteDatabase
from photoindex.errors import CatalogueDamaged, CatalogueError
from photoindex.library import Library
from photoindex.types import PhotoFacts, Written
from tests.support import add_files, add_photo, downgrade, make_photo, names

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


def test_the_first_is_made_as_soon_as_there_is_a_photo(
    database: SqliteDatabase, album: Path, notices: list[str]
) -> None:
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
    daily: Callable[[], Path | None], database: SqliteDatabase, album: Path
) -> None:
    first = daily()
    add_files(database, album, "b.jpg")
    assert daily() is None  # not due
    first = age(first, 1.01)
    assert daily() is not None
    with database.write() as connection:
        # What a watcher says of itself is no change.
        [root] = list_roots(connection)
        note_watcher(connection, root.id, "host:1:x", watches=1, settling=0, last_event_at=None)
    for backup in backups(database.path):
        age(backup, 2)
    before = sorted(database.path.parent.iterdir())
    assert daily() is None
    assert sorted(database.path.parent.iterdir()) == before  # looking into a backup leaves nothing beside it
    with database.write() as connection:
        files.move(connection, album / "a.jpg", album / "renamed.jpg")
    assert daily() is not None


def test_the_latest_are_kept_and_those_of_upgrades_besides(
    daily: Callable[[], Path | None], database: SqliteDatabase, album: Path
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
    daily: Callable[[], Path | None], database: SqliteDatabase, notices: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9 - 10**6, 10**6))
    assert daily() is None
    [notice] = notices
    assert "nearly full" in notice
    assert len(notice.splitlines()) == 1
    assert backups(database.path) == []


def test_a_backup_that_fails_leaves_nothing_and_ends_nothing(
    daily: Callable[[], Path | None], database: SqliteDatabase, notices: list[str], monkeypatch: pytest.MonkeyPatch
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
    daily: Callable[[], Path | None], database: SqliteDatabase
) -> None:
    left = database.path.with_name(f"catalogue-{DAILY}-20240501T000000Z.part")
    left.write_bytes(b"half of it")
    with FileLock(database.path.with_name("backup.lock")):
        assert daily() is None
        assert left.exists()
    assert daily() is not None
    assert not left.exists()


def test_a_damaged_catalogue_is_replaced_by_it(daily: Callable[[], Path | None], database: SqliteDatabase) -> None:
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


def damage(database: SqliteDatabase, table: str = "caption") -> None:
    """Write nonsense over the page where a table begins, as a failing disk does."""
    with closing(sqlite3.connect(database.path)) as connection:
        connection.execute("pragma wal_checkpoint(truncate)")
        [page] = connection.execute("select rootpage from sqlite_master where name = ?", (table,)).fetchone()
        [size] = connection.execute("pragma page_size").fetchone()
    with database.path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xa5" * size)


@pytest.mark.parametrize("table", ["caption", "term", "ix_caption_photo_id", "correction"])
def test_a_damaged_catalogue_replaces_no_backup_and_says_so(
    daily: Callable[[], Path | None], database: SqliteDatabase, album: Path, notices: list[str], table: str
) -> None:
    whole = age(daily(), 1.01)
    damage(database, table)
    for number in range(BACKUPS_KEPT + 1):  # a photo is added on each of some days
        add_files(database, album, f"{number}.jpg")
        assert daily() is None
        age(whole, 1.5)
        [whole] = backups(database.path)
    assert photos_in(whole) == 1
    assert len(notices) == BACKUPS_KEPT + 1  # each time by another process
    assert "is damaged" in notices[0]
    assert "photoindex doctor" in notices[0]
    assert {len(line.splitlines()) for line in notices} == {1}
    assert list(database.path.parent.glob("*.part")) == []
    database.close()
    assert restore_backup(database.path).backup == whole


def test_rows_that_belong_to_nothing_are_no_whole_backup(
    daily: Callable[[], Path | None], database: SqliteDatabase, notices: list[str]
) -> None:
    with closing(sqlite3.connect(database.path)) as connection:
        connection.execute("update caption set photo_id = 77")
        connection.commit()
    assert daily() is None
    assert "belongs to a row of photo that is gone" in notices[0]


def test_a_damaged_catalogue_is_not_upgraded(database: SqliteDatabase, daily: Callable[[], Path | None]) -> None:
    whole = daily()
    downgrade(database, "0009")
    damage(database)
    database.close()
    with pytest.raises(CatalogueDamaged, match="photoindex doctor") as caught:
        open_database(database.path)
    assert len(str(caught.value).splitlines()) == 1
    assert backups(database.path) == [whole]


@pytest.mark.parametrize("nonsense", [b"", b"half of it", b"SQLite format 3\0" + bytes(5000)])
def test_only_a_whole_backup_is_named_and_put_back(
    daily: Callable[[], Path | None], database: SqliteDatabase, nonsense: bytes
) -> None:
    whole = age(daily(), 1)
    newer = database.path.with_name(f"catalogue-{DAILY}-20990501T000000Z.sqlite3")
    newer.write_bytes(nonsense)
    assert newest_whole(database.path) == whole
    whole.unlink()
    assert newest_whole(database.path) is None
    database.close()
    database.path.write_bytes(b"nonsense" * 1000)
    with pytest.raises(CatalogueError, match="no whole backup"):
        restore_backup(database.path)


def test_the_newest_backup_of_a_catalogue_that_was_lost_is_kept(
    daily: Callable[[], Path | None], database: SqliteDatabase, album: Path
) -> None:
    """A new one began in its place, and is backed up every day."""
    lost = age(daily(), 30)
    database.close()
    for end in ("", "-wal", "-shm"):
        Path(f"{database.path}{end}").unlink(missing_ok=True)
    with closing(open_database(database.path)) as new:
        for number in range(BACKUPS_KEPT + 2):
            add_files(new, album, f"{number}.jpg")
            for each, backup in enumerate(backups(database.path)[:-1]):
                age(backup, 2 + each)
            assert DailyBackup(new, 1.0, pytest.fail).make_when_due() is not None
    assert backups(database.path)[-1] == lost
    assert len(backups(database.path)) == BACKUPS_KEPT + 1


@pytest.mark.parametrize("ahead_days", [1, 400, 20_000])
def test_backups_by_a_clock_that_was_ahead_push_no_other_out(
    daily: Callable[[], Path | None], database: SqliteDatabase, album: Path, ahead_days: int
) -> None:
    for number in range(BACKUPS_KEPT):
        made = daily()
        assert made is not None
        age(made, -ahead_days - number)
        add_files(database, album, f"{number}.jpg")
    made = daily()
    assert made is not None
    assert made.exists()
    assert backups(database.path)[0] == made
    assert daily() is None  # it counts as the newest, and is not a day old


@pytest.mark.parametrize(
    "change",
    [
        lambda c: metadata.save_written(c, {1: Written(keywords=("tea",))}),
        lambda c: metadata.save_facts(c, {1: PhotoFacts("JPEG", 48, 32, rating=5)}),
        lambda c: metadata.save_facts(c, {1: PhotoFacts("JPEG", 48, 32, taken_at=datetime(2020, 1, 2))}),
        lambda c: user_metadata.put_locks(c, {1: user_metadata.Locked("model", "a red square")}),
    ],
    ids=["keywords", "rating", "date", "lock"],
)
def test_a_change_that_adds_no_row_is_backed_up(
    daily: Callable[[], Path | None], database: Database, change: Callable[[Connection], None]
) -> None:
    age(daily(), 1.01)
    assert daily() is None
    with database.write() as connection:
        change(connection)
    assert daily() is not None
