"""The photos of whose captions the model is least sure, for review: found once, and then only looked at again.

Finding them reads all captions (0.5 s of 100,000 photos), which is too long between two keys of a review.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from photoindex.catalogue.database import Database
from photoindex.catalogue.gallery_queries import least_sure

FOUND: Final = 1_000  # photos at once
GOOD_SECONDS: Final = 600.0  # after which photos that came meanwhile are looked at


class Unsure:
    """The least sure photos of a library. Safe between threads."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._found: list[int] = []
        self._found_at = -GOOD_SECONDS

    def first(self, most: int) -> list[int]:
        """Return so many photos at most, the least sure first, of those that nobody reviewed yet."""
        with self._lock, self._database.ask() as asker:
            # Where there are fewer, looking for all of them is quick.
            if len(self._found) >= FOUND and self._clock() - self._found_at < GOOD_SECONDS:
                left = least_sure(asker, most, self._found)
                if len(left) == most:
                    return left
            self._found = least_sure(asker, max(FOUND, most))
            self._found_at = self._clock()
            return self._found[:most]
