"""Report the state of a library: its photos, its queue, and how and by whom each folder is watched."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from photoindex.catalogue import files, photos, text
from photoindex.catalogue import jobs as jobqueue
from photoindex.catalogue.database import Database
from photoindex.catalogue.roots import Root, WatchNote, list_roots, watch_notes
from photoindex.catalogue.text import TextCounts
from photoindex.config import Settings
from photoindex.media.text.reader_version import TEXT_READER, is_installed
from photoindex.system.inotify_limits import InotifyLimits

JOB_STATES = ("queued", "retrying", "running", "failed", "ignored")


@dataclass(frozen=True, slots=True)
class WatcherStatus:
    """A process that watches, and the time of its last note. ``runs``: ``False`` when it has died, ``None`` when that
    is unknown, because it runs on another machine."""

    host: str
    pid: int
    seen_at: datetime
    runs: bool | None


@dataclass(frozen=True, slots=True)
class RootStatus:
    """A watched or indexed folder: its files, its jobs by state, and how it is or was last watched.

    ``mode`` is ``None`` for a folder that was never watched; ``mode_reason`` says why it is polled. ``watcher`` is the
    process that watches it now, if any. ``suspended_photos`` of a suspended folder vanished at once at ``suspended_at``
    and are kept. ``watches`` (system watches in use) and ``settling`` (files that are still being written) are from the
    last note; ``None`` without a watcher or where they are not counted.
    """

    path: Path
    mode: str | None
    last_reconcile_at: datetime | None
    present: int
    missing: int
    mode_reason: str | None = None
    watcher: WatcherStatus | None = None
    watches: int | None = None
    settling: int | None = None
    last_event_at: datetime | None = None
    jobs: dict[str, int] = field(default_factory=dict)
    suspended_at: datetime | None = None
    suspended_photos: int | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """The state of the library. ``jobs`` counts by state; ``text`` is how far the reading of text in photos is; sizes
    are bytes on disk; ``watches_allowed`` is the system's limit of watches for this user, ``None`` where there is
    none."""

    data_dir: Path
    photos: int
    captioned: int
    searchable: int
    waiting_for_index: int
    jobs: dict[str, int]
    roots: tuple[RootStatus, ...]
    catalogue_bytes: int
    index_bytes: int
    watches_allowed: int | None = None
    text: TextCounts = field(default_factory=lambda: TextCounts(0, 0, 0, 0))
    text_is_read: bool = False  # False: it is not wanted, or what reads it is not installed


def status_of(database: Database, settings: Settings, *, searchable: int) -> Status:
    """Return the state of a library. ``searchable`` is the number of photos in the full-text index."""
    with database.read() as connection:
        counts = photos.count_photos(connection)
        by_root = files.count_files(connection)
        jobs = jobqueue.counts(connection)
        text_counts = text.counts(connection, TEXT_READER, closely=settings.read_text == "always")
        notes, jobs_by_root = watch_notes(connection), jobqueue.counts_by_root(connection)
        roots = tuple(
            root_status(root, by_root.get(root.id, (0, 0)), notes[root.id], jobs_by_root.get(root.id, {}))
            for root in list_roots(connection)
        )
    return Status(
        data_dir=settings.data_dir,
        photos=counts["photos"],
        captioned=counts["captioned"],
        searchable=searchable,
        waiting_for_index=counts["text_stale"],
        jobs=jobs,
        roots=roots,
        catalogue_bytes=database.size(),
        index_bytes=sum(
            file.stat().st_size
            for folder in (settings.index_path, settings.terms_path)
            for file in folder.rglob("*")
            if file.is_file()
        ),
        watches_allowed=InotifyLimits().allowed(),
        text=text_counts,
        text_is_read=settings.read_text != "never" and is_installed(),
    )


def root_status(root: Root, present: tuple[int, int], note: WatchNote, jobs: dict[str, int]) -> RootStatus:
    """Return (files present, files missing), the watcher's note and the jobs by state of a root."""
    watcher = None
    if note.watcher is not None and note.seen_at is not None:
        host, pid = note.watcher.split(":")[:2]
        watcher = WatcherStatus(host, int(pid), note.seen_at, jobqueue.is_alive(note.watcher))
    alive = watcher is not None and watcher.runs is not False
    return RootStatus(
        path=root.path,
        mode=root.mode,
        last_reconcile_at=root.last_reconcile_at,
        present=present[0],
        missing=present[1],
        mode_reason=note.reason,
        watcher=watcher,
        watches=note.watches if alive else None,
        settling=note.settling if alive else None,
        last_event_at=note.last_event_at,
        jobs={state: jobs.get(state, 0) for state in JOB_STATES},
        suspended_at=root.suspended_at,
        suspended_photos=root.suspended_photos,
    )
