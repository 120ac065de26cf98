"""Backups of the catalogue: one a day while something changes; and putting one in the place of a damaged catalogue."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import func, select

from photoindex.catalogue.database import (
    BACKUP_SUFFIX,
    DAILY,
    HEAD,
    PART,
    Database,
    backups,
    is_backed_up,
    prune_backups,
    stamp,
)
from photoindex.catalogue.schema import catalogue, file, job, metadata, photo, root
from photoindex.catalogue.sqlite import BUSY_SECONDS
from photoindex.errors import CatalogueDamaged, CatalogueError
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

    ``notice`` hears when there is no room for one, and when it fails; either ends nothing. ``clock`` gives seconds and
    never goes back.
    """

    def __init__(
        self,
        database: Database,
        days: float,
        notice: Callable[[str], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._days = days
        self._notice = notice
        self._clock = clock
        self._looked_at: float | None = None
        self._told: str | None = None

    def make_when_due(self) -> Path | None:
        """Make one if it is due. Returns where it is. Cheap when asked again within the hour."""
        now = self._clock()
        if not self._days or (self._looked_at is not None and now - self._looked_at < LOOK_SECONDS):
            return None
        self._looked_at = now
        try:
            return self._make() if self._is_due() else None
        except (CatalogueError, OSError) as error:
            self._tell(f"no backup of the catalogue was made: {error}")
            return None

    def _is_due(self) -> bool:
        newest = next(iter(backups(self._database.path)), None)
        if newest is None:
            with self._database.read() as connection:
                return connection.execute(select(photo.c.id).limit(1)).first() is not None
        if is_backed_up(self._database.path, self._days):
            return False
        return _content_of(newest) != content(self._database)

    def _make(self) -> Path | None:
        from filelock import FileLock, Timeout  # imported here: it loads asyncio, and this happens once a day

        path = self._database.path
        size = sum(part.stat().st_size for part in (path, Path(f"{path}-wal")) if part.exists())
        free = shutil.disk_usage(path.parent).free
        if free < size + FREE_BYTES:
            self._tell(
                f"the disk of {path.parent} is nearly full ({human_size(free)} free): no backup of the catalogue "
                f"({human_size(size)}) was made; make room there"
            )
            return None
        try:
            with FileLock(path.with_name("backup.lock"), timeout=0):
                for left in path.parent.glob(f"{path.stem}-{DAILY}-*{PART}"):  # by one that was killed
                    left.unlink()
                made = path.with_name(f"{path.stem}-{DAILY}-{stamp()}{BACKUP_SUFFIX}")
                self._database.backup(made)
                prune_backups(path, DAILY)
        except Timeout:
            return None  # another process is making it
        self._told = None
        return made

    def _tell(self, line: str) -> None:
        if line.partition("(")[0] != self._told:
            self._notice(line)
        self._told = line.partition("(")[0]


def content(database: Database) -> str:
    """A digest that changes with what a backup is for: photos, captions, which files hold them. It does not with jobs,
    nor with what a watcher notes of itself. Reads all files' rows."""
    digest = hashlib.sha256()
    with database.read() as connection:
        columns = (file.c.relative_path, file.c.root_id, file.c.photo_id, file.c.size, file.c.mtime_ns,
                   file.c.missing_since)  # fmt: skip
        for row in connection.execute(select(*columns).order_by(file.c.id)):
            digest.update(repr(tuple(row)).encode("utf-8"))
        for path in connection.execute(select(root.c.path).order_by(root.c.path)).scalars():
            digest.update(repr(path).encode("utf-8"))
        # What is kept of captions, words and terms grows with each change.
        for table in metadata.sorted_tables:
            if table not in (file, root, job):
                newest = func.max(next(iter(table.primary_key.columns)))
                row = connection.execute(select(func.count(), newest).select_from(table)).one()
                digest.update(repr((table.name, *row)).encode("utf-8"))
        for revision in connection.execute(select(catalogue.c.vector_revision)).scalars():
            digest.update(repr(revision).encode("utf-8"))
    return digest.hexdigest()


def _content_of(backup: Path) -> str | None:
    """The same of a backup; ``None`` when it is of another version or cannot be read."""
    try:
        with closing(Database.open_as_is(backup, untouched=True)) as database:
            return content(database) if database.revision() == HEAD else None
    except CatalogueError:
        return None


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
    aside = path.with_name(f"{path.stem}-damaged-{stamp()}{path.suffix}")
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
