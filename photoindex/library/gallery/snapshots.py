"""The latest snapshot of a library: it follows the catalogue by its change feed, and is kept in the data folder, so
that no start reads all photos."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from photoindex.catalogue import change_feed, gallery_queries
from photoindex.catalogue.database import Database
from photoindex.catalogue.raw_sql import Asker
from photoindex.library.gallery import kept_snapshot
from photoindex.library.gallery.kept_snapshot import Kept
from photoindex.library.gallery.snapshot import Snapshot
from photoindex.library.gallery.snapshot_reader import read_all, read_changes
from photoindex.system import memory

LEAST_SECONDS: Final = 1.0  # between two readings of the catalogue
SHARE: Final = 20  # a reading that takes a tenth of a second of a processor is done every two seconds at most
MOST_SECONDS: Final = 10.0  # nobody waits longer for what is new
LEAST_KEPT: Final = 5_000  # photos; fewer are read faster than a file is worth
MOST_CHANGED: Final = 4  # when more than this part of the photos changed, all are read
KEPT_AGAIN: Final = 50  # the file is written again when more than this part changed since


class Snapshots:
    """The latest snapshot, brought up to date when the catalogue has changed, and not too often. Safe between
    threads."""

    def __init__(self, database: Database, folder: Path) -> None:
        """``folder``: where it is kept, unless the catalogue may not be written."""
        self._database = database
        self._file = folder / kept_snapshot.FILE
        self._lock = threading.Lock()
        self._latest: Kept | None = None
        self._visible: Snapshot | None = None  # of the latest
        self._changed = 0  # photos since the file was written
        self._saving: threading.Thread | None = None
        self._commits: object = None  # the catalogue's, of the latest
        self._read_at = -1e9
        self._read_seconds = 0.0

    def latest(self, *, now: bool = False) -> Snapshot:
        """Return a snapshot that is no older than it must be; with ``now``, one of this moment."""
        with self._lock:
            version = self._database.commits()
            pause = min(max(LEAST_SECONDS, SHARE * self._read_seconds), MOST_SECONDS)
            due = now or time.monotonic() - self._read_at >= pause
            if self._latest is None or (version != self._commits and due):
                first = self._latest is None  # reads all, and imports what it needs, which no other does
                started = time.thread_time()  # on a busy machine reading may take long, and yet be little work
                self._bring_up_to_date()
                self._commits = version
                self._read_at = time.monotonic()
                self._read_seconds = 0.0 if first else time.thread_time() - started
            assert self._latest is not None
            return self._latest.snapshot

    def visible(self) -> Snapshot:
        """Return the latest snapshot without hidden photos."""
        latest = self.latest()
        with self._lock:
            if self._latest is None or latest is not self._latest.snapshot:
                return latest.visible()
            if self._visible is None:
                self._visible = latest.visible()
            return self._visible

    def state(self) -> tuple[int, Any]:
        """Return what differs after every change: the latest snapshot's revision, and that of the catalogue."""
        revision = self.latest().revision
        with self._lock:
            return revision, self._database.commits()

    def close(self) -> None:
        """Wait for the file that is being written."""
        if self._saving is not None:
            self._saving.join()

    def _bring_up_to_date(self) -> None:
        before = self._latest or kept_snapshot.load(self._file)
        with self._database.ask() as asker:
            found = _read(asker, before)
        if self._latest is None or found.kept.snapshot is not self._latest.snapshot:
            self._visible = None
        self._latest = found.kept
        self._changed += found.read
        if found.read > LEAST_KEPT:
            memory.give_back()  # the rows that it was read from
        if self._changed > max(LEAST_KEPT, found.kept.snapshot.count // KEPT_AGAIN):
            self._keep(found.kept)

    def _keep(self, kept: Kept) -> None:
        if self._database.read_only or (self._saving is not None and self._saving.is_alive()):
            return

        def save() -> None:
            with suppress(OSError):  # a cache: a full disk costs time at the next start
                kept_snapshot.save(self._file, kept)

        self._changed = 0
        self._saving = threading.Thread(target=save, name="keep-timeline")
        self._saving.start()


class _Reading:
    """A snapshot, and how many photos were read for it."""

    def __init__(self, kept: Kept, read: int) -> None:
        self.kept = kept
        self.read = read


def _read(asker: Asker, before: Kept | None) -> _Reading:
    """Read what changed since, or all when that is less work."""
    version = change_feed.version(asker)
    roots = {number: str(path) for number, path in gallery_queries.root_paths(asker).items()}
    if before is not None and before.roots == roots:
        most = before.snapshot.count // MOST_CHANGED + change_feed.MOST
        changes = change_feed.changes_after(asker, before.version, most)
        if changes is not None and changes.version == version:  # all of them, not just the first
            ids, gone, revision = changes.photos, changes.removed, version.revision
            snapshot = read_changes(asker, before.snapshot, ids, gone, revision) if ids or gone else before.snapshot
            return _Reading(Kept(snapshot, version, roots), len(ids))
    snapshot = read_all(asker, version.revision)
    return _Reading(Kept(snapshot, version, roots), snapshot.count)
