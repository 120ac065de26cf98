"""Values that a program gives: whole numbers, texts, yes or no, one of a few words; each of its kind and nothing else.

Whole numbers are Python's own, NumPy's and others of that kind. What a database takes for no number is equal to no
row's: the photo that is meant would be left out without a word.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import index
from reprlib import repr as short
from typing import TypeVar

LARGEST_ID = 2**63 - 1  # of a row, in SQLite and PostgreSQL
NO_ROW = 0  # the id of none

K = TypeVar("K", bound=str)
T = TypeVar("T")


def whole(value: object, what: str) -> int:
    """Return a whole number as Python's. ``what`` it is of is said in the TypeError for anything else."""
    if not isinstance(value, bool):
        try:
            return index(value)  # type: ignore[arg-type]
        except TypeError:
            pass
    raise TypeError(f"{what} is a whole number, not {short(value)}")


def within(value: object, what: str, low: int, high: int) -> int:
    """Return a whole number from ``low`` to ``high``. Raises ValueError for others, TypeError as :func:`whole`."""
    number = whole(value, what)
    if not low <= number <= high:
        raise ValueError(f"{what} is {low:,} to {high:,}, not {short(number)}")
    return number


def row_id(value: object, what: str) -> int:
    """Return the id of a row: of none for a number that no database holds. Raises TypeError as :func:`whole`."""
    number = whole(value, what)
    return number if 0 < number <= LARGEST_ID else NO_ROW


def photo_ids_of(values: Iterable[object]) -> list[int]:
    """Return the ids of photos that a program gives, which may come one by one, but for those that no database holds:
    they are of no photo. Raises TypeError."""
    ids = [row_id(value, "the id of a photo") for value in values]
    return [number for number in ids if number != NO_ROW]


def text_of(value: object, what: str) -> str:
    """Return a text. ``what`` it is, is said in the TypeError for anything else, as for bytes."""
    if not isinstance(value, str):
        raise TypeError(f"{what} is a text, not {short(value)}")
    return value


def yes_or_no(value: object, what: str) -> bool:
    """Return True or False, which may be NumPy's. Raises TypeError for anything else: a "no" would count as yes."""
    if value not in (True, False):
        raise TypeError(f"{what} is True or False, not {short(value)}")
    return bool(value)


def check_flags(**flags: object) -> None:
    """Raise TypeError unless each is True or False, as :func:`yes_or_no` does."""
    for what, value in flags.items():
        yes_or_no(value, what)


def one_of(words: Mapping[K, T], value: object, what: str) -> T:
    """Return what one of a few words stands for. Raises ValueError for any other."""
    found = next((each for word, each in words.items() if isinstance(value, str) and word == value), None)
    if found is None:
        raise ValueError(f"{what} is one of {', '.join(words)}, not {short(value)}")
    return found
