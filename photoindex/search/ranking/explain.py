"""Why photos are in an answer: what each word, in each layer, gave of the score."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from photoindex.types.hit import Matched

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids = NDArray[np.intp]
    Scores = NDArray[np.float32]


class Values(Protocol):
    """Numbers that can be picked from by ascending places, such as an array."""

    def __getitem__(self, places: Ids, /) -> Scores: ...


class WordEvidence(NamedTuple):
    """``word`` speaks in ``layer`` for the documents ``ids``, ascending, with ``values`` in proportion to one another.

    ``keys`` gives for each document what ``ids`` calls it, where that is not its number.
    """

    layer: str
    word: str
    ids: NDArray[Any]
    values: Values
    keys: NDArray[Any] | None = None

    def given(self, documents: Ids) -> Iterator[tuple[str, str, Ids, Scores]]:
        """Yield the layer, the word, the places in ``documents``, ascending, that it speaks for, and its values."""
        wanted = documents if self.keys is None else self.keys[documents]
        met, places = locate(self.ids, wanted)
        yield self.layer, self.word, met, self.values[places]


def locate(ids: NDArray[Any], wanted: NDArray[Any]) -> tuple[Ids, Ids]:
    """(places in ``wanted`` of those that are among ``ids``, which ascend, and their places there)."""
    wanted = wanted.astype(ids.dtype, copy=False)  # rather than all of ids to the type of wanted
    places = ids.searchsorted(wanted)
    met = (ids.take(places, mode="clip") == wanted).nonzero()[0]
    return met, places[met]


def place_in(rows: NDArray[Any], first: int, size: int, documents: Ids) -> tuple[Ids, Ids]:
    """Return which of the documents, ascending, are among the ``rows`` of a segment, and their places there."""
    start, end = documents.searchsorted((first, first + size)).tolist()
    if start == end or not rows.size:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    met, places = locate(rows, documents[start:end] - first)
    return met + start, places


class Evidence(Protocol):
    """Evidence of any kind."""

    def given(self, documents: Ids) -> Iterator[tuple[str, str, Ids, Scores]]:
        """Yield the layer, the word, the places in ``documents``, ascending, that it speaks for, and its values."""


class Ground(NamedTuple):
    """What one clause of a query gave: its ``scores`` by document, the ``evidence`` that shares them, and the
    ``factors``, by document, that they were multiplied with further up."""

    scores: Values
    evidence: Sequence[Evidence]
    factors: list[NDArray[Any]]


class Account:
    """Collects what speaks for photos while a query is answered, a ground for each clause."""

    def __init__(self) -> None:
        self.grounds: list[Ground] = []
        self.closed = False  # while what is found is to be left out
        self._noted: list[Evidence] = []  # of the clause that is being answered

    def note(self, layer: str, word: str, ids: NDArray[Any], values: Values, keys: NDArray[Any] | None = None) -> None:
        """Record evidence for the clause whose account is closed next."""
        if ids.size and not self.closed:
            self._noted.append(WordEvidence(layer, word, ids, values, keys))

    def add(self, evidence: Evidence) -> None:
        """Record evidence for the clause whose account is closed next."""
        if not self.closed:
            self._noted.append(evidence)

    def clear(self) -> None:
        """Drop all that was recorded."""
        self.grounds, self._noted = [], []

    def close(self, scores: Values) -> None:
        """Close the account of a clause that gave these scores, by document."""
        if self._noted:
            self.grounds.append(Ground(scores, self._noted, []))
            self._noted = []

    def multiply(self, first: int, factor: NDArray[Any]) -> None:
        """Record that the scores of the clauses from ``first`` on were multiplied, by document."""
        for ground in self.grounds[first:]:
            ground.factors.append(factor)


def reasons(
    grounds: Sequence[Ground], documents: Ids, word_of: Callable[[str], str] = str
) -> list[tuple[Matched, ...]]:
    """Return for each document what spoke for it, weightiest first; the weights add up to its score.

    ``word_of`` gives the word to show for what is indexed.
    """
    given: list[dict[tuple[str, str], float]] = [{} for _ in documents]
    order = documents.argsort()  # so that those of one segment stand together
    documents = documents[order]
    of_place = [given[place] for place in order.tolist()]
    for ground in grounds:
        share = ground.scores[documents]
        for factor in ground.factors:
            share = share * factor[documents]
        met = [one for evidence in ground.evidence for one in evidence.given(documents)]
        total = np.zeros(len(documents), np.float32)
        for _, _, places, values in met:
            total[places] += values
        for layer, word, places, values in met:
            key = layer, word_of(word)
            weights = share[places] * values / total[places]
            for place, weight in zip(places.tolist(), weights.tolist(), strict=True):
                if weight > 0:
                    of_place[place][key] = of_place[place].get(key, 0.0) + weight
    return [
        tuple(sorted((Matched(*key, weight) for key, weight in each.items()), key=lambda reason: -reason.weight))
        for each in given
    ]
