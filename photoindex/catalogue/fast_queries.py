"""What every search and every comparison of a folder asks of the catalogue, in plain SQL: the photos that were found,
the learned terms as they are now, the files that are known.

Each function takes an open transaction, one of :meth:`.database.Database.ask` or any other.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

from photoindex.catalogue.chunks import chunks
from photoindex.catalogue.facts import COLUMNS, facts_of
from photoindex.catalogue.raw_sql import Asker, Rows, ask, listed
from photoindex.system.clock import utc_now
from photoindex.types.hit import CaptionSource, PhotoFacts, Term

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from photoindex.types.terms import TermVocabulary

    Transaction = Asker | Connection

_UNSIGNED = 1 << 64  # inodes use all 64 bits on some file systems; SQL integers are signed
LEARNED_SOURCE = "model"  # of a Term
# Whose words count: a person's, then what the file itself says, then the model's.
SOURCE_ORDER: tuple[CaptionSource, ...] = ("user", "sidecar", "model")
_FACTS = ", ".join(f"photo.{name}" for name in COLUMNS)


@dataclass(slots=True)
class Found:
    """What a hit shows of a photo. ``paths``, sorted, are those of the files that are present."""

    facts: PhotoFacts | None
    caption: str
    source: CaptionSource
    locked: bool
    paths: list[Path]
    terms: list[Term]  # weightiest first


class KnownRoot(NamedTuple):
    """A root; ``device`` is that of its folder (st_dev) when it was last compared as a whole. ``suspended``: many of
    its photos vanished at once and are kept."""

    id: int
    path: Path
    device: int | None
    suspended: bool


class VectorState(NamedTuple):
    """What the vectors of a catalogue are known by. ``revision`` 0: there never was one."""

    identity: str
    revision: int


class StoredVector(NamedTuple):
    """A photo's vector as it is kept: ``entries`` as :func:`.packing.pack_vector` makes them."""

    photo_id: int
    model_id: int
    entries: bytes


def precedence_of(source: CaptionSource, *, locked: bool) -> tuple[bool, int]:
    """Sorts the caption to show before those that it is shown instead of."""
    return not locked, SOURCE_ORDER.index(source)


def find_photos(transaction: Transaction, photo_ids: Sequence[int]) -> dict[int, Found]:
    """Those of the photos that have a caption and a present file, by id."""
    found: dict[int, Found] = {}
    for chunk in chunks(photo_ids):
        found.update(_find(transaction, listed(chunk)))
    return found


def _find(transaction: Transaction, ids: str) -> dict[int, Found]:
    found: dict[int, Found] = {}
    for photo_id, text, source, locked, *values in ask(
        transaction,
        f"select caption.photo_id, caption.text, caption.source, caption.locked, {_FACTS}"
        " from caption join photo on photo.id = caption.photo_id"
        f" where caption.photo_id in ({ids})"
        ' and (caption."current" or caption.locked) and caption."rank" = 0 order by caption.id',
    ):
        before = found.get(photo_id)
        order = precedence_of(source, locked=bool(locked))
        if before is None or order < precedence_of(before.source, locked=before.locked):
            row = SimpleNamespace(**dict(zip(COLUMNS, values, strict=True)))
            row.taken_at = _time(row.taken_at)
            found[photo_id] = Found(facts_of(row), text, source, bool(locked), [], [])
    for photo_id, root, relative in ask(
        transaction,
        "select file.photo_id, root.path, file.relative_path from file join root on root.id = file.root_id"
        f" where file.photo_id in ({ids}) and file.missing_since is null",
    ):
        if photo_id in found:
            found[photo_id].paths.append(Path(os.fsdecode(bytes(root)), os.fsdecode(bytes(relative))))
    for photo_id, text, weight, source in ask(
        transaction,
        f"select photo_id, text, weight, source from term where photo_id in ({ids}) order by weight desc, id",
    ):
        if photo_id in found:
            found[photo_id].terms.append(Term(text, weight, source))
    for photo in found.values():
        photo.paths.sort()
    return {photo_id: photo for photo_id, photo in found.items() if photo.paths}


def known_roots(transaction: Transaction) -> list[KnownRoot]:
    rows = ask(transaction, "select id, path, device, suspended_photos from root")
    return [
        KnownRoot(number, Path(os.fsdecode(bytes(path))), device and device % _UNSIGNED, suspended is not None)
        for number, path, device, suspended in rows
    ]


def is_work_left(transaction: Transaction) -> bool:
    """Whether a file waits or has failed, a batch goes on, or a photo is marked for being read or indexed again."""
    conditions = (
        "job where state != 'ignored'",
        "batch where state in ('active', 'cancelled')",
        "photo where text_stale != 0",
        "photo where metadata_stale != 0",
    )
    return any(ask(transaction, f"select 1 where exists (select 1 from {each})") for each in conditions)


def note_reconciled(transaction: Asker, root_id: int) -> None:
    """Remember that all of a root was just compared, on the device that it was on before."""
    now = utc_now().replace(tzinfo=None).isoformat(" ", "microseconds")
    ask(transaction, "update root set last_reconcile_at = :now where id = :root", now=now, root=root_id)


def known_states(transaction: Transaction, below: Path) -> dict[str, tuple[int, int, int]]:
    """Size, modification time (ns) and inode of the files at or below a path that were present when last seen, by path.

    The same as :func:`.files.known_files`, for a hundred thousand files that most likely have not changed.
    """
    columns = "relative_path, size, mtime_ns, inode"
    encoding, errors = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()  # os.fsdecode asks each time
    return {
        start + relative_path.decode(encoding, errors): (size, mtime_ns, inode % _UNSIGNED)
        for start, rows in _present_below(transaction, below, columns)
        for relative_path, size, mtime_ns, inode in rows
    }


def sidecar_states(transaction: Transaction, below: Path) -> dict[str, str]:
    """The states of the sidecars that those files were read with, of files that had some, by path."""
    return {
        start + os.fsdecode(relative_path): state
        for start, rows in _present_below(transaction, below, "relative_path, sidecars", " and sidecars != ''")
        for relative_path, state in rows
    }


def _present_below(
    transaction: Transaction, below: Path, columns: str, condition: str = ""
) -> Iterator[tuple[str, Rows]]:
    """For each root what begins the paths of its files, and rows of those at or below a path that were present."""
    place = os.fspath(below)
    for root_id, stored in ask(transaction, "select id, path from root"):
        root = os.fsdecode(bytes(stored))
        inside = ""
        values: dict[str, object] = {"root": root_id}
        if place != root and not _is_below(root, place):
            if not _is_below(place, root):
                continue
            relative = os.fsencode(os.path.relpath(place, root))
            inside = " and (relative_path = :name or (relative_path >= :low and relative_path < :high))"
            # A range instead of LIKE: bytes compare the same everywhere. "0" is the character after "/".
            values |= {"name": relative, "low": relative + b"/", "high": relative + b"0"}
        start = os.path.join(root, "")
        sql = f"select {columns} from file where root_id = :root and missing_since is null"
        yield start, ask(transaction, sql + inside + condition, **values)


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(os.path.join(folder, ""))


def vector_state(transaction: Transaction) -> VectorState:
    """The catalogue's identity, and the revision of the latest vector that was written."""
    [(identity, revision)] = ask(transaction, "select identity, vector_revision from catalogue")
    return VectorState(identity, revision)


def count_vectors(transaction: Transaction, *, after: int = 0) -> int:
    """Vectors with a higher revision than ``after``."""
    [(count,)] = ask(transaction, "select count(*) from term_vector where revision > :after", after=after)
    return int(count)


def vectors_after(transaction: Transaction, revision: int) -> list[StoredVector]:
    """Vectors with a higher revision, lowest first."""
    rows = ask(
        transaction,
        "select photo_id, model_id, entries from term_vector where revision > :revision order by revision",
        revision=revision,
    )
    return [StoredVector(photo_id, model_id, bytes(entries)) for photo_id, model_id, entries in rows]


def vocabularies(transaction: Transaction) -> dict[int, TermVocabulary]:
    """By model id, for the models that predict terms."""
    from photoindex.catalogue.term_encoding import unpack_words
    from photoindex.types.terms import TermVocabulary

    rows = ask(transaction, "select id, terms, term_scale from model where terms is not null")
    return {number: TermVocabulary(unpack_words(bytes(terms)), float(scale or 0.0)) for number, terms, scale in rows}


def _time(value: Any) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else value
