"""The impact matrix: the photos of each learned term, and the weight of the term for each.

A term-by-photo sparse matrix in column form. The score of a photo for a query is the sum of its impacts over the terms
of the query, so a query reads only a few columns (impacts computed beforehand: Anh and
Moffat, "Pruned Query Evaluation Using Pre-Computed Impacts", 2006).

Columns are returned as they are stored, five bytes an entry, and a query converts one column at a time: converting all
of them at once would take longer, for the memory, than adding them up.

A row is a photo's vector. Rows are sorted by model and then by photo id, so one byte an impact and one scale a model
are enough. A view appends the few vectors that changed after the matrix was written.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import numpy as np

from photoindex.language import lexicon
from photoindex.language.analysis import stem
from photoindex.search.query.syntax import AllOf, AnyOf, Node, Ranked, Word
from photoindex.search.ranking.explain import locate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from photoindex.types import TermVocabulary, VectorBatch

    PhotoIds = NDArray[np.int64]
    Rows = NDArray[np.uint32]
    Impacts = NDArray[np.float32]

TERMS_LAYER: Final = "terms"  # what a reason for a hit calls it
NOBODY: Final = -1  # the photo id of a row that counts no more


class DamagedMatrix(Exception):
    """The bytes of a matrix are not those that were written. Handled where matrices are opened, by a rebuild."""


class Stamp(NamedTuple):
    """The state of the catalogue in a matrix: its identity, and the highest revision of the vectors in it."""

    identity: str
    revision: int


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """The vectors of one model in a column: ``rows``, ascending, and of each the level of its impact, of which
    ``curve`` says how much it is. Picked from by places, it gives the impacts there."""

    rows: Rows
    levels: NDArray[np.uint8]
    curve: Impacts

    def __getitem__(self, places: NDArray[np.intp]) -> Impacts:
        return self.curve[self.levels[places]]

    def impacts(self) -> Impacts:
        return self.curve.take(self.levels, mode="clip")  # no level is beyond it; unchecked, it takes half the time

    def raised(self, power: float, share: float = 1.0) -> Part:
        """Return this part with each impact raised to ``power`` and multiplied by ``share``."""
        return Part(self.rows, self.levels, self.curve ** np.float32(power) * np.float32(share))

    def add_to(self, sums: NDArray[np.float32]) -> None:
        """Add to each row's sum its impact."""
        np.add.at(sums, self.rows.astype(np.intp), self.impacts())  # sums[rows] += impacts, in half the time


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
    return list(dict.fromkeys(term for run in _runs(node) for term in terms_of_run(run)))


def stand_ins_of(node: Node) -> list[str]:
    """Return the terms that may replace others in those runs, each once."""
    return list(
        dict.fromkeys(term for run in _runs(node) for stand_ins in stand_ins_of_run(run).values() for term in stand_ins)
    )


def _runs(node: Node) -> Iterator[Ranked]:
    if isinstance(node, Ranked):
        yield node
        parts = [*node.wanted, *node.required]
    else:
        parts = [*node.parts] if isinstance(node, (AllOf, AnyOf)) else []
    for part in parts:
        yield from _runs(part)


# ---- the matrix ----------------------------------------------------------------------------------


class TermMatrix:
    """The vectors of photos by term, in memory or on a mapped file; see the module. Immutable.

    ``pointers[c]`` to ``pointers[c + 1]`` is the part of ``rows`` and ``impacts`` that is the column of ``terms[c]``;
    ``bounds[m]`` to ``bounds[m + 1]`` are the rows of the model with the scale ``scales[m]``. ``checks`` holds each
    column's CRC-32 when the columns may be damaged; each is then compared when it is first read.
    """

    def __init__(
        self,
        stamp: Stamp,
        terms: Sequence[str],
        pointers: NDArray[np.int64],
        photo_ids: PhotoIds,
        norms: NDArray[np.float32],
        bounds: NDArray[np.int64],
        scales: NDArray[np.float32],
        rows: Rows,
        impacts: NDArray[np.uint8],
        checks: NDArray[np.uint32] | None = None,
    ) -> None:
        self.stamp = stamp
        self.terms = terms
        self.pointers = pointers
        self.photo_ids = photo_ids  # by row
        self.norms = norms  # by row: the length of the vector
        self.bounds = bounds
        self.scales = scales
        self.rows = rows
        self.impacts = impacts
        self._checks = checks
        self._places = {term: place for place, term in enumerate(terms)}
        self._checked: set[int] = set()
        self._curves = np.arange(256, dtype=np.float32) * scales[:, None]  # (models, 256): each level's impact

    def __len__(self) -> int:
        return len(self.photo_ids)

    def column(self, term: str) -> Column | None:
        """Return the rows and impacts of a term; ``None`` for a term in no vocabulary. Raises DamagedMatrix."""
        place = self._places.get(term)
        if place is None:
            return None
        rows, levels = self._part(place)
        if self._checks is not None and place not in self._checked:
            if column_check(rows, levels) != self._checks[place]:
                raise DamagedMatrix(f"the column of {term!r} is damaged")
            self._checked.add(place)
        if not rows.size:
            return ()
        if len(self._curves) == 1:
            return (Part(rows, levels, self._curves[0]),)
        edges = np.searchsorted(rows, self.bounds.astype(rows.dtype)).tolist()
        return tuple(
            Part(rows[start:end], levels[start:end], curve)
            for start, end, curve in zip(edges, edges[1:], self._curves, strict=False)
            if end > start
        )

    def checks(self) -> NDArray[np.uint32]:
        """Return the CRC-32 of each column."""
        return np.array([column_check(*self._part(place)) for place in range(len(self.terms))], np.uint32)

    def is_whole(self) -> bool:
        """Return whether every column is as it was written. Reads the whole file."""
        return self._checks is None or bool((self.checks() == self._checks).all())

    def _part(self, place: int) -> tuple[Rows, NDArray[np.uint8]]:
        start, end = int(self.pointers[place]), int(self.pointers[place + 1])
        return self.rows[start:end], self.impacts[start:end]


def column_check(rows: Rows, impacts: NDArray[np.uint8]) -> int:
    return zlib.crc32(impacts.data, zlib.crc32(rows.data))


def build(
    stamp: Stamp,
    vocabularies: Mapping[int, TermVocabulary],
    read: Callable[[int], Iterable[VectorBatch]],
) -> TermMatrix:
    """Return the matrix of all vectors. ``read`` yields those of a model (a key of ``vocabularies``), each photo once;
    it is called twice a model and must yield the same both times.

    Takes five bytes an entry and a few megabytes: 32 MB for 100,000 photos of 64 terms.
    """
    places: dict[str, int] = {}
    for vocabulary in vocabularies.values():
        for term in vocabulary.words:
            places.setdefault(term, len(places))
    nowhere = len(places)  # the column of ids that the vocabulary does not have
    tables = {model: _columns_of_ids(vocabulary, places) for model, vocabulary in vocabularies.items()}
    counts = np.zeros(nowhere + 1, np.int64)
    photo_ids, norms, bounds = [np.zeros(0, np.int64)], [np.zeros(0, np.float32)], [0]
    for model, table in tables.items():
        held = 0
        for batch in read(model):
            counts += np.bincount(table[batch.ids], minlength=nowhere + 1)
            owners = np.repeat(np.arange(len(batch.counts)), batch.counts)
            squares = np.bincount(owners, batch.impacts.astype(np.float64) ** 2, len(batch.counts))
            norms.append((np.sqrt(squares) * vocabularies[model].scale).astype(np.float32))
            photo_ids.append(batch.photo_ids)
            held += len(batch.photo_ids)
        bounds.append(bounds[-1] + held)
    pointers = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    rows = np.empty(pointers[-1], np.uint32)
    impacts = np.empty(pointers[-1], np.uint8)
    free = pointers[:-1].copy()  # where the next entry of each column goes
    for (model, table), first in zip(tables.items(), bounds, strict=False):
        for batch in read(model):
            columns = table[batch.ids]
            order = np.argsort(columns, kind="stable")  # keeps the rows of a column ascending
            sorted_columns = columns[order]
            met = np.bincount(columns, minlength=nowhere + 1)
            rank = np.arange(len(columns)) - (np.cumsum(met) - met)[sorted_columns]
            target = free[sorted_columns] + rank
            owners = np.repeat(np.arange(first, first + len(batch.counts), dtype=np.uint32), batch.counts)
            rows[target] = owners[order]
            impacts[target] = batch.impacts[order]
            free += met
            first += len(batch.counts)
    end = pointers[nowhere]
    return TermMatrix(
        stamp,
        list(places),
        pointers[: nowhere + 1],
        np.concatenate(photo_ids),
        np.concatenate(norms),
        np.array(bounds, np.int64),
        np.array([vocabulary.scale for vocabulary in vocabularies.values()], np.float32),
        rows[:end],
        impacts[:end],
    )


def _columns_of_ids(vocabulary: TermVocabulary, places: Mapping[str, int]) -> NDArray[np.uint16] | NDArray[np.uint32]:
    """Return the column of every id. 16-bit columns, which are nearly always enough, are sorted faster."""
    small = len(places) < 1 << 16
    table = np.full(1 << 16, len(places), np.uint16 if small else np.uint32)
    known = [places[term] for term in vocabulary.words[: 1 << 16]]
    table[: len(known)] = known
    return table


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

    def column(self, term: str) -> Column | None:
        """Return the rows and impacts of a term; rows of ``NOBODY`` are among them."""
        old = self._base.column(term)
        new = self._delta.column(term) if self._delta is not None else None
        if new is None:
            return old
        first = np.uint32(len(self._base))
        return (*(old or ()), *(Part(part.rows + first, part.levels, part.curve) for part in new))

    def columns(self, terms: Sequence[str]) -> Columns:
        """Return the columns of the known ones of these terms. Raises DamagedMatrix."""
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
    """Return the photos with any of the terms, by the cosine of their vector and ``weights``. Raises DamagedMatrix."""
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
    """Return for each of the rows what each term adds to its cosine. Raises DamagedMatrix."""
    length = np.sqrt(sum(weight * weight for weight in weights.values()))
    norms = (view.norms()[rows] * length).tolist()
    return [
        {term: weights[term] * impact / norm for term, impact in impacts.items()}
        for norm, impacts in zip(norms, impacts_of(view, list(weights), rows), strict=True)
    ]


def impacts_of(view: TermView, terms: Sequence[str], rows: NDArray[np.intp]) -> list[dict[str, float]]:
    """Return for each of the rows the impacts of those of ``terms`` that it has. Raises DamagedMatrix."""
    found: list[dict[str, float]] = [{} for _ in rows]
    for term in terms:
        for part in view.column(term) or ():
            met, places = locate(part.rows, rows)
            for number, impact in zip(met.tolist(), part[places].tolist(), strict=True):
                found[number][term] = impact
    return found
