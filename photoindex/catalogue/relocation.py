"""Forget the files below a path, or move them to another path.

Every function takes an open transaction and is one step of it. Paths are absolute.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, exists, func, insert, or_, select, true, update

from photoindex.catalogue import raw_pairs
from photoindex.catalogue.chunks import chunks
from photoindex.catalogue.column_types import PathText
from photoindex.catalogue.fast_queries import PRESENT, FileRow, Root, files_below, known_states, list_roots, rows_below
from photoindex.catalogue.files import stored_rows_at
from photoindex.catalogue.many_rows import among
from photoindex.catalogue.mounted import check_new_root, mounts_of
from photoindex.catalogue.photos import mark_text_stale
from photoindex.catalogue.schema import (
    album_photo,
    caption,
    catalogue,
    correction,
    distinct_pair,
    file,
    photo,
    root,
    term,
)  # fmt: skip
from photoindex.system.clock import utc_now
from photoindex.system.file_state import device_of
from photoindex.system.paths import is_at_or_below, native_path, root_of
from photoindex.system.storage import stat
from photoindex.types import ForgetPlan
from photoindex.types.term_sources import TAG_SOURCE

DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file as it is stored: its path and its size in bytes."""

    path: Path
    size: int


def plan_forget(connection: Connection, place: Path) -> ForgetPlan:
    """Count what :func:`forget` would remove."""
    roots = list_roots(connection)
    rows = [row for _, row in files_below(connection, place)]
    orphans = _held_by_these_alone(connection, rows)
    inside = root_of([each for each in roots if each.path in place.parents], place)
    missing = sum(row.missing for row in rows)
    return ForgetPlan(
        path=place,
        roots=tuple(each.path for each in roots if is_at_or_below(each.path, place)),
        present=len(rows) - missing,
        missing=missing,
        photos=len(orphans),
        by_people=_count_by_people(connection, orphans),
        inside=None if inside is None else inside.path,
    )


def forget(connection: Connection, place: Path) -> int:
    """Remove the files and roots at or below a path, and the photos that no file holds any more with all that is known
    of them; return how many photos that were.

    All of it is one transaction: a photo without a file may also be one whose file was overwritten, which is kept, so
    that none that is left over could be told apart later. The full-text index learns of it by the change feed.
    """
    rows = [row for _, row in files_below(connection, place)]
    orphans = _held_by_these_alone(connection, rows)
    ids = [row.id for row in rows]
    mark_text_stale(connection, sorted({row.photo_id for row in rows if row.photo_id is not None}))
    raw_pairs.release(connection, ids)
    for chunk in chunks(ids):
        connection.execute(delete(file).where(file.c.id.in_(chunk)))
    gone = [each.id for each in list_roots(connection) if is_at_or_below(each.path, place)]
    connection.execute(delete(root).where(root.c.id.in_(gone)))
    held = exists().where(file.c.photo_id == photo.c.id)  # by now: a worker elsewhere may have met a copy
    deleted = 0
    for chunk in chunks(orphans):
        deleted += connection.execute(delete(photo).where(photo.c.id.in_(chunk), ~held)).rowcount
    if deleted:  # a matrix made before has terms of photos that are gone, and must not be used again
        connection.execute(update(catalogue).values(vector_revision=catalogue.c.vector_revision + 1))
    return deleted


def present_files(connection: Connection, place: Path) -> list[StoredFile]:
    """Return the files at or below a path that were present when last seen."""
    return [StoredFile(Path(path), numbers[0]) for path, numbers in known_states(connection, place).items()]


def files_last_gone(connection: Connection, place: Path) -> list[StoredFile]:
    """Return the files at or below a path that are missing and went within a day of the last one.

    Others were deleted long before, and are at no new place.
    """
    gone = [
        (_utc(since), StoredFile(Path(start + native_path(bytes(relative))), size))
        for start, rows in rows_below(connection, place, "relative_path, size, missing_since", f"not ({PRESENT})")
        for relative, size, since in rows
    ]
    last = max((since for since, _ in gone), default=None)
    return [each for since, each in gone if last is not None and last - since < DAY]


def move_tree(connection: Connection, old: Path, new: Path) -> int:
    """Move all files and roots at or below ``old`` to ``new``, which exists; return how many files moved.

    Their photos, captions, failures and batches stay with them. A file that is already known at its new place keeps
    that row. A root that comes to lie in another one becomes part of it, so that no path has two rows. Change times are
    deleted, as a copy has other ones.

    Raises :class:`FolderError` when the setting ``mounts`` gives ``new`` to another folder.
    """
    check_new_root(mounts_of(connection), new)
    roots = list_roots(connection)
    staying = [each for each in roots if not is_at_or_below(each.path, old)]
    moved: set[int] = set()
    count = 0
    for each in [each for each in roots if is_at_or_below(each.path, old)]:
        target = new / each.path.relative_to(old)
        inside_another = root_of(staying, target) is not None
        # Of a root that does not move and lies inside the new place, the files there are that root's.
        theirs = [
            (path, row)
            for path, row in _files_of(connection, each)
            if inside_another or root_of(staying, target / path.relative_to(each.path)) is not None
        ]
        count += _rewrite(connection, theirs, each.path, target, moved)
        if inside_another:
            connection.execute(delete(root).where(root.c.id == each.id))
            continue
        count += _note_moved(connection, each, moved)
        values = {"path": str(target), "device": _device(target), "suspended_at": None, "suspended_photos": None}
        connection.execute(update(root).where(root.c.id == each.id).values(**values))
    inside = list(files_below(connection, old))
    if inside:
        if root_of(list_roots(connection), new) is None:
            added = {"path": str(new), "device": _device(new), "added_at": utc_now()}
            connection.execute(insert(root).values(**added))
        count += _rewrite(connection, inside, old, new, moved)
    mark_text_stale(connection, sorted(moved))
    return count


def has_nested_roots(connection: Connection) -> bool:
    """Return whether a root lies inside another one."""
    paths = {each.path for each in list_roots(connection)}
    return any(not paths.isdisjoint(path.parents) for path in paths)


def give_to_deepest_roots(connection: Connection) -> int:
    """Give each file to the deepest root that it lies below; return how many files another root had.

    Where both roots have a row of one path, the row of the deepest root stays: only that one is compared with the disk.
    """
    roots = list_roots(connection)
    moved: set[int] = set()
    count = 0
    for inner in roots:
        above = [each.id for each in roots if each.path in inner.path.parents]
        if above:
            theirs = list(files_below(connection, inner.path, f"root_id in ({', '.join(map(str, above))})"))
            count += _rewrite(connection, theirs, inner.path, inner.path, moved)
    mark_text_stale(connection, sorted(moved))
    return count


def taken_over(connection: Connection, place: Path, roots: Iterable[Root]) -> list[Root]:
    """Return those of these roots most of whose photos are held by files at or below ``place`` as well."""
    here = {row.photo_id for _, row in files_below(connection, place, PRESENT)}
    inner = []
    for each in roots:
        rows = (row for _, row in files_below(connection, each.path, PRESENT))
        held = [row.photo_id for row in rows if row.photo_id is not None]
        if held and 2 * sum(photo_id in here for photo_id in held) > len(held):
            inner.append(each)
    return inner


def _files_of(connection: Connection, owner: Root) -> Iterable[tuple[Path, FileRow]]:
    """Return (path, row) for the files of one root, without those of roots inside it."""
    return ((path, row) for path, row in files_below(connection, owner.path) if row.root_id == owner.id)


def _note_moved(connection: Connection, owner: Root, moved: set[int]) -> int:
    """Prepare the files of a root for its new path; return how many they are."""
    its_files = file.c.root_id == owner.id
    held = connection.execute(select(file.c.photo_id).where(its_files, file.c.photo_id.is_not(None))).scalars()
    moved.update(held)
    return connection.execute(update(file).where(its_files).values(ctime_ns=None)).rowcount


def _rewrite(
    connection: Connection, rows: Sequence[tuple[Path, FileRow]], old: Path, new: Path, moved: set[int]
) -> int:
    """Give files other paths, a chunk at a time; return how many."""
    roots = list_roots(connection)
    statement = update(file).where(file.c.id == bindparam("moved_id")).values(
        root_id=bindparam("owner"), relative_path=bindparam("name", type_=PathText), shot=bindparam("new_shot"),
        ctime_ns=None,
    )  # fmt: skip
    for chunk in chunks(rows):
        places = {}
        for path, row in chunk:
            target = new / path.relative_to(old)
            owner = root_of(roots, target)
            assert owner is not None, f"{target} is below no root"
            places[(owner.id, target.relative_to(owner.path).as_posix())] = row
        known = {place: there for place, there in stored_rows_at(connection, places).items() if place in places}
        superseded: dict[int, int] = {}  # the row that goes -> the one that stays
        for place, there in known.items():
            # A file that was known there and is gone says nothing of the one that is there now.
            replaced = there.missing_since is not None and not places[place].missing
            superseded.update([(there.id, places[place].id) if replaced else (places[place].id, there.id)])
            if there.photo_id is not None:
                moved.add(there.photo_id)
        for before, after in superseded.items():
            connection.execute(update(file).where(file.c.main_id == before).values(main_id=after))
        for each in chunks(superseded):
            connection.execute(delete(file).where(file.c.id.in_(each)))
        values = [
            {"moved_id": row.id, "owner": owner_id, "name": name, "new_shot": raw_pairs.shot_of(name)}
            for (owner_id, name), row in places.items()
            if row.id not in superseded
        ]
        if values:
            connection.execute(statement, values)
        moved.update(row.photo_id for row in places.values() if row.photo_id is not None)
    return len(rows)


def _held_by_these_alone(connection: Connection, rows: Sequence[FileRow]) -> list[int]:
    """Return the photos of these files that no other file holds, present or missing."""
    here: dict[int, int] = {}
    for row in rows:
        if row.photo_id is not None:
            here[row.photo_id] = here.get(row.photo_id, 0) + 1
    alone = []
    for chunk in chunks(here):
        query = select(file.c.photo_id, func.count()).where(file.c.photo_id.in_(chunk)).group_by(file.c.photo_id)
        alone += [photo_id for photo_id, count in connection.execute(query) if count == here[photo_id]]
    return alone


def _count_by_people(connection: Connection, photo_ids: Sequence[int]) -> int:
    """Return how many of these photos have anything that people said of them or did with them."""
    touched: set[int] = set()
    marked = or_(photo.c.own_rating.is_not(None), photo.c.favourite, photo.c.hidden, photo.c.review.is_not(None))
    for column, by_people in (
        (caption.c.photo_id, or_(caption.c.source == "user", caption.c.locked)),
        (term.c.photo_id, term.c.source == TAG_SOURCE),
        (correction.c.photo_id, true()),
        (album_photo.c.photo_id, true()),
        (distinct_pair.c.first_id, true()),
        (distinct_pair.c.second_id, true()),
        (photo.c.id, marked),
    ):
        touched |= among(connection, column, photo_ids, by_people)
    return len(touched)


def _utc(stored: Any) -> datetime:
    """Return a time as plain SQL gives it: text in SQLite, a datetime in PostgreSQL."""
    moment = datetime.fromisoformat(stored) if isinstance(stored, str) else stored
    return moment.replace(tzinfo=None)  # both are UTC


def _device(folder: Path) -> int | None:
    try:
        return device_of(stat(folder))
    except OSError:
        return None
