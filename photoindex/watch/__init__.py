"""Finding photos on the disk and hearing of changes to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from photoindex.system.lazy_imports import names_of
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

# Hears of events, by watchdog, which comparing folders goes without.
__getattr__ = names_of(__name__, {"FolderObserver": "photoindex.watch.observer"})
