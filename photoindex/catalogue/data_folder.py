"""Keep the data folder private to its owner, and refuse one that others can write to.

Captions, places and dates are private, and the files of an index are trusted.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from photoindex.errors import CatalogueError, CatalogueUnavailable

FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_ROOT: Final = 0
# What a library keeps, by its names; of a folder that holds other things as well only these are closed.
_FOLDERS: Final = "fulltext|terms|thumbnails|watchers"
_FILES: Final = (
    r"(migrate|backup|fulltext)\.lock|photoindex\.toml|timeline\.columns|web-sessions\.json|web-link|watch-task\.xml"
)
# The catalogue, its log, its backups, and damaged ones that were put aside; half-made copies of them.
_CATALOGUE: Final = (
    r"catalogue(-(backup|before-upgrade(-from-\w+)?|damaged)-\d{8}T\d{6}Z)?"
    r"(\.sqlite3(-wal|-shm|-journal)?|\.part(-wal|-shm|-journal)?|\.restoring(-wal|-shm|-journal)?)"
)
# A file that is being replaced (system/atomic.py), and the empty one that tells whether modes are kept.
_PARTS: Final = rf"\.({_FILES})\.[0-9a-f]{{8}}\.new|\.modes-\w+"
_OURS: Final = re.compile(rf"{_FOLDERS}|{_FILES}|{_CATALOGUE}|{_PARTS}")

HAS_MODES: Final = os.name == "posix"


def open_data_folder(folder: Path) -> None:
    """Make the data folder if it is not there, and close it to others.

    Raises :class:`CatalogueError` in one line when it cannot be made or reached, belongs to another user, or can be
    written by others. Where the system or the folder's file system has no permissions of this kind, none are asked for.
    """
    check_reachable(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
    except OSError as error:
        raise CatalogueError(f"cannot create the data folder {folder}: {error.strerror}") from error
    if HAS_MODES:
        check_owner(folder)
        close_to_others(folder)


def check_reachable(folder: Path) -> None:
    """Raises :class:`CatalogueUnavailable` when a data folder lies behind a link to nowhere, as to a disk that is not
    mounted: it is no new one."""
    for place in (folder, *folder.parents):
        if place.is_symlink() and not place.exists():
            raise CatalogueUnavailable(
                f"the data folder {folder} cannot be reached: {place} is a link to {os.readlink(place)}, which is not "
                "there: mount its disk, or remove the link"
            )


def make_private_file(path: Path) -> None:
    """Make an empty file that only its owner may read, unless there is one. Raises :class:`OSError`."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE))


def check_owner(
    folder: Path, *, user: int | None = None, is_private_group: Callable[[int], bool] | None = None
) -> None:
    """Raises :class:`CatalogueError` for a folder of another user, or one that others can write.

    ``user`` is this process's. The administrator is trusted, and so is a group that has this user alone
    (``is_private_group``), which many systems create for each user.
    """
    if not HAS_MODES:
        return
    try:
        status = os.stat(folder)
    except OSError:
        return  # told better by whoever opens what is in it
    user = os.geteuid() if user is None else user
    if status.st_uid not in (user, _ROOT) and _keeps_modes(folder):
        raise CatalogueError(
            f"the data folder {folder} belongs to another user ({_name_of(status.st_uid)}), who could have put "
            "anything into it: name another --data-dir"
        )
    by_group = status.st_mode & stat.S_IWGRP and not (is_private_group or _is_private_group)(status.st_gid)
    if (by_group or status.st_mode & stat.S_IWOTH) and _keeps_modes(folder):
        from photoindex.system.terminal import shell_quoted  # here, for the same reason as tempfile below

        raise CatalogueError(
            f"others can write the data folder {folder} and could have put anything into it: if you trust what is in "
            f"it, run: chmod -R go-w {shell_quoted(folder)}"
        )


def close_to_others(folder: Path) -> None:
    """Remove other users' rights to the data folder and a library's files in it, where the system allows it.

    A folder with other files too keeps its rights; only the library's files are changed.
    """
    with suppress(OSError):
        open_before = stat.S_IMODE(os.stat(folder).st_mode) & _OTHERS
        if open_before and not _holds_other_things(folder):
            _close(folder)
            for path in _below(folder):  # once: from now on nobody else comes this far
                _close(path)
            return
        with os.scandir(folder) as entries:
            for entry in entries:
                if _OURS.fullmatch(entry.name):
                    _close(Path(entry.path))


def _close(path: Path) -> None:
    """Remove other users' rights to a file or folder, unless it is a link or belongs to another user."""
    with suppress(OSError):
        status = os.lstat(path)
        mode = stat.S_IMODE(status.st_mode)
        if mode & _OTHERS and (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            os.chmod(path, mode & ~_OTHERS)


def _holds_other_things(folder: Path) -> bool:
    with os.scandir(folder) as entries:
        return any(not _OURS.fullmatch(entry.name) for entry in entries)


def _below(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        yield from (Path(place, name) for name in (*folders, *names))


def _keeps_modes(folder: Path) -> bool:
    """Return whether the folder's file system keeps permissions; that of a memory card gives all files the same."""
    import tempfile  # here, as it takes longer to import than a folder that is in order takes to check

    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".modes-") as file:
            return stat.S_IMODE(os.stat(file.name).st_mode) == FILE_MODE and os.stat(file.name).st_uid == os.geteuid()
    except OSError:
        return True  # not to be written by us: what it says of itself counts


def _is_private_group(group: int) -> bool:
    import grp
    import pwd

    if group != os.getegid() or os.geteuid() == _ROOT:
        return group == _ROOT and os.geteuid() == _ROOT
    with suppress(KeyError):
        user, members = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
        return members.gr_name == user.pw_name and set(members.gr_mem) <= {user.pw_name}
    return False


def _name_of(user: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"number {user}"
