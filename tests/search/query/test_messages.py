"""What a message tells people to write can be written."""

from __future__ import annotations

import re

import pytest

from photoindex.errors import QueryError
from photoindex.search.query.clauses import NAMES, TAKEN
from photoindex.search.query.parser import parse_query


@pytest.mark.parametrize("value", ["", "..", ">", "%%", "nothing-of-this-kind"])
@pytest.mark.parametrize("name", sorted(NAMES))
def test_what_is_advised_for_a_field_can_be_asked_for(name: str, value: str) -> None:
    queries = advised(f"{name}:{value}")
    assert queries or value or name in TAKEN  # without a value every other field is refused
    for query in queries:
        parse_query(query)


def advised(query: str) -> list[str]:
    """Return the conditions that the message about a query says to write; none when it can be searched."""
    try:
        parse_query(query)
    except QueryError as error:
        _, written, advice = str(error).partition("write ")
        found = re.findall(r'[a-z]+:(?:"[^"]*"|[^\s,]+(?:,[^\s,]+)*)', advice)
        if written and not found:
            raise
        return found
    return []


def test_a_confidence_that_is_advised_is_one() -> None:
    with pytest.raises(QueryError) as caught:
        parse_query("confidence:..")
    advised_numbers = [float(number) for number in re.findall(r"[0-9]+(?:[.][0-9]+)?", str(caught.value))]
    assert advised_numbers
    assert max(advised_numbers) <= 1
