"""Whether a disk has room left: bytes, and files that it can hold."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from photoindex.system.lazy_imports import lazily

if TYPE_CHECKING:
    import shutil
else:
    shutil = lazily("shutil")

FULL_BYTES: Final = 1 << 16  # a disk with less room than this is full


def is_full(folder: Path) -> bool:
    """Return whether the disk of a folder is full; not when the disk does not say."""
    try:
        return shutil.disk_usage(folder).free < FULL_BYTES or not can_hold_files(folder)
    except OSError:
        return False  # whatever is wrong there, it is not known to be full


def can_hold_files(folder: Path) -> bool:
    """Return whether the disk of a folder has an inode left for another file. Raises OSError when it does not say."""
    if os.name == "nt":
        return True  # NTFS makes them as they are needed
    numbers = os.statvfs(folder)
    return numbers.f_favail > 0 or numbers.f_files == 0  # 0 in all: they are made as they are needed, as on btrfs
