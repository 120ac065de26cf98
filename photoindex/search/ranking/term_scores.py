"""What learned terms add to the scores of a query: the last line of the formula in matcher.py.

    terms * sum over the run's terms t of c(t) * impact(t, p) ** terms_power

c(t) is 1 for a word and terms_pairs for two neighbouring words, which say again what each of them says.
Terms find photos too, those that no word finds, where their sum reaches terms_floor for each word asked. They take part
for the plain words of a run and never exclude. For a word that is no term in any model its synonyms stand in: of each
photo the best of them, at the lexicon's weight. A photo for which a person used a word (the field ``person``) has the
impact that the model's surest photo has: a person's correction is not outvoted by a guess.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from photoindex.search.fulltext.fields import PERSON_FIELD
from photoindex.search.query.syntax import Ranked
from photoindex.search.terms.matrix import TERMS_LAYER, stand_ins_of_run, terms_of_run

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from photoindex.search.fulltext.photo_ids import Terms
    from photoindex.search.ranking.explain import Account, Ids, Scores
    from photoindex.search.ranking.postings import Postings
    from photoindex.search.ranking.weights import Ranking
    from photoindex.search.ranking.whole_index import WholeIndex
    from photoindex.search.terms.matrix import Column, Part

    Mask = NDArray[np.bool_]


class TermEvidence(NamedTuple):
    """A term speaks for the photos of a part of its column."""

    term: str
    part: Part
    row_of_document: NDArray[np.intp]

    def given(self, documents: Ids) -> Iterator[tuple[str, str, Ids, Scores]]:
        """Yield the layer, the term, the places in ``documents`` that it speaks for, and its impacts there."""
        met, impacts = self.part.at(self.row_of_document[documents])
        yield TERMS_LAYER, self.term, met, impacts


class TermScorer:
    """Scores the documents of one reader by learned terms. What speaks for a photo is entered in
    ``account``."""

    def __init__(self, terms: Terms, ranking: Ranking, postings: Postings, account: Account, whole: WholeIndex) -> None:
        self._terms, self._ranking = terms, ranking
        self._postings, self._account, self._whole = postings, account, whole
        self._size = len(terms.row_of_document)
        self._raised: dict[tuple[str, float], Column] = {}

    def score(self, run: Ranked) -> tuple[Mask, Scores]:
        """Return the documents that terms find by themselves, and what they add to the scores of a run."""
        scores = self.sums(run)
        for term, counted in self._asked(run):
            for part in counted:
                self._account.add(TermEvidence(term, part, self._terms.row_of_document))
            holders, lift = self._lift_people(term, counted)
            scores[holders] += lift
        floor = max(self._ranking.terms_floor * len(run.wanted), np.finfo(np.float32).tiny)
        mask = scores >= np.float32(floor)
        scores *= np.float32(self._ranking.terms)
        self._account.close(scores)
        return mask, scores

    def sums(self, run: Ranked, among: Mask | None = None) -> Scores:
        """Return by document the sum over a run's terms, without what people said; right for those ``among`` it."""
        terms = self._terms
        spans = None if among is None else terms.spans(among)
        by_row = np.zeros(len(terms.document_of_row) + 1, np.float32)  # the last for documents without a row
        for _, counted in self._asked(run):
            for part in counted:
                part.add_to(by_row, spans)
        for term, stand_ins in stand_ins_of_run(run).items():
            if self._ranking.synonyms > 0 and term not in terms.columns.by_term:
                by_row[:-1] += self._stand_in(stand_ins)
        return terms.by_document(by_row)

    def used_by_people(self, run: Ranked) -> Ids:
        """Return the documents for which people used a term of a run, which have more than their sum."""
        found = [np.zeros(0, np.intp)]
        for term, counted in self._asked(run):
            holders, _ = self._lift_people(term, counted)
            found.append(holders)
        return np.concatenate(found)

    def _asked(self, run: Ranked) -> Iterator[tuple[str, Column]]:
        """Yield the terms of a run that there are, each with its column."""
        for term in terms_of_run(run):
            if counted := self._counted(term, self._ranking.terms_pairs if " " in term else 1.0):
                yield term, counted

    def _counted(self, term: str, share: float) -> Column:
        """Return a term's column, its impacts raised to the ranking's power and times ``share``; empty for no term."""
        key = term, share
        if key not in self._raised:
            column = self._terms.columns.by_term.get(term, ())
            self._raised[key] = tuple(part.raised(self._ranking.terms_power, share) for part in column)
        return self._raised[key]

    def _lift_people(self, term: str, counted: Column) -> tuple[Ids, Scores]:
        """Return the photos for which a person used a term, and what each lacks to the photo it counts most for."""
        holders = self._holders_by_people(term.split(" "))
        if not holders.size:
            return holders, np.zeros(0, np.float32)
        known = np.zeros(self._size + 1, np.float32)
        for part in counted:
            known[self._terms.document_of_row[part.rows]] = part.impacts()
        lift = self._whole.most(term, lambda: known[:-1].max()) - known[holders]
        holders, lift = holders[lift > 0], lift[lift > 0]
        self._account.note(PERSON_FIELD, term, holders, lift)
        return holders, lift

    def _holders_by_people(self, stems: list[str]) -> Ids:
        """Return the documents, ascending, for which people used all of these words."""
        if not self._ranking.fields.get(PERSON_FIELD):
            return np.zeros(0, np.intp)
        holders, *others = (self._postings.of(PERSON_FIELD, word)[0] for word in stems)
        for other in others:
            holders = np.intersect1d(holders, other, assume_unique=True) if holders.size and other.size else holders[:0]
        return holders

    def _stand_in(self, stand_ins: Mapping[str, float]) -> Scores:
        """Return for each row the best of the terms of like meaning, for a word that no model has a term for."""
        best = np.zeros(len(self._terms.document_of_row), np.float32)
        for term, weight in stand_ins.items():
            for part in self._counted(term, min(weight * self._ranking.synonyms, 1.0)):
                best[part.rows] = np.maximum(best[part.rows], part.impacts())
                self._account.add(TermEvidence(term, part, self._terms.row_of_document))
        return best
