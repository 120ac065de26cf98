"""Which paths the catalogue knows, and what it makes of moves, removals, returns and odd names."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from photoindex.catalogue import files, jobs, photos
from photoindex.catalogue.change_feed import Version, changes_after, version
from photoindex.catalogue.chunks import CHUNK
from photoindex.catalogue.database import Database
from photoindex.catalogue.roots import ensure_root, list_roots
from photoindex.types import FileStat
from tests.support import NOW, add_files, add_photo, mark_missing, scanned

ON_BOTH = True


def known(database: Database, below: Path) -> list[Path]:
    with database.read() as connection:
        return sorted(files.known_files(connection, below))


def queued(database: Database) -> list[Path]:
    with database.write() as connection:
        found = [job.path for job in jobs.claim(connection, "test:0", 100, NOW.replace(year=9000))]
        connection.execute(text("update job set state = 'queued', attempts = 0"))
    return sorted(found)


def empty_queue(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("delete from job"))


def version_without_marks(database: Database) -> Version:
    """Clear the marks, as an index that has taken over all words does; return the version that it is at."""
    with database.write() as connection:
        photos.clear_text_stale(connection, photos.stale_photos(connection, None))
    with database.read() as connection:
        return version(connection)


def stale_since(database: Database, known: Version) -> set[int]:
    """The photos whose words an index takes over next: by their marks, or by the feed where many machines share it."""
    with database.read() as connection:
        if not database.is_shared:
            return {photo_id for photo_id, _ in photos.stale_photos(connection, None)}
        changes = changes_after(connection, known)
        assert changes is not None
        return set(changes.photos)


def test_new_and_changed_files_are_queued_and_unchanged_ones_are_not(database: Database, album: Path) -> None:
    add_files(database, album, "a.jpg", "b.jpg")
    for name in ("a.jpg", "b.jpg"):
        add_photo(database, album / name)
    empty_queue(database)
    with database.write() as connection:
        again = [scanned(album / "a.jpg"), scanned(album / "b.jpg", mtime_ns=2), scanned(album / "c.jpg")]
        assert files.record_files(connection, again) == 2
    assert queued(database) == [album / "b.jpg", album / "c.jpg"]


def test_another_inode_alone_is_no_change(database: Database, album: Path) -> None:
    add_files(database, album, "a.jpg")
    add_photo(database, album / "a.jpg")
    empty_queue(database)
    with database.write() as connection:
        assert files.record_files(connection, [scanned(album / "a.jpg", inode=77)]) == 0
        assert files.known_files(connection, album)[album / "a.jpg"].inode == 77


def test_more_files_than_fit_one_statement_are_recorded_once(database: Database, album: Path) -> None:
    many = [scanned(album / f"{number}.jpg") for number in range(CHUNK * 2 + 1)]
    with database.write() as connection:
        ensure_root(connection, album)
        assert files.record_files(connection, many) == len(many)
    with database.write() as connection:
        assert mark_missing(connection, [item.path for item in many]) == len(many)
    assert known(database, album) == []


def test_an_inode_may_use_all_64_bits(database: Database, album: Path) -> None:
    with database.write() as connection:
        ensure_root(connection, album)
        for number, inode in enumerate((0, 2**63 - 1, 2**63, 2**64 - 1)):
            files.record_files(connection, [scanned(album / f"{number}.jpg", inode=inode)])
    with database.read() as connection:
        found = files.known_files(connection, album)
    assert [found[path].inode for path in sorted(found)] == [0, 2**63 - 1, 2**63, 2**64 - 1]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has file names that are no text")
def test_a_name_that_is_no_valid_utf_8_comes_back_byte_for_byte(database: Database, tmp_path: Path) -> None:
    root = tmp_path / os.fsdecode(b"f\xfcr dich")
    root.mkdir()
    path = root / os.fsdecode(b"\xff\xfe") / os.fsdecode(b"gr\xfc\xdfe.jpg")
    add_files(database, root, str(path.relative_to(root)))
    photo_id = add_photo(database, path, content_hash="abc")
    assert known(database, path.parent) == [path]
    assert known(database, path) == [path]
    with database.write() as connection:
        assert files.paths_of(connection, [photo_id]) == {photo_id: ([path], [])}
        assert files.move(connection, path.parent, root / "ok") == 1
    assert known(database, root) == [root / "ok" / path.name]


def test_a_file_belongs_to_the_deepest_root_above_it(database: Database, tmp_path: Path) -> None:
    inner, outer = tmp_path / "outer" / "inner", tmp_path / "outer"
    inner.mkdir(parents=True)
    add_files(database, inner, "a.jpg")
    add_files(database, outer, "b.jpg", "inner/c.jpg")
    with database.read() as connection:
        roots = {root.path: root.id for root in list_roots(connection)}
        assert files.count_files(connection) == {roots[inner]: (2, 0), roots[outer]: (1, 0)}
    assert known(database, outer) == [outer / "b.jpg", inner / "a.jpg", inner / "c.jpg"]
    assert known(database, tmp_path) == known(database, outer)
    assert known(database, inner) == [inner / "a.jpg", inner / "c.jpg"]


def test_a_folder_inside_a_root_makes_no_root_of_its_own(database: Database, album: Path) -> None:
    (album / "sub").mkdir()
    add_files(database, album, "a.jpg")
    with database.write() as connection:
        assert ensure_root(connection, album / "sub").path == album
        assert len(list_roots(connection)) == 1


NEIGHBOURS = ("a/b/1.jpg", "a/bc/2.jpg", "a/b-c/3.jpg", "a/b.jpg", "a/b0/4.jpg", "a/B/5.jpg", "a/b/d/6.jpg", "b/7.jpg")


def test_what_is_below_a_folder_is_not_what_begins_with_its_name(database: Database, album: Path) -> None:
    add_files(database, album, *NEIGHBOURS)
    assert known(database, album / "a" / "b") == [album / "a/b/1.jpg", album / "a/b/d/6.jpg"]
    assert known(database, album / "a" / "b.jpg") == [album / "a/b.jpg"]


def test_wildcards_in_a_name_mean_nothing(database: Database, album: Path) -> None:
    add_files(database, album, "100%/1.jpg", "100 percent/2.jpg", "a_b/3.jpg", "axb/4.jpg")
    assert known(database, album / "100%") == [album / "100%/1.jpg"]
    assert known(database, album / "a_b") == [album / "a_b/3.jpg"]


def test_a_removed_folder_takes_only_what_is_in_it(database: Database, album: Path) -> None:
    add_files(database, album, *NEIGHBOURS)
    with database.write() as connection:
        assert mark_missing(connection, [album / "a" / "b"]) == 2
        assert mark_missing(connection, [album / "a" / "b"]) == 0
    assert len(known(database, album)) == len(NEIGHBOURS) - 2
    assert len(queued(database)) == len(NEIGHBOURS) - 2


def test_a_renamed_folder_takes_its_files_along_and_no_others(database: Database, album: Path) -> None:
    add_files(database, album, *NEIGHBOURS)
    with database.write() as connection:
        assert files.move(connection, album / "a" / "b", album / "new") == 2
    expected = ("new/1.jpg", "new/d/6.jpg", *(name for name in NEIGHBOURS if not name.startswith("a/b/")))
    assert known(database, album) == sorted(album / name for name in expected)


def test_a_renamed_file_keeps_its_photo_and_tells_the_full_text_index(database: Database, album: Path) -> None:
    [file_id] = add_files(database, album, "a.jpg")
    photo_id = add_photo(database, album / "a.jpg")
    known_version = version_without_marks(database)
    with database.write() as connection:
        assert files.move(connection, album / "a.jpg", album / "z.jpg") == 1
        assert files.photo_at(connection, album / "a.jpg") is None
        assert files.photo_at(connection, album / "z.jpg") == (file_id, photo_id)
    assert photo_id in stale_since(database, known_version)


def test_a_move_between_roots_is_followed(database: Database, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    add_files(database, two)
    [file_id] = add_files(database, one, "trip/a.jpg")
    photo_id = add_photo(database, one / "trip/a.jpg")
    with database.write() as connection:
        assert files.move(connection, one / "trip", two / "trip") == 1
        assert files.photo_at(connection, two / "trip/a.jpg") == (file_id, photo_id)


def test_a_move_out_of_all_roots_is_a_removal(database: Database, album: Path, tmp_path: Path) -> None:
    add_files(database, album, "a.jpg")
    photo_id = add_photo(database, album / "a.jpg")
    with database.write() as connection:
        assert files.move(connection, album / "a.jpg", tmp_path / "elsewhere" / "a.jpg") == 0
        assert files.paths_of(connection, [photo_id]) == {photo_id: ([], [album / "a.jpg"])}


def test_a_file_that_a_move_overwrites_is_gone(database: Database, album: Path) -> None:
    add_files(database, album, "a.jpg", "b.jpg")
    kept, lost = add_photo(database, album / "a.jpg"), add_photo(database, album / "b.jpg")
    known_version = version_without_marks(database)
    with database.write() as connection:
        assert files.move(connection, album / "a.jpg", album / "b.jpg") == 1
        assert files.paths_of(connection, [kept, lost]) == {kept: ([album / "b.jpg"], []), lost: ([], [])}
    assert kept in stale_since(database, known_version)
    assert lost in stale_since(database, known_version)


def test_a_queued_file_that_moves_stays_queued_under_its_new_name(database: Database, album: Path) -> None:
    add_files(database, album, "a.jpg", "b.jpg")
    with database.write() as connection:
        files.move(connection, album / "a.jpg", album / "b.jpg")
    assert queued(database) == [album / "b.jpg"]


def test_a_file_that_comes_back_unchanged_keeps_its_photo_and_is_not_queued(database: Database, album: Path) -> None:
    add_files(database, album, "a.jpg")
    photo_id = add_photo(database, album / "a.jpg")
    with database.write() as connection:
        mark_missing(connection, [album / "a.jpg"])
        assert files.paths_of(connection, [photo_id]) == {photo_id: ([], [album / "a.jpg"])}
    known_version = version_without_marks(database)
    with database.write() as connection:
        assert files.record_files(connection, [scanned(album / "a.jpg")]) == 0
        assert files.paths_of(connection, [photo_id]) == {photo_id: ([album / "a.jpg"], [])}
    assert queued(database) == []
    assert photo_id in stale_since(database, known_version)


def test_a_file_that_comes_back_changed_is_queued(database: Database, album: Path) -> None:
    add_files(database, album, "a.jpg")
    add_photo(database, album / "a.jpg")
    with database.write() as connection:
        mark_missing(connection, [album / "a.jpg"])
        assert files.record_files(connection, [scanned(album / "a.jpg", size=200)]) == 1


def test_a_change_that_was_never_read_is_not_forgotten_while_the_file_is_away(database: Database, album: Path) -> None:
    add_files(database, album, "a.jpg")
    add_photo(database, album / "a.jpg")
    empty_queue(database)
    changed = scanned(album / "a.jpg", size=200)
    with database.write() as connection:
        assert files.record_files(connection, [changed]) == 1
        mark_missing(connection, [album / "a.jpg"])
        assert files.record_files(connection, [changed]) == 1
    assert queued(database) == [album / "a.jpg"]


def test_a_file_that_was_never_read_is_queued_when_it_comes_back(database: Database, album: Path) -> None:
    add_files(database, album, "a.jpg")
    with database.write() as connection:
        mark_missing(connection, [album / "a.jpg"])
    assert queued(database) == []
    with database.write() as connection:
        assert files.record_files(connection, [scanned(album / "a.jpg")]) == 1


def test_a_new_content_marks_the_photo_that_the_file_held_before(database: Database, album: Path) -> None:
    [file_id] = add_files(database, album, "a.jpg")
    before = add_photo(database, album / "a.jpg")
    known_version = version_without_marks(database)
    after = add_photo(database, album / "a.jpg", "a blue square", "other bytes")
    assert before in stale_since(database, known_version)
    assert after in stale_since(database, known_version)
    with database.read() as connection:
        assert files.photo_at(connection, album / "a.jpg") == (file_id, after)


def test_photo_at_tells_a_file_from_a_folder_and_from_nothing(database: Database, album: Path) -> None:
    [file_id] = add_files(database, album, "a/b.jpg")
    with database.read() as connection:
        assert files.photo_at(connection, album / "a" / "b.jpg") == (file_id, None)
        assert files.photo_at(connection, album / "a") is None
        assert files.photo_at(connection, album) is None
        assert files.photo_at(connection, Path("/nowhere/a.jpg")) is None


def test_known_files_remember_the_state_that_was_seen(database: Database, album: Path) -> None:
    with database.write() as connection:
        ensure_root(connection, album)
        files.record_files(connection, [scanned(album / "a.jpg", 5_000_000_000, 1_700_000_000_123_456_789, 9)])
        assert files.known_files(connection, album) == {
            album / "a.jpg": FileStat(5_000_000_000, 1_700_000_000_123_456_789, 9)
        }
