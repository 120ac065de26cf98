"""What exports and imports report: counts, problems and progress."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from photoindex.errors import ExchangeError
from photoindex.system.error_lines import reason_of
from photoindex.system.paths import shown
from photoindex.system.units import counted
from photoindex.types import Progress

Problem = Callable[[str], None]  # called with one line for each thing that could not be done
Report = Callable[[Progress], None]


@dataclass(slots=True)
class ImportReport:
    """Counts of an import or, in a dry run, of what it would do.

    ``waiting``: photos that this import added, which have no file in this library yet. ``changed_files``: records of
    photos without a file here whose path holds other content.
    """

    read: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    bad: int = 0
    waiting: int = 0
    roots: list[str] = field(default_factory=list)  # the folders of the exported library
    expected: int = 0  # photos, according to the export's first line
    not_indexed: str | None = None  # why the full-text index was not updated
    changed_files: int = 0
    albums: int = 0  # that are new or got photos

    def plus(self, other: ImportReport) -> ImportReport:
        """Return the sum of two reports."""
        names = ("read", "added", "changed", "unchanged", "bad", "waiting", "expected", "changed_files", "albums")
        counts = {name: getattr(self, name) + getattr(other, name) for name in names}
        roots = list(dict.fromkeys([*self.roots, *other.roots]))
        return ImportReport(**counts, roots=roots, not_indexed=self.not_indexed or other.not_indexed)


@dataclass(slots=True)
class SidecarReport:
    """Counts of an export to sidecars or, in a dry run, of what it would do."""

    written: int = 0
    unchanged: int = 0
    kept: int = 0  # another author's description stays instead of the user's
    failed: int = 0
    missing: int = 0  # photos that are not at their paths now


# What a disk says to every new file, and what a folder says.
_OF_DISKS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
_OF_FOLDERS: Final = frozenset({errno.EACCES, errno.EPERM})
# What is said of every file on a disk that went away while it was in use, such as one of the network.
_OF_LOST_DISKS: Final = frozenset({errno.ENOTCONN, errno.ESTALE, errno.ENODEV, errno.EHOSTDOWN})


class Refusals:
    """Says once of a disk or a folder that it takes or shows no files, and in the end how many more there were, where
    one file is written or read for each photo. ``problem`` receives the lines."""

    def __init__(self, problem: Problem, what: Literal["written", "read"]) -> None:
        self._problem = problem
        self._what = what
        self._rights = os.X_OK | (os.W_OK if what == "written" else os.R_OK)
        self._places: dict[tuple[int | Path, str], str] = {}  # by the disk or the folder, and the reason; in words
        self._more: Counter[tuple[int | Path, str]] = Counter()

    def note(self, path: Path, error: Exception) -> None:
        """Report what went wrong with a file; the system's error, if that was why, is ``error`` or its cause."""
        cause = error if isinstance(error, OSError) else error.__cause__
        place = _refusing(path, cause, self._rights) if isinstance(cause, OSError) else None
        key = None if place is None else (place, reason_of(cause or error))
        if key in self._places:
            self._more[key] += 1
            return
        if key is not None:
            self._places[key] = f"{'in' if isinstance(place, Path) else 'on the disk of'} {shown(path.parent)}"
        self._problem(str(error) if isinstance(error, ExchangeError) else f"{shown(path)}: {reason_of(error)}")

    def close(self) -> None:
        """Report how many more files there were."""
        for key, more in self._more.items():
            self._problem(f"{counted(more, 'more file')} {self._places[key]} could not be {self._what}: {key[1]}")
        self._more.clear()


def _refusing(path: Path, error: OSError, rights: int) -> int | Path | None:
    """Return the device of the disk, -1 for one that is lost, or the folder that refuses all files; ``None`` when it
    may be the file alone. ``rights`` are those that the folder must give."""
    if error.errno in _OF_LOST_DISKS:
        return -1
    if error.errno in _OF_DISKS:
        try:
            return os.stat(path.parent).st_dev
        except OSError:
            return None
    return path.parent if error.errno in _OF_FOLDERS and not os.access(path.parent, rights) else None
