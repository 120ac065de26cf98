"""One word or two: "ice cream" is written "icecream" elsewhere, and a search finds either by the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from photoindex.language.analysis import LONGEST_WORD, STOP_WORDS
from photoindex.search.query.syntax import Word

SHORTEST_HALF: Final = 3  # letters: "mango" is not "man go"


class Spellings:
    """Other spellings of the words of a query that the index has; ``count`` tells how often it has a word."""

    def __init__(self, count: Callable[[str], int]) -> None:
        self._count = count
        self._joined: dict[str, list[str]] = {}

    def add(self, neighbours: Iterable[tuple[str, str]]) -> None:
        """Add words that were typed one behind the other."""
        for one, other in neighbours:
            whole = one + other
            if len(whole) > LONGEST_WORD or not (one.isalpha() and other.isalpha()):
                continue
            if any(map(self._count, (whole, whole + "s", whole.removesuffix("s")))):
                for word in (one, other):
                    self._joined.setdefault(word, []).append(whole)

    def joined(self, node: Word) -> Sequence[str]:
        """Return the words of the index that are this word and its neighbour in one."""
        return self._joined.get(node.text, ()) if node.field is None and not node.exact else ()

    def of(self, node: Word) -> list[tuple[str, str]]:
        """Return the pairs of words that are this word when they stand next to each other, the first in the index."""
        word = node.text
        if node.exact or not word.isalpha():
            return []
        places = range(SHORTEST_HALF, len(word) - SHORTEST_HALF + 1)
        halves = ((word[:place], word[place:]) for place in places)
        return [(one, other) for one, other in halves if not {one, other} & STOP_WORDS and self._count(one)]
