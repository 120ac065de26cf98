"""Many values for a statement, a few at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

CHUNK = 500  # values a statement: below SQLite's limit on variables

_Value = TypeVar("_Value")


def chunks(values: Iterable[_Value], size: int = CHUNK) -> Iterator[list[_Value]]:
    """The values in their order, at most ``size`` at a time."""
    remaining = iter(values)
    while chunk := list(islice(remaining, size)):
        yield chunk
