"""Queries about roots: the folders that the user named, and the last note of the watcher of each.

Every function takes an open transaction and is one step of it. Paths are absolute.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, case, func, insert, literal, select, update

from photoindex.catalogue.column_types import UtcTime
from photoindex.catalogue.fast_queries import Root, list_roots, note_reconciled
from photoindex.catalogue.mounted import check_new_root, mounts_of
from photoindex.catalogue.schema import file, root
from photoindex.system.clock import utc_now
from photoindex.system.file_state import device_of
from photoindex.system.paths import root_of
from photoindex.system.storage import is_there, stat

__all__ = [
    "Root",
    "WatchNote",
    "ensure_root",
    "forget_watcher",
    "list_roots",
    "note_device",
    "note_mode",
    "note_reconciled",
    "note_suspended",
    "note_watcher",
    "reachable_file",
    "watch_notes",
]


@dataclass(frozen=True, slots=True)
class WatchNote:
    """The last note of a root's watcher: why the root is polled (``reason``), the watcher (a jobs.owner_name();
    ``None``: nobody now), the time of the note, the number of watches, the number of settling files, and the last
    event."""

    reason: str | None
    watcher: str | None
    seen_at: datetime | None
    watches: int | None
    settling: int | None
    last_event_at: datetime | None


def ensure_root(connection: Connection, path: Path) -> Root:
    """Return the root of the folder ``path``: the deepest one at or above it, or a new one at ``path``.

    Raises :class:`FolderError` when the setting ``mounts`` gives that path to another folder.
    """
    known = root_of(list_roots(connection), path)
    if known is not None:
        return known
    check_new_root(mounts_of(connection), path)
    device = device_of(stat(path))
    added = connection.execute(insert(root).values(path=str(path), device=device, added_at=utc_now()))
    assert added.inserted_primary_key is not None
    return Root(added.inserted_primary_key[0], path, device, None, None)


def note_device(connection: Connection, root_id: int, device: int) -> None:
    """Store on which device (st_dev) photos of a root were seen, in a comparison of a folder around it."""
    connection.execute(update(root).where(root.c.id == root_id).values(device=device))


def note_mode(connection: Connection, root_id: int, mode: str, reason: str | None) -> None:
    """Store how a root is watched and, when it is polled, why."""
    connection.execute(update(root).where(root.c.id == root_id).values(mode=mode, mode_reason=reason))


def note_suspended(connection: Connection, root_id: int, photos: int | None) -> None:
    """Store that so many photos of a root vanished at once and are kept; ``None``: it is not suspended."""
    since = None if photos is None else func.coalesce(root.c.suspended_at, literal(utc_now(), UtcTime))
    connection.execute(update(root).where(root.c.id == root_id).values(suspended_at=since, suspended_photos=photos))


def note_watcher(
    connection: Connection,
    root_id: int,
    owner: str,
    *,
    watches: int | None,
    settling: int,
    last_event_at: datetime | None,
) -> None:
    """Store the note of the watcher ``owner`` of a root. Without an event the last event is kept."""
    values: dict[str, object] = {
        "watcher": owner,
        "watcher_seen_at": utc_now(),
        "watches": watches,
        "settling": settling,
    }
    if last_event_at is not None:
        values["last_event_at"] = last_event_at
    connection.execute(update(root).where(root.c.id == root_id).values(**values))


def forget_watcher(connection: Connection, owner: str) -> None:
    """Delete the watcher ``owner`` from its roots: it has ended."""
    ended = {"watcher": None, "watcher_seen_at": utc_now(), "watches": None, "settling": None}
    connection.execute(update(root).where(root.c.watcher == owner).values(**ended))


def watch_notes(connection: Connection) -> dict[int, WatchNote]:
    """Return the last note of each root, by its id."""
    columns = (root.c.mode_reason, root.c.watcher, root.c.watcher_seen_at, root.c.watches, root.c.settling,
               root.c.last_event_at)  # fmt: skip
    return {row[0]: WatchNote(*row[1:]) for row in connection.execute(select(root.c.id, *columns))}


def reachable_file(connection: Connection) -> ColumnElement[int]:
    """The id of one file of a group: the first whose root can be reached now, or else the first."""
    there = [each.id for each in list_roots(connection) if is_there(each.path)]
    return func.coalesce(func.min(case((file.c.root_id.in_(there), file.c.id))), func.min(file.c.id))
