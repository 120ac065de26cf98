"""BM25F over columns: what the stems of one word of a query give each document that holds any of them.

A document's x (the formula is in matcher.py) follows from the code of its entry, so that it is worked out once for each
code of a segment. Only documents that hold several stems of one word are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from photoindex.search.ranking.explain import place_in

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from photoindex.search.fulltext.reader import Column, ColumnPart
    from photoindex.search.ranking.explain import Ids, Scores

    Rows = NDArray[np.uint16] | NDArray[np.intp]
    Stems = Sequence[tuple[str, float, Column]]  # each with what it counts and where it stands


class AskedWord(NamedTuple):
    """What a word of a query asks of the index: the ``columns`` of its stems, the ``weights`` of all text fields, 0 for
    those that are not searched, and where two words that it may be ``split`` into stand, by field. ``own`` are the
    columns of its own spellings, where others count less. ``key`` tells it from other words; it asks for so many
    ``stems``, of which the index may lack some."""

    columns: Stems
    weights: tuple[float, ...]
    split: Sequence[tuple[tuple[str, str], Mapping[str, Ids]]]
    own: Stems
    key: tuple[Hashable, ...]
    stems: int

    def alone(self) -> AskedWord:
        """Return the word by its own spellings."""
        return AskedWord(self.own, self.weights, (), (), ("own", self.key), self.stems)

    def mask(self, size: int) -> NDArray[np.bool_]:
        """Return which of so many documents hold the word."""
        mask = np.zeros(size, np.bool_)
        for _, _, column in self.columns:
            for part in column:
                # Converted first: an array is indexed by rows of 16 bits in three times the time.
                mask[part.first : part.first + part.size][_holding(part, self.weights).astype(np.intp)] = True
        for _, found in self.split:
            for ids in found.values():
                mask[ids] = True
        return mask

    def count(self, size: int) -> int:
        """Return how many of so many documents hold the word."""
        if len(self.columns) == 1 and not self.split:
            return sum(_holding(part, self.weights).size for part in self.columns[0][2])
        return int(np.count_nonzero(self.mask(size)))


def _holding(part: ColumnPart, weights: Sequence[float]) -> Rows:
    """Return the rows where a stem stands in a field with a weight."""
    if part.tallies.all_weigh(weights):
        return part.rows
    return part.rows[(part.tallies.weighed(weights) > 0)[part.codes]]


class Weighed(NamedTuple):
    """Documents of one segment with their x, which is ``x[codes]``, or ``x`` itself without codes."""

    first: int
    size: int
    rows: Rows
    codes: NDArray[np.unsignedinteger] | None
    x: Scores


class Scored(NamedTuple):
    """Documents of one segment, ascending, with their scores."""

    first: int
    size: int
    rows: Ids
    scores: Scores


class WordScores:
    """The scores of one word, by segment."""

    def __init__(self, parts: Sequence[Scored]) -> None:
        self.parts = parts

    def add_to(self, scores: Scores, found: NDArray[np.uint8] | None) -> None:
        """Add the scores to those of all documents, and one to how many words were found in each."""
        for first, size, rows, values in self.parts:
            np.add.at(scores[first : first + size], rows, values)
            if found is not None:
                found[first : first + size][rows] += 1

    def __getitem__(self, documents: Ids) -> Scores:
        """Return the scores of some documents."""
        values = np.zeros(len(documents), np.float32)
        for first, size, rows, scores in self.parts:
            here, places = place_in(rows, first, size, documents)
            values[here] = scores[places]
        return values


class StemEvidence(NamedTuple):
    """A stem speaks for the documents of its column, in each text field that has a weight."""

    stem: str
    worth: float
    column: Column
    weights: Mapping[int, tuple[str, float]]  # by slot: the field and its weight

    def given(self, documents: Ids) -> Iterator[tuple[str, str, Ids, Scores]]:
        """Yield (layer, word, places in ``documents``, values)."""
        for first, size, rows, codes, tallies in self.column:
            here, places = place_in(rows, first, size, documents)
            if not here.size:
                continue
            worths = tallies.worths()[codes[places]]
            for slot, (name, weight) in self.weights.items():
                values = worths[:, slot] * np.float32(weight * self.worth)
                if (spoken := np.flatnonzero(values)).size:
                    yield name, self.stem, here[spoken], values[spoken]


def weigh(stems: Stems, weights: Sequence[float]) -> list[Weighed]:
    """Return the x of every document that holds any of the stems in a field with a weight: of each field the stem
    that counts most. ``weights`` are those of all text fields."""
    if len(stems) == 1:
        return [part for part in (_alone(stems[0][1], each, weights) for each in stems[0][2]) if part.rows.size]
    by_segment: dict[int, list[tuple[float, ColumnPart]]] = {}
    for _, worth, column in stems:
        for part in column:
            by_segment.setdefault(part.first, []).append((worth, part))
    segments = [by_segment[first] for first in sorted(by_segment)]
    parts = (_alone(*here[0], weights) if len(here) == 1 else _together(here, weights) for here in segments)
    return [part for part in parts if part.rows.size]


def _alone(worth: float, part: ColumnPart, weights: Sequence[float]) -> Weighed:
    x = part.tallies.weighed(weights)
    rows, codes = part.rows, part.codes
    if not part.tallies.all_weigh(weights):
        kept = (x > 0)[codes]
        rows, codes = rows[kept], codes[kept]
    return Weighed(part.first, part.size, rows, codes, x if worth == 1 else x * np.float32(worth))


def _together(parts: Sequence[tuple[float, ColumnPart]], weights: Sequence[float]) -> Weighed:
    """Return the x of documents of one segment that hold one of several stems, or more."""
    first, size = parts[0][1].first, parts[0][1].size
    x, held = np.zeros(size, np.float32), np.zeros(size, np.uint8)
    for worth, part in parts:
        rows = part.rows.astype(np.intp)
        x[rows] = part.tallies.weighed(weights)[part.codes] * np.float32(worth)
        held[rows] += 1
    if (several := np.flatnonzero(held > 1)).size:
        x[several] = _best_of_each_field(parts, weights, several)
    rows = np.flatnonzero(x > 0)  # of truths: of numbers it takes several times as long
    return Weighed(first, size, rows, None, x[rows])


def _best_of_each_field(parts: Sequence[tuple[float, ColumnPart]], weights: Sequence[float], rows: Ids) -> Scores:
    slots = [slot for slot, weight in enumerate(weights) if weight and parts[0][1].tallies.has(slot)]
    best = np.zeros((len(slots), len(rows)), np.float32)
    counted = np.array([weights[slot] for slot in slots], np.float32)
    code_of_row = np.empty(parts[0][1].size, np.intp)
    for worth, part in parts:
        code_of_row.fill(len(part.tallies))  # that of documents without the stem, which have zeros in the table
        code_of_row[part.rows] = part.codes
        table = np.zeros((len(slots), len(part.tallies) + 1), np.float32)
        table[:, :-1] = (part.tallies.worths()[:, slots] * (counted * np.float32(worth))).T
        np.maximum(best, table.take(code_of_row[rows], axis=1), out=best)
    # One field after another, so that the sum is the same to the last bit whichever fields a segment uses.
    total = np.zeros(len(rows), np.float32)
    for values in best:
        total += values
    return total


def scored(parts: Sequence[Weighed], rarity: float, saturation: float) -> list[Scored]:
    """Return the scores for one word: BM25F's, with this idf."""
    factor = np.float32(rarity * (saturation + 1))
    result = []
    for first, size, rows, codes, x in parts:
        values: Scores = factor * x / (np.float32(saturation) + x)
        result.append(Scored(first, size, rows.astype(np.intp), values if codes is None else values.take(codes)))
    return result


def idf(alive: int, holders: int) -> float:
    """Return how much a word counts that so many documents hold."""
    return float(np.log(1 + (alive - holders + 0.5) / (holders + 0.5)))


def better(scores: Sequence[Scored], others: Sequence[Scored]) -> list[Scored]:
    """Return the better of two scores of each document; ``scores`` has all documents, by segment or as one part."""
    result = []
    for part in scores:
        here = [other for other in others if part.first <= other.first < part.first + part.size]
        if here:
            best = np.zeros(part.size, np.float32)
            best[part.rows] = part.scores
            for other in here:
                rows = other.rows + (other.first - part.first)
                best[rows] = np.maximum(best[rows], other.scores)
            part = part._replace(scores=best[part.rows])
        result.append(part)
    return result


def of_documents(x: Scores) -> list[Weighed]:
    """Return the x of all documents as one part."""
    rows = np.flatnonzero(x > 0)
    return [Weighed(0, len(x), rows, None, x[rows])]
