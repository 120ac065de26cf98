"""The library as a program sees it: everything that the command line and the web pages may use.

Each name is imported from its package when it is first used: a search needs few of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from photoindex.system.lazy_imports import names_of

if TYPE_CHECKING:
    from photoindex.captioner import (
        DEFAULT_MODEL,
        Captioner,
        check_is_model,
        load_captioner,
        model_folder,
        model_setting,
        shipped_models,
    )
    from photoindex.captioner.cached import RememberingCaptioner
    from photoindex.captioner.checkpoint import load_checkpoint
    from photoindex.captioner.device import choose_device, describe
    from photoindex.captioner.model_files import inspect_folder
    from photoindex.catalogue.albums import Album, Albums
    from photoindex.catalogue.backup_files import check_not_lost
    from photoindex.catalogue.batches import Batch, Batches
    from photoindex.catalogue.corrections import UserMetadata
    from photoindex.catalogue.database import Database
    from photoindex.catalogue.editor import Edit, Editor
    from photoindex.catalogue.jobs import Priority
    from photoindex.catalogue.opening import open_catalogue
    from photoindex.catalogue.stats import Stats
    from photoindex.catalogue.status import RootStatus, Status, WatcherStatus
    from photoindex.catalogue.text import TextCounts
    from photoindex.exchange.exchange import Exchange, ImportReport, SidecarReport, lines_of
    from photoindex.exchange.sidecars import SidecarChange
    from photoindex.indexing.missing_photos import remedy
    from photoindex.indexing.recaption import Plan
    from photoindex.library.captions import caption_files
    from photoindex.library.facade import Library, open
    from photoindex.media.decode.readers import Reader, list_readers
    from photoindex.media.metadata.dates import offset_text
    from photoindex.search.query.parser import respell
    from photoindex.search.ranking.highlight import marked, marked_caption
    from photoindex.search.ranking.read_lines import lines_with, read_words
    from photoindex.search.ranking.weights import DEFAULT_RANKING
    from photoindex.search.sureness import NEAR

__all__ = [
    "DEFAULT_MODEL",
    "DEFAULT_RANKING",
    "NEAR",
    "Album",
    "Albums",
    "Batch",
    "Batches",
    "Captioner",
    "Database",
    "Edit",
    "Editor",
    "Exchange",
    "ImportReport",
    "Library",
    "Plan",
    "Priority",
    "Reader",
    "RememberingCaptioner",
    "RootStatus",
    "SidecarChange",
    "SidecarReport",
    "Stats",
    "Status",
    "TextCounts",
    "UserMetadata",
    "WatcherStatus",
    "caption_files",
    "check_is_model",
    "check_not_lost",
    "choose_device",
    "describe",
    "inspect_folder",
    "lines_of",
    "lines_with",
    "list_readers",
    "load_captioner",
    "load_checkpoint",
    "marked",
    "marked_caption",
    "model_folder",
    "model_setting",
    "offset_text",
    "open",
    "open_catalogue",
    "read_words",
    "remedy",
    "respell",
    "shipped_models",
]

_HOMES = {
    "photoindex.captioner": (
        "Captioner",
        "DEFAULT_MODEL",
        "check_is_model",
        "load_captioner",
        "model_folder",
        "model_setting",
        "shipped_models",
    ),
    "photoindex.captioner.cached": ("RememberingCaptioner",),
    "photoindex.captioner.checkpoint": ("load_checkpoint",),
    "photoindex.captioner.device": (
        "choose_device",
        "describe",
    ),
    "photoindex.captioner.model_files": ("inspect_folder",),
    "photoindex.catalogue.albums": ("Album", "Albums"),
    "photoindex.catalogue.backup_files": ("check_not_lost",),
    "photoindex.catalogue.batches": (
        "Batch",
        "Batches",
    ),
    "photoindex.catalogue.corrections": ("UserMetadata",),
    "photoindex.catalogue.database": ("Database",),
    "photoindex.catalogue.editor": (
        "Edit",
        "Editor",
    ),
    "photoindex.catalogue.jobs": ("Priority",),
    "photoindex.catalogue.opening": ("open_catalogue",),
    "photoindex.catalogue.stats": ("Stats",),
    "photoindex.catalogue.status": (
        "RootStatus",
        "Status",
        "WatcherStatus",
    ),
    "photoindex.catalogue.text": ("TextCounts",),
    "photoindex.exchange.exchange": (
        "Exchange",
        "ImportReport",
        "SidecarReport",
        "lines_of",
    ),
    "photoindex.exchange.sidecars": ("SidecarChange",),
    "photoindex.indexing.missing_photos": ("remedy",),
    "photoindex.indexing.recaption": ("Plan",),
    "photoindex.library.captions": ("caption_files",),
    "photoindex.library.facade": (
        "Library",
        "open",
    ),
    "photoindex.media.decode.readers": (
        "Reader",
        "list_readers",
    ),
    "photoindex.media.metadata.dates": ("offset_text",),
    "photoindex.search.query.parser": ("respell",),
    "photoindex.search.ranking.highlight": ("marked", "marked_caption"),
    "photoindex.search.sureness": ("NEAR",),
    "photoindex.search.ranking.read_lines": (
        "lines_with",
        "read_words",
    ),
    "photoindex.search.ranking.weights": ("DEFAULT_RANKING",),
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = names_of(__name__, {name: home for home, names in _HOMES.items() for name in names})
