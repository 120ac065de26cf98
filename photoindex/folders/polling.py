"""Hears of changes without events: scans a tree again and again and compares.

Used where events do not arrive. watchdog's own polling is not, because it loops for ever in folders that link to each
other, and takes a folder it cannot read for an empty one, which looks like the removal of all its photos.
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
from photoindex.types import FileEvent, FileStat, ScannedFile


class PolledTree:
    """A root without events, or (``linked``) a linked folder below a root that has them.

    ``problem`` is one line about the last look, or ``None``. ``gone`` says that a linked folder's link was taken away;
    then there is nothing left to look at.
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
        """Scan the tree; the events that lead here from the last look.

        The first look gives one ``overflow`` event, as nothing is known of what came before, and so does one that finds
        another folder or disk in the place of the last. A tree that cannot be reached has no events: its files are
        away, not removed. ``give_up`` is asked between files; when it says yes the look counts as not taken.
        """
        unreadable: dict[Path, OSError] = {}
        found: list[ScannedFile] = []
        try:
            status = check_folder(self.root)
            for file in scan(self.root, self._filter, unreadable.__setitem__):
                if give_up():
                    return []
                found.append(file)
        except FolderError as error:
            self.problem = str(error)
            if self.linked and not os.path.islink(self.root):
                self.gone = True
                return [FileEvent("removed", self.root, is_directory=True)]
            return []
        self.problem = _tell(unreadable)
        beside = self._sidecars
        self._sidecars = {file.path: file.sidecars for file in found if file.sidecars}
        known, identity = self._known, (status.st_dev, status.st_ino)
        if known is None or identity != self._identity:
            self._identity = identity
            self._known = {file.path: file.stat for file in found}
            return [FileEvent("overflow", self.root)]
        changes = compare(found, known, unreadable=unreadable)
        gone = set(changes.missing)
        self._known = {path: stat for path, stat in known.items() if path not in gone}
        self._known.update((file.path, file.stat) for file in found)
        return [*events(changes, known), *_sidecar_events(found, beside)]


def _sidecar_events(found: list[ScannedFile], before: dict[Path, str]) -> Iterator[FileEvent]:
    told = set()
    for file in found:
        for name, there in sidecars.changed(before.get(file.path, ""), file.sidecars).items():
            path = file.path.with_name(name)
            if path not in told:  # it may belong to several photos
                told.add(path)
                yield FileEvent("written" if there else "removed", path)


def _tell(unreadable: dict[Path, OSError]) -> str | None:
    for path, error in unreadable.items():
        more = f" (and {len(unreadable) - 1} more)" if len(unreadable) > 1 else ""
        return f"cannot read {path}: {error.strerror or error}{more}"
    return None
