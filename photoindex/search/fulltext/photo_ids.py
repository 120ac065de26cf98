"""Which photo each document of the full-text index is, and so which row of the impact matrix it has."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from photoindex.search.lru_cache import LruCache
from photoindex.search.ranking.chosen import Chosen, stretches
from photoindex.search.terms.matrix import Columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from photoindex.search.fulltext.reader import IndexReader
    from photoindex.search.ranking.chosen import Spans
    from photoindex.search.terms.matrix import PhotoIds

_WORDS: Final = 4096


class Terms(NamedTuple):
    """Learned terms in the numbers of documents. A row without a document has the number behind the last one; a
    document without a row has the row -1."""

    columns: Columns
    document_of_row: NDArray[np.intp]
    row_of_document: NDArray[np.intp]
    shift: int | None  # where one number follows from the other: what a row has more than its document

    def by_document(self, by_row: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return by document what is given by row; the last of ``by_row`` for documents without one."""
        if self.shift is not None:
            return by_row[self.shift : self.shift + len(self.row_of_document)]
        return by_row.take(self.row_of_document, mode="wrap")  # -1 is the last; unchecked, it takes two thirds

    def of(self, documents: NDArray[np.intp]) -> Terms:
        """Return the learned terms of some documents alone, ascending and at most 65,536, numbered from 0 on."""
        rows = self.row_of_document[documents]
        order = rows.argsort()
        known = order[np.count_nonzero(rows < 0) :]
        chosen = Chosen(rows[known])
        by_term = {
            term: tuple(part.of(chosen, known) for part in column) for term, column in self.columns.by_term.items()
        }
        numbers = np.arange(len(documents))
        return Terms(Columns(self.columns.photo_ids, by_term), numbers, numbers, 0)

    def spans(self, documents: NDArray[np.bool_]) -> Spans:
        """Return stretches of rows that have all of these documents."""
        if self.shift is not None:
            return [(start + self.shift, end + self.shift) for start, end in stretches(documents)]
        rows = self.row_of_document[documents.nonzero()[0]]
        asked = np.zeros(len(self.document_of_row), np.bool_)
        asked[rows[rows >= 0]] = True
        return stretches(asked)


class Documents:
    """The documents of one reader. What is read from the index is read once."""

    def __init__(self, reader: IndexReader) -> None:
        self._reader = reader
        self._size = reader.size
        # Of these photo ids by row: the document of each row, the row of each document, and Terms.shift.
        self.holders: LruCache[Hashable, int] = LruCache(_WORDS)  # how many documents hold words that were asked for
        self._rows: tuple[PhotoIds, NDArray[np.intp], NDArray[np.intp], int | None] | None = None

    @property
    def photo_ids(self) -> PhotoIds:
        """The photo of each document; 0 for those that were deleted."""
        return self._reader.photo_ids()

    def terms(self, columns: Columns) -> Terms:
        """Return the columns, with the way from their rows to documents and back."""
        if self._rows is None or self._rows[0] is not columns.photo_ids:
            document_of_row = self._document_of_row(columns.photo_ids)
            row_of_document = np.full(self._size + 1, -1, np.intp)
            row_of_document[document_of_row] = np.arange(len(document_of_row))
            rows = row_of_document[:-1]
            self._rows = columns.photo_ids, document_of_row, rows, _shift(rows)
        return Terms(columns, *self._rows[1:])

    def _document_of_row(self, photo_ids: PhotoIds) -> NDArray[np.intp]:
        if not self._size:
            return np.zeros(len(photo_ids), np.intp)
        order = np.argsort(self.photo_ids, kind="stable")  # quick: photos are indexed nearly in the order of their ids
        ascending = self.photo_ids[order]
        places = np.minimum(np.searchsorted(ascending, photo_ids), self._size - 1)
        return np.where((ascending[places] == photo_ids) & (photo_ids > 0), order[places], self._size)


def _shift(rows: NDArray[np.intp]) -> int | None:
    """Return by how much every row is more than its document, if it is always the same: photos that were indexed one
    after another, all by one model."""
    if not rows.size or rows[0] < 0 or (np.diff(rows) != 1).any():
        return None
    return int(rows[0])
