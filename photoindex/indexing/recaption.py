"""Caption photos again: choose them, predict the time it takes, and make them one batch of jobs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from photoindex.catalogue import batches, photos
from photoindex.catalogue.batches import BatchKind
from photoindex.catalogue.database import Database
from photoindex.catalogue.jobs import STALE, Priority, failures
from photoindex.errors import PhotoError
from photoindex.indexing.pipeline import Pipeline
from photoindex.types import Progress, Tally

TRIAL_PHOTOS = 16

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Plan:
    """What captioning again would do.

    ``by_model`` counts the photos by the model whose caption each has now. ``rate`` is in photos a second;
    ``rate_from`` says what it was measured by: ``batch 3``, ``a trial of 16``. Both are ``None`` when no photo could be
    tried.
    """

    photos: int
    by_model: dict[str, int]
    rate: float | None
    rate_from: str | None

    @property
    def seconds(self) -> float | None:
        return self.photos / self.rate if self.rate else None


class Recaptioner:
    """Makes batches of photos to caption again, and works them off. ``match`` returns the ids of a query's photos."""

    def __init__(self, database: Database, pipeline: Pipeline, match: Callable[[str], Sequence[int]]) -> None:
        self._database = database
        self._pipeline = pipeline
        self._match = match

    def choose(self, kind: BatchKind, query: str | None) -> list[int]:
        """Return the ids of one file of each photo: of ``stale`` ones (captioned by another model), else of all; with a
        query, of those that answer it."""
        identity = self._pipeline.captioner.info.identity if kind == STALE else None
        chosen = None if query is None else self._match(query)
        with self._database.read() as connection:
            return photos.captioned_before(connection, identity, chosen)

    def run(
        self,
        kind: BatchKind,
        query: str | None,
        priority: Priority,
        progress: Callable[[Progress], None] | None,
        stop: threading.Event | None,
        started: Callable[[int | None, int], None],
    ) -> Tally:
        """Make a batch and work off what is due. ``started`` receives the batch's id and its number of photos."""
        started(*self.queue(kind, query, priority))
        return self._pipeline.run(stop=stop, progress=progress)

    def queue(self, kind: BatchKind, query: str | None, priority: Priority) -> tuple[int | None, int]:
        """Make a batch and leave it to workers. Return its id, ``None`` when there is nothing to do, and its number of
        photos."""
        model_setting, now = self._pipeline.model_setting, self._database.now()
        chosen = [] if kind == "failed" else self.choose(kind, query)
        with self._database.write() as connection:
            if kind == "failed":
                return batches.create_of_failures(connection, model=model_setting, priority=priority, now=now)
            return batches.create(
                connection, kind, chosen, model=model_setting, priority=priority, now=now, query=query
            )  # fmt: skip

    def plan(self, kind: BatchKind, query: str | None) -> Plan:
        """Count what :meth:`run` would do and predict how long it takes, by the rate of the last batch with this model,
        or else by captioning a few of the photos now without storing anything."""
        chosen = [] if kind == "failed" else self.choose(kind, query)
        with self._database.read() as connection:
            if kind == "failed":
                paths = [failure.path for failure in failures(connection)]
                count, by_model = len(paths), {}
            else:
                paths = photos.paths_of_files(connection, _spread(chosen))
                count, by_model = len(chosen), photos.models_of_files(connection, chosen)
            known = batches.last_rate(connection, self._pipeline.model_setting)
        if known is not None:
            return Plan(count, by_model, known[1], f"batch {known[0]}")
        tried, seconds = self._try(_spread(paths))
        return (
            Plan(count, by_model, tried / seconds, f"a trial of {tried}")
            if tried
            else Plan(count, by_model, None, None)
        )

    def _try(self, paths: Sequence[Path]) -> tuple[int, float]:
        """Return how many of these photos could be captioned, and the seconds that it took."""
        if not paths:
            return 0, 0.0
        with self._pipeline.turn():
            self._caption(paths[:1])  # the first takes longer: workers start and the model warms up
            started = time.monotonic()
            return self._caption(paths), time.monotonic() - started

    def _caption(self, paths: Sequence[Path]) -> int:
        decoded = [answer for _, answer in self._pipeline.decoder.decode(paths) if not isinstance(answer, PhotoError)]
        batch = self._pipeline.captioner.info.batch_size
        for start in range(0, len(decoded), batch):
            self._pipeline.caption([photo.pixels for photo in decoded[start : start + batch]])
        return len(decoded)


def _spread(items: Sequence[Item]) -> list[Item]:
    """Return a few items from all over the sequence: photos of one folder are often of one camera."""
    return list(items[:: max(1, -(-len(items) // TRIAL_PHOTOS))])
