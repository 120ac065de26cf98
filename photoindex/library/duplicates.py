"""Photos that exist several times: the same bytes in several files, or other bytes that look alike.

Nothing is ever removed, here or anywhere in photoindex.
"""

from __future__ import annotations

import dataclasses
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Final

import numpy as np

from photoindex.catalogue import fingerprints
from photoindex.catalogue.albums import distinct_pairs
from photoindex.catalogue.database import Database
from photoindex.catalogue.fingerprints import HeldPhoto
from photoindex.config import Settings
from photoindex.errors import PhotoError
from photoindex.folders.walk import file_stat
from photoindex.library.hamming import NearStrings
from photoindex.media.decode import Decoder
from photoindex.system.file_state import sha256_of
from photoindex.system.paths import is_in_any
from photoindex.system.presence import files_at, is_present, leads_over_link
from photoindex.system.units import counted
from photoindex.types import Duplicate, Progress

DECODED_SIZE = 256  # pixels a side; a fingerprint hardly depends on it
SAVED_TOGETHER = 64
NO_FINGERPRINTS: Final = np.empty(0, np.int64), np.empty((0, 16), np.uint8)


def find_duplicates(
    database: Database,
    near: int | None = None,
    below: Sequence[Path] = (),
    notice: Callable[[str], None] = lambda _: None,
    decided: bool = False,
) -> list[tuple[Duplicate, ...]]:
    """Return groups of files, the best of each first: the most pixels, then the most bytes, then the first path.

    Only files that are there now are listed. Several paths of one file are one entry; see
    :func:`photoindex.system.presence.files_at`. ``near`` is the number of bits in which fingerprints may differ from
    the best one's; with ``None`` only copies are found, files with the same bytes. With ``below``, only groups that
    have a file at or below one of these paths. Groups are sorted by their first path. A photo is in one group at most:
    that of the best photo it is near to. Groups of which a person said that they are no duplicates, of every two photos
    or, of copies, of the one photo, are left out; with ``decided`` they are the only ones.
    """
    with database.read() as connection:
        ids, prints = fingerprints.fingerprints(connection) if near is not None else NO_FINGERPRINTS
        chosen = {*fingerprints.photos_with_copies(connection), *ids.tolist()}
        known = fingerprints.held_photos(connection, sorted(chosen))
        distinct = distinct_pairs(connection)
    held = _present(known, notice)
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
        group = _group(sorted((held[photo_id] for photo_id in alike), key=_worth), alike)
        if (
            len(group) > 1
            and decided == _is_decided(group, distinct)
            and (not below or any(is_in_any(path, below) for each in group for path in _paths(each)))
        ):
            groups.append(group)
    return sorted(groups, key=lambda group: group[0].path)


def _is_decided(group: Sequence[Duplicate], distinct: set[tuple[int, int]]) -> bool:
    """Return whether a person said of all photos of a group that they are no duplicates."""
    ids = sorted({each.photo_id for each in group})
    pairs = list(combinations(ids, 2)) if len(ids) > 1 else []
    copied = [(number, number) for number, files in Counter(each.photo_id for each in group).items() if files > 1]
    return distinct.issuperset([*pairs, *copied])


def verified(
    groups: Sequence[tuple[Duplicate, ...]],
    progress: Callable[[Progress], None] | None = None,
    notice: Callable[[str], None] = lambda _: None,
    stop: threading.Event | None = None,
) -> list[tuple[Duplicate, ...]]:
    """Return the groups without files whose bytes cannot be read now, or are no longer those that the library knows.

    What is left of each group are files that hold what they are listed for, whatever their sizes and times say.
    """
    total = sum(map(len, groups))
    kept: list[tuple[Duplicate, ...]] = []
    done = left_out = 0
    for group in groups:
        whole = []
        for each in group:
            if stop is not None and stop.is_set():
                return []
            if _hash(each.path) == each.content_hash:
                whole.append(each)
            else:
                left_out += 1
            done += 1
            if progress is not None:
                progress(Progress("verifying", done, total, each.path))
        if len(whole) > 1:
            kept.append(tuple(whole))
    if left_out:
        notice(
            f"{counted(left_out, 'file')} left out: not readable, or changed since the last index; run "
            "`photoindex index` on the folders"
        )
    return kept


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


def _present(known: Mapping[int, HeldPhoto], notice: Callable[[str], None]) -> dict[int, HeldPhoto]:
    """Return the photos with the paths where a file is now, without photos that have none."""
    there = {photo.id: tuple(filter(is_present, photo.paths)) for photo in known.values()}
    gone = sum(len(photo.paths) - len(there[photo.id]) for photo in known.values())
    if gone:
        notice(
            f"{counted(gone, 'file')} left out: not there now; run `photoindex index` on the folders where they were, "
            "or where they are now"
        )
    return {photo.id: dataclasses.replace(photo, paths=there[photo.id]) for photo in known.values() if there[photo.id]}


def _group(members: Sequence[HeldPhoto], distances: Mapping[int, int]) -> tuple[Duplicate, ...]:
    """Return the files of photos that are alike, each once; of a photo those that are reached without a link first."""
    holders = {path: member for member in members for path in sorted(member.paths, key=leads_over_link)}
    return tuple(
        _duplicate(holders[path], path, tuple(links), distances[holders[path].id]) for path, *links in files_at(holders)
    )


def _duplicate(photo: HeldPhoto, path: Path, also_at: tuple[Path, ...], distance: int) -> Duplicate:
    return Duplicate(
        path, photo.id, photo.content_hash, photo.bytes, photo.width, photo.height, photo.format, distance, also_at
    )


def _paths(file: Duplicate) -> tuple[Path, ...]:
    return file.path, *file.also_at


def _hash(path: Path) -> str | None:
    """Return the SHA-256 of a regular file, ``None`` for one that cannot be read."""
    if not is_present(path):
        return None
    try:
        return sha256_of(path)
    except OSError:
        return None


def _is_as_it_was(path: Path, known: fingerprints.Unprinted) -> bool:
    try:
        now = file_stat(path)
    except OSError:
        return False
    return now is not None and known.stat.is_unchanged(now)
