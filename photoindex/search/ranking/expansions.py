"""The words of an index that a prefix or a fuzzy word of a query stands for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from photoindex.errors import QueryError
from photoindex.search.query.syntax import Fuzzy, Prefix

if TYPE_CHECKING:
    from photoindex.search.fulltext.reader import IndexReader

MOST_EXPANSIONS: Final = 500  # words that one prefix or fuzzy word may stand for


def expanded(
    reader: IndexReader, node: Prefix | Fuzzy, field: str, shortened: Callable[[str], str], near_miss: float
) -> dict[str, float]:
    """Return what a clause stands for, with how much each counts: what ``shortened`` makes of words of ``field``.
    A word spelt nearly like the one asked for counts ``near_miss``.

    Raises QueryError when these are too many.
    """
    if isinstance(node, Prefix):
        sign, worth = "*", 1.0
        forms = reader.with_prefix(field, node.text)
    else:
        sign, worth = "~", near_miss
        forms = reader.within(field, node.text, node.distance, prefix=1)
    words = {shortened(node.text): 1.0}  # so that neither ever finds less than the bare word
    for form in forms:
        words.setdefault(shortened(form), worth)
        if len(words) > MOST_EXPANSIONS:
            asked = f"'{node.text}{sign}'"
            raise QueryError(f"{asked} stands for more than {MOST_EXPANSIONS} words: give more letters")
    return words
