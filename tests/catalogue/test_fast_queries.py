"""What a search asks of the catalogue says the same as the queries that know everything of a photo."""

from __future__ import annotations

import tracemalloc
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import insert, update

from photoindex.catalogue import files, metadata, photos
from photoindex.catalogue.database import Database
from photoindex.catalogue.fast_queries import find_photos, known_states, sidecar_states
from photoindex.catalogue.raw_sql import ask, each, listed
from photoindex.catalogue.schema import caption, photo, term
from photoindex.errors import CatalogueError
from photoindex.types import FileStat, PhotoFacts, Place, ScannedFile, Term, Written
from tests.support import NOW, add_files, add_photo, mark_missing, run_thread

ON_BOTH = True

FACTS = PhotoFacts(
    "JPEG", 48, 32, 6, datetime(2023, 6, 7, 8, 9, 10, 123456), "Öko 1", "50mm", 38.7, -9.14, 12.5, "exif", 60, 4,
    Place("Lisboa", "Alfama", "", "Portugal", "PT", ""),
)  # fmt: skip


@pytest.fixture
def ids(database: Database, album: Path) -> list[int]:
    """a.jpg, never decoded, with tags; b.jpg with its copy, facts and labels; c.jpg, which is gone; d.jpg, whose
    caption is the user's; e.jpg, whose caption was the model's and is locked, with a sidecar's and the user's since."""

    add_files(database, album, "a.jpg", "b.jpg", "copies/b.jpg", "c.jpg", "d.jpg", "e.jpg")
    found = [add_photo(database, album / f"{name}.jpg", f"photo {name}") for name in "abcde"]
    with database.write() as connection:
        copy = files.photo_at(connection, album / "copies/b.jpg")
        assert copy is not None
        stat = files.known_files(connection, album)[album / "b.jpg"]
        files.link_photos(connection, [files.Link(copy[0], found[1], stat)])
        metadata.save_facts(connection, {found[1]: FACTS})
        connection.execute(update(photo).where(photo.c.id == found[0]).values(format=None))
        written = Written(title="Tea", keywords=("cup", "pot"), people=("Ada",))
        metadata.save_written(connection, {found[0]: written})
        labels = [{"photo_id": found[1], "text": text, "weight": w, "source": "label"}
                  for text, w in (("low", 0.25), ("high", 0.75))]  # fmt: skip
        connection.execute(insert(term), labels)
        mine = {"photo_id": found[3], "text": "mine", "source": "user", "rank": 0, "current": True, "created_at": NOW}
        connection.execute(insert(caption).values(mine))
        connection.execute(insert(caption).values(mine | {"text": "before", "current": False}))
        connection.execute(update(caption).where(caption.c.photo_id == found[4]).values(locked=True, current=False))
        theirs = {"photo_id": found[4], "rank": 0, "current": True, "created_at": NOW}
        connection.execute(insert(caption).values(theirs | {"text": "of the sidecar", "source": "sidecar"}))
        connection.execute(insert(caption).values(theirs | {"text": "of the user", "source": "user"}))
        mark_missing(connection, [album / "c.jpg"])
    return found


@pytest.mark.parametrize("way", ["ask", "read"])
def test_rows_come_one_by_one_as_they_come_all_together(database: Database, ids: list[int], way: str) -> None:
    sql = "select id, text from caption where photo_id != :other order by id"
    with getattr(database, way)() as transaction:
        together = ask(transaction, sql, other=ids[1])
        one_by_one = each(transaction, sql, other=ids[1])
        assert not isinstance(one_by_one, list)
        assert list(one_by_one) == together
        assert len(together) > 2
        assert {type(row) for row in together} == {tuple}


def test_the_states_of_files_are_read_without_holding_the_rows_as_well(database: Database, album: Path) -> None:
    add_files(database, album, *(f"{number}.jpg" for number in range(2_000)))
    with database.ask() as asker:
        known_states(asker, album)
        tracemalloc.start()
        try:
            known = known_states(asker, album)
            kept, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert len(known) == 2_000
    assert most < 1.2 * kept, (most, kept)


def test_it_finds_what_a_hit_shows(database: Database, album: Path, ids: list[int]) -> None:
    with database.ask() as asker:
        found = find_photos(asker, ids)
    assert set(found) == {ids[0], ids[1], ids[3], ids[4]}
    b = found[ids[1]]
    assert (b.caption, b.source, b.facts) == ("photo b", "model", FACTS)
    assert b.paths == [album / "b.jpg", album / "copies/b.jpg"]
    assert b.terms == [Term("high", 0.75, "label"), Term("low", 0.25, "label")]
    assert (found[ids[3]].caption, found[ids[3]].source) == ("mine", "user")
    assert (found[ids[4]].caption, found[ids[4]].source) == ("photo e", "model")
    assert found[ids[0]].facts is None
    words = [("cup", "keyword"), ("pot", "keyword"), ("Ada", "person"), ("Tea", "title")]
    assert [(each.text, each.source) for each in found[ids[0]].terms] == words


def test_it_agrees_with_the_queries_of_photos(database: Database, ids: list[int]) -> None:
    with database.read() as connection:
        known = photos.load_photos(connection, ids, files.paths_of(connection, ids))
        found = find_photos(connection, ids)  # a transaction of SQLAlchemy's does as well
    with database.ask() as asker:
        assert find_photos(asker, ids) == found
    shown = {p.id: p for p in known if p.caption is not None and p.paths}
    assert set(found) == set(shown)
    for photo_id, quick in found.items():
        whole = shown[photo_id]
        assert whole.caption is not None
        shown_caption = (whole.caption.text, whole.caption.source, whole.caption.locked)
        assert (quick.caption, quick.source, quick.locked) == shown_caption
        assert (tuple(quick.paths), tuple(quick.terms), quick.facts) == (whole.paths, whole.terms, whole.facts)


def test_a_name_that_is_no_text_comes_back(database: Database, album: Path, ids: list[int]) -> None:
    with database.write() as connection:
        files.record_files(connection, [])
        files.move(connection, album / "a.jpg", album / "a\udcff.jpg")
    with database.ask() as asker:
        assert find_photos(asker, ids[:1])[ids[0]].paths == [album / "a\udcff.jpg"]


def test_more_photos_than_one_statement_takes(database: Database, ids: list[int]) -> None:
    with database.ask() as asker:
        assert set(find_photos(asker, [*range(10_000, 11_200), *ids])) == {ids[0], ids[1], ids[3], ids[4]}
        assert find_photos(asker, []) == {}


def test_a_transaction_sees_one_state(database: Database, ids: list[int]) -> None:
    with database.ask() as asker:
        before = find_photos(asker, ids)
        with database.write() as connection:
            connection.execute(update(caption).values(text="another"))
        assert find_photos(asker, ids) == before
    with database.ask() as asker:
        assert {each.caption for each in find_photos(asker, ids).values()} == {"another"}


def test_threads_take_turns(database: Database, ids: list[int]) -> None:
    answers: list[set[int]] = []

    def work() -> None:
        for _ in range(50):
            with database.ask() as asker:
                answers.append(set(find_photos(asker, ids)))

    threads = [run_thread(work) for _ in range(4)]
    for thread in threads:
        thread.join()
    assert answers == [{ids[0], ids[1], ids[3], ids[4]}] * 200


@pytest.mark.sqlite
def test_an_error_is_the_catalogues(database: Database) -> None:
    with pytest.raises(CatalogueError, match="no such table"), database.ask() as asker:
        ask(asker, "select * from missing")
    with database.ask() as asker:  # and the next transaction begins again
        assert ask(asker, "select :one + :two", one=1, two=2) == [(3,)]


def test_ids_are_numbers() -> None:
    assert listed([1, 2]) == "1, 2"
    with pytest.raises(ValueError, match="invalid literal"):
        listed(["1) or (1"])  # type: ignore[list-item]


def test_known_states_are_those_of_known_files(database: Database, album: Path, tmp_path: Path) -> None:
    (album / "inner").mkdir()
    other = tmp_path / "album 2"  # its name begins with the other's
    other.mkdir()
    add_files(database, other, "a.jpg")
    add_files(database, album / "inner", "b.jpg", "sub/c.jpg")
    add_files(database, album, "a.jpg", "bad\udcff.jpg", "sub/x.jpg", "sub0.jpg", "sub.jpg", "gone.jpg")
    with database.write() as connection:
        big = files.known_files(connection, album)[album / "a.jpg"]
        files.record_files(connection, [ScannedFile(album / "a.jpg", FileStat(7, 8, 2**64 - 1))])
        assert big != FileStat(7, 8, 2**64 - 1)
        for name in ("a.jpg", "sub/x.jpg", "gone.jpg"):
            files.note_sidecars(connection, {album / name: f"{name}.xmp:1:2"})
        mark_missing(connection, [album / "gone.jpg"])
    for below in (album, other, tmp_path, album / "sub", album / "inner", album / "a.jpg", album / "none", Path("/")):
        with database.read() as connection:
            expected = files.known_files(connection, below)
            found = known_states(connection, below)
        with database.ask() as asker:
            assert known_states(asker, below) == found
        assert {Path(path): FileStat(*state) for path, state in found.items()} == expected, below
    with database.ask() as asker:
        assert len(known_states(asker, Path("/"))) == 8
        with_sidecars = {str(album / name): f"{name}.xmp:1:2" for name in ("a.jpg", "sub/x.jpg")}
        assert sidecar_states(asker, album) == with_sidecars
        assert set(sidecar_states(asker, album / "sub")) == {str(album / "sub/x.jpg")}
        assert sidecar_states(asker, other) == {}
