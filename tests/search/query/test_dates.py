"""Days as people name them: before and after, from one to another, and the many ways to write a day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import pytest

from photoindex.errors import QueryError
from photoindex.search import FullText
from photoindex.search.fulltext.document import document_of
from photoindex.search.query.dates import days_of
from photoindex.search.query.parser import parse_query
from photoindex.search.query.syntax import Ranked, Taken, When, Word
from photoindex.types import PhotoFacts
from tests.search.test_as_typed import photo

TODAY = date(2024, 5, 1)  # a Wednesday


def year(first: int, last: int | None = None) -> tuple[date, date]:
    return date(first, 1, 1), date(last or first, 12, 31)


def day(number: int, month: int = 6, year: int = 2023) -> tuple[date, date]:
    return date(year, month, number), date(year, month, number)


SPANS = [
    ("2008-2010", year(2008, 2010)),
    ("2008 - 2010", year(2008, 2010)),
    ("2008\u20132010", year(2008, 2010)),
    ("2008 \u2014 2010", year(2008, 2010)),
    ("2008 to 2010", year(2008, 2010)),
    ("2008 until 2010", year(2008, 2010)),
    ("from 2008 to 2010", year(2008, 2010)),
    ("From 2008 - 2010", year(2008, 2010)),
    ("between 2008 and 2010", year(2008, 2010)),
    ("taken between 2008 and 2010", year(2008, 2010)),
    ("june to august 2019", (date(2019, 6, 1), date(2019, 8, 31))),
    ("june-august 2019", (date(2019, 6, 1), date(2019, 8, 31))),
    ("between june and august 2019", (date(2019, 6, 1), date(2019, 8, 31))),
    ("november to february 2020", (date(2019, 11, 1), date(2020, 2, 29))),
    ("june 2018 to august 2019", (date(2018, 6, 1), date(2019, 8, 31))),
    ("12 to 15 june 2019", (date(2019, 6, 12), date(2019, 6, 15))),
    ("12 june - 3 july 2019", (date(2019, 6, 12), date(2019, 7, 3))),
    ("june 12 to july 3, 2019", (date(2019, 6, 12), date(2019, 7, 3))),
    ("2008-10 to 2009-03", (date(2008, 10, 1), date(2009, 3, 31))),
    ("2008-10-12 - 2008-11-01", (date(2008, 10, 12), date(2008, 11, 1))),
    ("christmas 2019 to easter 2020", (date(2019, 12, 24), date(2020, 4, 13))),
    ("since june 2010 until today", (date(2010, 6, 1), TODAY)),
    ("2008-10", (date(2008, 10, 1), date(2008, 10, 31))),  # a month, and no two years
]
DAYS = [
    ("2023.06.12", day(12)),
    ("2023.6.2", day(2)),
    ("2023/06/12", day(12)),
    ("20230612", day(12)),
    ("06/2023", (date(2023, 6, 1), date(2023, 6, 30))),
    ("6/2023", (date(2023, 6, 1), date(2023, 6, 30))),
    ("saturday, 12 june 2023", day(12)),
    ("Mon 12 June 2023", day(12)),
    ("monday, june 12, 2023", day(12)),
    ("2023年6月12日", day(12)),
    ("2023年6月", (date(2023, 6, 1), date(2023, 6, 30))),
    ("2023년 6월 12일", day(12)),
    ("2023年", year(2023)),
    ("two weeks ago", (date(2024, 4, 15), date(2024, 4, 21))),
    ("a month ago", (date(2024, 4, 1), date(2024, 4, 30))),
    ("twelve months ago", (date(2023, 5, 1), date(2023, 5, 31))),
    ("last two weeks", (date(2024, 4, 17), TODAY)),
    ("past three years", (date(2021, 5, 1), TODAY)),
    ("the 90s", year(1990, 1999)),
    ("the 1990s", year(1990, 1999)),
    ("the 00s", year(2000, 2009)),
    ("the 20s", year(2020, 2029)),
    ("the 30s", year(1930, 1939)),
    ("winter 2019/20", (date(2019, 12, 1), date(2020, 2, 29))),
    ("winter 2019-2020", (date(2019, 12, 1), date(2020, 2, 29))),
    ("winter 1999/00", (date(1999, 12, 1), date(2000, 2, 29))),
]
COMPARED = [
    ("before 2010", (None, date(2009, 12, 31))),
    ("taken before 2010", (None, date(2009, 12, 31))),
    ("Before June 2010", (None, date(2010, 5, 31))),
    ("until 2010", (None, date(2010, 12, 31))),
    ("till 2010-06", (None, date(2010, 6, 30))),
    ("since 2010", (date(2010, 1, 1), None)),
    ("since last summer", (date(2023, 6, 1), None)),
    ("since yesterday", (date(2024, 4, 30), None)),
    ("after 2010", (date(2011, 1, 1), None)),
    ("taken after christmas 2019", (date(2019, 12, 27), None)),
    ("before the 90s", (None, date(1989, 12, 31))),
    ("before 2008-2010", (None, date(2007, 12, 31))),
]


@pytest.mark.parametrize(("text", "days"), [*SPANS, *DAYS, *COMPARED])
def test_a_date_means_the_same_in_a_field_and_among_words(text: str, days: tuple[date | None, date | None]) -> None:
    taken = Taken(*days)
    assert days_of(text, TODAY) == days
    assert parse_query(f'dog taken:"{text}"', TODAY).root == Ranked((Word("dog"),), (taken,))
    root = parse_query(f"dog {text} grass", TODAY).root
    assert isinstance(root, Ranked)
    assert [node.taken for node in root.wanted if isinstance(node, When)] == [taken]
    assert [node for node in root.wanted if not isinstance(node, When)] == [Word("dog"), Word("grass")]


@pytest.mark.parametrize("text", [text for text, _ in SPANS + DAYS if not text.lower().startswith("taken")])
def test_a_field_takes_a_date_without_quotes(text: str) -> None:
    assert parse_query(f"taken:{text}", TODAY).root == Ranked(required=(Taken(*days_of(text, TODAY)),))


@pytest.mark.parametrize(
    "text",
    [
        "12/06/2023", "10-06-2023", "00/2023", "13/2023", "20231306", "20230012", "2023年13月", "between 2008",
        "between 2008 or 2010", "summer 2019/20", "winter 2019/25", "june to", "to 2010", "june to august",
        "12 - 2019", "2008 to", "before", "since", "zero weeks ago",
    ],
)  # fmt: skip
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(QueryError, match="is not a date"):
        parse_query(f'taken:"{text}"', TODAY)


def test_an_end_before_the_beginning_is_refused_in_a_field_and_is_words_elsewhere() -> None:
    with pytest.raises(QueryError, match="ends before it begins"):
        parse_query('taken:"2010 to 2008"', TODAY)
    root = parse_query("dog 2010 to 2008", TODAY).root
    assert isinstance(root, Ranked)
    assert Word("2008") in root.wanted


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("photos from 2010", year(2010)),  # of that year, as people mostly mean it
        ("from last summer", (date(2023, 6, 1), date(2023, 8, 31))),
        ("between 2010", year(2010)),
        ("iphone 12 - 2019", year(2019)),
        ("may - 2019", year(2019)),
        ("dog 2019 -cat", year(2019)),
    ],
)
def test_words_beside_a_date_that_do_not_belong_to_it(text: str, days: tuple[date, date]) -> None:
    root = parse_query(text, TODAY).root
    assert isinstance(root, Ranked)
    assert [node.taken for node in root.wanted if isinstance(node, When)] == [Taken(*days)]


@pytest.mark.parametrize(
    "text", ["before the dog", "a man after a dog", "a dog since then", "in her 20s", "from a to b"]
)
def test_comparing_words_alone_are_words(text: str) -> None:
    root = parse_query(text, TODAY).root
    assert isinstance(root, Ranked)
    assert not any(isinstance(node, When) for node in root.wanted)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[FullText]:
    with FullText.open(tmp_path / "fulltext") as index:
        photos = [
            photo(taken, "a dog", f"/photos/{letter}.jpg",
                  facts=PhotoFacts("JPEG", 1, 1, taken_at=datetime(taken, 6, 12), taken_source="exif"))
            for letter, taken in zip("abc", (2008, 2010, 2012), strict=True)
        ]  # fmt: skip
        index.rebuild([document_of(each, [Path("/photos")]) for each in photos])
        yield index


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("dog before 2010", {2008}),
        ("dog taken before 2010", {2008}),
        ("dog until 2010", {2008, 2010}),
        ("dog since 2010", {2010, 2012}),
        ("dog after 2010", {2012}),
        ("dog after june 2010", {2012}),
        ("dog between 2009 and 2011", {2010}),
        ("dog 2008 to 2010", {2008, 2010}),
        ("dog 2011-2013", {2012}),
        ("dog 06/2010", {2010}),
        ("dog 20100612", {2010}),
        ("dog 2010年6月", {2010}),
    ],
)
def test_among_words_photos_of_these_days_come_first(index: FullText, query: str, first: set[int]) -> None:
    found = [match.photo_id for match in index.search(query, None, today=TODAY)]
    assert set(found[: len(first)]) == first
    assert set(found) == {2008, 2010, 2012}


def test_a_date_may_be_excluded(index: FullText) -> None:
    assert [match.photo_id for match in index.search("dog -before 2012", None, today=TODAY)] == [2012]
