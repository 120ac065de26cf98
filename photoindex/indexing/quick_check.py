"""Find out that there is nothing to do, which is the result of most runs of ``photoindex index``.

Asks in plain SQL and imports little: what doing something needs (SQLAlchemy, NumPy, Pillow) takes longer to
import than tens of thousands of files take to compare. Where there may be something to do, the walks that were made are
left for :mod:`photoindex.indexing.indexer`, which need not make them again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from photoindex.catalogue.database import Database
from photoindex.catalogue.fast_queries import Root, is_work_left, list_roots, note_reconciled
from photoindex.config import Settings
from photoindex.errors import FolderError
from photoindex.folders.filters import PhotoFilter
from photoindex.folders.ignore import IgnoreFiles
from photoindex.indexing.root_disks import other_device
from photoindex.indexing.tree_walk import TreeWalk, nested, walk_tree
from photoindex.media.text.reader_version import TEXT_READER, is_installed
from photoindex.search.fulltext.cursor import unseen_removals
from photoindex.search.fulltext.generations import is_complete
from photoindex.system.file_state import device_of
from photoindex.system.paths import absolute, root_of
from photoindex.system.storage import is_there, stat
from photoindex.system.url_paths import is_url
from photoindex.types import IndexReport, Progress


class QuickCheck:
    """One check of some folders. ``photo_filter`` and ``walks`` (by place) are for an :class:`.indexer.Indexer`."""

    def __init__(self, database: Database, settings: Settings, notice: Callable[[str], None] = lambda _: None) -> None:
        self.walks: dict[Path, TreeWalk] = {}
        self.photo_filter = PhotoFilter(settings.hidden_files, settings.own_folders, IgnoreFiles(self._warn))
        self._database = database
        self._settings = settings
        self._notice = notice
        self._warned = False

    def nothing_to_do(
        self, paths: Sequence[Path], stop: threading.Event, report: Callable[[Progress], None] | None = None
    ) -> IndexReport | None:
        """Return the report on folders in which all is as it was, when no other work waits; ``None`` when there may be
        something to do, as soon as that is known."""
        started = time.monotonic()
        if not is_complete(self._settings.index_path):
            return None
        with self._database.ask() as asker:
            if is_work_left(asker, _text_reader(self._settings), closely=self._settings.read_text == "always"):
                return None
            if not self._database.is_shared and unseen_removals(asker, self._settings.index_path) is not None:
                return None
            roots = list_roots(asker)
        seen = 0
        whole: list[Root] = []
        places = list(map(absolute, paths))
        within = nested(places)
        inner = set().union(*within.values())
        for place in places:
            root = root_of(roots, place)
            try:
                # A suspended root, or one on another device than before, needs more than a comparison of its files.
                if stop.is_set() or root is None or root.suspended or device_of(stat(place)) != root.device:
                    return None
                if any(other_device(other) is not None for other in roots if place in other.path.parents):
                    return None
                if is_url(place) and not is_there(place):  # an emptied prefix, or one that is none
                    return None
                walked = walk_tree(self._database, self.photo_filter, place, report, within.get(place, ()))
            except (FolderError, OSError):
                return None
            if not walked.found_nothing_new or self._warned:
                if place not in inner:  # that of a folder around it changes what is known there
                    self.walks[place] = walked
                return None
            seen += walked.counted
            if place == root.path:
                whole.append(root)
        for root in whole:
            self._database.change(note_reconciled, root.id)
        return IndexReport(seen=seen, unchanged=seen, seconds=time.monotonic() - started)

    def _warn(self, line: str) -> None:
        self._warned = True
        self._notice(line)


def _text_reader(settings: Settings) -> int:
    """Return the version of the reader of text; 0 when none reads."""
    return TEXT_READER if settings.read_text != "never" and is_installed() else 0
