"""Postings of one reader, each read from the index once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from photoindex.search.fulltext.reader import Column, IndexReader
    from photoindex.search.ranking.explain import Ids, Scores


class Postings:
    """The postings of one reader, kept for as long as a query is answered."""

    def __init__(self, reader: IndexReader) -> None:
        self._reader = reader
        self._read: dict[tuple[str, str], tuple[Ids, Scores]] = {}
        self._columns: dict[str, Column] = {}

    def of(self, field: str, word: str) -> tuple[Ids, Scores]:
        """Return the documents that hold ``word`` in ``field``, ascending, and how often each does."""
        key = (field, word)
        if key not in self._read:
            self._read[key] = self._reader.postings(field, word)
        return self._read[key]

    def column(self, stem: str) -> Column:
        """Return the documents that hold ``stem`` in any text field, and how often in each."""
        if stem not in self._columns:
            self._columns[stem] = self._reader.column(stem)
        return self._columns[stem]
