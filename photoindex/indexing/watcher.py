"""Keeping up with folders for as long as asked: compare them, follow the events, compare again now and then.

A watch does not end for what may pass, such as a full disk: what could not be done then is kept in the catalogue, in
the settler or as the event at hand, and done when it can be (:mod:`photoindex.indexing.retry`).
"""

from __future__ import annotations

import math
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from photoindex.catalogue import files, metadata
from photoindex.catalogue.backups import DailyBackup
from photoindex.catalogue.database import Database
from photoindex.catalogue.roots import Root, list_roots, note_mode
from photoindex.config import Settings
from photoindex.errors import FolderError
from photoindex.folders import IGNORE_FILE, FolderObserver, Settler
from photoindex.folders.lock import held
from photoindex.indexing.indexer import Indexer
from photoindex.indexing.metadata_refresh import mark_beside
from photoindex.indexing.missing_photos import Suspension
from photoindex.indexing.pipeline import Pipeline
from photoindex.indexing.retry import Retry
from photoindex.indexing.watch_status import WatchJournal
from photoindex.media.metadata.sidecars import is_sidecar
from photoindex.system.paths import absolute, is_in_any, root_of
from photoindex.types import FileEvent, IndexReport, Progress, Tally

EVENTS_KEPT = 100_000  # that may wait while the watch is held up; beyond them all folders are compared instead
DRAIN_SECONDS = 3.0  # the longest that events are handled in one go
IDLE_SECONDS = 60.0  # the longest the watcher sleeps without looking at the clock
SUSPENDED_SECONDS = 60.0  # how often it is looked whether the photos of a suspended root are back


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
        self._suspension = Suspension(database, settings, notice)
        self._indexer = Indexer(
            database, pipeline, settings, report=report, notice=notice, settler=settler, suspension=self._suspension
        )
        self._settler = self._indexer.settler
        self._events: queue.SimpleQueue[FileEvent | None] = queue.SimpleQueue()
        self._observer = FolderObserver(
            self._places, self._indexer.filter, self._receive, settings.poll_seconds, mode=settings.watch_mode
        )
        self._journal = WatchJournal(database, self._observer, self._settler, self._places)
        self._retry = Retry(notice, partial(pause, stop), stop.is_set, pipeline.close)
        self._backup = DailyBackup(database, settings.backup_days, notice)
        self._at_hand: FileEvent | None = None  # not handled to the end
        self._removals: list[Path] = []  # told by events, to be judged together
        self._events_lost = threading.Event()
        self._told: set[str] = set()  # the observer's problems
        self._reconciled_at = self._worked_at = self._looked_for_suspended_at = time.monotonic()

    def run(
        self, ready: Callable[[IndexReport], None] = lambda _: None, worked: Callable[[Tally], None] = lambda _: None
    ) -> None:
        """Index the folders, then keep up with them until told to stop.

        ``ready`` is called once, when all that was there is done; ``worked`` after each later piece of work. Raises
        :class:`FolderError` for what is no folder, and for one that another process is watching.
        """
        for place in self._places:
            if not place.is_dir():
                raise FolderError(f"cannot watch {place}: " + ("not a folder" if place.exists() else "no such folder"))
        with ExitStack() as stack:
            for place in dict.fromkeys(self._places):
                stack.enter_context(held(place, self._settings.data_dir / "watchers"))
            self._run(ready, worked)

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
            report = self._indexer.index(self._places, self._stop, between=self._between, watch=self._retry.until_done)
            self._retry.until_done(self._note_modes)
            if not self._stop.is_set():
                ready(report)
            self._reconciled_at = self._worked_at = time.monotonic()
            while not self._stop.is_set():
                self._retry.until_done(partial(self._turn, worked))
        finally:
            self._observer.stop()
            self._journal.close()
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
        self._tell_problems()
        self._drain(0.0 if self._retry.held_up else self._wait_seconds())
        if self._stop.is_set():
            return
        self._compare_when_due()
        self._take_settled()
        tally = Tally()
        try:
            self._pipeline.run(stop=self._stop, progress=self._report, between=self._between, tally=tally)
        finally:
            if tally.done or tally.refreshed:
                self._worked_at = time.monotonic()
                worked(tally)
        self._backup.make_when_due()
        idle = time.monotonic() - self._worked_at
        if idle >= self._settings.unload_seconds and not self._pipeline.at_rest:
            self._pipeline.close()

    def _compare_when_due(self) -> None:
        if self._events_lost.is_set():
            self._events_lost.clear()
            self._reconciled_at = -math.inf
        if time.monotonic() - self._reconciled_at >= self._settings.reconcile_seconds:
            for place in self._places:
                self._indexer.compare_again(place)
            self._reconciled_at = self._looked_for_suspended_at = time.monotonic()
        elif time.monotonic() - self._looked_for_suspended_at >= SUSPENDED_SECONDS:
            with self._database.read() as connection:
                suspended = [root.path for root in list_roots(connection) if root.suspended_photos is not None]
            for path in suspended:
                if is_in_any(path, self._places):
                    self._indexer.compare_again(path)
            self._looked_for_suspended_at = time.monotonic()

    def _tell_problems(self) -> None:
        problems = [problem for problem in self._observer.problems() if problem not in self._told]
        if problems:
            self._note_modes()
        for problem in problems:
            self._told.add(problem)
            self._notice(problem)

    def _between(self) -> None:
        """Between two batches: follow renames and removals at once, so that no time is spent on files that are gone."""
        self._drain(0.0)
        self._take_settled()

    def _take_settled(self) -> None:
        self._journal.write_when_due()  # every turn comes by here, and every batch
        self._indexer.take_settled()

    def _wait_seconds(self) -> float:
        """How long nothing can be due."""
        now = time.monotonic()
        waits = [IDLE_SECONDS, self._reconciled_at + self._settings.reconcile_seconds - now, self._journal.due_in()]
        if not self._pipeline.at_rest:
            waits.append(self._worked_at + self._settings.unload_seconds - now)
        waits += [wait for wait in (self._settler.next_due(), self._indexer.job_due_in()) if wait is not None]
        return max(0.0, min(waits))

    def _drain(self, wait: float) -> None:
        """Handle the events that are there; when there are none, wait for the first as long as told (seconds).

        After a few seconds those that are left have to wait for the work that they brought, or a burst of them would
        hold it all up. An event that could not be handled to the end is the first to be handled next time.
        """
        ends = time.monotonic() + wait + DRAIN_SECONDS
        while not self._stop.is_set() and time.monotonic() < ends:
            if self._at_hand is None:
                try:
                    self._at_hand = self._events.get(timeout=wait) if wait > 0 else self._events.get_nowait()
                except queue.Empty:
                    break
            if self._at_hand is not None:
                self._handle(self._at_hand)
            self._at_hand = None
            wait = 0.0
        self._take_removals()

    def _handle(self, event: FileEvent) -> None:
        self._journal.heard(event.path)
        if event.kind != "removed":
            self._take_removals()  # in their order
        if event.kind == "overflow" or (event.kind == "written" and event.is_directory):
            self._indexer.compare_again(event.path)
        elif not event.is_directory and IGNORE_FILE in (event.path.name, event.destination and event.destination.name):
            for path in filter(None, (event.path, event.destination)):
                self._rules_changed(path)
        elif not event.is_directory and any(
            is_sidecar(path) for path in (event.path, event.destination) if path is not None
        ):
            self._sidecar_changed(event)
        elif event.kind == "written":
            self._settler.touch(event.path)
        elif event.kind == "moved":
            assert event.destination is not None
            self._moved(event.path, event.destination, event.is_directory)
        elif event.is_directory:
            self._settler.forget_below(event.path)
            self._removals.append(event.path)
        else:
            self._settler.forget(event.path)
            self._removals.append(event.path)

    def _rules_changed(self, path: Path) -> None:
        """Compare the folder of an ignore file by its new rules, once the file is whole."""
        if os.path.lexists(path):
            self._settler.touch(path)
            return
        self._settler.forget(path)
        if path.name == IGNORE_FILE:
            self._indexer.compare_again(path.parent)
        else:
            self._removals.append(path)

    def _sidecar_changed(self, event: FileEvent) -> None:
        """Have the photos beside a sidecar read again: once it is whole when it was written, at once when it went."""
        if event.kind == "written":
            self._settler.touch(event.path)
            return
        self._settler.forget(event.path)
        if is_sidecar(event.path):
            mark_beside(self._database, [event.path])
        else:
            self._removals.append(event.path)
        if event.destination is not None:
            self._settler.touch(event.destination)  # a program may have written it under another name first

    def _moved(self, source: Path, destination: Path, is_directory: bool) -> None:
        if is_directory:
            self._settler.move_below(source, destination)
        else:
            self._settler.move(source, destination)
        with self._database.write() as connection:
            moved = files.move(connection, source, destination)
            if moved and not is_directory:  # its name may be its date, and other sidecars may be beside it now
                metadata.mark_paths(connection, [destination])
        if is_directory:
            # What was in the folder and not known yet came along.
            self._indexer.compare_again(destination)
        elif not moved:
            self._settler.touch(destination)

    def _take_removals(self) -> None:
        """Mark as missing what events said was removed, all of it at once, as many are judged otherwise than one."""
        if not self._removals:
            return
        with self._database.read() as connection:
            roots = list_roots(connection)
        gone = [path for path in self._removals if self._is_gone(path, root_of(roots, path))]
        if gone:
            self._suspension.removed(gone)
        self._removals.clear()

    def _is_gone(self, path: Path, root: Root | None) -> bool:
        if root is None or not root.path.is_dir():  # a disk that went away takes no photo with it
            return False
        # One that is there already again has an event that says so.
        return not os.path.lexists(path) or self._indexer.filter.ignores_below(root.path, path)

    def _note_modes(self) -> None:
        with self._database.write() as connection:
            for root in list_roots(connection):
                if root.path in self._places:
                    mode, reason = self._observer.mode(root.path), self._observer.why_polled(root.path)
                    note_mode(connection, root.id, mode, reason)
