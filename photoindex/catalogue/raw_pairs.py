"""Files of one shot: a camera's raw file beside the JPEG (or HEIC) that it made of it. They are one photo.

The JPEG's file is the *main* one: it is what is read, captioned and found. The raw file is its *companion*: its row
names the main file and has no photo of its own, so that it is neither captioned nor found a second time. They belong
together by name, in the same folder and with the same stem, whatever the case of its letters.

A companion is released, and captioned by itself, when its main file goes, cannot be read, or is no longer beside it.
When the JPEG comes after the raw file was captioned, its photo becomes the JPEG's (:func:`adoptable`).

Every function takes an open transaction and is one step of it.
"""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, exists, or_, select, update

from photoindex.catalogue import jobs
from photoindex.catalogue.carried_words import Pair, carry_over
from photoindex.catalogue.chunks import chunks
from photoindex.catalogue.dialects import now_of
from photoindex.catalogue.photos import mark_text_stale
from photoindex.catalogue.schema import caption, file, job, root
from photoindex.media.formats import HEIC, is_developed_name, is_raw_name, suffix_of

# A file whose text alone cannot be read is a photo all the same.
_GIVEN_UP = and_(job.c.state.in_(("failed", "ignored")), job.c.kind != jobs.TEXT)


def shot_of(relative_path: str | os.PathLike[str]) -> int:
    """A number that files of one shot below a root have in common: their folder and stem, hashed to 64 bits."""
    path = Path(relative_path)
    digest = hashlib.blake2b(os.fsencode(path.parent) + b"\0" + _folded(path), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def settle(connection: Connection, file_ids: Iterable[int]) -> set[int]:
    """Join files to the others of their shots. Returns those that are companions now, which need no caption."""
    asked = list(file_ids)
    company = in_company(connection, asked)
    these = _rows(connection, file.c.id, [file_id for file_id in asked if file_id in company])
    shots = _shots(connection, these)
    failed = _failed(connection, [row.id for shot in shots.values() for row in shot])
    companions: set[int] = set()
    mains: dict[int, int] = {}  # of the raw files that are joined to another, or have a photo
    parted: list[Pair] = []  # photos whose files change, and those of their mains
    for this in these:
        name = Path(this.relative_path)
        if this.missing_since is not None or not (is_raw_name(name) or is_developed_name(name)):
            continue
        shot = [row for row in shots[_key(this)] if row.missing_since is None]
        raws = [row for row in shot if is_raw_name(Path(row.relative_path))]
        main = _main(shot, failed) if raws else None
        if main is None:
            continue
        for row in raws:
            if (row.main_id != main.id or row.photo_id is not None) and row.id not in mains:
                mains[row.id] = main.id
                parted += [] if row.photo_id is None else [(row.photo_id, main.photo_id or row.photo_id)]
        if this.id != main.id and this.id in {row.id for row in raws}:
            companions.add(this.id)
    _join(connection, mains, parted)
    return companions


def in_company(connection: Connection, file_ids: Iterable[int]) -> set[int]:
    """Those of these files that may be of one shot with another present file: one by a name of the same hash."""
    other = file.alias("other")
    same = and_(other.c.shot == file.c.shot, other.c.root_id == file.c.root_id, other.c.id != file.c.id)
    found: set[int] = set()
    for chunk in chunks(file_ids):
        query = select(file.c.id).join_from(file, other, same)
        found.update(connection.execute(query.where(file.c.id.in_(chunk), other.c.missing_since.is_(None))).scalars())
    return found


def release(connection: Connection, main_ids: Sequence[int]) -> None:
    """These files are gone or cannot be read: their companions stand for themselves again, and are queued."""
    for chunk in chunks(main_ids):
        _release(connection, file.c.main_id.in_(chunk))


def release_failed(connection: Connection) -> None:
    """Release the companions of all files that are in the failure ledger for good."""
    _release(connection, file.c.main_id.in_(select(job.c.file_id).where(_GIVEN_UP)))


def forget_companions(connection: Connection, file_ids: Sequence[int]) -> None:
    """These files are gone: they are nobody's companions. At most :data:`CHUNK` of them."""
    connection.execute(update(file).where(file.c.id.in_(file_ids)).values(main_id=None))


def follow_move(connection: Connection, moved: Sequence[int]) -> None:
    """Files have another path, and its :func:`shot_of`, now: part those that are no longer beside each other."""
    main = file.alias("main")
    for chunk in chunks(moved):
        apart = (
            select(file.c.id)
            .join_from(file, main, file.c.main_id == main.c.id)
            .where(
                or_(file.c.id.in_(chunk), main.c.id.in_(chunk)),
                or_(file.c.shot != main.c.shot, file.c.root_id != main.c.root_id),
            )
        )
        _release(connection, file.c.id.in_(list(connection.execute(apart).scalars())))
    if len(moved) == 1:  # a whole folder takes its pairs along; a file may have come to lie beside another
        settle(connection, moved)


def adoptable(connection: Connection, file_id: int) -> int | None:
    """The photo of a raw file that a JPEG, whose content is new, has come to lie beside: captioned, and nobody else's.

    The caption is of the same shot, so the photo may become the JPEG's, with all that is known of it.
    """
    [this] = _rows(connection, file.c.id, [file_id])
    if not is_developed_name(Path(this.relative_path)):
        return None
    raws = [row for row in _shots(connection, [this])[_key(this)] if is_raw_name(Path(row.relative_path))]
    has_caption = exists().where(caption.c.photo_id == file.c.photo_id, caption.c.current)
    for raw in raws:
        if raw.photo_id is None or raw.missing_since is not None:
            continue
        query = select(file.c.id, has_caption).where(file.c.photo_id == raw.photo_id)
        holders = connection.execute(query).all()
        if {row.id for row in holders} <= {row.id for row in raws} and holders[0][1]:
            return int(raw.photo_id)
    return None


def gone_mains(connection: Connection, raw_ids: Sequence[int]) -> dict[int, int]:
    """Return the photo of the missing main file of each of these raw files, by the raw file's id."""
    if not raw_ids:
        return {}
    these = _rows(connection, file.c.id, raw_ids)
    shots = _shots(connection, these)
    found: dict[int, int] = {}
    for this in these:
        gone = [row for row in shots[_key(this)] if row.missing_since is not None and row.photo_id is not None]
        main = _main(gone, ())
        if main is not None:
            found[this.id] = main.photo_id
    return found


def raws_of(connection: Connection, photo_id: int) -> list[Path]:
    """The raw files that are there beside the files of a photo, sorted."""
    holders = select(file.c.id).where(file.c.photo_id == photo_id, file.c.missing_since.is_(None))
    rows = connection.execute(
        select(root.c.path, file.c.relative_path)
        .join_from(file, root)
        .where(file.c.main_id.in_(holders), file.c.missing_since.is_(None))
    )
    return sorted(Path(*row) for row in rows)


def _folded(path: Path) -> bytes:
    """The stem as it is compared: names that a file system without regard to case would not tell apart."""
    return unicodedata.normalize("NFC", path.stem).casefold().encode("utf-8", "surrogateescape")


def _rows(connection: Connection, column: ColumnElement[Any], values: Iterable[Any]) -> list[Any]:
    return [
        row
        for chunk in chunks(values)
        for row in connection.execute(select(file).where(column.in_(chunk)).order_by(file.c.id))
    ]


def _key(row: Any) -> tuple[int, Path, bytes]:
    """What the files of one shot have in common."""
    place = Path(row.relative_path)
    return row.root_id, place.parent, _folded(place)


def _shots(connection: Connection, these: Sequence[Any]) -> dict[tuple[int, Path, bytes], list[Any]]:
    """The files of the shots of these files, themselves included, by name."""
    shots: dict[tuple[int, Path, bytes], list[Any]] = {_key(this): [] for this in these}
    for row in _rows(connection, file.c.shot, {this.shot for this in these}):
        if (key := _key(row)) in shots:
            shots[key].append(row)
    return {key: sorted(rows, key=lambda row: os.fsencode(row.relative_path)) for key, rows in shots.items()}


def _failed(connection: Connection, file_ids: Iterable[int]) -> set[int]:
    """Those of these files that are in the failure ledger for good."""
    found: set[int] = set()
    for chunk in chunks(file_ids):
        given_up = and_(job.c.file_id.in_(chunk), _GIVEN_UP)
        found.update(connection.execute(select(job.c.file_id).where(given_up)).scalars())
    return found


def _main(shot: Sequence[Any], failed: Collection[int]) -> Any | None:
    """Which file stands for a shot: a JPEG before a HEIC; none that failed."""
    fit = [row for row in shot if is_developed_name(Path(row.relative_path)) and row.id not in failed]
    return min(fit, key=lambda row: suffix_of(Path(row.relative_path)) in HEIC.suffixes, default=None)


def _join(connection: Connection, mains: Mapping[int, int], parted: Sequence[Pair]) -> None:
    """Make raw files the companions of their mains; ``parted`` are the photos that they were, with their mains'."""
    if not mains:
        return
    mark_text_stale(connection, [old for old, _ in parted])
    joined = update(file).where(file.c.id == bindparam("raw")).values(main_id=bindparam("main"), photo_id=None)
    connection.execute(joined, [{"raw": raw, "main": main} for raw, main in mains.items()])
    for chunk in chunks(mains):
        # Who runs one at this moment settles the file again when it is done.
        connection.execute(delete(job).where(job.c.file_id.in_(chunk), job.c.state != "running"))
    carry_over(connection, parted, of_one_shot=True)


def _release(connection: Connection, which: ColumnElement[bool]) -> None:
    rows = connection.execute(select(file.c.id, file.c.missing_since).where(which)).all()
    ids = [row.id for row in rows]
    for chunk in chunks(ids):
        forget_companions(connection, chunk)
    present = [row.id for row in rows if row.missing_since is None]
    jobs.enqueue(connection, present, now_of(connection))
