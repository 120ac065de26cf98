"""What the gallery asks of the catalogue, in plain SQL: all photos that have a file, by columns; one photo's files;
failed files by id.

Each function takes an open transaction, one of :meth:`.database.Database.ask` or any other.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from photoindex.catalogue.facts import SHOWN_RATING
from photoindex.catalogue.mounted import root_path
from photoindex.catalogue.raw_sql import Asker, Rows, ask, listed
from photoindex.types.term_sources import LABEL_SOURCE, PERSON_SOURCE, WRITTEN_SOURCES

if TYPE_CHECKING:
    from sqlalchemy import Connection

    Transaction = Asker | Connection

# Of a Term: what people, and the files themselves, say.
_SHOWN_TERMS = (
    "select photo_id, text, source from term"
    f" where source in ({', '.join(repr(source) for source in (*WRITTEN_SOURCES, PERSON_SOURCE, LABEL_SOURCE))})"
)


class HeldFile(NamedTuple):
    """A file that was present when last seen, and the state that it was read in."""

    path: Path
    size: int
    mtime_ns: int


class FailedFile(NamedTuple):
    """A row of the failure ledger. ``state``: queued (it is tried again), running, failed or ignored."""

    id: int
    path: Path
    kind: str
    message: str
    attempts: int
    state: str


def present_photos(
    transaction: Transaction, *, after: int = -1, most: int = -1, among: Sequence[int] | None = None
) -> Rows:
    """Return a row for each photo that has a present file, by id: id, content hash, width, height, when it was taken,
    camera, rating, when it was added, format, country, city, bytes, of its first file the root's id and relative path,
    whether it is a favourite, whether it is hidden, latitude, longitude, whether its date is only the
    time of its file, district, region, code of the country, metropolis.

    ``after`` is an id, ``most`` a number of rows; ``among``: of these photos alone.
    """
    condition = "photo.id > :after" if among is None else f":after < 0 and photo.id in ({listed(among)})"
    return ask(
        transaction,
        "select photo.id, photo.content_hash, photo.width, photo.height, photo.taken_at, photo.camera,"
        f" {SHOWN_RATING},"
        " photo.added_at, photo.format, photo.country, photo.city, photo.size, file.root_id, file.relative_path,"
        " photo.favourite, photo.hidden, photo.latitude, photo.longitude, photo.taken_source = 'mtime',"
        " photo.district, photo.region, photo.country_code, photo.metropolis"
        " from photo join file on file.id = (select min(held.id) from file as held where held.photo_id = photo.id"
        f" and held.missing_since is null) where {condition} order by photo.id" + ("" if most < 0 else " limit :most"),
        after=after,
        **({} if most < 0 else {"most": most}),
    )


def shown_terms_between(transaction: Transaction, first: int, last: int) -> Rows:
    """Return (photo id, text, source) for each tag, keyword, name of a person and label of the photos from an id to
    another."""
    return ask(transaction, f"{_SHOWN_TERMS} and photo_id between :first and :last", first=first, last=last)


def shown_terms_of(transaction: Transaction, photo_ids: Sequence[int]) -> Rows:
    """Return (photo id, text, source) for each tag, keyword, name of a person and label of these photos."""
    return ask(transaction, f"{_SHOWN_TERMS} and photo_id in ({listed(photo_ids)})")


def root_paths(transaction: Transaction) -> dict[int, Path]:
    """Return the folder of each root, by id."""
    rows = ask(transaction, "select id, path from root")
    return {number: Path(root_path(transaction, path)) for number, path in rows}


def photo_of_content(transaction: Transaction, content_hash: str) -> int | None:
    """Return the id of the photo with this SHA-256."""
    rows = ask(transaction, "select id from photo where content_hash = :content", content=content_hash)
    return int(rows[0][0]) if rows else None


def files_of(transaction: Transaction, photo_id: int) -> list[HeldFile]:
    """Return the files of a photo that were present when last seen, first known first."""
    rows = ask(
        transaction,
        "select root.path, file.relative_path, file.size, file.mtime_ns from file join root on root.id = file.root_id"
        " where file.photo_id = :photo and file.missing_since is null order by file.id",
        photo=photo_id,
    )
    return [HeldFile(_path(transaction, root, relative), size, mtime_ns) for root, relative, size, mtime_ns in rows]


def failed_files(transaction: Transaction) -> list[FailedFile]:
    """Return the failure ledger with its files' ids, by path."""
    rows = ask(
        transaction,
        "select file.id, root.path, file.relative_path, job.error_kind, job.error_message, job.attempts, job.state"
        " from job join file on file.id = job.file_id join root on root.id = file.root_id"
        " where job.error_kind is not null",
    )
    found = [FailedFile(number, _path(transaction, root, relative), *rest) for number, root, relative, *rest in rows]
    return sorted(found, key=lambda failed: failed.path)


def least_sure(transaction: Transaction, most: int, among: Sequence[int] | None = None) -> list[int]:
    """Return the photos whose model's caption is the least likely to be right, of those that nobody captioned, locked,
    hid or reviewed; ``among``: of these photos alone. Those of models that know no confidence come last, the least
    probable caption first."""
    condition = "" if among is None else f" and said.photo_id in ({listed(among)})"
    rows = ask(
        transaction,
        "select said.photo_id from caption as said where said.source = 'model' and said.\"current\""
        ' and said."rank" = 0 and not said.locked'
        f" and coalesce(said.confidence, said.log_probability) is not null{condition}"
        " and exists (select 1 from file where file.photo_id = said.photo_id and file.missing_since is null)"
        " and exists (select 1 from photo where photo.id = said.photo_id and photo.review is null and not photo.hidden)"
        " and not exists (select 1 from caption as other where other.photo_id = said.photo_id"
        " and (other.locked or (other.source = 'user' and other.\"current\")))"
        " order by said.confidence is null, said.confidence, said.log_probability, said.photo_id limit :most",
        most=most,
    )
    return [int(row[0]) for row in rows]


def in_review(transaction: Transaction, state: str, most: int) -> list[int]:
    """Return photos of whose caption a person said that it is wrong, or that they look at it later; by id."""
    sql = (
        "select id from photo where review = :state and not hidden and exists (select 1 from file"
        " where file.photo_id = photo.id and file.missing_since is null) order by id limit :most"
    )
    return [int(number) for (number,) in ask(transaction, sql, state=state, most=most)]


def reviewed(transaction: Transaction) -> tuple[int, int, int]:
    """Return how many photos keep a model's caption that a person locked, how many a person captioned, and of how many
    a person said only that the caption is wrong."""
    locked = "select count(distinct photo_id) from caption where locked and source = 'model'"
    corrected = "select count(distinct photo_id) from caption where source = 'user' and \"current\""
    wrong = "select count(*) from photo where review = 'wrong'"
    [(kept,)], [(own,)], [(bad,)] = (ask(transaction, sql) for sql in (locked, corrected, wrong))
    return int(kept), int(own), int(bad)


def _path(transaction: Transaction, root: bytes, relative: bytes) -> Path:
    return Path(root_path(transaction, root), os.fsdecode(bytes(relative)))
