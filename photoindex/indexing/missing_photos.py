"""Decide whether photos that are gone were removed or are out of reach.

A disk that is not mounted, a share that shows nothing, a sync that went wrong: all look like the removal of every
photo. So when many of a root's photos vanish at once and little is left in their place, none of them counts as removed.
The root is *suspended*: its photos stay in the catalogue and in the search until they are back, until as many others
have taken their place, or until the user says that they are gone.

One rule decides, for comparisons and for events, at the beginning and at the end of a suspension: photos are out of
reach when at least ``suspend_photos`` of them vanished and the folder holds less than before by more than the share
``suspend_share``. What it holds is counted on the disk: in a busy folder files go and come all the time, and those that
came may wait long to be read.

Files that were never read have nothing to lose and are not counted; neither are photos whose content lies elsewhere in
the library by now. What is known of removed photos is kept as well, so that a mistake costs no captioning.
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
from photoindex.errors import FolderError
from photoindex.folders import IgnoreFiles, PhotoFilter, walk
from photoindex.system.file_state import device_of
from photoindex.system.paths import is_at_or_below, printable, root_of
from photoindex.system.terminal import shell_quoted
from photoindex.types import FileStat, ScannedFile

BURST_SECONDS: Final = 5.0  # removals that follow each other faster than this are one burst,
LONGEST_BURST: Final = 60.0  # but for so long only: in a busy folder they never cease


@dataclass(slots=True)
class _Burst:
    """Removals of a root's photos, one soon after the other.

    ``first`` and ``last`` are the times of the first and the last of them (seconds of the judge's clock), ``before`` is
    how many photos the root had then, ``photos`` how many went. ``marked`` are the ids of files marked missing.
    """

    first: float
    last: float
    before: int
    photos: int = 0
    suspended: bool = False
    marked: list[int] = field(default_factory=list)


class MissingPhotos:
    """Judges missing photos. One process has one judge: two would each see half of a loss, and neither would doubt it.

    ``notice`` receives decisions, one line each; ``clock`` gives seconds and never goes back.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        notice: Callable[[str], object] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.notice = notice
        self._database = database
        self._settings = settings
        self._clock = clock
        self._bursts: dict[int, _Burst] = {}  # by root id
        self._noticed: set[int] = set()  # ids of roots whose suspension was announced

    def after_comparison(
        self,
        connection: Connection,
        place: Path,
        missing: Sequence[Path],
        known: Mapping[Path, FileStat],
        new: Sequence[ScannedFile],
        *,
        same_disk: bool = True,
        accept: bool = False,
    ) -> list[Path]:
        """Return those of the ``missing`` files that were removed, after a comparison of all that lies at ``place``.

        ``known`` are the states the missing files were in, ``new`` the files on the disk that were not known. What lies
        on another disk than before (not ``same_disk``) takes the place of nothing. With ``accept``, as when the user
        says so, all were removed. Roots are suspended and resumed here.
        """
        roots = list_roots(connection)
        by_root: dict[int, list[Path]] = {}
        for path in missing:
            owner = root_of(roots, path)
            if owner is not None:
                by_root.setdefault(owner.id, []).append(path)
        new = new if same_disk else ()
        arrived = Counter((file.stat.size, file.stat.mtime_ns) for file in new)
        removed: list[Path] = []
        read: Mapping[Path, int] | None = None
        for root in roots:
            paths = by_root.get(root.id, [])
            whole = is_at_or_below(root.path, place)
            if accept:
                removed += paths
                self._accept(connection, root, len(paths), whole=whole)
                continue
            if root.suspended_photos is None and len(paths) < self._settings.suspend_photos:
                removed += paths
                continue
            read = files.read_below(connection, place) if read is None else read
            vanished = _vanished(paths, known, arrived) & read.keys()
            vanished = self._without_copies(connection, {path: read[path] for path in vanished})
            left = files.count_present(connection, root.id, unread=True) - len(paths)
            left += sum(root_of(roots, item.path) == root for item in new)
            if self._are_doubtful(connection, root, len(vanished), left, whole=whole, same_disk=same_disk):
                removed += [path for path in paths if path not in vanished]
                if vanished:
                    self._suspend(connection, root, len(vanished))
                continue
            removed += paths
            if root.suspended_photos is not None and whole:
                self._resume(connection, root, len(vanished))
        return removed

    def after_removals(self, paths: Iterable[Path]) -> int:
        """Mark files or whole folders missing, as events reported their removal, unless too many photos of a root
        vanish in one burst: then the root is suspended, and those that went first are restored.

        Returns how many photos were kept so.
        """
        kept = 0
        now = self._clock()
        with self._database.write() as connection:
            by_root = files.present_below(connection, paths)
            for root in list_roots(connection) if by_root else ():
                ids = by_root.get(root.id, [])
                read = files.read_among(connection, ids)
                files.mark_files_missing(connection, [file_id for file_id in ids if file_id not in read])
                ids = [file_id for file_id in ids if file_id in read]
                if ids:
                    kept += self._judge_removals(connection, root, ids, now)
        return kept

    def is_away(self, path: Path) -> bool:
        """Return whether the root at ``path`` is suspended, not there, or on another disk than when last compared."""
        with self._database.read() as connection:
            root = next((each for each in list_roots(connection) if each.path == path), None)
        try:
            device = device_of(os.stat(path))
        except OSError:
            return True
        return root is not None and (root.suspended_photos is not None or root.device not in (None, device))

    def _judge_removals(self, connection: Connection, root: Root, ids: Sequence[int], now: float) -> int:
        """Mark these photos missing or suspend their root; returns how many were kept."""
        burst = self._bursts.get(root.id)
        if burst is None or now - burst.last > BURST_SECONDS or now - burst.first > LONGEST_BURST:
            before = files.count_present(connection, root.id)
            burst = self._bursts[root.id] = _Burst(now, now, before)
        burst.last = now
        burst.photos += len(ids)
        left = files.count_present(connection, root.id) - len(ids)
        if not burst.suspended and self._is_loss(burst.before, left, burst.photos):
            # The catalogue knows what was read; only the disk knows what has come and waits to be.
            burst.suspended = self._is_loss(burst.before, self._count_on_disk(root.path), burst.photos)
            if burst.suspended:
                files.restore_files(connection, burst.marked)
                burst.marked.clear()
        if not burst.suspended:
            files.mark_files_missing(connection, ids)
            burst.marked += ids
            return 0
        self._suspend(connection, root, burst.photos)
        return len(ids)

    def _are_doubtful(
        self, connection: Connection, root: Root, vanished: int, left: int, *, whole: bool, same_disk: bool
    ) -> bool:
        """Return whether so many photos that vanished from a root, where so many files are left, are out of reach."""
        if root.suspended_photos is not None and not whole:
            return True  # a comparison of a part does not show whether the others are back
        if root.suspended_photos is not None and not same_disk:
            return self._is_loss(root.suspended_photos, root.suspended_photos - vanished, vanished)
        return self._is_loss(files.count_present(connection, root.id), left, vanished)

    def _without_copies(self, connection: Connection, vanished: Mapping[Path, int]) -> set[Path]:
        """Return those of the vanished files (with their ids) whose content is at no other path on the disk."""
        copies = files.other_holders(connection, list(vanished.values()))
        return {
            path
            for path, file_id in vanished.items()
            if not any(os.path.lexists(copy) for copy in copies.get(file_id, ()))
        }

    def _is_loss(self, before: int, left: int, vanished: int) -> bool:
        """Return whether to doubt that so many photos were removed of those that were there before."""
        return vanished >= self._settings.suspend_photos and before - left > self._settings.suspend_share * before

    def _count_on_disk(self, root: Path) -> int:
        """Count the photo files of a root that are there now. Takes one walk, and is asked before a suspension only."""
        photo_filter = PhotoFilter(self._settings.hidden_files, IgnoreFiles(lambda _: None))
        try:
            return sum(1 for _ in walk(root, photo_filter, lambda _path, _error: None))
        except FolderError:
            return 0

    def _suspend(self, connection: Connection, root: Root, vanished: int) -> None:
        photos = max(vanished, root.suspended_photos or 0)
        if photos != root.suspended_photos:
            note_suspended(connection, root.id, photos)
        if root.id not in self._noticed:
            self._noticed.add(root.id)
            self.notice(
                f"{printable(root.path)}: {vanished:,} photos vanished at once, so they are kept until they are back; "
                f"if you removed them, {remedy(root.path)}"
            )

    def _resume(self, connection: Connection, root: Root, vanished: int) -> None:
        note_suspended(connection, root.id, None)
        self._noticed.discard(root.id)
        why = f"others have taken the place of {vanished:,} of its photos" if vanished else "its photos are back"
        self.notice(f"{printable(root.path)}: {why}; it is no longer suspended")

    def _accept(self, connection: Connection, root: Root, accepted: int, *, whole: bool) -> None:
        if root.suspended_photos is None:
            return
        left = 0 if whole else max(0, root.suspended_photos - accepted)
        note_suspended(connection, root.id, left or None)
        self._noticed.discard(root.id)


def remedy(root: Path) -> str:
    """Return what to do when the photos of a suspended root were removed on purpose."""
    return f"run photoindex index --accept-missing {shell_quoted(root)}"


def _vanished(
    paths: Sequence[Path], known: Mapping[Path, FileStat], arrived: Mapping[tuple[int, int], int]
) -> set[Path]:
    """Return the files that are gone: neither left out by a rule nor moved, as far as size and time of writing tell."""
    moved = Counter(arrived)
    vanished = set()
    for path in paths:
        state = (known[path].size, known[path].mtime_ns)
        if moved[state] > 0:
            moved[state] -= 1
        elif not os.path.lexists(path):
            vanished.add(path)
    return vanished
