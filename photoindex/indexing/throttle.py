"""The limit of photos a second (``max_rate``)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

AHEAD_SECONDS = 5.0  # of work that is claimed at once, so that a slow run still hears of renames soon


class Pace:
    """At most ``rate`` photos a second, evenly, and without catching up on time that went by idle; 0: no limit."""

    def __init__(self, rate: float, now: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._now = now
        self._free_at = -math.inf

    def begin(self) -> float:
        """Seconds to wait before the next photo, which counts as begun then."""
        if not self._rate:
            return 0.0
        now = self._now()
        start = max(now, self._free_at)
        self._free_at = start + 1 / self._rate
        return start - now

    def at_once(self, most: int, seconds: float = AHEAD_SECONDS) -> int:
        """How many photos of ``most`` are to be taken together, so that they are through in so many seconds."""
        return most if not self._rate else max(1, min(most, math.ceil(self._rate * seconds)))
