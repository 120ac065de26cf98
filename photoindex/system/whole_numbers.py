"""Whole numbers that a program gives: Python's own, NumPy's and others of that kind, one or many, and nothing else.

What a database takes for no number is equal to no row's: the photo that is meant would be left out without a word.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import index


def whole(value: object, what: str) -> int:
    """Return a whole number as Python's. ``what`` it is of is said in the TypeError for anything else."""
    if not isinstance(value, bool):
        try:
            return index(value)  # type: ignore[arg-type]
        except TypeError:
            pass
    raise TypeError(f"{what} is a whole number, not {value!r}")


def photo_ids_of(values: Iterable[object]) -> list[int]:
    """Return the ids of photos that a program gives, which may come one by one. Raises TypeError."""
    return [whole(value, "the id of a photo") for value in values]
