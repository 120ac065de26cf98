"""What the gallery asks of a library: sets of results, the timeline, edits that return at once."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from sqlalchemy import Connection, update

from photoindex.catalogue import editor, gallery_queries, term_vectors, user_metadata
from photoindex.catalogue.raw_sql import Asker, Rows
from photoindex.catalogue.schema import photo
from photoindex.errors import (
    CatalogueError,
    CatalogueReplaced,
    CorrectionError,
    FolderError,
    FullTextError,
    ResultSetGone,
)
from photoindex.library import Library
from photoindex.library.gallery import Edit, Gallery
from photoindex.library.gallery.background import BackgroundSync, Changes
from photoindex.library.gallery.result_sets import (
    KEPT_SECONDS,
    LEAST_KEPT,
    MOST_KEPT,
    MOST_PHOTOS,
    ResultSet,
    ResultSets,
)
from photoindex.library.gallery.snapshot import UNKNOWN, Codes, Marks
from tests.support import COLOURS, make_photo

ON_BOTH = True

NOTHING = np.zeros(0, np.int64), np.zeros(0, np.float32), np.zeros(0, np.bool_)


@pytest.fixture
def gallery(library: Library, album: Path) -> Iterator[Gallery]:
    for colour in COLOURS:
        make_photo(album / f"{colour}.jpg", colour)
    library.index(album)
    opened = Gallery(library)
    yield opened
    opened.close()


class Listening(Asker):
    """Asks a catalogue, and remembers what was asked."""

    def __init__(self, asker: Asker, asked: list[str]) -> None:
        self._asker, self._asked = asker, asked

    def ask(self, sql: str, **values: object) -> Rows:
        self._asked.append(sql)
        return self._asker.ask(sql, **values)

    def each(self, sql: str, **values: object) -> Iterator[tuple[Any, ...]]:
        self._asked.append(sql)
        return self._asker.each(sql, **values)

    def run(self, sql: str, **values: object) -> None:
        self._asker.run(sql, **values)

    def tables(self) -> list[str]:
        return self._asker.tables()


def ids(gallery: Gallery, query: str) -> list[int]:
    return sorted(gallery.find(query).ids.tolist())


def test_the_order_of_the_timeline(gallery: Gallery, library: Library) -> None:
    times = {
        1: datetime(2023, 5, 1, 9),
        2: datetime(2023, 5, 1, 10),
        3: None,
        4: datetime(1999, 12, 31),
        5: datetime(2024, 1, 1),
    }
    with library.database.write() as connection:
        for number, time in times.items():
            connection.execute(update(photo).where(photo.c.id == number).values(taken_at=time, taken_source="exif"))
        connection.execute(update(photo).where(photo.c.id == 6).values(width=0, height=0, rating=4))
    snapshot = gallery._snapshots.latest(now=True)
    assert snapshot.ids.tolist() == [6, 5, 2, 1, 4, 3]
    assert [count for _, count in snapshot.days()] == [1, 1, 2, 1, 1]
    assert [day for day, _ in snapshot.days()][1:] == ["2024-01-01", "2023-05-01", "1999-12-31", None]
    assert snapshot.rows_of([3, 77, 6]).tolist() == [5, 0]
    assert gallery.neighbours(5) == (6, 2)
    found = gallery.find("square")
    assert found.ids[found.places(snapshot, "oldest")].tolist() == [4, 1, 2, 5, 6, 3]
    assert found.ids[found.places(snapshot, "newest")].tolist() == [6, 5, 2, 1, 4, 3]
    assert found.ids[found.places(snapshot, "rating")].tolist()[0] == 6
    assert found.facets(snapshot)["years"] == [("2024", 1), ("2023", 2), ("1999", 1)]


def test_a_photo_and_its_history_are_of_one_moment(
    gallery: Gallery, library: Library, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when somebody changes it while a page of it is made."""
    shown = library.show(album / "red.jpg")
    assert shown is not None
    read_terms = term_vectors.terms_of

    def changing_meanwhile(connection: Connection, photo_id: int) -> Any:
        library.editor().apply([photo_id], Edit(favourite=True))
        return read_terms(connection, photo_id)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(term_vectors, "terms_of", changing_meanwhile)
        before, history = gallery.photo_with_history(shown.id)
    assert (before.favourite, history) == (False, ())
    after, history = gallery.photo_with_history(shown.id)
    assert (after.favourite, [change.kind for change in history]) == (True, ["favourite"])


def test_a_date_that_is_only_the_files_is_counted_as_none(gallery: Gallery, library: Library) -> None:
    said = {1: ("2023-05-01", "exif"), 2: ("2023-05-02", "name"), 3: ("2023-05-03", "mtime"), 4: (None, None),
            5: ("2021-12-31", "mtime"), 6: ("2020-01-01", None)}  # fmt: skip
    with library.database.write() as connection:
        for number, (day, source) in said.items():
            time = datetime.fromisoformat(day) if day else None
            connection.execute(update(photo).where(photo.c.id == number).values(taken_at=time, taken_source=source))
    library.rebuild_full_text()
    snapshot = gallery._snapshots.latest(now=True)
    counts = gallery.counts()
    assert (counts.years, counts.undated) == ([("2020", 1), ("2023", 2)], 3)
    assert counts.months == [("2020-01", 1), ("2023-05", 2)]
    assert library.stats().undated == 3
    assert library.stats().years == dict(counts.years)
    assert gallery.find("square").facets(snapshot)["years"] == [("2023", 2), ("2020", 1)]
    assert {year: len(ids(gallery, f"taken:{year}")) for year, _ in counts.years} == dict(counts.years)
    # They are shown and sorted by it all the same.
    assert [day for day, _ in snapshot.days()] == [
        "2023-05-03", "2023-05-02", "2023-05-01", "2021-12-31", "2020-01-01", None
    ]  # fmt: skip


def test_a_set_is_counted_by_its_values_in_whatever_order_it_is(gallery: Gallery) -> None:
    snapshot = gallery._snapshots.latest(now=True)
    assert snapshot.ids.tolist() == [6, 5, 4, 3, 2, 1]
    shown = replace(
        snapshot,
        cameras=Codes(("A", "B", "C"), np.array([0, UNKNOWN, 2, 0, 1, 0], np.int32)),
        tags=Marks(("sea", "cake"), np.array([5, 1, 0, 5, 4], np.int32), np.array([1, 0, 0, 0, 1], np.int32)),
    )
    found = ResultSet("", "", np.array([3, 77, 1, 5, 4, -1]), np.zeros(6, np.float32), np.zeros(6, np.bool_))
    facets = found.facets(shown)
    assert facets["cameras"] == [("A", 2), ("C", 1)]
    assert facets["tags"] == [("sea", 2), ("cake", 1)]
    assert sum(count for _, count in facets["folders"]) == 4
    none = ResultSet("", "", *NOTHING)
    assert none.facets(shown) == {"years": [], "places": [], "cameras": [], "folders": [], "tags": [], "people": []}


def test_a_photo_without_a_file_is_in_no_list(gallery: Gallery, library: Library, album: Path) -> None:
    (album / "red.jpg").unlink()
    library.index(album)
    assert gallery._snapshots.latest(now=True).count == 5
    assert gallery.find("red square").total == 5


def test_a_snapshot_is_another_one_only_when_something_changed(gallery: Gallery, library: Library, album: Path) -> None:
    first = gallery._snapshots.latest(now=True)
    with library.database.write() as connection:
        connection.execute(update(photo).where(photo.c.id == 1).values(text_stale=5))
    assert gallery._snapshots.latest(now=True) is first
    gallery.edit([1], Edit(tags=("holiday",)))
    assert gallery._snapshots.latest(now=True).revision > first.revision


def test_sets_are_kept_for_ten_minutes_after_their_last_use() -> None:
    now = [0.0]
    sets = ResultSets(lambda: now[0])
    token = sets.add("a", *NOTHING, {}).token
    for _ in range(3):
        now[0] += KEPT_SECONDS - 1
        assert sets.get(token).query == "a"
    now[0] += KEPT_SECONDS + 1
    with pytest.raises(ResultSetGone):
        sets.get(token)
    tokens = [sets.add(str(number), *NOTHING, {}).token for number in range(MOST_KEPT + 3)]
    for gone in tokens[:3]:
        with pytest.raises(ResultSetGone):
            sets.get(gone)
    assert sets.get(tokens[3]).query == "3"


@pytest.mark.parametrize(("photos", "kept"), [(1000, 20), (MOST_PHOTOS // 10, 10), (MOST_PHOTOS, LEAST_KEPT)])
def test_fewer_large_sets_are_kept(photos: int, kept: int) -> None:
    sets = ResultSets()
    columns = np.arange(photos), np.zeros(photos, np.float32), np.zeros(photos, np.bool_)
    tokens = [sets.add(str(number), *columns, {}).token for number in range(20)]
    for token in tokens[-kept:]:
        sets.get(token)
    for token in tokens[:-kept]:
        with pytest.raises(ResultSetGone):
            sets.get(token)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("red", 1),
        ("red square", 1),
        ("square", 6),
        ("warm", 0),
        ("red OR blue", 2),
        ('"red square"', 1),
        ("red -blue", 1),
        ("squar*", 6),
        ("squere~", 6),
        ("-red", 5),
        ("crimson red", 0),
        ("red AND square", 1),
    ],
)
def test_how_many_photos_say_it(gallery: Gallery, query: str, said: int) -> None:
    found = gallery.find(query)
    assert found.said_total == said
    assert found.said.tolist() == sorted(found.said.tolist(), reverse=True)
    for part in (found.scores[found.said], found.scores[~found.said]):
        assert part.tolist() == sorted(part.tolist(), reverse=True)
    assert ids(gallery, query) == sorted(match.photo_id for match in gallery.library.match(query))


def test_an_edit_returns_before_the_index_knows_and_the_next_search_does(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, changed = gallery.edit([2, 2, 3], Edit(caption="a giraffe", tags=("safari",)))
    assert changed == 2
    assert ids(gallery, "giraffe") == ids(gallery, "tag:safari") == [2, 3]
    assert sorted(gallery.undo(name)) == [2, 3]
    assert ids(gallery, "giraffe") == []


@pytest.mark.parametrize("change", [Edit(), Edit(lock=True)])
def test_an_edit_that_cannot_be_made_changes_no_photo(gallery: Gallery, library: Library, change: Edit) -> None:
    if change.lock:
        with library.database.write() as connection:
            connection.exec_driver_sql("delete from caption where photo_id = 2")
    with pytest.raises(CorrectionError):
        gallery.edit([1, 2], change)
    assert gallery.history(1) == ()


def test_what_was_left_when_a_server_was_killed_is_indexed_by_the_next(gallery: Gallery, library: Library) -> None:
    from photoindex.catalogue.editor import Editor

    Editor(library.database).apply([4], Edit(caption="a rhinoceros"))
    another = Gallery(library)
    assert ids(another, "rhinoceros") == [4]
    another.close()


def test_an_index_that_cannot_be_written_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("photoindex.library.gallery.background.RETRY_SECONDS", 0.01)
    tries: list[int] = []

    def work(_: object) -> None:
        tries.append(1)
        if len(tries) < 3:
            raise FullTextError("busy")

    sync = BackgroundSync(work)
    sync.request()
    assert sync.wait(30)
    assert len(tries) == 3
    sync.close()


class Failing:
    """Work that fails with each of these errors in turn, as often as asked, and then is done."""

    def __init__(self, *errors: Exception, times: int) -> None:
        self._left = [error for error in errors for _ in range(times)]
        self._left.reverse()
        self.states: list[bool] = []  # whether the index counted as refused before each try
        self.sync = BackgroundSync(self.work)

    def work(self, _: object) -> None:
        self.states.append(self.sync.is_refused)
        if self._left:
            raise self._left.pop()


def test_an_index_that_cannot_be_written_for_long_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("photoindex.library.gallery.background.RETRY_SECONDS", 0.001)
    work = Failing(FullTextError("its disk is full"), RuntimeError("a fault"), FullTextError("no right"), times=20)
    work.sync.request()
    assert work.sync.wait(30)
    assert caplog.messages == ["its disk is full", "the index could not be brought up to date", "no right"]
    assert "RuntimeError: a fault" in caplog.text
    work.sync.close()


def test_what_is_over_and_comes_back_is_said_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("photoindex.library.gallery.background.RETRY_SECONDS", 0.001)
    work = Failing(FullTextError("its disk is full"), times=3)
    for _ in range(2):
        work._left = [FullTextError("its disk is full")] * 3
        work.sync.request()
        assert work.sync.wait(30)
        assert not work.sync.is_refused
    assert caplog.messages == ["its disk is full"] * 2
    assert work.states == [False, True, True, True] * 2
    work.sync.close()


def test_a_search_does_not_wait_for_an_index_that_cannot_be_written(
    gallery: Gallery, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The edit is stored; a search that waited for it in vain would take two seconds, each."""
    monkeypatch.setattr("photoindex.library.gallery.background.RETRY_SECONDS", 3600.0)
    refused = threading.Event()

    def refuse(_: object) -> None:
        refused.set()
        raise FullTextError("its disk is full")

    monkeypatch.setattr(library.finder, "sync", refuse)
    gallery.edit([1], Edit(tags=("wombat",)))
    assert refused.wait(30)
    while not gallery._sync.is_refused:
        pass
    monkeypatch.setattr(gallery._sync, "wait", lambda _: pytest.fail("it waited"))
    assert ids(gallery, "square")


@pytest.mark.parametrize("error", [CatalogueReplaced("it was moved"), RuntimeError("a fault")])
def test_a_catalogue_that_cannot_be_looked_at_for_long_is_said_once(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    monkeypatch.setattr("photoindex.library.gallery.background.POLL_SECONDS", 0.001)
    looks, looked_often = itertools.count(1), threading.Event()

    class Refusing:
        def state(self) -> tuple[int, object]:
            if next(looks) == 20:
                looked_often.set()
            raise error

    changes = Changes(cast(Any, Refusing()))
    end = changes.listen(lambda: None)
    assert looked_often.wait(30)
    end()
    changes.close()
    assert len(caplog.records) == 1


def test_every_edit_reaches_the_index_whoever_asks_when() -> None:
    """Threads that edit ask while the index is being written: what they asked last must be in what is written last."""
    edited, last, written = itertools.count(1), 0, 0

    def work(_: object) -> None:
        nonlocal written
        written = last

    sync = BackgroundSync(work)

    def ask() -> None:
        nonlocal last
        for _ in range(500):
            last = next(edited)
            sync.request()

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert sync.wait(30)
    assert written == last
    sync.close()


def test_a_fault_while_the_index_is_written_does_not_end_writing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("photoindex.library.gallery.background.RETRY_SECONDS", 0.01)
    faults = [RuntimeError("never expected")]

    def work(_: object) -> None:
        if faults:
            raise faults.pop()

    sync = BackgroundSync(work)
    sync.request()
    assert sync.wait(30)
    assert "never expected" in caplog.text
    sync.close()


def test_nothing_is_written_into_the_index_while_many_photos_are_edited() -> None:
    """Writing that is under way stops between two commits, and goes on when the edit is done."""
    left, wrote, go_on = 5, threading.Event(), threading.Event()

    def work(is_wanted: Callable[[], bool]) -> None:
        nonlocal left
        while left:
            left -= 1
            wrote.set()
            assert go_on.wait(30)
            if not is_wanted():
                return

    sync = BackgroundSync(work)
    sync.request()
    assert wrote.wait(30)
    with sync.held():
        go_on.set()
        assert not sync.wait(0.1)
        assert left == 4
    assert sync.wait(30)
    assert left == 0
    sync.close()


def test_what_is_held_is_written_when_the_gallery_closes() -> None:
    done = []
    sync = BackgroundSync(lambda _: done.append(1))
    with sync.held():
        sync.request()
        sync.close()
        assert done


def test_an_edit_that_fails_half_way_reaches_the_index_as_far_as_it_came(
    gallery: Gallery, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(editor, "SET", 2)
    real, calls = user_metadata.put_user_metadata, itertools.count(1)

    def fail_the_third_time(*given: Any) -> None:
        if next(calls) == 3:
            raise CatalogueError("the disk is full")
        real(*given)

    monkeypatch.setattr(user_metadata, "put_user_metadata", fail_the_third_time)
    with pytest.raises(CatalogueError, match="4 of 6 photos"):
        gallery.edit([1, 2, 3, 4, 5, 6], Edit(tags=("rhinoceros",)))
    assert sorted(ids(gallery, "rhinoceros")) == [1, 2, 3, 4]


def test_review_asks_first_about_what_the_model_is_least_sure_of(gallery: Gallery, library: Library) -> None:
    with library.database.write() as connection:
        connection.exec_driver_sql("update caption set log_probability = -photo_id where rank = 0")
    assert gallery.review_queue(10) == [6, 5, 4, 3, 2, 1]
    gallery.edit([6], Edit(lock=True))
    gallery.edit([5], Edit(caption="a giraffe"))
    assert gallery.review_queue(2) == [4, 3]
    gallery.edit([4], Edit(review="wrong"))
    assert gallery.review_queue(2) == [3, 2]
    assert gallery.reviewed() == (1, 1, 1)


def test_review_goes_by_the_confidence_where_a_model_has_one(gallery: Gallery, library: Library) -> None:
    with library.database.write() as connection:
        connection.exec_driver_sql("update caption set log_probability = -photo_id, confidence = null where rank = 0")
        connection.exec_driver_sql("update caption set confidence = photo_id / 10.0 where rank = 0 and photo_id < 4")
    assert gallery.review_queue(10) == [1, 2, 3, 6, 5, 4]


@pytest.mark.sqlite
def test_what_was_reviewed_is_counted_by_indexes(gallery: Gallery, library: Library) -> None:
    asked: list[str] = []
    with library.database.ask() as asker:
        gallery_queries.reviewed(Listening(asker, asked))
        plans = [" ".join(str(row) for row in asker.ask(f"explain query plan {sql}")) for sql in asked]
    assert [re.findall(r"INDEX (ix_\w+)", plan) for plan in plans] == [
        ["ix_caption_locked"], ["ix_caption_by_user"], ["ix_photo_review"]
    ]  # fmt: skip


def test_words_are_shown_as_words(gallery: Gallery) -> None:
    assert gallery.readable.word("giraff", "two giraffes") == "giraffes"
    assert gallery.readable.word("giraff grass") == "giraffe grass"
    assert gallery.readable.word("xyzzi") == "xyzzi"


@pytest.mark.parametrize(
    ("text", "completed"),
    [
        ("squ", ["square"]),
        ("red squ", ["red square"]),
        ("s", []),
        ("", []),
        ("camera:squ", []),
        ("-squ", []),
        ("zzz", []),
    ],
)
def test_completions(gallery: Gallery, text: str, completed: list[str]) -> None:
    assert gallery.complete(text) == completed


def test_a_photo_that_is_not_there(gallery: Gallery) -> None:
    with pytest.raises(FolderError):
        gallery.photo(99)
