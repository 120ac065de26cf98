"""Photos that are there several times: the same bytes in several files, or other bytes that look alike.

Nothing is ever removed, here or anywhere in photoindex.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from photoindex.catalogue import fingerprints
from photoindex.catalogue.database import Database
from photoindex.catalogue.fingerprints import HeldPhoto
from photoindex.config import Settings
from photoindex.errors import PhotoError
from photoindex.folders.walk import file_stat
from photoindex.library.hamming import NearStrings
from photoindex.media.decode import Decoder
from photoindex.system.paths import is_in_any
from photoindex.types import Duplicate, Progress

DECODED_SIZE = 256  # pixels a side; a fingerprint hardly depends on it
SAVED_TOGETHER = 64
NO_FINGERPRINTS: Final = np.empty(0, np.int64), np.empty((0, 16), np.uint8)


def find_duplicates(
    database: Database, near: int | None = None, below: Sequence[Path] = ()
) -> list[tuple[Duplicate, ...]]:
    """Groups of files, the best of each first: the most pixels, then the most bytes, then the first path.

    ``near`` is the number of bits in which fingerprints may differ from the best one's; with ``None`` only copies are
    found, files with the same bytes. With ``below``, only groups that have a file at or below one of these paths.
    Groups are sorted by their first path. A photo is in one group at most: that of the best photo it is near to.
    """
    with database.read() as connection:
        ids, prints = fingerprints.fingerprints(connection) if near is not None else NO_FINGERPRINTS
        chosen = {*fingerprints.photos_with_copies(connection), *ids.tolist()}
        held = fingerprints.held_photos(connection, sorted(chosen))
    index = NearStrings(prints, near or 0)
    rows = {photo_id: row for row, photo_id in enumerate(ids.tolist())}
    groups = []
    taken: set[int] = set()
    for photo in sorted(held.values(), key=_worth):
        if photo.id in taken:
            continue
        alike = {photo.id: 0}
        if photo.id in rows:
            near_rows, bits = index.near(rows[photo.id])
            alike.update(zip(ids[near_rows].tolist(), bits.tolist(), strict=True))
        alike = {
            photo_id: distance for photo_id, distance in alike.items() if photo_id in held and photo_id not in taken
        }
        taken.update(alike)
        members = sorted((held[photo_id] for photo_id in alike), key=_worth)
        group = tuple(_duplicate(member, path, alike[member.id]) for member in members for path in member.paths)
        if len(group) > 1 and (not below or any(is_in_any(each.path, below) for each in group)):
            groups.append(group)
    return sorted(groups, key=lambda group: group[0].path)


def complete_fingerprints(
    database: Database,
    settings: Settings,
    progress: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
) -> int:
    """Decode the photos that were captioned before there were fingerprints; returns how many still have none.

    Those are photos whose file cannot be read or has changed since; the next indexing looks after them. What was done
    is kept when ``stop`` ends it early.
    """
    with database.read() as connection:
        lacking = {each.path: each for each in fingerprints.without_fingerprint(connection)}
    if not lacking:
        return 0
    done = 0
    found: list[tuple[int, bytes]] = []
    with Decoder.by_settings(settings, DECODED_SIZE) as decoder:
        for number, (path, answer) in enumerate(decoder.decode(list(lacking)), start=1):
            if not isinstance(answer, PhotoError) and _is_as_it_was(path, lacking[path]):
                found.append((lacking[path].photo_id, answer.fingerprint))
            stopped = stop is not None and stop.is_set()
            if len(found) >= SAVED_TOGETHER or stopped or number == len(lacking):
                with database.write() as connection:
                    fingerprints.save_fingerprints(connection, found)
                done += len(found)
                found = []
            if progress is not None:
                progress(Progress("comparing photos", number, len(lacking), path))
            if stopped:
                break
    return len(lacking) - done


def _worth(photo: HeldPhoto) -> tuple[int, int, Path]:
    return -(photo.width or 0) * (photo.height or 0), -photo.bytes, photo.paths[0]


def _duplicate(photo: HeldPhoto, path: Path, distance: int) -> Duplicate:
    return Duplicate(
        path, photo.id, photo.content_hash, photo.bytes, photo.width, photo.height, photo.format, distance
    )  # fmt: skip


def _is_as_it_was(path: Path, known: fingerprints.Unprinted) -> bool:
    try:
        now = file_stat(path)
    except OSError:
        return False
    return now is not None and (now.size, now.mtime_ns) == (known.stat.size, known.stat.mtime_ns)
