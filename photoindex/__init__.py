"""photoindex captions the photos in your folders and finds them by description.

    import photoindex

    with photoindex.open("~/.local/share/photoindex") as library:
        library.index("~/Pictures")
        for hit in library.search("giraffes in grass", limit=5):
            print(hit.path, hit.caption)

Errors are in :mod:`photoindex.errors`. Searching never imports torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from photoindex.system.lazy_imports import names_of

if TYPE_CHECKING:
    from photoindex.catalogue.editor import Edit
    from photoindex.catalogue.status import RootStatus, Status, WatcherStatus
    from photoindex.config import Settings
    from photoindex.errors import PhotoindexError
    from photoindex.library import Library, open
    from photoindex.types import (
        Caption,
        Companion,
        Duplicate,
        Failure,
        Hit,
        IndexReport,
        Photo,
        Prediction,
        Progress,
        Term,
    )

__version__ = "0.1.0"

__all__ = [
    "Caption",
    "Companion",
    "Duplicate",
    "Edit",
    "Failure",
    "Hit",
    "IndexReport",
    "Library",
    "Photo",
    "PhotoindexError",
    "Prediction",
    "Progress",
    "RootStatus",
    "Settings",
    "Status",
    "Term",
    "WatcherStatus",
    "open",
]

# Resolved when first used: the helper processes and the command line need next to none of it.
__getattr__ = names_of(
    __name__,
    {
        **dict.fromkeys(__all__, "photoindex.types"),
        "Edit": "photoindex.catalogue.editor",
        "Settings": "photoindex.config",
        "PhotoindexError": "photoindex.errors",
        "Library": "photoindex.library",
        "RootStatus": "photoindex.catalogue.status",
        "Status": "photoindex.catalogue.status",
        "WatcherStatus": "photoindex.catalogue.status",
        "open": "photoindex.library",
    },
)
