"""Queries about files: known paths, their content, and moves.

Every function takes an open transaction and is one step of it. Paths are absolute.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, delete, func, insert, select, true, update

from photoindex.catalogue import jobs, raw_pairs
from photoindex.catalogue.carried_words import carry_over
from photoindex.catalogue.chunks import chunks
from photoindex.catalogue.dialects import now_of
from photoindex.catalogue.fast_queries import PRESENT, FileRow, files_below, known_states, list_roots
from photoindex.catalogue.photos import mark_text_stale
from photoindex.catalogue.schema import file, job, photo, root
from photoindex.media.formats import is_raw_name
from photoindex.system.clock import utc_now
from photoindex.system.paths import is_at_or_below, is_in_any, root_of
from photoindex.types import FileStat, ScannedFile

STATE_COLUMNS: Final = ("size", "mtime_ns", "inode", "ctime_ns")  # of a file, as in FileStat
ASKED_EACH: Final = 20  # places that are looked for one by one; of more, all that is there is looked through


def known_files(connection: Connection, below: Path) -> dict[Path, FileStat]:
    """Return the files at or below a path that were present when last seen."""
    return {Path(path): FileStat(*state) for path, state in known_states(connection, below).items()}


def note_sidecars(connection: Connection, states: Mapping[Path, str]) -> None:
    """Store with which sidecars files were read."""
    known = rows_at(connection, states)
    rows = [{"read_id": row.id, "state": states[path]} for path, row in known.items()]
    if rows:
        statement = update(file).where(file.c.id == bindparam("read_id"), file.c.sidecars != bindparam("state"))
        connection.execute(statement.values(sidecars=bindparam("state")), rows)


def note_states(connection: Connection, scanned: Sequence[ScannedFile]) -> None:
    """Store the states of files whose bytes have not changed."""
    known = rows_at(connection, [item.path for item in scanned])
    rows = [{"seen_id": known[item.path].id, **dataclasses.asdict(item.stat)} for item in scanned if item.path in known]
    if rows:
        values = {name: bindparam(name, type_=file.c[name].type) for name in STATE_COLUMNS}
        connection.execute(update(file).where(file.c.id == bindparam("seen_id")).values(**values), rows)


def record_files(connection: Connection, scanned: Sequence[ScannedFile], *, reported: bool = False) -> int:
    """Store new and changed files, and files that came back, and queue each for captioning.

    A file that came back unchanged keeps its photo and is not queued; neither is an unchanged one whose failure stands.
    ``reported``: the system reported that these files were written, so each is read again even if its state is as
    before: times have a resolution, and some file systems keep none. Returns the number of files queued.
    """
    roots = list_roots(connection)
    now = now_of(connection)
    queued = 0
    for chunk in chunks(scanned):
        places = {}
        for item in chunk:
            owner = root_of(roots, item.path)
            assert owner is not None, f"{item.path} is below no root"
            places[(owner.id, item.path.relative_to(owner.path).as_posix())] = item
        existing = stored_rows_at(connection, places)
        final = jobs.final_failures(connection, [row.id for row in existing.values()])
        new, known, returned, to_queue = [], [], [], []
        for (root_id, relative), item in places.items():
            row = existing.get((root_id, relative))
            if row is None:
                place = {"root_id": root_id, "relative_path": relative, "shot": raw_pairs.shot_of(relative)}
                new.append({**place, "missing_since": None, **dataclasses.asdict(item.stat)})
                continue
            known.append({"known_id": row.id, **dataclasses.asdict(item.stat)})
            before = FileStat(row.size, row.mtime_ns, row.inode, row.ctime_ns)
            unchanged = before.is_unchanged(item.stat)
            if unchanged and row.photo_id is not None and not reported:
                if row.missing_since is not None:
                    returned.append(row)
            elif not (unchanged and row.id in final):
                to_queue.append(row.id)
        if known:
            stat = {name: bindparam(name, type_=file.c[name].type) for name in STATE_COLUMNS}
            seen = update(file).where(file.c.id == bindparam("known_id")).values(missing_since=None, **stat)
            connection.execute(seen, known)
        if new:
            connection.execute(insert(file), new)
            added = [(row["root_id"], row["relative_path"]) for row in new]
            rows = stored_rows_at(connection, added)
            to_queue += [rows[place].id for place in added]
        mark_text_stale(connection, [row.photo_id for row in returned])
        raw_pairs.settle(connection, [row.id for row in returned])
        jobs.enqueue(connection, to_queue, now)
        queued += len(to_queue)
    return queued


def stored_rows_at(connection: Connection, places: Iterable[tuple[int, str]]) -> dict[tuple[int, str], Any]:
    """Return the rows of the known ones of these (root id, relative path). Takes at most a chunk of them."""
    root_ids, relative = zip(*places, strict=True)
    query = select(file).where(file.c.root_id.in_(set(root_ids)), file.c.relative_path.in_(relative))
    return {(row.root_id, row.relative_path): row for row in connection.execute(query)}


def rows_at(connection: Connection, paths: Iterable[Path]) -> dict[Path, FileRow]:
    """Return the rows of those of these paths that are known as files, present or missing."""
    roots = list_roots(connection)
    rows: dict[Path, FileRow] = {}
    for chunk in chunks(paths):
        places = {
            (root.id, path.relative_to(root.path).as_posix()): path
            for path in chunk
            for root in roots
            if is_at_or_below(path, root.path)
        }
        for place, row in stored_rows_at(connection, places).items() if places else ():
            if place in places:
                missing = row.missing_since is not None
                rows[places[place]] = FileRow(row.id, row.root_id, row.photo_id, row.main_id, missing)
    return rows


def mark_removed(connection: Connection, paths: Iterable[Path]) -> list[int]:
    """Mark these files missing; return the photos that they held, one for each file."""
    rows = [row for row in rows_at(connection, paths).values() if not row.missing]
    mark_files_missing(connection, [row.id for row in rows])
    return [row.photo_id for row in rows if row.photo_id is not None]


def present_below(connection: Connection, paths: Iterable[Path]) -> dict[int, list[int]]:
    """Return the ids of the present files at or below any of these paths, by the root they belong to."""
    wanted = list(dict.fromkeys(paths))
    by_root: dict[int, dict[int, None]] = {}
    files_there = {path: row for path, row in rows_at(connection, wanted).items() if not row.missing}
    for row in files_there.values():
        by_root.setdefault(row.root_id, {})[row.id] = None
    others = {path for path in wanted if path not in files_there}
    for row in _present_below_any(connection, others):
        by_root.setdefault(row.root_id, {})[row.id] = None
    return {root_id: list(ids) for root_id, ids in by_root.items()}


def _present_below_any(connection: Connection, places: Collection[Path]) -> Iterator[FileRow]:
    if len(places) <= ASKED_EACH:
        for place in places:
            yield from (row for _, row in files_below(connection, place, PRESENT))
        return
    for top in list_roots(connection):
        yield from (row for path, row in files_below(connection, top.path, PRESENT) if is_in_any(path, places))


def mark_files_missing(connection: Connection, ids: Sequence[int]) -> None:
    """Mark these files as missing, by id; their photos are kept."""
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


def restore_files(connection: Connection, ids: Sequence[int]) -> int:
    """Mark files that came back as present again.

    Those whose bytes were never read stay missing, as a file that is known is not read again; so do raw files, which
    join their photos when they are back. Return how many files were marked.
    """
    restored: list[Any] = []
    for chunk in chunks(ids):
        chosen = file.c.id.in_(chunk) & file.c.missing_since.is_not(None) & file.c.photo_id.is_not(None)
        rows = connection.execute(select(file.c.id, file.c.photo_id).where(chosen)).all()
        connection.execute(update(file).where(file.c.id.in_([row.id for row in rows])).values(missing_since=None))
        restored += rows
    mark_text_stale(connection, [row.photo_id for row in restored])
    raw_pairs.settle(connection, [row.id for row in restored])
    return len(restored)


def move(connection: Connection, source: Path, destination: Path, words_left: list[Path] | None = None) -> int:
    """Move a file, or all files below a folder, to another path: the rows keep their photos. Return how many files
    moved.

    The row of a file at the destination, which the move overwrites, is deleted. Where something is said of it, and the
    file that moves is another picture, the path is added to ``words_left``.
    """
    roots = list_roots(connection)
    targets: dict[tuple[int, str], FileRow] = {}
    left: list[int] = []  # moved out of all roots
    before: set[tuple[int, str]] = set()
    for path, row in files_below(connection, source, PRESENT):
        target = destination / path.relative_to(source) if path != source else destination
        owner = root_of(roots, target)
        if owner is None:
            left.append(row.id)
            continue
        targets[(owner.id, target.relative_to(owner.path).as_posix())] = row
        before.update((root.id, path.relative_to(root.path).as_posix()) for root in roots if root.id == row.root_id)
    mark_files_missing(connection, left)
    unlike = _make_way(connection, targets)
    if unlike and words_left is not None:
        tops = {top.id: top.path for top in roots}
        words_left += [tops[place[0]] / place[1] for place, row in targets.items() if row.id in unlike]
    moved = [
        {"moved_id": row.id, "root_id": root_id, "relative_path": relative, "shot": raw_pairs.shot_of(relative)}
        for (root_id, relative), row in targets.items()
    ]
    if not before.isdisjoint(targets):  # a file moves to where another has yet to leave: all leave first
        _rename(connection, [{**each, "relative_path": f"\0{each['moved_id']}"} for each in moved])
    _rename(connection, moved)
    mark_text_stale(connection, [row.photo_id for row in targets.values() if row.photo_id is not None])
    raw_pairs.follow_move(connection, [row.id for row in targets.values()])
    jobs.expedite_text(connection, [row.id for row in targets.values()], now_of(connection))
    return len(targets)


def _make_way(connection: Connection, targets: Mapping[tuple[int, str], FileRow]) -> set[int]:
    """Remove the rows of files that others are moved over; their companions are those of the others then, and what
    people say of them is carried over. Return the moved files, by id, that are other pictures."""
    moving = {row.id for row in targets.values()}
    photos: list[int] = []
    replaced: dict[int, tuple[int, int]] = {}  # photo before and now, of the files that moved
    for chunk in chunks(targets):
        overwritten = {
            row.id: (targets[place].id, row.photo_id, targets[place].photo_id)
            for place, row in stored_rows_at(connection, chunk).items()
            if place in targets and row.id not in moving
        }
        if overwritten:
            connection.execute(delete(file).where(file.c.id.in_(list(overwritten))))
            follow = update(file).where(file.c.main_id == bindparam("old_main")).values(main_id=bindparam("new_main"))
            pairs = [{"old_main": old, "new_main": new} for old, (new, _, _) in overwritten.items()]
            connection.execute(follow, pairs)
            photos += [before for _, before, _ in overwritten.values() if before is not None]
            for moved, before, now in overwritten.values():
                if before is not None and now is not None:
                    replaced[moved] = before, now
    mark_text_stale(connection, photos)
    left = carry_over(connection, replaced.values())
    return {file_id for file_id, pair in replaced.items() if pair in left}


def _rename(connection: Connection, moved: Sequence[Mapping[str, object]]) -> None:
    columns = ("root_id", "relative_path", "shot")
    values = {name: bindparam(name, type_=file.c[name].type) for name in columns}
    for chunk in chunks(moved):
        connection.execute(update(file).where(file.c.id == bindparam("moved_id")).values(**values), chunk)


@dataclass(frozen=True, slots=True)
class Link:
    """The photo in a file. ``sidecars``: those it was read with; ``None`` when that is not known."""

    file_id: int
    photo_id: int
    stat: FileStat
    sidecars: str | None = None


def states(connection: Connection, file_ids: Sequence[int]) -> dict[int, FileStat]:
    """Return the state in which each of these files was last seen, by id."""
    found = {}
    columns = [file.c[name] for name in STATE_COLUMNS]
    for chunk in chunks(file_ids):
        for number, *state in connection.execute(select(file.c.id, *columns).where(file.c.id.in_(chunk))):
            found[number] = FileStat(*state)
    return found


def link_photos(connection: Connection, links: Sequence[Link]) -> set[int]:
    """Store the content of files; the photos that they held before and now are marked for the full-text index.

    What people say of the photos before is carried over. Return the files, by id, that hold another picture than the
    one of which something is said.
    """
    if not links:
        return set()
    held: dict[int, int | None] = {}
    raws: list[int] = []  # files that held no photo of their own
    for chunk in chunks(link.file_id for link in links):
        query = select(file.c.id, file.c.photo_id, file.c.relative_path).where(file.c.id.in_(chunk))
        for row in connection.execute(query):
            held[row.id] = row.photo_id
            if row.photo_id is None and is_raw_name(Path(row.relative_path)):
                raws.append(row.id)
    marked = {link.photo_id for link in links} | {photo_id for photo_id in held.values() if photo_id is not None}
    columns = ("photo_id", *STATE_COLUMNS)
    statement = update(file).where(file.c.id == bindparam("linked_id"))
    statement = statement.values(missing_since=None, **{name: bindparam(name) for name in columns})
    rows = [{"linked_id": link.file_id, "photo_id": link.photo_id, **dataclasses.asdict(link.stat)} for link in links]
    connection.execute(statement, rows)
    read = [{"read_id": link.file_id, "state": link.sidecars} for link in links if link.sidecars is not None]
    if read:
        statement = update(file).where(file.c.id == bindparam("read_id"), file.c.sidecars != bindparam("state"))
        connection.execute(statement.values(sidecars=bindparam("state")), read)
    mark_text_stale(connection, sorted(marked))
    pairs = {link.file_id: (held.get(link.file_id) or link.photo_id, link.photo_id) for link in links}
    of_shots = {file_id: (old, pairs[file_id][1]) for file_id, old in raw_pairs.gone_mains(connection, raws).items()}
    left = carry_over(connection, pairs.values()) | carry_over(connection, of_shots.values(), of_one_shot=True)
    return {file_id for file_id, pair in (*pairs.items(), *of_shots.items()) if pair in left}


def unlink_photo(connection: Connection, file_id: int, content_hash: str) -> None:
    """Store that a file holds ``content_hash``, which is no photo, and unlink the photo that it held before."""
    row = connection.execute(
        select(photo.c.id).join_from(file, photo).where(file.c.id == file_id, photo.c.content_hash != content_hash)
    ).first()
    if row is not None:
        connection.execute(update(file).where(file.c.id == file_id).values(photo_id=None))
        mark_text_stale(connection, [row.id])


def paths_of(
    connection: Connection, photo_ids: Sequence[int], roots: Collection[int] | None = None
) -> dict[int, tuple[list[Path], list[Path]]]:
    """Return for each photo its present paths and its missing paths, each sorted; only those below ``roots``, by id,
    when they are given."""
    below = true() if roots is None else file.c.root_id.in_(roots)
    by_photo: dict[int, tuple[list[Path], list[Path]]] = {photo_id: ([], []) for photo_id in photo_ids}
    for chunk in chunks(photo_ids):
        rows = connection.execute(
            select(file.c.photo_id, file.c.relative_path, file.c.missing_since, root.c.path)
            .join_from(file, root)
            .where(file.c.photo_id.in_(chunk), below)
        )
        for row in rows:
            by_photo[row.photo_id][row.missing_since is not None].append(Path(row.path, row.relative_path))
    for present, missing in by_photo.values():
        present.sort()
        missing.sort()
    return by_photo


def photo_at(connection: Connection, path: Path) -> tuple[int, int | None] | None:
    """Return (file id, photo id) of a path, present or missing; ``None`` when it was never seen.

    The photo of a raw file beside a JPEG is the JPEG's.
    """
    return photos_at(connection, [path]).get(path)


def photos_at(connection: Connection, paths: Iterable[Path]) -> dict[Path, tuple[int, int | None]]:
    """Return what :func:`photo_at` says of each of these paths that was ever seen."""
    rows = rows_at(connection, paths)
    of_main: dict[int, int | None] = {}
    for chunk in chunks({row.main_id for row in rows.values() if row.main_id is not None}):
        query = select(file.c.id, file.c.photo_id).where(file.c.id.in_(chunk))
        of_main |= {row.id: row.photo_id for row in connection.execute(query)}
    return {
        path: (row.id, row.photo_id if row.main_id is None else of_main.get(row.main_id)) for path, row in rows.items()
    }


def photos_below(connection: Connection, below: Path) -> list[int]:
    """Return the photos of the files at or below a path, present or missing; one with two files there twice."""
    rows = files_below(connection, below, "photo_id is not null")
    return [row.photo_id for _, row in rows if row.photo_id is not None]


def present_paths(connection: Connection) -> dict[Path, int]:
    """Return the photo at each path that holds one now."""
    query = (
        select(root.c.path, file.c.relative_path, file.c.photo_id)
        .join_from(file, root)
        .where(file.c.missing_since.is_(None), file.c.photo_id.is_not(None))
    )
    return {Path(row.path, row.relative_path): row.photo_id for row in connection.execute(query)}


def count_files(connection: Connection) -> dict[int, tuple[int, int]]:
    """Return for each root the number of present and of missing files."""
    rows = connection.execute(
        select(file.c.root_id, func.count(), func.count(file.c.missing_since)).group_by(file.c.root_id)
    )
    return {root_id: (total - missing, missing) for root_id, total, missing in rows}


def photos_held(connection: Connection, file_ids: Sequence[int]) -> dict[int, int]:
    """Return the photo that each of these files holds, by file id; without files whose content is not known."""
    held: dict[int, int] = {}
    for chunk in chunks(file_ids):
        chosen = file.c.id.in_(chunk) & file.c.photo_id.is_not(None)
        rows = connection.execute(select(file.c.id, file.c.photo_id).where(chosen))
        held.update((row.id, row.photo_id) for row in rows)
    return held


def other_holders(connection: Connection, file_ids: Sequence[int]) -> dict[int, list[Path]]:
    """Return for each of these files the other present files of the same content, without those that are among these.

    Files without any are left out. Whether the others are on the disk is not known here.
    """
    other, here = file.alias("other"), set(file_ids)
    same = and_(other.c.photo_id == file.c.photo_id, other.c.missing_since.is_(None), other.c.id != file.c.id)
    holders: dict[int, list[Path]] = {}
    for chunk in chunks(file_ids):
        query = select(file.c.id, other.c.id.label("other_id"), root.c.path, other.c.relative_path)
        query = query.select_from(file).join(other, same).join(root, root.c.id == other.c.root_id)
        for row in connection.execute(query.where(file.c.id.in_(chunk))):
            if row.other_id not in here:
                holders.setdefault(row.id, []).append(Path(row.path, row.relative_path))
    return holders


def read_among(connection: Connection, ids: Sequence[int]) -> set[int]:
    """Return those of these files whose content is known."""
    chosen_ids: set[int] = set()
    for chunk in chunks(ids):
        chosen = file.c.id.in_(chunk) & file.c.photo_id.is_not(None)
        chosen_ids.update(connection.execute(select(file.c.id).where(chosen)).scalars())
    return chosen_ids


def count_present(connection: Connection, root_id: int, *, unread: bool = False) -> int:
    """Return how many files of a root are present, of those that were read, or also of those that were not."""
    chosen = (file.c.root_id == root_id) & file.c.missing_since.is_(None)
    if not unread:
        chosen &= file.c.photo_id.is_not(None)
    return connection.execute(select(func.count()).select_from(file).where(chosen)).scalar_one()
