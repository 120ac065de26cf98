"""photoindex captions the photos in your folders and finds them by description.

    import photoindex

    with photoindex.open("~/.local/share/photoindex") as library:
        library.index("~/Pictures")
        for hit in library.search("giraffes in grass", limit=5):
            print(hit.path, hit.caption)

Errors are in :mod:`photoindex.errors`. Searching never imports torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from photoindex.config import Settings
    from photoindex.corrections import Edit
    from photoindex.errors import PhotoindexError
    from photoindex.library import Library, open
    from photoindex.status import RootStatus, Status, WatcherStatus
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

_HOMES = {
    "Edit": "corrections",
    "Settings": "config",
    "PhotoindexError": "errors",
    "Library": "library",
    "RootStatus": "status",
    "Status": "status",
    "WatcherStatus": "status",
    "open": "library",
}


def __getattr__(name: str) -> Any:
    # Resolved when first used: the decoder's worker processes import this package and need none of it.
    if name not in __all__:
        raise AttributeError(f"module 'photoindex' has no attribute {name!r}")
    return getattr(import_module(f"photoindex.{_HOMES.get(name, 'types')}"), name)
