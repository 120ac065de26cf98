"""Queries about photos that are alike: their fingerprints, and the files that hold them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, select, update

from photoindex.catalogue.chunks import chunks
from photoindex.catalogue.schema import file, photo, root
from photoindex.types import FileStat

BYTES = 16


@dataclass(frozen=True, slots=True)
class HeldPhoto:
    """A photo and the files that hold it, which are there, by path."""

    id: int
    content_hash: str
    bytes: int
    width: int | None
    height: int | None
    format: str | None
    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Unprinted:
    """A photo without a fingerprint yet, and a file that held it when its bytes were last read."""

    photo_id: int
    path: Path
    stat: FileStat


def photos_with_copies(connection: Connection) -> list[int]:
    """Photos that several files hold now."""
    present = select(file.c.photo_id).where(file.c.photo_id.is_not(None), file.c.missing_since.is_(None))
    return list(connection.execute(present.group_by(file.c.photo_id).having(func.count() > 1)).scalars())


def fingerprints(connection: Connection) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """(ids (n,), fingerprints (n, 16)) of the photos that have one and a file that is there, by id."""
    rows = connection.execute(
        select(photo.c.id, photo.c.fingerprint)
        .where(func.length(photo.c.fingerprint) == BYTES, photo.c.id.in_(_held()))
        .order_by(photo.c.id)
    ).all()
    ids = np.array([row.id for row in rows], np.int64)
    return ids, np.frombuffer(b"".join(row.fingerprint for row in rows), np.uint8).reshape(-1, BYTES)


def without_fingerprint(connection: Connection) -> list[Unprinted]:
    """Photos that were last decoded before there were fingerprints, and a file of each that is there."""
    rows = connection.execute(
        select(
            file.c.photo_id, root.c.path, file.c.relative_path, file.c.size, file.c.mtime_ns, file.c.inode,
            file.c.ctime_ns,
        )
        .join_from(file, root)
        .where(file.c.id.in_(_first_files()))
        .order_by(root.c.path, file.c.relative_path)
    )  # fmt: skip
    return [
        Unprinted(
            row.photo_id,
            Path(row.path, row.relative_path),
            FileStat(row.size, row.mtime_ns, row.inode, row.ctime_ns),
        )
        for row in rows
    ]


def save_fingerprints(connection: Connection, fingerprints: Sequence[tuple[int, bytes]]) -> None:
    """(photo id, fingerprint) each."""
    for photo_id, fingerprint in fingerprints:
        connection.execute(update(photo).where(photo.c.id == photo_id).values(fingerprint=fingerprint))


def held_photos(connection: Connection, photo_ids: Sequence[int]) -> dict[int, HeldPhoto]:
    """By id; without those that no file holds now."""
    paths: dict[int, list[Path]] = {}
    rows: list[Any] = []
    for chunk in chunks(photo_ids):
        holders = connection.execute(
            select(file.c.photo_id, root.c.path, file.c.relative_path)
            .join_from(file, root)
            .where(file.c.photo_id.in_(chunk), file.c.missing_since.is_(None))
        )
        for row in holders:
            paths.setdefault(row.photo_id, []).append(Path(row.path, row.relative_path))
        rows += connection.execute(
            select(photo.c.id, photo.c.content_hash, photo.c.size, photo.c.width, photo.c.height, photo.c.format)
            .where(photo.c.id.in_(chunk))
        )  # fmt: skip
    return {
        row.id: HeldPhoto(
            row.id, row.content_hash, row.size, row.width, row.height, row.format, tuple(sorted(paths[row.id]))
        )
        for row in rows
        if row.id in paths
    }


def _held() -> Any:
    return select(file.c.photo_id).where(file.c.photo_id.is_not(None), file.c.missing_since.is_(None))


def _first_files() -> Any:
    return (
        select(func.min(file.c.id))
        .join_from(file, photo)
        .where(photo.c.fingerprint.is_(None), file.c.missing_since.is_(None))
        .group_by(file.c.photo_id)
    )
