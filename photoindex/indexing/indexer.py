"""Keeping the catalogue equal to the folders: what is new, changed or gone there is noted, and the new is captioned.

:meth:`Indexer.index` compares folders with the catalogue and works the queue off, once; :mod:`.watcher` goes on from
there. Neither takes a file that is still being written: one that changed in the last ``settle_seconds`` waits
until it has been quiet for as long.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Protocol, TypeVar

from photoindex.catalogue import files, jobs, metadata
from photoindex.catalogue.database import Database
from photoindex.catalogue.fast_queries import known_states, sidecar_states
from photoindex.catalogue.roots import ensure_root, list_roots, note_reconciled
from photoindex.config import Settings
from photoindex.errors import FolderError
from photoindex.folders import (
    IGNORE_FILE,
    Changes,
    IgnoreFiles,
    PhotoFilter,
    Settler,
    compare,
    scanned_file,
    sift,
    walk,
)
from photoindex.folders.walk import file_stat
from photoindex.indexing.metadata_refresh import mark_beside
from photoindex.indexing.missing_photos import Suspension
from photoindex.indexing.pipeline import Pipeline
from photoindex.media.metadata import sidecars
from photoindex.system.clock import utc_now
from photoindex.system.paths import absolute, check_exists, is_in_any, root_of, shown
from photoindex.types import Failure, FileStat, IndexReport, Progress, ScannedFile, Tally

RECORD_CHUNK = 1000  # files noted in one transaction
RESTLESS_SECONDS = 60.0  # how long an index that is otherwise done waits for files that keep changing

Result = TypeVar("Result")


class Attempt(Protocol):
    """Does a step and returns what it returns; ``None`` when it was given up."""

    def __call__(self, step: Callable[[], Result], /) -> Result | None: ...


def once(step: Callable[[], Result]) -> Result | None:
    """An :class:`Attempt` that lets every error through."""
    return step()


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
        suspension: Suspension | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settler = settler or Settler(settings.settle_seconds)
        self.filter = PhotoFilter(settings.hidden_files, IgnoreFiles(notice))
        self._database = database
        self._pipeline = pipeline
        self._settings = settings
        self._report = report
        self._notice = notice
        pipeline.notice = notice
        self._now = now
        self._suspension = suspension or Suspension(database, settings, notice)

    def index(
        self,
        paths: Sequence[Path],
        stop: threading.Event,
        *,
        accept_missing: bool = False,
        between: Callable[[], None] | None = None,
        watch: Attempt | None = None,
    ) -> IndexReport:
        """Bring the catalogue up to date with these folders or files, once. ``between`` is called between batches.

        ``accept_missing``: what is gone was removed, however much it is (:mod:`.missing_photos`). ``watch`` is
        how a watch does each step, which goes on whatever happens to its folders.

        A file that is still being written is waited for, but not longer than a minute beyond the rest of the work: it
        is left for the next run then. An empty one is left at once when there is nothing else to wait for.

        Raises :class:`FolderError` for a path that does not exist; then nothing was changed.
        """
        started = time.monotonic()
        places = [absolute(path) for path in paths]
        if watch is None:  # a watch has seen that they are there; what goes from now on may come back
            for place in places:
                if not (accept_missing and self._is_gone(place)):
                    check_exists(place)
        attempt = watch or once
        seen = unchanged = missing = 0
        named = dict.fromkeys(place for place in places if watch is None and not accept_missing and place.is_file())
        if named:
            seen, unchanged = self._compare_files(named)
        for place in (place for place in places if place not in named):
            if stop.is_set():
                break
            if accept_missing and self._is_gone(place):
                missing += self._give_up(place)
                continue
            first = partial(self._compare_first if watch else self._compare, place, accept_missing=accept_missing)
            found = attempt(first)
            if found is not None:
                seen, unchanged, missing = seen + found[0], unchanged + found[1], missing + found[2]
        tally = Tally()
        work_off = partial(self._pipeline.run, stop=stop, progress=self._report, between=between, tally=tally)
        attempt(work_off)
        patience = self._now() + max(RESTLESS_SECONDS, 10 * self._settings.settle_seconds)
        while (wait := self._rest_in(attempt)) is not None and not stop.is_set():
            if self._now() > patience:
                self._notice("some files are still being written and were left for the next run")
                break
            stop.wait(wait)
            attempt(self.take_settled)
            attempt(work_off)
        if watch is None and not stop.is_set() and (empty := self.settler.only_empty()):
            others = f" and {len(empty) - 1} more files are" if len(empty) > 1 else " is"
            self._notice(f"{shown(empty[0])}{others} empty: left for the next run, which takes what is there then")
        failures = attempt(partial(self._failures, places)) or ()
        return IndexReport(
            seen=seen,
            captioned=tally.captioned,
            unchanged=unchanged,
            recognised=tally.recognised,
            missing=missing,
            failed=len(failures),
            seconds=time.monotonic() - started,
            failures=failures,
            refreshed=tally.refreshed,
        )

    def compare_again(self, folder: Path) -> None:
        """Compare a folder below a root; one that is gone or cannot be read by now is none of the watcher's end."""
        with self._database.read() as connection:
            root = root_of(list_roots(connection), folder)
        if root is None or not folder.is_dir():
            return
        try:
            self._compare(folder)
        except (FolderError, OSError) as error:
            if folder.is_dir():
                self._notice(str(error))

    def _compare_first(self, place: Path, *, accept_missing: bool) -> tuple[int, int, int]:
        """Compare; a watched folder that goes away meanwhile does not end the watch of the others."""
        try:
            return self._compare(place, accept_missing=accept_missing)
        except (FolderError, OSError) as error:
            if place.is_dir():
                raise
            self._notice(f"{error}; it is compared when it is back")
            return 0, 0, 0

    def _is_gone(self, place: Path) -> bool:
        """Whether a path that the library has photos of is not there any more."""
        with self._database.read() as connection:
            return not os.path.lexists(place) and bool(files.known_files(connection, place))

    def _give_up(self, place: Path) -> int:
        """Take all photos below a path that is gone for removed. Returns how many."""
        with self._database.write() as connection:
            known = files.known_files(connection, place)
            removed = self._suspension.compared(connection, place, list(known), known, (), accept=True)
            return files.mark_missing(connection, removed)

    def _compare(self, place: Path, *, accept_missing: bool = False) -> tuple[int, int, int]:
        """Scan a folder (or one file), note what is new, changed or gone. Returns files seen, unchanged and missing."""
        folder = place if place.is_dir() else place.parent
        device = _device(folder)
        with self._database.write() as connection:
            root = ensure_root(connection, folder)
        with self._database.ask() as asker:
            known, known_sidecars = known_states(asker, place), sidecar_states(asker, place)
        any_known = bool(known)
        problems: list[Path] = []

        def unreadable(path: Path, error: OSError) -> None:
            problems.append(path)
            self._notice(f"cannot read the folder {path}: {error.strerror or error}; its photos are left as they were")

        def tell(seen: int, path: str) -> None:
            if self._report is not None:
                self._report(Progress("scanning", seen, seen, Path(path), counting=True))

        found = sift(walk(place, self.filter, unreadable), known, known_sidecars, scanned_file, tell)
        # A disk that goes away in the middle of the scan takes its photos out of sight, not out of the library.
        emptied = any_known and not found.seen and device != root.device and not accept_missing
        away = emptied or _device(folder) != device
        left = _stats(known)  # what differs, and what was not met
        named = self._look_at_named(place, left.keys() - {item.path for item in found.others}, problems)
        changes = compare([*found.others, *named], left, unreadable=problems)
        removed: list[Path] = []
        if away:
            self._notice(f"{folder} is not on the disk it was on before: its disk is away; its photos are kept")
        else:
            with self._database.write() as connection:
                removed = self._suspension.compared(
                    connection, place, changes.missing, left, changes.new, accept=accept_missing
                )
                files.mark_missing(connection, removed)
        other = [item.path for item in named if item.sidecars != known_sidecars.get(os.fspath(item.path), "")]
        self._note(changes, [*found.beside, *other])
        if not away and len(removed) == len(changes.missing) and folder == root.path and place == folder:
            with self._database.write() as connection:
                note_reconciled(connection, root.id, device)
                jobs.expedite(connection, root.id, utc_now())
        return found.seen + len(named), found.unchanged + changes.unchanged, len(removed)

    def _compare_files(self, named: Collection[Path]) -> tuple[int, int]:
        """The same for files that the user named one by one, of which none can be missing: all of them at once.
        Returns how many there are, and how many are unchanged."""
        known: dict[str, tuple[int, int, int]] = {}
        known_sidecars: dict[str, str] = {}
        with self._database.write() as connection:
            for folder in dict.fromkeys(path.parent for path in named):
                ensure_root(connection, folder)
        with self._database.ask() as asker:
            for path in named:
                known |= known_states(asker, path)
                known_sidecars |= sidecar_states(asker, path)
        met = chain.from_iterable(walk(path, self.filter) for path in named)
        found = sift(met, known, known_sidecars, scanned_file)
        self._note(compare(found.others, _stats(known)), found.beside)
        return found.seen, found.unchanged

    def _look_at_named(self, place: Path, unseen: Iterable[Path], problems: list[Path]) -> list[ScannedFile]:
        """Those of the unseen files that are there and that a scan passes by: the user named them, not their folder.

        What is left out by a rule, which the user wrote as well, is not among them.
        """
        found = []
        for path in unseen:
            if self.filter.ignores_below(place, path):
                continue
            if self.filter.accepts_file(path) and self.filter.accepts_below(place, path):
                continue
            try:
                stat = file_stat(path)
            except OSError:
                problems.append(path)
            else:
                found += [ScannedFile(path, stat, sidecars.state(sidecars.beside(path)))] if stat is not None else []
        return found

    def _note(self, changes: Changes, beside: Sequence[Path]) -> None:
        """``beside``: photos whose files are as they were, and whose sidecars are not."""
        metadata.mark_paths_in_steps(self._database, beside)
        self._record([*changes.new, *changes.changed])

    def _record(self, found: Iterable[ScannedFile]) -> None:
        """Queue the files that are at rest; those that changed a moment ago go through the settler first."""
        newest = time.time_ns() - int(self._settings.settle_seconds * 1e9)
        at_rest: list[ScannedFile] = []
        for item in found:
            if self._settings.settle_seconds and item.stat.mtime_ns > newest:
                self.settler.touch(item.path)
            else:
                at_rest.append(item)
        for start in range(0, len(at_rest), RECORD_CHUNK):
            with self._database.write() as connection:
                files.record_files(connection, at_rest[start : start + RECORD_CHUNK])

    def take_settled(self) -> None:
        """Note and queue the files that have come to rest."""
        settled = [ScannedFile(path, stat) for path, stat in self.settler.take_ready()]
        if not settled:
            return
        rules = [item.path for item in settled if item.path.name == IGNORE_FILE]
        try:
            for path in rules:
                self.compare_again(path.parent)
            mark_beside(self._database, (item.path for item in settled if sidecars.is_sidecar(item.path)))
            with self._database.write() as connection:
                roots = list_roots(connection)
                known = [
                    item for item in settled
                    if item.path.name != IGNORE_FILE
                    and not sidecars.is_sidecar(item.path)
                    and root_of(roots, item.path) is not None
                ]  # fmt: skip
                files.record_files(connection, known)
        except BaseException:
            for item in settled:  # nobody else knows of them
                self.settler.touch(item.path)
            raise

    def _rest_in(self, attempt: Attempt) -> float | None:
        """Seconds until a file that was being written may be at rest; ``None`` when there is none, or only empty ones
        that were not written to for a while: what fills them may never come."""
        due = attempt(self.job_due_in)
        # A job that the pipeline put off is meant, not one that failed and has minutes to wait.
        settled = None if self.settler.only_empty() else self.settler.next_due()
        waits = [settled, due if due is not None and due <= self._settings.settle_seconds else None]
        return min((max(0.0, wait) for wait in waits if wait is not None), default=None)

    def job_due_in(self) -> float | None:
        """Seconds until the next job may be claimed, below zero when one may be; ``None`` when there is none."""
        due = self._pipeline.next_due()
        return None if due is None else due.timestamp() - time.time()

    def _failures(self, places: Sequence[Path]) -> tuple[Failure, ...]:
        with self._database.read() as connection:
            return tuple(f for f in jobs.failures(connection) if is_in_any(f.path, places))


def _device(folder: Path) -> int:
    try:
        return folder.stat().st_dev
    except OSError as error:
        raise FolderError(f"cannot reach the folder {folder}: {error.strerror or error}") from error


def _stats(known: Mapping[str, tuple[int, int, int]]) -> dict[Path, FileStat]:
    return {Path(path): FileStat(*state) for path, state in known.items()}
