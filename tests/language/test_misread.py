"""Digits that were read for letters, and the other way, and what is left as it is."""

import pytest

from photoindex.language.misread import readings


@pytest.mark.parametrize(
    ("read", "meant"),
    [("PARK1NG", "parking"), ("b00k", "book"), ("5chool", "school"), ("2O25", "2025"), ("l05", "105"), ("11O", "110")],
)
def test_letters_and_digits_that_look_alike(read: str, meant: str) -> None:
    assert meant in readings(read)


@pytest.mark.parametrize("word", ["parking", "2025", "A12", "B2B", "DE89", "X7K2", "", "mp3", "4K", "9¾", "größe"])
def test_plain_words_and_codes_stay(word: str) -> None:
    assert readings(word) == ()
