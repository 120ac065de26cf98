"""The impact matrix: the photos of each learned term, and the weight of the term for each.

A term-by-photo sparse matrix in column form. The score of a photo for a query is the sum of its impacts over the terms
of the query, so a query reads only a few columns (impacts computed beforehand: Anh and
Moffat, "Pruned Query Evaluation Using Pre-Computed Impacts", 2006).

Columns are returned as they are stored, three bytes an entry in blocks of rows (blocks.py), and a query converts one
block of a column at a time: converting all of them at once would take longer, for the memory, than adding them up.

A row is a photo's vector. Rows are sorted by model and then by photo id, so one byte an impact and one scale a model
are enough. A view appends the few vectors that changed after the matrix was written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import numpy as np

from photoindex.language import lexicon
from photoindex.language.analysis import stem
from photoindex.search.distinct import distinct
from photoindex.search.lru_cache import LruCache
from photoindex.search.query.syntax import AllOf, AnyOf, Node, Ranked, Word
from photoindex.search.ranking.chosen import cuts
from photoindex.search.ranking.explain import locate, place_in
from photoindex.search.terms.blocks import MOST_ROWS, Block, blocks_of, numbers_of_terms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from photoindex.search.ranking.chosen import Chosen, Spans
    from photoindex.types import TermVocabulary, VectorBatch

    Entries = tuple[int, NDArray[np.uint16], NDArray[np.uint8]]
    PhotoIds = NDArray[np.int64]
    Rows = NDArray[np.intp]
    Impacts = NDArray[np.float32]

TERMS_LAYER: Final = "terms"  # what a reason for a hit calls it
REMEMBERED: Final = 512  # columns whose places in the blocks are kept: of each, some hundred bytes a block
NOBODY: Final = -1  # the photo id of a row that counts no more


class Stamp(NamedTuple):
    """The state of the catalogue in a matrix: its identity, and the highest revision of the vectors in it."""

    identity: str
    revision: int


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """The vectors of one model in a column, by block: the first row of the block, the rows within it, ascending, and of
    each the level of its impact, of which ``curve`` says how much it is."""

    blocks: tuple[Entries, ...]
    curve: Impacts

    @property
    def rows(self) -> Rows:
        """The rows, ascending."""
        return np.concatenate([rows.astype(np.intp) + first for first, rows, _ in self.blocks])

    @property
    def size(self) -> int:
        """How many rows there are."""
        return sum(rows.size for _, rows, _ in self.blocks)

    def impacts(self) -> Impacts:
        """Return the impacts, in the order of the rows."""
        return np.concatenate([self._impacts(levels) for _, _, levels in self.blocks])

    def _impacts(self, levels: NDArray[np.uint8]) -> Impacts:
        return self.curve.take(levels, mode="clip")  # no level is beyond it; unchecked, it takes half the time

    def at(self, wanted: NDArray[np.intp]) -> tuple[NDArray[np.intp], Impacts]:
        """Return the places in ``wanted``, any rows, of those that are in this part, and their impacts."""
        order = wanted.argsort()
        ascending = wanted[order]
        met, found = [np.zeros(0, np.intp)], [np.zeros(0, np.uint8)]
        for first, rows, levels in self.blocks:
            here, places = place_in(rows, first, MOST_ROWS, ascending)
            met.append(here)
            found.append(levels[places])
        return order[np.concatenate(met)], self._impacts(np.concatenate(found))

    def raised(self, power: float, share: float = 1.0) -> Part:
        """Return this part with each impact raised to ``power`` and multiplied by ``share``."""
        return Part(self.blocks, self.curve ** np.float32(power) * np.float32(share))

    def add_to(self, sums: NDArray[np.float32], spans: Spans | None = None) -> None:
        """Add to each row's sum its impact, or to those of the rows within ``spans`` alone."""
        for first, rows, levels in self.blocks if spans is None else self._within(spans):
            # sums[rows] += impacts, in half the time
            np.add.at(sums[first : first + MOST_ROWS], rows.astype(np.intp), self._impacts(levels))

    def _within(self, spans: Spans) -> Iterator[Entries]:
        for first, rows, levels in self.blocks:
            for cut in cuts(rows, first, MOST_ROWS, spans):
                yield first, rows[cut], levels[cut]

    def of(self, chosen: Chosen, order: Rows) -> Part:
        """Return the impacts of some rows alone, at most 65,536: the row ``chosen.numbers[n]`` becomes ``order[n]``."""
        met, levels = chosen.pick((first, MOST_ROWS, rows, levels) for first, rows, levels in self.blocks)
        found = order[met]
        ascending = found.argsort()
        return Part(((0, found[ascending].astype(np.uint16), levels[ascending]),), self.curve)


Column = tuple[Part, ...]  # rows ascending from one to the next as well


class Columns(NamedTuple):
    """The columns of a query. ``photo_ids`` are by row; ``NOBODY`` where a newer row replaces this one."""

    photo_ids: PhotoIds
    by_term: Mapping[str, Column]  # without terms that are in no vocabulary


class TermSource(Protocol):
    """A source of learned terms for a search."""

    def columns(self, terms: Sequence[str]) -> Columns | None:
        """Return the columns of these terms; ``None`` when there are no learned terms at all."""
        ...


# ---- what a query asks for -----------------------------------------------------------------------


def terms_of_run(run: Ranked) -> list[str]:
    """Return the terms of a run of words, each once: the stems of its plain words, and those of each two neighbours."""
    terms: dict[str, None] = {}
    before: str | None = None
    for node in run.wanted:
        this = stem(node.text) if isinstance(node, Word) and node.field is None else None
        if this is not None:
            terms[this] = None
            if before is not None:
                terms[f"{before} {this}"] = None
        before = this
    return list(terms)


def stand_ins_of_run(run: Ranked) -> dict[str, Mapping[str, float]]:
    """Return for each plain word of a run, by its stem, the terms of similar meaning with their weights."""
    return {
        stem(node.text): lexicon.synonyms(node.text)
        for node in run.wanted
        if isinstance(node, Word) and node.field is None and not node.exact
    }


def terms_of(node: Node) -> list[str]:
    """Return the terms of every run in a query except those that exclude, each once."""
    return list(dict.fromkeys(term for run in runs_of(node) for term in terms_of_run(run)))


def stand_ins_of(node: Node) -> list[str]:
    """Return the terms that may replace others in those runs, each once."""
    return list(
        dict.fromkeys(
            term for run in runs_of(node) for stand_ins in stand_ins_of_run(run).values() for term in stand_ins
        )
    )


def runs_of(node: Node) -> Iterator[Ranked]:
    """Yield every run in a query except those that exclude."""
    if isinstance(node, Ranked):
        yield node
        parts = [*node.wanted, *node.required]
    else:
        parts = [*node.parts] if isinstance(node, (AllOf, AnyOf)) else []
    for part in parts:
        yield from runs_of(part)


# ---- the matrix ----------------------------------------------------------------------------------


class TermMatrix:
    """The vectors of photos by term, in memory or on a mapped file; see the module. Immutable.

    ``scales`` are those of the models, by which the blocks are sorted.
    """

    def __init__(
        self, stamp: Stamp, terms: Sequence[str], scales: NDArray[np.float32], blocks: Sequence[Block]
    ) -> None:
        self.stamp = stamp
        self.terms = terms
        self.scales = scales
        self.blocks = blocks
        self.photo_ids: PhotoIds = np.concatenate([np.zeros(0, np.int64), *(block.photo_ids for block in blocks)])
        self.norms: NDArray[np.float32] = np.concatenate([np.zeros(0, np.float32), *(block.norms for block in blocks)])
        self._firsts = np.cumsum([0, *(len(block.photo_ids) for block in blocks)]).tolist()
        self._places = {term: place for place, term in enumerate(terms)}
        self._columns: LruCache[str, Column] = LruCache(REMEMBERED)
        self._curves = np.arange(256, dtype=np.float32) * scales[:, None]  # (models, 256): each level's impact

    def __len__(self) -> int:
        return len(self.photo_ids)

    def rows_of(self, photo_ids: NDArray[np.int64]) -> Rows:
        """Return the rows of these photos, ascending ids."""
        found = [np.zeros(0, np.intp)]
        for block, first in zip(self.blocks, self._firsts, strict=False):
            found.append(locate(block.photo_ids, photo_ids)[1] + first)
        return np.concatenate(found)

    def column(self, term: str) -> Column | None:
        """Return the rows and impacts of a term; ``None`` for a term in no vocabulary. Raises DamagedFile."""
        place = self._places.get(term)
        if place is None:
            return None
        if (known := self._columns.get(term)) is None:
            known = self._columns.keep(term, self._column(place))
        return known

    def _column(self, place: int) -> Column:
        by_model: dict[int, list[Entries]] = {}
        for block, first in zip(self.blocks, self._firsts, strict=False):
            rows, levels = block.entries(place)
            if rows.size:
                by_model.setdefault(block.model, []).append((first, rows, levels))
        return tuple(Part(tuple(parts), self._curves[model]) for model, parts in by_model.items())


def build(
    stamp: Stamp,
    vocabularies: Mapping[int, TermVocabulary],
    read: Callable[[int], Iterable[VectorBatch]],
) -> TermMatrix:
    """Return the matrix of all vectors, in memory. ``read`` yields those of a model (a key of ``vocabularies``), each
    photo once. Takes three bytes an entry."""
    numbers = numbers_of_terms(vocabularies.values())
    scales = np.array([vocabulary.scale for vocabulary in vocabularies.values()], np.float32)
    return TermMatrix(stamp, list(numbers), scales, list(blocks_of(vocabularies, read, numbers)))


# ---- the matrix, and what changed since ----------------------------------------------------------


class TermView:
    """A matrix with the vectors that changed since it was made: ``delta`` holds those of the photos ``changed``, if
    they still have one. The delta's rows follow the matrix's."""

    def __init__(self, base: TermMatrix, delta: TermMatrix | None = None, changed: Sequence[int] = ()) -> None:
        self._base = base
        self._delta = delta
        self.photo_ids: PhotoIds = base.photo_ids
        if delta is not None:
            outdated = np.isin(base.photo_ids, np.array(changed, np.int64))
            self.photo_ids = np.concatenate([np.where(outdated, NOBODY, base.photo_ids), delta.photo_ids])

    def rows_of(self, photo_ids: Sequence[int]) -> Rows:
        """Return the rows of these photos, ascending, one for each that has learned terms."""
        wanted = distinct(np.array(photo_ids, np.int64))
        rows = self._base.rows_of(wanted)
        if self._delta is not None:
            rows = np.concatenate([rows[self.photo_ids[rows] != NOBODY], len(self._base) + self._delta.rows_of(wanted)])
        return rows

    def column(self, term: str) -> Column | None:
        """Return the rows and impacts of a term; rows of ``NOBODY`` are among them."""
        old = self._base.column(term)
        new = self._delta.column(term) if self._delta is not None else None
        if new is None:
            return old
        first = len(self._base)
        moved = (
            Part(tuple((first + start, rows, levels) for start, rows, levels in part.blocks), part.curve)
            for part in new
        )
        return (*(old or ()), *moved)

    def columns(self, terms: Sequence[str]) -> Columns:
        """Return the columns of the known ones of these terms. Raises DamagedFile."""
        pairs = ((term, self.column(term)) for term in terms)
        return Columns(self.photo_ids, {term: column for term, column in pairs if column is not None})

    def norms(self) -> NDArray[np.float32]:
        """Return the length of each row's vector."""
        if self._delta is None:
            return self._base.norms
        return np.concatenate([self._base.norms, self._delta.norms])


# ---- photos like one another ---------------------------------------------------------------------


class Similar(NamedTuple):
    """Photos that share terms with one photo, most similar first: ``cosines``, 0 to 1, of the angles between the
    vectors, and ``rows`` in the view."""

    photo_ids: PhotoIds
    cosines: NDArray[np.float32]
    rows: NDArray[np.intp]


def similar(view: TermView, weights: Mapping[str, float]) -> Similar:
    """Return the photos with any of the terms, by the cosine of their vector and ``weights``. Raises DamagedFile."""
    sums = np.zeros(len(view.photo_ids), np.float32)
    for term, weight in weights.items():
        for part in view.column(term) or ():
            part.raised(1, weight).add_to(sums)
    length = np.sqrt(sum(weight * weight for weight in weights.values()))
    rows = np.flatnonzero((sums > 0) & (view.photo_ids != NOBODY))
    cosines = np.minimum(sums[rows] / (view.norms()[rows] * length), 1).astype(np.float32)
    order = np.lexsort((view.photo_ids[rows], -cosines))
    return Similar(view.photo_ids[rows][order], cosines[order], rows[order])


def shared_terms(view: TermView, weights: Mapping[str, float], rows: NDArray[np.intp]) -> list[dict[str, float]]:
    """Return for each of the rows what each term adds to its cosine. Raises DamagedFile."""
    length = np.sqrt(sum(weight * weight for weight in weights.values()))
    norms = (view.norms()[rows] * length).tolist()
    return [
        {term: weights[term] * impact / norm for term, impact in impacts.items()}
        for norm, impacts in zip(norms, impacts_of(view, list(weights), rows), strict=True)
    ]


def impacts_of(view: TermView, terms: Sequence[str], rows: NDArray[np.intp]) -> list[dict[str, float]]:
    """Return for each of the rows the impacts of those of ``terms`` that it has. Raises DamagedFile."""
    found: list[dict[str, float]] = [{} for _ in rows]
    for term in terms:
        for part in view.column(term) or ():
            met, impacts = part.at(rows)
            for number, impact in zip(met.tolist(), impacts.tolist(), strict=True):
                found[number][term] = impact
    return found
