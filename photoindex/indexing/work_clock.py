"""Measure the time that batches of photos take, for the rates that are shown and predicted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class WorkClock:
    """Counts seconds of work. Loading a model and other things that are not the photos' doing are left out."""

    def __init__(self) -> None:
        self._counted_until = time.monotonic()

    def restart(self) -> None:
        """Begin to count now."""
        self._counted_until = time.monotonic()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave out the time that the block takes."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._counted_until += time.monotonic() - began

    def lap(self) -> float:
        """Return the seconds since the last lap or restart."""
        now = time.monotonic()
        seconds, self._counted_until = now - self._counted_until, now
        return seconds
