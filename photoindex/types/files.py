"""Files as the file system reports them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

_HALF: Final = 1 << 63


@dataclass(frozen=True, slots=True)
class FileStat:
    """What tells one state of a file from another without reading it."""

    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> FileStat:
        """Return the state that the system reports, in numbers that 64 bits hold."""
        return cls(status.st_size, clamped(status.st_mtime_ns), wrapped(status.st_ino))


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


def clamped(number: int) -> int:
    """Return the number nearest to ``number`` that 64 bits with a sign hold: a file may be of the year 2300."""
    return max(-_HALF, min(_HALF - 1, number))


def signed(number: int) -> int:
    """Return the number with a sign that has the same 64 bits as ``number``, as SQL has no others."""
    return (number + _HALF) % (2 * _HALF) - _HALF


def wrapped(number: int) -> int:
    """Return the last 64 bits of a number that only tells files apart, such as an inode, which may have 128."""
    return number % (2 * _HALF)
