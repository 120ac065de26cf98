"""Time limits that count only the time in which this process runs.

One that is stopped, as by Ctrl-Z, and goes on an hour later must not find that all it waits for took an hour.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

PIECE_SECONDS: Final = 0.25  # the most that one stop takes from a limit


def within(seconds: float, wait: Callable[[float], object]) -> bool:
    """Call ``wait`` with parts of the seconds until it returns something true; return whether it did in time."""
    while seconds > 0:
        part = min(seconds, PIECE_SECONDS)
        if wait(part):
            return True
        seconds -= part
    return bool(wait(0))
