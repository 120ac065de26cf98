"""One commit of the index, read: its segments behind one another, without the documents that were deleted."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from photoindex.search.fulltext.narrowed_reader import NarrowedReader
from photoindex.search.fulltext.reader import ColumnPart
from photoindex.search.fulltext.segment import in_range
from photoindex.search.fulltext.spaces import SLOT_OF, TEXT_FIELDS
from photoindex.search.fulltext.tallies import merged
from photoindex.search.lru_cache import LruCache

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from photoindex.search.fulltext.reader import Asked, Column, Frequencies, Ids
    from photoindex.search.fulltext.segment import Entries, Segment
    from photoindex.search.fulltext.tallies import MergedTallies

    Alive = NDArray[np.bool_]
    # A segment with its first document, and which of its documents are alive; None for all of them.
    Placed = tuple[Segment, int, Alive | None]

# What was read last is kept, for the words that people ask for again and again.
REMEMBERED: Final = 512  # columns, of which some hundred bytes a segment are kept, and as many lists of documents
FEW_DOCUMENTS: Final = 1024  # of such a list


class SegmentsReader:
    """An :class:`.reader.IndexReader`."""

    def __init__(self, segments: Sequence[Segment], alive: Sequence[Alive]) -> None:
        *firsts, self.size = np.cumsum([0, *(segment.size for segment in segments)]).tolist()
        self._firsts = np.array(firsts, np.intp)
        self._parts: list[Placed] = [
            (segment, first, None if here.all() else here)
            for segment, first, here in zip(segments, firsts, alive, strict=True)
        ]
        self._alive_in = {first: here for _, first, here in self._parts}
        self._alive = np.concatenate([np.zeros(0, np.bool_), *alive])
        self.alive = int(np.count_nonzero(self._alive))
        self._documents: Ids | None = None
        self._form_counts: dict[str, int] = {}  # of words that were asked for
        self._columns: LruCache[str, Column] = LruCache(REMEMBERED)
        self._postings: LruCache[tuple[str, str], tuple[Ids, Frequencies]] = LruCache(REMEMBERED)
        self._together: LruCache[Hashable, dict[str, Ids]] = LruCache(REMEMBERED)
        self._photo_ids: NDArray[np.int64] | None = None
        self._merged: MergedTallies | None = None  # of all segments

    def close(self) -> None:
        self._parts = []
        for kept in (self._columns, self._postings, self._together):
            kept.clear()

    def living(self) -> Alive | None:
        return None if self.alive == self.size else self._alive

    def documents(self) -> Ids:
        if self._documents is None:
            self._documents = np.flatnonzero(self._alive)
        return self._documents

    def photo_ids(self) -> NDArray[np.int64]:
        if self._photo_ids is None:
            ids = [segment.photo_ids() for segment, _, _ in self._parts]
            self._photo_ids = np.concatenate([np.zeros(0, np.int64), *ids])
            self._photo_ids[~self._alive] = 0
        return self._photo_ids

    def column(self, word: str) -> Column:
        stored = self.stored_column(word)
        return (
            stored if self.alive == self.size else [part for part in map(self._living_part, stored) if part.rows.size]
        )

    def _living_part(self, part: ColumnPart) -> ColumnPart:
        alive = self._alive_in[part.first]
        if alive is None:
            return part
        kept = alive[part.rows]
        return part._replace(rows=part.rows[kept], codes=part.codes[kept])

    def stored_column(self, word: str) -> Column:
        if (found := self._columns.get(word)) is None:
            entries = self._entries(TEXT_FIELDS[0], word)
            found = [ColumnPart(first, segment.size, *here, segment.tallies) for (segment, first, _), here in entries]
            self._columns.keep(word, [part for part in found if part.rows.size])
        return found

    def narrowed(self, documents: Ids) -> NarrowedReader:
        if self._merged is None:
            self._merged = merged([segment.tallies for segment, _, _ in self._parts])
        return NarrowedReader(self, documents, self._merged, self._firsts)

    def _entries(self, field: str, word: str) -> list[tuple[Placed, Entries]]:
        """Return the entries of a word in the space of ``field``, by segment, deleted documents included."""
        entries = ((part, part[0].entries(field, word)) for part in self._parts)
        return [(part, here) for part, here in entries if here is not None]

    def postings(self, field: str, word: str) -> tuple[Ids, Frequencies]:
        if (known := self._postings.get((field, word))) is None:
            known = self._read_postings(field, word)
            if known[0].size <= FEW_DOCUMENTS:
                self._postings.keep((field, word), known)
        return known

    def _read_postings(self, field: str, word: str) -> tuple[Ids, Frequencies]:
        ids: list[Ids] = [np.empty(0, np.intp)]
        frequencies: list[Frequencies] = [np.empty(0, np.float32)]
        slot = SLOT_OF.get(field)
        for (segment, first, alive), (rows, codes) in self._entries(field, word):
            if slot is not None and not segment.tallies.has(slot):
                continue
            if slot is not None:
                kept = (segment.tallies.counts[:, slot] > 0)[codes]
                rows, codes = rows[kept], codes[kept]
            if alive is not None:
                rows, codes = rows[alive[rows]], codes[alive[rows]]
            ids.append(rows.astype(np.intp) + first)
            counts = np.ones(rows.size) if slot is None else segment.tallies.counts[codes, slot]
            frequencies.append(counts.astype(np.float32))
        return np.concatenate(ids), np.concatenate(frequencies)

    def adjacent(self, fields: Sequence[str], places: Sequence[Sequence[Asked]]) -> dict[str, Ids]:
        key = tuple(fields), tuple(map(tuple, places))
        if (known := self._together.get(key)) is None:
            known = self._adjacent(fields, places)
            if sum(ids.size for ids in known.values()) <= FEW_DOCUMENTS:
                self._together.keep(key, known)
        return known

    def _adjacent(self, fields: Sequence[str], places: Sequence[Sequence[Asked]]) -> dict[str, Ids]:
        found: dict[str, list[Ids]] = {}
        for segment, first, alive in self._parts:
            for name, rows in segment.adjacent(fields, places).items():
                kept = rows if alive is None else rows[alive[rows]]
                if kept.size:
                    found.setdefault(name, []).append(kept + first)
        return {name: np.concatenate(found[name]) for name in fields if name in found}

    def with_prefix(self, field: str, prefix: str) -> Iterator[str]:
        for segment, _, _ in self._parts:
            yield from segment.with_prefix(field, prefix)

    def within(self, field: str, word: str, distance: int, *, prefix: int = 0) -> Iterator[str]:
        for segment, _, _ in self._parts:
            yield from segment.within(field, word, distance, prefix)

    def form_count(self, form: str) -> int:
        if form not in self._form_counts:
            self._form_counts[form] = sum(segment.form_count(form) for segment, _, _ in self._parts)
        return self._form_counts[form]

    def numbers(self, field: str, documents: Ids) -> NDArray[np.uint32]:
        found = np.zeros(documents.size, np.uint32)
        for segment, start, _ in self._parts:
            here = (documents >= start) & (documents < start + segment.size)
            if here.any() and (values := segment.numbers(field)) is not None:
                found[here] = values[documents[here] - start] - np.uint32(1)  # a column holds one more
        return found

    def in_range(self, field: str, first: int, last: int) -> Alive:
        mask = np.zeros(self.size, np.bool_)
        for segment, start, alive in self._parts:
            numbers = segment.numbers(field)
            if numbers is not None:
                here = in_range(numbers, first, last)
                mask[start : start + segment.size] = here if alive is None else here & alive
        return mask
