"""SQLite itself: connecting to a file for writing, for reading alone or without touching anything, and its pragmas."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from photoindex.catalogue.sqlite_errors import NotSqlite, is_refused
from photoindex.errors import CatalogueUnavailable
from photoindex.system.locks import locked
from photoindex.system.regular_files import NotRegularFile, check_regular

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

FILES = ("", "-wal", "-shm", "-journal")  # of a database, by the ends of their names
BUSY_SECONDS = 30  # that a lock is waited for
UPGRADE_SECONDS = 300  # that an upgrade by another process is waited for


def upgrading(path: Path) -> AbstractContextManager[None]:
    """Hold the one right to upgrade a catalogue, or to put another file in its place, for the block.

    Raises :class:`CatalogueUnavailable` when another process has it for long, and OSError when the disk refuses.
    """
    holder = f"another photoindex is upgrading or restoring the catalogue {path}"
    return locked(path.with_name("migrate.lock"), holder, CatalogueUnavailable, seconds=UPGRADE_SECONDS)


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection that may write, to a file that is made when there is none.

    Raises sqlite3.DatabaseError, as the others do, also when the file turns out to be no database.
    """
    # Absolute, as SQLite takes ":memory:" and "file:" at the start of a name for more than a name.
    _check_regular(path, *FILES)
    return _connected(os.path.abspath(path), uri=False)


def connect_as_is(path: Path) -> sqlite3.Connection:
    """Return a connection that writes nothing. SQLite keeps its shared memory beside the file; where it may not, or the
    disk has no room for it, and nobody has left a log there, the file can be read by itself."""
    try:
        _check_regular(path, *FILES)
        return _connected(_uri(path), uri=True)
    except sqlite3.OperationalError as error:
        if not is_refused(path, error) or _has_log(path):
            raise
    return connect_untouched(path)


def connect_untouched(path: Path) -> sqlite3.Connection:
    """Return a connection for reading a file that nobody writes to meanwhile; SQLite keeps nothing beside it then."""
    _check_regular(path, "")
    return _connected(_uri(path) + "&immutable=1", uri=True)


def needs_copy(path: Path) -> bool:
    """Return whether a log was left beside the catalogue that can be read nowhere but in a folder that can be
    written."""
    if not _has_log(path):
        return False
    try:
        _connected(_uri(path), uri=True).close()
    except sqlite3.OperationalError as error:
        return is_refused(path, error)
    except sqlite3.DatabaseError:
        return False  # told better by whoever reads it next
    return False


def may_write(path: Path) -> bool:
    """Return whether the file and its folder can be written, as SQLite needs both. False too on a disk that is
    read-only."""
    effective = os.access in os.supports_effective_ids
    return all(os.access(place, os.W_OK, effective_ids=effective) for place in (path, path.parent))


def make_engine(path: Path, read_by: Callable[[Path], sqlite3.Connection] | None = None) -> Engine:
    """Return SQLAlchemy's engine for a catalogue, whose transactions take SQLite's lock when they begin if they are to
    write.

    ``read_by``: how to connect for reading alone.
    """
    from sqlalchemy import NullPool, QueuePool, create_engine, event

    # A path is never made part of a database URL, in which "?", "#" and "%" mean something.
    engine = create_engine(
        "sqlite://",
        creator=partial(read_by or connect, path),
        poolclass=QueuePool if read_by is None else NullPool,
    )

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


def _check_regular(path: Path, *ends: str) -> None:
    """Raises :class:`NotSqlite` for what SQLite would wait for, or would call an error of the disk."""
    for end in ends:
        try:
            check_regular(f"{path}{end}")
        except NotRegularFile as error:
            raise NotSqlite(f"{path}{end} should be a file; {error.strerror}") from error
        except OSError:
            pass  # mostly because there is none; SQLite tells others


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


def _has_log(path: Path) -> bool:
    try:
        return os.stat(f"{path}-wal").st_size > 0
    except FileNotFoundError:
        return False
