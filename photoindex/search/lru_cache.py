"""A least-recently-used cache whose values a caller looks up and keeps; functools has one for whole functions alone."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class LruCache(Generic[Key, Value]):
    """Up to ``most`` values by key; the one that was not asked for the longest makes room."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: dict[Key, Value] = {}

    def get(self, key: Key) -> Value | None:
        """Return a value that is still kept."""
        value = self._values.pop(key, None)
        if value is not None:
            self._values[key] = value
        return value

    def keep(self, key: Key, value: Value) -> Value:
        """Keep a value, and return it."""
        if len(self._values) >= self._most:
            del self._values[next(iter(self._values))]
        self._values[key] = value
        return value

    def clear(self) -> None:
        """Drop all values."""
        self._values.clear()
