"""Learned terms in the catalogue: kept with the caption, read through the vocabulary of the model that made them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, update

from photoindex.catalogue import fast_queries, photos, term_encoding, term_vectors
from photoindex.catalogue.database import Database
from photoindex.catalogue.opening import open_database
from photoindex.catalogue.schema import file, model, photo, term_vector
from photoindex.types import Candidate, Prediction, TermVector, TermVocabulary
from tests.support import REPOSITORY, add_files, add_photo
from tests.support import term_vector as make_vector

ON_BOTH = True

OLD = TermVocabulary(("dog", "black dog", "été"), 0.5)
NEW = TermVocabulary(("tree", "dog"), 0.1)


@pytest.fixture
def ids(database: Database, album: Path) -> list[int]:
    """Three photos by the model ``old``: the first two with a vector."""
    add_files(database, album, "a.jpg", "b.jpg", "c.jpg")
    return [
        add_photo(database, album / "a.jpg", vocabulary=OLD, impacts={"dog": 10, "été": 200}, model="old"),
        add_photo(database, album / "b.jpg", vocabulary=OLD, impacts={"black dog": 1}, model="old"),
        add_photo(database, album / "c.jpg", vocabulary=OLD, model="old"),
    ]


def predict(database: Database, photo_id: int, identity: str, vocabulary: TermVocabulary, **impacts: int) -> None:
    with database.write() as connection:
        model_id = photos.ensure_model(connection, identity, "fake", "encoder", vocabulary)
        terms = make_vector(vocabulary, impacts) if impacts else None
        prediction = Prediction((Candidate("a dog", -1.0, -0.5),), terms=terms)
        photos.save_predictions(connection, {photo_id: prediction}, model_id, "none")


def terms(database: Database, photo_id: int) -> list[tuple[str, float, str]]:
    with database.read() as connection:
        return [(term.text, term.weight, term.source) for term in term_vectors.terms_of(connection, photo_id)]


def test_a_photos_terms_come_heaviest_first(database: Database, ids: list[int]) -> None:
    assert terms(database, ids[0]) == [("été", 100.0, "model"), ("dog", 5.0, "model")]
    assert terms(database, ids[2]) == []


def test_a_new_prediction_replaces_the_vector_and_keeps_the_other_models_vocabulary(
    database: Database, ids: list[int]
) -> None:
    predict(database, ids[0], "new", NEW, dog=30)
    [(text, impact, source)] = terms(database, ids[0])
    assert (text, source) == ("dog", "model")
    assert impact == pytest.approx(3.0)
    assert terms(database, ids[1]) == [("black dog", 0.5, "model")]
    with database.read() as connection:
        assert sorted(fast_queries.vocabularies(connection).values(), key=lambda v: v.scale) == [NEW, OLD]


def test_a_model_without_terms_leaves_an_empty_vector_that_others_learn_of(database: Database, ids: list[int]) -> None:
    with database.read() as connection:
        before = fast_queries.vector_state(connection)
    predict(database, ids[0], "old", OLD)
    assert terms(database, ids[0]) == []
    with database.read() as connection:
        [changed] = fast_queries.vectors_after(connection, before.revision)
        assert (changed.photo_id, changed.entries) == (ids[0], b"")


def test_every_write_has_a_revision_of_its_own_above_all_before(database: Database, ids: list[int]) -> None:
    with database.read() as connection:
        assert [v.photo_id for v in fast_queries.vectors_after(connection, 0)] == ids[:2]
        assert fast_queries.vector_state(connection).revision == 2
    predict(database, ids[0], "old", OLD, dog=1)
    with database.read() as connection:
        assert [v.photo_id for v in fast_queries.vectors_after(connection, 0)] == [ids[1], ids[0]]
        assert [v.photo_id for v in fast_queries.vectors_after(connection, 2)] == [ids[0]]
        assert fast_queries.count_vectors(connection, after=1) == 2
    with database.write() as connection:  # the photo with the highest one goes, and no revision comes twice
        connection.execute(delete(term_vector).where(term_vector.c.photo_id == ids[0]))
    predict(database, ids[1], "old", OLD, dog=1)
    with database.read() as connection:
        assert fast_queries.vector_state(connection).revision == 4
        assert [v.photo_id for v in fast_queries.vectors_after(connection, 3)] == [ids[1]]


def test_a_write_that_is_rolled_back_leaves_no_revision(database: Database, ids: list[int]) -> None:
    with pytest.raises(ZeroDivisionError), database.write() as connection:
        term_vectors.save_vectors(connection, {ids[0]: make_vector(OLD, {"dog": 1})}, 1)
        raise ZeroDivisionError
    with database.read() as connection:
        assert fast_queries.vector_state(connection).revision == 2


def test_a_catalogue_without_vectors_has_none(database: Database, album: Path) -> None:
    add_files(database, album, "a.jpg")
    add_photo(database, album / "a.jpg")
    with database.read() as connection:
        assert fast_queries.vector_state(connection).revision == 0
        assert fast_queries.vocabularies(connection) == {}
        assert fast_queries.count_vectors(connection) == 0


def test_each_catalogue_has_an_identity_of_its_own(database: Database, tmp_path: Path) -> None:
    other = open_database(tmp_path / "other.sqlite3")
    with database.read() as one, other.read() as two:
        assert fast_queries.vector_state(one).identity != fast_queries.vector_state(two).identity
    other.close()


def test_the_vector_goes_with_its_photo(database: Database, ids: list[int]) -> None:
    with database.write() as connection:
        connection.execute(update(term_vector).values(revision=1))
        connection.execute(update(file).values(photo_id=None))
        connection.execute(delete(photo).where(photo.c.id == ids[0]))
        assert [v.photo_id for v in fast_queries.vectors_after(connection, 0)] == [ids[1]]


def test_the_vectors_of_a_model_come_by_photo_without_empty_ones(
    database: Database, ids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(term_vectors, "BATCH", 1)
    predict(database, ids[2], "old", OLD, dog=3, été=4)
    predict(database, ids[1], "old", OLD)
    with database.read() as connection:
        [old] = fast_queries.vocabularies(connection)
        found = list(term_vectors.vectors_of_model(connection, old))
    assert [batch.photo_ids.tolist() for batch in found] == [[ids[0]], [ids[2]]]
    assert [batch.counts.tolist() for batch in found] == [[2], [2]]
    assert [batch.ids.tolist() for batch in found] == [[0, 2], [0, 2]]
    assert [batch.impacts.tolist() for batch in found] == [[10, 200], [3, 4]]


@pytest.mark.parametrize(
    ("column", "value"), [("entries", b"ab"), ("entries", b"\xff\xff\x01"), ("terms", b"garbage"), ("terms", b"")]
)
def test_bytes_that_make_no_sense_are_no_terms(database: Database, ids: list[int], column: str, value: bytes) -> None:
    with database.write() as connection:
        connection.execute(update(term_vector if column == "entries" else model).values({column: value}))
    assert terms(database, ids[0]) == []


@settings(deadline=None)
@given(st.dictionaries(st.integers(0, 65535), st.integers(1, 255), max_size=128))
def test_a_vector_comes_back_as_it_was(entries: dict[int, int]) -> None:
    pairs = sorted(entries.items())
    vector = TermVector(np.array([i for i, _ in pairs], np.uint16), np.array([q for _, q in pairs], np.uint8))
    packed = term_encoding.pack_vector(vector)
    assert len(packed) == 3 * len(entries)
    assert term_encoding.unpack_vector(packed) == vector
    assert hash(term_encoding.unpack_vector(packed)) == hash(vector)


def test_vectors_are_equal_when_their_entries_are() -> None:
    one = make_vector(OLD, {"dog": 1})
    assert one == make_vector(OLD, {"dog": 1})
    assert one != make_vector(OLD, {"dog": 2})
    assert one != make_vector(OLD, {"black dog": 1})
    assert one != "dog"


WRITE = """
import sys
from pathlib import Path
import numpy as np
from photoindex.catalogue import term_vectors
from photoindex.catalogue.opening import open_database
from photoindex.types import TermVector

database = open_database(sys.argv[1] if "://" in sys.argv[1] else Path(sys.argv[1]))
vector = TermVector(np.array([0], np.uint16), np.array([9], np.uint8))
for _ in range(20):
    with database.write() as connection:
        term_vectors.save_vectors(connection, {int(sys.argv[2]): vector}, 1)
database.close()
"""


def test_two_processes_never_take_the_same_revision(database: Database, ids: list[int], catalogue: str) -> None:
    place = catalogue or str(database.path)
    processes = [
        subprocess.Popen([sys.executable, "-c", WRITE, place, str(photo_id)], cwd=REPOSITORY) for photo_id in ids[:2]
    ]
    assert [process.wait() for process in processes] == [0, 0]
    with database.read() as connection:
        assert fast_queries.vector_state(connection).revision == 2 + 40
        revisions = connection.execute(term_vector.select()).all()
    assert len({row.revision for row in revisions}) == 2
    assert max(row.revision for row in revisions) == 42
