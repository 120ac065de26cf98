"""Compare folders with the catalogue: store what is new, changed or gone, and queue what must be read.

No file is taken while it is being written: one that changed in the last ``settle_seconds`` waits until it has been
quiet for as long.
"""

from __future__ import annotations

import os
import stat as stat_bits
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from photoindex.catalogue import files, jobs, metadata
from photoindex.catalogue.database import Database
from photoindex.catalogue.dialects import now_of
from photoindex.catalogue.fast_queries import known_states, sidecar_states, unfinished_below
from photoindex.catalogue.roots import ensure_root, list_roots, note_device, note_reconciled
from photoindex.config import Settings
from photoindex.errors import FolderError
from photoindex.folders import (
    IGNORE_FILE,
    FolderChanges,
    PhotoFilter,
    Settler,
    compare,
    scanned_file,
    sift,
    walk,
)
from photoindex.folders.filters import is_thumbnail
from photoindex.folders.walk import check_place, file_stat
from photoindex.indexing.metadata_refresh import mark_photos_of
from photoindex.indexing.missing_photos import NOTHING_SEEN, MissingPhotos
from photoindex.indexing.root_disks import other_device
from photoindex.indexing.tree_walk import TreeWalk, walk_tree
from photoindex.media.metadata import sidecars
from photoindex.system.file_state import Numbers, device_of
from photoindex.system.paths import is_at_or_below, is_in_any, root_of, shown
from photoindex.system.storage import is_folder, stat
from photoindex.types import FileStat, Progress, ScannedFile

RECORD_CHUNK = 1000  # files stored in one transaction


@dataclass(frozen=True, slots=True)
class Counts:
    """How many files a comparison met, how many of them neither changed nor are without a caption, how many known ones
    were gone, and the folders and files that could not be looked at."""

    seen: int = 0
    unchanged: int = 0
    missing: int = 0
    unreadable: tuple[Path, ...] = ()

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.seen + other.seen,
            self.unchanged + other.unchanged,
            self.missing + other.missing,
            self.unreadable + other.unreadable,
        )


class Comparer:
    """Compares folders and files with the catalogue.

    ``walks`` are walks that were made a moment ago, by place; each is used once. ``gone_photos`` counts the files that
    were marked missing, by the photo they held.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        missing: MissingPhotos,
        settler: Settler,
        photo_filter: PhotoFilter,
        *,
        report: Callable[[Progress], None] | None,
        notice: Callable[[str], None],
        walks: Mapping[Path, TreeWalk],
    ) -> None:
        self.gone_photos: Counter[int] = Counter()
        self._database = database
        self._settings = settings
        self._missing = missing
        self._settler = settler
        self._filter = photo_filter
        self._report = report
        self._notice = notice
        self._walks = dict(walks)

    def compare(self, place: Path, *, accept_missing: bool = False, within: Collection[Path] = ()) -> Counts:
        """Compare a folder or one file. What lies at or below the paths ``within``, which are compared as well, is
        counted with these, and missing only where these find it so.

        Raises :class:`FolderError` or OSError when it cannot be read.
        """
        # Before anything is stored: the folder around one that is away is none that the user named.
        status = check_place(place)
        folder = place.parent if stat_bits.S_ISREG(status.st_mode) else place
        device = device_of(status) if folder == place else _device(folder)
        with self._database.write() as connection:
            root = ensure_root(connection, folder)
        walked = self._walks.pop(place, None) or walk_tree(self._database, self._filter, place, self._report, within)
        problems = list(walked.problems)
        sifted, left = walked.sifted, _stats(walked.left)  # what differs, and what was not met
        unseen = {path for path in left.keys() - {item.path for item in sifted.others} if not is_in_any(path, within)}
        named = self._named_by_user(place, unseen, problems)
        for line in _problem_lines(problems):
            self._notice(line)
        unreadable = tuple(dict.fromkeys(path for path, _ in problems))
        changes = compare([*sifted.others, *named], left, unreadable=unreadable)
        # A disk that goes away in the middle of the walk takes its photos out of sight, not out of the library.
        is_other_disk = device != root.device
        emptied = not walked.was_empty and not sifted.seen and is_other_disk and not accept_missing
        away = emptied or _device(folder) != device
        missing: Sequence[Path] = [path for path in changes.missing if not is_in_any(path, within)]
        removed: list[Path] = []
        if away:
            self._notice(_is_away(folder))
        else:
            if not accept_missing:
                out_of_reach = self._roots_away(place, [*sifted.others, *named], left)
                if out_of_reach:
                    missing = [path for path in missing if not is_in_any(path, out_of_reach)]
            # Before the transaction: a store may take long to answer, and a server ends a transaction that waits.
            seen = NOTHING_SEEN if accept_missing else self._missing.look(place, missing, self._filter)
            with self._database.write() as connection:
                removed = self._missing.after_comparison(
                    connection, place, missing, left, changes.new, seen, same_disk=not is_other_disk,
                    accept=accept_missing,
                )  # fmt: skip
                self.gone_photos.update(files.mark_removed(connection, removed))
        seen_here = walked.counted + len(named)
        unmet = left.keys() - {item.path for item in (*sifted.others, *named)}
        unchanged = seen_here - self._count_others([place], changes, unmet, within)
        others = [item.path for item in named if item.sidecars != walked.sidecars.get(os.fspath(item.path), "")]
        self._store(changes, [*sifted.beside, *others])
        if not away and len(removed) == len(missing) and folder == root.path and place == folder:
            with self._database.write() as connection:
                note_reconciled(connection, root.id, device)
                jobs.expedite(connection, root.id, now_of(connection))
        return Counts(seen_here, unchanged, len(removed), unreadable)

    def _roots_away(self, place: Path, others: Iterable[ScannedFile], left: Iterable[Path]) -> set[Path]:
        """Return the roots below ``place`` that show none of their photos and are on another disk than before, as their
        own comparison would find them; note on which disk the others are.

        ``others`` are the files that are not as they were known, ``left`` the known ones that were not met, or are
        among these.
        """
        away: set[Path] = set()
        with self._database.read() as connection:
            roots = list_roots(connection)
            inner = [root for root in roots if root.path != place and is_at_or_below(root.path, place)]
            elsewhere = {root: device for root in inner if (device := other_device(root)) is not None}
            if not elsewhere:
                return away
            held = {root: files.count_present(connection, root.id, unread=True) for root in elsewhere}
        met = {item.path for item in others}
        come = {root_of(roots, path) for path in met}
        lost = Counter(root_of(roots, path) for path in left if path not in met)
        for root, device in elsewhere.items():
            if root in come or lost[root] < held[root] or not held[root]:
                with self._database.write() as connection:
                    note_device(connection, root.id, device)
            elif root.device is not None:
                self._notice(_is_away(root.path))
                away.add(root.path)
        return away

    def compare_files(self, named: Collection[Path]) -> Counts:
        """Compare files that the user named one by one, all of them at once. None of them can be missing."""
        known: dict[str, Numbers] = {}
        known_sidecars: dict[str, str] = {}
        with self._database.write() as connection:
            for folder in dict.fromkeys(path.parent for path in named):
                ensure_root(connection, folder)
        with self._database.ask() as asker:
            for path in named:
                known |= known_states(asker, path)
                known_sidecars |= sidecar_states(asker, path)
        met = chain.from_iterable(walk(path, self._filter) for path in named)
        sifted = sift(met, known, known_sidecars, scanned_file)
        changes = compare(sifted.others, _stats(known))
        others = self._count_others(named, changes)
        self._store(changes, sifted.beside)
        return Counts(sifted.seen, sifted.seen - others)

    def _count_others(
        self,
        places: Iterable[Path],
        changes: FolderChanges,
        unmet: Collection[Path] = (),
        within: Collection[Path] = (),
    ) -> int:
        """Return how many files of a comparison are no unchanged ones: new, changed, or still without a caption, as
        after a run that was cut off or where they cannot be captioned. They are counted as what becomes of them."""
        with self._database.ask() as asker:
            others = {path for place in places for path in unfinished_below(asker, place)}
        others.difference_update(unmet)
        others.update(item.path for item in (*changes.new, *changes.changed))
        return sum(not is_in_any(path, within) for path in others)

    def accept_gone(self, place: Path) -> Counts:
        """Mark all photos at or below a path that is gone as removed."""
        with self._database.write() as connection:
            known = files.known_files(connection, place)
            removed = self._missing.after_comparison(connection, place, list(known), known, (), accept=True)
            self.gone_photos.update(files.mark_removed(connection, removed))
        return Counts(missing=len(removed))

    def take_settled(self) -> None:
        """Store and queue the files that have settled. Each was written, so it is read whatever its state says."""
        settled = [ScannedFile(path, stat) for path, stat in self._settler.take_ready()]
        if not settled:
            return
        try:
            for folder in [item.path.parent for item in settled if item.path.name == IGNORE_FILE]:
                self.compare_again(folder)
            mark_photos_of(self._database, (item.path for item in settled if sidecars.is_sidecar(item.path)))
            with self._database.write() as connection:
                roots = list_roots(connection)
                written = [
                    item for item in settled
                    if item.path.name != IGNORE_FILE
                    and not sidecars.is_sidecar(item.path)
                    and root_of(roots, item.path) is not None
                ]  # fmt: skip
                files.record_files(connection, written, reported=True)
            self._missing.unrecorded.note_recorded(item.path for item in written)
        except BaseException:
            for item in settled:  # nobody else knows of them
                self._settler.touch(item.path)
            raise

    def compare_again(self, folder: Path) -> None:
        """Compare a folder below a root. One that is gone or cannot be read by now is left as it was."""
        with self._database.read() as connection:
            root = root_of(list_roots(connection), folder)
        if root is None or not is_folder(folder):
            return
        try:
            self.compare(folder)
        except (FolderError, OSError) as error:
            if is_folder(folder):
                self._notice(str(error))

    def _named_by_user(
        self, place: Path, unseen: Iterable[Path], problems: list[tuple[Path, OSError]]
    ) -> list[ScannedFile]:
        """Return those of the unseen files that are there and that a walk passes by: the user named them by themselves.

        What a rule of an ignore file leaves out, which the user wrote as well, is not among them, nor is a library's
        thumbnail, which an earlier version took for a photo.
        """
        named = []
        for path in unseen:
            if self._filter.ignores_below(place, path):
                continue
            if self._filter.accepts_file(path) and self._filter.accepts_below(place, path):
                continue
            if is_thumbnail(place, path):
                continue
            try:
                stat = file_stat(path)
            except OSError as error:
                problems.append((path, error))
            else:
                named += [ScannedFile(path, stat, sidecars.state(sidecars.beside(path)))] if stat is not None else []
        return named

    def _store(self, changes: FolderChanges, other_sidecars: Sequence[Path]) -> None:
        """Store changes and queue files. ``other_sidecars`` are unchanged photos whose sidecars are others by now."""
        metadata.mark_paths_in_steps(self._database, other_sidecars)
        if changes.undated:
            with self._database.write() as connection:
                files.note_states(connection, changes.undated)
        # A file that changed a moment ago may be changing still.
        newest = time.time_ns() - int(self._settings.settle_seconds * 1e9)
        at_rest: list[ScannedFile] = []
        for item in (*changes.new, *changes.changed):
            if self._settings.settle_seconds and item.stat.mtime_ns > newest:
                self._missing.unrecorded.note_written(item.path)
                self._settler.touch(item.path)
            else:
                at_rest.append(item)
        for start in range(0, len(at_rest), RECORD_CHUNK):
            with self._database.write() as connection:
                files.record_files(connection, at_rest[start : start + RECORD_CHUNK])


def _problem_lines(problems: Iterable[tuple[Path, OSError]]) -> Iterator[str]:
    """Yield a line for each folder that cannot be read, and one for all files of a folder that cannot be looked at for
    one reason: a folder that may be listed and not entered has as many as it has photos."""
    files: dict[tuple[Path, str], list[Path]] = {}
    for path, error in problems:
        reason = str(error.strerror or error)
        if is_folder(path):
            yield f"cannot read the folder {shown(path)}: {reason}; its photos are left as they were"
        else:
            files.setdefault((path.parent, reason), []).append(path)
    for (_, reason), paths in files.items():
        more = f" and {len(paths) - 1:,} more there" if len(paths) > 1 else ""
        yield f"cannot read {shown(paths[0])}{more}: {reason}; what is known of them stays"


def _is_away(root: Path) -> str:
    return f"{shown(root)} is not on the disk it was on before: its disk is away; its photos are kept"


def _device(folder: Path) -> int:
    try:
        return device_of(stat(folder))
    except OSError as error:
        raise FolderError(f"cannot reach the folder {shown(folder)}: {error.strerror or error}") from error


def _stats(known: Mapping[str, Numbers]) -> dict[Path, FileStat]:
    return {Path(path): FileStat(*numbers) for path, numbers in known.items()}
