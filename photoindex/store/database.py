"""Opening the catalogue: the engine, SQLite's pragmas, migrations with a backup first, transactions; and what is done
about a damaged one.

The only module that knows the catalogue is SQLite.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, NullPool, create_engine, event, text
from sqlalchemy.exc import DatabaseError

from photoindex.errors import CatalogueDamaged, CatalogueError, CatalogueTooNew, CatalogueUnavailable
from photoindex.resources import migrations_dir

# The newest migration. Kept here so that opening an up-to-date catalogue never imports Alembic; a test holds it true.
HEAD = "0009"
BUSY_SECONDS = 30
BACKUPS_KEPT = 3
QUICK_CHECK_BYTES = 1_000_000_000  # a larger catalogue is not compared with its indexes, which reads it many times over
FAULTS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Restored:
    """What :func:`restore_backup` did: the ``backup`` that was put back, and where the catalogue was ``moved_to``
    (``None``: there was none)."""

    backup: Path
    moved_to: Path | None


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
            if database.revision() != HEAD or not database._in_wal():
                # Imported here: it loads asyncio, and nearly every start finds the catalogue up to date.
                from filelock import FileLock

                with FileLock(path.with_name("migrate.lock"), timeout=BUSY_SECONDS * 10):
                    database._upgrade(database.revision())
                    database._enter_wal()
        except (DatabaseError, OSError) as error:
            database.close()
            raise _explained(path, error) from error
        except CatalogueError:
            database.close()
            raise
        return database

    @classmethod
    def open_as_is(cls, path: Path) -> Database:
        """The catalogue for reading alone: nothing is made, upgraded or repaired, and it may be of any version.

        Raises :class:`CatalogueError` when it is not there or cannot be read.
        """
        database = cls(_engine(path, read_only=True), path)
        try:
            database.revision()
        except DatabaseError as error:
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

    def faults(self) -> list[str]:
        """What SQLite's own examination finds wrong, a line each, at most ten; empty for a whole catalogue.

        Reads all of it.
        """
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
        self.backup(self.path.with_name(f"{self.path.stem}-before-upgrade-from-{found}-{_stamp()}.sqlite3"))
        for old in backups(self.path)[BACKUPS_KEPT:]:
            old.unlink()


def knows(revision: str) -> bool:
    """Whether this photoindex can upgrade from a migration; without importing Alembic."""
    return any(migrations_dir().glob(f"versions/{revision}_*.py"))


def backups(path: Path) -> list[Path]:
    """The backups of the catalogue at ``path``, the newest first."""
    found = path.parent.glob(f"{path.stem}-before-upgrade-*.sqlite3")
    return sorted(found, key=lambda backup: backup.stat().st_mtime_ns, reverse=True)


def restore_backup(path: Path) -> Restored:
    """Put the newest whole backup in the place of a catalogue that is damaged or gone, which is moved aside.

    Nothing is deleted, and the backup stays. No other process may have the catalogue open: it would go on writing to
    the one that was moved. Raises :class:`CatalogueError` when the catalogue is whole or cannot be looked at, when no
    backup is whole, or when the disk refuses.
    """
    from filelock import FileLock

    try:
        with FileLock(path.with_name("migrate.lock"), timeout=BUSY_SECONDS):
            if path.exists() and _is_whole(path):
                raise CatalogueError(f"the catalogue {path} is not damaged: nothing was restored")
            for backup in backups(path):
                with suppress(CatalogueError):
                    if _is_whole(backup):
                        return Restored(backup, _put_in_place(backup, path))
    except OSError as error:
        raise CatalogueError(f"cannot restore the catalogue {path}: {error.strerror or error}") from error
    raise CatalogueError(
        f"there is no whole backup of {path}: move it away and run photoindex index, which begins anew"
    )


def _is_whole(path: Path) -> bool:
    """Whether a file is a catalogue without faults. Raises :class:`CatalogueError` when nobody can say, and for
    another program's database."""
    try:
        with closing(Database.open_as_is(path)) as database:
            return database.revision() is not None and not database.faults()
    except CatalogueDamaged:
        return False


def _put_in_place(backup: Path, path: Path) -> Path | None:
    """Replace the file at ``path`` by a copy of ``backup``; returns where the old one is kept now."""
    copy = path.with_suffix(".restoring")
    aside = path.with_name(f"{path.stem}-damaged-{_stamp()}{path.suffix}")
    try:
        with backup.open("rb") as source, copy.open("wb") as target:
            shutil.copyfileobj(source, target)
            target.flush()
            os.fsync(target.fileno())
        # The log first: it would be played into whatever stands at its name. It keeps the name of the file it belongs
        # to, so that tools which mend databases find it.
        for end in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                os.rename(f"{path}{end}", f"{aside}{end}")
        kept: Path | None = aside
        try:
            os.link(path, aside)  # so that there is a file at ``path`` at every moment
        except FileNotFoundError:
            kept = None
        except OSError:  # a file system without links
            os.rename(path, aside)
        os.replace(copy, path)
    finally:
        with suppress(OSError):
            copy.unlink()
    return kept


def _stamp() -> str:
    return datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")


def _uri(path: Path, mode: str) -> str:
    return f"{path.absolute().as_uri()}?mode={mode}"


def _connect_as_is(path: Path) -> sqlite3.Connection:
    """A connection that writes nothing. SQLite keeps its shared memory beside the file; where it may not, and nobody
    has left a log there, the file can be read by itself."""
    try:
        return _connected(_uri(path, "ro"))
    except sqlite3.OperationalError as error:
        refused = any(reason in str(error) for reason in ("unable to open", "readonly"))
        if not refused or Path(f"{path}-wal").exists():
            raise
    return _connected(_uri(path, "ro") + "&immutable=1")


def _connected(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, check_same_thread=False)
    try:
        connection.execute("select count(*) from sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _engine(path: Path, *, read_only: bool = False) -> Engine:
    if read_only:
        engine = create_engine("sqlite://", creator=lambda: _connect_as_is(path), poolclass=NullPool)
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


def _explained(path: Path, error: Exception) -> CatalogueError:
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
