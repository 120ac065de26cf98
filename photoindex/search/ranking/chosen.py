"""A few documents among many, looked up in the sorted lists of an index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Ids = NDArray[np.intp]
    # The first number of a segment, its size, rows of it, ascending, and a value for each of these.
    Listed = tuple[int, int, NDArray[Any], NDArray[Any]]


class Chosen:
    """Some numbers, ascending. What each segment of the index may have of them is worked out once."""

    def __init__(self, numbers: Ids) -> None:
        self.numbers = numbers
        self._of_segment: dict[tuple[int, int], tuple[Ids, NDArray[np.uint16]]] = {}

    def __len__(self) -> int:
        return len(self.numbers)

    def pick(self, lists: Iterable[Listed]) -> tuple[Ids, NDArray[Any]]:
        """Return the places of those numbers that are in the lists, each of another segment, and their values there."""
        places, stored, wanted, values = [], [], [], []
        for first, size, rows, given in lists:
            here, asked = self._in_segment(first, size)
            if asked.size and rows.size:
                at = rows.searchsorted(asked)
                places.append(here)
                wanted.append(asked)
                stored.append(rows.take(at, mode="clip"))
                values.append(given.take(at, mode="clip"))
        if not values:
            return _NONE, np.zeros(0, np.uint8)
        # All segments at once: for a handful of numbers each, a call takes longer than what it does.
        met = (np.concatenate(stored) == np.concatenate(wanted)).nonzero()[0]
        return np.concatenate(places)[met], np.concatenate(values)[met]

    def _in_segment(self, first: int, size: int) -> tuple[Ids, NDArray[np.uint16]]:
        """Return the places of the numbers in a segment of at most 65,536, and what they are there."""
        key = first, size
        if key not in self._of_segment:
            start, end = self.numbers.searchsorted((first, first + size)).tolist()
            self._of_segment[key] = np.arange(start, end), (self.numbers[start:end] - first).astype(np.uint16)
        return self._of_segment[key]

    def among_all(self, numbers: Ids) -> tuple[Ids, Ids]:
        """Return the places of those numbers that are among others, which ascend, and their places there."""
        if not numbers.size:
            return _NONE, _NONE
        places = numbers.searchsorted(self.numbers)
        met = (numbers.take(places, mode="clip") == self.numbers).nonzero()[0]
        return met, places[met]


_NONE = np.zeros(0, np.intp)
