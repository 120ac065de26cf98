"""``photoindex forget`` and ``photoindex move``: folders that are not wanted any more, or that lie elsewhere now."""

from __future__ import annotations

import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from sqlalchemy import Connection

from photoindex.catalogue import files, relocation
from photoindex.catalogue.database import Database
from photoindex.catalogue.relocation import StoredFile
from photoindex.catalogue.roots import Root, list_roots
from photoindex.config import Settings
from photoindex.errors import FolderError
from photoindex.search.terms import index as term_index
from photoindex.system.paths import absolute, is_at_or_below, printable, shown
from photoindex.system.storage import is_folder, is_gone, is_there
from photoindex.system.storage import stat as stat_of
from photoindex.system.terminal import shell_quoted
from photoindex.system.url_paths import is_url
from photoindex.types import ForgetPlan

SAMPLE = 200  # files of a tree that are looked for at its new place
MOST = 0.5  # of the sample must be there


class Relocator:
    """Forgets folders and follows them to other places. ``sync`` brings the full-text index up to date."""

    def __init__(self, database: Database, settings: Settings, sync: Callable[[], object]) -> None:
        self._database = database
        self._settings = settings
        self._sync = sync

    def plan_forget(self, path: Path) -> ForgetPlan:
        """Return what :meth:`forget` would remove; nothing is changed.

        Raises :class:`FolderError` when the library knows nothing at or below the path.
        """
        place = absolute(path)
        with self._database.read() as connection:
            plan = relocation.plan_forget(connection, place)
        if plan.is_empty:
            raise FolderError(f"the library has nothing of {shown(place)}: `photoindex status` lists its folders")
        return plan

    def forget(self, path: Path) -> ForgetPlan:
        """Remove all that lies at or below a path from the catalogue and from the search; return what was removed.

        No file on the disk is touched. Photos that files elsewhere hold stay. Raises :class:`FolderError`, and
        :class:`FullTextError` when all is removed but the index cannot be written now: the next index does that.
        """
        plan = self.plan_forget(path)
        with self._database.write() as connection:
            forgotten = relocation.forget(connection, plan.path)
        if forgotten:
            term_index.rebuild(self._database, self._settings.terms_path)
        self._sync()
        return plan

    def move(self, old: Path, new: Path) -> int:
        """Let the photos of ``old`` be those of ``new``, where their files lie by now; return how many files.

        Nothing is read or captioned again. Raises :class:`FolderError` when ``new`` is not there or does not hold the
        files, or when ``old`` still does; and :class:`FullTextError` when all is moved but the index cannot be written
        now: the next index does that.
        """
        source, target = absolute(old), absolute(new)
        if not (is_folder(target) and is_there(target)):
            why = "not a folder" if is_there(target) else "no such folder"
            raise FolderError(f"cannot move to {shown(target)}: {why}")
        if is_at_or_below(target, source) or is_at_or_below(source, target):
            raise FolderError(f"cannot move {shown(source)} to {shown(target)}: one lies inside the other")
        with self._database.read() as connection:
            # An index or a watch may have noticed before that the files went.
            known = relocation.present_files(connection, source) or relocation.files_last_gone(connection, source)
            anything = known or not relocation.plan_forget(connection, source).is_empty
        if not anything:
            raise FolderError(f"the library has nothing of {shown(source)}: `photoindex status` lists its folders")
        sample = _spread(known)
        there = count_there(sample, source, target)
        if sample and there < MOST * len(sample):
            raise FolderError(
                f"{shown(target)} does not hold the photos of {shown(source)}: of {len(sample)} files looked for, "
                f"{there} are there"
            )
        if sample and count_there(sample, source, source) >= MOST * len(sample):
            raise FolderError(
                f"{shown(source)} still holds its photos: move them first, or run "
                f"`photoindex index {shell_quoted(target)}` to have both"
            )
        with self._database.write() as connection:
            moved = relocation.move_tree(connection, source, target)
        self._sync()
        return moved


def suggest_move(connection: Connection, place: Path) -> str | None:
    """Return a line that suggests ``photoindex move`` when a place that is new to the library holds most files of a
    root that is gone; else ``None``."""
    gone = _gone_elsewhere(connection, place)
    if not gone or files.known_files(connection, place):
        return None
    for root in gone:
        sample = _spread(relocation.present_files(connection, root.path))
        for target in (place, place / root.path.name):
            if sample and count_there(sample, root.path, target) > MOST * len(sample):
                return (
                    f"{printable(target)} holds the photos of {printable(root.path)}, which is gone: instead of "
                    f"reading them again, run `photoindex move {shell_quoted(root.path)} {shell_quoted(target)}`"
                )
    return None


def suggest_forget(connection: Connection, place: Path) -> list[str]:
    """Return a line for each root that is gone and most of whose photos lie at ``place`` by now."""
    return [
        f"{printable(place)} has most photos of {printable(root.path)}, which is gone: if it does not come back, run "
        f"`photoindex forget {shell_quoted(root.path)}`"
        for root in relocation.taken_over(connection, place, _gone_elsewhere(connection, place))
    ]


def count_there(sample: Sequence[StoredFile], old: Path, new: Path) -> int:
    """Return how many files of ``old`` are at the same place below ``new``, with the same size."""
    return sum(_size(new / each.path.relative_to(old)) == each.size for each in sample)


def _gone_elsewhere(connection: Connection, place: Path) -> list[Root]:
    """Return the roots that are not on the disk any more, without those around or inside ``place``. Stores behind URLs
    are not asked: there nothing is ever gone as a folder is."""
    roots = [root for root in list_roots(connection) if not is_url(root.path) and is_gone(root.path)]
    return [root for root in roots if not is_at_or_below(root.path, place) and not is_at_or_below(place, root.path)]


def _spread(known: Sequence[StoredFile]) -> list[StoredFile]:
    """Return some files from all over a tree."""
    return list(known[:: max(1, -(-len(known) // SAMPLE))])


def _size(path: Path) -> int | None:
    try:
        status = stat_of(path)
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None
