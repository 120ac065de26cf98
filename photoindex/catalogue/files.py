"""Queries about roots and files: which paths are known, what they hold, where they went.

Every function takes an open transaction and is one step of it. Paths are absolute.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, literal, or_, select, update

from photoindex.catalogue import jobs, raw_pairs
from photoindex.catalogue.chunks import chunks
from photoindex.catalogue.photos import mark_text_stale
from photoindex.catalogue.schema import UtcTime, file, job, photo, root
from photoindex.system.clock import utc_now
from photoindex.system.paths import root_of
from photoindex.types import FileStat, ScannedFile


@dataclass(frozen=True, slots=True)
class Root:
    """A folder the user named. ``device`` is the st_dev it was last seen on. Of a suspended one ``suspended_photos``
    vanished at once at ``suspended_at`` and are kept."""

    id: int
    path: Path
    device: int | None
    mode: str | None
    last_reconcile_at: datetime | None
    suspended_at: datetime | None = None
    suspended_photos: int | None = None


@dataclass(frozen=True, slots=True)
class WatchNote:
    """What the watcher of a root last said: why it is polled (``reason``), by whom (a jobqueue.owner_name(), ``None``:
    nobody now) and when that was noted, the watches held, the files that settle, the last event."""

    reason: str | None
    watcher: str | None
    seen_at: datetime | None
    watches: int | None
    settling: int | None
    last_event_at: datetime | None


def list_roots(connection: Connection) -> list[Root]:
    """All roots, by path."""
    columns = (root.c.device, root.c.mode, root.c.last_reconcile_at, root.c.suspended_at, root.c.suspended_photos)
    rows = connection.execute(select(root.c.id, root.c.path, *columns))
    return sorted((Root(row[0], Path(row[1]), *row[2:]) for row in rows), key=lambda found: found.path)


def ensure_root(connection: Connection, path: Path) -> Root:
    """The root that ``path`` (a folder) belongs to: the deepest one at or above it, or a new one at ``path``."""
    found = root_of(list_roots(connection), path)
    if found is not None:
        return found
    device = path.stat().st_dev
    added = connection.execute(insert(root).values(path=str(path), device=device, added_at=utc_now()))
    assert added.inserted_primary_key is not None
    return Root(added.inserted_primary_key[0], path, device, None, None)


def note_mode(connection: Connection, root_id: int, mode: str, reason: str | None) -> None:
    """Remember how a root is watched and, when it is polled, why."""
    connection.execute(update(root).where(root.c.id == root_id).values(mode=mode, mode_reason=reason))


def note_reconciled(connection: Connection, root_id: int, device: int) -> None:
    """Remember that all of a root was just compared, and on which device (st_dev) it was."""
    connection.execute(update(root).where(root.c.id == root_id).values(device=device, last_reconcile_at=utc_now()))


def note_suspended(connection: Connection, root_id: int, photos: int | None) -> None:
    """Remember that so many photos of a root vanished at once and are kept; ``None``: it is not suspended."""
    since = None if photos is None else func.coalesce(root.c.suspended_at, literal(utc_now(), UtcTime))
    connection.execute(update(root).where(root.c.id == root_id).values(suspended_at=since, suspended_photos=photos))


def note_watcher(
    connection: Connection,
    root_id: int,
    owner: str,
    *,
    watches: int | None,
    settling: int,
    last_event_at: datetime | None,
) -> None:
    """Remember what the watcher ``owner`` says of a root now. Without an event of its own the last one stays known."""
    values: dict[str, object] = {
        "watcher": owner,
        "watcher_seen_at": utc_now(),
        "watches": watches,
        "settling": settling,
    }
    if last_event_at is not None:
        values["last_event_at"] = last_event_at
    connection.execute(update(root).where(root.c.id == root_id).values(**values))


def forget_watcher(connection: Connection, owner: str) -> None:
    """The watcher ``owner`` has ended."""
    ended = {"watcher": None, "watcher_seen_at": utc_now(), "watches": None, "settling": None}
    connection.execute(update(root).where(root.c.watcher == owner).values(**ended))


def watch_notes(connection: Connection) -> dict[int, WatchNote]:
    """What is known of the watching of each root, by its id."""
    columns = (root.c.mode_reason, root.c.watcher, root.c.watcher_seen_at, root.c.watches, root.c.settling,
               root.c.last_event_at)  # fmt: skip
    return {row[0]: WatchNote(*row[1:]) for row in connection.execute(select(root.c.id, *columns))}


def known_files(connection: Connection, below: Path) -> dict[Path, FileStat]:
    """The files at or below a path that were present when last seen."""
    columns = (file.c.size, file.c.mtime_ns, file.c.inode)
    found = {}
    for path, row in _rows_below(connection, below, *columns, file.c.missing_since):
        if row.missing_since is None:
            found[path] = FileStat(row.size, row.mtime_ns, row.inode)
    return found


def note_sidecars(connection: Connection, path: Path, state: str) -> None:
    """Remember with which sidecars a file was read."""
    found = photo_at(connection, path)
    if found is not None:
        connection.execute(update(file).where(file.c.id == found[0]).values(sidecars=state))


def record_files(connection: Connection, scanned: Sequence[ScannedFile]) -> int:
    """Note new and changed files, and files that came back, and queue each for captioning.

    A file that came back unchanged keeps its photo and is not queued; neither is an unchanged one whose failure stands.
    Returns the number of files queued.
    """
    roots = list_roots(connection)
    now = utc_now()
    queued = 0
    for chunk in chunks(scanned):
        places = {}
        for item in chunk:
            owner = root_of(roots, item.path)
            assert owner is not None, f"{item.path} is below no root"
            places[(owner.id, item.path.relative_to(owner.path).as_posix())] = item
        existing = _rows_at(connection, places)
        final = jobs.final_failures(connection, [row.id for row in existing.values()])
        new, known, returned, to_queue = [], [], [], []
        for (root_id, relative), item in places.items():
            row = existing.get((root_id, relative))
            if row is None:
                place = {"root_id": root_id, "relative_path": relative, "shot": raw_pairs.shot_of(relative)}
                new.append({**place, "missing_since": None, **dataclasses.asdict(item.stat)})
                continue
            known.append({"known_id": row.id, **dataclasses.asdict(item.stat)})
            unchanged = (row.size, row.mtime_ns) == (item.stat.size, item.stat.mtime_ns)
            if unchanged and row.photo_id is not None:
                if row.missing_since is not None:
                    returned.append(row)
            elif not (unchanged and row.id in final):
                to_queue.append(row.id)
        if known:
            stat = {name: bindparam(name, type_=file.c[name].type) for name in ("size", "mtime_ns", "inode")}
            seen = update(file).where(file.c.id == bindparam("known_id")).values(missing_since=None, **stat)
            connection.execute(seen, known)
        if new:
            connection.execute(insert(file), new)
            added = [(row["root_id"], row["relative_path"]) for row in new]
            rows = _rows_at(connection, added)
            to_queue += [rows[place].id for place in added]
        mark_text_stale(connection, [row.photo_id for row in returned])
        raw_pairs.settle(connection, [row.id for row in returned])
        jobs.enqueue(connection, to_queue, now)
        queued += len(to_queue)
    return queued


def _rows_at(connection: Connection, places: Iterable[tuple[int, str]]) -> dict[tuple[int, str], Any]:
    """The rows of those of these (root id, relative path) that are known. At most a chunk of them."""
    root_ids, relative = zip(*places, strict=True)
    query = select(file).where(file.c.root_id.in_(set(root_ids)), file.c.relative_path.in_(relative))
    return {(row.root_id, row.relative_path): row for row in connection.execute(query)}


def mark_missing(connection: Connection, paths: Iterable[Path]) -> int:
    """Note that these files are gone; what is known of their photos is kept. Returns how many were known."""
    found = present_below(connection, paths)
    for ids in found.values():
        mark_files_missing(connection, ids)
    return sum(map(len, found.values()))


def present_below(connection: Connection, paths: Iterable[Path]) -> dict[int, list[int]]:
    """Ids of the present files at or below any of these paths, by the root they belong to."""
    found: dict[int, dict[int, None]] = {}
    for path in paths:
        for _, row in _rows_below(connection, path, file.c.id, file.c.root_id, file.c.missing_since):
            if row.missing_since is None:
                found.setdefault(row.root_id, {})[row.id] = None
    return {root_id: list(ids) for root_id, ids in found.items()}


def mark_files_missing(connection: Connection, ids: Sequence[int]) -> None:
    """The same as :func:`mark_missing`, by id."""
    photos: list[int] = []
    for chunk in chunks(ids):
        held = select(file.c.photo_id).where(file.c.id.in_(chunk), file.c.photo_id.is_not(None))
        photos += connection.execute(held).scalars()
        connection.execute(update(file).where(file.c.id.in_(chunk)).values(missing_since=utc_now()))
        # Its bytes changed and were never read: when it comes back, nothing is known of what it holds.
        unread = select(job.c.file_id).where(job.c.kind == jobs.KIND)
        connection.execute(update(file).where(file.c.id.in_(chunk), file.c.id.in_(unread)).values(photo_id=None))
        connection.execute(delete(job).where(job.c.file_id.in_(chunk)))
        raw_pairs.forget_companions(connection, chunk)
        raw_pairs.release(connection, chunk)
    mark_text_stale(connection, photos)


def restore_missing(connection: Connection, root_id: int, since: datetime) -> int:
    """Take files of a root for present again that were found missing at ``since`` or later: they may be back one day.

    Those whose bytes were never read stay missing, as a file that is known is not read again; so do raw files, which
    join their photos when they are back. Returns how many.
    """
    chosen = (file.c.root_id == root_id) & (file.c.missing_since >= since) & file.c.photo_id.is_not(None)
    rows = connection.execute(select(file.c.id, file.c.photo_id).where(chosen)).all()
    connection.execute(update(file).where(chosen).values(missing_since=None))
    mark_text_stale(connection, [row.photo_id for row in rows])
    raw_pairs.settle(connection, [row.id for row in rows])
    return len(rows)


def move(connection: Connection, source: Path, destination: Path) -> int:
    """Follow a rename of a file or a whole folder: the rows keep their photos. Returns how many files moved.

    A file that was at the destination is overwritten by the move, and its row goes.
    """
    roots = list_roots(connection)
    moved = []
    for path, row in list(_rows_below(connection, source, file.c.id, file.c.photo_id, file.c.missing_since)):
        if row.missing_since is not None:
            continue
        target = destination / path.relative_to(source) if path != source else destination
        owner = root_of(roots, target)
        if owner is None:  # moved out of all roots
            mark_missing(connection, [path])
            continue
        relative = target.relative_to(owner.path).as_posix()
        overwritten = connection.execute(
            select(file.c.id, file.c.photo_id).where(file.c.root_id == owner.id, file.c.relative_path == relative)
        ).first()
        if overwritten is not None and overwritten.id != row.id:
            connection.execute(delete(file).where(file.c.id == overwritten.id))
            connection.execute(update(file).where(file.c.main_id == overwritten.id).values(main_id=row.id))
            if overwritten.photo_id is not None:
                mark_text_stale(connection, [overwritten.photo_id])
        place = {"root_id": owner.id, "relative_path": relative, "shot": raw_pairs.shot_of(relative)}
        connection.execute(update(file).where(file.c.id == row.id).values(**place))
        if row.photo_id is not None:
            mark_text_stale(connection, [row.photo_id])
        moved.append(row.id)
    raw_pairs.follow_move(connection, moved)
    return len(moved)


@dataclass(frozen=True, slots=True)
class Link:
    """That a file holds a photo. ``sidecars``: with which ones it was read; ``None`` when that is not known."""

    file_id: int
    photo_id: int
    stat: FileStat
    sidecars: str | None = None


def link_photos(connection: Connection, links: Sequence[Link]) -> None:
    """Say which content files hold; the photos they held before, and these, are marked for the full-text index."""
    if not links:
        return
    marked = {link.photo_id for link in links}
    for chunk in chunks(link.file_id for link in links):
        held = select(file.c.photo_id).where(file.c.id.in_(chunk), file.c.photo_id.is_not(None))
        marked.update(connection.execute(held).scalars())
    columns = ("photo_id", "size", "mtime_ns", "inode")
    statement = update(file).where(file.c.id == bindparam("linked_id"))
    statement = statement.values(missing_since=None, **{name: bindparam(name) for name in columns})
    rows = [{"linked_id": link.file_id, "photo_id": link.photo_id, **dataclasses.asdict(link.stat)} for link in links]
    connection.execute(statement, rows)
    read = [{"read_id": link.file_id, "state": link.sidecars} for link in links if link.sidecars is not None]
    if read:
        statement = update(file).where(file.c.id == bindparam("read_id"), file.c.sidecars != bindparam("state"))
        connection.execute(statement.values(sidecars=bindparam("state")), read)
    mark_text_stale(connection, sorted(marked))


def unlink_photo(connection: Connection, file_id: int, content_hash: str) -> None:
    """Say that a file holds ``content_hash``, which is no photo; what it held before is no longer found there."""
    row = connection.execute(
        select(photo.c.id).join_from(file, photo).where(file.c.id == file_id, photo.c.content_hash != content_hash)
    ).first()
    if row is not None:
        connection.execute(update(file).where(file.c.id == file_id).values(photo_id=None))
        mark_text_stale(connection, [row.id])


def paths_of(connection: Connection, photo_ids: Sequence[int]) -> dict[int, tuple[list[Path], list[Path]]]:
    """For each photo the paths that hold it now, and those that did when they were last seen; each sorted."""
    found: dict[int, tuple[list[Path], list[Path]]] = {photo_id: ([], []) for photo_id in photo_ids}
    for chunk in chunks(photo_ids):
        rows = connection.execute(
            select(file.c.photo_id, file.c.relative_path, file.c.missing_since, root.c.path)
            .join_from(file, root)
            .where(file.c.photo_id.in_(chunk))
        )
        for row in rows:
            found[row.photo_id][row.missing_since is not None].append(Path(row.path, row.relative_path))
    for present, missing in found.values():
        present.sort()
        missing.sort()
    return found


def photo_at(connection: Connection, path: Path) -> tuple[int, int | None] | None:
    """(file id, photo id) of a path, present or missing; ``None`` when it was never seen.

    The photo of a raw file beside a JPEG is the JPEG's.
    """
    for found, row in _rows_below(connection, path, file.c.id, file.c.photo_id, file.c.main_id):
        if found == path and row.main_id is not None:
            return row.id, connection.execute(select(file.c.photo_id).where(file.c.id == row.main_id)).scalar()
        if found == path:
            return row.id, row.photo_id
    return None


def photos_below(connection: Connection, below: Path) -> list[int]:
    """The photos of the files at or below a path, present or missing; one with two files there is named twice."""
    rows = _rows_below(connection, below, file.c.photo_id)
    return [row.photo_id for _, row in rows if row.photo_id is not None]


def present_paths(connection: Connection) -> dict[Path, int]:
    """The photo at each path that holds one now."""
    query = (
        select(root.c.path, file.c.relative_path, file.c.photo_id)
        .join_from(file, root)
        .where(file.c.missing_since.is_(None), file.c.photo_id.is_not(None))
    )
    return {Path(row.path, row.relative_path): row.photo_id for row in connection.execute(query)}


def count_files(connection: Connection) -> dict[int, tuple[int, int]]:
    """For each root: files present, files missing."""
    rows = connection.execute(
        select(file.c.root_id, func.count(), func.count(file.c.missing_since)).group_by(file.c.root_id)
    )
    return {root_id: (total - missing, missing) for root_id, total, missing in rows}


def read_below(connection: Connection, below: Path) -> dict[Path, int]:
    """The present files at or below a path whose content is known, with their ids."""
    found = {}
    for path, row in _rows_below(connection, below, file.c.id, file.c.photo_id, file.c.missing_since):
        if row.missing_since is None and row.photo_id is not None:
            found[path] = row.id
    return found


def read_among(connection: Connection, ids: Sequence[int]) -> set[int]:
    """Those of these files whose content is known."""
    found: set[int] = set()
    for chunk in chunks(ids):
        chosen = file.c.id.in_(chunk) & file.c.photo_id.is_not(None)
        found.update(connection.execute(select(file.c.id).where(chosen)).scalars())
    return found


def count_present(connection: Connection, root_id: int) -> int:
    """How many files of a root are present, of those that were read: unread ones hold nothing that could be lost."""
    chosen = (file.c.root_id == root_id) & file.c.missing_since.is_(None) & file.c.photo_id.is_not(None)
    return connection.execute(select(func.count()).select_from(file).where(chosen)).scalar_one()


def _rows_below(connection: Connection, below: Path, *columns: Any) -> Iterator[tuple[Path, Any]]:
    """(path, row) for every file row at or below ``below``, whichever root it belongs to."""
    for owner in list_roots(connection):
        query = select(file.c.relative_path, *columns).where(file.c.root_id == owner.id)
        if below == owner.path or below in owner.path.parents:
            pass
        elif owner.path in below.parents:
            relative = os.fsencode(below.relative_to(owner.path).as_posix())
            # A range instead of LIKE: bytes compare the same everywhere, and the unique index serves it. "0" is the
            # character after "/".
            low, high = os.fsdecode(relative + b"/"), os.fsdecode(relative + b"0")
            name = file.c.relative_path
            query = query.where(or_(name == os.fsdecode(relative), (name >= low) & (name < high)))
        else:
            continue
        for row in connection.execute(query).all():
            yield Path(owner.path, row.relative_path), row
