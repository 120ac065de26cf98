"""A few documents among many, looked up in the sorted lists of an index."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    Ids = NDArray[np.intp]
    Spans = Sequence[tuple[int, int]]  # the first number of each and the one behind its last
    # The first number of a segment, its size, rows of it, ascending, and a value for each of these.
    Listed = tuple[int, int, NDArray[Any], NDArray[Any]]

_STRETCH: Final = 4096  # places


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


def stretches(mask: NDArray[np.bool_]) -> Spans:
    """Return stretches of whole blocks of places, with all places that are true in them."""
    whole = len(mask) // _STRETCH * _STRETCH
    touched = np.zeros(len(mask) // _STRETCH + 3, np.int8)  # one more before and behind
    touched[1 : 1 + whole // _STRETCH] = mask[:whole].reshape(-1, _STRETCH).any(axis=1)
    touched[1 + whole // _STRETCH] = mask[whole:].any()
    changes = (np.diff(touched).nonzero()[0] * _STRETCH).tolist()
    return list(zip(changes[::2], changes[1::2], strict=True))


def cuts(rows: NDArray[Any], first: int, size: int, spans: Spans) -> Iterator[slice]:
    """Yield where the rows of a segment, ascending, lie within ``spans`` of all numbers."""
    for start, end in spans:
        if start < first + size and end > first:
            # By halving: NumPy would convert all rows for so large a number.
            yield slice(bisect_left(rows, start - first), bisect_left(rows, end - first))
