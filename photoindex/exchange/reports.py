"""What exports and imports report: counts, problems and progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

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
