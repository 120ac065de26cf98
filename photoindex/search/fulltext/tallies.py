"""How often a word stands in each field: few different counts in a segment, so an entry is the number of one of them.

With BM25F at b = 0 all that a word gives a photo follows from these counts, so a score is one look into a table with a
place for each, whatever the weights are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from photoindex.search.fulltext.spaces import MOST, OWN_SLOT, SHIFTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Codes = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.uint32]


class Tallies:
    """The different counts of a segment: (C, SLOTS), packed as one number each."""

    def __init__(self, packed: NDArray[np.uint64]) -> None:
        self.packed = packed
        counts = (packed[:, None] >> np.array(SHIFTS, np.uint64)) & np.array(MOST, np.uint64)
        self.counts: NDArray[np.int64] = counts.astype(np.int64)
        self.totals: NDArray[np.int64] = self.counts.sum(axis=1)  # how many places an entry has
        self._before = np.cumsum(self.counts, axis=1) - self.counts
        self._used: NDArray[np.bool_] = np.asarray(self.counts.any(axis=0))
        self._worths: NDArray[np.float32] | None = None
        self._weighed: dict[tuple[float, ...], NDArray[np.float32]] = {}
        self._all_weigh: dict[tuple[float, ...], bool] = {}

    def __len__(self) -> int:
        return len(self.counts)

    def before(self, slot: int) -> NDArray[np.int64]:
        """Return how many of an entry's places are in the fields before that of ``slot``."""
        return self._before[:, slot]

    def has(self, slot: int) -> bool:
        """Return whether any word stands in the field of ``slot``."""
        return bool(self._used[slot])

    def all_weigh(self, weights: Sequence[float]) -> bool:
        """Return whether with these weights every entry of a stem has an x above 0."""
        key = tuple(weights)
        if key not in self._all_weigh:
            in_text = self.counts[:, :OWN_SLOT].any(axis=1)
            self._all_weigh[key] = bool((self.weighed(key)[in_text] > 0).all())
        return self._all_weigh[key]

    def worths(self) -> NDArray[np.float32]:
        """Return what BM25F makes of the counts, before weights: 1 + ln tf, and 0 for none. (C, SLOTS)"""
        if self._worths is None:
            logs = 1 + np.log(np.maximum(self.counts, 1).astype(np.float32))
            self._worths = np.where(self.counts > 0, logs, np.float32(0)).astype(np.float32)
        return self._worths

    def weighed(self, weights: Sequence[float]) -> NDArray[np.float32]:
        """Return BM25F's x of each of the counts, with a weight for each text field. (C,)"""
        key = tuple(weights)
        if key not in self._weighed:
            x = np.zeros(len(self), np.float32)
            for slot, weight in enumerate(key):
                if weight:
                    x += np.float32(weight) * self.worths()[:, slot]
            self._weighed[key] = x
        return self._weighed[key]


class MergedTallies(NamedTuple):
    """The counts of several segments as one: the code c of segment s is ``codes[starts[s] + c]`` in ``tallies``."""

    tallies: Tallies
    codes: Codes
    starts: NDArray[np.intp]


def merged(parts: Sequence[Tallies]) -> MergedTallies:
    """Return the counts of segments as one."""
    kinds, codes = np.unique(np.concatenate([part.packed for part in parts]), return_inverse=True)
    starts = np.cumsum([0, *(len(part) for part in parts[:-1])])
    return MergedTallies(Tallies(kinds), small(codes.reshape(-1), len(kinds)), starts)


def packed(slots: NDArray[np.uint8], counts: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return the counts of one slot each, so that sums of them stand for several slots."""
    shifted: NDArray[np.uint64] = counts.astype(np.uint64) << np.array(SHIFTS, np.uint64)[slots]
    return shifted


def most_in(slots: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return how often a word can be counted in each of these slots."""
    limits: NDArray[np.int64] = np.array(MOST, np.int64)[slots]
    return limits


def small(codes: NDArray[np.intp], count: int) -> Codes:
    """Return codes below ``count`` in as few bytes as they need."""
    return codes.astype(np.uint8 if count <= 1 << 8 else np.uint16 if count <= 1 << 16 else np.uint32)
