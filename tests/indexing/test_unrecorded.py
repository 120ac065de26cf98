"""Files that events reported and the catalogue does not have."""

from __future__ import annotations

from pathlib import Path

import pytest

from photoindex.catalogue.database import Database
from photoindex.catalogue.roots import list_roots
from photoindex.indexing.unrecorded import UnrecordedFiles
from tests.support import add_files


@pytest.fixture
def unrecorded(database: Database, album: Path) -> UnrecordedFiles:
    """An album with two known files, three that were reported, and one that was and belongs to no root."""
    add_files(database, album, "known.jpg", "trip/known.jpg")
    made = UnrecordedFiles()
    for name in ("known.jpg", "a.jpg", "trip/b.jpg", "trip/c.jpg", "a.jpg"):
        made.note_written(album / name)
    made.note_written(album.with_name("elsewhere") / "d.jpg")
    return made


def count(unrecorded: UnrecordedFiles, database: Database) -> int:
    with database.read() as connection:
        unrecorded.sort(connection)
        [root] = list_roots(connection)
    return unrecorded.count(root.id)


@pytest.mark.parametrize("sorted_before", [False, True])
@pytest.mark.parametrize(
    ("action", "left"),
    [
        ("nothing", 3),
        ("recorded", 2),
        ("removed", 2),
        ("removed folder", 1),
        ("removed like", 3),
        ("moved", 3),
        ("moved onto known", 2),
        ("moved out", 2),
        ("moved unknown", 3),
        ("moved folder", 3),
        ("moved folder out", 1),
        ("moved folder like", 3),
        ("moved in", 4),
    ],
)
def test_files_are_followed(
    unrecorded: UnrecordedFiles, database: Database, album: Path, action: str, left: int, *, sorted_before: bool
) -> None:
    if sorted_before:
        assert count(unrecorded, database) == 3
    if action == "recorded":
        unrecorded.note_recorded([album / "a.jpg"])
    elif action == "removed":
        unrecorded.take([album / "a.jpg"])
    elif action == "removed folder":
        unrecorded.take([album / "trip"], [album / "trip"])
    elif action == "removed like":
        unrecorded.take([album / "tri"], [album / "tri"])
    elif action == "moved":
        unrecorded.note_moved(album / "trip/b.jpg", album / "voyage/b.jpg")
    elif action == "moved out":
        unrecorded.note_moved(album / "trip/b.jpg", album.with_name("elsewhere") / "b.jpg")
    elif action == "moved unknown":
        unrecorded.note_moved(album / "never.jpg", album / "seen.jpg")
    elif action == "moved folder":
        unrecorded.note_moved_below(album / "trip", album / "voyage")
    elif action == "moved onto known":
        unrecorded.note_moved(album / "a.jpg", album / "known.jpg")
    elif action == "moved folder like":
        unrecorded.note_moved_below(album / "tri", album.with_name("tri"))
    elif action == "moved folder out":
        unrecorded.note_moved_below(album / "trip", album.with_name("trip"))
    elif action == "moved in":
        unrecorded.note_written(album / "e.jpg")
    assert count(unrecorded, database) == left
