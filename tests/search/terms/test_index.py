"""Learned terms between the catalogue and the impact matrix: never behind, never an error, and made again in time."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select

from photoindex.catalogue import photos, schema, term_vectors
from photoindex.catalogue.database import Database
from photoindex.catalogue.opening import open_database
from photoindex.catalogue.schema import photo
from photoindex.search.terms import index as term_index
from photoindex.search.terms import matrix_file
from photoindex.search.terms.index import FEW, TermIndex
from photoindex.types import TermVector, TermVocabulary
from tests.support import NOW, REPOSITORY, run_thread, term_vector

OLD = TermVocabulary(("dog", "cat", "black dog"), 0.5)
NEW = TermVocabulary(("tree", "dog"), 0.1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "terms"


@pytest.fixture
def index(database: Database, folder: Path) -> TermIndex:
    return TermIndex(database, folder)


def write(
    database: Database,
    first: int,
    last: int,
    vocabulary: TermVocabulary | None = OLD,
    model: str = "old",
    **impacts: int,
) -> None:
    """Give the photos with ids from ``first`` to ``last`` a vector, ``dog=10`` unless told otherwise."""
    with database.write() as connection:
        known = set(connection.execute(select(photo.c.id)).scalars())
        new = [
            {"id": number, "content_hash": str(number), "size": 1, "added_at": NOW, "text_stale": 0}
            for number in range(first, last + 1)
            if number not in known
        ]
        if new:
            connection.execute(insert(photo), new)
        model_id = photos.ensure_model(connection, model, "fake", "encoder", vocabulary)
        vector: TermVector | None = term_vector(vocabulary, impacts or {"dog": 10}) if vocabulary else None
        for number in range(first, last + 1):
            term_vectors.save_vectors(connection, {number: vector}, model_id)


def impacts(index: TermIndex, term: str) -> dict[int, float]:
    """photo id -> impact"""
    found = index.columns([term])
    if found is None or term not in found.by_term:
        return {}
    parts = found.by_term[term]
    ids = [number for part in parts for number in found.photo_ids[part.rows].tolist()]
    values = [value for part in parts for value in part.impacts().tolist()]
    return {number: round(value, 4) for number, value in zip(ids, values, strict=True) if number > 0}


def generations(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*")) if folder.exists() else []


def test_a_catalogue_without_vectors_has_no_columns_and_no_file(
    index: TermIndex, database: Database, folder: Path
) -> None:
    assert index.columns(["dog"]) is None
    assert index.similar({"dog": 1.0}) is None
    assert not term_index.tidy(database, folder)
    term_index.rebuild(database, folder)
    assert generations(folder) == []


def test_a_few_vectors_are_read_from_the_catalogue_without_a_file(
    index: TermIndex, database: Database, folder: Path
) -> None:
    write(database, 1, 3)
    assert impacts(index, "dog") == {1: 5.0, 2: 5.0, 3: 5.0}
    assert not term_index.tidy(database, folder)
    assert generations(folder) == []


def test_many_vectors_without_a_matrix_get_one_from_whoever_asks_first(
    index: TermIndex, database: Database, folder: Path
) -> None:
    write(database, 1, FEW + 1)
    assert len(impacts(index, "dog")) == FEW + 1
    assert generations(folder) == ["terms-1.matrix"]


def test_a_search_sees_what_was_committed_since_the_matrix_was_made(
    index: TermIndex, database: Database, folder: Path
) -> None:
    write(database, 1, 4)
    term_index.rebuild(database, folder)
    write(database, 2, 2, cat=4)  # replaced
    write(database, 5, 5, dog=2)  # new
    write(database, 3, 3, None)  # gone
    for asked in (
        index,
        TermIndex(database, folder),
    ):  # the one that had it open, and one that was killed and came back
        assert impacts(asked, "dog") == {1: 5.0, 4: 5.0, 5: 1.0}
        assert impacts(asked, "cat") == {2: 2.0}
    assert generations(folder) == ["terms-1.matrix"]
    write(database, 4, 4, cat=2)
    assert impacts(index, "cat") == {2: 2.0, 4: 1.0}


def test_two_models_vectors_are_searched_as_one(index: TermIndex, database: Database, folder: Path) -> None:
    write(database, 1, 3)
    write(database, 3, 4, NEW, "new", dog=20, tree=10)
    expected = {1: 5.0, 2: 5.0, 3: 2.0, 4: 2.0}
    assert impacts(index, "dog") == expected
    term_index.rebuild(database, folder)
    assert impacts(TermIndex(database, folder), "dog") == expected
    write(database, 1, 1, NEW, "new", tree=30)
    assert impacts(index, "dog") == {2: 5.0, 3: 2.0, 4: 2.0}
    assert impacts(index, "tree") == {1: 3.0, 3: 1.0, 4: 1.0}


def test_writers_rebuild_it_when_much_changed(index: TermIndex, database: Database, folder: Path) -> None:
    write(database, 1, FEW)
    assert not term_index.tidy(database, folder)
    write(database, FEW + 1, FEW + 1)
    assert term_index.tidy(database, folder)
    assert not term_index.tidy(database, folder)
    assert impacts(index, "dog").keys() == set(range(1, FEW + 2))
    write(database, 1, FEW + 1, cat=2)
    assert term_index.tidy(database, folder, busy=True)
    assert impacts(index, "dog") == {}
    assert len(impacts(index, "cat")) == FEW + 1
    assert generations(folder) == ["terms-2.matrix"]


def test_while_busy_a_writer_lets_more_gather(
    database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(term_index, "FEW", 1)
    write(database, 1, 100)
    term_index.rebuild(database, folder)
    write(database, 1, 25)
    assert not term_index.tidy(database, folder, busy=True)
    write(database, 26, 26)
    assert term_index.tidy(database, folder, busy=True)
    write(database, 1, 3)
    assert term_index.tidy(database, folder)


def test_a_matrix_of_another_catalogue_or_of_its_future_is_not_believed(
    index: TermIndex, database: Database, folder: Path, tmp_path: Path
) -> None:
    write(database, 1, 3)
    database.backup(tmp_path / "backup.sqlite3")
    write(database, 1, 2, cat=4)
    term_index.rebuild(database, folder)
    assert impacts(index, "dog") == {3: 5.0}
    restored = open_database(tmp_path / "backup.sqlite3")
    assert impacts(TermIndex(restored, folder), "dog") == {1: 5.0, 2: 5.0, 3: 5.0}
    restored.close()
    stranger = open_database(tmp_path / "stranger.sqlite3")
    write(stranger, 9, 9, cat=2)
    write(stranger, 9, 9, cat=2)
    assert impacts(TermIndex(stranger, folder), "cat") == {9: 1.0}
    assert impacts(TermIndex(stranger, folder), "dog") == {}
    stranger.close()


@pytest.mark.parametrize("damage", ["truncated", "garbage", "empty", "a column"])
def test_a_damaged_matrix_is_rebuilt_from_the_catalogue(
    index: TermIndex, database: Database, folder: Path, damage: str
) -> None:
    write(database, 1, FEW + 1, dog=10, cat=2)
    term_index.rebuild(database, folder)
    [path] = folder.iterdir()
    content = path.read_bytes()
    wrong = {
        "truncated": content[: len(content) // 2],
        "garbage": b"\xff" * len(content),
        "empty": b"",
        "a column": content[:-10] + bytes(10),  # of impacts: met only when it is read
    }[damage]
    path.write_bytes(wrong)
    assert set(impacts(index, "dog").values()) == {5.0}
    assert set(impacts(index, "cat").values()) == {1.0}
    assert generations(folder) == ["terms-2.matrix"]
    assert matrix_file.load(folder / "terms-2.matrix").column("cat") is not None


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_happened_to_the_file_the_answer_is_the_catalogues(
    database: Database, tmp_path: Path, data: st.DataObject
) -> None:
    if not (tmp_path / "whole").exists():
        write(database, 1, 20, dog=10, cat=3)
        write(database, 21, 30, NEW, "new", dog=7)
        term_index.rebuild(database, tmp_path / "whole")
    content = bytearray((tmp_path / "whole" / "terms-1.matrix").read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    folder = tmp_path / "damaged"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "terms-1.matrix").write_bytes(content)
    index = TermIndex(database, folder)
    assert impacts(index, "dog") == {n: 5.0 if n <= 20 else 0.7 for n in range(1, 31)}
    assert impacts(index, "cat") == dict.fromkeys(range(1, 21), 1.5)
    assert impacts(index, "tree") == {}
    likeness = index.similar({"cat": 1.0})
    assert likeness is not None
    assert sorted(likeness.photo_ids.tolist()) == list(range(1, 21))
    index.close()


def test_a_disk_that_refuses_costs_no_answer(database: Database, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    write(database, 1, FEW + 1)
    for folder in (tmp_path / "file", tmp_path / "file" / "terms"):
        index = TermIndex(database, folder)
        assert len(impacts(index, "dog")) == FEW + 1
        term_index.rebuild(database, folder)
        assert term_index.tidy(database, folder)
        write(database, 1, 1, cat=2)
        assert impacts(index, "cat") == {1: 1.0}
        write(database, 1, 1)


def test_what_photos_share_names_the_terms(index: TermIndex, database: Database) -> None:
    write(database, 1, 1, dog=30, cat=40)
    write(database, 2, 2, dog=50)
    found = index.similar({"dog": 3.0, "cat": 4.0})
    assert found is not None
    assert found.photo_ids.tolist() == [1, 2]
    assert found.cosines.tolist() == pytest.approx([1.0, 0.6])
    shared = index.shared({"dog": 3.0, "cat": 4.0}, [1, 2, 99])
    assert {number: {term: round(w, 4) for term, w in each.items()} for number, each in shared.items()} == {
        1: {"dog": 0.36, "cat": 0.64},
        2: {"dog": 0.6},
    }


def test_threads_may_ask_at_once_while_it_changes(index: TermIndex, database: Database) -> None:
    write(database, 1, 50)
    wrong: list[object] = []

    def ask() -> None:
        for _ in range(30):
            found = impacts(index, "dog")
            if found.keys() < set(range(1, 51)) or set(found.values()) - {5.0, 0.5}:
                wrong.append(found)

    threads = [run_thread(ask) for _ in range(3)]
    for number in range(1, 30):
        write(database, number, number, dog=1)
    for thread in threads:
        thread.join()
    assert wrong == []


WRITE = """
import sys
from pathlib import Path
import numpy as np
from photoindex.search.terms import index as term_index
from photoindex.catalogue import term_vectors
from photoindex.catalogue.opening import open_database
from photoindex.types import TermVector

database, folder = open_database(Path(sys.argv[1])), Path(sys.argv[2])
for turn in range(1, 31):
    with database.write() as connection:
        for photo_id in range(1, 21):
            vector = TermVector(np.array([0], np.uint16), np.array([turn], np.uint8))
            term_vectors.save_vectors(connection, {photo_id: vector}, 1)
    if turn % 3 == 0:
        term_index.rebuild(database, folder)
    print(turn, flush=True)
database.close()
"""


def test_beside_a_writer_every_answer_is_one_whole_commit(index: TermIndex, database: Database, folder: Path) -> None:
    write(database, 1, 20, dog=1)
    seen = set()
    with subprocess.Popen(
        [sys.executable, "-c", WRITE, str(database.path), str(folder)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        while process.poll() is None:
            found = impacts(index, "dog")
            assert found.keys() == set(range(1, 21))
            assert len(set(found.values())) == 1
            seen |= set(found.values())
    assert process.returncode == 0
    assert set(impacts(index, "dog").values()) == {15.0}
    assert len(seen) > 1
    assert len(generations(folder)) == 1


def test_a_batch_of_packed_vectors_that_make_no_sense_is_left_out(index: TermIndex, database: Database) -> None:
    write(database, 1, 2)
    with database.write() as connection:
        connection.execute(schema.term_vector.update().where(schema.term_vector.c.photo_id == 1).values(entries=b"ab"))
        connection.execute(schema.catalogue.update().values(vector_revision=9))
    assert impacts(index, "dog") == {2: 5.0}


def test_impacts_are_raised_to_a_power_by_their_own_models_scale(index: TermIndex, database: Database) -> None:
    write(database, 1, 1)
    write(database, 2, 2, model="fake-2", vocabulary=TermVocabulary(("dog",), 4.0))
    found = index.columns(["dog"])
    assert found is not None
    as_they_are = [part.impacts().item() for part in found.by_term["dog"]]
    assert as_they_are == [5.0, 40.0]
    assert [part.raised(2.0, 0.5).impacts().item() for part in found.by_term["dog"]] == [12.5, 800.0]


def test_numbers_stay_in_their_types(index: TermIndex, database: Database) -> None:
    write(database, 1, 1)
    found = index.columns(["dog"])
    assert found is not None
    (part,) = found.by_term["dog"]
    ((_, rows, levels),) = part.blocks
    assert found.photo_ids.dtype == np.int64
    assert rows.dtype == np.uint16
    assert levels.dtype == np.uint8
    for each in (part, part.raised(0.7, 0.5)):
        assert each.impacts().dtype == each.at(np.zeros(1, np.intp))[1].dtype == np.float32
