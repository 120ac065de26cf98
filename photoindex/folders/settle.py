"""Decide when a file has stopped changing, so that an incomplete photo is never read."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from photoindex.folders.walk import file_stat
from photoindex.system.paths import paths_below
from photoindex.types import FileStat

EMPTY_PATIENCE = 10  # quiet periods; a copy often begins with an empty file and may take long to send its first byte


@dataclass(slots=True)
class _Pending:
    token: int  # pairs this with its one heap entry; other heap entries of the same path are left-overs
    seen: FileStat | None
    last_change: float
    due: float
    empty: bool = False  # and was so when looked at after a quiet period


class Settler:
    """Holds files back until they have not changed for a while.

    A file is ready when no event came for ``quiet_seconds`` and its size and modification time are the same as at the
    last check; a change starts the quiet period again. Empty files wait up to ten times as long and are
    then released anyway. ``clock`` gives seconds and never goes back. ``stat`` gives the state of a regular file, or
    ``None`` when there is none; when it raises :class:`OSError` the file stays pending and is looked at again later.

    Safe to use from several threads. Every call is cheap however many files wait, except the two that name a folder.
    """

    def __init__(
        self,
        quiet_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        stat: Callable[[Path], FileStat | None] = file_stat,
    ) -> None:
        self._quiet = quiet_seconds
        self._clock = clock
        self._stat = stat
        self._pending: dict[Path, _Pending] = {}
        # Touching a file again only moves its due time in the dict; its heap entry is corrected when it surfaces. That
        # keeps a storm of events on the same files from growing the heap.
        self._heap: list[tuple[float, int, Path]] = []
        self._tokens = itertools.count()
        self._lock = threading.Lock()

    @property
    def pending(self) -> int:
        """Number of files held back."""
        return len(self._pending)

    def pending_below(self, folder: Path) -> int:
        """Return how many files below ``folder`` are held back. Takes time proportional to all pending files."""
        with self._lock:
            return len(paths_below(self._pending, folder))

    def touch(self, path: Path) -> None:
        """Start the quiet period of ``path``: an event was reported."""
        with self._lock:
            self._touch(path)

    def forget(self, path: Path) -> None:
        """Drop ``path``, which was removed."""
        with self._lock:
            self._pending.pop(path, None)

    def forget_below(self, folder: Path) -> None:
        """Drop all files below ``folder``, which was removed. Takes time proportional to all pending files."""
        with self._lock:
            for path in paths_below(self._pending, folder):
                del self._pending[path]

    def move(self, old: Path, new: Path) -> None:
        """Start the quiet period of ``new`` if the renamed file, or the file that it replaced, was pending."""
        with self._lock:
            known = [self._pending.pop(old, None), self._pending.get(new)]
            if any(known):
                self._touch(new)

    def move_below(self, old: Path, new: Path) -> None:
        """Move the files pending below ``old`` to the renamed folder. Takes time proportional to all pending files."""
        with self._lock:
            for path in paths_below(self._pending, old):
                del self._pending[path]
                self._touch(new / path.relative_to(old))

    def take_ready(self) -> list[tuple[Path, FileStat]]:
        """Release the files that are ready, each with its state, the longest quiet first.

        Files that have vanished are dropped.
        """
        ready: list[tuple[Path, FileStat]] = []
        again: list[tuple[float, int, Path]] = []
        with self._lock:
            now = self._clock()
            while self._heap and self._heap[0][0] <= now:
                _, token, path = heapq.heappop(self._heap)
                pending = self._pending.get(path)
                if pending is None or pending.token != token:
                    continue
                if pending.due <= now:
                    stat = self._check(path, pending, now)
                    if stat is not None:
                        ready.append((path, stat))
                if path in self._pending:
                    again.append((pending.due, token, path))
            # Only now, or a file that changes at every look would be looked at for ever when the quiet period is zero.
            for entry in again:
                heapq.heappush(self._heap, entry)
        return ready

    def next_due(self) -> float | None:
        """Return the seconds until a file may be ready; 0 when one may be ready now, ``None`` when nothing is
        pending."""
        with self._lock:
            while self._heap:
                due, token, path = self._heap[0]
                pending = self._pending.get(path)
                if pending is None or pending.token != token:
                    heapq.heappop(self._heap)
                elif pending.due > due:
                    heapq.heapreplace(self._heap, (pending.due, token, path))
                else:
                    return max(0.0, due - self._clock())
            return None

    def only_empty(self) -> list[Path]:
        """Return the files held back, sorted, if each is held back only because it is empty; otherwise none."""
        with self._lock:
            return sorted(self._pending) if all(pending.empty for pending in self._pending.values()) else []

    def _touch(self, path: Path) -> None:
        now = self._clock()
        try:
            seen = self._stat(path)
        except OSError:
            seen = None
        pending = self._pending.get(path)
        if pending is None:
            pending = _Pending(next(self._tokens), seen, now, now + self._quiet)
            self._pending[path] = pending
            heapq.heappush(self._heap, (pending.due, pending.token, path))
        else:
            pending.seen, pending.last_change, pending.due, pending.empty = seen, now, now + self._quiet, False

    def _check(self, path: Path, pending: _Pending, now: float) -> FileStat | None:
        """Check a quiet file: return its state and release it, or schedule the next check."""
        pending.due = now + self._quiet
        try:
            state = self._stat(path)
        except OSError:
            return None
        if state is None:
            del self._pending[path]
            return None
        if pending.seen is None or not pending.seen.is_unchanged(state):
            pending.seen, pending.last_change, pending.empty = state, now, False
            return None
        patience_ends = pending.last_change + EMPTY_PATIENCE * self._quiet
        if state.size == 0 and now < patience_ends:
            pending.due = min(pending.due, patience_ends)
            pending.empty = True
            return None
        del self._pending[path]
        return state
