"""Files as the file system reports them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class FileStat:
    """What tells one state of a file from another without reading it."""

    size: int
    mtime_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class ScannedFile:
    """A file met while walking a root."""

    path: Path
    stat: FileStat
    sidecars: str = ""  # the state of the sidecars beside it, as media/metadata/sidecars.py writes it


@dataclass(frozen=True, slots=True)
class FileEvent:
    """One report of the file system: something at ``path`` was written, moved to ``destination`` or removed.

    ``overflow`` says that events were lost and only a full reconcile knows what happened below ``path``.
    """

    kind: Literal["written", "moved", "removed", "overflow"]
    path: Path
    destination: Path | None = None
    is_directory: bool = False
