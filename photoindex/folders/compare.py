"""Compare scanned files with known ones. Reads no disk and keeps no state."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from photoindex.system.file_state import Numbers, are_unchanged, numbers_of
from photoindex.system.paths import is_in_any
from photoindex.types import FileEvent, FileStat, ScannedFile

TELL_EVERY = 500  # files


@dataclass(frozen=True, slots=True)
class FolderChanges:
    """How scanned files differ from the known ones. ``new``, ``changed`` and ``undated`` in scan order, ``missing``
    sorted.

    ``undated`` are those of the ``unchanged`` files whose change time was not known before: it must be stored.
    """

    new: tuple[ScannedFile, ...]
    changed: tuple[ScannedFile, ...]
    missing: tuple[Path, ...]
    unchanged: int
    undated: tuple[ScannedFile, ...] = ()


def compare(
    scanned: Iterable[ScannedFile], known: Mapping[Path, FileStat], *, unreadable: Iterable[Path] = ()
) -> FolderChanges:
    """Sort the scanned files into new, changed and unchanged, and find the known ones that are missing.

    :meth:`.FileStat.is_unchanged` says what counts as changed. ``known`` must hold only what the scan could have met.
    Known files at or below an ``unreadable`` path (those a scan reported to its ``on_problem``) are not called missing:
    nobody could look.
    """
    new: list[ScannedFile] = []
    changed: list[ScannedFile] = []
    undated: list[ScannedFile] = []
    unchanged = 0
    met: set[Path] = set()
    for file in scanned:
        if file.path in met:
            continue
        met.add(file.path)
        before = known.get(file.path)
        if before is None:
            new.append(file)
        elif before.is_unchanged(file.stat):
            unchanged += 1
            if before.ctime_ns is None and file.stat.ctime_ns is not None:
                undated.append(file)
        else:
            changed.append(file)
    unseen = set(unreadable)
    missing = sorted(path for path in known if path not in met and not (unseen and is_in_any(path, unseen)))
    return FolderChanges(tuple(new), tuple(changed), tuple(missing), unchanged, tuple(undated))


@dataclass(frozen=True, slots=True)
class Sifted:
    """The result of a walk: the number of files, how many are unchanged, and the others, in the order of the walk.

    ``beside`` are the known files, changed or not, whose sidecars are others than before.
    """

    seen: int
    unchanged: int
    others: tuple[ScannedFile, ...]
    beside: tuple[Path, ...] = ()


def sift(
    met: Iterable[tuple[str, os.stat_result, str]],
    known: dict[str, Numbers],
    sidecars: Mapping[str, str],
    make: Callable[[str, os.stat_result, str], ScannedFile],
    each: Callable[[int, str], None] = lambda seen, path: None,
) -> Sifted:
    """Separate unchanged files from those that :func:`compare` must look at.

    Unchanged files are removed from ``known``; changed and missing ones stay. No objects are made of unchanged files,
    which are nearly all of a large tree; ``make`` is called for the others. ``sidecars`` holds the state in which the
    sidecars of a file were read, of files that had some. ``each`` is called every 500 files with the number of files so
    far and the last path.
    """
    seen = unchanged = 0
    others: list[ScannedFile] = []
    other_beside: list[Path] = []
    for path, status, beside in met:
        seen += 1
        before = known.pop(path, None)
        if (sidecars or beside) and before is not None and sidecars.get(path, "") != beside:
            other_beside.append(Path(path))
        # Most files are exactly as they were; the rule itself is asked about the others alone.
        if before is not None and (
            before == (status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns)
            or (before[3] is not None and are_unchanged(before, numbers_of(status)))
        ):
            unchanged += 1
        else:
            if before is not None:
                known[path] = before
            others.append(make(path, status, beside))
        if seen % TELL_EVERY == 0:
            each(seen, path)
    return Sifted(seen, unchanged, tuple(others), tuple(other_beside))


def events(changes: FolderChanges, known: Mapping[Path, FileStat]) -> Iterator[FileEvent]:
    """Yield the file events that lead from ``known`` to the scanned state.

    A missing file and a new one with the same inode, size and modification time are one file that moved, unless several
    files could be meant. (A rename gives it another change time.) Moves come first, so that a path freed by one is not
    reported as removed after it was written.
    """
    gone: dict[tuple[int, ...], list[Path]] = {}
    for path in changes.missing:
        gone.setdefault(_moved_alike(known[path]), []).append(path)
    come: dict[tuple[int, ...], list[Path]] = {}
    for file in changes.new:
        come.setdefault(_moved_alike(file.stat), []).append(file.path)
    moved: dict[Path, Path] = {}
    for state, sources in gone.items():
        destinations = come.get(state, ())
        if state[0] and len(sources) == 1 and len(destinations) == 1:
            moved[sources[0]] = destinations[0]
    for source, destination in moved.items():
        yield FileEvent("moved", source, destination)
    for path in changes.missing:
        if path not in moved:
            yield FileEvent("removed", path)
    arrived = set(moved.values())
    for file in (*changes.new, *changes.changed):
        if file.path not in arrived:
            yield FileEvent("written", file.path)


def _moved_alike(stat: FileStat) -> tuple[int, ...]:
    """Return the state that a file keeps when it is moved."""
    return stat.inode, stat.size, stat.mtime_ns
