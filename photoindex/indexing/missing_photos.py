"""Decide whether photos that are gone were removed or are out of reach.

A disk that is not mounted, a share that shows nothing, a sync that went wrong: all look like the removal of every
photo. So when many of a root's photos vanish at once and little is left in their place, none of them counts as removed.
The root is *suspended*: its photos stay in the catalogue and in the search until they are back, until as many others
have taken their place, or until the user says that they are gone.

One rule decides, for comparisons and for events, at the beginning and at the end of a suspension: photos are out of
reach when at least ``suspend_photos`` of them vanished and the folder holds less than before by more than the share
``suspend_share``. What it held before is the most that it held within one burst of removals, by the times at which
their events arrived (:mod:`.removal_history`), so that a slow machine, on which many are handled at once, sees no loss
in photos that go one by one. What it holds now is counted on the disk as well: in a busy folder files go and come all
the time, and those that came may wait long to be read.

Files that were never read have nothing to lose and are not counted; neither are photos whose content lies elsewhere in
the library by now. What is known of removed photos is kept as well, so that a mistake costs no captioning.
"""

from __future__ import annotations

import math
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
from photoindex.indexing.removal_history import RemovalHistory
from photoindex.indexing.root_disks import is_in_place
from photoindex.indexing.unrecorded import UnrecordedFiles
from photoindex.system.paths import is_at_or_below, is_in_any, printable, root_of
from photoindex.system.storage import are_there, gone_among
from photoindex.system.terminal import shell_quoted
from photoindex.system.url_paths import is_url
from photoindex.types import FileStat, ScannedFile


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at missing files saw, before a transaction: a store may take long to answer, and a server ends a
    transaction that waits.

    ``gone`` are those that are gone for certain. ``doubtful`` are those that may be there, as the store gave no answer
    or another one than its listing; they are left until the next comparison. ``copied`` are the ids of files of whose
    content a copy is left, ``counts`` the photo files of roots that may have to be suspended, by root id.
    """

    gone: frozenset[Path] = frozenset()
    doubtful: frozenset[Path] = frozenset()
    copied: frozenset[int] = frozenset()
    counts: Mapping[int, int] = field(default_factory=dict)


NOTHING_SEEN: Final = Look()


@dataclass(frozen=True, slots=True)
class _Compared:
    """A comparison of all that lies at ``place``: the states that missing files were in (``known``), how many new files
    there are of each size and time of writing (``arrived``), and what a look at the missing ones saw."""

    place: Path
    known: Mapping[Path, FileStat]
    arrived: Mapping[tuple[int, int], int]
    seen: Look
    same_disk: bool


class MissingPhotos:
    """Judges missing photos. One process has one judge: two would each see half of a loss, and neither would doubt it.

    ``notice`` receives decisions, one line each; ``clock`` gives the seconds of ``time.monotonic()``. ``handled_until``
    is the time of the last event that was handled while others wait, and ``None`` when none does. ``unrecorded`` are
    the files that events reported and the catalogue does not have yet.
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
        self.handled_until: float | None = None
        self.unrecorded = UnrecordedFiles()
        self._histories: dict[int, RemovalHistory] = {}  # by root id
        self._kept: dict[int, set[int]] = {}  # by root id, the ids of files that a suspension keeps
        self._on_disk: dict[int, tuple[float, int]] = {}  # by root id: when files were counted last, and how many
        self._noticed: set[int] = set()  # ids of roots whose suspension was announced

    def look(self, place: Path, missing: Sequence[Path], photo_filter: PhotoFilter) -> Look:
        """Look for the files that a comparison of all that lies at ``place`` did not meet, outside a transaction."""
        if not missing:
            return NOTHING_SEEN
        gone = gone_among(missing)
        # A folder on a disk was listed a moment ago. The listing of a store may be incomplete, so that what is not met
        # there, not left out by a rule and not gone either is unknown.
        spared = [path for path in missing if path not in gone and is_url(path)]
        doubtful = frozenset(path for path in spared if not photo_filter.ignores_below(place, path))
        with self._database.read() as connection:
            roots = list_roots(connection)
            went: dict[int, list[int]] = {}
            for path, row in files.rows_at(connection, gone).items():
                owner = root_of(roots, path)
                if owner is not None and row.photo_id is not None and not row.missing:
                    went.setdefault(owner.id, []).append(row.id)
            copies = files.other_holders(connection, [file_id for ids in went.values() for file_id in ids])
            in_part = [root for root in roots if root.id in went and not is_at_or_below(root.path, place)]
            doubted = [
                root for root in in_part if self._may_be_loss(connection, root, len(went[root.id]), len(missing))
            ]
        counts = {root.id: self._count_on_disk(roots, root, self._now()) for root in doubted}
        return Look(frozenset(gone), doubtful, _with_copies(copies), counts)

    def _look_below(self, gone: Sequence[Path], arrived: float) -> Look:
        """Look at what is left of files and folders whose removal events reported."""
        with self._database.read() as connection:
            by_root = files.present_below(connection, gone)
            roots = list_roots(connection) if by_root else []
            read = {root.id: files.read_among(connection, by_root.get(root.id, ())) for root in roots}
            copies = files.other_holders(connection, [file_id for ids in read.values() for file_id in ids])
            doubted = [
                root
                for root in roots
                if read[root.id] and self._may_be_loss(connection, root, len(read[root.id]), len(by_root[root.id]))
            ]
        counts = {root.id: self._count_on_disk(roots, root, arrived) for root in doubted}
        return Look(copied=_with_copies(copies), counts=counts)

    def after_comparison(
        self,
        connection: Connection,
        place: Path,
        missing: Sequence[Path],
        known: Mapping[Path, FileStat],
        new: Sequence[ScannedFile],
        seen: Look = NOTHING_SEEN,
        *,
        same_disk: bool = True,
        accept: bool = False,
    ) -> list[Path]:
        """Return those of the ``missing`` files that were removed, after a comparison of all that lies at ``place``.

        ``known`` are the states the missing files were in, ``new`` the files on the disk that were not known, ``seen``
        what :meth:`look` saw of the missing ones. What lies on another disk than before (not ``same_disk``) takes the
        place of nothing. With ``accept``, as when the user says so, all were removed. Roots are suspended and resumed
        here.
        """
        roots = list_roots(connection)
        self.unrecorded.sort(connection)
        by_root: dict[int, list[Path]] = {root.id: [] for root in roots}
        for path in missing:
            owner = root_of(roots, path)
            if owner is not None:
                by_root[owner.id].append(path)
        held = {root.id: self._count_known(connection, root) for root in roots}
        dropped = self.unrecorded.take([place], [place])  # what is there now is among the new ones
        if accept:
            for root in roots:
                self._accept(connection, root, len(by_root[root.id]), whole=is_at_or_below(root.path, place))
            return [path for paths in by_root.values() for path in paths]
        new = new if same_disk else ()
        arrived = Counter((file.stat.size, file.stat.mtime_ns) for file in new)
        compared = _Compared(place, known, arrived, seen, same_disk)
        removed: list[Path] = []
        for root in roots:
            if by_root[root.id] or root.suspended:
                came = sum(root_of(roots, item.path) == root for item in new)
                expected = held[root.id] - dropped[root.id] + came
                removed += self._removed_of(connection, root, by_root[root.id], compared, held[root.id], expected)
        return removed

    def _removed_of(
        self, connection: Connection, root: Root, missing: Sequence[Path], compared: _Compared, held: int, expected: int
    ) -> list[Path]:
        """Return those of a root's ``missing`` files that were removed, and suspend or resume the root.

        ``held`` is how many files the root had before, ``expected`` how many it would have now, with those that came,
        if none were missing.
        """
        seen, whole = compared.seen, is_at_or_below(root.path, compared.place)
        paths = [path for path in missing if path not in seen.doubtful]
        doubtful = len(missing) - len(paths)
        if doubtful and not paths:
            return []
        gone = seen.gone & _unmoved(paths, compared.known, compared.arrived)
        rows = files.rows_at(connection, gone)
        read = {path: rows[path].id for path in rows if rows[path].photo_id is not None and not rows[path].missing}
        lost = set(read.values()) - seen.copied
        left = expected - len(paths)
        if doubtful and (root.suspended or self._is_loss(held, left - doubtful, len(lost) + doubtful)):
            return []  # what is unknown decides, so all are left until the next comparison
        if root.suspended_photos is not None:
            away = self._is_still_away(root, len(lost), left, whole=whole, same_disk=compared.same_disk)
            kept = lost if away else set()
            if kept:
                self._suspend(connection, root, kept, max(len(kept), root.suspended_photos))
        else:
            # A rule that leaves files out, or a copy that is left, takes nothing away.
            spared = set(paths) - gone
            excused = len(spared) - len(spared & seen.gone) + len(read) - len(lost)
            photos = [file_id for file_id in read.values() if file_id in lost]
            on_disk = left if whole else seen.counts.get(root.id, left)
            kept = self._judge(connection, root, photos, self._now(), held - excused, left, on_disk, compared=True)
        if whole:
            self._histories.pop(root.id, None)  # what went until now was judged to the end
        if root.suspended and whole and not kept:
            self._resume(connection, root, len(lost))
        return [path for path in paths if read.get(path) not in kept]

    def after_removals(
        self, paths: Iterable[Path], arrived: float | None = None, *, folders: Iterable[Path] = ()
    ) -> int:
        """Mark files or whole folders missing, as events that arrived at ``arrived`` (seconds of the clock; ``None``:
        now) reported their removal, unless too many photos of a root vanish at once: then the root is suspended, and
        those that went first are restored.

        ``folders`` are those of the paths that were folders. Returns how many photos were kept so.
        """
        gone, kept_photos = list(paths), 0
        arrived = self._now(arrived)
        seen = self._look_below(gone, arrived)
        with self._database.write() as connection:
            self.unrecorded.sort(connection)
            dropped = self.unrecorded.take(gone, folders)
            by_root = files.present_below(connection, gone)
            for root in list_roots(connection) if by_root else ():
                ids = by_root.get(root.id, [])
                kept: set[int] = set()
                read = files.read_among(connection, ids)
                if read:
                    left = self._count_known(connection, root) - len(ids) - (root.suspended_photos or 0)
                    lost = read - seen.copied
                    photos = [file_id for file_id in ids if file_id in lost]
                    held = left + dropped[root.id] + len(ids) - (len(read) - len(lost))
                    kept = self._judge(connection, root, photos, arrived, held, left, seen.counts.get(root.id, left))
                files.mark_files_missing(connection, [file_id for file_id in ids if file_id not in kept])
                kept_photos += len(kept)
        return kept_photos

    def is_away(self, path: Path) -> bool:
        """Return whether a file of the root at ``path`` may come back: the root is suspended, not in place, or for
        another process to judge, which may see its files."""
        if not self._database.judges(path):
            return True
        with self._database.read() as connection:
            root = next((each for each in list_roots(connection) if each.path == path), None)
        return root is None or root.suspended or not is_in_place(root)

    def _now(self, arrived: float | None = None) -> float:
        """Return the time that the handling of events has come to, where none is given."""
        if arrived is not None:
            return arrived
        return self._clock() if self.handled_until is None else self.handled_until

    def _count_known(self, connection: Connection, root: Root) -> int:
        """Return how many photo files a root holds as far as events were handled, read or not, with those kept."""
        return files.count_present(connection, root.id, unread=True) + self.unrecorded.count(root.id)

    def _judge(
        self,
        connection: Connection,
        root: Root,
        photos: Sequence[int],
        arrived: float,
        held: int,
        left: int,
        on_disk: int,
        *,
        compared: bool = False,
    ) -> set[int]:
        """Return which of these photos' files, which went from a root that held so many files and has so many left, are
        kept as its photos are out of reach; suspend it then, and restore those that went first.

        A comparison (``compared``) does not know in which order files went, so it keeps all or none. ``on_disk`` is how
        many are there.
        """
        if not root.suspended:  # another process may have ended it, as the user told it to
            self._kept.pop(root.id, None)
            self._noticed.discard(root.id)
        known = self._kept.get(root.id, set())
        again = known & set(photos)
        history = self._histories.setdefault(root.id, RemovalHistory())
        history.add(arrived, held - len(again), left, [file_id for file_id in photos if file_id not in known])
        gone = history.photos
        fresh = [file_id for file_id in gone if file_id not in known]
        if not self._is_loss(history.peak, left, len(gone)):
            return again
        # Events tell of a while ago; what has come since waits to be read.
        if len(fresh) == len(gone) and not self._is_loss(history.peak, on_disk, len(gone)):
            return again
        # In a busy folder others have taken the place of those that went before.
        loss = max(0, history.peak - left - (len(gone) - len(fresh)))
        kept = set(fresh[len(fresh) - min(loss, len(fresh)) :])
        if compared:
            kept |= set(photos)
        files.restore_files(connection, sorted(kept - set(photos)))
        self._suspend(connection, root, kept, len(kept) + (root.suspended_photos or 0))
        return kept & set(photos) | again

    def _is_still_away(self, root: Root, lost: int, left: int, *, whole: bool, same_disk: bool) -> bool:
        """Return whether the photos of a suspended root, so many of which are not there, are still out of reach."""
        if not whole:
            return True  # a comparison of a part does not show whether the others are back
        before = left + lost if same_disk else root.suspended_photos or 0
        return self._is_loss(before, before - lost, lost)

    def _is_loss(self, before: int, left: int, vanished: int) -> bool:
        """Return whether to doubt that so many photos were removed of those that were there before."""
        return vanished >= self._settings.suspend_photos and before - left > self._settings.suspend_share * before

    def _may_be_loss(self, connection: Connection, root: Root, read: int, vanished: int) -> bool:
        """Return whether :meth:`_judge` may have to know how many files of a root are on the disk, when ``vanished`` of
        them went of which ``read`` were read. Doubts rather too often: only then they are counted."""
        known, history = self._kept.get(root.id, set()), self._histories.get(root.id, RemovalHistory())
        if root.suspended and not known.isdisjoint(history.photos):
            return False
        recorded = files.count_present(connection, root.id, unread=True)
        held = max(history.peak, recorded + self.unrecorded.count(root.id))
        return self._is_loss(held, recorded - vanished - (root.suspended_photos or 0), read + len(history.photos))

    def _count_on_disk(self, roots: Sequence[Root], root: Root, arrived: float) -> int:
        """Count the photo files of a root that are there now, or were at a look after ``arrived``. A look takes one
        walk, and is needed before a suspension only."""
        looked, count = self._on_disk.get(root.id, (-math.inf, 0))
        if arrived < looked:
            return count
        looked = self._clock()
        photo_filter = PhotoFilter(self._settings.hidden_files, self._settings.own_folders, IgnoreFiles(lambda _: None))
        others = {each.path for each in roots if each.id != root.id and root.path in each.path.parents}
        try:
            met = walk(root.path, photo_filter, lambda _path, _error: None)
            count = sum(1 for path, *_ in met if not (others and is_in_any(Path(path), others)))
        except FolderError:
            count = 0
        self._on_disk[root.id] = looked, count
        return count

    def _suspend(self, connection: Connection, root: Root, kept: set[int], photos: int) -> None:
        self._kept.setdefault(root.id, set()).update(kept)
        if photos != root.suspended_photos:
            note_suspended(connection, root.id, photos)
        if root.id not in self._noticed:
            self._noticed.add(root.id)
            self.notice(
                f"{printable(root.path)}: {photos:,} photos vanished at once, so they are kept until they are back; "
                f"if you removed them, {remedy(root.path)}"
            )

    def _forget(self, root: Root) -> None:
        """Forget what a root lost, which is no longer in doubt."""
        self._noticed.discard(root.id)
        self._kept.pop(root.id, None)
        self._histories.pop(root.id, None)

    def _resume(self, connection: Connection, root: Root, vanished: int) -> None:
        note_suspended(connection, root.id, None)
        self._forget(root)
        why = f"others have taken the place of {vanished:,} of its photos" if vanished else "its photos are back"
        self.notice(f"{printable(root.path)}: {why}; it is no longer suspended")

    def _accept(self, connection: Connection, root: Root, accepted: int, *, whole: bool) -> None:
        if root.suspended_photos is None:
            return
        left = 0 if whole else max(0, root.suspended_photos - accepted)
        note_suspended(connection, root.id, left or None)
        self._forget(root)


def remedy(root: Path) -> str:
    """Return what to do when the photos of a suspended root were removed on purpose."""
    return f"run photoindex index --accept-missing {shell_quoted(root)}"


def _with_copies(copies: Mapping[int, Sequence[Path]]) -> frozenset[int]:
    """Return the files of whose other paths some are known to be there."""
    there = are_there(path for paths in copies.values() for path in paths)
    return frozenset(file_id for file_id, paths in copies.items() if any(there.get(path) for path in paths))


def _unmoved(
    paths: Sequence[Path], known: Mapping[Path, FileStat], arrived: Mapping[tuple[int, int], int]
) -> set[Path]:
    """Return the files that did not move, as far as size and time of writing tell."""
    moved = Counter(arrived)
    left = set()
    for path in paths:
        state = (known[path].size, known[path].mtime_ns)
        if moved[state] > 0:
            moved[state] -= 1
        else:
            left.add(path)
    return left
