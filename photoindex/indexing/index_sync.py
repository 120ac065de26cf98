"""Bring stored captions to the full-text index and the impact matrix while photos are being captioned."""

from __future__ import annotations

import time
from collections.abc import Callable

from photoindex.catalogue.database import Database
from photoindex.config import Settings
from photoindex.errors import FullTextError
from photoindex.search import FullText
from photoindex.search.fulltext import sync
from photoindex.search.terms import index as term_index

TEXT_SECONDS = 2.0  # the longest that a stored caption waits for the index while others are being made


class IndexSync:
    """Keeps index and matrix up to date with the catalogue. ``full_text`` is ``None`` for a worker, which has none."""

    def __init__(self, database: Database, full_text: FullText | None, settings: Settings) -> None:
        self._database = database
        self._full_text = full_text
        self._settings = settings
        self._synced_at = time.monotonic()
        self._refused = False  # the index could not be written in this run
        self._stopped: Callable[[], bool] = lambda: False

    def begin_run(self, stopped: Callable[[], bool]) -> None:
        """Try again with an index that could not be written in the last run. ``stopped`` says whether this run is to
        end: then no other process that writes to the index is waited for."""
        self._refused = False
        self._stopped = stopped

    def sync(self) -> int:
        """Write the words of marked photos; return how many. Raises :class:`FullTextError`."""
        if self._full_text is None:
            return 0
        written = sync.sync(self._database, self._full_text, self._settings, stopped=self._stopped)
        self._synced_at = time.monotonic()
        return written

    def sync_when_due(self) -> None:
        """Write the words of marked photos every few seconds. An index that refuses is left for the end of the run."""
        if self._full_text is None or time.monotonic() - self._synced_at <= TEXT_SECONDS or self._refused:
            return
        try:
            self.sync()
        except FullTextError:  # the marks stay
            self._refused = True
        term_index.tidy(self._database, self._settings.terms_path, busy=True)

    def finish_run(self) -> None:
        """Bring index and matrix up to date. Raises :class:`FullTextError`."""
        if self._full_text is None:
            return
        self.sync()
        term_index.tidy(self._database, self._settings.terms_path)
