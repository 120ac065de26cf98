"""Keep the catalogue equal to folders, once: compare them, then caption what is new.

:meth:`Indexer.index` compares folders with the catalogue and works off the queue; :mod:`.watcher` continues from there.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from photoindex.catalogue import files, jobs, relocation
from photoindex.catalogue.database import Database
from photoindex.config import Settings
from photoindex.errors import FolderError
from photoindex.folders import IgnoreFiles, PhotoFilter, Settler
from photoindex.indexing.comparison import Comparer, Counts
from photoindex.indexing.pipeline import Pipeline
from photoindex.indexing.quick_check import QuickCheck
from photoindex.indexing.relocation import suggest_forget, suggest_move
from photoindex.indexing.tree_walk import nested
from photoindex.system.paths import absolute, check_exists, is_in_any, shown
from photoindex.system.storage import is_file, is_folder, is_gone
from photoindex.system.units import counted
from photoindex.system.url_paths import is_url
from photoindex.types import Failure, IndexReport, Progress, Tally

RESTLESS_SECONDS = 60.0  # how long an index that is otherwise done waits for files that keep changing

Result = TypeVar("Result")


class Attempt(Protocol):
    """Runs a step and returns its result; ``None`` when it was given up."""

    def __call__(self, step: Callable[[], Result], /) -> Result | None: ...


def once(step: Callable[[], Result]) -> Result | None:
    """Run a step, as an :class:`Attempt` that lets every error through."""
    return step()


class Indexer:
    """Finds work in folders and has the pipeline do it.

    ``check`` is a quick check of the same folders that was made a moment ago: its walks are not made again.
    """

    def __init__(
        self,
        database: Database,
        pipeline: Pipeline,
        settings: Settings,
        *,
        report: Callable[[Progress], None] | None = None,
        notice: Callable[[str], None] = lambda _: None,
        settler: Settler | None = None,
        check: QuickCheck | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.missing = pipeline.missing
        self.settler = settler or Settler(settings.settle_seconds)
        self.filter = (
            check.photo_filter
            if check
            else PhotoFilter(settings.hidden_files, settings.own_folders, IgnoreFiles(notice))
        )
        self.comparer = Comparer(
            database, settings, pipeline.missing, self.settler, self.filter, report=report, notice=notice,
            walks=check.walks if check else {},
        )  # fmt: skip
        self._database = database
        self._pipeline = pipeline
        self._settings = settings
        self._report = report
        self._notice = notice
        self._now = now
        self.unread: set[Path] = set()  # places whose comparison failed
        self._moves_suggested = False
        pipeline.notice = pipeline.missing.notice = notice

    def index(
        self,
        paths: Sequence[Path],
        stop: threading.Event,
        *,
        accept_missing: bool = False,
        caption: bool = True,
        between: Callable[[], None] | None = None,
        watch: Attempt | None = None,
    ) -> IndexReport:
        """Bring the catalogue up to date with these folders or files, once. ``between`` is called between batches.

        Without ``caption`` photos are queued and left to workers. With ``accept_missing`` all that is gone was removed,
        however much it is (:mod:`.missing_photos`). ``watch`` runs each step for a watch, which continues whatever
        happens to its folders.

        A file that is still being written is waited for, but not longer than a minute beyond the rest of the work; then
        it is left for the next run. An empty one is left at once when there is nothing else to wait for.

        Raises :class:`FolderError` for a path that does not exist; then nothing was changed.
        """
        started = time.monotonic()
        places = list(dict.fromkeys(absolute(path) for path in paths))
        if watch is None:  # a watch waits for folders that are not there
            for place in places:
                if not ((accept_missing or is_url(place)) and self._is_known_and_gone(place)):
                    check_exists(place)
        attempt = watch or once
        attempt(self._give_to_deepest_roots)
        counts = self._compare(places, stop, accept_missing, watch)
        tally = Tally()
        self._work_off(attempt, stop, between, tally, caption)
        if watch is None and not stop.is_set():
            self._notice_what_is_left(caption)
        if watch is None and tally.recognised and not self._moves_suggested:
            self._suggest_forget(places)
        failures = attempt(partial(self._failures, places)) or ()
        moved = (Counter(tally.recognised_photos) & self.comparer.gone_photos).total()
        self.comparer.gone_photos.clear()
        return IndexReport(
            seen=counts.seen,
            captioned=tally.captioned,
            unchanged=counts.unchanged + tally.verified,
            recognised=tally.recognised,
            missing=counts.missing,
            failed=len(failures),
            seconds=time.monotonic() - started,
            failures=failures,
            refreshed=tally.refreshed,
            moved=moved,
            refreshed_only=tally.refreshed_only,
            unreadable=tuple(dict.fromkeys(counts.unreadable)),
        )

    def _compare(
        self, places: Sequence[Path], stop: threading.Event, accept_missing: bool, watch: Attempt | None
    ) -> Counts:
        """Compare folders and files with the catalogue, each once."""
        counts, attempt = Counts(), watch or once
        within = nested(places)
        inner = set().union(*within.values())
        named = dict.fromkeys(place for place in places if watch is None and not accept_missing and is_file(place))
        # A folder before those within it, which are no roots of their own then.
        for place in sorted((place for place in places if place not in named), key=inner.__contains__):
            if stop.is_set():
                break
            if accept_missing and self._is_known_and_gone(place):
                counts += self.comparer.accept_gone(place)
                continue
            self._suggest_move(place)
            compare = partial(self.comparer.compare, place, accept_missing=accept_missing, within=within.get(place, ()))
            counts += attempt(partial(self._compare_if_there, place, compare) if watch else compare) or Counts()
        if named:
            counts += self.comparer.compare_files(named)
        return counts

    def _notice_what_is_left(self, caption: bool) -> None:
        """Say which files the run leaves: those that are empty, and those that others caption."""
        if empty := self.settler.only_empty():
            others = f" and {len(empty) - 1} more files are" if len(empty) > 1 else " is"
            self._notice(f"{shown(empty[0])}{others} empty: left for the next run, which takes what is there then")
        if caption and (elsewhere := self._at_work_elsewhere()):
            is_captioning = counted(elsewhere, "photo is", "photos are")
            self._notice(
                f"{is_captioning} being captioned by another process: photoindex status says how many are left"
            )

    def _at_work_elsewhere(self) -> int:
        """Return how many photos other processes have claimed: this one has ended its own."""
        with self._database.read() as connection:
            return jobs.counts(connection)["running"]

    def job_due_in(self) -> float | None:
        """Return the seconds until the next job may be claimed, below zero when one may be; ``None`` without any."""
        due = self._pipeline.next_due()
        return None if due is None else due.timestamp() - self._database.now().timestamp()

    def _work_off(
        self, attempt: Attempt, stop: threading.Event, between: Callable[[], None] | None, tally: Tally, caption: bool
    ) -> None:
        """Work off the queue, and then the files that settle meanwhile."""
        run = partial(
            self._pipeline.run, stop=stop, progress=self._report, between=between, tally=tally, caption=caption
        )
        attempt(run)
        patience_ends = self._now() + max(RESTLESS_SECONDS, 10 * self._settings.settle_seconds)
        while (wait := self._settles_in(attempt, caption)) is not None and not stop.is_set():
            if self._now() > patience_ends:
                self._notice("some files are still being written and were left for the next run")
                break
            stop.wait(wait)
            attempt(self.comparer.take_settled)
            attempt(run)

    def _compare_if_there(self, place: Path, compare: Callable[[], Counts]) -> Counts:
        """Compare a watched folder. One that is not there, or cannot be read, does not end the watch of the others."""
        try:
            return compare()
        except (FolderError, OSError) as error:
            if is_folder(place) and not isinstance(error, FolderError):
                raise
            self.unread.add(place)
            self._notice(f"{error}; it is compared when it is back")
            return Counts()

    def _give_to_deepest_roots(self) -> None:
        """Remove the second row of a path that `photoindex move` once made in a root around another."""
        with self._database.read() as connection:
            nested = relocation.has_nested_roots(connection)
        if nested:
            with self._database.write() as connection:
                relocation.give_to_deepest_roots(connection)

    def _suggest_move(self, place: Path) -> None:
        with self._database.read() as connection:
            line = suggest_move(connection, place)
        if line is not None:
            self._moves_suggested = True
            self._notice(line)

    def _suggest_forget(self, places: Sequence[Path]) -> None:
        with self._database.read() as connection:
            lines = [line for place in places for line in suggest_forget(connection, place)]
        for line in dict.fromkeys(lines):
            self._notice(line)

    def _is_known_and_gone(self, place: Path) -> bool:
        """Return whether the library has photos of a path that is not there any more."""
        with self._database.read() as connection:
            return is_gone(place) and bool(files.known_files(connection, place))

    def _settles_in(self, attempt: Attempt, caption: bool) -> float | None:
        """Return the seconds until a file that was being written may have settled.

        ``None`` when there is none, or only empty ones that were not written to for a while: what fills them may never
        come.
        """
        due = attempt(self.job_due_in) if caption else None
        # A job that was postponed is meant, not one that failed and has minutes to wait.
        settled = None if self.settler.only_empty() else self.settler.next_due()
        waits = [settled, due if due is not None and due <= self._settings.settle_seconds else None]
        return min((max(0.0, wait) for wait in waits if wait is not None), default=None)

    def _failures(self, places: Sequence[Path]) -> tuple[Failure, ...]:
        with self._database.read() as connection:
            return tuple(failure for failure in jobs.failures(connection) if is_in_any(failure.path, places))
