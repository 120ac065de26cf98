"""Finding photos on the disk and hearing of changes to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from photoindex.folders.compare import FolderChanges, compare, sift
from photoindex.folders.filters import PhotoFilter
from photoindex.folders.ignore import IGNORE_FILE, IgnoreFiles
from photoindex.folders.settle import Settler
from photoindex.folders.walk import scan, scanned_file, walk
from photoindex.system.lazy_imports import names_of

if TYPE_CHECKING:
    from photoindex.folders.observer import FolderObserver

__all__ = [
    "IGNORE_FILE", "FolderChanges", "FolderObserver", "IgnoreFiles", "PhotoFilter", "Settler", "compare", "scan",
    "scanned_file", "sift", "walk",
]  # fmt: skip

# Hears of events, by watchdog, which comparing folders goes without.
if not TYPE_CHECKING:
    __getattr__, __dir__ = names_of(__name__, {"FolderObserver": "photoindex.folders.observer"})
