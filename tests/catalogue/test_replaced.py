"""A catalogue that is deleted, moved or replaced while it is open: noticed, told in one line, and nothing goes on."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from photoindex.catalogue.backups import DailyBackup
from photoindex.catalogue.database import Database
from photoindex.catalogue.editor import Edit
from photoindex.catalogue.fast_queries import note_reconciled
from photoindex.catalogue.opening import open_database, open_database_as_is
from photoindex.catalogue.roots import ensure_root
from photoindex.catalogue.sqlite_database import SqliteDatabase
from photoindex.errors import CatalogueOutdated, CatalogueReplaced
from photoindex.library import Library
from tests.support import REPOSITORY, FakeCaptioner, add_files, add_photo, make_photo, mark_missing

OpenLibrary = Callable[..., Library]


def unlink(path: Path) -> None:
    path.unlink()


def unlink_all(path: Path) -> None:
    for end in ("", "-wal", "-shm"):
        Path(f"{path}{end}").unlink(missing_ok=True)


def move_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("moved"))


def delete_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


def replace_by_copy(path: Path) -> None:
    shutil.copyfile(path, path.with_suffix(".copy"))
    os.replace(path.with_suffix(".copy"), path)


def replace_by_new(path: Path) -> None:
    path.unlink()
    path.touch()


def delete_log(path: Path) -> None:
    Path(f"{path}-wal").unlink()


def replace_log(path: Path) -> None:
    log = Path(f"{path}-wal")
    shutil.copyfile(log, f"{path}-new")
    os.replace(f"{path}-new", log)


WAYS = [unlink, unlink_all, move_folder, delete_folder, replace_by_copy, replace_by_new, delete_log, replace_log]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows lets nobody remove a file that is open")


@pytest.fixture
def filled(database: Database, album: Path) -> Database:
    add_files(database, album, "a.jpg")
    add_photo(database, album / "a.jpg")
    return database


@pytest.mark.parametrize("way", WAYS)
def test_each_kind_of_transaction_notices(filled: SqliteDatabase, album: Path, way: Callable[[Path], None]) -> None:
    way(filled.path)
    with pytest.raises(CatalogueReplaced) as caught, filled.write() as connection:
        ensure_root(connection, album)
    assert str(filled.path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    with pytest.raises(CatalogueReplaced), filled.read():
        pass
    with pytest.raises(CatalogueReplaced), filled.ask():
        pass


@pytest.mark.parametrize("way", [unlink, delete_folder, replace_by_copy, replace_by_new])
def test_a_write_that_was_under_way_says_that_it_is_lost(
    filled: SqliteDatabase, album: Path, way: Callable[[Path], None]
) -> None:
    with pytest.raises(CatalogueReplaced), filled.write() as connection:
        mark_missing(connection, [album / "a.jpg"])
        way(filled.path)


@pytest.mark.parametrize("way", [unlink, move_folder, delete_folder, replace_by_copy, replace_by_new])
def test_a_catalogue_that_is_only_read_is_noticed_too(filled: SqliteDatabase, way: Callable[[Path], None]) -> None:
    with closing(open_database_as_is(filled.path)) as reading:
        with reading.ask() as asker:
            assert asker.ask("select count(*) from photo") == [(1,)]
        way(filled.path)
        with pytest.raises(CatalogueReplaced), reading.ask():
            pass
        with pytest.raises(CatalogueReplaced), reading.read():
            pass


@pytest.mark.parametrize("way", [unlink, replace_by_new])
def test_no_backup_is_made_of_what_is_there_instead(filled: SqliteDatabase, way: Callable[[Path], None]) -> None:
    folder = filled.path.parent
    way(filled.path)
    with pytest.raises(CatalogueReplaced):
        DailyBackup(filled, 1.0, lambda _: None).make_when_due()
    assert list(folder.glob("*backup-*")) == []
    assert filled.path.exists() == (way is replace_by_new)  # nothing is made again


@pytest.mark.parametrize("way", [unlink, delete_folder, replace_by_new])
def test_a_watch_ends(open_library: OpenLibrary, album: Path, way: Callable[[Path], None]) -> None:
    make_photo(album / "a.jpg")
    library = open_library()
    stop = threading.Event()

    def ready(_: object) -> None:
        way(library.settings.catalogue_path)
        make_photo(album / "b.jpg", "blue")

    with pytest.raises(CatalogueReplaced):
        library.watch(album, stop=stop, ready=ready)
    assert stop.is_set()


@pytest.mark.parametrize("way", [unlink, replace_by_copy])
def test_an_index_that_loses_its_catalogue_says_so(
    open_library: OpenLibrary, album: Path, data_dir: Path, way: Callable[[Path], None]
) -> None:
    make_photo(album / "a.jpg")
    library = open_library(FakeCaptioner(before=lambda: way(data_dir / "catalogue.sqlite3")))
    with pytest.raises(CatalogueReplaced):
        library.index(album)


def test_what_is_in_place_is_let_alone(filled: SqliteDatabase, album: Path) -> None:
    """Checkpoints, other processes that come and go, and a touch are no replacement."""
    for number in range(3):
        with closing(open_database(filled.path)) as other:
            add_files(other, album, f"{number}.jpg")
        with filled.ask() as asker:
            asker.ask("select count(*) from photo")
        os.utime(filled.path)
        add_files(filled, album, f"x{number}.jpg")
    filled.check_in_place()


def upgraded(path: Path, *also: str) -> None:
    """Let another, newer photoindex have upgraded a catalogue."""
    with closing(sqlite3.connect(path)) as connection:
        for statement in also:
            connection.execute(statement)
        connection.execute("update alembic_version set version_num = '9999'")
        connection.commit()


def test_nothing_is_written_to_a_catalogue_that_was_upgraded_while_it_is_open(library: Library, album: Path) -> None:
    path = library.settings.data_dir / "catalogue.sqlite3"
    photo = make_photo(album / "a.jpg")
    library.index(album)
    upgraded(path)
    make_photo(album / "b.jpg")
    for what in (
        lambda: library.index(album),
        lambda: library.editor().apply([1], Edit(caption="mine")),
        lambda: library.forget(album),
        lambda: library.database.change(note_reconciled, 1),
        library.recaption,
    ):
        with pytest.raises(CatalogueOutdated, match="was upgraded to version 9999 meanwhile"):
            what()
    assert [hit.path for hit in library.search("red")] == [photo]  # what can be read is read
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("select count(*) from file").fetchone() == (1,)


def test_what_is_not_there_since_an_upgrade_says_so(library: Library, album: Path) -> None:
    make_photo(album / "a.jpg")
    library.index(album)
    upgraded(library.settings.data_dir / "catalogue.sqlite3", "alter table photo rename column width to across")
    for what in (library.stats, lambda: library.show(album / "a.jpg"), lambda: library.search("red")):
        with pytest.raises(CatalogueOutdated, match="was upgraded to version 9999 meanwhile"):
            what()


def test_a_watch_of_the_version_before_ends_in_a_line(library: Library, album: Path) -> None:
    make_photo(album / "a.jpg")
    library.index(album)
    library.close()
    data_dir = library.settings.data_dir
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "photoindex", "--data-dir", data_dir, "--set", "settle_seconds=0", "watch", album],
        cwd=REPOSITORY, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        assert any("Ctrl-C stops" in line for line in process.stderr)
        upgraded(data_dir / "catalogue.sqlite3")
        make_photo(album / "b.jpg")
        _, said = process.communicate(timeout=120)
    assert process.returncode == 1
    assert said.count("\n") == 1
    assert "was upgraded to version 9999 meanwhile" in said
