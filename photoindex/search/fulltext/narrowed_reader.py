"""Some documents of an index as an index of their own, for scoring those alone that may be among the first hits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from photoindex.search.fulltext.reader import ColumnPart
from photoindex.search.ranking.chosen import Chosen

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from photoindex.search.fulltext.reader import Asked, Column, Frequencies, Ids, IndexReader
    from photoindex.search.fulltext.tallies import MergedTallies


class NarrowedReader:
    """An :class:`.reader.IndexReader` of one segment. ``documents`` of ``reader``, ascending and none of them deleted,
    have the numbers from 0 on. ``tallies`` are those of all segments, which begin with the documents ``firsts``. Words
    and their counts are those of the whole index."""

    def __init__(self, reader: IndexReader, documents: Ids, tallies: MergedTallies, firsts: Ids) -> None:
        self._reader = reader
        self._chosen = Chosen(documents)
        self._tallies, self._firsts = tallies, firsts
        self._codes_of_segment = tallies.starts[firsts.searchsorted(documents, "right") - 1]  # by document
        self.size = len(documents)
        self.alive = reader.alive

    def documents(self) -> Ids:
        return np.arange(self.size)

    def living(self) -> NDArray[np.bool_] | None:
        return None

    def photo_ids(self) -> NDArray[np.int64]:
        return self._reader.photo_ids()[self._chosen.numbers]

    def column(self, word: str) -> Column:
        rows, codes = self._chosen.pick(part[:4] for part in self._reader.stored_column(word))
        if not rows.size:
            return []
        merged = self._tallies.codes[self._codes_of_segment[rows] + codes]
        return [ColumnPart(0, self.size, rows, merged, self._tallies.tallies)]

    def stored_column(self, word: str) -> Column:
        return self.column(word)

    def narrowed(self, documents: Ids) -> NarrowedReader:
        return NarrowedReader(self._reader, self._chosen.numbers[documents], self._tallies, self._firsts)

    def postings(self, field: str, word: str) -> tuple[Ids, Frequencies]:
        ids, frequencies = self._reader.postings(field, word)
        here, places = self._chosen.among_all(ids)
        return here, frequencies[places]

    def adjacent(self, fields: Sequence[str], places: Sequence[Sequence[Asked]]) -> dict[str, Ids]:
        found = self._reader.adjacent(fields, places)
        narrowed = {name: self._chosen.among_all(ids)[0] for name, ids in found.items()}
        return {name: ids for name, ids in narrowed.items() if ids.size}

    def with_prefix(self, field: str, prefix: str) -> Iterator[str]:
        return self._reader.with_prefix(field, prefix)

    def within(self, field: str, word: str, distance: int, *, prefix: int = 0) -> Iterator[str]:
        return self._reader.within(field, word, distance, prefix=prefix)

    def form_count(self, form: str) -> int:
        return self._reader.form_count(form)

    def in_range(self, field: str, first: int, last: int) -> NDArray[np.bool_]:
        return self._reader.in_range(field, first, last)[self._chosen.numbers]

    def numbers(self, field: str, documents: Ids) -> NDArray[np.uint32]:
        return self._reader.numbers(field, self._chosen.numbers[documents])

    def close(self) -> None:
        """Do nothing: the files are those of the whole index."""
