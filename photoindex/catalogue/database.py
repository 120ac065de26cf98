"""Opening the catalogue, migrations with a backup first, transactions, backups.

With :mod:`.sqlite` the only module that knows that the catalogue is SQLite. It imports SQLAlchemy with the first
transaction: a command that only searches asks without it (:meth:`Database.ask`), for importing it takes longer than all
the rest of a search.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from photoindex.catalogue.raw_sql import Asker
from photoindex.catalogue.sqlite import (
    BUSY_SECONDS,
    connect,
    connect_as_is,
    connect_untouched,
    explained,
    make_engine,
    may_write,
    needs_copy,
)
from photoindex.errors import (
    CatalogueError,
    CatalogueReadOnly,
    CatalogueTooNew,
)
from photoindex.system.clock import utc_now
from photoindex.system.package_data import migrations_dir

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

# The newest migration. Kept here so that opening an up-to-date catalogue never imports Alembic; a test holds it true.
HEAD = "0009"
BACKUPS_KEPT = 3  # of each kind
BEFORE_UPGRADE, DAILY = "before-upgrade", "backup"  # the kinds, as they are named
BACKUP_SUFFIX, PART = ".sqlite3", ".part"  # of a whole one, and while it is being made
QUICK_CHECK_BYTES = 1_000_000_000  # a larger catalogue is not compared with its indexes, which reads it many times over
FAULTS_SHOWN = 10
DAY = 86_400.0  # seconds


class Database:
    """The catalogue. Use :meth:`open`; then :meth:`read` and :meth:`write` for transactions, and :meth:`ask` for the
    few questions of a search. May be shared between threads."""

    def __init__(self, path: Path, *, read_by: Callable[[Path], sqlite3.Connection] | None = None) -> None:
        """``read_by``: how to connect for reading alone."""
        self.path = path
        self.read_only = read_by is not None
        self._read_by = read_by
        self._place = path  # where it is read: elsewhere when it had to be copied
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self._lock = threading.RLock()
        self._engine: Engine | None = None
        self._asker: Asker | None = None

    @classmethod
    def open(cls, path: Path) -> Database:
        """Open the catalogue, creating or upgrading it as needed; an upgrade makes a backup beside it first.

        Where it may not be written, it is opened for reading alone, if it is of this version.

        Raises :class:`CatalogueTooNew` when a newer photoindex wrote it, :class:`CatalogueError` when it cannot be
        read or is no catalogue, of which :class:`CatalogueUnavailable` may pass: its disk is full, it is locked.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CatalogueError(f"cannot create the data folder {path.parent}: {error.strerror}") from error
        if path.exists() and not may_write(path):
            return cls._open_read_only(path)
        database = cls(path)
        try:
            if database.revision() != HEAD or not database._in_wal():
                # Imported here: it loads asyncio, and nearly every start finds the catalogue up to date.
                from filelock import FileLock

                with FileLock(path.with_name("migrate.lock"), timeout=BUSY_SECONDS * 10):
                    database._upgrade(database.revision())
                    database._enter_wal()
        except (sqlite3.DatabaseError, OSError) as error:
            database.close()
            raise explained(path, error) from error
        except CatalogueError:
            database.close()
            raise
        return database

    @classmethod
    def open_as_is(cls, path: Path, *, untouched: bool = False) -> Database:
        """The catalogue for reading alone: nothing is made, upgraded or repaired, and it may be of any version.

        ``untouched``: nobody writes to it meanwhile, as to a backup; then SQLite keeps nothing beside it either.
        Raises :class:`CatalogueError` when it is not there or cannot be read.
        """
        database = cls(path, read_by=connect_untouched if untouched else connect_as_is)
        try:
            if not untouched and needs_copy(path):
                database._read_a_copy()
            database.revision()
        except (sqlite3.DatabaseError, OSError) as error:
            database.close()
            raise explained(path, error) from error
        except CatalogueError:
            database.close()
            raise
        return database

    @classmethod
    def _open_read_only(cls, path: Path) -> Database:
        database = cls.open_as_is(path)
        revision = database.revision()
        if revision == HEAD:
            return database
        database.close()
        if revision is None or knows(revision):
            raise CatalogueReadOnly(
                f"the catalogue {path} is of an older version and cannot be upgraded, as it is read-only: make it "
                "writable, or name another --data-dir"
            )
        raise _too_new(path, revision)

    @property
    def engine(self) -> Engine:
        """SQLAlchemy's, made when first needed."""
        with self._lock:
            if self._engine is None:
                self._engine = make_engine(self._place, self._read_by)
            return self._engine

    def close(self) -> None:
        self._disconnect()
        if self._copy is not None:
            self._copy.cleanup()

    def _disconnect(self) -> None:
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
            if self._asker is not None:
                self._asker.connection.close()
                self._asker = None

    def check_writable(self) -> None:
        """Raises :class:`CatalogueReadOnly` when the catalogue was opened for reading alone."""
        if self.read_only:
            raise CatalogueReadOnly(
                f"cannot write the catalogue {self.path}: the folder or its disk is read-only, so that photos can be "
                "searched and shown, but nothing can be changed"
            )

    @contextmanager
    def ask(self) -> Iterator[Asker]:
        """A read transaction without SQLAlchemy, for the questions in :mod:`.lookup`. One thread at a time has it."""
        with self._lock:
            try:
                if self._asker is None:
                    connection = self._read_by(self._place) if self._read_by else connect(self._place)
                    connection.isolation_level = None  # transactions are begun here
                    self._asker = Asker(connection)
                self._asker.connection.execute("begin")
                try:
                    yield self._asker
                finally:
                    self._asker.connection.rollback()
            except sqlite3.DatabaseError as error:
                raise explained(self.path, error) from error

    def change(self, how: Callable[..., None], *arguments: object) -> None:
        """Do one of the small changes in :mod:`.lookup`, without SQLAlchemy, in a write transaction of its own."""
        self.check_writable()
        with self.ask() as asker:
            how(asker, *arguments)
            asker.connection.commit()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A read transaction: one consistent state, however long it takes."""
        from sqlalchemy.exc import DatabaseError

        try:
            with self.engine.connect() as connection:
                yield connection
        except DatabaseError as error:
            raise explained(self.path, error) from error

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A write transaction, committed at the end or rolled back on any error. Waits for other writers."""
        from sqlalchemy.exc import DatabaseError

        self.check_writable()
        try:
            with self.engine.connect().execution_options(photoindex_write=True) as connection, connection.begin():
                yield connection
        except DatabaseError as error:
            raise explained(self.path, error) from error

    def backup(self, destination: Path) -> None:
        """Copy the catalogue as of now, while others go on using it; the copy is there as a whole, or not at all.

        Raises :class:`CatalogueError` or OSError when it cannot be made.
        """
        part = destination.with_suffix(PART)
        try:
            with closing(sqlite3.connect(self.path)) as source, closing(sqlite3.connect(part)) as target:
                source.backup(target)
            _to_disk(part)
            part.replace(destination)
            if os.name != "nt":  # Windows flushes no folders
                _to_disk(destination.parent)
        except sqlite3.Error as error:
            raise explained(self.path, error) from error
        finally:
            with suppress(OSError):
                part.unlink()

    def faults(self) -> list[str]:
        """What SQLite's own examination finds wrong, a line each, at most ten; empty for a whole catalogue.

        Reads all of it.
        """
        from sqlalchemy.exc import DatabaseError

        check = "integrity_check" if self.path.stat().st_size <= QUICK_CHECK_BYTES else "quick_check"
        try:
            with self.engine.connect() as connection:
                lines = connection.exec_driver_sql(f"pragma {check}({FAULTS_SHOWN})").scalars().all()
                found = [line for text in lines for line in str(text).splitlines() if line != "ok"]
                for row in connection.exec_driver_sql("pragma foreign_key_check"):
                    found.append(f"a row of {row[0]} belongs to a row of {row[2]} that is gone")
        except DatabaseError as error:  # so damaged that it cannot be examined
            return [str(error.orig)]
        return found[:FAULTS_SHOWN]

    def revision(self) -> str | None:
        """The catalogue's migration; ``None`` for an empty file. Raises :class:`CatalogueError` for a stranger's."""
        with self.ask() as asker:
            tables = [name for (name,) in asker.ask("select name from sqlite_master where type = 'table'")]
            if "alembic_version" in tables and "photo" in tables:
                for (revision,) in asker.ask("select version_num from alembic_version"):
                    return str(revision)
        if tables and tables != ["alembic_version"]:
            raise CatalogueError(f"{self.path} is a database, but not a photoindex catalogue; name another --data-dir")
        return None

    def _in_wal(self) -> bool:
        with self.ask() as asker:
            return asker.ask("pragma journal_mode") == [("wal",)]

    def _enter_wal(self) -> None:
        # The mode stays with the file, so it is set only once the file is known to be ours. SQLite changes it outside
        # transactions only, and other connections of this process would be in its way.
        self._disconnect()
        with closing(connect(self.path)) as connection:
            connection.execute("pragma journal_mode = wal")

    def _make(self) -> None:
        """Make the tables of an empty catalogue at once, as running every migration leaves them; a test holds that."""
        import secrets

        from sqlalchemy import insert, text

        from photoindex.catalogue.schema import catalogue, metadata

        with self.write() as connection:
            metadata.create_all(connection)
            connection.execute(insert(catalogue).values(id=1, identity=secrets.token_hex(16), vector_revision=0))
            # What Alembic asks when there is something to upgrade.
            connection.execute(
                text(
                    "create table if not exists alembic_version"
                    " (version_num varchar(32) not null, constraint alembic_version_pkc primary key (version_num))"
                )
            )
            connection.execute(text("insert into alembic_version values (:head)"), {"head": HEAD})

    def _upgrade(self, found: str | None) -> None:
        if found == HEAD:
            return  # another process did it while we waited for the lock
        if found is None:
            self._make()
            return
        # Imported here: Alembic takes a quarter of a second, and nearly every start finds the catalogue up to date.
        from alembic.config import Config
        from alembic.runtime.environment import EnvironmentContext
        from alembic.script import ScriptDirectory

        config = Config()
        config.set_main_option("script_location", str(migrations_dir()).replace("%", "%%"))
        scripts = ScriptDirectory.from_config(config)
        if found not in {script.revision for script in scripts.walk_revisions()}:
            raise _too_new(self.path, found)
        self._backup_before(found)
        with self.write() as connection:
            config.attributes["connection"] = connection

            def upgrade(revision: Any, _context: Any) -> Any:
                return scripts._upgrade_revs("head", revision)

            with EnvironmentContext(config, scripts, fn=upgrade):
                scripts.run_env()

    def _backup_before(self, found: str) -> None:
        self.backup(self.path.with_name(f"{self.path.stem}-{BEFORE_UPGRADE}-from-{found}-{stamp()}{BACKUP_SUFFIX}"))
        prune_backups(self.path, BEFORE_UPGRADE)

    def _read_a_copy(self) -> None:
        self._copy = tempfile.TemporaryDirectory(prefix="photoindex-")
        copy = Path(self._copy.name, self.path.name)
        for end in ("", "-wal"):
            shutil.copyfile(f"{self.path}{end}", f"{copy}{end}")
        self._disconnect()
        self._engine, self._place = None, copy


def knows(revision: str) -> bool:
    """Whether this photoindex can upgrade from a migration; without importing Alembic."""
    return any(migrations_dir().glob(f"versions/{revision}_*.py"))


def backups(path: Path, *kinds: str) -> list[Path]:
    """The backups of the catalogue at ``path``, the newest first; of these kinds only, if any are named."""
    found = [
        (backup.stat().st_mtime_ns, backup)
        for kind in kinds or (BEFORE_UPGRADE, DAILY)
        for backup in path.parent.glob(f"{path.stem}-{kind}-*{BACKUP_SUFFIX}")
    ]
    return [backup for _, backup in sorted(found, reverse=True)]


def is_backed_up(path: Path, days: float) -> bool:
    """Whether the newest backup is not ``days`` old yet."""
    # One from the future was made before the clock was put right.
    newest = next(iter(backups(path)), None)
    return newest is not None and 0 <= time.time() - newest.stat().st_mtime < days * DAY


def prune_backups(path: Path, kind: str) -> None:
    """Remove all but the newest backups of a kind."""
    for old in backups(path, kind)[BACKUPS_KEPT:]:
        old.unlink(missing_ok=True)


def stamp() -> str:
    """Now, as part of a file's name."""
    return utc_now().strftime("%Y%m%dT%H%M%SZ")


def _too_new(path: Path, found: str) -> CatalogueTooNew:
    return CatalogueTooNew(
        f"the catalogue {path} was written by a newer photoindex (its version is {found}, this one knows up to {HEAD})"
        ": upgrade photoindex, or name another --data-dir"
    )


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
