"""What the gallery needs of a library beside the commands: pages of results, the timeline, pictures, quick edits.

:class:`.facade.Gallery` is all of it; the web pages use nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from photoindex.system.lazy_imports import names_of

if TYPE_CHECKING:
    from photoindex.catalogue.albums import Album
    from photoindex.catalogue.editor import Edit
    from photoindex.library.gallery.batch_plans import WHATS, What
    from photoindex.library.gallery.facade import QUEUES, Gallery, ReviewQueue
    from photoindex.library.gallery.found_counts import place_parts
    from photoindex.library.gallery.map import Cluster
    from photoindex.library.gallery.result_sets import ORDERS, ResultSet, SetOrder
    from photoindex.library.gallery.shown_photo import ShownPhoto, caption_pieces
    from photoindex.library.gallery.snapshot import Snapshot
    from photoindex.library.gallery.timeline import FILTER_FIELDS, Timeline, TimelineFilter
    from photoindex.media.thumbnail_pool import FULL_SIZE, THUMBNAIL_SIZES, Dropped
    from photoindex.search.sureness import NEAR

__all__ = [
    "FILTER_FIELDS", "FULL_SIZE", "NEAR", "ORDERS", "QUEUES", "THUMBNAIL_SIZES", "WHATS", "Album",
    "Cluster", "Dropped", "Edit", "Gallery", "ResultSet", "ReviewQueue", "SetOrder", "ShownPhoto", "Snapshot",
    "Timeline", "TimelineFilter", "What", "caption_pieces", "place_parts",
]  # fmt: skip

_HOMES = {
    "photoindex.catalogue.editor": ("Edit",),
    "photoindex.catalogue.albums": ("Album",),
    "photoindex.library.gallery.batch_plans": ("WHATS", "What"),
    "photoindex.library.gallery.facade": ("QUEUES", "Gallery", "ReviewQueue"),
    "photoindex.library.gallery.found_counts": ("place_parts",),
    "photoindex.library.gallery.map": ("Cluster",),
    "photoindex.library.gallery.result_sets": ("ORDERS", "ResultSet", "SetOrder"),
    "photoindex.library.gallery.shown_photo": ("ShownPhoto", "caption_pieces"),
    "photoindex.library.gallery.snapshot": ("Snapshot",),
    "photoindex.library.gallery.timeline": ("FILTER_FIELDS", "Timeline", "TimelineFilter"),
    "photoindex.search.sureness": ("NEAR",),
    "photoindex.media.thumbnail_pool": ("FULL_SIZE", "THUMBNAIL_SIZES", "Dropped"),
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = names_of(__name__, {name: home for home, names in _HOMES.items() for name in names})
