"""Keep the impact matrix of learned terms up to date with the catalogue.

The matrix is a cache with a stamp. A reader adds the vectors that were written after the stamp, from the catalogue; a
writer rebuilds the matrix when they are many. So every committed vector is searched, whether the matrix has it or not.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from photoindex.catalogue.database import Database
from photoindex.catalogue.fast_queries import (
    StoredVector,
    VectorState,
    count_vectors,
    vector_state,
    vectors_after,
    vocabularies,
)
from photoindex.catalogue.raw_sql import Asker
from photoindex.search.checked_file import DamagedFile
from photoindex.search.terms import matrix_file
from photoindex.search.terms.matrix import (
    Columns,
    Similar,
    Stamp,
    TermMatrix,
    TermView,
    build,
    impacts_of,
    shared_terms,
    similar,
)
from photoindex.system.lazy_imports import lazily

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from photoindex.catalogue import term_vectors
    from photoindex.catalogue.fast_queries import Transaction
    from photoindex.types import TermVocabulary, VectorBatch
else:
    term_vectors = lazily("photoindex.catalogue.term_vectors")  # needs SQLAlchemy, which most searches go without

# How many vectors may have changed since the matrix was made: every new process that searches reads them all.
FEW: Final = 256  # not worth a matrix
MANY: Final = 10_000  # too many, however large the library is
LAZY_SHARE: Final = 50  # one in so many changed: made again when a writer has come to rest
BUSY_SHARE: Final = 4  # the same while it works: making the matrix then takes a constant share of its time

Answer = TypeVar("Answer")


class TermIndex:
    """Answers from a catalogue's learned terms: a TermSource. Safe to share between threads."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._folder = folder
        self._lock = threading.Lock()
        self._state: VectorState | None = None  # what _view stands for
        self._base: TermMatrix | None = None
        self._changed: dict[int, StoredVector] = {}  # since _base
        self._view: TermView | None = None

    def columns(self, terms: Sequence[str]) -> Columns | None:
        """Return the columns of these terms, as the catalogue is now; ``None`` when no photo has learned terms.

        Raises CatalogueError, but not for a damaged matrix.
        """
        return self._ask(lambda view: view.columns(terms))

    def similar(self, weights: Mapping[str, float]) -> Similar | None:
        """Return the photos with any of these terms, most similar first; ``None`` when no photo has learned terms."""
        return self._ask(lambda view: similar(view, weights))

    def shared(self, weights: Mapping[str, float], photo_ids: Sequence[int]) -> dict[int, dict[str, float]]:
        """Return what each term adds to the similarity of each of these photos."""

        def share(view: TermView) -> dict[int, dict[str, float]]:
            rows = view.rows_of(photo_ids)
            return dict(zip(view.photo_ids[rows].tolist(), shared_terms(view, weights, rows), strict=True))

        return self._ask(share) or {}

    def impacts(self, terms: Sequence[str], photo_ids: Sequence[int]) -> dict[int, dict[str, float]]:
        """Return for each of these photos that has learned terms the impact of those of ``terms`` that it has."""

        def found(view: TermView) -> dict[int, dict[str, float]]:
            rows = view.rows_of(photo_ids)
            return dict(zip(view.photo_ids[rows].tolist(), impacts_of(view, terms, rows), strict=True))

        return self._ask(found) or {}

    def close(self) -> None:
        """Close the file. A later question opens it again."""
        with self._lock:
            self._forget()

    def _ask(self, question: Callable[[TermView], Answer]) -> Answer | None:
        with self._lock:
            try:
                view = self._current()
                return None if view is None else question(view)
            except DamagedFile:
                # Damage shows when a column is first read. What is made here is in memory, and whole.
                self._forget()
                view = self._current(damaged=True)
                return None if view is None else question(view)

    def _forget(self) -> None:
        self._state = self._base = self._view = None
        self._changed = {}

    def _current(self, *, damaged: bool = False) -> TermView | None:
        """Return the current view. ``damaged``: the matrix on disk must not be used."""
        with self._database.ask() as asker:
            state = vector_state(asker)
            if state.revision == 0:
                return None
            if state == self._state:
                return self._view
            if self._outdated(state):
                self._forget()
                if not damaged:
                    self._base = matrix_file.load_newest(self._folder, state.identity, state.revision)
                if self._base is None:
                    self._base = self._rebuilt(asker, damaged=damaged)
            assert self._base is not None
            known = self._state.revision if self._state is not None else self._base.stamp.revision
            self._changed.update({vector.photo_id: vector for vector in vectors_after(asker, known)})
            delta = self._delta(asker) if self._changed else None
        self._view = TermView(self._base, delta, list(self._changed))
        self._state = state
        return self._view

    def _outdated(self, state: VectorState) -> bool:
        """Return whether a matrix must be loaded: there is none, it is not this catalogue's, or a newer one exists."""
        base, seen = self._base, self._state
        if base is None or base.stamp.identity != state.identity or base.stamp.revision > state.revision:
            return True
        if seen is not None and seen.revision > state.revision:
            return True  # a backup was put back
        newest = matrix_file.newest_stamp(self._folder, state.identity, state.revision)
        return newest is not None and newest[0].revision > base.stamp.revision

    def _rebuilt(self, asker: Asker, *, damaged: bool) -> TermMatrix:
        if not damaged and count_vectors(asker) <= FEW:
            return build(Stamp(vector_state(asker).identity, 0), {}, lambda model: ())
        # In a transaction of its own, which may see more than the question's: that is no harm.
        with self._database.read() as connection:
            try:
                return matrix_file.load(_publish(connection, self._folder))
            except (OSError, DamagedFile):  # a disk that refuses costs memory now and time with the next search
                return build(*_vectors(connection))

    def _delta(self, transaction: Transaction) -> TermMatrix:
        from photoindex.catalogue.term_encoding import vector_batch

        by_model: dict[int, list[tuple[int, bytes]]] = {}
        for vector in self._changed.values():
            if vector.entries:
                by_model.setdefault(vector.model_id, []).append((vector.photo_id, vector.entries))
        batches = {model: [vector_batch(sorted(packed))] for model, packed in by_model.items()}
        known = vocabularies(transaction)
        return build(Stamp("", 0), {model: known[model] for model in batches if model in known}, batches.__getitem__)


def rebuild(database: Database, folder: Path) -> None:
    """Make the matrix again. A disk that refuses leaves things as they were: searches read the catalogue."""
    with database.read() as connection:
        if vector_state(connection).revision == 0:
            return
        with suppress(OSError):
            _publish(connection, folder)


def tidy(database: Database, folder: Path, *, busy: bool = False) -> bool:
    """Make the matrix again if so many vectors changed that searches would feel it; says whether it did.

    ``busy``: more are about to change.
    """
    with database.read() as connection:
        state = vector_state(connection)
        if state.revision == 0:
            return False
        stamp, rows = matrix_file.newest_stamp(folder, state.identity, state.revision) or (Stamp("", 0), 0)
        changed = count_vectors(connection, after=stamp.revision)
    if changed <= max(FEW, rows // BUSY_SHARE if busy else min(rows // LAZY_SHARE, MANY)):
        return False
    rebuild(database, folder)
    return True


class MatrixAgreement(NamedTuple):
    """The matrix on disk compared with the catalogue. ``photos`` have learned terms; ``made``: a matrix of this
    catalogue is there; ``changed`` photos have newer terms, which searches read from the catalogue; ``agrees``: it has
    the photos that it should."""

    photos: int
    made: bool
    changed: int
    agrees: bool


def compare(database: Database, folder: Path) -> MatrixAgreement:
    """Compare the matrix with the catalogue; :func:`.matrix_file.damaged` says whether it is whole."""
    with database.read() as connection:
        state = vector_state(connection)
        expected = term_vectors.photos_with_terms(connection)
        matrix = matrix_file.load_newest(folder, state.identity, state.revision)
        if matrix is None:
            return MatrixAgreement(len(expected), False, 0, True)
        changed = {vector.photo_id for vector in vectors_after(connection, matrix.stamp.revision)}
    known = set(matrix.photo_ids.tolist())
    return MatrixAgreement(len(expected), True, len(changed), known - changed == expected - changed)


def _publish(connection: Connection, folder: Path) -> Path:
    """Write the matrix of all vectors, a block at a time. Raises OSError."""
    return matrix_file.publish_vectors(*_vectors(connection), folder)


def _vectors(
    connection: Connection,
) -> tuple[Stamp, Mapping[int, TermVocabulary], Callable[[int], Iterator[VectorBatch]]]:
    state = vector_state(connection)
    stamp = Stamp(state.identity, state.revision)
    return stamp, vocabularies(connection), lambda model: term_vectors.vectors_of_model(connection, model)
