"""What the score of a document depends on besides the document: facts of the whole index.

They are worked out once for a query, so that some documents of it can be scored alone.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Final

from photoindex.search.lru_cache import LruCache

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]

_LONGEST_KEPT: Final = 16  # stems of such a word


class WholeIndex:
    """Facts that were asked for in one query. ``holders`` are those that stay true for the queries after it."""

    def __init__(self, holders: LruCache[Hashable, int] | None = None) -> None:
        self._kept = LruCache(_LONGEST_KEPT) if holders is None else holders
        self._holders: dict[Hashable, int] = {}
        self._masks: dict[Hashable, Mask] = {}
        self._most: dict[str, np.float32] = {}

    def holders(self, clause: Hashable, count: Callable[[], int]) -> int:
        """Return how many documents hold what a clause asks for; ``count`` is called the first time in a query."""
        if clause not in self._holders:
            self._holders[clause] = count()
        return self._holders[clause]

    def word_holders(self, word: tuple[Hashable, ...], stems: int, count: Callable[[], int]) -> int:
        """Return how many documents hold a word that stands for so many stems; ``count`` is called once an index."""
        if stems > _LONGEST_KEPT:
            return self.holders(word, count)
        known = self._kept.get(word)
        return self._kept.keep(word, count()) if known is None else known

    def mask(self, condition: Hashable, find: Callable[[], Mask]) -> Mask:
        """Return which documents satisfy a condition."""
        if condition not in self._masks:
            self._masks[condition] = find()
        return self._masks[condition]

    def most(self, term: str, find: Callable[[], np.float32]) -> np.float32:
        """Return the most that a learned term counts for any document."""
        if term not in self._most:
            self._most[term] = find()
        return self._most[term]
