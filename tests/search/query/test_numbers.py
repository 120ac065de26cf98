"""Numbers as people ask for them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photoindex.errors import QueryError
from photoindex.search.query import numbers
from photoindex.search.query.numbers import MOST
from photoindex.search.query.parser import parse_query


@pytest.mark.parametrize(
    ("field", "text", "bounds"),
    [
        ("width", "3000", (3000, 3000)),
        ("width", ">=3000", (3000, MOST)),
        ("width", ">3000", (3001, MOST)),
        ("width", "<3000", (0, 2999)),
        ("width", "\u22643000", (0, 3000)),
        ("width", "1000..2000", (1000, 2000)),
        ("width", "..2000", (0, 2000)),
        ("width", "2000..", (2000, MOST)),
        ("rating", "4", (5, 5)),
        ("rating", "-1", (0, 0)),
        ("rating", ">=4", (5, MOST)),
        ("rating", "3..5", (4, 6)),
        ("rating", ">3.5", (5, MOST)),
        ("megapixels", "12", (120, 129)),
        ("megapixels", "12.1", (121, 121)),
        ("megapixels", ">12", (130, MOST)),
        ("megapixels", ">=12", (120, MOST)),
        ("megapixels", "<12", (0, 119)),
        ("megapixels", "2..8", (20, 89)),
        ("megapixels", "0.3", (3, 3)),
    ],
)
def test_what_is_asked_for(field: str, text: str, bounds: tuple[int, int]) -> None:
    assert numbers.bounds_of(field, text) == bounds


@pytest.mark.parametrize("text", ["", "..", "many", ">=", "1..2..3", "1,5", "0x10", "١", "1e9", "=>4", "-", "4..x"])
def test_what_asks_for_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        numbers.bounds_of("rating", text)


@pytest.mark.parametrize("name", sorted(numbers.NUMBERS))
@pytest.mark.parametrize("text", ["5..3", "1..0.9", "0..-1", "0.75..0.5"])
def test_a_range_that_ends_before_it_begins_is_refused(name: str, text: str) -> None:
    with pytest.raises(QueryError, match=f"^{name}:{re.escape(text)} ends before it begins$"):
        parse_query(f"dog {name}:{text}")


@pytest.mark.parametrize("text", ["3..3", "-1..-1", "3..3.0", "3.2..3.8", ">5", "<-1", "5..", "..3"])
def test_a_range_that_ends_where_it_begins_or_has_no_photos_is_not_refused(text: str) -> None:
    parse_query(f"rating:{text}")


@pytest.mark.parametrize("name", sorted(numbers.NUMBERS))
@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1..inf", "nan..2", ">=infinity", "<nan"])
def test_what_is_not_finite_is_no_number(name: str, text: str) -> None:
    with pytest.raises(QueryError, match="is not a number"):
        parse_query(f"{name}:{text}")


@given(st.sampled_from(numbers.FIELDS), st.floats(-1, 1e9))
def test_every_number_fits_the_index(field: str, value: float) -> None:
    assert 0 <= numbers.stored(field, value) <= MOST


@given(st.sampled_from([1, 2, 3, 4, 5, -1]), st.integers(-1, 6), st.sampled_from(["", ">", ">=", "<", "<="]))
def test_stars_compare_as_numbers_do(rating: int, asked: int, sign: str) -> None:
    low, high = numbers.bounds_of("rating", f"{sign}{asked}")
    compared = {"": rating == asked, ">": rating > asked, ">=": rating >= asked, "<": rating < asked,
                "<=": rating <= asked}  # fmt: skip

    assert (low <= numbers.stored("rating", rating) <= high) == compared[sign]
