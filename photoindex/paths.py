"""Paths as the user writes them."""

from __future__ import annotations

import os
from pathlib import Path

from photoindex.errors import FolderError


def absolute(path: Path) -> Path:
    """An absolute path without ``.`` and ``..``; links are kept as the user wrote them."""
    return Path(os.path.abspath(os.path.expanduser(path)))


def check_exists(path: Path) -> None:
    """Raises :class:`FolderError` with one line when there is nothing readable at ``path``."""
    if not os.path.lexists(path):
        raise FolderError(f"no such file or folder: {path}")
    if not os.path.exists(path):
        raise FolderError(f"cannot read {path}: a broken link, or no permission")
    if path.is_dir() and not os.access(path, os.R_OK | os.X_OK):
        raise FolderError(f"cannot read the folder {path}: permission denied")
