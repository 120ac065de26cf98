"""Keeping the catalogue equal to the folders: compare once, or go on for as long as asked.

:meth:`Indexer.index` compares folders with the catalogue and works the queue off. :meth:`Indexer.watch` does the same
and then follows events. Neither takes a file that is still being written: one that changed in the last
``settle_seconds`` waits until it has been quiet for as long.

A watch does not end for what may pass, such as a full disk: what could not be done then is kept in the catalogue, in
the settler or as the event at hand, and done when it can be (:mod:`photoindex.retry`).
"""

from __future__ import annotations

import math
import os
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TypeVar

from photoindex import jobqueue
from photoindex.config import Settings
from photoindex.decode.photo import shown
from photoindex.errors import FolderError
from photoindex.paths import absolute, check_exists
from photoindex.pipeline import Pipeline
from photoindex.retry import Retry
from photoindex.store import files
from photoindex.store.database import Database
from photoindex.types import Failure, FileEvent, IndexReport, Progress, ScannedFile, Tally
from photoindex.watch import IGNORE_FILE, FolderObserver, IgnoreFiles, PhotoFilter, Settler, compare, scan
from photoindex.watch.holder import held
from photoindex.watch.scan import file_stat
from photoindex.watchjournal import WatchJournal

RECORD_CHUNK = 1000  # files noted in one transaction
RESTLESS_SECONDS = 60.0  # how long an index that is otherwise done waits for files that keep changing
EVENTS_KEPT = 100_000  # that may wait while the watch is held up; beyond them all folders are compared instead
IDLE_SECONDS = 60.0  # the longest the watcher sleeps without looking at the clock

Result = TypeVar("Result")


class Indexer:
    """Finds work in the folders and has the pipeline do it."""

    def __init__(
        self,
        database: Database,
        pipeline: Pipeline,
        settings: Settings,
        *,
        report: Callable[[Progress], None] | None = None,
        notice: Callable[[str], None] = lambda _: None,
        settler: Settler | None = None,
        now: Callable[[], float] = time.monotonic,
        pause: Callable[[threading.Event, float], object] = threading.Event.wait,
    ) -> None:
        """``pause(stop, seconds)`` is how a watch waits before it tries again what failed."""
        self._database = database
        self._pipeline = pipeline
        self._settings = settings
        self._filter = PhotoFilter(settings.hidden_files, IgnoreFiles(notice))
        self._report = report
        self._journal: WatchJournal | None = None  # while watching
        self._notice = notice
        self._now = now
        self._pause = pause
        self._settler = settler or Settler(settings.settle_seconds)
        self._retry: Retry | None = None  # while watching
        self._at_hand: FileEvent | None = None  # not handled to the end
        self._events_lost = threading.Event()
        self._told: set[str] = set()  # the observer's problems
        self._reconciled_at = self._worked_at = time.monotonic()

    def index(
        self, paths: Sequence[Path], stop: threading.Event, between: Callable[[], None] | None = None
    ) -> IndexReport:
        """Bring the catalogue up to date with these folders or files, once. ``between`` is called between batches.

        A file that is still being written is waited for, but not longer than a minute beyond the rest of the work: it
        is left for the next run then. An empty one is left at once when there is nothing else to wait for.

        Raises :class:`FolderError` for a path that does not exist; then nothing was changed.
        """
        started = time.monotonic()
        places = [absolute(path) for path in paths]
        if self._retry is None:  # a watch has seen that they are there; what goes from now on may come back
            for place in places:
                check_exists(place)
        seen = unchanged = missing = 0
        for place in places:
            if stop.is_set():
                break
            found = self._attempt(partial(self._compare_first, place))
            if found is not None:
                seen, unchanged, missing = seen + found[0], unchanged + found[1], missing + found[2]
        tally = Tally()
        work_off = partial(self._pipeline.run, stop=stop, progress=self._report, between=between, tally=tally)
        self._attempt(work_off)
        patience = self._now() + max(RESTLESS_SECONDS, 10 * self._settings.settle_seconds)
        while (wait := self._rest_in()) is not None and not stop.is_set():
            if self._now() > patience:
                self._notice("some files are still being written and were left for the next run")
                break
            stop.wait(wait)
            self._attempt(self._take_settled)
            self._attempt(work_off)
        if self._retry is None and not stop.is_set() and (empty := self._settler.only_empty()):
            others = f" and {len(empty) - 1} more files are" if len(empty) > 1 else " is"
            self._notice(f"{shown(empty[0])}{others} empty: left for the next run, which takes what is there then")
        failures = self._attempt(partial(self._failures, places)) or ()
        return IndexReport(
            seen=seen,
            captioned=tally.captioned,
            unchanged=unchanged,
            recognised=tally.recognised,
            missing=missing,
            failed=len(failures),
            seconds=time.monotonic() - started,
            failures=failures,
        )

    def watch(
        self,
        paths: Sequence[Path],
        stop: threading.Event,
        ready: Callable[[IndexReport], None] = lambda _: None,
        worked: Callable[[Tally], None] = lambda _: None,
    ) -> None:
        """Index these folders, then keep up with them until ``stop`` is set.

        ``ready`` is called once, when all that was there is done; ``worked`` after each later piece of work. Raises
        :class:`FolderError` for what is no folder, and for one that another process is watching.
        """
        places = [absolute(path) for path in paths]
        for place in places:
            if not place.is_dir():
                raise FolderError(f"cannot watch {place}: " + ("not a folder" if place.exists() else "no such folder"))
        with ExitStack() as stack:
            for place in dict.fromkeys(places):
                stack.enter_context(held(place, self._settings.data_dir / "watchers"))
            self._watch(places, stop, ready, worked)

    def _watch(
        self,
        places: Sequence[Path],
        stop: threading.Event,
        ready: Callable[[IndexReport], None],
        worked: Callable[[Tally], None],
    ) -> None:
        events: queue.SimpleQueue[FileEvent | None] = queue.SimpleQueue()
        # The observer first: what happens during the first comparison is then seen twice rather than never.
        observer = FolderObserver(places, self._filter, partial(self._receive, events), self._settings.poll_seconds)
        self._journal = WatchJournal(self._database, observer, self._settler, places)
        observer.start()
        self._retry = Retry(self._notice, partial(self._pause, stop), stop.is_set, self._pipeline.close)

        # A signal handler sets ``stop``; this wakes the loop from its wait for events.
        def wake() -> None:
            stop.wait()
            events.put(None)

        waker = threading.Thread(target=wake, name="photoindex-stop", daemon=True)
        waker.start()
        try:
            report = self.index(places, stop, between=lambda: self._between(events))
            self._attempt(partial(self._note_modes, places, observer))
            if not stop.is_set():
                ready(report)
            self._reconciled_at = self._worked_at = time.monotonic()
            while not stop.is_set():
                self._attempt(partial(self._turn, places, observer, events, stop, worked))
        finally:
            observer.stop()
            self._journal.close()
            self._journal = None
            stop.set()
            waker.join()
            self._retry = None

    def _receive(self, events: queue.SimpleQueue[FileEvent | None], event: FileEvent) -> None:
        """Keep an event until it can be handled. Called in the observer's threads."""
        if events.qsize() < EVENTS_KEPT:
            events.put(event)
            return
        self._events_lost.set()
        if events.empty():  # it was emptied just now: wake who waits for the next one
            events.put(None)

    def _attempt(self, step: Callable[[], Result]) -> Result | None:
        """Do it; while watching, again until it is done or the watch is to stop, which is ``None``."""
        return step() if self._retry is None else self._retry.until_done(step)

    def _turn(
        self,
        places: Sequence[Path],
        observer: FolderObserver,
        events: queue.SimpleQueue[FileEvent | None],
        stop: threading.Event,
        worked: Callable[[Tally], None],
    ) -> None:
        """Wait for something to do, and do it."""
        self._tell_problems(places, observer)
        held_up = self._retry is not None and self._retry.held_up
        self._drain(events, 0.0 if held_up else self._wait_seconds())
        if stop.is_set():
            return
        if self._events_lost.is_set():
            self._events_lost.clear()
            self._reconciled_at = -math.inf
        if time.monotonic() - self._reconciled_at >= self._settings.reconcile_seconds:
            for place in places:
                self._compare_again(place)
            self._reconciled_at = time.monotonic()
        self._take_settled()
        tally = Tally()
        try:
            self._pipeline.run(stop=stop, progress=self._report, between=lambda: self._between(events), tally=tally)
        finally:
            if tally.done:
                self._worked_at = time.monotonic()
                worked(tally)
        idle = time.monotonic() - self._worked_at
        if idle >= self._settings.unload_seconds and not self._pipeline.at_rest:
            self._pipeline.close()

    def _tell_problems(self, places: Sequence[Path], observer: FolderObserver) -> None:
        problems = [problem for problem in observer.problems() if problem not in self._told]
        if problems:
            self._note_modes(places, observer)
        for problem in problems:
            self._told.add(problem)
            self._notice(problem)

    def _between(self, events: queue.SimpleQueue[FileEvent | None]) -> None:
        """Between two batches: follow renames and removals at once, so that no time is spent on files that are gone."""
        self._drain(events, 0.0)
        self._take_settled()

    def _wait_seconds(self) -> float:
        """How long nothing can be due."""
        now = time.monotonic()
        waits = [IDLE_SECONDS, self._reconciled_at + self._settings.reconcile_seconds - now]
        if not self._pipeline.at_rest:
            waits.append(self._worked_at + self._settings.unload_seconds - now)
        waits += [wait for wait in (self._settler.next_due(), self._job_due_in()) if wait is not None]
        if self._journal is not None:
            waits.append(self._journal.due_in())
        return max(0.0, min(waits))

    def _rest_in(self) -> float | None:
        """Seconds until a file that was being written may be at rest; ``None`` when there is none, or only empty ones
        that were not written to for a while: what fills them may never come."""
        due = self._attempt(self._job_due_in)
        # A job that the pipeline put off is meant, not one that failed and has minutes to wait.
        settled = None if self._settler.only_empty() else self._settler.next_due()
        waits = [settled, due if due is not None and due <= self._settings.settle_seconds else None]
        return min((max(0.0, wait) for wait in waits if wait is not None), default=None)

    def _job_due_in(self) -> float | None:
        due = self._pipeline.next_due()
        return None if due is None else due.timestamp() - time.time()

    def _drain(self, events: queue.SimpleQueue[FileEvent | None], wait: float) -> None:
        """Handle the events that are there; when there are none, wait for the first as long as told (seconds).

        An event that could not be handled to the end is the first to be handled next time.
        """
        while True:
            if self._at_hand is None:
                try:
                    self._at_hand = events.get(timeout=wait) if wait > 0 else events.get_nowait()
                except queue.Empty:
                    return
            if self._at_hand is not None:
                self._handle(self._at_hand)
            self._at_hand = None
            wait = 0.0

    def _handle(self, event: FileEvent) -> None:
        if self._journal is not None:
            self._journal.heard(event.path)
        if event.kind == "overflow" or (event.kind == "written" and event.is_directory):
            self._compare_again(event.path)
        elif not event.is_directory and IGNORE_FILE in (event.path.name, event.destination and event.destination.name):
            for path in filter(None, (event.path, event.destination)):
                self._rules_changed(path)
        elif event.kind == "written":
            self._settler.touch(event.path)
        elif event.kind == "moved":
            assert event.destination is not None
            self._moved(event.path, event.destination, event.is_directory)
        elif event.is_directory:
            self._settler.forget_below(event.path)
            self._removed(event.path)
        else:
            self._settler.forget(event.path)
            self._removed(event.path)

    def _rules_changed(self, path: Path) -> None:
        """Compare the folder of an ignore file by its new rules, once the file is whole."""
        if os.path.lexists(path):
            self._settler.touch(path)
            return
        self._settler.forget(path)
        if path.name == IGNORE_FILE:
            self._compare_again(path.parent)
        else:
            self._removed(path)

    def _moved(self, source: Path, destination: Path, is_directory: bool) -> None:
        if is_directory:
            self._settler.move_below(source, destination)
        else:
            self._settler.move(source, destination)
        with self._database.write() as connection:
            moved = files.move(connection, source, destination)
        if is_directory:
            # What was in the folder and not known yet came along.
            self._compare_again(destination)
        elif not moved:
            self._settler.touch(destination)

    def _removed(self, path: Path) -> None:
        with self._database.read() as connection:
            root = files.root_of(files.list_roots(connection), path)
        if root is None or not root.path.is_dir():  # a disk that went away takes no photo with it
            return
        if os.path.lexists(path) and not self._filter.ignores_below(root.path, path):
            return  # already there again: another event says so
        with self._database.write() as connection:
            files.mark_missing(connection, [path])

    def _compare_again(self, folder: Path) -> None:
        """Compare a folder below a root; one that is gone or cannot be read by now is none of the watcher's end."""
        with self._database.read() as connection:
            root = files.root_of(files.list_roots(connection), folder)
        if root is None or not folder.is_dir():
            return
        try:
            self._compare(folder)
        except (FolderError, OSError) as error:
            if folder.is_dir():
                self._notice(str(error))

    def _compare_first(self, place: Path) -> tuple[int, int, int]:
        """Compare; a watched folder that goes away meanwhile does not end the watch of the others."""
        try:
            return self._compare(place)
        except (FolderError, OSError) as error:
            if self._retry is None or place.is_dir():
                raise
            self._notice(f"{error}; it is compared when it is back")
            return 0, 0, 0

    def _compare(self, place: Path) -> tuple[int, int, int]:
        """Scan a folder (or one file), note what is new, changed or gone. Returns files seen, unchanged and missing."""
        folder = place if place.is_dir() else place.parent
        device = _device(folder)
        with self._database.write() as connection:
            root = files.ensure_root(connection, folder)
            known = files.known_files(connection, place)
        scanned: list[ScannedFile] = []
        problems: list[Path] = []

        def unreadable(path: Path, error: OSError) -> None:
            problems.append(path)
            self._notice(f"cannot read the folder {path}: {error.strerror or error}; its photos are left as they were")

        for item in scan(place, self._filter, unreadable):
            scanned.append(item)
            if self._report is not None and len(scanned) % 500 == 0:
                self._report(Progress("scanning", len(scanned), len(scanned), item.path))
        # A disk that goes away in the middle of the scan takes its photos out of sight, not out of the library.
        away = _device(folder) != device or (bool(known) and not scanned and device != root.device)
        scanned += self._look_at_named(place, known.keys() - {item.path for item in scanned}, problems)
        changes = compare(scanned, known, unreadable=problems)
        if away:
            self._notice(f"{folder} is not on the disk it was on before: its disk is away; its photos are kept")
        with self._database.write() as connection:
            if changes.missing and not away:
                files.mark_missing(connection, changes.missing)
        self._record([*changes.new, *changes.changed])
        if not away and folder == root.path and place == folder:
            with self._database.write() as connection:
                files.note_reconciled(connection, root.id, device)
        return len(scanned), changes.unchanged, 0 if away else len(changes.missing)

    def _look_at_named(self, place: Path, unseen: Iterable[Path], problems: list[Path]) -> list[ScannedFile]:
        """Those of the unseen files that are there and that a scan passes by: the user named them, not their folder.

        What is left out by a rule, which the user wrote as well, is not among them.
        """
        found = []
        for path in unseen:
            if self._filter.ignores_below(place, path):
                continue
            if self._filter.accepts_file(path) and self._filter.accepts_below(place, path):
                continue
            try:
                stat = file_stat(path)
            except OSError:
                problems.append(path)
            else:
                found += [ScannedFile(path, stat)] if stat is not None else []
        return found

    def _record(self, found: Iterable[ScannedFile]) -> None:
        """Queue the files that are at rest; those that changed a moment ago go through the settler first."""
        newest = time.time_ns() - int(self._settings.settle_seconds * 1e9)
        at_rest: list[ScannedFile] = []
        for item in found:
            if self._settings.settle_seconds and item.stat.mtime_ns > newest:
                self._settler.touch(item.path)
            else:
                at_rest.append(item)
        for start in range(0, len(at_rest), RECORD_CHUNK):
            with self._database.write() as connection:
                files.record_files(connection, at_rest[start : start + RECORD_CHUNK])

    def _take_settled(self) -> None:
        if self._journal is not None:  # every turn of a watch comes by here, and every batch
            self._journal.write_when_due()
        settled = [ScannedFile(path, stat) for path, stat in self._settler.take_ready()]
        if not settled:
            return
        rules = [item.path for item in settled if item.path.name == IGNORE_FILE]
        try:
            for path in rules:
                self._compare_again(path.parent)
            with self._database.write() as connection:
                roots = files.list_roots(connection)
                known = [
                    item for item in settled
                    if item.path.name != IGNORE_FILE and files.root_of(roots, item.path) is not None
                ]  # fmt: skip
                files.record_files(connection, known)
        except BaseException:
            for item in settled:  # nobody else knows of them
                self._settler.touch(item.path)
            raise

    def _failures(self, places: Sequence[Path]) -> tuple[Failure, ...]:
        with self._database.read() as connection:
            return tuple(f for f in jobqueue.failures(connection) if _below(f.path, places))

    def _note_modes(self, places: Sequence[Path], observer: FolderObserver) -> None:
        with self._database.write() as connection:
            for root in files.list_roots(connection):
                if root.path in places:
                    files.note_mode(connection, root.id, observer.mode(root.path), observer.why_polled(root.path))


def _device(folder: Path) -> int:
    try:
        return folder.stat().st_dev
    except OSError as error:
        raise FolderError(f"cannot reach the folder {folder}: {error.strerror or error}") from error


def _below(path: Path, places: Iterable[Path]) -> bool:
    return any(path == place or place in path.parents for place in places)
