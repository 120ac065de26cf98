"""watchdog's events in our terms: what they say of photos, folders worth entering and ignore files."""

from __future__ import annotations

import os
from pathlib import Path

from watchdog.events import FileSystemEvent

from photoindex.folders.filters import PhotoFilter
from photoindex.folders.ignore import IGNORE_FILE
from photoindex.media.metadata.sidecars import is_sidecar
from photoindex.system.paths import is_at_or_below
from photoindex.types import FileEvent


def translated(
    event: FileSystemEvent, source: Path | None, destination: Path | None, root: Path, photo_filter: PhotoFilter
) -> FileEvent | None:
    """One watchdog event in our terms, or ``None`` when it tells of nothing that matters."""
    if getattr(event, "is_synthetic", False):
        return None  # its folder's event has spoken for it
    folder = event.is_directory

    def matters(path: Path | None) -> bool:
        if path is None:
            return False
        if path != root and not (photo_filter.enters_folder(path) if folder else accepts_file(path)):
            return False
        return photo_filter.accepts_below(root, path)

    def accepts_file(path: Path) -> bool:
        return path.name == IGNORE_FILE or is_sidecar(path) or photo_filter.accepts_file(path)

    if event.event_type == "moved":
        left, arrived = matters(source), matters(destination)
        if left and arrived and source is not None:
            return FileEvent("moved", source, destination, is_directory=folder)
        if arrived and destination is not None:
            return FileEvent("written", destination, is_directory=folder)
    else:
        left = event.event_type == "deleted" and matters(source)
        # "attrib" is how setting a file's times or permissions shows. For a folder it and "modified" tell nothing that
        # its entries do not tell themselves.
        kinds = ("created",) if folder else ("created", "modified", "closed", "attrib")
        if event.event_type in kinds and matters(source) and source is not None:
            return FileEvent("written", source, is_directory=folder)
    if left and source is not None:
        return FileEvent("removed", source, is_directory=folder)
    return None


def respelt(raw: str | bytes, root: Path, real: Path) -> Path | None:
    """The path of an event as the caller spelt its ``root``, which watchdog knows as ``real``."""
    if not raw:
        return None
    path = Path(os.fsdecode(raw))
    if root == real or not is_at_or_below(path, real):
        return path
    return root / path.relative_to(real)
