"""Files as the file system reports them."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from photoindex.system.file_state import Numbers, are_unchanged, clamped, numbers_of, signed, wrapped

__all__ = ["FileEvent", "FileStat", "ScannedFile", "clamped", "signed", "wrapped"]


@dataclass(frozen=True, slots=True)
class FileStat:
    """What tells one state of a file from another without reading it."""

    size: int
    mtime_ns: int
    inode: int
    ctime_ns: int | None = None  # of the last change of the inode; ``None``: not known

    @classmethod
    def of(cls, status: os.stat_result) -> FileStat:
        """Return the state that the system reports, in numbers that 64 bits hold."""
        return cls(*numbers_of(status))

    @property
    def numbers(self) -> Numbers:
        return self.size, self.mtime_ns, self.inode, self.ctime_ns

    def is_unchanged(self, after: FileStat) -> bool:
        """Return whether ``after`` leaves no reason to read the file again: see :func:`.file_state.are_unchanged`."""
        return are_unchanged(self.numbers, after.numbers)


@dataclass(frozen=True, slots=True)
class ScannedFile:
    """A file met while walking a root."""

    path: Path
    stat: FileStat
    sidecars: str = ""  # the state of the sidecars beside it, as media/metadata/sidecars.py writes it


@dataclass(frozen=True, slots=True)
class FileEvent:
    """One report of the file system: something at ``path`` was written, moved to ``destination`` or removed.

    ``overflow`` says that events were lost and only a full reconcile knows what happened below ``path``. ``arrived`` is
    when the event was received, by ``time.monotonic()``; it may be handled much later.
    """

    kind: Literal["written", "moved", "removed", "overflow"]
    path: Path
    destination: Path | None = None
    is_directory: bool = False
    arrived: float = field(default_factory=time.monotonic, compare=False, repr=False)
