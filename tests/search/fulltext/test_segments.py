"""The index as segments: equal to a plain one whatever is added, replaced and removed, and whole whatever happens."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photoindex.errors import FullTextError
from photoindex.language.analysis import stem
from photoindex.search import Document, FullText
from photoindex.search.checked_file import DamagedFile
from photoindex.search.fulltext import collector, merging, spaces, store
from photoindex.search.fulltext.document import fields_of
from photoindex.search.fulltext.reader import Asked
from photoindex.search.fulltext.segment import Segment
from photoindex.search.ranking.weights import DEFAULT_RANKING, FIELD_WEIGHTS

FIRST_DAY = datetime(2020, 1, 1)
WORDS = ("dog", "dogs", "ball", "red", "tree", "treehouse", "cat", "5", "été")


@st.composite
def documents(draw: st.DrawFn) -> Document:
    texts = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)
    day = draw(st.none() | st.integers(0, 9))
    return Document(
        draw(st.integers(1, 12)), draw(texts), f"{draw(texts)} . {draw(texts)}", tags=draw(texts),
        taken_at=None if day is None else FIRST_DAY + timedelta(days=day),
        position=draw(st.sampled_from([None, (38.7, -9.1)])),
    )  # fmt: skip


STEPS = st.lists(st.tuples(st.lists(documents(), max_size=6), st.lists(st.integers(1, 12), max_size=4)), max_size=8)


@pytest.fixture
def tiny_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments that are full with five documents, and become one when there are three of a size."""
    monkeypatch.setattr(store, "MOST_DOCUMENTS", 5)
    monkeypatch.setattr(merging, "MOST_DOCUMENTS", 5)
    monkeypatch.setattr(merging, "TOGETHER", 3)
    monkeypatch.setattr(merging, "_SMALLEST", 2)
    monkeypatch.setattr(collector, "_AT_ONCE", 7)


class Plain:
    """The same index as a dictionary."""

    def __init__(self, held: Mapping[int, Document]) -> None:
        self.fields = {number: fields_of(document) for number, document in held.items()}

    def frequencies(self, field: str, word: str) -> dict[int, int]:
        counted = {}
        for number, fields in self.fields.items():
            value = fields.get(field, [])
            places = [(each,) for each in value.split(" ")] if isinstance(value, str) else value
            if times := sum(words.count(word) for words in places):
                counted[number] = times
        return counted

    def adjacent(self, field: str, one: str, other: str) -> set[int]:
        return {
            number
            for number, fields in self.fields.items()
            for places in [fields.get(field, [])]
            if any(one in here and other in there for here, there in pairwise(places))
        }

    def score(self, number: int, words: list[str]) -> float:
        """BM25F as matcher.py has it, for plain words without synonyms."""
        total, found = 0.0, 0
        for word in words:
            worths: dict[int, float] = {}
            for name, weight in FIELD_WEIGHTS.items():
                for holder, times in self.frequencies(name, word).items():
                    worths[holder] = worths.get(holder, 0) + weight * (1 + math.log(times))
            if number in worths:
                found += 1
                idf = math.log(1 + (len(self.fields) - len(worths) + 0.5) / (len(worths) + 0.5))
                total += idf * 1.6 * worths[number] / (0.6 + worths[number])
        return total * (1 - 0.9 * (1 - found / len(words)))


@pytest.mark.usefixtures("tiny_segments")
@settings(max_examples=30, deadline=None)
@given(STEPS)
def test_it_is_what_a_plain_index_is(tmp_path_factory: pytest.TempPathFactory, steps: list[Any]) -> None:
    held: dict[int, Document] = {}
    with FullText.open(tmp_path_factory.mktemp("index")) as index:
        for added, removed in steps:
            index.update(added, removed)
            for number in removed:
                held.pop(number, None)
            held.update({document.photo_id: document for document in added})
        check(index, Plain(held), held)
        index.optimize()
        check(index, Plain(held), held)


def check(index: FullText, plain: Plain, held: Mapping[int, Document]) -> None:
    reader = index._current_reader()
    photos = reader.photo_ids()
    assert sorted(photos[reader.documents()].tolist()) == sorted(held)
    assert (reader.alive, index.photo_ids()) == (len(held), set(held))
    for field in ("caption", "beams", "tags", "tags_as_written", "has"):
        for word in {*map(stem, WORDS), *WORDS, "gps", "\x1f"}:
            ids, frequencies = reader.postings(field, word)
            found = dict(zip(photos[ids].tolist(), frequencies.tolist(), strict=True))
            expected = plain.frequencies(field, word) if word != "\x1f" or field == "tags_as_written" else {}
            assert found == expected, (field, word)
            assert (np.diff(ids) > 0).all()
    for one in map(stem, WORDS[:5]):
        for other in map(stem, WORDS[:5]):
            met = reader.adjacent(list(FIELD_WEIGHTS), [[one], [other]])
            for field in ("caption", "beams", "tags"):
                found_in = set(photos[met[field]].tolist()) if field in met else set()
                assert found_in == plain.adjacent(field, one, other), (field, one, other)
    for first in range(0, 10, 3):
        day = FIRST_DAY.toordinal() + first
        expected_days = {n for n, each in held.items() if each.taken_at and day <= each.taken_at.toordinal() <= day + 2}
        assert set(photos[reader.in_range("taken", day, day + 2)].tolist()) == expected_days
    forms = {form for fields in plain.fields.values() for form in fields.get("forms", "").split(" ") if form}
    assert forms <= set(reader.with_prefix("forms", ""))
    assert {form for form in forms if form.startswith("tree")} <= set(reader.with_prefix("forms", "tree"))
    for query in (["dog"], ["dog", "ball"], ["red", "cat", "tree"]):
        ranking = DEFAULT_RANKING.__class__(synonyms=0.0)
        matches = index.search(" ".join(query), None, ranking)
        for match in matches:
            if "treehouse" not in held[match.photo_id].caption:
                assert match.score == pytest.approx(plain.score(match.photo_id, [stem(w) for w in query]), rel=1e-4)
        assert [match.score for match in matches] == sorted((match.score for match in matches), reverse=True)


@given(st.text("abcé", min_size=1, max_size=5), st.integers(0, 2), st.integers(0, 2))
@settings(max_examples=30, deadline=None)
def test_near_words_are_those_by_levenshteins_table(
    tmp_path_factory: pytest.TempPathFactory, word: str, distance: int, prefix: int
) -> None:
    folder = tmp_path_factory.mktemp("index")
    known = ["a", "ab", "abc", "abcé", "bac", "cab", "aaaa", "cé", "éa", "abcba"]
    store.create(folder)
    with store.writer(folder) as writer:
        writer.add({"photo": 1, "forms": " ".join(sorted(known))})
    reader = store.SegmentIndex(folder).reader()
    fixed = word[:prefix]
    expected = {
        each for each in known
        if each.startswith(fixed) and edits(each[len(fixed):], word[len(fixed):]) <= distance
    }  # fmt: skip
    assert set(reader.within("forms", word, distance, prefix=prefix)) == expected
    assert list(reader.with_prefix("forms", word)) == sorted(each for each in known if each.startswith(word))


def edits(one: str, other: str) -> int:
    row = list(range(len(other) + 1))
    for letter in one:
        before, row = row, [row[0] + 1]
        for at, wanted in enumerate(other):
            row.append(min(before[at] + (letter != wanted), before[at + 1] + 1, row[at] + 1))
    return row[-1]


def test_a_word_counts_at_most_fifteen_times_in_a_field(tmp_path: Path) -> None:
    with FullText.open(tmp_path) as index:
        index.rebuild([Document(1, "dog " * 30, tags=" . ".join(["cat"] * 40)), Document(2, "dog")])
        reader = index._current_reader()
        assert [each.tolist() for each in reader.postings("caption", "dog")] == [[0, 1], [15, 1]]
        assert [each.tolist() for each in reader.postings("tags_as_written", "cat")] == [[0], [40]]
        assert [match.photo_id for match in index.search('tag:"cat"')] == [1]


def test_a_segment_that_is_full_is_followed_by_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST_DOCUMENTS", 4)
    with FullText.open(tmp_path) as index:
        index.rebuild(Document(number, f"dog number{number}") for number in range(1, 11))
        assert len(list(tmp_path.glob("index-*/*.segment"))) == 3
        assert {match.photo_id for match in index.search("dog", None)} == set(range(1, 11))
        assert [match.photo_id for match in index.search("number7")] == [7]


def test_segments_become_few_and_deleted_documents_go(tmp_path: Path) -> None:
    with FullText.open(tmp_path) as index:
        for start in range(0, 300, 10):
            index.update([Document(number, "a dog") for number in range(start + 1, start + 11)], [start - 4])
        assert len(list(tmp_path.glob("index-*/*.segment"))) < merging.TOGETHER
        assert index.count() == 300 - 29
        index.optimize()
        reader = index._current_reader()
        assert (reader.size, reader.alive) == (271, 271)


# ---- whatever happens ----------------------------------------------------------------------------

WRITE = """
import sys
from pathlib import Path
from photoindex.search import Document, FullText
index = FullText.open(Path(sys.argv[1]))
for step in range(1, int(sys.argv[2]) + 1):
    index.update([Document(number, f"a dog, step{step}") for number in range(1, 41)])
    print(step, flush=True)
"""


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that replaces forty photos again and again, and says after each commit how many there were."""
    FullText.open(tmp_path / "index").close()
    command = [sys.executable, "-c", WRITE, str(tmp_path / "index"), "100000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("steps", [1, 2, 5, 8, 9, 17])
def test_a_writer_that_is_killed_leaves_a_whole_index(
    writer: subprocess.Popen[str], tmp_path: Path, steps: int
) -> None:
    assert writer.stdout is not None
    for _ in range(steps):
        said = int(writer.stdout.readline())
    writer.kill()
    writer.wait()
    said = max([said, *map(int, writer.stdout.read().split())])
    with FullText.open(tmp_path / "index") as index:
        assert index.damaged_files() == []
        assert index.count() == 40
        last = {len(index.search(f"step{step}", None)) for step in (said, said + 1)}
        assert last == {0, 40}  # all of a step or nothing
        index.update([Document(50, "a zebra")])
        assert [match.photo_id for match in index.search("zebra")] == [50]
        [folder] = (tmp_path / "index").glob("index-*")
        assert {path.name for path in folder.glob("*.segment")} == set(store.read_commit(folder).segments)


def test_a_reader_beside_a_writer_is_never_refused(writer: subprocess.Popen[str], tmp_path: Path) -> None:
    assert writer.stdout is not None
    writer.stdout.readline()
    with FullText.open(tmp_path / "index") as index:
        seen = 0
        for _ in range(150):
            matches = index.search("dog", None)
            assert len({match.photo_id for match in matches}) == len(matches) == 40
            seen += 1
    assert seen == 150
    assert writer.poll() is None


@pytest.mark.parametrize("name", ["commit", "words-1.segment"])
def test_a_damaged_file_is_named_and_rebuilt(tmp_path: Path, name: str) -> None:
    with FullText.open(tmp_path) as index:
        index.rebuild([Document(1, "a dog"), Document(2, "a cat")])
        [path] = tmp_path.glob(f"index-*/{name}")
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    with FullText.open(tmp_path) as index:
        assert index.damaged_files() == [path]
        with pytest.raises(FullTextError, match=rf"{name} is damaged.*photoindex reindex --fulltext"):
            index.search("dog cat -horse has:gps")
            index.search("d* c~ taken:2020")
            index.photo_ids()
        assert index.needs_rebuild
        index.rebuild([Document(1, "a dog")])
        assert [match.photo_id for match in index.search("dog")] == [1]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_damage_to_a_segment_goes_unnoticed(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("index")
    store.create(folder)
    with store.writer(folder) as writer:
        writer.add(fields_of(Document(1, "a dog and a ball", tags="red . blue", taken_at=FIRST_DAY)))
    path = folder / "words-1.segment"
    whole = path.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    damaged = bytearray(whole)
    damaged[place] ^= data.draw(st.integers(1, 255))
    path.unlink()
    path.write_bytes(damaged)
    try:
        Segment(path).check()
    except DamagedFile:
        return
    read = Segment(path)  # the byte is one between two arrays
    assert read.words() == Segment(path).words()
    assert read.entries("caption", "dog") is not None


def test_an_index_of_before_is_rebuilt_once(tmp_path: Path) -> None:
    (tmp_path / "index-1").mkdir()
    (tmp_path / "index-1" / "_MAIN_1.toc").write_bytes(b"of another library")
    stamp = '{"index": "index-1", "complete": true, "as": {"schema": 6, "analyser": "x", "fields": []}}'
    (tmp_path / "current.json").write_text(stamp)
    with FullText.open(tmp_path) as index:
        assert index.needs_rebuild
        with pytest.raises(FullTextError, match=r"was written by another version: run photoindex reindex --fulltext"):
            index.search("dog")
        index.rebuild([Document(1, "a dog")])
        assert not index.needs_rebuild
        assert [match.photo_id for match in index.search("dog")] == [1]
    assert [path.name for path in tmp_path.glob("index-*")] == ["index-2"]


def test_a_word_counts_so_often_and_no_more(tmp_path: Path) -> None:
    slot = spaces.TEXT_FIELDS.index("caption")
    most = spaces.MOST[slot]
    said = {1: "dog", 2: "dog " * most, 3: "ball " + "dog " * (most + 5) + "cat", 4: "dog cat " * (most + 1)}
    store.create(tmp_path)
    with store.writer(tmp_path) as writer:
        for number, caption in said.items():
            writer.add(fields_of(Document(number, caption)))
    reader = store.SegmentIndex(tmp_path).reader()
    ids, counts = reader.postings("caption", "dog")
    assert dict(zip(reader.photo_ids()[ids].tolist(), counts.tolist(), strict=True)) == {
        1: 1,
        2: most,
        3: most,
        4: most,
    }
    # What is counted still stands where it stood, and so do the other words.
    assert reader.adjacent(["caption"], [["ball"], ["dog"]])["caption"].tolist() == [2]
    assert reader.adjacent(["caption"], [["dog"], ["cat"]])["caption"].tolist() == [3]
    ids, counts = reader.postings("caption", "cat")
    assert dict(zip(reader.photo_ids()[ids].tolist(), counts.tolist(), strict=True)) == {3: 1, 4: most}


def test_merged_segments_hold_what_they_were_made_of(tmp_path: Path) -> None:
    store.create(tmp_path)
    for number in range(3):
        with store.writer(tmp_path) as writer:
            writer.add(fields_of(Document(number + 1, f"a dog {number}", tags=f"tag{number} . red ball")))
    before = store.SegmentIndex(tmp_path).reader()
    expected = {word: before.postings("caption", word)[0].tolist() for word in ("dog", "0", "1", "2")}
    with store.writer(tmp_path) as writer:
        writer.merge()
    assert len(store.read_commit(tmp_path).segments) == 1
    after = store.SegmentIndex(tmp_path).reader()
    assert {word: after.postings("caption", word)[0].tolist() for word in expected} == expected
    assert after.adjacent(["tags_as_written"], [["red"], ["ball"]])["tags_as_written"].tolist() == [0, 1, 2]
    assert collector.MOST_DOCUMENTS == 1 << 16


def test_a_word_may_be_a_run_of_places_between_others(tmp_path: Path) -> None:
    said = {0: "ball dog cat", 1: "ball red dog cat", 2: "ball red big dog cat", 3: "ball big red cat", 4: "red dog"}
    store.create(tmp_path)
    with store.writer(tmp_path) as writer:
        for number, caption in said.items():
            writer.add(fields_of(Document(number, caption)))
    reader = store.SegmentIndex(tmp_path).reader()
    run = (("red", "nowhere"), ("dog",))
    cases: list[tuple[list[list[Asked]], list[int]]] = [
        ([["ball"], ["dog", run], ["cat"]], [0, 1]),
        ([["ball"], [run], ["cat"]], [1]),
        ([["ball"], ["nowhere", run]], [1]),
        ([[run], ["cat"]], [1]),
        ([[run]], [1, 4]),
        ([["ball"], [(("red",), ("big",), ("dog",)), (("big",), ("red",))], ["cat"]], [2, 3]),
        ([["ball"], [(("nowhere",), ("dog",))], ["cat"]], []),
    ]
    for places, expected in cases:
        found = reader.adjacent(["caption"], places).get("caption")
        assert ([] if found is None else reader.photo_ids()[found].tolist()) == expected, places
