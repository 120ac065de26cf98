"""Transactions that do not grow by the row: however many files they are about, they are a few statements."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, func, select

from photoindex.catalogue import files, metadata, photos, raw_pairs
from photoindex.catalogue.chunks import CHUNK
from photoindex.catalogue.database import Database
from photoindex.catalogue.editor import Edit, Editor, new_edit
from photoindex.catalogue.schema import file, photo
from photoindex.indexing.metadata_refresh import mark_photos_of
from photoindex.types import Candidate, FileStat, PhotoFacts, Prediction, Written
from tests.support import add_files, add_photo, mark_missing

MANY = 1200
FACTS = PhotoFacts("JPEG", 48, 32)


@pytest.fixture
def many(database: Database, album: Path) -> list[int]:
    """So many captioned photos in the folder ``in``; returns their ids."""
    names = [f"in/{number:05}.jpg" for number in range(MANY)]
    file_ids = add_files(database, album, *names)
    with database.write() as connection:
        ids = photos.save_photos(connection, [photos.Content(name, 100, FACTS) for name in names])
        links = [
            files.Link(file_id, number, FileStat(100, 1, 1)) for file_id, number in zip(file_ids, ids, strict=True)
        ]
        files.link_photos(connection, links)
    return ids


@contextmanager
def counted(database: Database) -> Iterator[list[int]]:
    """The statements of each transaction that follows, as the driver is asked for them."""
    counts: list[int] = []

    def begin(_: object) -> None:
        counts.append(0)

    def execute(*_: object) -> None:
        if counts:
            counts[-1] += 1

    event.listen(database.engine, "begin", begin)
    event.listen(database.engine, "before_cursor_execute", execute)
    yield counts
    event.remove(database.engine, "begin", begin)
    event.remove(database.engine, "before_cursor_execute", execute)


def stale(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(select(func.count()).where(photo.c.metadata_stale != 0)).scalar_one()


def names_in(count: int) -> list[str]:
    return [f"{number:05}.jpg" for number in range(count)]


WAYS: dict[str, Callable[[Connection, Path, list[int]], object]] = {
    "marking sidecars": lambda c, a, ids: metadata.mark_paths(c, [a / "in" / name for name in names_in(MANY)]),
    "moving the folder": lambda c, a, ids: files.move(c, a / "in", a / "out"),
    "moving it over another": lambda c, a, ids: files.move(c, a / "in", a / "busy"),
    "removing the folder": lambda c, a, ids: mark_missing(c, [a / "in"]),
    "removing the files": lambda c, a, ids: mark_missing(c, [a / "in" / name for name in names_in(MANY)]),
    "bringing them back": lambda c, a, ids: files.restore_files(c, list(range(1, MANY + 1))),
    "storing facts": lambda c, a, ids: metadata.save_facts(c, {i: PhotoFacts("JPEG", 1, 1, rating=3) for i in ids}),
    "storing words": lambda c, a, ids: metadata.save_written(c, {i: Written("t", "c", ("k",)) for i in ids}),
    "noting sidecars": lambda c, a, ids: files.note_sidecars(c, {a / "in" / name: "x:1:2" for name in names_in(MANY)}),
    "clearing marks": lambda c, a, ids: metadata.clear_stale(c, [(i, 1) for i in ids]),
    "storing captions": lambda c, a, ids: photos.save_predictions(
        c, {i: Prediction((Candidate("x", -1.0, -1.0),)) for i in ids}, 1, "none"
    ),
    "looking them up": lambda c, a, ids: files.photos_at(c, [a / "in" / name for name in names_in(MANY)]),
}  # fmt: skip


@pytest.mark.parametrize("what", WAYS)
def test_statements_come_in_chunks(database: Database, album: Path, many: list[int], what: str) -> None:
    add_files(database, album, "busy/00001.jpg", "busy/x.jpg")
    add_photo(database, album / "busy/00001.jpg", content_hash="busy")
    with database.write() as connection:
        connection.exec_driver_sql("insert into model values (9, 'm', 'm', 'm', '2024-01-01', null, null)")
    with counted(database) as counts, database.write() as connection:
        WAYS[what](connection, album, many)
    assert max(counts) <= 20 + 12 * (MANY / CHUNK)


def test_a_moved_folder_is_where_it_went(database: Database, album: Path, many: list[int]) -> None:
    add_files(database, album, "busy/00001.jpg", "busy/x.jpg")
    over = add_photo(database, album / "busy/00001.jpg", content_hash="busy")
    with database.write() as connection:
        before = files.photos_at(connection, [album / "in" / name for name in names_in(MANY)])
        assert files.move(connection, album / "in", album / "busy") == MANY
        after = files.photos_at(connection, [album / "busy" / name for name in names_in(MANY)])
        assert {path.name: ids for path, ids in before.items()} == {path.name: ids for path, ids in after.items()}
        assert files.paths_of(connection, [over])[over] == ([], [])  # it was overwritten
        assert len(files.known_files(connection, album)) == MANY + 1


@pytest.mark.parametrize(("source", "destination"), [("in", "in/in"), ("in/in", "in"), ("in", "in")])
def test_folders_that_lie_in_each_other_lose_no_file(
    database: Database, album: Path, source: str, destination: str
) -> None:
    """As events that come late may say."""
    add_files(database, album, "in/a.jpg", "in/in/a.jpg", "in/in/in/a.jpg")
    with database.write() as connection:
        files.move(connection, album / source, album / destination)
        left = connection.execute(select(func.count()).select_from(file)).scalar_one()
        assert left == {"in/in": 3, "in": 2 if source == "in/in" else 3}[destination]


def test_many_sidecars_are_marked_in_steps(database: Database, album: Path, many: list[int]) -> None:
    with database.write() as connection:
        connection.execute(photo.update().values(metadata_stale=0))
    with counted(database) as counts:
        mark_photos_of(database, [album / "in" / f"{name}.xmp" for name in names_in(MANY)])
    assert stale(database) == MANY
    assert len(counts) >= MANY / metadata.STEP  # several transactions, each of which is short
    assert max(counts) <= 20 + 4 * (metadata.STEP / CHUNK)


@pytest.mark.skipif(os.name == "nt", reason="paths are written otherwise")
def test_removals_of_files_folders_and_strangers_at_once(database: Database, album: Path, many: list[int]) -> None:
    add_files(database, album, "deep/er/a.jpg", "deep/er/b.jpg", "stays.jpg")
    gone = [album / "deep", album / "in", *(album / f"never/{number}.jpg" for number in range(100))]
    with database.write() as connection:
        assert mark_missing(connection, gone) == MANY + 2
        assert set(files.known_files(connection, album)) == {album / "stays.jpg"}


EDITS = {
    "a caption": Edit("mine"),
    "tags": Edit(tags=("x", "y")),
    "a lock": Edit(lock=True),
    "all of it": Edit("mine", ("x",), lock=True),
    "nothing left": Edit(clear=True, lock=False),
}


@pytest.mark.parametrize("what", EDITS)
def test_an_edit_of_many_photos_and_its_undoing_are_a_few_statements(
    database: Database, album: Path, many: list[int], what: str
) -> None:
    with database.write() as connection:
        connection.exec_driver_sql("insert into model values (9, 'm', 'm', 'm', '2024-01-01', null, null)")
        photos.save_predictions(connection, {i: Prediction((Candidate("x", -1.0, -1.0),)) for i in many}, 9, "none")
    editor = Editor(database)
    if what == "nothing left":
        editor.apply(many, Edit("before", ("old",), lock=True))
    before = editor.said(many)
    with counted(database) as counts:
        name = new_edit()
        assert editor.apply(many, EDITS[what], name) == MANY
        assert editor.apply(many, EDITS[what]) == 0
        assert len(editor.undo_edit(name)) == MANY
    assert max(counts) <= 30 + 24 * (MANY / CHUNK)
    assert editor.said(many) == before


def test_joining_many_raw_files_is_a_few_statements(database: Database, album: Path) -> None:
    names = [f"in/{number:05}.{suffix}" for number in range(MANY) for suffix in ("jpg", "dng")]
    ids = add_files(database, album, *names)
    with database.write() as connection:  # as if each had come before there were pairs
        connection.execute(file.update().values(main_id=None))
    with counted(database) as counts, database.write() as connection:
        assert raw_pairs.settle(connection, iter(ids)) == set(ids[1::2])
    assert max(counts) <= 20 + 12 * (2 * MANY / CHUNK)
    with database.read() as connection:
        mains = dict(connection.execute(select(file.c.id, file.c.main_id).where(file.c.main_id.is_not(None))).all())
    assert mains == dict(zip(ids[1::2], ids[::2], strict=True))
    with counted(database) as counts, database.write() as connection:
        assert raw_pairs.settle(connection, ids) == set(ids[1::2])
