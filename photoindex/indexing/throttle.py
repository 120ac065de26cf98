"""Limit the photos captioned per second (``max_rate``)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

AHEAD_SECONDS = 5.0  # of work that is claimed at once, so that a slow run still follows renames soon


class Throttle:
    """Spaces photos evenly, at most ``rate`` a second; 0: no limit. Time that passes unused is not made up for."""

    def __init__(self, rate: float, now: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._now = now
        self._free_at = -math.inf

    def reserve(self) -> float:
        """Reserve the next photo; return the seconds to wait before it is begun."""
        if not self._rate:
            return 0.0
        now = self._now()
        start = max(now, self._free_at)
        self._free_at = start + 1 / self._rate
        return start - now

    def batch_size(self, most: int, seconds: float = AHEAD_SECONDS) -> int:
        """Return how many photos, at most ``most``, can be begun within so many seconds; at least one."""
        return most if not self._rate else max(1, min(most, math.ceil(self._rate * seconds)))
