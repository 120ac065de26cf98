"""photoindex captions the photos in your folders and finds them by description.

    import photoindex

    with photoindex.open("~/.local/share/photoindex") as library:
        library.index("~/Pictures")
        for hit in library.search("giraffes in grass", limit=5):
            print(hit.path, hit.caption)

Errors are in :mod:`photoindex.errors`; docs/api.md describes every name. Searching never imports torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from photoindex.system.lazy_imports import names_of

if TYPE_CHECKING:
    from photoindex.config import Settings
    from photoindex.errors import PhotoindexError
    from photoindex.library import (
        Album,
        Albums,
        Batch,
        Batches,
        Edit,
        Editor,
        Exchange,
        ImportReport,
        Library,
        Plan,
        RootStatus,
        SidecarChange,
        SidecarReport,
        Stats,
        Status,
        TextCounts,
        UserMetadata,
        WatcherStatus,
        open,
    )
    from photoindex.types import (
        Candidate,
        Caption,
        Companion,
        Correction,
        Duplicate,
        Failure,
        Finding,
        ForgetPlan,
        Hit,
        IndexReport,
        Label,
        Match,
        Matched,
        Photo,
        PhotoFacts,
        Place,
        Prediction,
        Progress,
        Tally,
        Term,
        TextLine,
    )

__version__ = "0.1.0"

__all__ = [
    "Album",
    "Albums",
    "Batch",
    "Batches",
    "Candidate",
    "Caption",
    "Companion",
    "Correction",
    "Duplicate",
    "Edit",
    "Editor",
    "Exchange",
    "Failure",
    "Finding",
    "ForgetPlan",
    "Hit",
    "ImportReport",
    "IndexReport",
    "Label",
    "Library",
    "Match",
    "Matched",
    "Photo",
    "PhotoFacts",
    "PhotoindexError",
    "Place",
    "Plan",
    "Prediction",
    "Progress",
    "RootStatus",
    "Settings",
    "SidecarChange",
    "SidecarReport",
    "Stats",
    "Status",
    "Tally",
    "Term",
    "TextCounts",
    "TextLine",
    "UserMetadata",
    "WatcherStatus",
    "open",
]

# Resolved when first used: the helper processes and the command line need next to none of it.
if not TYPE_CHECKING:
    __getattr__, __dir__ = names_of(
        __name__,
        {
            **dict.fromkeys(__all__, "photoindex.types"),
            **dict.fromkeys(
                (
                    "Album",
                    "Albums",
                    "Batch",
                    "Batches",
                    "Edit",
                    "Editor",
                    "Exchange",
                    "ImportReport",
                    "Library",
                    "Plan",
                    "RootStatus",
                    "SidecarChange",
                    "SidecarReport",
                    "Stats",
                    "Status",
                    "TextCounts",
                    "UserMetadata",
                    "WatcherStatus",
                    "open",
                ),
                "photoindex.library",
            ),
            "PhotoindexError": "photoindex.errors",
            "Settings": "photoindex.config",
        },
    )
