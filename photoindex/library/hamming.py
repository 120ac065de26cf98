"""Which of many bit strings differ from one in few places.

Multi-index hashing (Norouzi, Punjani, Fleet: Fast search in Hamming space with multi-index hashing, CVPR 2012): two
strings of 128 bits that differ in at most n places differ in at most n / 8 places within one of their eight parts of 16
bits. So each part is a table in which near values are looked up, and only what is found there is compared in full.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from photoindex.system.lazy_imports import lazily

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = lazily("numpy")  # help needs no more than MOST

BYTES = 16
PART_BITS = 16
PARTS = BYTES * 8 // PART_BITS
MOST = 2 * PARTS - 1  # differing bits; with more, looking up what is near in a part takes too long


class NearStrings:
    """An index of ``strings``, uint8 (n, 16), that finds those that differ in at most ``most`` bits (0 to 15)."""

    def __init__(self, strings: NDArray[np.uint8], most: int) -> None:
        if not 0 <= most <= MOST:
            raise ValueError(f"most is {most}; it must be 0 to {MOST}")
        self._strings = strings
        # How many bits of each byte are set; numpy counts by itself from 2.0 on.
        self._ones = np.array([bin(byte).count("1") for byte in range(256)], np.uint8)
        self._most = most
        self._parts = np.ascontiguousarray(strings).view(np.uint16).reshape(len(strings), PARTS)
        # The rows by each part's value: those of value v are order[starts[v] : starts[v + 1]].
        self._orders = [np.argsort(part, kind="stable") for part in self._parts.T]
        values = np.arange((1 << PART_BITS) + 1)
        self._starts = [
            np.searchsorted(part[order], values) for part, order in zip(self._parts.T, self._orders, strict=True)
        ]
        radius = range(most // PARTS + 1)
        flips = [sum(1 << bit for bit in bits) for count in radius for bits in combinations(range(PART_BITS), count)]
        self._flips = np.array(flips, np.int64)

    def near(self, row: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(the other rows near to this one, ascending; the bits in which each differs)."""
        parts = []
        for value, order, starts in zip(self._parts[row].tolist(), self._orders, self._starts, strict=True):
            wanted = value ^ self._flips
            firsts, ends = starts[wanted], starts[wanted + 1]
            some = firsts < ends
            for first, end in zip(firsts[some].tolist(), ends[some].tolist(), strict=True):
                parts.append(order[first:end])
        rows = np.unique(np.concatenate(parts))
        bits = self._ones[self._strings[rows] ^ self._strings[row]].sum(axis=1, dtype=np.int64)
        near = (bits <= self._most) & (rows != row)
        return rows[near], bits[near]
