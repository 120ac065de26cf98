"""Work behind the pages: bringing edits into the search index, and noticing what other processes change."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from photoindex.errors import PhotoindexError
from photoindex.library.gallery.snapshots import Snapshots
from photoindex.system.error_lines import in_one_line

POLL_SECONDS: Final = 1.0
RETRY_SECONDS: Final = 5.0

_log = logging.getLogger(__name__)


class _Trouble:
    """What keeps work from being done, as it is tried again and again: logged once, and again when it has changed or
    was over meanwhile. A gallery on a disk that is full for a day would fill what its lines are kept in."""

    def __init__(self) -> None:
        self._noted: str | None = None

    def note(self, error: Exception, failed: str) -> None:
        """Log why something ``failed``, and where in the program when nobody expected it."""
        line = in_one_line(error)
        if line == self._noted:
            return
        self._noted = line
        if isinstance(error, PhotoindexError):
            _log.warning("%s", error)
        else:
            _log.error("%s", failed, exc_info=error)

    def end(self) -> None:
        self._noted = None

    @property
    def is_there(self) -> bool:
        return self._noted is not None


class BackgroundSync:
    """Writes what was edited into the full-text index, in a thread of its own. An edit that it cannot write now keeps
    its mark in the catalogue, and is tried again. Safe between threads."""

    def __init__(self, sync: Callable[[Callable[[], bool]], object]) -> None:
        """``sync`` is given what says whether it is still wanted: when it is not, it ends soon, in the middle."""
        self._sync = sync
        self._changed = threading.Condition()
        self._asked = 0  # how often it was asked
        self._done = 0  # how many of these are in the index
        self._holders = 0
        self._stopped = False
        self._thread: threading.Thread | None = None
        self._trouble = _Trouble()

    @property
    def is_refused(self) -> bool:
        """Whether the index could not be written when that was tried last."""
        return self._trouble.is_there

    def request(self) -> None:
        """Have the index brought up to date soon."""
        with self._changed:
            self._asked += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="index-sync", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Write nothing meanwhile: beside it, an edit of many photos takes three times as long."""
        with self._changed:
            self._holders += 1
        try:
            yield
        finally:
            with self._changed:
                self._holders -= 1
                self._changed.notify_all()

    def wait(self, seconds: float) -> bool:
        """Wait until nothing is to be written; returns whether that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: self._done == self._asked, seconds)

    def close(self) -> None:
        """Write what is still to be written, and end the thread."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopped or (self._done != self._asked and self._is_wanted()))
                if self._done == self._asked:
                    return
                asked = self._asked
            if self._synced():
                with self._changed:
                    if self._is_wanted():  # else it may have ended in the middle
                        self._done = asked
                        self._changed.notify_all()
                continue
            with self._changed:
                if self._changed.wait_for(lambda: self._stopped, RETRY_SECONDS):
                    return

    def _is_wanted(self) -> bool:
        return self._stopped or not self._holders

    def _synced(self) -> bool:
        try:
            self._sync(self._is_wanted)
        except Exception as error:  # a fault of ours, too: without this thread no edit would ever be found again
            self._trouble.note(error, "the index could not be brought up to date")
            return False
        self._trouble.end()
        return True


class Changes:
    """Tells listeners that the catalogue changed. Nothing is looked at while nobody listens."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots
        self._lock = threading.Lock()
        self._listeners: dict[int, Callable[[], None]] = {}
        self._next = 0
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._trouble = _Trouble()

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call ``listener`` after each change, in another thread; returns what ends that."""
        with self._lock:
            number, self._next = self._next, self._next + 1
            self._listeners[number] = listener
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="changes", daemon=True)
                self._thread.start()
        self._wake.set()
        return lambda: self._forget(number)

    def notify(self) -> None:
        """Look now."""
        self._wake.set()

    def close(self) -> None:
        """End the thread. May be called again."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def _forget(self, number: int) -> None:
        with self._lock:
            self._listeners.pop(number, None)

    def _state(self) -> tuple[int, object] | None:
        try:
            state = self._snapshots.state()
        # A fault of ours, too: without this thread no page would ever hear of a change again.
        except Exception as error:
            self._trouble.note(error, "the catalogue could not be looked at")
            return None
        self._trouble.end()
        return state

    def _watch(self) -> None:
        noticed: tuple[int, object] | None = None
        while not self._stop.is_set():
            with self._lock:
                listeners = list(self._listeners.values())
            if listeners:
                state = self._state() or noticed
                if noticed is not None and state != noticed:
                    for listener in listeners:
                        listener()
                noticed = state
            self._wake.wait(POLL_SECONDS if listeners else None)
            self._wake.clear()
