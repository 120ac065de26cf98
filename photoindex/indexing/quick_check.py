"""Finds out that there is nothing to do, which is what most runs of ``photoindex index`` find.

It asks in plain SQL and imports little: what doing something needs (SQLAlchemy, NumPy, Whoosh, Pillow) takes longer to
import than tens of thousands of files take to compare. Whatever is not plainly as it was left is the business of
:mod:`photoindex.indexing.indexer`, which then looks at everything itself.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from photoindex.catalogue.database import Database
from photoindex.catalogue.fast_queries import (
    Root,
    is_work_left,
    known_states,
    list_roots,
    note_reconciled,
    sidecar_states,
)
from photoindex.config import Settings
from photoindex.errors import FolderError
from photoindex.folders.compare import sift
from photoindex.folders.filters import PhotoFilter
from photoindex.folders.ignore import IgnoreFiles
from photoindex.folders.walk import walk
from photoindex.search.fulltext.generations import is_complete
from photoindex.system.paths import absolute, root_of
from photoindex.types import IndexReport, Progress, ScannedFile


def nothing_to_do(
    database: Database,
    settings: Settings,
    paths: Sequence[Path],
    stop: threading.Event,
    report: Callable[[Progress], None] | None = None,
) -> IndexReport | None:
    """The report on folders in which all is as it was left, when nothing waits to be done either; ``None`` when there
    may be something to do, found out with the first difference."""
    started = time.monotonic()
    if not is_complete(settings.index_path):
        return None
    with database.ask() as asker:
        if is_work_left(asker):
            return None
        roots = list_roots(asker)
    seen = 0
    whole: list[Root] = []
    for place in map(absolute, paths):
        root = root_of(roots, place)
        try:
            # Where a root is doubted, or on another device than before, there is more to be judged than its files.
            if stop.is_set() or root is None or root.suspended or os.stat(place).st_dev != root.device:
                return None
            found = _count_unchanged(database, settings, place, report)
        except (FolderError, OSError):
            return None
        if found is None:
            return None
        seen += found
        if place == root.path:
            whole.append(root)
    for root in whole:
        database.change(note_reconciled, root.id)
    return IndexReport(seen=seen, unchanged=seen, seconds=time.monotonic() - started)


def _count_unchanged(
    database: Database, settings: Settings, place: Path, report: Callable[[Progress], None] | None
) -> int | None:
    """How many photos a folder has, all of them as they are known to be; ``None`` when something is not, or cannot be
    read. Raises :class:`FolderError`, OSError."""
    with database.ask() as asker:
        known, sidecars = known_states(asker, place), sidecar_states(asker, place)
    problems: list[object] = []
    photo_filter = PhotoFilter(settings.hidden_files, IgnoreFiles(problems.append))

    def each(seen: int, path: str) -> None:
        if report is not None:
            report(Progress("scanning", seen, seen, Path(path), counting=True))

    try:
        met = walk(place, photo_filter, lambda path, error: problems.append(error))
        sifted = sift(met, known, sidecars, _differs, each)
    except _Different:
        return None
    return None if known or sifted.beside or problems else sifted.seen


class _Different(Exception):
    """A file is new or not as it was known to be."""


def _differs(path: str, found: os.stat_result, beside: str) -> ScannedFile:
    raise _Different
