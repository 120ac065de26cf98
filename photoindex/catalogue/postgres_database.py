"""The catalogue in a database of PostgreSQL, which many processes on many machines share.

Writes that rely on being the only one take an advisory lock for themselves; the frequent ones of workers (claiming,
storing) share it, and are right beside each other by row locks and upserts. Nothing upgrades a shared catalogue by
itself: the others would be in the middle of their work.
"""

from __future__ import annotations

import os
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from photoindex.catalogue import migration
from photoindex.catalogue.database import Database
from photoindex.catalogue.fast_queries import list_roots
from photoindex.catalogue.mounted import use_mounts
from photoindex.catalogue.postgres import (
    COMPARER_LOCK,
    MOST_CONNECTIONS,
    UPGRADE_LOCK,
    connect,
    is_pooled,
    make_engine,
    with_driver_parameters,
)
from photoindex.catalogue.postgres_errors import explained
from photoindex.catalogue.raw_sql import Asker, Rows
from photoindex.catalogue.stored_paths import stored_path
from photoindex.errors import (
    CatalogueError,
    CatalogueOutdated,
    CatalogueReadOnly,
    CatalogueUnavailable,
    FolderError,
)
from photoindex.system.paths import is_in_any, root_of, shown
from photoindex.system.urls import without_password

if TYPE_CHECKING:
    import psycopg
    from sqlalchemy import Connection, Engine

PING_SECONDS: Final = 1.0  # a connection that was not used for longer is tried before it is used


class PostgresAsker(Asker):
    """A transaction of psycopg."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        self.connection = connection

    def ask(self, sql: str, **values: object) -> Rows:
        return self._execute(sql, values).fetchall()

    def each(self, sql: str, **values: object) -> Iterator[tuple[Any, ...]]:
        return iter(self._execute(sql, values))

    def run(self, sql: str, **values: object) -> None:
        self._execute(sql, values)

    def tables(self) -> list[str]:
        return [name for (name,) in self.ask("select tablename from pg_tables where schemaname = current_schema()")]

    def _execute(self, sql: str, values: dict[str, object]) -> psycopg.Cursor[tuple[Any, ...]]:
        return self.connection.execute(with_driver_parameters(sql).encode(), values)


class PostgresDatabase(Database):
    """A catalogue at a URL, which :func:`.postgres.connect` describes."""

    path = None
    is_shared = True

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        super().__init__()
        self.place = without_password(url)
        self.read_only = read_only
        self._url = url
        self._is_checked = False  # of this program's version, when it was last looked at
        self._lock = threading.RLock()
        self._engine: Engine | None = None
        self._asker: PostgresAsker | None = None
        self._asked_at = 0.0
        self._unreachable = ""  # why no session could be had, which is believed until then, by the monotonic clock
        self._unreachable_until = 0.0
        self._compared: list[Path] = []  # the roots, or folders above them, that this process compares

    @classmethod
    def open(cls, url: str) -> PostgresDatabase:
        """Open a catalogue that is of this version.

        Raises :class:`CatalogueOutdated` for one that is empty or older, which ``photoindex catalogue upgrade`` makes
        or upgrades; :class:`CatalogueTooNew` for a newer one; :class:`CatalogueUnavailable` when the server cannot be
        reached for now; and else :class:`CatalogueError`.
        """
        database = cls.open_as_is(url, read_only=False)
        try:
            database.check_version()
        except CatalogueError:
            database.close()
            raise
        return database

    @classmethod
    def open_as_is(cls, url: str, *, read_only: bool = True) -> PostgresDatabase:
        """Open a catalogue of any version, or an empty database. Raises :class:`CatalogueError`."""
        database = cls(url, read_only=read_only)
        try:
            database.revision()
        except CatalogueError:
            database.close()
            raise
        return database

    def check_version(self) -> None:
        """Raise :class:`CatalogueError` unless the catalogue is of this program's version."""
        revision = self.revision()
        self._is_checked = revision == migration.HEAD
        if self._is_checked:
            return
        if revision is not None and not migration.knows(revision):
            raise migration.too_new(self.place, revision)
        state = (
            "is empty" if revision is None else f"is of version {revision}, and this photoindex needs {migration.HEAD}"
        )
        raise CatalogueOutdated(f"the catalogue {self.place} {state}: run photoindex catalogue upgrade")

    def upgrade(self) -> bool:
        """Make the tables of an empty database, or bring a catalogue to this version; return whether that was needed.

        Two that try at once do it once. Raises :class:`CatalogueTooNew`, and :class:`CatalogueError` when it fails:
        then the catalogue is as it was.
        """
        with self._reported(), connect(self._url) as holder:
            holder.execute("select pg_advisory_xact_lock(%s)", [UPGRADE_LOCK])
            revision = self.revision()
            if revision == migration.HEAD:
                return False
            if revision is None:
                self._check_encoding()
            migration.upgrade(self, revision)
            return True

    def _check_encoding(self) -> None:
        """Raise :class:`CatalogueError` for a database that cannot hold every name and caption, as the server has them
        that was set up without a locale."""
        with self.ask() as asker:
            encoding = asker.ask("select current_setting('server_encoding')")[0][0]
        if encoding != "UTF8":
            raise CatalogueError(
                f"the database {self.place} is of encoding {encoding}, which does not hold every name and caption: "
                "make another one with createdb --encoding UTF8 --template template0"
            )

    @property
    def engine(self) -> Engine:
        """SQLAlchemy's, made when first needed."""
        self.check_open()  # before the lock, which another thread of the process that was forked may have held
        with self._lock:
            self.check_open()
            if self._engine is None:
                self._engine = make_engine(self._connect)
            use_mounts(self._engine, self.mounts)
            return self._engine

    def close(self) -> None:
        """Close all connections. Each later transaction raises :class:`CatalogueError`."""
        with self._lock:
            self._is_closed = True
            if self._engine is not None:
                self._engine.dispose()
            self._drop_asker()

    def check_writable(self) -> None:
        """Raises :class:`CatalogueReadOnly` when the catalogue was opened for reading alone."""
        self.check_open()
        if self.read_only:
            raise CatalogueReadOnly(f"the catalogue {self.place} was opened for reading alone")

    @contextmanager
    def ask(self) -> Iterator[PostgresAsker]:
        """A read transaction without SQLAlchemy, of one consistent state. One thread at a time has it."""
        self.check_open()  # before the lock, as above
        with self._lock, self._reported():
            self.check_open()
            asker = self._usable_asker()
            try:
                yield asker
            except BaseException:
                with suppress(Exception):  # what went wrong first says more
                    self._end(asker)
                raise
            self._end(asker)

    def change(self, how: Callable[..., None], *arguments: object) -> None:
        """Do one of the small changes in :mod:`.fast_queries` in a write transaction of its own."""
        with self.write(exclusive=False) as connection:
            how(connection, *arguments)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A read transaction: one consistent state, however long it takes."""
        with self._reported(), self.engine.connect() as connection:
            yield connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    @contextmanager
    def write(self, *, exclusive: bool = True) -> Iterator[Connection]:
        """A write transaction: alone, or beside others that are not ``exclusive`` either."""
        self.check_writable()
        how = "exclusive" if exclusive else "shared"
        with (
            self._reported(),
            self.engine.connect().execution_options(photoindex_write=how) as connection,
            connection.begin(),
        ):
            self._check_still(connection)
            yield connection

    def _check_still(self, connection: Connection) -> None:
        """Raise :class:`CatalogueOutdated` when the catalogue was upgraded since it was opened. To be asked behind the
        lock, which an upgrade has for itself."""
        if self._is_checked:
            found = connection.exec_driver_sql(migration.VERSION).scalar()
            migration.check_still(migration.HEAD, found, self.place)

    def faults(self) -> list[str]:
        """Return indexes that are not valid and triggers of the change feed that are not there. The server looks after
        its files; its ``pg_amcheck`` examines them."""
        from photoindex.catalogue import postgres_feed

        with self.read() as connection:
            lost = [f"the trigger {name} is missing" for name in postgres_feed.missing(connection)]
            invalid = "select indexrelid::regclass::text from pg_index where not indisvalid"
            return lost + [f"the index {name} is not valid" for (name,) in connection.exec_driver_sql(invalid)]

    def revision(self) -> str | None:
        """Return the catalogue's migration; ``None`` for an empty database."""
        with self.ask() as asker:
            return migration.revision_of(asker, self.place)

    def size(self) -> int:
        """Return how many bytes the database takes on the server."""
        with self.ask() as asker:
            return int(asker.ask("select pg_database_size(current_database())")[0][0])

    def now(self) -> datetime:
        """Return the server's time."""
        with self.ask() as asker:
            moment: datetime = asker.ask("select clock_timestamp()")[0][0]
            return moment

    def commits(self) -> object:
        """Return which transactions that write have ended: the first that has not begun, and those under way."""
        with self.ask() as asker:
            return asker.ask("select pg_current_snapshot()::text")

    @contextmanager
    def sole_comparer(self, folders: Iterable[Path]) -> Iterator[None]:
        """Hold a lock for each folder's root, which the server frees when this process or its connection ends."""
        with self.ask() as asker:
            roots = list_roots(asker)
        tops = {folder if (root := root_of(roots, folder)) is None else root.path for folder in folders}
        with self._reported(), connect(self._url) as holder, _locks_of(holder):
            lock = _ready_to_hold_locks(holder)
            for top in sorted(tops):
                # By what all machines know it: its path may be another one elsewhere.
                key = zlib.crc32(self.mounts.everywhere(stored_path(os.fspath(top)))) - (1 << 31)
                row = holder.execute(f"select {lock}(%s::int, %s::int)".encode(), [COMPARER_LOCK, key]).fetchone()
                if row is None or not row[0]:
                    raise FolderError(
                        f"{shown(top)} is compared by another process already: stop that one, or leave it to it "
                        "(photoindex worker captions beside it)"
                    )
            self._compared += tops
            try:
                yield
            finally:
                for top in tops:
                    self._compared.remove(top)

    def judges(self, root: Path) -> bool:
        """Return whether this process compares the folder of a root."""
        return is_in_any(root, list(self._compared))

    def backup(self, destination: Path) -> None:
        """Raise :class:`CatalogueError`: backups are the server's matter."""
        raise CatalogueError(f"the catalogue {self.place} is backed up by its server's tools: pg_dump, or pgBackRest")

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        """Return another session. For as long as it took to learn that the server cannot be reached, those who ask next
        are told so at once: each would take as long, one after the other."""
        import psycopg

        began = time.monotonic()
        if began < self._unreachable_until:
            raise CatalogueUnavailable(self._unreachable)
        try:
            return connect(self._url)
        except psycopg.Error as error:
            reported = explained(self.place, error)
            if isinstance(reported, CatalogueUnavailable):
                failed = time.monotonic()
                self._unreachable, self._unreachable_until = str(reported), failed + (failed - began)
            raise reported from error

    def _usable_asker(self) -> PostgresAsker:
        if self._asker is not None and time.monotonic() - self._asked_at > PING_SECONDS:
            try:
                self._asker.ask("select 1")
                self._asker.connection.rollback()
            except Exception:  # the server was started again, or ended the session
                self._drop_asker()
        self._asked_at = time.monotonic()
        if self._asker is None:
            import psycopg

            connection = self._connect()
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            self._asker = PostgresAsker(connection)
        self._asker.mounts = self.mounts
        return self._asker

    def _end(self, asker: PostgresAsker) -> None:
        """End a transaction. A connection that was lost is made again by the next one."""
        try:
            asker.connection.rollback()
        except Exception:
            self._drop_asker()
            raise

    def _drop_asker(self) -> None:
        if self._asker is not None:
            with suppress(Exception):
                self._asker.connection.close()
            self._asker = None

    @contextmanager
    def _reported(self) -> Iterator[None]:
        """Raise the driver's errors, and SQLAlchemy's of them, as :class:`CatalogueError`."""
        try:
            yield
        except CatalogueError:
            raise
        except Exception as error:
            if _is_of_pool(error):
                raise CatalogueUnavailable(
                    f"the catalogue {self.place} was asked too much at once: all {MOST_CONNECTIONS} connections of "
                    "this process were busy"
                ) from error
            if not _is_of_database(error):
                raise
            raise explained(self.place, error) from error


def _is_of_pool(error: BaseException) -> bool:
    """Return whether no connection became free in time."""
    import sqlalchemy.exc

    return isinstance(error, sqlalchemy.exc.TimeoutError)


def _is_of_database(error: BaseException) -> bool:
    """Return whether an error is psycopg's, or SQLAlchemy's of one."""
    import psycopg

    return isinstance(error, psycopg.Error) or isinstance(getattr(error, "orig", None), psycopg.Error)


def _ready_to_hold_locks(holder: psycopg.Connection[Any]) -> str:
    """Make a connection one that keeps its locks while it does nothing else; return the function that takes them."""
    if is_pooled(holder):  # a transaction has one session, and leaves no lock behind in it
        holder.execute("set local idle_in_transaction_session_timeout = 0")
        return "pg_try_advisory_xact_lock"
    holder.autocommit = True
    # Older servers have no such setting, and end no session.
    holder.execute("select set_config(name, '0', false) from pg_settings where name = 'idle_session_timeout'")
    return "pg_try_advisory_lock"


@contextmanager
def _locks_of(holder: psycopg.Connection[Any]) -> Iterator[None]:
    """Release a session's locks at the end: those of a connection that is closed last a moment longer, in which the
    server refuses them to the next process."""
    try:
        yield
    finally:
        with suppress(Exception):  # the session has ended, and its locks with it
            holder.rollback()
            if not is_pooled(holder):
                holder.execute("select pg_advisory_unlock_all()")
