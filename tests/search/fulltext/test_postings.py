"""Postings taken from Whoosh in blocks: those that it hands out one by one, without deleted documents."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from photoindex.search import Document, FullText
from photoindex.search.fulltext import whoosh
from photoindex.search.ranking.matcher import day_number

DAY = datetime(2020, 1, 1)
COUNT = 700  # several blocks of 128
GONE = range(100, 400, 7)


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Any]]:
    """The segments of an index from which photos were removed since they were written."""
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
        yield [reader for reader, _ in index._current_reader().leaf_readers()]


def one_by_one(reader: Any, field: str, term: str | bytes) -> list[tuple[int, float]]:
    matcher, found = reader.postings(field, term), []
    while matcher.is_active():
        found.append((matcher.id(), matcher.weight()))
        matcher.next()
    return found


@pytest.mark.parametrize("term", ["dog", "ball", "zebra"])
def test_they_are_what_whoosh_hands_out(readers: list[Any], term: str) -> None:
    held = [reader for reader in readers if ("caption", term) in reader]
    assert held
    for reader in held:
        ids, frequencies = whoosh.postings(reader, "caption", term)
        assert list(zip(ids.tolist(), frequencies.tolist(), strict=True)) == one_by_one(reader, "caption", term)


def test_there_are_many_and_some_are_deleted(readers: list[Any]) -> None:
    ids = np.concatenate([whoosh.postings(reader, "caption", "dog")[0] for reader in readers])
    assert ids.size == COUNT + 1 - len(GONE)


@pytest.mark.parametrize(("first", "last"), [(0, 0), (3, 3), (1, 400), (17, 256), (0, COUNT), (COUNT + 1, COUNT + 9)])
def test_a_range_of_numbers_is_the_documents_that_have_one_of_them(readers: list[Any], first: int, last: int) -> None:
    start = day_number(DAY.date())
    wanted = {n for n in range(1, COUNT + 1) if n not in GONE and n % 5 and first <= n <= last}
    found: set[int] = set()
    for reader in readers:
        photos = whoosh.numbers(reader, "photo")
        for term in whoosh.terms_in_range(reader, "taken", start + first, start + last):
            found |= set(photos[whoosh.postings(reader, "taken", term)[0]].tolist())
    assert found == wanted | ({COUNT + 1} if first == 0 else set())
