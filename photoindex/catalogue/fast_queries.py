"""What every search and every comparison of a folder asks of the catalogue, in plain SQL: the photos that were found,
the learned terms as they are now, the files that are known.

Each function takes an open transaction, one of :meth:`.database.Database.ask` or any other.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from photoindex.catalogue.captions import shown_captions
from photoindex.catalogue.chunks import chunks
from photoindex.catalogue.facts import READ_COLUMNS, facts_of, looks_from
from photoindex.catalogue.mounted import check_root, mounts_of, root_path
from photoindex.catalogue.raw_sql import Asker, ask, each, listed, run
from photoindex.media.metadata.reader_version import READER_VERSION
from photoindex.system.clock import utc_now
from photoindex.system.file_state import Numbers, signed, wrapped
from photoindex.system.paths import is_text_below, native_path, relative_text
from photoindex.types.hit import CaptionSource, PhotoFacts, Term

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from photoindex.types.terms import TermVocabulary

    Transaction = Asker | Connection

_UNSIGNED: Final = 1 << 64  # see system/file_state.py; a call for each of 100,000 files takes too long
PRESENT: Final = "missing_since is null"  # of a row of ``file``
_UNREAD_TEXT: Final = (
    "photo join file on file.photo_id = photo.id"
    " where text_reader < {reader} and text_reader > {least} and missing_since is null"
)
_FACTS = ", ".join(f"photo.{name}" for name in READ_COLUMNS)


@dataclass(slots=True)
class Found:
    """What a hit shows of a photo. ``paths``, sorted, are those of the files that are present."""

    facts: PhotoFacts | None
    caption: str
    source: CaptionSource
    locked: bool
    paths: list[Path]
    terms: list[Term]  # weightiest first
    looks: frozenset[str] | None = None
    confidence: float | None = None
    favourite: bool = False


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

    @property
    def suspended(self) -> bool:
        return self.suspended_photos is not None


class FileRow(NamedTuple):
    """What the catalogue knows of a file. ``main_id`` is that of the file of the same shot that stands for it."""

    id: int
    root_id: int
    photo_id: int | None
    main_id: int | None
    missing: bool


class VectorState(NamedTuple):
    """What the vectors of a catalogue are known by. ``revision`` 0: there never was one."""

    identity: str
    revision: int


class StoredVector(NamedTuple):
    """A photo's vector as it is kept: ``entries`` as :func:`.term_encoding.pack_vector` makes them."""

    photo_id: int
    model_id: int
    entries: bytes


def find_photos(transaction: Transaction, photo_ids: Sequence[int]) -> dict[int, Found]:
    """Those of the photos that have a caption and a present file, by id."""
    found: dict[int, Found] = {}
    for chunk in chunks(photo_ids):
        found.update(_find(transaction, chunk))
    return found


def _find(transaction: Transaction, photo_ids: Sequence[int]) -> dict[int, Found]:
    found: dict[int, Found] = {}
    ids = listed(photo_ids)
    shown = shown_captions(transaction, photo_ids)
    sql = f"select photo.id, photo.looks, photo.favourite, {_FACTS} from photo where photo.id in ({ids})"
    for photo_id, looks, favourite, *values in ask(transaction, sql):
        if (caption := shown.get(photo_id)) is not None:
            row = SimpleNamespace(**dict(zip(READ_COLUMNS, values, strict=True)))
            row.taken_at = _time(row.taken_at)
            found[photo_id] = Found(
                facts_of(row), caption.text, caption.source, caption.locked, [], [], looks_from(looks),
                caption.confidence, bool(favourite),
            )  # fmt: skip
    for photo_id, root, relative in ask(
        transaction,
        "select file.photo_id, root.path, file.relative_path from file join root on root.id = file.root_id"
        f" where file.photo_id in ({ids}) and file.missing_since is null",
    ):
        if photo_id in found:
            found[photo_id].paths.append(Path(root_path(transaction, root), _path(relative)))
    for photo_id, text, weight, source in ask(
        transaction,
        f"select photo_id, text, weight, source from term where photo_id in ({ids}) order by weight desc, id",
    ):
        if photo_id in found:
            found[photo_id].terms.append(Term(text, weight, source))
    for photo in found.values():
        photo.paths.sort()
    return {photo_id: photo for photo_id, photo in found.items() if photo.paths}


def hidden_photos(transaction: Transaction) -> list[int]:
    """Return the photos that are left out unless somebody asks for hidden ones."""
    return [int(number) for (number,) in ask(transaction, "select id from photo where hidden")]


def list_roots(transaction: Transaction) -> list[Root]:
    """Return all roots, by path. Raises :class:`ConfigError` when the setting ``mounts`` does not fit them."""
    columns = "id, path, device, mode, last_reconcile_at, suspended_at, suspended_photos"
    rows = ask(transaction, f"select {columns} from root")
    for _, path, *_ in rows:
        check_root(mounts_of(transaction), bytes(path))
    roots = [
        Root(
            number,
            Path(root_path(transaction, path)),
            device and wrapped(device),
            mode,
            _utc(compared_at),
            _utc(since),
            photos,
        )
        for number, path, device, mode, compared_at, since, photos in rows
    ]
    return sorted(roots, key=lambda root: root.path)


def some_present(transaction: Transaction, root_id: int) -> list[str]:
    """Return the relative paths of a few present files of a root of a shared catalogue, from all over it."""
    # By the index of the hashes, of which no more is read where all files are missing.
    rows = ask(
        transaction,
        "select relative_path from (select relative_path, missing_since from file where root_id = :root_id"
        " order by sha256(relative_path) limit 1000) as first where missing_since is null limit 20",
        root_id=root_id,
    )
    return [_path(path) for (path,) in rows]


def is_work_left(transaction: Transaction, text_reader: int = 0, *, closely: bool = False) -> bool:
    """Whether a file waits or has failed, a batch goes on, or a photo is marked for being read or indexed again; or is
    still to be looked at for text by a reader of the version ``text_reader``, if it is not 0."""
    conditions = (
        "job where state != 'ignored'",
        "batch where state in ('active', 'cancelled')",
        "photo where text_stale != 0",
        "photo where metadata_stale != 0",
        "photo join file on file.photo_id = photo.id"
        f" where metadata_reader < {READER_VERSION} and missing_since is null",
        *(
            [_UNREAD_TEXT.format(reader=text_reader, least=-(2**31) if closely else -text_reader)]
            if text_reader
            else []
        ),
    )
    return any(ask(transaction, f"select 1 where exists (select 1 from {each})") for each in conditions)


def note_reconciled(transaction: Transaction, root_id: int, device: int | None = None) -> None:
    """Remember that all of a root was just compared, and on which device (st_dev): on that of before, if none is
    given."""
    run(
        transaction,
        "update root set last_reconcile_at = :now, device = coalesce(:device, device) where id = :root",
        now=utc_now().replace(tzinfo=None).isoformat(" ", "microseconds"),
        device=None if device is None else signed(device),
        root=root_id,
    )


def known_states(transaction: Transaction, below: Path) -> dict[str, Numbers]:
    """Return the states of the files at or below a path that were present when last seen, by path.

    Of a hundred thousand files that most likely have not changed, no objects are made.
    """
    columns = "relative_path, size, mtime_ns, inode, ctime_ns"
    encoding, errors = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()  # os.fsdecode asks each time
    native = os.sep == "/"  # on most systems; a call for each of 100,000 files takes too long
    return {
        start + (relative.decode(encoding, errors) if native else native_path(relative)): (
            size, mtime_ns, inode if inode >= 0 else inode + _UNSIGNED, ctime_ns,
        )
        for start, rows in rows_below(transaction, below, columns, PRESENT, each)
        for relative, size, mtime_ns, inode, ctime_ns in rows
    }  # fmt: skip


def sidecar_states(transaction: Transaction, below: Path) -> dict[str, str]:
    """Return the states of the sidecars that those files were read with, of files that had some, by path."""
    beside = f"{PRESENT} and sidecars != ''"
    return {
        start + _path(relative_path): state
        for start, rows in rows_below(transaction, below, "relative_path, sidecars", beside, each)
        for relative_path, state in rows
    }


def files_below(transaction: Transaction, below: Path, condition: str = "1 = 1") -> Iterator[tuple[Path, FileRow]]:
    """Give (path, row) for every file at or below a path, whichever root it belongs to."""
    columns = "relative_path, id, root_id, photo_id, main_id, missing_since is not null"
    for start, rows in rows_below(transaction, below, columns, condition):
        for relative_path, number, root_id, photo_id, main_id, missing in rows:
            yield Path(start + _path(relative_path)), FileRow(number, root_id, photo_id, main_id, bool(missing))


def unfinished_below(transaction: Transaction, below: Path) -> Iterator[Path]:
    """Give every file at or below a path that is there and waits to be captioned, or could not be."""
    of = "select file_id from job where state in ('queued', 'running', 'failed') and kind <> 'text'"
    return (path for path, _ in files_below(transaction, below, f"{PRESENT} and id in ({of})"))


def rows_below(
    transaction: Transaction,
    below: Path,
    columns: str,
    condition: str,
    read: Callable[..., Iterable[tuple[Any, ...]]] = ask,
) -> Iterator[tuple[str, Iterable[tuple[Any, ...]]]]:
    """Give for each root what begins the paths of its files, and the rows of those at or below a path, as ``read``
    gives them: :func:`.ask` or :func:`.each`."""
    place = os.fspath(below)
    for root_id, stored in ask(transaction, "select id, path from root"):
        root = root_path(transaction, stored)
        inside = ""
        values: dict[str, object] = {"root": root_id}
        if place != root and not is_text_below(root, place):
            if not is_text_below(place, root):
                continue
            relative = os.fsencode(relative_text(place, root))
            inside = " and (relative_path = :name or (relative_path >= :low and relative_path < :high))"
            # A range instead of LIKE: bytes compare the same everywhere. "0" is the character after "/".
            values |= {"name": relative, "low": relative + b"/", "high": relative + b"0"}
        sql = f"select {columns} from file where root_id = :root and {condition}{inside}"
        yield os.path.join(root, ""), read(transaction, sql, **values)


def _path(stored: bytes) -> str:
    return native_path(bytes(stored))


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
    rows = each(
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


def _utc(value: Any) -> datetime | None:
    moment = _time(value)
    return None if moment is None else moment.replace(tzinfo=timezone.utc)
