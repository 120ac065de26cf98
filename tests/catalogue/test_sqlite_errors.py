"""Database errors in words, by SQLite's codes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from photoindex.catalogue.database import Database
from photoindex.catalogue.sqlite_database import SqliteAsker
from photoindex.catalogue.sqlite_errors import code_of, explained
from photoindex.errors import CatalogueDamaged, CatalogueError, CatalogueReplaced, CatalogueUnavailable
from photoindex.indexing.retry import PASSING

MESSAGES = {5: "database is locked", 8: "attempt to write a readonly database", 10: "disk I/O error",
            11: "database disk image is malformed", 13: "database or disk is full", 14: "unable to open database file",
            26: "file is not a database", 7: "out of memory", 15: "locking protocol"}  # fmt: skip


class Coded(sqlite3.OperationalError):
    """An error as the driver raises it."""

    def __init__(self, message: str, code: int | None) -> None:
        super().__init__(message)
        if code is not None:
            self.sqlite_errorcode = code


@pytest.mark.parametrize("with_code", [True, False], ids=["with a code", "as Python 3.10 has it"])
@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (5, CatalogueUnavailable, "locked"),
        (7, CatalogueUnavailable, "out of memory"),
        (8, CatalogueUnavailable, "permissions"),
        (10, CatalogueUnavailable, "check its disk"),
        (11, CatalogueDamaged, "damaged"),
        (13, CatalogueUnavailable, "is full"),
        (14, CatalogueUnavailable, "permissions"),
        (15, CatalogueUnavailable, "locked"),
        (26, CatalogueDamaged, "damaged"),
    ],
)
def test_each_code_has_its_words(
    tmp_path: Path, code: int, kind: type[CatalogueError], words: str, with_code: bool
) -> None:
    error = explained(tmp_path / "c", Coded(MESSAGES[code], code if with_code else None))
    assert type(error) is kind
    assert words in str(error)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (266, CatalogueUnavailable),  # IOERR_READ
        (3082, CatalogueUnavailable),  # IOERR_NOMEM
        (8458, CatalogueDamaged),  # IOERR_CORRUPTFS
        (267, CatalogueDamaged),  # CORRUPT_VTAB
        (517, CatalogueUnavailable),  # BUSY_SNAPSHOT
        (1032, CatalogueReplaced),  # READONLY_DBMOVED
        (1550, CatalogueUnavailable),  # CANTOPEN_DIRTYWAL
    ],
)
def test_extended_codes_are_of_their_kind(tmp_path: Path, code: int, kind: type[CatalogueError]) -> None:
    assert type(explained(tmp_path / "c", Coded("whatever", code))) is kind


@pytest.mark.parametrize(
    "statement",
    [
        "select fullness from photo",
        "select * from locked",
        "select 'disk I/O error', malformed from photo",
        "insert into photo (content_hash) values ('database or disk is full')",
        "selekt 'readonly'",
        'update photo set "unable to open" = 1',
        "select not_a_database()",
    ],
)
def test_a_fault_of_ours_is_no_full_disk_and_does_not_pass(database: Database, statement: str) -> None:
    for way in (_by_sqlalchemy, _by_the_driver):
        with pytest.raises(CatalogueError, match="report this as a bug") as caught:
            way(database, statement)
        assert not isinstance(caught.value, PASSING)
        assert not isinstance(caught.value, CatalogueDamaged)
        assert len(str(caught.value).splitlines()) == 1


def _by_sqlalchemy(database: Database, statement: str) -> None:
    with database.write() as connection:
        connection.execute(text(statement))


def _by_the_driver(database: Database, statement: str) -> None:
    with database.ask() as asker:
        assert isinstance(asker, SqliteAsker)
        asker.connection.execute(statement)


@pytest.mark.parametrize("make", [lambda p: p.write_bytes(b"x" * 5000), lambda p: p.mkdir()], ids=["bytes", "a folder"])
def test_the_driver_gives_the_codes(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "c")
    with pytest.raises(sqlite3.DatabaseError) as caught, closing(sqlite3.connect(tmp_path / "c")) as connection:
        connection.execute("select * from sqlite_master")
    assert code_of(caught.value) in (14, 26)
