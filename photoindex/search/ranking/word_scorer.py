"""Scores of single words of a query, by the columns of an index; the formula is in matcher.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from photoindex.search.ranking.weights import FIELD_WEIGHTS, Ranking
from photoindex.search.ranking.word_scores import (
    AskedWord,
    Scored,
    StemEvidence,
    Weighed,
    WordScores,
    better,
    idf,
    of_documents,
    scored,
    weigh,
)

if TYPE_CHECKING:
    from photoindex.search.fulltext.reader import Asked, IndexReader
    from photoindex.search.ranking.explain import Account, Ids
    from photoindex.search.ranking.postings import Postings
    from photoindex.search.ranking.whole_index import WholeIndex


class WordScorer:
    """Scores the documents of one reader by words. What speaks for a photo is entered in ``account``."""

    def __init__(
        self, reader: IndexReader, ranking: Ranking, postings: Postings, account: Account, whole: WholeIndex
    ) -> None:
        self._reader, self._ranking, self._postings = reader, ranking, postings
        self._account, self._whole = account, whole

    def asked(self, stems: Mapping[str, float], field: str | None, split: Sequence[tuple[str, str]]) -> AskedWord:
        """Return what one word of a query asks: ``stems`` stand for it, each with how much it counts; of those in one
        field the best counts. It may also be ``split``, two stems next to each other."""
        searched = self._ranking.searched(field)
        weights = tuple(self._ranking.fields[name] if name in searched else 0.0 for name in FIELD_WEIGHTS)
        columns = [(word, worth, column) for word, worth in stems.items() if (column := self._postings.column(word))]
        pairs = [(halves, self.adjacent(searched, [[half] for half in halves])) for halves in split]
        own = [each for each in columns if each[1] == 1] if any(worth < 1 for worth in stems.values()) else []
        key = tuple(stems.items()), weights, tuple(split)
        return AskedWord(columns, weights, [pair for pair in pairs if pair[1]], own, key, len(stems))

    def scores(self, asked: AskedWord) -> WordScores:
        """Return the scores for one word of a query, and close the account of its clause."""
        self._note_evidence(asked)
        parts = weigh(asked.columns, asked.weights) if asked.columns else []
        for halves, found in asked.split:
            parts = self._with_halves(parts, " ".join(halves), found)
        scores = self._scored(asked, parts)
        if asked.own:
            alone = asked.alone()
            scores = better(scores, self._scored(alone, weigh(alone.columns, alone.weights)))
        result = WordScores(scores)
        self._account.close(result)
        return result

    def holders(self, asked: AskedWord, count: Callable[[], int]) -> int:
        """Return how many documents of the index hold a word; ``count`` counts them, where that is not known yet."""
        return self._whole.word_holders(asked.key, asked.stems, count)

    def adjacent(self, fields: Sequence[str], places: Sequence[Sequence[Asked]]) -> Mapping[str, Ids]:
        """Return for each field the documents where stems follow one another in it; see the reader's."""
        return self._reader.adjacent(fields, places) if fields else {}

    def _scored(self, asked: AskedWord, parts: Sequence[Weighed]) -> list[Scored]:
        holders = self.holders(asked, lambda: sum(part.rows.size for part in parts))
        return scored(parts, idf(self._reader.alive, holders), self._ranking.saturation)

    def _note_evidence(self, asked: AskedWord) -> None:
        """Record that stems speak for the documents of their columns."""
        named = enumerate(zip(FIELD_WEIGHTS, asked.weights, strict=True))
        by_slot = {slot: (name, weight) for slot, (name, weight) in named if weight}
        for word, worth, column in asked.columns:
            self._account.add(StemEvidence(word, worth, column, by_slot))

    def _with_halves(self, parts: Sequence[Weighed], word: str, found: Mapping[str, Ids]) -> list[Weighed]:
        """Return the documents of ``parts`` and those ``found``, by field, where the two stems of ``word`` follow one
        another, which count as one."""
        x = np.zeros(self._reader.size, np.float32)
        for first, size, rows, codes, here in parts:
            x[first : first + size][rows] = here if codes is None else here.take(codes)
        for name, ids in found.items():
            x[ids] = np.maximum(x[ids], self._ranking.fields[name])
            self._account.note(name, word, ids, np.ones(ids.size, np.float32))
        return of_documents(x)
