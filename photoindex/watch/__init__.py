"""Finding photos on the disk and hearing of changes to them."""

from photoindex.watch.filters import PhotoFilter
from photoindex.watch.ignore import IGNORE_FILE, IgnoreFiles
from photoindex.watch.observer import FolderObserver
from photoindex.watch.reconcile import Changes, compare, sift
from photoindex.watch.scan import scan, scanned_file, walk
from photoindex.watch.settle import Settler

__all__ = [
    "IGNORE_FILE", "Changes", "FolderObserver", "IgnoreFiles", "PhotoFilter", "Settler", "compare", "scan",
    "scanned_file", "sift", "walk",
]  # fmt: skip
