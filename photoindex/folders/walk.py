"""Walk a folder and find its photos, whatever else it contains."""

from __future__ import annotations

import errno
import logging
import os
import stat as stat_bits
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from operator import attrgetter, methodcaller
from pathlib import Path
from typing import Any

from photoindex.errors import FolderError
from photoindex.folders.filters import PhotoFilter
from photoindex.folders.ignore import IgnoreRules
from photoindex.media.metadata import sidecars
from photoindex.system import storage
from photoindex.system.paths import shown
from photoindex.system.url_paths import is_url
from photoindex.types import FileStat, ScannedFile

logger = logging.getLogger(__name__)

OnProblem = Callable[[Path, OSError], None]
Met = tuple[str, os.stat_result, str]  # a photo's path, the state of what is there, and that of its sidecars

_Identity = tuple[int, int] | str
_name_of: Callable[[storage.Entry], str] = attrgetter("name")


@dataclass(frozen=True, slots=True)
class Survey:
    """The folders and links of a tree, for watching it by events. Linked folders are neither counted nor entered.

    ``folders`` counts the root and every readable real folder below it, whatever a filter says: that is how many a
    recursive watch needs. ``links`` are the links to folders that a scan would follow.
    """

    folders: int
    links: tuple[Path, ...]


@dataclass(slots=True)
class _Listing:
    """The content of one folder, each group sorted by name."""

    files: list[storage.Entry] = field(default_factory=list)  # photos to the filter; may be links to anything
    folders: list[Path] = field(default_factory=list)
    links: list[Path] = field(default_factory=list)  # links whose target is a folder
    rules: IgnoreRules = field(default_factory=IgnoreRules)  # for all of these
    readable: bool = True
    others: Mapping[str, os.stat_result] | list[str] = field(default_factory=list)  # not named as photos; a store: all


def file_stat(path: Path) -> FileStat | None:
    """Return the state of the regular file at ``path``, following links; ``None`` when there is none.

    Raises :class:`OSError` when the file system cannot answer (no permission, input/output error).
    """
    try:
        status = storage.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if _is_dangling(error):
            return None
        raise
    if not stat_bits.S_ISREG(status.st_mode):
        return None
    return FileStat.of(status)


def check_folder(root: Path) -> os.stat_result:
    """Return the stat of the folder ``root``. Raises :class:`FolderError` when it is missing, no folder, or
    unreachable."""
    status = _check_exists(root)
    if not stat_bits.S_ISDIR(status.st_mode):
        raise FolderError(f"{shown(root)} is not a folder; name the folder it lies in")
    return status


def check_place(root: Path) -> os.stat_result:
    """Return the stat of what can be walked, a folder or a regular file. Raises :class:`FolderError` for all else."""
    status = _check_exists(root)
    if not (stat_bits.S_ISREG(status.st_mode) or stat_bits.S_ISDIR(status.st_mode)):
        raise FolderError(f"{shown(root)} is neither a folder nor a regular file")
    return status


def scan(root: Path, photo_filter: PhotoFilter, on_problem: OnProblem | None = None) -> Iterator[ScannedFile]:
    """Yield every photo at or below ``root``, always in the same order for the same tree.

    Real folders are walked first, sorted by name; then linked folders, each folder once however many links lead there,
    so a photo that can be reached both ways is reported under its real path. A link to a folder that contains ``root``
    is not followed. Links to files are followed. Broken links, fifos, sockets, devices and files that vanish meanwhile
    are skipped. Paths begin with ``root`` as given; names that are not valid text carry surrogate escapes.

    ``on_problem`` is called with each folder or file that could not be read and the error, and the walk continues;
    without it the problem is logged. Files below such a path are unknown, not missing. When ``root`` is a regular file,
    it is the only file yielded, whatever its name.

    Raises :class:`FolderError` at once when ``root`` does not exist, cannot be read, or is neither folder nor file.
    """
    return (scanned_file(*met) for met in walk(root, photo_filter, on_problem))


def scanned_file(path: str, status: os.stat_result, beside: str) -> ScannedFile:
    """Return a file met by :func:`walk` as an object."""
    return ScannedFile(Path(path), FileStat.of(status), beside)


def walk(root: Path, photo_filter: PhotoFilter, on_problem: OnProblem | None = None) -> Iterator[Met]:
    """Yield every photo at or below ``root`` as (path, stat, state of its sidecars), in the way of :func:`scan`.

    No objects are made: most files of most scans turn out to be known.
    """
    status = check_place(root)
    if stat_bits.S_ISREG(status.st_mode):
        return iter(((os.fspath(root), status, sidecars.state(sidecars.beside(root))),))
    try:
        with storage.storage_of(root).scan(root) as iterator:
            listed = list(iterator) if is_url(root) else None  # a store was asked for all of it
    except OSError as error:
        raise FolderError(f"cannot read the folder {shown(root)}: {error.strerror}; check its permissions") from error
    return _walk(root, photo_filter, on_problem or _log_problem, listed)


def survey(root: Path, photo_filter: PhotoFilter) -> Survey:
    """Count the folders of a recursive watch of ``root``, and find the linked folders that it does not cover."""
    folders = 0
    links: list[Path] = []
    stack: list[tuple[Path, IgnoreRules | None, bool]] = [(root, None, True)]
    while stack:
        folder, above, entered = stack.pop()
        listing = _list_folder(folder, above, photo_filter, _ignore_problem)
        folders += listing.readable
        if entered:
            links.extend(link for link in listing.links if photo_filter.enters_folder(link, listing.rules))
        stack.extend(
            (path, listing.rules, entered and photo_filter.enters_folder(path, listing.rules))
            for path in reversed(listing.folders)
        )
    return Survey(folders, tuple(links))


def _walk(
    root: Path, photo_filter: PhotoFilter, on_problem: OnProblem, listed: list[storage.Entry] | None
) -> Iterator[Met]:
    visited = _containing_folders(root)
    # Links wait until every real folder has been walked: a real path is the better name for a photo, and the one its
    # events come under.
    links: deque[Path] = deque()
    yield from _walk_real(root, photo_filter, on_problem, visited, links, listed, below_link=False)
    while links:
        yield from _walk_real(links.popleft(), photo_filter, on_problem, visited, links, below_link=True)


def _walk_real(
    top: Path,
    photo_filter: PhotoFilter,
    on_problem: OnProblem,
    visited: set[_Identity],
    links: deque[Path],
    listed: list[storage.Entry] | None = None,
    *,
    below_link: bool,
) -> Iterator[Met]:
    is_regular = stat_bits.S_ISREG
    stack: list[tuple[Path, IgnoreRules | None]] = [(top, None)]
    while stack:
        folder, above = stack.pop()
        try:
            identity = _identity(folder)
        except OSError as error:
            if not _is_gone(error):
                on_problem(folder, error)
            continue
        # Only links can lead somewhere twice. A real folder is never skipped, because some file systems give the same
        # inode number to different folders.
        if below_link and identity in visited:
            continue
        visited.add(identity)
        listing = _list_folder(folder, above, photo_filter, on_problem, listed)
        listed = None
        beside = sidecars.Folder(folder, listing.others)
        accompanied = bool(beside)
        for entry in listing.files:
            try:
                status = _state(entry)
            except OSError as error:
                if not _is_dangling(error):
                    on_problem(Path(entry.path), error)
                continue
            if is_regular(status.st_mode):
                yield entry.path, status, beside.state(entry.name) if accompanied else ""
        stack.extend(
            (path, listing.rules)
            for path in reversed(listing.folders)
            if photo_filter.enters_folder(path, listing.rules)
        )
        links.extend(path for path in listing.links if photo_filter.enters_folder(path, listing.rules))


def _list_folder(
    folder: Path,
    above: IgnoreRules | None,
    photo_filter: PhotoFilter,
    on_problem: OnProblem,
    listed: list[storage.Entry] | None = None,
) -> _Listing:
    """Return the content of a folder. Where they are known, ``above`` are the rules in the folder around it and
    ``listed`` is what lies in it."""
    listing = _Listing()
    entries: list[storage.Entry] = listed or []
    try:
        if listed is None:
            with storage.storage_of(folder).scan(folder) as iterator:
                entries.extend(iterator)  # what was read before an error stays
    except OSError as error:
        listing.readable = False
        if not _is_gone(error):
            on_problem(folder, error)
        if not entries:  # its ignore file has nothing to leave out
            return listing
    listing.rules = photo_filter.rules_in(folder, above)
    names_photo, ruled = photo_filter.names_photo, bool(listing.rules.layers)
    others: list[str] = []
    entries.sort(key=_name_of)
    for entry in entries:
        is_photo = names_photo(entry.name)
        if not is_photo:
            others.append(entry.name)
        try:
            # Most entries are plain files, which are told by one question.
            if not entry.is_file(follow_symlinks=False):
                if entry.is_dir(follow_symlinks=False):
                    listing.folders.append(Path(entry.path))
                    continue
                if entry.is_symlink() and entry.is_dir():
                    if not photo_filter.is_own(Path(entry.path)):
                        listing.links.append(Path(entry.path))
                    continue
            if is_photo and not (ruled and listing.rules.leave_out(Path(entry.path), is_folder=False)):
                listing.files.append(entry)
        except OSError as error:
            if not _is_dangling(error):
                on_problem(Path(entry.path), error)
    listing.others = _states(entries) if is_url(folder) else others
    return listing


def _states(entries: list[storage.Entry]) -> dict[str, os.stat_result]:
    """Return the states of the files in a listing of a store, which come with it."""
    states = {}
    for entry in entries:
        with suppress(OSError):  # a key that is no path
            if entry.is_file():
                states[entry.name] = entry.stat()
    return states


def _state_by_path(entry: storage.Entry) -> os.stat_result:
    """Return the state by a call of its own: an entry of Windows' listing may be out of date and has no file number."""
    return entry.stat() if is_url(entry.path) else os.stat(entry.path)


_state: Callable[[Any], os.stat_result]  # of what it leads to
_state = _state_by_path if os.name == "nt" else methodcaller("stat")


def _check_exists(root: Path) -> os.stat_result:
    try:
        return storage.stat(root)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FolderError(f"{shown(root)} does not exist; check the path, or mount the disk it is on") from error
    except OSError as error:
        raise FolderError(f"cannot reach {shown(root)}: {error.strerror or error}") from error


def _containing_folders(root: Path) -> set[_Identity]:
    identities: set[_Identity] = set()
    if is_url(root):  # keys are no links
        return identities
    for folder in Path(os.path.realpath(root)).parents:
        try:
            identities.add(_identity(folder))
        except OSError:
            continue  # a folder that cannot be looked at cannot be walked into through a link either
    return identities


def _identity(folder: Path) -> _Identity:
    """Return the identity of a folder, the same by whatever path it is reached."""
    if is_url(folder):
        return os.fspath(folder)
    status = os.stat(folder)
    # Some network and FUSE file systems number no inodes; all their folders would look like one.
    return (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(folder)


def _is_gone(error: OSError) -> bool:
    return isinstance(error, FileNotFoundError | NotADirectoryError)


def _is_dangling(error: OSError) -> bool:
    """Return whether a link has no target, or leads back to itself."""
    return _is_gone(error) or error.errno == errno.ELOOP


def _log_problem(path: Path, error: OSError) -> None:
    logger.warning("cannot read %s: %s", shown(path), error.strerror or error)


def _ignore_problem(path: Path, error: OSError) -> None:
    """Ignore the problem: a scan reports what cannot be read."""
