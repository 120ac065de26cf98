"""Every write that matters raises the catalogue's revision and is told to who keeps a copy; what does not, does not."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, insert, update

from photoindex.catalogue import (
    batches,
    change_feed,
    corrections,
    files,
    jobs,
    metadata,
    photos,
    raw_pairs,
    roots,
    user_metadata,
)
from photoindex.catalogue import fingerprints as alike
from photoindex.catalogue.backups import restore_backup
from photoindex.catalogue.change_feed import Version, changes_after, version
from photoindex.catalogue.database import Database
from photoindex.catalogue.opening import open_database
from photoindex.catalogue.schema import caption, job, photo, term
from photoindex.catalogue.sqlite_database import SqliteDatabase
from photoindex.catalogue.user_metadata import Locked, UserMetadata
from photoindex.errors import DamagedPhoto
from photoindex.types import Candidate, FileStat, PhotoFacts, Prediction, TermVocabulary, Written
from tests.support import NOW, add_files, add_photo, downgrade, mark_missing, migrate, scanned

ON_BOTH = True

FACTS = PhotoFacts("JPEG", 48, 32)
LOCAL = NOW.replace(tzinfo=None)
SAID = Prediction((Candidate("new", -1.0, -1.0),))
WORDS = TermVocabulary(("dog", "grass"), 0.1)


@pytest.fixture
def photo_id(database: Database, album: Path) -> int:
    """a.jpg, which has a caption; b.jpg is noted and nothing is known of it."""
    add_files(database, album, "a.jpg", "b.jpg")
    return add_photo(database, album / "a.jpg", vocabulary=WORDS, impacts={"dog": 9})


Change = Callable[[Connection, int, Path], object]

MATTERS: dict[str, Change] = {
    "keywords of a sidecar": lambda c, i, a: metadata.save_written(c, {i: Written(keywords=("tea",))}),
    "a sidecar's caption": lambda c, i, a: metadata.save_written(c, {i: Written(caption="Tea")}),
    "people": lambda c, i, a: metadata.save_written(c, {i: Written(people=("Ada",))}),
    "a rating": lambda c, i, a: metadata.save_facts(c, {i: PhotoFacts("JPEG", 48, 32, rating=4)}),
    "a date": lambda c, i, a: metadata.save_facts(c, {i: PhotoFacts("JPEG", 48, 32, taken_at=LOCAL)}),
    "a position": lambda c, i, a: metadata.save_facts(c, {i: PhotoFacts("JPEG", 48, 32, latitude=1.0, longitude=2.0)}),
    "a person's caption": lambda c, i, a: user_metadata.put_captions(c, {i: "mine"}, NOW),
    "tags": lambda c, i, a: user_metadata.put_tags(c, {i: ["garden"]}),
    "a lock": lambda c, i, a: user_metadata.put_locks(c, {i: Locked("model", "a red square")}),
    "a correction's note": lambda c, i, a: corrections.note(c, {i: (UserMetadata(), UserMetadata("x"))}, "e", NOW),
    "a new caption": lambda c, i, a: photos.save_predictions(c, {i: SAID}, 1, "none"),
    "a fingerprint": lambda c, i, a: alike.save_fingerprints(c, [(i, bytes(16))]),
    "another content": lambda c, i, a: photos.change_content(c, i, "f" * 64, 7),
    "a file that went": lambda c, i, a: mark_missing(c, [a / "a.jpg"]),
    "a file that moved": lambda c, i, a: files.move(c, a / "a.jpg", a / "z.jpg"),
    "a copy": lambda c, i, a: files.link_photos(c, [files.Link(2, i, FileStat(1, 2, 3))]),
    "a file that holds no photo": lambda c, i, a: files.unlink_photo(c, 1, "another"),
    "sidecars that were read": lambda c, i, a: files.note_sidecars(c, {a / "a.jpg": "a.xmp:1:2"}),
    "a caption by hand in SQL": lambda c, i, a: c.execute(update(caption).values(text="by hand")),
    "a term taken away": lambda c, i, a: (
        c.execute(insert(term).values(photo_id=i, text="x", weight=1.0, source="tag")),
        c.execute(delete(term).where(term.c.text == "x")),
    ),
}  # fmt: skip

RAISES_ONLY: dict[str, Change] = {
    "a new file": lambda c, i, a: files.record_files(c, [scanned(a / "new.jpg")]),
    "a file that changed": lambda c, i, a: files.record_files(c, [scanned(a / "b.jpg", size=9)]),
    "a new root": lambda c, i, a: roots.ensure_root(c, a.parent),
    "a suspended root": lambda c, i, a: roots.note_suspended(c, 1, 50),
    "a failure that is ignored": lambda c, i, a: jobs.ignore_failures(c, [2]),
}

DOES_NOT_MATTER: dict[str, Change] = {
    "a lease": lambda c, i, a: jobs.claim(c, "me:1:x", 10, NOW + timedelta(days=9999)),
    "a queued job": lambda c, i, a: jobs.enqueue(c, [1], NOW),
    "a batch": lambda c, i, a: batches.create(c, "all", [1], model="m", priority="low", now=NOW),
    "a watcher's note": lambda c, i, a: roots.note_watcher(c, 1, "h:1:x", watches=1, settling=0, last_event_at=NOW),
    "a comparison": lambda c, i, a: roots.note_reconciled(c, 1, 7),
    "a mark for the index": lambda c, i, a: photos.mark_text_stale(c, [i]),
    "a mark to be read again": lambda c, i, a: metadata.mark_stale(c, [i]),
    "the same facts again": lambda c, i, a: metadata.save_facts(c, {i: FACTS}),
    "the same sidecars again": lambda c, i, a: files.note_sidecars(c, {a / "a.jpg": ""}),
    "an unchanged file": lambda c, i, a: files.record_files(c, [scanned(a / "a.jpg")]),
    "pairs settled": lambda c, i, a: raw_pairs.settle(c, [1, 2]),
}


def fail_b(database: Database) -> None:
    with database.write() as connection:
        connection.execute(delete(job))
        jobs.enqueue(connection, [2], NOW)
        [claimed] = jobs.claim(connection, "me:1:x", 1, NOW)
        jobs.fail(connection, claimed, DamagedPhoto("damaged"), NOW)


def at(database: Database) -> Version:
    with database.ask() as asker:
        return version(asker)


@pytest.mark.parametrize("what", MATTERS)
def test_a_change_of_a_photo_is_told(database: Database, album: Path, photo_id: int, what: str) -> None:
    before = at(database)
    with database.write() as connection:
        MATTERS[what](connection, photo_id, album)
    assert at(database).revision > before.revision
    with database.ask() as asker:
        changes = changes_after(asker, before)
    assert changes is not None
    assert (changes.photos, changes.removed, changes.version) == ([photo_id], [], at(database))


@pytest.mark.parametrize("what", RAISES_ONLY)
def test_a_change_beside_photos_raises_the_revision(database: Database, album: Path, photo_id: int, what: str) -> None:
    fail_b(database)
    before = at(database)
    with database.write() as connection:
        RAISES_ONLY[what](connection, photo_id, album)
    assert at(database).revision > before.revision


@pytest.mark.parametrize("what", DOES_NOT_MATTER)
def test_what_a_program_notes_for_itself_does_not(database: Database, album: Path, photo_id: int, what: str) -> None:
    fail_b(database)
    before = at(database)
    with database.write() as connection:
        DOES_NOT_MATTER[what](connection, photo_id, album)
    # Where many machines share the catalogue, each has an index, and the feed is the mark for all of them.
    is_told = database.is_shared and what == "a mark for the index"
    assert (at(database) == before) is not is_told


def test_who_keeps_a_copy_goes_on_where_it_was(database: Database, album: Path) -> None:
    names = [f"{number}.jpg" for number in range(7)]
    add_files(database, album, *names)
    ids = [add_photo(database, album / name) for name in names]
    met: list[int] = []
    known: Version | None = None
    while True:
        with database.ask() as asker:
            changes = changes_after(asker, known, limit=3)
        assert changes is not None
        if not changes.photos:
            break
        met, known = met + changes.photos, changes.version
    assert sorted(set(met)) == ids
    assert known == at(database)


def test_photos_of_one_revision_are_not_parted(database: Database, album: Path) -> None:
    names = [f"{number}.jpg" for number in range(6)]
    add_files(database, album, *names)
    ids = [add_photo(database, album / name) for name in names]
    with database.write() as connection:  # as when a file goes from one photo to another
        connection.execute(update(photo).values(revision=photo.c.id + photo.c.id % 2))
        connection.exec_driver_sql("update catalogue set revision = 100")
    known = Version(at(database).identity, 0)
    met: list[int] = []
    for _ in range(6):
        with database.ask() as asker:
            changes = changes_after(asker, known, limit=3)
        assert changes is not None
        met, known = met + changes.photos, changes.version
    assert sorted(met) == ids


@pytest.mark.sqlite
def test_a_photo_that_is_taken_out_is_told_and_so_is_the_next_of_its_number(
    database: Database, album: Path, photo_id: int
) -> None:
    before = at(database)
    with database.write() as connection:
        files.unlink_photo(connection, 1, "another")
        connection.execute(delete(photo).where(photo.c.id == photo_id))
    with database.ask() as asker:
        gone = changes_after(asker, before)
    assert gone is not None
    assert (gone.photos, gone.removed) == ([], [photo_id])
    assert add_photo(database, album / "b.jpg") == photo_id
    with database.ask() as asker:
        back = changes_after(asker, gone.version)
    assert back is not None
    assert (back.photos, back.removed) == ([photo_id], [])


@pytest.mark.sqlite
def test_there_is_nothing_to_go_on_from_in_another_catalogue_or_after_a_restored_backup(
    database: SqliteDatabase, photo_id: int
) -> None:
    known = at(database)
    with database.ask() as asker:
        assert changes_after(asker, Version("another", 1)) is None
        assert changes_after(asker, Version(known.identity, known.revision + 1)) is None
    database.backup(database.path.with_name("catalogue-backup-20240501T000000Z.sqlite3"))
    database.close()
    database.path.write_bytes(b"nonsense" * 1000)
    restore_backup(database.path)
    with closing(open_database(database.path)) as restored, restored.ask() as asker:
        assert version(asker).revision == known.revision
        assert changes_after(asker, known) is None


def triggers(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as connection:
        return dict(connection.execute("select name, sql from sqlite_master where type = 'trigger'").fetchall())


@pytest.mark.sqlite
def test_an_upgrade_makes_the_triggers_that_a_new_catalogue_has(database: SqliteDatabase, tmp_path: Path) -> None:
    expected = triggers(database.path)
    assert len(expected) > 20
    migrate(tmp_path / "head.sqlite3")
    assert triggers(tmp_path / "head.sqlite3") == expected
    migrate(tmp_path / "old.sqlite3", "0009")
    assert triggers(tmp_path / "old.sqlite3") == {}
    open_database(tmp_path / "old.sqlite3").close()
    assert triggers(tmp_path / "old.sqlite3") == expected


@pytest.mark.sqlite
def test_what_was_there_before_there_were_revisions_is_the_first_change(
    database: SqliteDatabase, album: Path, photo_id: int
) -> None:
    downgrade(database, "0009")
    database.close()
    with closing(open_database(database.path)) as upgraded, upgraded.ask() as asker:
        changes = changes_after(asker, None)
        assert changes is not None
        assert changes.photos == [photo_id]
        assert change_feed.version(asker).revision == 1
