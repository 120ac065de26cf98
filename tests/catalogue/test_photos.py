"""Captions with their history, whose words count, and the marks for the full-text index."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest
from sqlalchemy import insert

from photoindex.catalogue import files, photos
from photoindex.catalogue.database import Database
from photoindex.catalogue.schema import caption
from photoindex.types import Candidate, Label, Photo, PhotoFacts, Prediction
from tests.support import add_files, add_photo, mark_missing

ON_BOTH = True


@pytest.fixture
def photo_id(database: Database, album: Path) -> int:
    """A photo captioned ``a red square`` by the model ``fake-1``."""
    add_files(database, album, "a.jpg")
    return add_photo(database, album / "a.jpg")


def load(database: Database, photo_id: int) -> Photo:
    with database.read() as connection:
        [photo] = photos.load_photos(connection, [photo_id], files.paths_of(connection, [photo_id]))
    return photo


def predict(
    database: Database, photo_id: int, *texts: str, labels: tuple[Label, ...] = (), kinds: tuple[Label, ...] = ()
) -> None:
    candidates = tuple(Candidate(text, -1.0 - rank, -0.5 - rank) for rank, text in enumerate(texts))
    with database.write() as connection:
        model_id = photos.ensure_model(connection, "fake-2", "fake", "encoder")
        photos.save_predictions(connection, {photo_id: Prediction(candidates, labels, kinds)}, model_id, "beam 3")


def say(database: Database, photo_id: int, source: str, words: str) -> None:
    with database.write() as connection:
        connection.execute(
            insert(caption).values(
                photo_id=photo_id, text=words, source=source, rank=0, current=True,
                created_at=datetime.now(timezone.utc),
            )
        )  # fmt: skip


def test_a_prediction_is_a_caption_with_its_other_candidates(database: Database, photo_id: int) -> None:
    labels = (Label("collie", 0.25), Label("tabby", 0.5))
    predict(database, photo_id, "a dog", "a cat", "an animal", labels=labels, kinds=(Label("animal", 0.75),))
    photo = load(database, photo_id)
    assert photo.caption is not None
    assert (photo.caption.text, photo.caption.source, photo.caption.model) == ("a dog", "model", "fake-2")
    assert (photo.caption.log_probability, photo.caption.settings) == (-1.0, "beam 3")
    assert photo.caption.created_at.tzinfo is not None
    assert [candidate.text for candidate in photo.candidates] == ["a cat", "an animal"]
    assert [(term.text, term.weight, term.source) for term in photo.terms] == [
        ("animal", 0.75, "kind"),
        ("tabby", 0.5, "label"),
        ("collie", 0.25, "label"),
    ]


def test_earlier_captions_become_history_newest_first_without_their_candidates(
    database: Database, photo_id: int
) -> None:
    predict(database, photo_id, "second", "second best", labels=(Label("old", 1.0),), kinds=(Label("old", 1.0),))
    predict(database, photo_id, "third", "third best", labels=(Label("new", 1.0),))
    photo = load(database, photo_id)
    assert photo.caption is not None
    assert photo.caption.text == "third"
    assert [earlier.text for earlier in photo.history] == ["second", "a red square"]
    assert [candidate.text for candidate in photo.candidates] == ["third best"]
    assert [term.text for term in photo.terms] == ["new"]


def test_a_users_caption_is_never_replaced_by_a_models(database: Database, photo_id: int) -> None:
    say(database, photo_id, "user", "our kitchen wall")
    predict(database, photo_id, "a white square")
    photo = load(database, photo_id)
    assert photo.caption is not None
    assert (photo.caption.text, photo.caption.source) == ("our kitchen wall", "user")
    assert [earlier.text for earlier in photo.history] == ["a red square"]


def test_a_user_counts_before_a_sidecar_and_a_sidecar_before_the_model(database: Database, photo_id: int) -> None:
    say(database, photo_id, "sidecar", "from the file")
    assert load(database, photo_id).caption.text == "from the file"  # type: ignore[union-attr]
    say(database, photo_id, "user", "from a person")
    assert load(database, photo_id).caption.text == "from a person"  # type: ignore[union-attr]


def test_the_same_bytes_are_the_same_photo(database: Database) -> None:
    facts = PhotoFacts("JPEG", 10, 20, 6, datetime(2024, 2, 29, 23, 59), "Canon", "50 mm", -33.5, 151.25)
    with database.write() as connection:
        [first] = photos.save_photos(connection, [photos.Content("abc", 5, PhotoFacts("PNG", 1, 1))])
        both = [photos.Content("new", 7, PhotoFacts("GIF", 2, 2)), photos.Content("abc", 5, facts, b"print")]
        other, again = photos.save_photos(connection, both)
        assert (again, other != first) == (first, True)
        found = photos.find_by_hash(connection, ["abc", "abd", "new"])
        assert found == {"abc": (first, False), "new": (other, False)}
    photo = load(database, first)
    assert photo.facts == facts
    assert photo.caption is None


def test_photos_are_loaded_in_the_order_asked_for_and_unknown_ones_left_out(database: Database, album: Path) -> None:
    add_files(database, album, "a.jpg", "b.jpg")
    one, two = (add_photo(database, album / name) for name in ("a.jpg", "b.jpg"))
    with database.read() as connection:
        loaded = photos.load_photos(connection, [two, 999, one], {})
    assert [photo.id for photo in loaded] == [two, one]


@pytest.mark.sqlite
def test_a_cleared_mark_is_gone(database: Database, photo_id: int) -> None:
    with database.write() as connection:
        seen = photos.stale_photos(connection, None)
        assert [marked for marked, _ in seen] == [photo_id]
        photos.clear_text_stale(connection, seen)
        assert photos.stale_photos(connection, None) == []


@pytest.mark.sqlite
def test_a_change_made_between_reading_and_clearing_keeps_its_mark(database: Database, photo_id: int) -> None:
    with database.read() as connection:
        seen = photos.stale_photos(connection, None)
    predict(database, photo_id, "changed meanwhile")
    with database.write() as connection:
        photos.clear_text_stale(connection, seen)
        assert [marked for marked, _ in photos.stale_photos(connection, None)] == [photo_id]


@pytest.mark.sqlite
def test_what_the_full_text_index_must_hold_is_captioned_and_present(
    database: Database, album: Path, photo_id: int
) -> None:
    add_files(database, album, "gone.jpg", "unread.jpg")
    add_photo(database, album / "gone.jpg")
    with database.write() as connection:
        mark_missing(connection, [album / "gone.jpg"])
        photos.save_photos(connection, [photos.Content("no caption", 1, PhotoFacts("JPEG", 1, 1))])
        assert photos.all_photo_ids(connection) == [photo_id]
        assert photos.count_photos(connection) == {"photos": 3, "captioned": 2, "text_stale": 3}


def test_photos_of_another_model_are_outdated_one_file_each(database: Database, album: Path, photo_id: int) -> None:
    copy, other = add_files(database, album, "copy of a.jpg", "b.jpg")
    add_photo(database, album / "copy of a.jpg", content_hash="hash of a.jpg")
    predict(database, add_photo(database, album / "b.jpg"), "newer")
    with database.read() as connection:
        first = files.photo_at(connection, album / "a.jpg")
        assert first is not None
        assert photos.captioned_before(connection, "fake-2") == [first[0]]
        assert sorted(photos.captioned_before(connection, None)) == sorted([first[0], other])
        assert copy not in photos.captioned_before(connection, None)
