"""Keep up with folders for as long as asked: compare them, follow the events, compare again now and then.

A watch does not end for what may pass, such as a full disk or a folder that is away: what could not be done is kept in
the catalogue, in the settler or as the current event, and done when it can be (:mod:`photoindex.indexing.retry`).
"""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from photoindex.catalogue.backups import DailyBackup
from photoindex.catalogue.database import Database
from photoindex.catalogue.roots import list_roots, note_mode
from photoindex.config import Settings
from photoindex.errors import FolderError
from photoindex.folders import FolderObserver, Settler
from photoindex.folders.lock import held
from photoindex.indexing.event_handlers import EventHandlers
from photoindex.indexing.indexer import Indexer
from photoindex.indexing.pipeline import Pipeline
from photoindex.indexing.retry import Retry
from photoindex.indexing.watch_status import WatchReporter
from photoindex.system.paths import absolute, is_at_or_below, is_in_any, root_of, shown
from photoindex.system.storage import is_folder, is_there
from photoindex.types import FileEvent, IndexReport, Progress, Tally

EVENTS_KEPT = 100_000  # that may wait while the watch is held up; beyond them all folders are compared instead
DRAIN_SECONDS = 3.0  # the longest that events are handled in one go
IDLE_SECONDS = 60.0  # the longest the watcher sleeps without looking at the clock
SUSPENDED_SECONDS = 60.0  # between two looks whether the photos of a suspended root are back


class Watcher:
    """One watch of ``paths``, until ``stop`` is set."""

    def __init__(
        self,
        database: Database,
        pipeline: Pipeline,
        settings: Settings,
        paths: Sequence[Path],
        stop: threading.Event,
        *,
        report: Callable[[Progress], None] | None = None,
        notice: Callable[[str], None] = lambda _: None,
        settler: Settler | None = None,
        pause: Callable[[threading.Event, float], object] = threading.Event.wait,
    ) -> None:
        """``pause(stop, seconds)`` is how a watch waits before it tries again what failed."""
        self._database = database
        self._pipeline = pipeline
        self._settings = settings
        self._places = [absolute(path) for path in paths]
        self._stop = stop
        self._report = report
        self._notice = notice
        self._indexer = Indexer(database, pipeline, settings, report=report, notice=notice, settler=settler)
        self._settler = self._indexer.settler
        self._comparer = self._indexer.comparer
        self._events: queue.SimpleQueue[FileEvent | None] = queue.SimpleQueue()
        self._observer = FolderObserver(
            self._places, self._indexer.filter, self._receive, settings.poll_seconds, mode=settings.watch_mode,
            wait_for_roots=True,
        )  # fmt: skip
        self._reporter = WatchReporter(database, self._observer, self._settler, self._places)
        self._handlers = EventHandlers(database, self._indexer, self._compare_again)
        self._retry = Retry(notice, partial(pause, stop), stop.is_set, pipeline.close)
        self._backup = DailyBackup(database, settings.backup_days, notice)
        self._current_event: FileEvent | None = None  # not handled to the end
        self._events_lost = threading.Event()
        self._noticed: set[str] = set()  # the observer's problems
        self._unread: set[Path] = set()  # places whose comparison failed
        self._known: set[Path] = set()  # places that the library had since this watch began
        self._forgotten: set[Path] = set()  # those of them that it has no more
        self._has_heard = False  # of an event, since it was last asked which places the library has
        self._reconciled_at = self._worked_at = self._looked_again_at = time.monotonic()

    def run(
        self, ready: Callable[[IndexReport], None] = lambda _: None, worked: Callable[[Tally], None] = lambda _: None
    ) -> None:
        """Index the folders, then keep up with them until ``stop`` is set.

        ``ready`` is called once, when all that was there is done; ``worked`` after each later piece of work. A folder
        that is not there is waited for, unless the library does not know it and no other is there. Raises
        :class:`FolderError` for what is not a folder, and for one that another process is watching.
        """
        self._check_places()
        with ExitStack() as stack:
            for place in dict.fromkeys(self._places):
                stack.enter_context(held(place, self._settings.data_dir / "watchers"))
            self._run(ready, worked)

    def _check_places(self) -> None:
        absent = [place for place in self._places if not is_there(place)]
        for place in self._places:
            if place not in absent and not is_folder(place):
                raise FolderError(f"cannot watch {shown(place)}: not a folder")
        with self._database.read() as connection:
            roots = list_roots(connection)
        for place in absent:
            known = root_of(roots, place) is not None or any(is_at_or_below(root.path, place) for root in roots)
            if not known and len(absent) == len(self._places):
                raise FolderError(f"cannot watch {shown(place)}: no such folder")
            self._notice(f"{shown(place)} is not there: it is watched as soon as it is")

    def _run(self, ready: Callable[[IndexReport], None], worked: Callable[[Tally], None]) -> None:
        # The observer first: what happens during the first comparison is then seen twice rather than never.
        self._observer.start()

        # A signal handler sets ``stop``; this wakes the loop from its wait for events.
        def wake() -> None:
            self._stop.wait()
            self._events.put(None)

        waker = threading.Thread(target=wake, name="photoindex-stop", daemon=True)
        waker.start()
        try:
            there = [place for place in self._places if is_folder(place)]
            report = self._indexer.index(there, self._stop, between=self._between, watch=self._retry.until_done)
            self._retry.until_done(self._note_modes)
            if not self._stop.is_set():
                ready(report)
            self._reconciled_at = self._worked_at = time.monotonic()
            self._unread |= self._indexer.unread.union(self._unknown_places())
            self._retry.until_done(self._note_forgotten)
            while not self._stop.is_set():
                self._retry.until_done(partial(self._turn, worked))
        finally:
            self._observer.stop()
            self._reporter.close()
            self._stop.set()
            waker.join()

    def _receive(self, event: FileEvent) -> None:
        """Keep an event until it can be handled. Called in the observer's threads."""
        if self._events.qsize() < EVENTS_KEPT:
            self._events.put(event)
            return
        self._events_lost.set()
        if self._events.empty():  # it was emptied just now: wake who waits for the next one
            self._events.put(None)

    def _turn(self, worked: Callable[[Tally], None]) -> None:
        """Wait for something to do, and do it."""
        self._report_problems()
        self._drain(0.0 if self._retry.is_retrying else self._wait_seconds())
        if self._stop.is_set():
            return
        if self._has_heard:
            self._note_forgotten()
        self._compare_when_due()
        self._take_settled()
        tally = Tally()
        try:
            self._pipeline.run(stop=self._stop, progress=self._report, between=self._between, tally=tally)
        finally:
            self._handlers.count_moves(tally)
            self._pipeline.note_words_left(tally)
            if tally.done or tally.refreshed or tally.moved:
                self._worked_at = time.monotonic()
                worked(tally)
        self._backup.make_when_due()
        idle = time.monotonic() - self._worked_at
        if idle >= self._settings.unload_seconds and not self._pipeline.at_rest:
            with self._pipeline.turn(self._stop) as has_turn:
                if has_turn:
                    self._pipeline.close()

    def _compare_when_due(self) -> None:
        if self._events_lost.is_set():
            self._events_lost.clear()
            self._reconciled_at = -math.inf
        now = time.monotonic()
        if now - self._reconciled_at >= self._settings.reconcile_seconds:
            self._note_forgotten()
            for place in self._places:
                self._compare_again(place)
            self._reconciled_at = self._looked_again_at = time.monotonic()
        elif now - self._looked_again_at >= min(SUSPENDED_SECONDS, self._look_again_seconds()):
            for path in [*self._unread, *self._suspended()]:
                self._compare_again(path)
            self._looked_again_at = time.monotonic()

    def _compare_again(self, folder: Path) -> None:
        """Compare a folder. A watched one that was not there or could not be read before becomes a root; one that was
        forgotten does not: nobody would caption all of it only to have it taken out."""
        if folder in self._forgotten:
            return
        if folder in self._places:
            try:
                self._comparer.compare(folder)
                self._unread.discard(folder)
            except (FolderError, OSError) as error:
                if is_folder(folder) and folder not in self._unread:
                    self._notice(f"{error}; it is compared as soon as it can be read")
                self._unread.add(folder)
        else:
            self._comparer.compare_again(folder)

    def _note_forgotten(self) -> None:
        """Note which watched folders the library has no more, as after `photoindex forget`, and say so of each once."""
        unknown = set(self._unknown_places())
        self._known |= set(self._places) - unknown
        gone = self._known & unknown
        for place in sorted(gone - self._forgotten):
            self._notice(
                f"{shown(place)} was forgotten or moved in the library: nothing of it is taken in until this watch is "
                "started again"
            )
        self._forgotten = gone
        self._has_heard = False

    def _look_again_seconds(self) -> float:
        return self._settings.poll_seconds if self._unread else SUSPENDED_SECONDS

    def _suspended(self) -> list[Path]:
        with self._database.read() as connection:
            suspended = [root.path for root in list_roots(connection) if root.suspended]
        return [path for path in suspended if is_in_any(path, self._places)]

    def _unknown_places(self) -> list[Path]:
        """Return the watched folders that were not compared yet."""
        with self._database.read() as connection:
            roots = list_roots(connection)
        return [place for place in self._places if root_of(roots, place) is None]

    def _report_problems(self) -> None:
        problems = [problem for problem in self._observer.problems() if problem not in self._noticed]
        if problems:
            self._note_modes()
        for problem in problems:
            self._noticed.add(problem)
            self._notice(problem)

    def _between(self) -> None:
        """Between two batches: follow renames and removals at once, so that no time is spent on files that are gone."""
        self._drain(0.0)
        self._take_settled()

    def _take_settled(self) -> None:
        self._reporter.write_when_due()  # every turn comes by here, and every batch
        self._comparer.take_settled()

    def _wait_seconds(self) -> float:
        """Return for how long nothing can be due."""
        now = time.monotonic()
        waits = [IDLE_SECONDS, self._reconciled_at + self._settings.reconcile_seconds - now, self._reporter.due_in()]
        if self._unread:
            waits.append(self._looked_again_at + self._look_again_seconds() - now)
        if not self._pipeline.at_rest:
            waits.append(self._worked_at + self._settings.unload_seconds - now)
        waits += [wait for wait in (self._settler.next_due(), self._indexer.job_due_in()) if wait is not None]
        return max(0.0, min(waits))

    def _drain(self, wait: float) -> None:
        """Handle the events that are there; without any, wait up to ``wait`` seconds for the first.

        After a few seconds those that are left have to wait for the work that they brought, or a burst of them would
        hold it all up. An event that could not be handled to the end is the first to be handled next time.
        """
        ends = time.monotonic() + wait + DRAIN_SECONDS
        while not self._stop.is_set() and time.monotonic() < ends:
            if self._current_event is None:
                try:
                    self._current_event = self._events.get(timeout=wait) if wait > 0 else self._events.get_nowait()
                except queue.Empty:
                    self._handlers.caught_up()
                    break
            if self._current_event is not None:
                self._reporter.note_event(self._current_event.path)
                self._handlers.handle(self._current_event)
                self._has_heard = True
            self._current_event = None
            wait = 0.0
        self._handlers.take_removals()

    def _note_modes(self) -> None:
        with self._database.write() as connection:
            for root in list_roots(connection):
                if root.path in self._places:
                    mode, reason = self._observer.mode(root.path), self._observer.why_polled(root.path)
                    note_mode(connection, root.id, mode, reason)
