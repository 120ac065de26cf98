"""SQLite itself: connecting to a file for writing, for reading alone or without touching anything, its pragmas, and its
errors in words."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from photoindex.errors import CatalogueDamaged, CatalogueError, CatalogueUnavailable

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

BUSY_SECONDS = 30  # that a lock is waited for
FULL_BYTES = 1 << 16  # a disk with less room than this is full


def connect(path: Path) -> sqlite3.Connection:
    """A connection that may write, to a file that is made when there is none. Raises sqlite3.DatabaseError, as the
    others do: also when the file turns out to be no database."""
    return _connected(str(path), uri=False)


def connect_as_is(path: Path) -> sqlite3.Connection:
    """A connection that writes nothing. SQLite keeps its shared memory beside the file; where it may not, and nobody
    has left a log there, the file can be read by itself."""
    try:
        return _connected(_uri(path), uri=True)
    except sqlite3.OperationalError as error:
        if not _is_refused(error) or _has_log(path):
            raise
    return connect_untouched(path)


def connect_untouched(path: Path) -> sqlite3.Connection:
    """The same of a file that nobody writes to meanwhile; SQLite then keeps nothing beside it either."""
    return _connected(_uri(path) + "&immutable=1", uri=True)


def needs_copy(path: Path) -> bool:
    """Whether a log was left beside the catalogue that can be read nowhere but in a folder that can be written."""
    if not _has_log(path):
        return False
    try:
        _connected(_uri(path), uri=True).close()
    except sqlite3.OperationalError as error:
        return _is_refused(error)
    except sqlite3.DatabaseError:
        return False  # told better by whoever reads it next
    return False


def may_write(path: Path) -> bool:
    """Whether the file and its folder can be written, as SQLite needs both. False too on a disk that is read-only."""
    effective = os.access in os.supports_effective_ids
    return all(os.access(place, os.W_OK, effective_ids=effective) for place in (path, path.parent))


def make_engine(path: Path, read_by: Callable[[Path], sqlite3.Connection] | None = None) -> Engine:
    """SQLAlchemy's engine for a catalogue, whose transactions take SQLite's lock when they begin if they are to write.

    ``read_by``: how to connect for reading alone.
    """
    from sqlalchemy import NullPool, create_engine, event

    if read_by is not None:
        engine = create_engine("sqlite://", creator=partial(read_by, path), poolclass=NullPool)
    else:
        engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _on_connect(connection: sqlite3.Connection, _record: object) -> None:
        # The driver's own BEGIN comes late and never IMMEDIATE: transactions are begun below instead.
        connection.isolation_level = None
        # In WAL mode NORMAL never corrupts; a power cut may undo the last transactions, whose jobs then run again.
        connection.execute("pragma synchronous = normal")
        connection.execute("pragma foreign_keys = on")

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        # A writer takes the lock at once: one that began as a reader could not wait for it.
        write = connection.get_execution_options().get("photoindex_write", False)
        connection.exec_driver_sql("begin immediate" if write else "begin")

    return engine


def explained(path: Path, error: Exception) -> CatalogueError:
    """A database error in one line: what failed, which file, what to do."""
    reason = str(getattr(error, "orig", None) or error).splitlines()[0]
    if "not a database" in reason or "malformed" in reason:
        return CatalogueDamaged(
            f"the catalogue {path} is damaged or is no catalogue ({reason}): photoindex doctor says what can be done"
        )
    if "locked" in reason:
        return CatalogueUnavailable(
            f"the catalogue {path} was busy for over {BUSY_SECONDS} s: another program keeps it locked"
        )
    # SQLite says "disk I/O error" when there is no room for the little file that its users share.
    if "full" in reason or ("disk I/O error" in reason and _free(path.parent) < FULL_BYTES):
        return CatalogueUnavailable(f"the disk that holds the catalogue {path} is full: make room there")
    if "disk I/O error" in reason:
        return CatalogueUnavailable(f"the catalogue {path} cannot be read or written ({reason}): check its disk")
    if "readonly" in reason or "unable to open" in reason:
        return CatalogueUnavailable(
            f"cannot write the catalogue {path} ({reason}): check its permissions, or name another --data-dir"
        )
    return CatalogueError(f"the catalogue {path} cannot be used: {reason}")


def _free(folder: Path) -> float:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return float("inf")  # whatever is wrong there, it is not known to be full


def _connected(place: str, *, uri: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(place, uri=uri, timeout=BUSY_SECONDS, check_same_thread=False)
    try:
        connection.execute("select count(*) from sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _uri(path: Path) -> str:
    return f"{path.absolute().as_uri()}?mode=ro"


def _is_refused(error: sqlite3.OperationalError) -> bool:
    return any(reason in str(error) for reason in ("unable to open", "readonly"))


def _has_log(path: Path) -> bool:
    try:
        return os.stat(f"{path}-wal").st_size > 0
    except FileNotFoundError:
        return False
