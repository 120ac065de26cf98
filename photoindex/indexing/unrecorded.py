"""Photo files that events reported and the catalogue does not have yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import Connection

from photoindex.catalogue import files
from photoindex.catalogue.roots import list_roots
from photoindex.system.paths import paths_below, root_of


class UnrecordedFiles:
    """Counts the new files of each root that wait until they are whole, as far as events were handled.

    A file that was gone before it was whole counts until its removal is reported: while the handling lags behind, the
    disk shows a later time than the events tell of.
    """

    def __init__(self) -> None:
        self._written: set[Path] = set()  # whether the catalogue knows them is asked for many at once
        self._by_root: dict[int, set[Path]] = {}

    def note_written(self, path: Path) -> None:
        """Note a photo file that was written. One that the catalogue knows as present does not count."""
        self._written.add(path)

    def note_recorded(self, paths: Iterable[Path]) -> None:
        """Note files that the catalogue has now."""
        recorded = set(paths)
        for waiting in (self._written, *self._by_root.values()):
            waiting.difference_update(recorded)

    def note_moved(self, source: Path, destination: Path) -> None:
        """Follow the renaming of a file."""
        for waiting in (self._written, *self._by_root.values()):
            if source in waiting:
                waiting.remove(source)
                # It may belong to another root now, or replace a file that is known.
                self._written.add(destination)

    def note_moved_below(self, source: Path, destination: Path) -> None:
        """Follow the renaming of a folder. Takes time proportional to all that wait."""
        for waiting in (self._written, *self._by_root.values()):
            moved = paths_below(waiting, source)
            waiting.difference_update(moved)
            self._written.update(destination / path.relative_to(source) for path in moved)

    def sort(self, connection: Connection) -> None:
        """Find the root of each file that was written, and leave out those that are known."""
        if not self._written:
            return
        rows, roots = files.rows_at(connection, self._written), list_roots(connection)
        for path in self._written:
            owner = root_of(roots, path)
            if owner is not None and (path not in rows or rows[path].missing):
                self._by_root.setdefault(owner.id, set()).add(path)
        self._written.clear()

    def count(self, root_id: int) -> int:
        """Return how many files of a root wait. Those written since :meth:`sort` are not counted."""
        return len(self._by_root.get(root_id, ()))

    def take(self, paths: Iterable[Path], folders: Iterable[Path] = ()) -> Counter[int]:
        """Drop these files and all below these folders; return how many of each root that were. Takes time proportional
        to all that wait only for folders."""
        wanted, folders = set(paths), tuple(folders)

        def chosen(waiting: set[Path]) -> set[Path]:
            return waiting & wanted | set(paths_below(waiting, *folders))

        self._written -= chosen(self._written)
        taken = Counter[int]()
        for root_id, waiting in self._by_root.items():
            gone = chosen(waiting)
            waiting.difference_update(gone)
            taken[root_id] = len(gone)
        return taken
