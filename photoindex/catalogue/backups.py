"""Backups of the catalogue: one a day while something changes; and putting one in the place of a damaged catalogue."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from photoindex.catalogue.backup_files import (
    DAILY,
    PART,
    backup_path,
    backups,
    is_backed_up,
    newest_whole,
    prune_backups,
    stamp,
    to_disk,
    version_of,
)
from photoindex.catalogue.change_feed import version
from photoindex.catalogue.database import Database
from photoindex.catalogue.integrity import faults_of_copy
from photoindex.catalogue.opening import open_database_as_is
from photoindex.catalogue.sqlite import connect, upgrading
from photoindex.errors import CatalogueDamaged, CatalogueError, CatalogueReplaced
from photoindex.system.atomic import new_file
from photoindex.system.error_lines import reason_of
from photoindex.system.regular_files import is_there, open_regular
from photoindex.system.units import human_size

LOOK_SECONDS: Final = 3600.0  # how often a program that runs for long looks whether a backup is due
FREE_BYTES: Final = 50_000_000  # that a backup leaves on its disk


@dataclass(frozen=True, slots=True)
class Restored:
    """What :func:`restore_backup` did: the ``backup`` that was put back, and where the catalogue was ``moved_to``
    (``None``: there was none)."""

    backup: Path
    moved_to: Path | None


class DailyBackup:
    """Makes a backup beside the catalogue when the newest is ``days`` old (0: never) and something changed since.

    ``notice`` receives a line when there is no room for one, when the catalogue is damaged, and when making one fails;
    none of them ends anything. ``clock`` gives seconds and never goes back.
    """

    def __init__(
        self,
        database: Database,
        days: float,
        notice: Callable[[str], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._path = database.path  # of the file; a server has backups of its own
        self._days = days
        self._notice = notice
        self._clock = clock
        self._looked_at: float | None = None
        self._warned: str | None = None

    def make_when_due(self) -> Path | None:
        """Make one if it is due. Returns where it is. Cheap when asked again within the hour.

        Raises :class:`CatalogueReplaced`: whatever is at its path now is not to be backed up over the backups.
        """
        now = self._clock()
        if (
            self._path is None
            or not self._days
            or (self._looked_at is not None and now - self._looked_at < LOOK_SECONDS)
        ):
            return None
        self._looked_at = now
        try:
            return self._make(self._path) if self._is_due(self._path) else None
        except CatalogueReplaced:
            raise
        except CatalogueDamaged as error:
            self._warn(f"{error} (no backup was made)")
        except (CatalogueError, OSError) as error:
            self._warn(f"no backup of the catalogue was made: {reason_of(error)}")
        return None

    def _is_due(self, path: Path) -> bool:
        newest = next(iter(backups(path)), None)
        with self._database.ask() as asker:
            if newest is None:
                return bool(asker.ask("select 1 from photo limit 1"))
            if is_backed_up(path, self._days):
                return False
            return version_of(newest) != version(asker)

    def _make(self, path: Path) -> Path | None:
        from filelock import FileLock, Timeout  # imported here: it loads asyncio, and this happens once a day

        size = sum(part.stat().st_size for part in (path, Path(f"{path}-wal")) if part.exists())
        free = shutil.disk_usage(path.parent).free
        if free < size + FREE_BYTES:
            self._warn(
                f"the disk of {path.parent} is nearly full ({human_size(free)} free): no backup of the catalogue "
                f"({human_size(size)}) was made; make room there"
            )
            return None
        try:
            with FileLock(path.with_name("backup.lock"), timeout=0):
                _remove_parts(path)
                made = backup_path(path, DAILY)
                self._database.backup(made)
                prune_backups(path, DAILY, made)
        except Timeout:
            return None  # another process is making it
        self._warned = None
        return made

    def _warn(self, line: str) -> None:
        if line.partition("(")[0] != self._warned:
            self._notice(line)
        self._warned = line.partition("(")[0]


def _remove_parts(path: Path) -> None:
    """Remove what a process that was killed left of a backup."""
    with os.scandir(path.parent) as entries:
        for entry in entries:
            if entry.name.startswith(f"{path.stem}-{DAILY}-") and entry.name.endswith(PART):
                path.with_name(entry.name).unlink(missing_ok=True)


def restore_backup(path: Path) -> Restored:
    """Put the newest whole backup in the place of a catalogue that is damaged or gone, which is moved aside.

    Nothing is deleted, and the backup stays. The catalogue has another identity then, so that whoever keeps something
    made of the lost one makes it again. A process that has the old one open notices and stops. Raises
    :class:`CatalogueError` when the catalogue is whole or cannot be looked at, when no backup is whole, or when the
    disk refuses.
    """
    try:
        with upgrading(path):
            if is_there(path) and _is_whole(path):
                raise CatalogueError(f"the catalogue {path} is not damaged: nothing was restored")
            backup = newest_whole(path)
            if backup is not None:
                return Restored(backup, _put_in_place(backup, path))
    except OSError as error:
        reason = "its disk is full; make room there" if error.errno == errno.ENOSPC else error.strerror or error
        raise CatalogueError(f"cannot restore the catalogue {path}: {reason}") from error
    raise CatalogueError(
        f"there is no whole backup of {path}: move it away and run photoindex index, which begins again"
    )


def _is_whole(path: Path) -> bool:
    """Return whether a file is a catalogue without faults. Raises :class:`CatalogueError` when nobody can say, and for
    another program's database."""
    try:
        with closing(open_database_as_is(path)) as database:
            return database.revision() is not None and not database.faults()
    except CatalogueDamaged:
        return False


def _put_in_place(backup: Path, path: Path) -> Path | None:
    """Replace the file at ``path`` by a copy of ``backup``; returns where the old one is kept now."""
    copy = path.with_suffix(".restoring")
    aside = path.with_name(f"{path.stem}-damaged-{stamp()}{path.suffix}")
    try:
        with open_regular(backup) as source, new_file(copy) as target:
            shutil.copyfileobj(source, target)
        _renew_identity(copy)
        to_disk(copy)
        wrong = faults_of_copy(copy)
        if wrong:
            raise CatalogueError(f"the copy of the backup {backup} is damaged ({wrong[0]}): check the disk of {path}")
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


def _renew_identity(copy: Path) -> None:
    """Make a copy another catalogue than the one it was made of, whose later revisions are lost."""
    try:
        with closing(connect(copy)) as connection:
            # Without a log beside it, which would not be moved with it.
            connection.execute("pragma journal_mode = delete")
            if connection.execute("select 1 from sqlite_master where name = 'catalogue'").fetchone():
                connection.execute("update catalogue set identity = ?", (secrets.token_hex(16),))
            connection.commit()
    except sqlite3.DatabaseError as error:
        raise CatalogueError(f"cannot restore {copy}: {error}") from error
