"""Giving way to whatever else the machine is for: fewer photos a second, a lower priority."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable

LOWEST_RATE = 0.01  # photos a second; slower than this, a job's lease would run out while it waits
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


def give_way(nice: int) -> None:
    """Lower this process's priority to ``nice`` (1 to 19; 0 leaves it), and so that of all it starts from now on.

    One that is lower already stays. Windows knows no steps: any ``nice`` is "below normal" there.
    """
    if not nice:
        return
    if sys.platform == "win32":
        import ctypes

        below_normal = 0x4000
        kernel = ctypes.windll.kernel32
        kernel.SetPriorityClass(kernel.GetCurrentProcess(), below_normal)
    elif os.getpriority(os.PRIO_PROCESS, 0) < nice:
        os.setpriority(os.PRIO_PROCESS, 0, nice)
