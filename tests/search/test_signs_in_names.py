"""Names of places, people and tags are found with and without the full stops, commas and parentheses in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from photoindex.language.analysis import value_tokens
from photoindex.search import FullText
from photoindex.search.fulltext.document import document_of
from photoindex.types import PhotoFacts, Place
from tests.search.test_as_typed import photo

PLACES = ("St. Louis", "Washington, D.C.", "Frankfurt (Oder)", "Saint Louis", "Frankfurt am Main")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("st louis", [1]), ("St. Louis", [1]), ("St.Louis", [1]), ("saint louis", [4]), ("louis", [1, 4]),
        ("washington d.c.", [2]), ("Washington, D.C.", [2]), ("washington dc", [2]), ("d.c.", [2]), ("D.C", [2]),
        ("frankfurt oder", [3]), ("Frankfurt (Oder)", [3]), ("frankfurt (oder", [3]), ("frankfurt", [3, 5]),
        ("frankfurt louis", []),
    ],
)  # fmt: skip
def test_places(index: FullText, name: str, expected: list[int]) -> None:
    photos = [
        photo(number, facts=PhotoFacts("JPEG", 4, 3, latitude=10.0 * number, longitude=0.0, place=Place(city)))
        for number, city in enumerate(PLACES, 1)
    ]
    index.rebuild([document_of(each, [Path("/photos")]) for each in photos])
    assert sorted(match.photo_id for match in index.search(f'place:"{name}"', None)) == expected
    if len(expected) == 1:
        assert [match.photo_id for match in index.search(f'near:"{name},1"', None)] == expected


TAGS = (
    "St. Moritz",
    "John F. Kennedy",
    ".NET",
    "C#",
    "C++",
    "C",
    "Black & White",
    "Black White",
    "B/W",
    "...",
    "1.",
    "1",
)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("st moritz", "St. Moritz"), ("St. Moritz", "St. Moritz"), ("John F Kennedy", "John F. Kennedy"),
        ("Kennedy, John F.", None), ("john f. kennedy", "John F. Kennedy"), (".NET", ".NET"), ("net", ".NET"),
        ("C#", "C#"), ("c++", "C++"), ("C", "C"), ("C.", "C"), ("Black & White", "Black & White"),
        ("black white", "Black White"), ("b/w", "B/W"), ("...", "..."), ("1.", "1."), ("1", "1"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("field", ["tag", "person"])
def test_whole_names(index: FullText, field: str, asked: str, expected: str | None) -> None:
    photos = [photo(number, "grass", "", (field, tag)) for number, tag in enumerate(TAGS)]
    index.rebuild([document_of(each, [Path("/photos")]) for each in photos])
    found = [TAGS[match.photo_id] for match in index.search(f'{field}:"{asked}"', None)]
    assert found == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("St. Moritz", ["st", "moritz"]), ("(D.C.)", ["d", "c"]), ("Paris , Texas", ["paris", "texas"]),
        ("Śródmieście (Łódź)", ["srodmiescie", "lodz"]), ("東京（日本）", ["東", "京", "日", "本"]),
        ("!?", ["!", "?"]), ("(1)", ["(", "1", ")"]), ("A, B & C", ["a", "b", "&", "c"]), ("🔒.", ["🔒", "."]),
    ],
)  # fmt: skip
def test_signs_that_are_left_out(value: str, words: list[str]) -> None:
    assert [token.word for token in value_tokens(value)] == words
