"""Batches of photos to be captioned again, planned and queued without a model: a watch or the next `index` or `reindex`
works them off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Literal, NamedTuple, get_args

from photoindex.captioner.model_files import inspect_folder
from photoindex.captioner.registry import model_folder, model_setting
from photoindex.catalogue import batches, photos
from photoindex.catalogue.batches import BatchKind
from photoindex.catalogue.database import Database
from photoindex.catalogue.jobs import STALE, failures
from photoindex.config import Settings

What = Literal["stale", "all", "failed"]
WHATS: Final[tuple[What, ...]] = get_args(What)


class BatchPlan(NamedTuple):
    """How many photos a batch has, by whose captions they show now, and how long it takes by the rate of the last batch
    with the model in use; ``None`` when there was none."""

    photos: int
    by_model: dict[str, int]
    seconds: float | None


class BatchPlanner:
    """Plans and queues. ``match`` returns the photos that a query finds."""

    def __init__(self, database: Database, settings: Settings, match: Callable[[str], Sequence[int]]) -> None:
        self._database = database
        self._settings = settings
        self._match = match

    def plan(self, what: What, query: str | None) -> BatchPlan:
        """Count what :meth:`queue` would queue. Raises :class:`photoindex.errors.QueryError` and
        :class:`photoindex.errors.ModelError`."""
        chosen = self._choose(what, query)
        with self._database.read() as connection:
            count = len(failures(connection)) if what == "failed" else len(chosen)
            by_model = photos.models_of_files(connection, chosen)
            known = batches.last_rate(connection, model_setting(self._settings.model))
        return BatchPlan(count, by_model, count / known[1] if known else None)

    def queue(self, what: What, query: str | None) -> tuple[int | None, int]:
        """Make a batch; return its id (``None``: there is nothing to do) and how many photos it has. Raises as
        :meth:`plan` does."""
        chosen, now, model = self._choose(what, query), self._database.now(), model_setting(self._settings.model)
        with self._database.write() as connection:
            if what == "failed":
                return batches.create_of_failures(connection, model=model, priority="low", now=now)
            kind: BatchKind = what if query is None or what == STALE else "where"
            return batches.create(connection, kind, chosen, model=model, priority="low", now=now, query=query)

    def _choose(self, what: What, query: str | None) -> list[int]:
        if what == "failed":
            return []
        identity = inspect_folder(model_folder(self._settings.model)).identity if what == STALE else None
        chosen = None if query is None else self._match(query)
        with self._database.read() as connection:
            return photos.captioned_before(connection, identity, chosen)
