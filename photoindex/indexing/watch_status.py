"""The state of a running watcher, as notes in the catalogue, for ``photoindex status`` in another process.

What only the watcher knows (the watches it holds, the last event, the files that settle) is stored with each root,
with the watcher's name and the time. Changes are looked for every ten seconds at most; without any, a note is written
every five minutes to say that the watcher lives, no more often, so that a disk may go to sleep.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from photoindex.catalogue import jobs
from photoindex.catalogue.database import Database
from photoindex.catalogue.roots import forget_watcher, list_roots, note_watcher
from photoindex.errors import CatalogueError, CatalogueReadOnly, CatalogueUnavailable
from photoindex.folders import FolderObserver, Settler
from photoindex.system.clock import utc_now
from photoindex.system.paths import is_at_or_below

logger = logging.getLogger(__name__)

LOOK_SECONDS = 10.0
HEARTBEAT_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class _Note:
    watches: int | None
    settling: int
    last_event_at: datetime | None


class WatchReporter:
    """Writes the notes of one watcher. ``clock`` gives seconds and never goes back.

    A catalogue that cannot be written for now is no error here: the next note says the same.
    """

    def __init__(
        self,
        database: Database,
        observer: FolderObserver,
        settler: Settler,
        places: Sequence[Path],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._observer = observer
        self._settler = settler
        self._places = sorted(places, key=lambda place: -len(place.parts))  # the deepest first
        self._clock = clock
        self._events: dict[Path, datetime] = {}
        self._looked_at: float | None = None
        self._written_at = 0.0
        self._written: dict[Path, _Note] = {}

    def note_event(self, path: Path) -> None:
        """Remember that an event came for ``path``."""
        place = next((place for place in self._places if is_at_or_below(path, place)), None)
        if place is not None:
            self._events[place] = utc_now()

    def due_in(self) -> float:
        """Return the seconds until :meth:`write_when_due` has something to write."""
        if self._looked_at is None:
            return 0.0
        changed = self._snapshot() != self._written
        due = self._looked_at + LOOK_SECONDS if changed else self._written_at + HEARTBEAT_SECONDS
        return max(0.0, due - self._clock())

    def write_when_due(self) -> None:
        """Write the notes if they changed or are old. Cheap when nothing is due."""
        now = self._clock()
        if self._looked_at is not None and now - self._looked_at < LOOK_SECONDS:
            return
        first, self._looked_at = self._looked_at is None, now
        notes = self._snapshot()
        if not first and notes == self._written and now - self._written_at < HEARTBEAT_SECONDS:
            return
        try:
            with self._database.write() as connection:
                for root in list_roots(connection):
                    if root.path in notes:
                        note = notes[root.path]
                        note_watcher(
                            connection, root.id, jobs.owner_name(), watches=note.watches, settling=note.settling,
                            last_event_at=note.last_event_at,
                        )  # fmt: skip
        except (CatalogueUnavailable, CatalogueReadOnly) as error:
            logger.debug("cannot write the notes of this watcher: %s", error)
            return
        self._written, self._written_at = notes, now

    def close(self) -> None:
        """Write that this watcher has ended."""
        try:
            with self._database.write() as connection:
                forget_watcher(connection, jobs.owner_name())
        except CatalogueError as error:
            logger.debug("cannot write that this watcher has ended: %s", error)

    def _snapshot(self) -> dict[Path, _Note]:
        return {
            place: _Note(self._observer.watches(place), self._settler.pending_below(place), self._events.get(place))
            for place in self._places
        }
