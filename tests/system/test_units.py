"""Counts as people read them."""

import pytest

from photoindex.system.units import counted


@pytest.mark.parametrize(
    ("number", "noun", "plural", "text"),
    [
        (0, "photo", None, "0 photos"),
        (1, "photo", None, "1 photo"),
        (2000, "step", None, "2,000 steps"),
        (1, "query", None, "1 query"),
        (2, "query", None, "2 queries"),
        (3, "copy", None, "3 copies"),
        (2, "day", None, "2 days"),
        (2, "person", "people", "2 people"),
    ],
)
def test_a_number_agrees_with_its_noun(number: int, noun: str, plural: str | None, text: str) -> None:
    assert counted(number, noun, plural) == text
