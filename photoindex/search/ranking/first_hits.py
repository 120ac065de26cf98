"""The first hits of a query, without scoring the photos that cannot be among them.

A cheap bound of each photo's score is compared with the score that the first hits have at least (Broder and others,
"Efficient query evaluation using a two-level retrieval process", 2003). Here the bound of a photo is

    its learned terms, exactly, as one byte an entry is soon added up
    + for each word that it holds, as far as these have few entries, the most that its entry can give
    + for each other word, the most that it can give any photo, until it is known which photos hold it

and what the first hits have at least is told by scoring the photos with the highest bounds. Whatever is left is scored
by the same :class:`.matcher.Matcher` as ever, which is given those photos as an index of their own (see
:meth:`.matcher.Matcher.narrowed`), so scores, reasons and order are the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from photoindex.search.distinct import distinct
from photoindex.search.query.syntax import Condition, Node, Ranked, Word
from photoindex.search.ranking.chosen import cuts, stretches
from photoindex.search.ranking.visible import find_visible, not_hidden
from photoindex.search.ranking.word_scores import AskedWord, idf
from photoindex.search.terms.matrix import runs_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from photoindex.search.ranking.chosen import Spans
    from photoindex.search.ranking.explain import Ids, Scores
    from photoindex.search.ranking.matcher import Answer, Matcher

    Mask = NDArray[np.bool_]

FEWEST: Final = 10_000  # documents; of fewer, all are scored at once in less time
MOST_HITS: Final = 1_000
_SAMPLE: Final = 256  # photos whose scores tell what the first hits have at least
_FEW: Final = 3_000  # photos that are scored at once
_MOST: Final = 50_000  # photos that are scored alone; of more, all are
_CARE: Final = 1e-4  # share of a bound by which sums in another order may differ, and more
_BLOCK: Final = 256  # documents
_TINY: Final = float(np.finfo(np.float32).tiny)
_NONE: Final = np.zeros(0, np.intp)


class FirstHits(NamedTuple):
    """Documents, ascending, with all of the first hits among them, and the answer of a matcher of those alone."""

    documents: Ids
    answer: Answer
    matcher: Matcher


def first_hits(matcher: Matcher, root: Node, limit: int) -> FirstHits | None:
    """Return some of the documents that a query finds: the first ``limit``, and all others that may have as high a
    score as the last of those. ``None`` where scoring all documents takes no longer."""
    if not (isinstance(root, Ranked) and root.wanted and all(isinstance(node, Word) for node in root.wanted)):
        return None
    if any(run.files for node in root.required for run in runs_of(node)):  # what they add is told by the best photo
        return None
    if not 0 < limit <= MOST_HITS or matcher.size < FEWEST or matcher.ranking.coordination > 1:
        return None
    hits = _Search(matcher, root, limit).found()
    matcher.forget_grounds()  # what it noted on the way
    return hits


class _Search:
    def __init__(self, matcher: Matcher, run: Ranked, limit: int) -> None:
        self._matcher, self._run, self._limit = matcher, run, limit
        self._unit = matcher.ranking.terms if matcher.has_terms else 1.0  # bounds are in units of learned terms
        matcher.begin(run)

    def found(self) -> FirstHits | None:
        allowed, rest = self._others()
        words = [_WordBound(self._matcher, node, self._unit) for node in self._run.wanted if isinstance(node, Word)]
        files = np.concatenate([_NONE, *map(self._matcher.named, self._run.files)])
        if files.size and not_hidden(self._matcher, self._run) is not None:
            return None  # what they add is told by the best photo, which may be a hidden one
        named = distinct(np.concatenate([files, self._matcher.used_by_people(self._run)]))
        if allowed is not None:
            named = named[allowed[named]]
            if np.count_nonzero(allowed) <= _FEW:
                return self._exactly(allowed.nonzero()[0], named)
        bounds, common = self._bounds(words, allowed)
        rest += sum(word.most for word in common)
        return None if named.size > _FEW else self._within(bounds, rest, common, named)

    def _bounds(self, words: Sequence[_WordBound], allowed: Mask | None) -> tuple[Scores, list[_WordBound]]:
        """Return the most that documents can have, by what of them is known, and the words that were left out."""
        bounds = self._matcher.sums_of_terms(self._run, allowed)
        common, room = [], self._matcher.size // 2
        spans = [(0, self._matcher.size)] if allowed is None else stretches(allowed)
        for word in sorted(words, key=lambda word: word.entries):
            if (room := room - word.entries) >= 0:
                word.add_to(bounds, spans)
            else:
                common.append(word)
        if allowed is not None:
            np.copyto(bounds, np.float32(-1), where=~allowed)
        return bounds, common

    def _within(self, bounds: Scores, rest: float, common: Sequence[_WordBound], named: Ids) -> FirstHits | None:
        """Return the answer from documents with these bounds, and what the words ``common`` and the rest give."""
        peaks = _Peaks(bounds)
        sample = self._exactly(peaks.highest(max(_SAMPLE, 2 * self._limit)), named)
        least = self._least(sample, named)
        if rest and least <= rest:
            return None
        left = peaks.from_on(max(least - rest, _TINY))
        if left.size <= len(sample.documents) and np.isin(left, sample.documents, assume_unique=True).all():
            return sample
        left = self._without_common(left, bounds[left] + np.float32(rest), common, named, least)
        return None if left.size > _MOST else self._exactly(left, named)

    def _others(self) -> tuple[Mask | None, float]:
        """Return the documents that the clauses of the run besides its words allow (``None``: all), and the most that
        these clauses give."""
        matcher, run = self._matcher, self._run
        masks = [mask for mask in (matcher.living(), not_hidden(matcher, run)) if mask is not None]
        most = 0.0
        for node in run.required:
            if isinstance(node, Condition):
                masks.append(matcher.condition(node))
            else:
                answer = matcher.find(node)
                masks.append(answer.mask)
                most += float(answer.scores.max(initial=0)) / self._unit
        if not (masks or run.excluded):
            return None, most
        allowed: Mask = np.logical_and.reduce(masks) if masks else np.ones(matcher.size, np.bool_)
        matcher.exclude(run.excluded, allowed)
        return allowed, most

    def _without_common(self, left: Ids, bounds: Scores, common: Sequence[_WordBound], named: Ids, least: float) -> Ids:
        """Return those of the documents ``left`` whose score may reach ``least`` by what they hold of common words,
        which ``bounds`` take for granted."""
        for word in common:
            if left.size <= _FEW:
                return left
            bounds -= np.where(word.mask()[left], np.float32(0), np.float32(word.most))
            left, bounds = _reaching(least, left, bounds)
        if left.size > _FEW:
            least = max(
                least, self._least(self._exactly(left[_Peaks(bounds).highest(_SAMPLE + self._limit)], named), named)
            )
            left, _ = _reaching(least, left, bounds)
        return left

    def _least(self, sample: FirstHits, named: Ids) -> float:
        """Return a bound that each of the first hits reaches, as some documents do; 0 where these are too few. What was
        ``named`` comes first with any score, and is left out."""
        matching = sample.answer.mask
        if named.size:
            matching = matching & ~np.isin(sample.documents, named)
        scores = sample.answer.scores[matching]
        if scores.size < self._limit:
            return 0.0
        lowest = float(np.partition(scores, scores.size - self._limit)[scores.size - self._limit])
        return lowest * (1 - _CARE) / self._unit

    def _exactly(self, documents: Ids, named: Ids) -> FirstHits:
        documents = distinct(np.concatenate([documents, named])) if named.size else documents
        narrowed = self._matcher.narrowed(documents)
        return FirstHits(documents, find_visible(narrowed, self._run), narrowed)


class _WordBound:
    """How much a word of a query can give: ``most`` to any document; ``entries`` of the index are of its stems."""

    def __init__(self, matcher: Matcher, node: Word, unit: float) -> None:
        self._asked = matcher.word(node)
        self._size, self._unit = matcher.size, unit
        self._saturation = np.float32(matcher.ranking.saturation)
        self._mask: Mask | None = None
        self.entries = sum(part.rows.size for _, _, column in self._asked.columns for part in column)
        factors = [self._factor(matcher, asked) for asked in (self._asked, self._asked.alone()) if asked.columns]
        self._factor_of_all = factors[0] if factors else self._factor(matcher, self._asked)
        self.most = max([self._factor_of_all, *factors])

    def _factor(self, matcher: Matcher, asked: AskedWord) -> float:
        """Return the limit of BM25F's score of the word."""
        holders = matcher.holders(asked, lambda: asked.count(matcher.size))
        return idf(matcher.alive, holders) * (matcher.ranking.saturation + 1) / self._unit

    def mask(self) -> Mask:
        """Return the documents that hold the word."""
        if self._mask is None:
            self._mask = self._asked.mask(self._size)
        return self._mask

    def add_to(self, bounds: Scores, spans: Spans) -> None:
        """Add the most that it can give each document within ``spans`` that holds it, as though its stems did not
        saturate together."""
        for _, worth, column in self._asked.columns:
            factor = np.float32(self.most if worth == 1 else self._factor_of_all)
            for first, size, rows, codes, tallies in column:
                x = tallies.weighed(self._asked.weights) * np.float32(worth)
                given = factor * x / (self._saturation + np.maximum(x, np.float32(_TINY)))
                for cut in cuts(rows, first, size, spans):
                    np.add.at(bounds[first : first + size], rows[cut].astype(np.intp), given.take(codes[cut]))
        for _, halves in self._asked.split:
            for ids in halves.values():
                bounds[ids] += np.float32(self._factor_of_all)


def _reaching(least: float, documents: Ids, bounds: Scores) -> tuple[Ids, Scores]:
    kept = (bounds >= np.float32(least)).nonzero()[0]
    return documents[kept], bounds[kept]


class _Peaks:
    """Bounds of documents, with the highest of each block: the blocks without high ones are not looked at."""

    def __init__(self, bounds: Scores) -> None:
        whole = len(bounds) // _BLOCK * _BLOCK
        self._bounds = bounds
        self._blocks, self._tail = bounds[:whole].reshape(-1, _BLOCK), bounds[whole:]
        self._best = self._blocks.max(axis=1) if whole else bounds[:0]

    def from_on(self, least: float) -> Ids:
        """Return the places, ascending, of the bounds that are at least this."""
        limit = np.float32(least)
        blocks = (self._best >= limit).nonzero()[0]
        rows, columns = (self._blocks[blocks] >= limit).nonzero()
        tail = (self._tail >= limit).nonzero()[0] + self._blocks.size
        return np.concatenate([blocks[rows] * _BLOCK + columns, tail])

    def highest(self, count: int) -> Ids:
        """Return the places, ascending, of so many of the highest bounds above 0, or of all of those."""
        least = _TINY
        if len(self._best) > count:  # the best of so many blocks are as many
            least = max(least, float(np.partition(self._best, -count)[-count]))
        places = self.from_on(least)
        if places.size <= count:
            return places
        highest = np.argpartition(self._bounds[places], -count)[-count:]
        chosen: Ids = np.sort(places[highest])
        return chosen
