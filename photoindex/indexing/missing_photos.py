"""Telling photos that were removed from photos that are out of reach.

A disk that is not mounted, a share that shows nothing, a sync that went wrong: all look like the removal of every
photo. So when more than a set share of a root's photos vanish at once, none of them is taken for removed. The root is
*suspended*: its photos stay as they are, and are found, until they are back or the user says that they are gone. A few
that vanish are believed to be removed, and so are files that were never read, of which nothing is known. What is known
of removed photos is kept as well, so that a mistake costs no captioning.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from photoindex.catalogue import files
from photoindex.catalogue.database import Database
from photoindex.catalogue.roots import Root, list_roots, note_suspended
from photoindex.config import Settings
from photoindex.system.paths import is_at_or_below, printable, root_of
from photoindex.system.terminal import shell_quoted
from photoindex.types import FileStat, ScannedFile

BURST_SECONDS: Final = 5.0  # removals that follow each other faster than this are one burst,
LONGEST_BURST: Final = 60.0  # but for so long only: in a busy folder they never cease


@dataclass(slots=True)
class _Burst:
    """Removals of a root's photos, one soon after the other: ``photos`` of them from ``first`` until ``last``, by the
    clock; ``present`` were there before, and ``marked`` are the files that were taken for removed."""

    first: float
    last: float
    present: int
    photos: int = 0
    suspended: bool = False
    marked: list[int] = field(default_factory=list)


class Suspension:
    """Judges what is gone. ``clock`` gives seconds and never goes back; ``notice`` hears of what was decided."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        notice: Callable[[str], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._settings = settings
        self._notice = notice
        self._clock = clock
        self._bursts: dict[int, _Burst] = {}
        self._told: set[int] = set()

    def compared(
        self,
        connection: Connection,
        place: Path,
        missing: Sequence[Path],
        known: Mapping[Path, FileStat],
        new: Iterable[ScannedFile],
        *,
        accept: bool = False,
    ) -> list[Path]:
        """Those of the ``missing`` files to be taken for removed, after a comparison of all that lies at ``place``.

        ``known`` are the states they were in; ``new`` are the files met that were not known, among which those are
        that were only moved. ``accept``: the user says that all were removed. Roots are suspended and lifted here.
        """
        roots = list_roots(connection)
        by_root: dict[int, list[Path]] = {}
        for path in missing:
            owner = root_of(roots, path)
            if owner is not None:
                by_root.setdefault(owner.id, []).append(path)
        arrived = Counter((file.stat.size, file.stat.mtime_ns) for file in new)
        removed: list[Path] = []
        read: Mapping[Path, int] | None = None
        for root in roots:
            paths = by_root.get(root.id, [])
            whole = is_at_or_below(root.path, place)
            if accept:
                removed += paths
                self._accept(connection, root, len(paths), whole)
                continue
            if root.suspended_photos is None and len(paths) < self._settings.suspend_photos:
                removed += paths
                continue
            read = files.read_below(connection, place) if read is None else read
            vanished = _vanished(paths, known, arrived) & read.keys()
            if self._is_doubtful(connection, root, len(vanished), whole):
                removed += [path for path in paths if path not in vanished]
                if vanished:
                    self._suspend(connection, root, len(vanished))
                continue
            removed += paths
            if root.suspended_photos is not None and whole:
                note_suspended(connection, root.id, None)
                self._told.discard(root.id)
                self._notice(f"{printable(root.path)}: its photos are back; it is no longer suspended")
        return removed

    def removed(self, paths: Iterable[Path]) -> int:
        """Take files or whole folders for removed, as events said of them, unless that makes a burst in which too many
        photos of a root vanish: then it is suspended, and those that went first are as they were. Returns how many
        photos were kept so."""
        kept = 0
        now = self._clock()
        with self._database.write() as connection:
            by_root = files.present_below(connection, paths)
            for root in list_roots(connection) if by_root else ():
                ids = by_root.get(root.id, [])
                read = files.read_among(connection, ids)
                files.mark_files_missing(connection, [file_id for file_id in ids if file_id not in read])
                ids = [file_id for file_id in ids if file_id in read]
                if not ids:
                    continue
                burst = self._bursts.get(root.id)
                if burst is None or now - burst.last > BURST_SECONDS or now - burst.first > LONGEST_BURST:
                    present = files.count_present(connection, root.id)
                    burst = self._bursts[root.id] = _Burst(now, now, present)
                burst.last = now
                burst.photos += len(ids)
                if not burst.suspended and burst.photos >= self._settings.suspend_photos:
                    # What came meanwhile, perhaps the same photos under other names, makes up for what went.
                    lost = burst.present - files.count_present(connection, root.id) + len(ids)
                    burst.suspended = self._are_too_many(lost, burst.present)
                    if burst.suspended:
                        files.restore_files(connection, burst.marked)
                        burst.marked.clear()
                if burst.suspended:
                    self._suspend(connection, root, burst.photos)
                    kept += len(ids)
                else:
                    files.mark_files_missing(connection, ids)
                    burst.marked += ids
        return kept

    def is_away(self, path: Path) -> bool:
        """Whether the root at ``path`` is suspended, not there, or on another disk than when it was last compared."""
        with self._database.read() as connection:
            root = next((each for each in list_roots(connection) if each.path == path), None)
        try:
            device = os.stat(path).st_dev
        except OSError:
            return True
        return root is not None and (root.suspended_photos is not None or root.device not in (None, device))

    def _is_doubtful(self, connection: Connection, root: Root, vanished: int, whole: bool) -> bool:
        if root.suspended_photos is None:
            return self._are_too_many(vanished, files.count_present(connection, root.id))
        # Once suspended, it is measured by the photos that vanished then: new ones must not outweigh them. A comparison
        # of a part says nothing of the others.
        return not whole or self._are_too_many(vanished, root.suspended_photos)

    def _are_too_many(self, vanished: int, present: int) -> bool:
        return vanished >= self._settings.suspend_photos and vanished > self._settings.suspend_share * present

    def _suspend(self, connection: Connection, root: Root, vanished: int) -> None:
        photos = max(vanished, root.suspended_photos or 0)
        if photos != root.suspended_photos:
            note_suspended(connection, root.id, photos)
        if root.id not in self._told:
            self._told.add(root.id)
            self._notice(
                f"{printable(root.path)}: {vanished:,} photos vanished at once, so they are kept until they are back; "
                f"if you removed them, {remedy(root.path)}"
            )

    def _accept(self, connection: Connection, root: Root, accepted: int, whole: bool) -> None:
        if root.suspended_photos is None:
            return
        left = 0 if whole else max(0, root.suspended_photos - accepted)
        note_suspended(connection, root.id, left or None)
        self._told.discard(root.id)


def remedy(root: Path) -> str:
    """What to do when the photos of a suspended root were removed on purpose."""
    return f"run photoindex index --accept-missing {shell_quoted(root)}"


def _vanished(
    paths: Sequence[Path], known: Mapping[Path, FileStat], arrived: Mapping[tuple[int, int], int]
) -> set[Path]:
    """The files that are not there: neither left out by a rule, nor moved, as far as size and time of change tell."""
    moved = Counter(arrived)
    found = set()
    for path in paths:
        state = (known[path].size, known[path].mtime_ns)
        if moved[state] > 0:
            moved[state] -= 1
        elif not os.path.lexists(path):
            found.add(path)
    return found
