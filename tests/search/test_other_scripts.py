"""Photos are found by names and words beyond ASCII, in whichever way people write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from photoindex.search import FullText
from photoindex.search.fulltext.document import document_of
from tests.search.test_as_typed import photo


@pytest.mark.parametrize(
    ("caption", "queries"),
    [
        ("O\u02bbahu, Hawai\u02bbi", ["hawaii", "oahu", "hawai'i", "Hawai\u2019i", "O\u02bbahu", '"oahu hawaii"']),
        ("the temples of Ba\u02bfalbek", ["baalbek", "ba'albek", "Ba\u02bfalbek", "caption:baalbek"]),
        ("a temple in Hawaii", ["hawai\u02bbi", "hawai'i"]),
        ("שָׁלוֹם", ["שלום", "שָׁלוֹם"]),
        ("שלום", ["שָׁלוֹם"]),
        ("مُحَمَّد", ["محمد", "مـحـمـد", "مُحَمَّد"]),
    ],
)
def test_signs_that_some_leave_out_change_no_word(index: FullText, caption: str, queries: list[str]) -> None:
    index.rebuild([document_of(photo(1, caption), [Path("/photos")]), document_of(photo(2), [Path("/photos")])])
    for query in queries:
        assert [match.photo_id for match in index.search(query, None)] == [1], query


@pytest.mark.parametrize(
    ("folder", "queries"),
    [
        ("Café2019", ["café", "cafe", "2019", "folder:Café2019", '"café 2019"']),
        ("Отпуск2019", ["отпуск", "Отпуск", "2019", "folder:отпуск", "отпуск2019"]),
        ("ÉtéÀParis", ["été", "paris", "ete", "folder:paris", "étéàparis"]),
        ("ΕλλάδαΚαλοκαίρι", ["ελλάδα", "καλοκαίρι", "ΕΛΛΆΔΑ", '"ελλάδα καλοκαίρι"']),
    ],
)
def test_names_are_cut_into_words_in_every_script(index: FullText, folder: str, queries: list[str]) -> None:
    photos = [photo(1, "grass", f"/photos/{folder}/a.jpg"), photo(2, "grass", "/photos/other/b.jpg")]
    index.rebuild([document_of(each, [Path("/photos")]) for each in photos])
    for query in queries:
        assert [match.photo_id for match in index.search(query, None)] == [1], query


@pytest.mark.parametrize("first", ["\u4e00", "\u3041", "\uac00", "\u0e01"])  # Chinese, kana, Korean, Thai
def test_a_long_description_without_spaces_is_found_by_all_of_it(index: FullText, first: str) -> None:
    letters = [chr(ord(first) + number % 40) for number in range(256)]
    caption = "".join(letters)
    index.rebuild(
        [document_of(photo(1, caption), [Path("/photos")]), document_of(photo(2, caption[:-1]), [Path("/photos")])]
    )
    for query in (caption, f'"{caption}"', f"caption:{caption}"):
        assert [match.photo_id for match in index.search(query, None)] == [1], len(query)
