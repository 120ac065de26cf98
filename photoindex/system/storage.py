"""The one seam between photos and what holds them: folders of this machine, or a store behind URLs.

:func:`storage_of` gives the :class:`Storage` of a path. Whatever looks at a photo, a sidecar or a folder of photos asks
it, so that a path behind a URL works where a path on a disk does. Folders are asked as :mod:`os` asks them. Of a store
(:mod:`.url_storage`, which is imported when the first path behind a URL is met) these differ:

- A state has the store's etag in place of a file's inode and change time; "last modified" is its modification time.
- A store has no folders, only keys with slashes: what is no object counts as a folder, perhaps an empty one, once the
  store has said that the bucket is there. :meth:`Storage.exists` is for telling whether anything is there.
- An answer that a store did not give is :class:`StoreUnavailable`, never "there is no such file".
"""

from __future__ import annotations

import os
import stat as stat_bits
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from photoindex.system.regular_files import open_regular, read_whole
from photoindex.system.storage_errors import StoreUnavailable
from photoindex.system.url_paths import is_url


class Entry(Protocol):
    """Something in a folder, as :class:`os.DirEntry` has it."""

    @property
    def name(self) -> str: ...
    @property
    def path(self) -> str: ...
    def is_file(self, *, follow_symlinks: bool = True) -> bool: ...
    def is_dir(self, *, follow_symlinks: bool = True) -> bool: ...
    def is_symlink(self) -> bool: ...
    def stat(self) -> os.stat_result: ...


class Storage(Protocol):
    """What holds photos. Every method raises OSError as :mod:`os` does."""

    def stat(self, path: Path | str) -> os.stat_result:
        """Return the state of what is there, links followed."""

    def glance(self, path: Path | str) -> os.stat_result:
        """Return the state, as it was some seconds ago where asking takes long."""

    def scan(self, folder: Path | str) -> AbstractContextManager[Iterator[Entry]]:
        """Return what lies directly in a folder."""

    def names(self, folder: Path | str) -> dict[str, os.stat_result] | list[str]:
        """Return the names of what lies directly in a folder, with the states where they are known. As
        :meth:`glance`."""

    def open(self, path: Path | str) -> BinaryIO:
        """Open a regular file for reading. Bytes of two states of it are never mixed: reading fails instead."""

    def exists(self, path: Path | str) -> bool:
        """Return whether anything is there; raises OSError where that cannot be known."""

    def are_there(self, paths: Iterable[Path]) -> dict[Path, bool]:
        """Return for each of the paths whether anything is there, without those for which that cannot be known."""


class _Folders:
    """The disks of this machine."""

    def stat(self, path: Path | str) -> os.stat_result:
        return os.stat(path)

    glance = stat

    def scan(self, folder: Path | str) -> AbstractContextManager[Iterator[os.DirEntry[str]]]:
        return os.scandir(folder)

    def names(self, folder: Path | str) -> list[str]:
        return os.listdir(folder)

    def open(self, path: Path | str) -> BinaryIO:
        return open_regular(path)

    def exists(self, path: Path | str) -> bool:
        return os.path.lexists(path)

    def are_there(self, paths: Iterable[Path]) -> dict[Path, bool]:
        return {path: os.path.lexists(path) for path in paths}


FOLDERS: Final[Storage] = _Folders()
_lent: Storage | None = None


def storage_of(path: Path | str) -> Storage:
    """Return what holds a path. Raises :class:`StoreUnavailable` where the package for its protocol is missing."""
    if not is_url(path):
        return FOLDERS
    if _lent is not None:
        return _lent
    found: Storage = import_module("photoindex.system.url_storage").store_of(path)
    return found


def use_lent(storage: Storage | None) -> None:
    """Have this process look for all that is behind URLs in ``storage``, as decoding workers do: they open nothing."""
    global _lent
    _lent = storage


def stat(path: Path | str) -> os.stat_result:
    """Return the state of what is at a path. Raises OSError."""
    return storage_of(path).stat(path)


def is_folder(path: Path | str) -> bool:
    """Return whether a folder is there, as far as can be seen."""
    try:
        return stat_bits.S_ISDIR(stat(path).st_mode)
    except (OSError, ValueError):
        return False


def is_file(path: Path | str) -> bool:
    """Return whether a regular file is there, as far as can be seen."""
    try:
        return stat_bits.S_ISREG(stat(path).st_mode)
    except (OSError, ValueError):
        return False


def is_there(path: Path | str) -> bool:
    """Return whether a file or folder can be reached at a path, links followed."""
    try:
        return storage_of(path).exists(path) if is_url(path) else os.path.exists(path)
    except OSError:
        return False


def is_gone(path: Path) -> bool:
    """Return whether there is nothing at a path for certain: a store that cannot be asked takes no photo with it."""
    return bool(gone_among([path]))


def gone_among(paths: Iterable[Path]) -> set[Path]:
    """Return those of the paths where nothing is for certain."""
    return {path for path, there in are_there(paths).items() if not there}


def are_there(paths: Iterable[Path]) -> dict[Path, bool]:
    """Return for each of the paths whether anything is there, without those for which a store gave no answer."""
    by_url: dict[bool, list[Path]] = {True: [], False: []}
    for path in paths:
        by_url[is_url(path)].append(path)
    answers = FOLDERS.are_there(by_url[False])
    by_store: dict[int, tuple[Storage, list[Path]]] = {}
    for path in by_url[True]:
        try:
            store = storage_of(path)
        except StoreUnavailable:
            continue
        by_store.setdefault(id(store), (store, []))[1].append(path)
    for store, group in by_store.values():
        answers |= store.are_there(group)
    return answers


def open_file(path: Path | str) -> BinaryIO:
    """Open a regular file for reading, wherever it is. Raises OSError as :func:`.regular_files.open_regular`."""
    return storage_of(path).open(path)


def read_file(path: Path | str, most: int) -> bytes:
    """Return the content of a file of at most ``most`` bytes. Raises as :func:`.regular_files.read_whole`."""
    with open_file(path) as file:
        return read_whole(file, most, path)


def status_of(file: BinaryIO) -> os.stat_result:
    """Return the state of an open file: that of the bytes which are read from it."""
    known: os.stat_result | None = getattr(getattr(file, "raw", None), "status", None)
    return os.fstat(file.fileno()) if known is None else known
