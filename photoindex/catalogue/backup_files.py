"""Make, check, list and prune copies of the catalogue in its folder."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, suppress
from itertools import zip_longest
from pathlib import Path
from typing import Final

from photoindex.catalogue.change_feed import Version
from photoindex.catalogue.data_folder import check_reachable
from photoindex.catalogue.integrity import faults_of_copy
from photoindex.catalogue.open_file import holds_bytes
from photoindex.catalogue.sqlite import connect, connect_as_is, connect_untouched
from photoindex.catalogue.sqlite_errors import explained
from photoindex.errors import CatalogueDamaged
from photoindex.system.atomic import new_file
from photoindex.system.clock import utc_now

BACKUPS_KEPT: Final = 3  # of each kind
BEFORE_UPGRADE, DAILY = "before-upgrade", "backup"  # the kinds, as they are named
BACKUP_SUFFIX, PART = ".sqlite3", ".part"  # of a whole one, and while it is being made
DAY: Final = 86_400.0  # seconds


def back_up(source: Path, destination: Path) -> None:
    """Copy the catalogue while other processes use it, and check the copy. An incomplete copy is never left behind.

    Raises :class:`CatalogueDamaged` when the copy has faults, as the catalogue has them then; and
    :class:`CatalogueError` or :class:`OSError` when it cannot be made.
    """
    part = destination.with_suffix(PART)
    try:
        new_file(part).close()
        # For reading alone: otherwise a catalogue that was deleted would be created again, and backed up empty.
        with closing(connect_as_is(source)) as original, closing(connect(part)) as copy:
            original.backup(copy)
        to_disk(part)
        wrong = faults_of_copy(part)
        if wrong:
            raise CatalogueDamaged(
                f"the catalogue {source} is damaged ({wrong[0]}), so the backups are left as they are: photoindex "
                "doctor says what can be done"
            )
        part.replace(destination)
        if os.name != "nt":  # Windows flushes no folders
            to_disk(destination.parent)
    except sqlite3.Error as error:
        raise explained(source, error) from error
    finally:
        with suppress(OSError):
            part.unlink()


def holds_the_same(path: Path, backup: Path) -> bool:
    """Return whether a backup is whole and equal to the catalogue, row by row. Reads all of both, and writes nothing.

    Not asked of the files' bytes: closing a file that SQLite has open takes away this process's locks of it.
    """
    try:
        with closing(connect_as_is(path)) as now, closing(connect_untouched(backup)) as then:
            for connection in (now, then):
                connection.text_factory = bytes
            now.execute("begin")
            tables = [name for (name,) in then.execute("select name from sqlite_master where type = 'table'")]
            if not all(_are_equal(now, then, table) for table in (b"sqlite_master", *tables)):
                return False
    except sqlite3.Error:
        return False
    return not _faults(backup)


def _are_equal(now: sqlite3.Connection, then: sqlite3.Connection, table: bytes) -> bool:
    name = table.decode().replace('"', '""')
    rows = [connection.execute(f'select * from "{name}"') for connection in (now, then)]
    return all(one == other for one, other in zip_longest(*rows))


def backup_path(path: Path, label: str) -> Path:
    """Return where a backup of the catalogue at ``path`` that is made now belongs."""
    return path.with_name(f"{path.stem}-{label}-{stamp()}{BACKUP_SUFFIX}")


def backups(path: Path, *kinds: str) -> list[Path]:
    """Return the backups of the catalogue at ``path``, the newest first; of these kinds only, if any are named.

    Those with a time that is still to come, by a clock that was ahead, are the last.
    """
    starts = tuple(f"{path.stem}-{kind}-" for kind in kinds or (BEFORE_UPGRADE, DAILY))
    dated = []
    now = time.time()
    with suppress(OSError), os.scandir(path.parent) as entries:
        for entry in entries:
            if entry.name.startswith(starts) and entry.name.endswith(BACKUP_SUFFIX):
                with suppress(FileNotFoundError):  # removed by another process
                    made = entry.stat().st_mtime_ns
                    dated.append((made <= now * 1e9, made, path.with_name(entry.name)))
    return [backup for _, _, backup in sorted(dated, reverse=True)]


def newest_whole(path: Path) -> Path | None:
    """Return the newest backup of the catalogue at ``path`` without faults. Reads all of each that has some."""
    return next((backup for backup in backups(path) if not _faults(backup)), None)


def check_not_lost(path: Path) -> None:
    """Raises :class:`CatalogueDamaged` when the catalogue at ``path`` is gone or empty and has a whole backup, and
    :class:`CatalogueUnavailable` when its folder lies behind a link to nowhere.

    A new one in its place would caption every photo again, without what people said of them, and nobody would notice.
    """
    if holds_bytes(path):
        return
    check_reachable(path.parent)
    backup = newest_whole(path)
    if backup is not None:
        raise CatalogueDamaged(
            f"the catalogue {path} is {'empty' if path.exists() else 'gone'}, and {backup.name} beside it is a backup: "
            "photoindex doctor --restore-backup puts that back; to begin without it, move the backups away"
        )


def is_backed_up(path: Path, days: float) -> bool:
    """Return whether the newest backup is not ``days`` old yet."""
    newest = next(iter(backups(path)), None)
    return newest is not None and 0 <= time.time() - newest.stat().st_mtime < days * DAY


def prune_backups(path: Path, kind: str, checked: Path) -> None:
    """Remove all but the newest backups of a kind.

    ``checked`` was just found to be whole and always stays. So does the newest of each other catalogue that was at this
    path before: what was lost with it may be missed later.
    """
    others = [backup for backup in backups(path, kind) if backup != checked]
    kept = {None if (version := version_of(checked)) is None else version.identity}
    for old in others[BACKUPS_KEPT - 1 :]:
        known = version_of(old)
        if known is not None and known.identity not in kept | {_identity(one) for one in others[: BACKUPS_KEPT - 1]}:
            kept.add(known.identity)
            continue
        old.unlink(missing_ok=True)


def version_of(backup: Path) -> Version | None:
    """Return what a backup holds; ``None`` when it cannot be read, or is of a version without revisions."""
    try:
        with closing(connect_untouched(backup)) as connection:
            row = connection.execute("select identity, revision from catalogue").fetchone()
    except sqlite3.DatabaseError:
        return None
    return None if row is None else Version(str(row[0]), int(row[1]))


def stamp() -> str:
    """Return the time now as part of a file's name."""
    return utc_now().strftime("%Y%m%dT%H%M%SZ")


def to_disk(path: Path) -> None:
    """Flush a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _identity(backup: Path) -> str | None:
    version = version_of(backup)
    return None if version is None else version.identity


def _faults(backup: Path) -> list[str]:
    try:
        return faults_of_copy(backup)
    except OSError as error:
        return [str(error)]
