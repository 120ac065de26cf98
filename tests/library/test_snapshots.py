"""The columns of all photos: read at once, by what changed, and from the file that is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from photoindex.catalogue.database import Database
from photoindex.library import Library
from photoindex.library.gallery import Snapshot, kept_snapshot, snapshots
from photoindex.library.gallery.found_counts import marks_found
from photoindex.library.gallery.snapshot import CODED, MARKED, PLAIN, Codes, Marks
from photoindex.library.gallery.snapshots import Snapshots
from tests.support import COLOURS, make_photo

ON_BOTH = True


@pytest.fixture
def database(library: Library, album: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setattr(snapshots, "LEAST_KEPT", 0)  # so that six photos are worth a file
    for number, colour in enumerate(COLOURS):
        make_photo(album / f"folder {number % 2}" / f"{colour}.jpg", colour)
    library.index(album)
    return library.database


def described(snapshot: Snapshot) -> dict[str, Any]:
    """All that a snapshot says, whatever codes it says it by."""
    found: dict[str, Any] = {name: np.asarray(getattr(snapshot, name)).tolist() for name in PLAIN}
    for name in CODED:
        codes: Codes = getattr(snapshot, name)
        found[name] = [None if code < 0 else codes.names[code] for code in codes.codes.tolist()]
    for name in MARKED:
        marks: Marks = getattr(snapshot, name)
        found[name] = sorted((row, marks.names[code]) for row, code in zip(marks.rows, marks.codes, strict=True))
    return {**found, "latitudes": str(found["latitudes"]), "longitudes": str(found["longitudes"])}


CHANGES = [
    "update photo set own_rating = 4 where id = 2",
    "update photo set favourite = true, latitude = 38.7, longitude = -9.1 where id in (1, 5)",
    "update photo set hidden = true where id = 3",
    "update photo set taken_at = '1999-12-31 10:00:00.000000' where id in (4, 6)",
    "update photo set taken_at = null where id = 2",
    "update photo set taken_source = 'exif' where id in (3, 5)",
    "update photo set taken_source = 'mtime' where id = 5",
    "insert into term (photo_id, text, weight, source) values (5, 'garden', 1.0, 'tag'), (1, 'garden', 1.0, 'keyword')",
    "insert into term (photo_id, text, weight, source) values (5, 'Garden', 1, 'keyword'), (5, 'Anna', 1, 'person')",
    "delete from term where text = 'garden' and photo_id = 5",
    "update photo set city = 'Vanves', region = 'Île-de-France', country = 'France', metropolis = 'Paris' where id = 5",
    "update photo set metropolis = null where id = 5",
    "update file set missing_since = '2024-01-01 00:00:00' where photo_id = 1",
    "update file set missing_since = null where photo_id = 1",
    "update file set relative_path = :file where photo_id = 2",
    "delete from file where photo_id = 6",
    "delete from photo where id = 6",
    "update root set path = :root",
    "update caption set text = 'a new one' where photo_id = 2",
]
PATHS = {"root": b"/elsewhere", "file": b"elsewhere/x.jpg"}


def test_following_what_changes_gives_what_reading_all_gives(database: Database, tmp_path: Path) -> None:
    following = Snapshots(database, tmp_path)
    before = following.latest()
    for sql in CHANGES:
        with database.write() as connection:
            connection.execute(text(sql), {name: value for name, value in PATHS.items() if f":{name}" in sql})
        now = following.latest(now=True)
        whole = Snapshots(database, tmp_path / "no folder").latest()
        assert described(now) == described(whole), sql
        assert described(now.visible()) == described(whole.visible()), sql
        assert (now is before) == sql.startswith(("update caption", "delete from photo")), sql
        before = now


def test_a_tag_that_is_a_keyword_too_is_one(database: Database, tmp_path: Path) -> None:
    terms = [(1, "sea", "tag"), (1, "sea", "keyword"), (1, "Sea", "keyword"), (2, "Sea", "keyword"),
             (1, "sea", "person"), (1, "sea", "label")]  # fmt: skip
    with database.write() as connection:
        for number, said, source in terms:
            connection.execute(
                text("insert into term (photo_id, text, weight, source) values (:number, :said, 1.0, :source)"),
                {"number": number, "said": said, "source": source},
            )
    found = Snapshots(database, tmp_path).latest()
    assert sum(count for _, count in found.tags.counts(None)) == 2
    assert marks_found(found.tags, None, 9) in ([("sea", 2)], [("Sea", 2)])
    assert found.people.counts(None) == [("sea", 1)]
    assert ("sea", 1) in found.labels.counts(None)
    assert [count for _, count in found.tags.counts(found.mask_of([1]))] == [1]


def test_a_kept_snapshot_is_taken_up_and_brought_up_to_date(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Snapshots(database, tmp_path)
    whole = first.latest()
    first.close()
    with monkeypatch.context() as patched:
        patched.setattr(snapshots, "read_all", None)  # it is not needed
        second = Snapshots(database, tmp_path)
        assert described(second.latest()) == described(whole)
        assert second.latest().revision == whole.revision
        with database.write() as connection:
            connection.exec_driver_sql(CHANGES[0])
        assert Snapshots(database, tmp_path).latest().ratings.tolist().count(4) == 1


def test_a_file_that_is_damaged_or_of_another_catalogue_is_passed_over(database: Database, tmp_path: Path) -> None:
    first = Snapshots(database, tmp_path)
    whole = described(first.latest())
    first.close()
    file = tmp_path / kept_snapshot.FILE
    good = file.read_bytes()
    assert file.stat().st_mode & 0o077 == 0
    for place in [*range(0, len(good), 97), len(good) - 1]:
        file.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        found = kept_snapshot.load(file)
        assert found is None or described(found.snapshot) == whole  # what is between the parts does not count
    for cut in (0, 7, 100, len(good) - 8):
        file.write_bytes(good[:cut])
        assert kept_snapshot.load(file) is None
    file.write_bytes(good)
    with database.write() as connection:
        connection.exec_driver_sql("update catalogue set identity = 'another'")
        connection.exec_driver_sql("update photo set own_rating = 5")
    assert set(Snapshots(database, tmp_path).latest().ratings.tolist()) == {5}


def test_rows_are_located_sorted_and_counted_rightly() -> None:
    rng = np.random.default_rng(5)
    count = 1000
    ids = rng.permutation(count * 3)[:count].astype(np.int64)
    taken = np.datetime64("2020-01-01", "s") - (np.arange(count) * 40_000).astype("timedelta64[s]")
    taken[-10:] = np.datetime64("NaT", "s")
    zeros: dict[str, Any] = {
        name: np.zeros(count, kind) for name, kind in PLAIN.items() if name not in ("ids", "taken")
    }
    none = {name: Codes((), np.full(count, -1, np.int32)) for name in CODED}
    empty = {name: Marks((), np.zeros(0, np.int32), np.zeros(0, np.int32)) for name in MARKED}
    snapshot = Snapshot(1, ids=ids, taken=taken, **zeros, **none, **empty)  # type: ignore[arg-type]
    asked = [int(ids[7]), -3, 10**12, int(ids[0]), next(n for n in range(count * 3) if n not in set(ids.tolist()))]
    rows, places = snapshot.locate(asked)
    assert (rows.tolist(), places.tolist()) == ([7, 0], [0, 3])
    years = [str(time)[:4] for time in taken[:-10]]
    assert snapshot.year_counts() == [(year, years.count(year)) for year in sorted(set(years))]
    chosen = snapshot.mask_of([*asked, int(ids[-1])])  # the last one has no date
    assert np.flatnonzero(chosen).tolist() == [0, 7, count - 1]
    assert snapshot.year_counts(chosen) == [("2019", 1), ("2020", 1)]
    assert snapshot.year_counts(snapshot.mask_of([])) == []
    assert snapshot.taking(np.arange(0)).year_counts() == []
    assert sum(number for _, number in snapshot.month_counts()) == count - 10
    assert snapshot.undated == 10
    some = replace(snapshot, file_times=np.arange(count) % 2 == 0)  # NaT of a file's time counts once
    assert some.undated == count // 2 + 5
    assert some.year_counts(chosen) == [("2019", 1)]  # the first is of the file's time
    assert sum(number for _, number in some.month_counts()) == sum(n for _, n in some.year_counts()) == count // 2 - 5
    assert snapshot.days()[-1] == (None, 10)
