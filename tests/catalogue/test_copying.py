"""A catalogue copied from SQLite to PostgreSQL and back has the same rows, and finds the same photos."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import update

from photoindex.catalogue.change_feed import version
from photoindex.catalogue.copying import copy_catalogue, differences
from photoindex.catalogue.database import Database
from photoindex.catalogue.schema import photo
from photoindex.config import Settings
from photoindex.errors import CatalogueError, ConfigError
from photoindex.library import Edit, Library
from photoindex.library.catalogues import copy_between
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
    with closing(Database.open(back)) as copied:
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


def test_a_copy_is_told_from_what_it_was_copied_from(filled: Library, postgres_url: str, tmp_path: Path) -> None:
    """Else a machine that followed an earlier copy would take this one for a later state of it."""
    copy_between(str(filled.settings.catalogue_path), postgres_url)
    with closing(Database.open(postgres_url)) as copied, copied.ask() as there, filled.database.ask() as here:
        assert version(there).revision == version(here).revision
        assert version(there).identity != version(here).identity


def test_a_difference_is_told(filled: Library, postgres_url: str) -> None:
    copy_between(str(filled.settings.catalogue_path), postgres_url)
    with closing(Database.open(postgres_url)) as other:
        with other.write() as connection:
            connection.execute(update(photo).where(photo.c.id == 2).values(camera="another"))
        assert "photo 2" in differences(filled.database, other)


def test_nothing_is_copied_over_what_is_there(filled: Library, postgres_url: str) -> None:
    copy_between(str(filled.settings.catalogue_path), postgres_url)
    with closing(Database.open(postgres_url)) as full, pytest.raises(CatalogueError, match="not empty"):
        copy_catalogue(filled.database, full)
    with pytest.raises(CatalogueError, match="is there already"):
        copy_between(postgres_url, str(filled.settings.catalogue_path))
    with pytest.raises(ConfigError, match="begins with postgresql"):
        copy_between("mysql://x/y", postgres_url)
