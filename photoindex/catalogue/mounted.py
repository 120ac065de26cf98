"""Folders of the catalogue where they lie on this machine (:mod:`photoindex.system.mount_names`).

The catalogue keeps a path once for each root, and the files' paths relative to it. So paths change where roots are read
and written, and nowhere else: in :class:`.column_types.RootText` and in :func:`root_path`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from photoindex.catalogue.raw_sql import Asker
from photoindex.catalogue.stored_paths import stored_path
from photoindex.errors import ConfigError, FolderError
from photoindex.system.mount_names import NO_MOUNTS, Mounts
from photoindex.system.paths import native_path, shown

if TYPE_CHECKING:
    from sqlalchemy import Connection, Dialect, Engine


def use_mounts(engine: Engine, mounts: Mounts) -> None:
    """Have the connections of an engine give and take roots as they lie on this machine."""
    engine.dialect.photoindex_mounts = mounts  # type: ignore[attr-defined]


def engine_mounts(dialect: Dialect) -> Mounts:
    """Return what :func:`use_mounts` was given."""
    found: Mounts = getattr(dialect, "photoindex_mounts", NO_MOUNTS)
    return found


def mounts_of(transaction: Asker | Connection) -> Mounts:
    """Return where the catalogue's folders lie on this machine, by a transaction of either kind."""
    return transaction.mounts if isinstance(transaction, Asker) else engine_mounts(transaction.dialect)


def root_path(transaction: Asker | Connection, stored: bytes) -> str:
    """Return where a root lies on this machine, of the bytes that plain SQL gives."""
    return native_path(mounts_of(transaction).here(bytes(stored)))


def check_root(mounts: Mounts, stored: bytes) -> None:
    """Raise :class:`ConfigError` when a root cannot be told apart from others by its path on this machine."""
    if not mounts:
        return
    inner = mounts.within(stored)
    if inner is not None:
        raise ConfigError(
            f"mounts says where {inner} lies, but the catalogue has it within {os.fsdecode(stored)}: name that folder"
        )
    here = mounts.here(stored)
    if mounts.everywhere(here) != stored:
        raise ConfigError(
            f"mounts says that {os.fsdecode(here)} is {os.fsdecode(mounts.everywhere(here))}, but the catalogue has a "
            f"folder {os.fsdecode(stored)} too: mount the folder elsewhere on this machine, or give it that name on all"
        )


def check_new_root(mounts: Mounts, folder: Path) -> None:
    """Raise :class:`FolderError` when a folder of this machine would be stored by the name of another."""
    path = stored_path(os.fspath(folder))
    if mounts and mounts.here(mounts.everywhere(path)) != path:
        raise FolderError(
            f"{shown(folder)} is the name of the folder at {os.fsdecode(mounts.here(path))} (the setting mounts): "
            "index it by another path, or give that one another name"
        )
