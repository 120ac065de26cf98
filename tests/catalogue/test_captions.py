"""Which caption is shown: search, show, the counts, the editor and the index all have the same answer."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, insert

from photoindex.catalogue import files, photos, stats, user_metadata
from photoindex.catalogue.captions import SOURCE_ORDER, shown_captions
from photoindex.catalogue.database import Database
from photoindex.catalogue.editor import Edit, Editor
from photoindex.catalogue.fast_queries import find_photos
from photoindex.catalogue.schema import caption
from photoindex.catalogue.user_metadata import Locked
from photoindex.types import Candidate, Prediction
from tests.support import NOW, add_files, add_photo

ON_BOTH = True


@pytest.fixture
def photo_id(database: Database, album: Path) -> int:
    add_files(database, album, "a.jpg")
    return add_photo(database, album / "a.jpg")


def answers(database: Database, photo_id: int) -> set[str | None]:
    """What each part of the program shows of a photo."""
    with database.read() as connection:
        [whole] = photos.load_photos(connection, [photo_id], files.paths_of(connection, [photo_id]))
        hit = find_photos(connection, [photo_id]).get(photo_id)
        editor = user_metadata.shown(connection, [photo_id]).get(photo_id)
        counted = stats.count(connection)
        rule = shown_captions(connection).get(photo_id)
        searchable = photo_id in photos.searchable_ids(connection)
    with database.ask() as asker:
        asked = shown_captions(asker, [photo_id]).get(photo_id)
    assert asked == rule
    assert searchable == (rule is not None) == bool(counted.captioned)
    if whole.caption is not None:
        assert counted.caption_sources == {whole.caption.source: 1}
        assert whole.caption not in (*whole.history, *whole.candidates, *whole.overruled)
    return {
        None if whole.caption is None else whole.caption.text,
        None if hit is None else hit.caption,
        None if editor is None else editor.text,
        None if rule is None else rule.text,
    }


def put(connection: Connection, photo_id: int, *rows: tuple[str, str, int, bool, bool]) -> None:
    connection.execute(delete(caption))
    for text, source, rank, current, locked in rows:
        connection.execute(
            insert(caption).values(photo_id=photo_id, text=text, source=source, rank=rank, current=current,
                                   locked=locked, created_at=NOW)
        )  # fmt: skip


CASES = {
    "none": ([], None),
    "the model's best": ([("best", "model", 0, True, False), ("other", "model", 1, True, False)], "best"),
    "a sidecar's before it": ([("m", "model", 0, True, False), ("s", "sidecar", 0, True, False)], "s"),
    "a person's first": (
        [("s", "sidecar", 0, True, False), ("u", "user", 0, True, False), ("m", "model", 0, True, False)],
        "u",
    ),
    "history is not shown": ([("old", "user", 0, False, False), ("m", "model", 0, True, False)], "m"),
    "history alone": ([("old", "user", 0, False, False)], None),
    "a locked one of the model": ([("u", "user", 0, True, False), ("m", "model", 0, True, True)], "m"),
    "a locked one that is history": ([("old", "model", 0, False, True), ("u", "user", 0, True, False)], "old"),
    "a locked candidate": ([("best", "model", 0, True, False), ("other", "model", 1, True, True)], "other"),
    "a locked candidate that is history": ([("x", "model", 3, False, True), ("m", "model", 0, True, False)], "x"),
    "a locked one alone": ([("old", "sidecar", 0, False, True)], "old"),
    "candidates alone": ([("other", "model", 1, True, False)], None),
}


@pytest.mark.parametrize("what", CASES)
def test_all_say_the_same(database: Database, photo_id: int, what: str) -> None:
    rows, expected = CASES[what]
    with database.write() as connection:
        put(connection, photo_id, *rows)
    assert answers(database, photo_id) == {expected}


def test_all_say_the_same_of_anything(database: Database, photo_id: int) -> None:
    chance = random.Random(4)
    for _ in range(40):
        rows = [
            (f"c{number}", chance.choice(SOURCE_ORDER), chance.randrange(3), chance.random() < 0.6, False)
            for number in range(chance.randrange(6))
        ]
        if rows and chance.random() < 0.5:
            locked = chance.randrange(len(rows))
            rows[locked] = (*rows[locked][:4], True)
        with database.write() as connection:
            put(connection, photo_id, *rows)
        assert len(answers(database, photo_id)) == 1


def test_a_lock_that_is_undone_after_the_model_changed_its_mind(database: Database, photo_id: int) -> None:
    editor = Editor(database, lambda: None)

    def say(*texts: str) -> None:
        said = Prediction(tuple(Candidate(text, -1.0, -1.0) for text in texts))
        with database.write() as connection:
            photos.save_predictions(connection, {photo_id: said}, 1, "none")

    editor.apply([photo_id], Edit(lock=True))
    say("a blue circle", "a red square")
    editor.apply([photo_id], Edit(lock=False))
    assert answers(database, photo_id) == {"a blue circle"}
    editor.undo([photo_id])  # locked again: what says so now is a candidate, or history
    assert answers(database, photo_id) == {"a red square"}
    editor.undo([photo_id])
    assert answers(database, photo_id) == {"a blue circle"}
    with database.write() as connection:
        user_metadata.put_locks(connection, {photo_id: Locked("model", "a red square")})
    say("a green star")
    assert answers(database, photo_id) == {"a red square"}


@pytest.mark.parametrize("ahead_days", [1, 400])
def test_the_last_edit_is_undone_first_whatever_the_clock_said(
    database: Database, photo_id: int, ahead_days: int
) -> None:
    clock = iter([NOW.replace(year=NOW.year + ahead_days // 365, day=NOW.day + 1), NOW, NOW, NOW, NOW])
    editor = Editor(database, lambda: None, now=lambda: next(clock))
    editor.apply([photo_id], Edit(caption="first"))
    editor.apply([photo_id], Edit(caption="second"))
    assert answers(database, photo_id) == {"second"}
    editor.undo([photo_id])
    assert answers(database, photo_id) == {"first"}
