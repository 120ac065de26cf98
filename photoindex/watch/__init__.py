"""Finding photos on the disk and hearing of changes to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from photoindex.watch.filters import PhotoFilter
from photoindex.watch.ignore import IGNORE_FILE, IgnoreFiles
from photoindex.watch.reconcile import Changes, compare, sift
from photoindex.watch.scan import scan, scanned_file, walk
from photoindex.watch.settle import Settler

if TYPE_CHECKING:
    from photoindex.watch.observer import FolderObserver

__all__ = [
    "IGNORE_FILE", "Changes", "FolderObserver", "IgnoreFiles", "PhotoFilter", "Settler", "compare", "scan",
    "scanned_file", "sift", "walk",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name != "FolderObserver":  # hears of events, by watchdog, which comparing folders goes without
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from photoindex.watch.observer import FolderObserver

    return FolderObserver
