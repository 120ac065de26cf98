"""A catalogue copied from SQLite to PostgreSQL and back has the same rows, and finds the same photos."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import update

from photoindex.catalogue.change_feed import version
from photoindex.catalogue.copying import copy_catalogue, differences
from photoindex.catalogue.opening import open_database
from photoindex.catalogue.postgres_database import PostgresDatabase
from photoindex.catalogue.schema import photo
from photoindex.config import Settings
from photoindex.errors import CatalogueError, ConfigError
from photoindex.library import Edit, Library
from photoindex.library.catalogues import copy_between
from tests import postgres
from tests.support import FakeCaptioner, make_photo

QUERIES = ("square", "red", "warm", "mine -blue", "name:green")


def answers(data_dir: Path, catalogue: str = "") -> list[list[tuple[str, float]]]:
    settings = Settings(data_dir, catalogue=catalogue, backup_days=0.0)
    with Library(settings, lambda _: FakeCaptioner()) as library:
        return [[(hit.path.name, round(hit.score, 6)) for hit in library.search(query)] for query in QUERIES]


@pytest.fixture
def filled(library: Library, album: Path) -> Library:
    """Photos with captions, learned terms, tags, a history, a failure and a name of bytes that are no text."""
    for colour in ("red", "green", "blue"):
        make_photo(album / f"{colour}.jpg", colour)
    make_photo(album / "odd\udcff\n.jpg", "yellow")
    (album / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    library.index(album)
    editor = library.editor()
    editor.apply(editor.photos_at([album / "red.jpg"]), Edit(caption="mine \U0001f600", tags=("färge",), rating=4))
    library.albums.add("Best", None, editor.photos_at([album / "green.jpg"]))
    return library


def test_every_row_and_every_answer_is_the_same_there_and_back(
    filled: Library, data_dir: Path, tmp_path: Path, postgres_url: str
) -> None:
    before = answers(data_dir)
    there = copy_between(str(filled.settings.catalogue_path), postgres_url)
    assert there["photo"] == 4
    assert there["job"] == 1
    back = tmp_path / "back" / "catalogue.sqlite3"
    assert copy_between(postgres_url, str(back)) == there
    with closing(open_database(back)) as copied:
        assert differences(filled.database, copied) == []
    assert any(before)
    assert answers(tmp_path / "node", postgres_url) == before
    assert answers(back.parent) == before


def test_what_is_stored_after_a_copy_gets_numbers_of_its_own(
    filled: Library, data_dir: Path, album: Path, postgres_url: str
) -> None:
    copy_between(str(filled.settings.catalogue_path), postgres_url)
    make_photo(album / "new.jpg", "black")
    settings = Settings(data_dir / "node", catalogue=postgres_url, settle_seconds=0.0)
    with Library(settings, lambda _: FakeCaptioner()) as library:
        assert library.index(album).captioned == 1
        assert [hit.path.name for hit in library.search("black")] == ["new.jpg"]


def test_a_copy_is_told_from_what_it_was_copied_from(filled: Library, postgres_url: str) -> None:
    """Else a machine that followed an earlier copy would take this one for a later state of it."""
    copy_between(str(filled.settings.catalogue_path), postgres_url)
    with closing(open_database(postgres_url)) as copied, copied.ask() as there, filled.database.ask() as here:
        assert version(there).revision == version(here).revision
        assert version(there).identity != version(here).identity


def test_a_difference_is_told(filled: Library, postgres_url: str) -> None:
    copy_between(str(filled.settings.catalogue_path), postgres_url)
    with closing(open_database(postgres_url)) as other:
        with other.write() as connection:
            connection.execute(update(photo).where(photo.c.id == 2).values(camera="another"))
        assert "photo 2" in differences(filled.database, other)


def test_nothing_is_copied_over_what_is_there(filled: Library, postgres_url: str) -> None:
    copy_between(str(filled.settings.catalogue_path), postgres_url)
    with closing(open_database(postgres_url)) as full, pytest.raises(CatalogueError, match="not empty"):
        copy_catalogue(filled.database, full)
    with pytest.raises(CatalogueError, match="is there already"):
        copy_between(postgres_url, str(filled.settings.catalogue_path))
    for wrong in ("mysql://x/y", ""):
        with pytest.raises(ConfigError, match="begins with postgresql"):
            copy_between(wrong, postgres_url)
        with pytest.raises(ConfigError, match="begins with postgresql"):
            copy_between(str(filled.settings.catalogue_path), wrong)


@pytest.mark.parametrize("content", [b"not a catalogue", b"SQLite format 3\0 and no more"])
def test_a_file_of_another_kind_is_left_as_it_is(filled: Library, tmp_path: Path, content: bytes) -> None:
    there = tmp_path / "notes.txt"
    there.write_bytes(content)
    with pytest.raises(CatalogueError, match="is there already"):
        copy_between(str(filled.settings.catalogue_path), str(there))
    assert there.read_bytes() == content
    with pytest.raises(CatalogueError, match="is there already"):
        copy_between(str(filled.settings.catalogue_path), str(tmp_path))


@pytest.mark.parametrize(
    "row",
    [
        "insert into album (name, name_key, query, created_at) values ('Best', 'best', 'red', '2024-01-01 00:00:00')",
        "insert into removed_photo (photo_id, content_hash, revision) values (1, 'x', 1)",
    ],
)
def test_a_catalogue_without_photos_may_hold_something(filled: Library, tmp_path: Path, row: str) -> None:
    target = tmp_path / "other.sqlite3"
    with closing(open_database(target)) as other, other.write() as connection:
        connection.exec_driver_sql(row)
    with pytest.raises(CatalogueError, match="is there already"):
        copy_between(str(filled.settings.catalogue_path), str(target))
    with closing(open_database(target)) as other, pytest.raises(CatalogueError, match="not empty"):
        copy_catalogue(filled.database, other)


def test_a_copy_that_was_stopped_is_made_again(
    filled: Library, tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(_: object) -> None:
        raise KeyboardInterrupt

    for target in (str(tmp_path / "copy" / "catalogue.sqlite3"), postgres_url):
        with pytest.raises(KeyboardInterrupt):
            copy_between(str(filled.settings.catalogue_path), target, stopped)
        assert copy_between(str(filled.settings.catalogue_path), target)["photo"] == 4


def test_what_cannot_be_copied_makes_nothing(tmp_path: Path, postgres_server: postgres.Server) -> None:
    empty, other = postgres_server.create(), postgres_server.create()
    for source, why in (
        (str(tmp_path / "none.sqlite3"), "there is no catalogue"),
        (empty, "holds no catalogue"),
    ):
        for target in (str(tmp_path / "copy.sqlite3"), other):
            with pytest.raises(CatalogueError, match=why):
                copy_between(source, target)
    assert not (tmp_path / "copy.sqlite3").exists()
    with closing(PostgresDatabase.open_as_is(other)) as untouched:
        assert untouched.revision() is None


def test_an_older_catalogue_is_not_upgraded_by_a_copy_to_it(filled: Library, postgres_server: postgres.Server) -> None:
    """Others work with one on a server, and nothing upgrades it but the command for it."""
    url = postgres_server.create(template=postgres.TEMPLATE)
    with closing(PostgresDatabase.open_as_is(url, read_only=False)) as older, older.write() as connection:
        connection.exec_driver_sql("update alembic_version set version_num = '0017'")
    with pytest.raises(CatalogueError, match=r"is of version 0017, not .* catalogue upgrade"):
        copy_between(str(filled.settings.catalogue_path), url)
    with closing(PostgresDatabase.open_as_is(url)) as older:
        assert older.revision() == "0017"
    postgres_server.drop(url)
