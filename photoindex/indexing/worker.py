"""Work off the queue until stopped, on any machine that reaches the catalogue and the photos.

A worker compares no folders, keeps no index and judges nothing: a file that is not here may be there for others, so its
job goes back into the queue. Of folders that this machine does not reach it takes no jobs (:mod:`.reachable_roots`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from photoindex.catalogue import migration
from photoindex.catalogue.database import Database
from photoindex.errors import CatalogueOutdated
from photoindex.indexing.pipeline import Pipeline
from photoindex.indexing.retry import Retry
from photoindex.types import Progress, Tally

LOOK_SECONDS: Final = 1.0  # between two looks for jobs that others queued


class Worker:
    """Runs a pipeline over the queue until ``stop`` is set.

    ``notice`` receives troubles that may pass, a line each; ``pause(stop, seconds)`` waits between two looks.
    """

    def __init__(
        self,
        database: Database,
        pipeline: Pipeline,
        unload_seconds: float,
        stop: threading.Event,
        *,
        report: Callable[[Progress], None] | None = None,
        notice: Callable[[str], None] = lambda _: None,
        pause: Callable[[threading.Event, float], object] = threading.Event.wait,
    ) -> None:
        self._database = database
        self._pipeline = pipeline
        self._unload_seconds = unload_seconds
        self._stop = stop
        self._report = report
        self._pause = partial(pause, stop)
        self._retry = Retry(notice, self._pause, stop.is_set, pipeline.close)
        self._worked_at = time.monotonic()
        self._tallies: tuple[Tally, ...] = ()  # of the turns that have ended, added up, and of the current one
        pipeline.notice = pipeline.missing.notice = notice

    def run(self, worked: Callable[[Tally], None] = lambda _: None) -> Tally:
        """Work until stopped; return what was done. ``worked`` is called after each piece of work.

        A worker runs once. Raises :class:`CatalogueOutdated` when the catalogue was upgraded meanwhile, and what does
        not pass.
        """
        while not self._stop.is_set():
            self._retry.until_done(partial(self._turn, worked))
            self._pause(LOOK_SECONDS)
        return self.totals()

    def totals(self) -> Tally:
        """Return how many photos were captioned, recognised and failed so far; may be asked from any thread."""
        parts = self._tallies
        return Tally(
            captioned=sum(part.captioned for part in parts), recognised=sum(part.recognised for part in parts),
            failed=sum(part.failed for part in parts),
        )  # fmt: skip

    def _turn(self, worked: Callable[[Tally], None]) -> None:
        revision = self._database.revision()
        if revision != migration.HEAD:
            raise CatalogueOutdated(
                f"the catalogue {self._database.place} is of version {revision} now, and this worker needs "
                f"{migration.HEAD}: install the photoindex that upgraded it, and start again"
            )
        tally = Tally()
        self._tallies = (self.totals(), tally)
        try:
            self._pipeline.run(
                stop=self._stop, progress=self._report, tally=tally, refresh=not self._database.is_shared
            )
        finally:
            if tally.done or tally.refreshed:
                self._worked_at = time.monotonic()
                worked(tally)
        if time.monotonic() - self._worked_at >= self._unload_seconds and not self._pipeline.at_rest:
            self._pipeline.close()
