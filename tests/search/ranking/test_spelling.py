"""Did you mean: which spellings are offered for a word that no photo has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from photoindex.errors import QueryError
from photoindex.search import Document, FullText

CAPTIONS = (
    "a giraffe in the grass",
    "two giraffes at a fence",
    "a dog on the beach",
    "a bench",
    "a bench",
    "a refrigerator",
)


@pytest.fixture
def index_of(tmp_path: Path) -> Iterator[Callable[..., FullText]]:
    with FullText.open(tmp_path / "fulltext") as fulltext:

        def index(*captions: str) -> FullText:
            fulltext.rebuild(Document(number, caption) for number, caption in enumerate(captions, 1))
            return fulltext

        yield index


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("girafe", {"girafe": ("giraffe",)}),
        ("GIRAFES in gras", {"girafes": ("giraffes",), "gras": ("grass",)}),
        ("dgo", {"dgo": ("dog",)}),
        ("xog", {"xog": ("dog",)}),
        ("refridgerater", {"refridgerater": ("refrigerator",)}),
        ("rifridgerator", {"rifridgerator": ("refrigerator",)}),
        ("bech", {"bech": ("bench", "beach")}),
        ('"girafe grass"', {"girafe": ("giraffe",)}),
        ("dogs giraffe", {}),
        ("xylophone", {}),
        ("zefrigeraztor", {}),
        ("-girafe dog", {}),
        ("caption:girafe", {}),
        ("girafe~ giraf*", {}),
        ("do", {}),
        ("g" * 64, {}),
    ],
)
def test_near_words_of_the_index_are_offered(
    index_of: Callable[..., FullText], query: str, expected: dict[str, tuple[str, ...]]
) -> None:
    assert index_of(*CAPTIONS).corrections(query) == expected


def test_one_form_of_each_word_is_offered_and_three_words_at_most(index_of: Callable[..., FullText]) -> None:
    fulltext = index_of("a cat", "cats and cats", "a cap", "a cap", "a car", "a cow", "a can")
    (offered,) = fulltext.corrections("cax").values()
    assert offered == ("cap", "can", "car")  # cat would be fourth: by letters, among those that one photo has


def test_a_word_of_a_removed_photo_is_not_offered(index_of: Callable[..., FullText]) -> None:
    fulltext = index_of("a giraffe", "a dog", "a dog", "a dog")
    assert fulltext.corrections("girafe") == {"girafe": ("giraffe",)}
    fulltext.update([], removed=[1])
    assert fulltext.corrections("girafe") == {}


def test_a_number_is_no_spelling_of_a_word(index_of: Callable[..., FullText]) -> None:
    fulltext = index_of("route 66b", "img 2041")
    assert fulltext.corrections("imgx 20412") == {"imgx": ("img",), "20412": ("2041",)}
    assert fulltext.corrections("img 2042") == {}  # a year
    assert fulltext.corrections("bbb") == {}


def test_a_long_query_is_looked_up_for_its_first_unknown_words(index_of: Callable[..., FullText]) -> None:
    fulltext = index_of(*(f"word{letter}ing" for letter in "abcdefgh"))
    assert len(fulltext.corrections(" ".join(f"word{letter}ink" for letter in "abcdefgh"))) == 4


def test_an_empty_query_is_refused_as_by_a_search(index_of: Callable[..., FullText]) -> None:
    with pytest.raises(QueryError):
        index_of("a dog").corrections("the")


def test_two_mistakes_are_allowed_only_where_one_finds_nothing(index_of: Callable[..., FullText]) -> None:
    fulltext = index_of("a garage", "a garage", "a giraffe")
    assert fulltext.corrections("girafe") == {"girafe": ("giraffe",)}
    fulltext.update([], removed=[3])
    assert fulltext.corrections("girafe") == {"girafe": ("garage",)}
