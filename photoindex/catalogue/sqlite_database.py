"""The catalogue in a file of SQLite: opening it, and its transactions.

SQLAlchemy is imported with the first transaction that needs it: a command that only searches asks without it
(:meth:`Database.ask`), as importing it takes longer than all the rest of a search.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from photoindex.catalogue import migration
from photoindex.catalogue.data_folder import close_to_others, make_private_file, open_data_folder
from photoindex.catalogue.database import Database
from photoindex.catalogue.mounted import use_mounts
from photoindex.catalogue.open_file import OpenFile
from photoindex.catalogue.raw_sql import Asker, Rows
from photoindex.catalogue.sqlite import (
    connect,
    connect_as_is,
    make_engine,
    may_write,
    needs_copy,
    upgrading,
)
from photoindex.catalogue.sqlite_errors import explained
from photoindex.catalogue.turns import Turns
from photoindex.errors import CatalogueError, CatalogueReadOnly, CatalogueUnavailable
from photoindex.system.clock import utc_now
from photoindex.system.regular_files import is_there
from photoindex.system.room import is_full

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from photoindex.catalogue.snapshot import CatalogueCopy


class SqliteAsker(Asker):
    """A transaction of the driver."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def ask(self, sql: str, **values: object) -> Rows:
        return self.connection.execute(sql, values).fetchall()

    def each(self, sql: str, **values: object) -> Iterator[tuple[Any, ...]]:
        return self.connection.execute(sql, values)

    def run(self, sql: str, **values: object) -> None:
        self.connection.execute(sql, values)

    def tables(self) -> list[str]:
        return [name for (name,) in self.ask("select name from sqlite_master where type = 'table'")]


class SqliteDatabase(Database):
    """A catalogue in a file.

    Each transaction raises :class:`CatalogueReplaced` when the file at the path is not the one that was opened.
    """

    path: Path
    is_shared = False

    def __init__(self, path: Path, *, read_by: Callable[[Path], sqlite3.Connection] | None = None) -> None:
        """``read_by``: how to connect for reading alone."""
        super().__init__()
        self.path = path
        self.place = str(path)
        self.read_only = read_by is not None
        self._full = False  # its disk, so that it is open for reading alone
        self._read_by = read_by
        self._place = path  # where it is read: elsewhere when it had to be copied
        self._snapshot: CatalogueCopy | None = None
        self._lock = threading.RLock()
        self._engine: Engine | None = None
        self._asker: SqliteAsker | None = None
        self._open_file: OpenFile | None = None
        self._turns = Turns()
        self._version: str | None = None  # that it was opened in to be written: each write looks at it again

    @classmethod
    def open(cls, path: Path) -> SqliteDatabase:
        """Open the catalogue, creating or upgrading it as needed; an upgrade makes a backup beside it first.

        Where it may not be written, or where its disk is full, it is opened for reading alone, if it is of this
        version.

        Raises :class:`CatalogueTooNew` when a newer photoindex wrote it; :class:`CatalogueUnavailable` when its disk is
        full or it is locked, which may pass; and else :class:`CatalogueError` when its folder is not safe, or when it
        cannot be read or is no catalogue.
        """
        open_data_folder(path.parent)
        if is_there(path) and not may_write(path):
            return cls._open_read_only(path)
        try:
            return cls._open_to_write(path)
        except CatalogueUnavailable as error:
            if not is_full(path.parent):
                raise
            return cls._open_on_full_disk(path, error)

    @classmethod
    def _open_to_write(cls, path: Path) -> SqliteDatabase:
        database = cls(path)
        with database._opening():
            make_private_file(path)  # before SQLite makes one that others may read
            if database.revision() != migration.HEAD or not database._in_wal():
                with upgrading(path):
                    migration.upgrade(database, database.revision(), database._back_up_before)
                    database._enter_wal()
            database.revision()
            database._open_file = OpenFile(path, log=True)
            database._version = migration.HEAD
        return database

    @classmethod
    def open_as_is(cls, path: Path) -> SqliteDatabase:
        """Open the catalogue for reading alone: nothing is made, upgraded or repaired, and it may be of any version.

        Raises :class:`CatalogueError` when it is not there or cannot be read.
        """
        database = cls(path, read_by=connect_as_is)
        with database._opening():
            if needs_copy(path):
                database._read_a_snapshot()
            database.revision()
            database._open_file = OpenFile(path, log=False)
        return database

    @classmethod
    def _open_read_only(cls, path: Path) -> SqliteDatabase:
        database = cls.open_as_is(path)
        revision = database.revision()
        if revision == migration.HEAD:
            return database
        database.close()
        if revision is None or migration.knows(revision):
            raise CatalogueReadOnly(
                f"the catalogue {path} is of an older version and cannot be upgraded, as it is read-only: make it "
                "writable, or name another --data-dir"
            )
        raise migration.too_new(str(path), revision)

    @classmethod
    def _open_on_full_disk(cls, path: Path, error: CatalogueUnavailable) -> SqliteDatabase:
        """Open the catalogue for reading alone: who makes room wants to see first what there is. Raises ``error`` when
        it cannot be read so."""
        try:
            database = cls.open_as_is(path)
        except CatalogueError:
            raise error from None
        if database.revision() != migration.HEAD:
            database.close()
            raise error
        database._full = True
        if database._snapshot is None:  # else what is read is a copy
            database._open_file = OpenFile(path, log=False, still=True)
        return database

    @contextmanager
    def _opening(self) -> Iterator[None]:
        """Close the catalogue when it cannot be opened, and raise the error as a :class:`CatalogueError`."""
        try:
            yield
        except (sqlite3.DatabaseError, OSError) as error:
            self.close()
            raise explained(self.path, error) from error
        except CatalogueError:
            self.close()
            raise

    @property
    def engine(self) -> Engine:
        """SQLAlchemy's, made when first needed."""
        self.check_open()  # before the lock, which another thread of the process that was forked may have held
        with self._lock:
            self.check_open()
            if self._engine is None:
                self._engine = make_engine(self._place, self._read_by)
            use_mounts(self._engine, self.mounts)
            return self._engine

    def close(self) -> None:
        """Close all connections, and to others what was made meanwhile. Each later transaction raises
        :class:`CatalogueError`."""
        self._is_closed = True
        self._disconnect()
        if not self.read_only:
            close_to_others(self.path.parent)
        if self._snapshot is not None:
            self._snapshot.remove()

    def _disconnect(self) -> None:
        with self._lock:
            self._open_file = None
            if self._engine is not None:
                self._engine.dispose()
            if self._asker is not None:
                self._asker.connection.close()
                self._asker = None

    def check_writable(self) -> None:
        """Raises :class:`CatalogueReadOnly` when the catalogue was opened for reading alone, and
        :class:`CatalogueUnavailable` when that was because its disk was full."""
        self.check_open()
        if self._full:
            raise CatalogueUnavailable(
                f"the disk that holds the catalogue {self.path} is full, so that photos can be searched and shown, but "
                "nothing can be changed: make room there, and start again"
            )
        if self.read_only:
            raise CatalogueReadOnly(
                f"cannot write the catalogue {self.path}: the folder or its disk is read-only, so that photos can be "
                "searched and shown, but nothing can be changed"
            )

    def check_in_place(self) -> None:
        """Raises :class:`CatalogueReplaced` when the file at the path is not the one that was opened."""
        if self._open_file is not None:
            self._open_file.check()

    @contextmanager
    def ask(self) -> Iterator[SqliteAsker]:
        """A read transaction without SQLAlchemy, for :mod:`.fast_queries`. One thread at a time has it."""
        self.check_open()  # before the lock, as above
        self.check_in_place()
        with self._lock:
            self.check_open()
            try:
                if self._asker is None:
                    connection = self._read_by(self._place) if self._read_by else connect(self._place)
                    connection.isolation_level = None  # transactions are begun here
                    self._asker = SqliteAsker(connection)
                self._asker.mounts = self.mounts
                self._asker.connection.execute("begin")
                try:
                    yield self._asker
                finally:
                    self._asker.connection.rollback()
            except sqlite3.Error as error:
                self._check_after(error)
                raise explained(self.path, error) from error

    def change(self, how: Callable[..., None], *arguments: object) -> None:
        """Do one of the small changes in :mod:`.fast_queries`, without SQLAlchemy, in a write transaction of its
        own."""
        self.check_writable()
        with self.ask() as asker:
            if self._version is not None:
                [(found,)] = asker.ask(migration.VERSION)
                migration.check_still(self._version, found, self.place)
            how(asker, *arguments)
            asker.connection.commit()
        self.check_in_place()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A read transaction: one consistent state, however long it takes."""
        from sqlalchemy.exc import DBAPIError

        self.check_in_place()
        try:
            with self.engine.connect() as connection:
                yield connection
        except DBAPIError as error:
            self._check_after(error.orig)
            raise explained(self.path, error) from error

    @contextmanager
    def write(self, *, exclusive: bool = True) -> Iterator[Connection]:
        """A write transaction, committed at the end or rolled back on any error. SQLite has one writer at a time;
        the others have their turn in between (:mod:`.turns`)."""
        from sqlalchemy.exc import DBAPIError

        self.check_writable()
        self.check_in_place()
        try:
            self._turns.wait()
            with self.engine.connect().execution_options(photoindex_write=True) as connection:
                transaction, began = connection.begin(), time.monotonic()
                try:
                    with transaction:
                        if self._version is not None:
                            found = connection.exec_driver_sql(migration.VERSION).scalar()
                            migration.check_still(self._version, found, self.place)
                        yield connection
                finally:
                    self._turns.note(began)
        except DBAPIError as error:
            raise explained(self.path, error) from error
        self.check_in_place()  # what was committed to a file that no name leads to is lost

    def _check_after(self, error: BaseException | None) -> None:
        """Raise :class:`CatalogueOutdated` when a question failed as the tables are newer than when the file was
        opened."""
        if self._version is not None and str(error).startswith("no such"):
            with closing(connect(self.path)) as connection:
                (found,) = connection.execute(migration.VERSION).fetchone()
                migration.check_still(self._version, found, self.place)

    def backup(self, destination: Path) -> None:
        """Copy the catalogue as of now to ``destination``, as :func:`.backup_files.back_up` does."""
        from photoindex.catalogue.backup_files import back_up

        self.check_in_place()
        back_up(self.path, destination)

    def faults(self) -> list[str]:
        """Return what SQLite's own examination finds wrong, a line each; empty for a whole catalogue. Reads all of
        it."""
        from photoindex.catalogue.integrity import faults

        with self.ask() as asker:
            return faults(asker.connection, self.path.stat().st_size)

    def revision(self) -> str | None:
        """Return the catalogue's migration; ``None`` for an empty file. Raises :class:`CatalogueError` for another
        program's database."""
        with self.ask() as asker:
            return migration.revision_of(asker, self.place)

    def size(self) -> int:
        """Return how many bytes the file takes, with its log and the backups beside it."""
        return sum(file.stat().st_size for file in self.path.parent.glob(self.path.name + "*"))

    def now(self) -> datetime:
        """Return the time of this machine, which alone uses the file."""
        return utc_now()

    def commits(self) -> object:
        """Return SQLite's ``data_version``: it changes with every commit of another connection, and the asking one
        commits nothing."""
        with self.ask() as asker:
            return asker.ask("pragma data_version")

    def _back_up_before(self, revision: str) -> None:
        """Make a backup beside the catalogue, before it is upgraded from a revision.

        After an upgrade that failed, as for want of room, the one that was made for it serves, unless the catalogue was
        changed.
        """
        from photoindex.catalogue.backup_files import (
            BEFORE_UPGRADE,
            back_up,
            backup_path,
            backups,
            holds_the_same,
            prune_backups,
        )

        label = f"{BEFORE_UPGRADE}-from-{revision}"
        newest = next(iter(backups(self.path, label)), None)
        if newest is not None and holds_the_same(self.path, newest):
            return
        made = backup_path(self.path, label)
        back_up(self.path, made)
        prune_backups(self.path, BEFORE_UPGRADE, made)

    def _in_wal(self) -> bool:
        with self.ask() as asker:
            return asker.ask("pragma journal_mode") == [("wal",)]

    def _enter_wal(self) -> None:
        # The mode stays with the file, so it is set only once the file is known to be ours. SQLite changes it outside
        # transactions only, and other connections of this process would be in its way.
        self._disconnect()
        connection = connect(self.path)
        try:
            connection.execute("pragma journal_mode = wal")
        finally:
            connection.close()

    def _read_a_snapshot(self) -> None:
        from photoindex.catalogue.snapshot import CatalogueCopy

        self._snapshot = CatalogueCopy(self.path)
        self._disconnect()
        self._engine, self._place = None, self._snapshot.path
