"""One commit of the index, read: its segments behind one another, without the documents that were deleted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from photoindex.search.fulltext.reader import ColumnPart
from photoindex.search.fulltext.segment import in_range
from photoindex.search.fulltext.spaces import SLOT_OF, TEXT_FIELDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from photoindex.search.fulltext.reader import Column, Frequencies, Ids
    from photoindex.search.fulltext.segment import Segment

    Alive = NDArray[np.bool_]


class SegmentsReader:
    """An :class:`.reader.IndexReader`."""

    def __init__(self, segments: Sequence[Segment], alive: Sequence[Alive]) -> None:
        firsts = np.cumsum([0, *(segment.size for segment in segments)]).tolist()
        self.size = int(firsts[-1])
        # A segment with its first document, and which of its documents are alive; None for all of them.
        self._parts = [
            (segment, first, None if here.all() else here)
            for segment, first, here in zip(segments, firsts, alive, strict=False)
        ]
        self._alive = np.concatenate([np.zeros(0, np.bool_), *alive])
        self.alive = int(np.count_nonzero(self._alive))
        self._documents: Ids | None = None
        self._form_counts: dict[str, int] = {}  # of words that were asked for
        self._photo_ids: NDArray[np.int64] | None = None

    def close(self) -> None:
        self._parts = []

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
        parts = []
        for segment, first, alive in self._parts:
            entries = segment.entries(TEXT_FIELDS[0], word)
            if entries is not None:
                rows, codes = entries
                if alive is not None:
                    kept = alive[rows]
                    rows, codes = rows[kept], codes[kept]
                if rows.size:
                    parts.append(ColumnPart(first, segment.size, rows, codes, segment.tallies))
        return parts

    def postings(self, field: str, word: str) -> tuple[Ids, Frequencies]:
        ids: list[Ids] = [np.empty(0, np.intp)]
        frequencies: list[Frequencies] = [np.empty(0, np.float32)]
        slot = SLOT_OF.get(field)
        for segment, first, alive in self._parts:
            if slot is not None and not segment.tallies.has(slot):
                continue
            if (entries := segment.entries(field, word)) is None:
                continue
            rows, codes = entries
            if slot is not None:
                kept = (segment.tallies.counts[:, slot] > 0)[codes]
                rows, codes = rows[kept], codes[kept]
            if alive is not None:
                rows, codes = rows[alive[rows]], codes[alive[rows]]
            ids.append(rows.astype(np.intp) + first)
            counts = np.ones(rows.size) if slot is None else segment.tallies.counts[codes, slot]
            frequencies.append(counts.astype(np.float32))
        return np.concatenate(ids), np.concatenate(frequencies)

    def adjacent(self, fields: Sequence[str], places: Sequence[Sequence[str]]) -> dict[str, Ids]:
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
