"""Which photo each document of the full-text index is, and so which row of the impact matrix it has."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from photoindex.search.terms.matrix import Columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from photoindex.search.fulltext.reader import IndexReader
    from photoindex.search.terms.matrix import PhotoIds


class Terms(NamedTuple):
    """Learned terms in the numbers of documents. A row without a document has the number behind the last one; a
    document without a row has the row -1."""

    columns: Columns
    document_of_row: NDArray[np.intp]
    row_of_document: NDArray[np.intp]


class Documents:
    """The documents of one reader. What is read from the index is read once."""

    def __init__(self, reader: IndexReader) -> None:
        self._reader = reader
        self._size = reader.size
        self._rows: tuple[PhotoIds, NDArray[np.intp], NDArray[np.intp]] | None = None  # of these photo ids by row

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
            self._rows = columns.photo_ids, document_of_row, row_of_document[:-1]
        return Terms(columns, *self._rows[1:])

    def _document_of_row(self, photo_ids: PhotoIds) -> NDArray[np.intp]:
        if not self._size:
            return np.zeros(len(photo_ids), np.intp)
        order = np.argsort(self.photo_ids, kind="stable")  # quick: photos are indexed nearly in the order of their ids
        ascending = self.photo_ids[order]
        places = np.minimum(np.searchsorted(ascending, photo_ids), self._size - 1)
        return np.where((ascending[places] == photo_ids) & (photo_ids > 0), order[places], self._size)
