"""Whose turn it is to write: a process that writes again and again leaves the catalogue to others in between.

SQLite hands its lock to nobody: who waits for it asks again, at last every :data:`LONGEST_POLL` seconds, and whoever
happens to ask while it is free has it. Beside a process that takes it again as soon as it has let it go, another may so
wait for long although no transaction of the first is long.
"""

from __future__ import annotations

import threading
import time

LONGEST_POLL = 0.1  # seconds between two looks of one that waits: the last step of SQLite's busy handler
REST = LONGEST_POLL + 0.02  # seconds that the lock is left free, so that everyone who waits looks once
MOST = 0.4  # seconds that the lock is held, by one transaction or several, before such a rest


class Turns:
    """Counts how long the write transactions of a process have held the lock without a rest. For any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held = 0.0  # seconds since the last rest
        self._released = -REST  # when the lock was last let go, by the monotonic clock

    def wait(self) -> None:
        """Wait before a write transaction when others have to have a chance first."""
        time.sleep(self._due())

    def note(self, began: float) -> None:
        """Note that a transaction which has had the lock since ``began``, by the monotonic clock, has ended."""
        with self._lock:
            self._released = time.monotonic()
            self._held += self._released - began

    def _due(self) -> float:
        """Return for how many seconds a transaction that begins now has to wait."""
        with self._lock:
            free = time.monotonic() - self._released
            if free >= REST:
                self._held = 0.0
            if self._held < MOST:
                return 0.0
            self._held = 0.0
            return max(REST - free, 0.0)
