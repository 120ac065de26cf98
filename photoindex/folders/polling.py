"""Detect changes without events: scan a tree repeatedly and compare.

watchdog's own polling is not used: it does not end in folders that link to each other, and it treats an unreadable
folder as an empty one, which looks like the removal of all its photos.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from photoindex.errors import FolderError
from photoindex.folders.compare import compare, events
from photoindex.folders.filters import PhotoFilter
from photoindex.folders.walk import check_folder, scan
from photoindex.media.metadata import sidecars
from photoindex.system.paths import shown
from photoindex.types import FileEvent, FileStat, ScannedFile


class PolledTree:
    """A root without events, or (``linked``) a linked folder below a root that has them.

    ``problem`` is a line about the last scan, or ``None``. ``gone``: the link of a linked folder was removed, and there
    is nothing left to scan.
    """

    def __init__(self, root: Path, photo_filter: PhotoFilter, *, linked: bool = False) -> None:
        self.root = root
        self.linked = linked
        self.gone = False
        self.problem: str | None = None
        self.rests_until = 0.0  # by time.monotonic(), for whoever looks at it again and again
        self._filter = photo_filter
        self._identity: tuple[int, int] | None = None
        self._known: dict[Path, FileStat] | None = None  # None until the tree could be read once
        self._sidecars: dict[Path, str] = {}  # of photos that have some

    def look(self, give_up: Callable[[], bool] = lambda: False) -> list[FileEvent]:
        """Scan the tree and return the events since the last scan.

        The first scan returns one ``overflow`` event, as does one that finds another folder or disk at the same place.
        A tree that cannot be reached has no events: its files are unavailable, not removed. ``give_up`` is called
        between files; when it returns true, the scan is dropped.
        """
        unreadable: dict[Path, OSError] = {}
        files: list[ScannedFile] = []
        try:
            status = check_folder(self.root)
            for file in scan(self.root, self._filter, unreadable.__setitem__):
                if give_up():
                    return []
                files.append(file)
        except FolderError as error:
            self.problem = str(error)
            if self.linked and not os.path.islink(self.root):
                self.gone = True
                return [FileEvent("removed", self.root, is_directory=True)]
            return []
        self.problem = _tell(unreadable)
        beside = self._sidecars
        self._sidecars = {file.path: file.sidecars for file in files if file.sidecars}
        known, identity = self._known, (status.st_dev, status.st_ino)
        if known is None or identity != self._identity:
            self._identity = identity
            self._known = {file.path: file.stat for file in files}
            return [FileEvent("overflow", self.root)]
        changes = compare(files, known, unreadable=unreadable)
        gone = set(changes.missing)
        self._known = {path: stat for path, stat in known.items() if path not in gone}
        self._known.update((file.path, file.stat) for file in files)
        return [*events(changes, known), *_sidecar_events(files, beside)]


def _sidecar_events(files: list[ScannedFile], before: dict[Path, str]) -> Iterator[FileEvent]:
    reported = set()
    for file in files:
        for name, there in sidecars.changed(before.get(file.path, ""), file.sidecars).items():
            path = file.path.with_name(name)
            if path not in reported:  # it may belong to several photos
                reported.add(path)
                yield FileEvent("written" if there else "removed", path)


def _tell(unreadable: dict[Path, OSError]) -> str | None:
    for path, error in unreadable.items():
        more = f" (and {len(unreadable) - 1} more)" if len(unreadable) > 1 else ""
        return f"cannot read {shown(path)}: {error.strerror or error}{more}"
    return None
