"""The catalogue in PostgreSQL: what its schema and its errors are to be, on a real server."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from photoindex.catalogue.database import Database
from photoindex.catalogue.migration import HEAD
from photoindex.catalogue.postgres_database import PostgresDatabase
from photoindex.errors import CatalogueError, CatalogueOutdated, CatalogueUnavailable
from tests import postgres
from tests.support import add_files, add_photo


def test_an_empty_database_is_refused_until_it_is_upgraded(postgres_server: postgres.Server) -> None:
    url = postgres_server.create()
    try:
        with pytest.raises(CatalogueOutdated, match="photoindex catalogue upgrade"):
            Database.open(url)
        with closing(PostgresDatabase.open_as_is(url, read_only=False)) as empty:
            assert empty.upgrade()
            assert not empty.upgrade()
        with closing(Database.open(url)) as made:
            assert made.revision() == HEAD
    finally:
        postgres_server.drop(url)


def test_files_and_photos_are_stored_and_counted_as_changes(postgres_url: str, album: Path) -> None:
    with closing(Database.open(postgres_url)) as database:
        before = database.commits()
        add_files(database, album, "a.jpg", "b.jpg")
        photo_id = add_photo(database, album / "a.jpg")
        assert database.commits() != before
        with database.ask() as asker:
            assert asker.ask("select min(revision) > 0, min(text_stale) from photo") == [(True, 0)]
            assert asker.ask("select text from caption where photo_id = :id and rank = 0", id=photo_id) == [
                ("a red square",)
            ]


def test_what_cannot_be_opened_is_one_clear_line(postgres_server: postgres.Server) -> None:
    for url, what in (
        (postgres_server.url("nowhere"), "nowhere"),
        ("postgresql+psycopg://user:secret@/x?host=/nonexistent", "cannot be reached"),
    ):
        with pytest.raises(CatalogueError, match=what) as caught:
            Database.open(url)
        assert "\n" not in str(caught.value)
        assert "secret" not in str(caught.value)


def test_a_session_that_the_server_ended_is_replaced(postgres_server: postgres.Server, postgres_url: str) -> None:
    with closing(Database.open(postgres_url)) as database:
        with pytest.raises(CatalogueUnavailable), database.write() as connection:
            postgres_server.end_sessions()
            connection.exec_driver_sql("select 1")
        with database.write() as connection:
            connection.exec_driver_sql("select 1")
