"""Data folders with names that mean something in a database URL, a pattern or a shell: the file is where they say."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

from photoindex.catalogue.backup_files import backups
from photoindex.catalogue.backups import DailyBackup, restore_backup
from photoindex.catalogue.migration import HEAD
from photoindex.catalogue.opening import open_database, open_database_as_is
from photoindex.catalogue.sqlite import connect_untouched
from photoindex.config import Settings
from photoindex.library import Library
from tests.support import REPOSITORY, FakeCaptioner, add_files, add_photo, make_photo, migrate, names

NAMES = [
    "a?b", "a%20b", "a b", "a#b", "a&mode=ro", "?mode=memory", "file:a", ":memory:", "100%", "a;b", "[ab]*", "a'b",
    'a"b', "%00", "%2e%2e", "été", "e\u0301te\u0301", "日本", "~", "$HOME", "-x", "a=b", "\u202egnp", "a\nb",
]  # fmt: skip
if sys.platform == "linux":
    NAMES += ["caf\udce9", "\udcff\udcfe"]  # bytes that are no text
pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows allows few of these names")


@pytest.fixture(params=NAMES, ids=ascii)
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    name: str = request.param
    return tmp_path / "here" / name


def test_the_catalogue_is_made_read_backed_up_and_restored_there(folder: Path, album: Path) -> None:
    path = folder / "catalogue.sqlite3"
    with closing(open_database(path)) as database:
        add_files(database, album, "a.jpg")
        add_photo(database, album / "a.jpg")
        made = DailyBackup(database, 1.0, pytest.fail).make_when_due()
        assert made is not None
        assert backups(path) == [made]
        with closing(open_database_as_is(path)) as reading, reading.ask() as asker, reading.read():
            assert asker.ask("select count(*) from photo") == [(1,)]
        with closing(connect_untouched(made)) as backup:
            assert backup.execute("select count(*) from photo").fetchall() == [(1,)]
    # Nothing came to lie elsewhere.
    assert os.listdir(folder.parent) == [folder.name]
    path.write_bytes(b"nonsense" * 1000)
    assert restore_backup(path).backup == made
    with closing(open_database(path)) as database, database.read() as connection:
        assert connection.exec_driver_sql("select count(*) from photo").scalar() == 1
    assert os.listdir(folder.parent) == [folder.name]


def test_an_older_catalogue_is_upgraded_there(folder: Path) -> None:
    folder.mkdir(parents=True)
    migrate(folder / "catalogue.sqlite3", "0009")
    with closing(open_database(folder / "catalogue.sqlite3")) as database:
        assert database.revision() == HEAD
    assert len(backups(folder / "catalogue.sqlite3")) == 1
    assert os.listdir(folder.parent) == [folder.name]


@pytest.mark.parametrize("name", ["a?b", "a%20b #c", "été"])
def test_alembic_by_hand_takes_the_name_as_it_is(tmp_path: Path, name: str) -> None:
    path = tmp_path / "here" / name
    path.parent.mkdir()
    config = Config(cmd_opts=None)
    config.set_main_option("script_location", str(REPOSITORY / "migrations"))
    config.cmd_opts = type("Options", (), {"x": [f"catalogue={path}"]})()
    command.upgrade(config, "head")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("select version_num from alembic_version").fetchone() == (HEAD,)
    assert os.listdir(path.parent) == [name]


@pytest.mark.parametrize(
    "name", ["a?b#c", "a%20b é", *(["caf\udce9 %3f"] if sys.platform == "linux" else [])], ids=ascii
)
def test_a_whole_library_lives_there(tmp_path: Path, album: Path, name: str) -> None:
    make_photo(album / "a.jpg")
    settings = Settings(tmp_path / "here" / name, settle_seconds=0.0)
    open_it: Callable[[], Library] = lambda: Library(settings, lambda _: FakeCaptioner())  # noqa: E731
    with open_it() as library:
        assert library.index(album).captioned == 1
    with open_it() as library:
        assert names(library.search("red")) == ["a.jpg"]
        assert library.status().photos == 1
    assert len(backups(settings.catalogue_path)) == 1
    assert os.listdir(tmp_path / "here") == [name]
    shutil.rmtree(tmp_path / "here")
