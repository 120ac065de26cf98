"""Opening the catalogue: the engine, SQLite's pragmas, migrations with a backup first, and transactions.

The only module that knows the catalogue is SQLite.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DatabaseError

from photoindex.errors import CatalogueError, CatalogueTooNew, CatalogueUnavailable
from photoindex.resources import migrations_dir

# The newest migration. Kept here so that opening an up-to-date catalogue never imports Alembic; a test holds it true.
HEAD = "0002"
BUSY_SECONDS = 30
BACKUPS_KEPT = 3
FULL_BYTES = 1 << 16  # a disk with less room than this is full


class Database:
    """The catalogue's engine. Use :meth:`open`; then :meth:`read` and :meth:`write` for transactions."""

    def __init__(self, engine: Engine, path: Path) -> None:
        self.engine = engine
        self.path = path

    @classmethod
    def open(cls, path: Path) -> Database:
        """Open the catalogue, creating or upgrading it as needed; an upgrade makes a backup beside it first.

        Raises :class:`CatalogueTooNew` when a newer photoindex wrote it, :class:`CatalogueError` when it cannot be
        read or is no catalogue, of which :class:`CatalogueUnavailable` may pass: its disk is full, it is locked.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CatalogueError(f"cannot create the data folder {path.parent}: {error.strerror}") from error
        database = cls(_engine(path), path)
        try:
            if database._revision() != HEAD or not database._in_wal():
                # Imported here: it loads asyncio, and nearly every start finds the catalogue up to date.
                from filelock import FileLock

                with FileLock(path.with_name("migrate.lock"), timeout=BUSY_SECONDS * 10):
                    database._upgrade(database._revision())
                    database._enter_wal()
        except (DatabaseError, OSError) as error:
            database.close()
            raise _explained(path, error) from error
        except CatalogueError:
            database.close()
            raise
        return database

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A read transaction: one consistent state, however long it takes."""
        try:
            with self.engine.connect() as connection:
                yield connection
        except DatabaseError as error:
            raise _explained(self.path, error) from error

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A write transaction, committed at the end or rolled back on any error. Waits for other writers."""
        try:
            with self.engine.connect().execution_options(photoindex_write=True) as connection, connection.begin():
                yield connection
        except DatabaseError as error:
            raise _explained(self.path, error) from error

    def backup(self, destination: Path) -> None:
        """Copy the catalogue as of now, while others go on using it."""
        with closing(sqlite3.connect(self.path)) as source, closing(sqlite3.connect(destination)) as target:
            source.backup(target)

    def _revision(self) -> str | None:
        """The catalogue's migration; ``None`` for an empty file. Raises :class:`CatalogueError` for a stranger's."""
        with self.engine.connect() as connection:
            tables = connection.dialect.get_table_names(connection)
            if "alembic_version" in tables and "photo" in tables:
                revision: str | None = connection.execute(text("select version_num from alembic_version")).scalar()
                if revision is not None:
                    return revision
            if tables and tables != ["alembic_version"]:
                raise CatalogueError(
                    f"{self.path} is a database, but not a photoindex catalogue; name another --data-dir"
                )
            return None

    def _in_wal(self) -> bool:
        with self.engine.connect() as connection:
            return connection.exec_driver_sql("pragma journal_mode").scalar() == "wal"

    def _enter_wal(self) -> None:
        # The mode stays with the file, so it is set only once the file is known to be ours. SQLite changes it outside
        # transactions only, and SQLAlchemy's own connections always are in one.
        with closing(self.engine.raw_connection()) as connection:
            connection.cursor().execute("pragma journal_mode = wal")

    def _upgrade(self, found: str | None) -> None:
        if found == HEAD:
            return  # another process did it while we waited for the lock
        # Imported here: Alembic takes a quarter of a second, and nearly every start finds the catalogue up to date.
        from alembic.config import Config
        from alembic.runtime.environment import EnvironmentContext
        from alembic.script import ScriptDirectory

        config = Config()
        config.set_main_option("script_location", str(migrations_dir()).replace("%", "%%"))
        scripts = ScriptDirectory.from_config(config)
        if found is not None:
            if found not in {script.revision for script in scripts.walk_revisions()}:
                raise CatalogueTooNew(
                    f"the catalogue {self.path} was written by a newer photoindex (its version is {found}, this one "
                    f"knows up to {HEAD}): upgrade photoindex, or name another --data-dir"
                )
            self._backup_before(found)
        with self.write() as connection:
            config.attributes["connection"] = connection

            def upgrade(revision: Any, _context: Any) -> Any:
                return scripts._upgrade_revs("head", revision)

            with EnvironmentContext(config, scripts, fn=upgrade):
                scripts.run_env()

    def _backup_before(self, found: str) -> None:
        stamp = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        self.backup(self.path.with_name(f"{self.path.stem}-before-upgrade-from-{found}-{stamp}.sqlite3"))
        backups = sorted(
            self.path.parent.glob(f"{self.path.stem}-before-upgrade-*.sqlite3"), key=lambda p: p.stat().st_mtime_ns
        )
        for old in backups[:-BACKUPS_KEPT]:
            old.unlink()


def _engine(path: Path) -> Engine:
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


def _explained(path: Path, error: Exception) -> CatalogueError:
    """A database error in one line: what failed, which file, what to do."""
    reason = str(getattr(error, "orig", None) or error).splitlines()[0]
    if "not a database" in reason or "malformed" in reason:
        return CatalogueError(
            f"the catalogue {path} is damaged or is no catalogue ({reason}): restore a backup or move it away"
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
