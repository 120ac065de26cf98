"""How well people's descriptions find their own photos: ranks and their sums, layer by layer, and what to compare with.

A query is a caption that a person wrote for one photo, asked as plain words; its rank is the place of that photo in the
answer, ties and all as the search breaks them. A photo that is not found counts as one place beyond the last photo.
The measures are those of the literature on image-text retrieval (Hodosh, Young and Hockenmaier, "Framing Image
Description as a Ranking Task", 2013): the share of queries whose photo is among the first k, and the median rank.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from photoindex.language.analysis import content_words, stem
from photoindex.search import Document, FullText, Match
from photoindex.search.query.parser import plain_words
from photoindex.search.ranking.weights import DEFAULT_RANKING, Ranking

CUTS: Final = (1, 5, 10, 50)
MOST_HUMAN: Final = 5  # captions of a photo that the comparison with human captions uses

Ranks = NDArray[np.int64]
Ask = Callable[[str], Sequence[Match]]  # a query -> every match, best first
Report = Callable[[int, int], None]  # done, total
Item = TypeVar("Item")


# ---- ranks ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SearchedDescription:
    """What a person wrote of a photo."""

    text: str
    photo_id: int


@dataclass(frozen=True, slots=True)
class RetrievalScores:
    """Sums over the ranks of all queries. ``recall`` maps k to the percentage of queries whose photo is among the first
    k; ``reciprocal`` is the mean of 1 / rank, which is 0 for a photo that is not found."""

    queries: int
    recall: Mapping[int, float]
    median_rank: float
    reciprocal: float


def score_ranks(ranks: Ranks, photos: int) -> RetrievalScores:
    """Sum up ``ranks`` (from 1; ``photos`` + 1: not found). There must be at least one."""
    within = ranks <= photos
    return RetrievalScores(
        queries=len(ranks),
        recall={k: float(100 * np.mean(within & (ranks <= k))) for k in CUTS},
        median_rank=float(np.median(ranks)),
        reciprocal=float(np.mean(np.where(within, 1 / ranks, 0.0))),
    )


def ranks_by_kind(ranks: Ranks, kinds: Sequence[Sequence[str]]) -> list[tuple[str, Ranks]]:
    """Return the ranks of the queries for each kind of photo, the kind with the most queries first.

    ``kinds`` are those of each query's photo, in the order of ``ranks``; a photo may be of several kinds, or of none.
    """
    places: dict[str, list[int]] = {}
    for place, names in enumerate(kinds):
        for name in names:
            places.setdefault(name, []).append(place)
    return [(name, ranks[places[name]]) for name in sorted(places, key=lambda name: (-len(places[name]), name))]


def rank_descriptions(
    descriptions: Sequence[SearchedDescription], ask: Ask, photos: int, progress: Report = lambda done, total: None
) -> Ranks:
    """The rank of each description's photo among the matches of ``ask``; ``photos`` + 1 when it is not among them.

    A description without a word that is indexed finds nothing.
    """

    def rank(description: SearchedDescription) -> int:
        query = plain_words(description.text)
        matches = ask(query) if query else ()
        places = (place for place, match in enumerate(matches, 1) if match.photo_id == description.photo_id)
        return next(places, photos + 1)

    return np.array([rank(each) for each in _reported(descriptions, progress)], np.int64)


def _reported(items: Sequence[Item], progress: Report) -> Iterator[Item]:
    for done, item in enumerate(items):
        progress(done, len(items))
        yield item
    progress(len(items), len(items))


# ---- the layers of a search ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Layer:
    """One kind of evidence: fields of the index, or attributes of ``Ranking`` that are its weights."""

    name: str
    fields: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    alone: bool = True  # it finds photos without any other layer


# In the order in which they are added up. Those that `Ranking` does not know are left out.
LAYERS: Final = (
    Layer("captions", fields=("caption",)),
    Layer("beams", fields=("beams",)),
    Layer("labels", fields=("labels",)),
    Layer("kinds", fields=("kinds",)),
    Layer("text", fields=("text", "unsure_text")),
    Layer("terms", weights=("terms",)),
    Layer("synonyms", weights=("synonyms",), alone=False),
)


def layers_of(ranking: Ranking) -> list[Layer]:
    """The layers that ``ranking`` gives a weight to. File names and cameras are none: those of a data set may give the
    answer away. Neither is what a person said of a photo, which a data set has none of."""
    known = {each.name for each in fields(Ranking)}
    return [
        layer
        for layer in LAYERS
        if any(ranking.fields.get(name) for name in layer.fields)
        or any(getattr(ranking, name) for name in layer.weights if name in known)
    ]


def with_layers(ranking: Ranking, layers: Sequence[Layer]) -> Ranking:
    """``ranking`` with these layers alone: every other weight, those of names and cameras among them, is 0."""
    on = {name for layer in layers for name in layer.fields}
    off = {name for layer in layers_of(ranking) if layer not in layers for name in layer.weights}
    weights = {name: weight if name in on else 0.0 for name, weight in ranking.fields.items()}
    return replace(ranking, fields=weights, **dict.fromkeys(off, 0.0))


def layer_rows(ranking: Ranking = DEFAULT_RANKING) -> list[tuple[str, Ranking]]:
    """Each layer alone, then one more at a time until all are there: the name of the row, and how it is ranked."""
    layers = layers_of(ranking)
    rows = [(layer.name, with_layers(ranking, [layer])) for layer in layers if layer.alone]
    for count in range(2, len(layers) + 1):
        name = " + ".join(layer.name for layer in layers[:count])
        rows.append((f"all: {name}" if count == len(layers) else name, with_layers(ranking, layers[:count])))
    return rows


# ---- what to compare with ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Trial:
    """An index to be made of ``texts``, one document a photo, numbered from 0, and what is then asked of it."""

    texts: Sequence[str]
    descriptions: Sequence[SearchedDescription]


def one_text(texts: Sequence[str], captions: Sequence[Sequence[str]]) -> Trial:
    """One given text of each photo is indexed, and all that people wrote of it is asked."""
    return Trial(texts, [SearchedDescription(text, photo) for photo, each in enumerate(captions) for text in each])


def one_human_caption(captions: Sequence[Sequence[str]]) -> list[Trial]:
    """As if a person had captioned every photo once: for each k, caption k of every photo is indexed and all of its
    others are asked. Of each photo the first five captions count; one with fewer takes turns with those it has."""
    first = [list(texts[:MOST_HUMAN]) for texts in captions]
    return [
        Trial(
            [texts[k % len(texts)] for texts in first],
            [
                SearchedDescription(text, photo)
                for photo, texts in enumerate(first)
                for n, text in enumerate(texts)
                if n != k % len(texts)
            ],
        )
        for k in range(max(map(len, first), default=0))
    ]


def other_human_captions(captions: Sequence[Sequence[str]]) -> list[Trial]:
    """As if people had captioned every photo four times: for each k, caption k of every photo is asked and all of its
    others, of the first five, are indexed. A photo with fewer than k captions is indexed with all it has."""
    first = [list(texts[:MOST_HUMAN]) for texts in captions]
    return [
        Trial(
            [" . ".join(text for n, text in enumerate(texts) if n != k) for texts in first],
            [SearchedDescription(texts[k], photo) for photo, texts in enumerate(first) if 1 < len(texts) > k],
        )
        for k in range(max(map(len, first), default=0))
    ]


def rank_with_index(trials: Sequence[Trial], ranking: Ranking, progress: Report = lambda done, total: None) -> Ranks:
    """Run ``trials`` through a full-text index of their own, the texts in the place of captions."""
    captions = with_layers(ranking, LAYERS[:1])

    def rank(trial: Trial, report: Report) -> Ranks:
        with tempfile.TemporaryDirectory(prefix="photoindex-") as folder, FullText.open(Path(folder)) as index:
            index.rebuild(Document(photo, text) for photo, text in enumerate(trial.texts))
            ask: Ask = lambda query: index.search(query, None, captions)  # noqa: E731
            return rank_descriptions(trial.descriptions, ask, len(trial.texts), report)

    return _all_ranks(trials, rank, progress)


def rank_with_bm25(trials: Sequence[Trial], progress: Report = lambda done, total: None) -> Ranks:
    """Run ``trials`` through textbook BM25, on the same words as the index reads."""

    def rank(trial: Trial, report: Report) -> Ranks:
        index = Bm25([content_stems(text) for text in trial.texts])
        asked = _reported(trial.descriptions, report)
        return np.array([index.rank(content_stems(each.text), each.photo_id) for each in asked], np.int64)

    return _all_ranks(trials, rank, progress)


def _all_ranks(trials: Sequence[Trial], rank: Callable[[Trial, Report], Ranks], progress: Report) -> Ranks:
    total = sum(len(trial.descriptions) for trial in trials)
    ranks: list[Ranks] = [np.empty(0, np.int64)]
    before = 0
    for trial in trials:
        ranks.append(rank(trial, _as_part(progress, before, total)))
        before += len(trial.descriptions)
    return np.concatenate(ranks)


def _as_part(progress: Report, before: int, total: int) -> Report:
    return lambda done, _: progress(before + done, total)


def content_stems(text: str) -> list[str]:
    return [stem(word) for word in content_words(text)]


class Bm25:
    """Okapi BM25 as textbooks have it (Manning, Raghavan and Schütze, "Introduction to Information Retrieval", 2008,
    section 11.4.3), with the idf that stays positive; each word of a query counts once.

        score(q, d) = sum over w in q of idf(w) * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / mean length))
        idf(w)      = ln(1 + (N - n + 0.5) / (n + 0.5))             n of N documents have w
    """

    def __init__(self, documents: Sequence[Sequence[str]], k1: float = 1.2, b: float = 0.75) -> None:
        self._size = len(documents)
        lengths = np.array([len(words) for words in documents], np.float64)
        norm = k1 * (1 - b + b * lengths / max(float(lengths.mean()), 1.0)) if documents else lengths
        holders: dict[str, list[tuple[int, int]]] = {}
        for number, words in enumerate(documents):
            for word, count in Counter(words).items():
                holders.setdefault(word, []).append((number, count))
        self._impacts: dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]] = {}
        for word, counted in holders.items():
            numbers, frequencies = np.array(counted, np.int64).T
            idf = np.log(1 + (self._size - len(numbers) + 0.5) / (len(numbers) + 0.5))
            self._impacts[word] = numbers, idf * frequencies * (k1 + 1) / (frequencies + norm[numbers])

    def rank(self, query: Sequence[str], document: int) -> int:
        """The place of ``document`` (from 1) among all that have a word of ``query``, of equals the first indexed
        first; one beyond the number of documents when it has none."""
        scores = np.zeros(self._size)
        for word in dict.fromkeys(query):
            if word in self._impacts:
                numbers, impacts = self._impacts[word]
                scores[numbers] += impacts
        own = scores[document]
        if own <= 0:
            return self._size + 1
        return 1 + int(np.count_nonzero(scores > own)) + int(np.count_nonzero(scores[:document] == own))
