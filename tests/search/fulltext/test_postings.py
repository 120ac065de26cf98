"""Postings taken from Whoosh in blocks: those that it hands out one by one, without deleted documents."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from photoindex.search import Document, FullText
from photoindex.search.fulltext import whoosh_blocks
from photoindex.search.fulltext.whoosh import WhooshReader

DAY = datetime(2020, 1, 1)
COUNT = 700  # several blocks of 128
GONE = range(100, 400, 7)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WhooshReader]:
    """An index of two segments from which photos were removed since they were written."""
    documents = [
        Document(
            number,
            " ".join(["dog"] * (1 + number % 3) + ["ball"] * (number % 2) + ["zebra"] * (number == 5)),
            taken_at=DAY + timedelta(days=number) if number % 5 else None,
        )
        for number in range(1, COUNT + 1)
    ]
    with FullText.open(tmp_path_factory.mktemp("index")) as index:
        index.rebuild(documents)
        index.update([Document(COUNT + 1, "a dog of the second segment", taken_at=DAY)], list(GONE))
        opened = index._current_reader()
        assert isinstance(opened, WhooshReader)
        yield opened


def one_by_one(reader: WhooshReader, field: str, term: str) -> list[tuple[int, float]]:
    """The postings as Whoosh's public interface gives them."""
    found = []
    for leaf, offset in reader._leaves:
        if (field, term) in leaf:
            matcher = leaf.postings(field, term)
            while matcher.is_active():
                found.append((matcher.id() + offset, matcher.weight()))
                matcher.next()
    return found


@pytest.mark.parametrize("term", ["dog", "ball", "zebra"])
def test_they_are_what_whoosh_hands_out(reader: WhooshReader, term: str) -> None:
    ids, frequencies = reader.postings("caption", term)
    assert list(zip(ids.tolist(), frequencies.tolist(), strict=True)) == one_by_one(reader, "caption", term) != []


def test_so_they_are_where_the_blocks_are_kept_elsewhere(reader: WhooshReader, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = tuple(each.tolist() for each in reader.postings("caption", "dog"))
    photos = reader.photo_ids().tolist()
    monkeypatch.setattr(whoosh_blocks, "_BLOCK", ("no_such_name",))
    monkeypatch.setattr(whoosh_blocks, "_COLUMN", ("no_such_name",))
    monkeypatch.setattr(reader, "_photo_ids", None)
    ids, frequencies = reader.postings("caption", "dog")
    assert (ids.tolist(), frequencies.tolist()) == expected
    assert reader.photo_ids().tolist() == photos


def test_there_are_many_and_some_are_deleted(reader: WhooshReader) -> None:
    assert reader.postings("caption", "dog")[0].size == COUNT + 1 - len(GONE) == reader.alive == reader.documents().size
    assert reader.size == COUNT + 1


@pytest.mark.parametrize(("first", "last"), [(0, 0), (3, 3), (1, 400), (17, 256), (0, COUNT), (COUNT + 1, COUNT + 9)])
def test_a_range_of_numbers_is_the_documents_that_have_one_of_them(reader: WhooshReader, first: int, last: int) -> None:
    start = DAY.toordinal()
    wanted = {n for n in range(1, COUNT + 1) if n not in GONE and n % 5 and first <= n <= last}
    ids = reader.in_range("taken", start + first, start + last)
    assert set(reader.photo_ids()[ids].tolist()) == wanted | ({COUNT + 1} if first == 0 else set())


def test_words_follow_one_another_in_any_of_their_spellings(tmp_path: Path) -> None:
    captions = ["a red dog runs", "a red cat runs", "a dog red runs", "red runs dog", "red dog"]
    with FullText.open(tmp_path / "index") as index:
        index.rebuild([Document(number, caption) for number, caption in enumerate(captions)])
        reader = index._current_reader()
        assert reader.adjacent("caption", [["red"], ["dog"]]).tolist() == [0, 4]
        assert reader.adjacent("caption", [["red"], ["dog", "cat"], ["run"]]).tolist() == [0, 1]
        assert reader.adjacent("caption", [["red"], ["nowhere"]]).tolist() == []
