"""The doctor, of a catalogue in PostgreSQL."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from photoindex.catalogue.opening import open_database
from photoindex.config import Settings
from photoindex.errors import CatalogueError
from photoindex.library import Library
from photoindex.library.doctor import Machine, examine, restore
from photoindex.system.inotify_limits import InotifyLimits
from photoindex.types import Finding
from tests import postgres
from tests.support import FakeCaptioner, make_photo


def findings(settings: Settings) -> dict[str, Finding]:
    found = list(examine(settings, machine=Machine(InotifyLimits(), lambda _: "ext4")))
    assert all(each.level == "ok" or each.advice for each in found), found
    return {each.name: each for each in found}


def test_a_whole_catalogue_is_told_with_its_queue_and_folders(postgres_url: str, data_dir: Path, album: Path) -> None:
    settings = Settings(data_dir, catalogue=postgres_url, settle_seconds=0.0)
    make_photo(album / "a.jpg")
    with Library(settings, lambda _: FakeCaptioner()) as library:
        library.index(album)
        make_photo(album / "b.jpg", "green")
        library.index(album, queue_only=True)
    found = findings(settings)
    assert found["catalogue"].level == found["full text"].level == found["queue"].level == "ok"
    assert "no faults" in found["catalogue"].message
    assert "pg_dump" in found["catalogue"].message
    assert found["queue"].message == "1 waiting, 0 at work"
    assert found[f"folder {album}"].level == "ok"


def test_what_is_wrong_with_it_is_a_finding(
    postgres_server: postgres.Server, postgres_url: str, data_dir: Path
) -> None:
    settings = Settings(data_dir, catalogue=postgres_url)
    with closing(open_database(postgres_url)) as database, database.write() as connection:
        connection.exec_driver_sql("drop trigger feed_photo_added on photo")
    assert findings(settings)["catalogue"].level == "problem"
    gone = findings(Settings(data_dir, catalogue=postgres_server.url("nowhere")))
    assert "nowhere" in gone["catalogue"].message
    assert "queue" not in gone
    empty = postgres_server.create()
    assert findings(Settings(data_dir, catalogue=empty))["catalogue"].advice == (
        "photoindex catalogue upgrade makes its tables"
    )
    postgres_server.drop(empty)


def test_nothing_here_restores_it(postgres_url: str, data_dir: Path) -> None:
    with pytest.raises(CatalogueError, match="pg_restore"):
        restore(Settings(data_dir, catalogue=postgres_url))
