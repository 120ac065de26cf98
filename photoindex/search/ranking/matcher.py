"""Which photos answer a parsed query, and how well: set logic and BM25F over the postings of the index.

Whoosh scores a word in five fields as five words, so that one word found everywhere outranks two words found once. Here
the fields of a photo are added up first and the sum then saturates, as in Robertson and Zaragoza, "The Probabilistic
Relevance Framework: BM25 and Beyond" (2009), section 3.6, with b = 0: captions are one sentence each, and the length of
a sentence says little about what it is about. For a word w and a photo p:

    x(w, p)     = sum over fields f of fields[f] * (1 + ln tf(w, f, p))
    score(w, p) = idf(w) * (k1 + 1) * x / (k1 + x)                          k1 is saturation
    score(p)    = (1 - C + C * found / asked) * sum of score(w, p)          C is coordination
                + terms * sum over the run's terms t of c(t) * impact(t, p) ** terms_power    learned, see terms.py

c(t) is 1 for a word and terms_pairs for two neighbouring words, which say again what each of them says.
Terms find photos too, those that no word finds, where their sum reaches terms_floor for each word asked. They take part
for the plain words of a run and never exclude. For a word that is no term in any model its synonyms stand in: of each
photo the best of them, at the lexicon's weight. A photo that a person says a word of (the field ``person``) has the
impact that the model's surest photo has: who corrects a photo need not be outvoted by a guess.

The weights are those of a ranking.Ranking. One word in every field scores below (k1 + 1) * idf, and with two or more
words asked the last line takes at least the factor 0.55 off it: 1.6 * 0.55 < 1. So a photo with all the words in its
caption always outranks it.

A word also finds its synonyms (the lexicon's), and a fuzzy word its neighbours: stems that count less than the one
asked for. Scored by the documents of all of them, a rare word would lose its weight to a common synonym; by its own
documents alone, the synonym would gain the rare word's. So a document gets the better of two scores: for what it holds
of the word itself by the word's own idf, and for what it holds of all of them by the idf of all. The first is never the
smaller for a document with the word itself, which so comes before one with a synonym in its place.

Arrays have one place per document of the index, deleted ones included: 4 bytes a document and word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from photoindex.errors import QueryError
from photoindex.language import lexicon
from photoindex.language.analysis import stem
from photoindex.search.fulltext import whoosh
from photoindex.search.fulltext.photo_ids import Terms
from photoindex.search.query import numbers
from photoindex.search.query.syntax import (
    AllOf,
    AnyOf,
    Below,
    Fuzzy,
    Has,
    Node,
    Number,
    Phrase,
    Prefix,
    Ranked,
    Taken,
    Word,
)
from photoindex.search.ranking.explain import Evidence, Ground
from photoindex.search.ranking.weights import DEFAULT_RANKING, Ranking
from photoindex.search.terms.matrix import TERMS_LAYER, stand_ins_of_run, terms_of_run

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from photoindex.search.ranking.explain import Ids, Scores, Values
    from photoindex.search.terms.matrix import Column

    Mask = NDArray[np.bool_]

FORMS_FIELD: Final = "forms"  # every word of a photo before stemming: what prefixes and fuzzy words are looked up in
HAS_FIELD: Final = "has"  # the facts a photo carries
PATHS_FIELD: Final = "paths"  # the keys of the paths that a photo lies at or below
PERSON_FIELD: Final = "person"  # what people said of a photo
MOST_EXPANSIONS: Final = 500  # words that one prefix or fuzzy word may stand for

FIRST_DAY: Final = date(1900, 1, 1)
LAST_DAY_NUMBER: Final = (1 << 16) - 1


def day_number(day: date) -> int:
    """Days since 1900-01-01; below 0 or above 65,535 (2079-06-06) the index cannot hold it."""
    return (day - FIRST_DAY).days


def _text(term: str | bytes) -> str:
    return term.decode("utf-8") if isinstance(term, bytes) else term


class Found(NamedTuple):
    mask: Mask
    scores: Scores  # 0 outside the mask


class Matcher:
    """Answers one query by one Whoosh reader. ``grounds`` fills up with what spoke for the photos found."""

    def __init__(self, reader: Any, ranking: Ranking = DEFAULT_RANKING, terms: Terms | None = None) -> None:
        self._ranking = ranking
        self._fields = [name for name, weight in ranking.fields.items() if weight > 0]
        self._reader = reader
        self._leaves: list[tuple[Any, int]] = list(reader.leaf_readers())
        self._size = int(reader.doc_count_all())
        self._alive = int(reader.doc_count())
        self._postings_read: dict[tuple[str, str], tuple[Ids, Scores]] = {}
        self._terms = terms if ranking.terms > 0 else None
        self._excluding = False
        self._noted: list[Evidence] = []  # of the clause at hand
        self.grounds: list[Ground] = []

    def find(self, node: Node) -> Found:
        """Documents that satisfy ``node``; QueryError when a prefix or fuzzy word stands for too many words."""
        if isinstance(node, Ranked):
            return self._find_run(node)
        if isinstance(node, (AllOf, AnyOf)):
            return self._find_parts(node)
        if isinstance(node, Taken):
            return self._find_taken(node)
        if isinstance(node, Has):
            return self._find_listed(HAS_FIELD, node.what)
        if isinstance(node, Below):
            return self._find_listed(PATHS_FIELD, node.key)
        if isinstance(node, Number):
            return self._find_numbers(node.field, max(node.low, 0), min(node.high, numbers.MOST))
        if isinstance(node, Phrase):
            return self._find_phrase(node)
        if isinstance(node, Word):
            return self._find_words(self._meanings(node), node.field)
        return self._find_words(self._expand(node), node.field)

    # ---- the vocabulary, for spelling.py ------------------------------------------------------------

    def holders(self, word: str) -> int:
        """How many photos a search for this one folded word finds."""
        return int(np.count_nonzero(self.find(Ranked(wanted=(Word(word),))).mask))

    def forms_within(self, word: str, distance: int, *, prefix: int = 0) -> Iterator[str]:
        """Words of the index, unstemmed, at most ``distance`` insertions, deletions or substitutions from ``word``,
        none of which is in its first ``prefix`` letters."""
        for reader, _ in self._leaves:
            yield from map(_text, reader.terms_within(FORMS_FIELD, word, distance, prefix=prefix))

    def form_count(self, form: str) -> int:
        """In how many documents a folded, unstemmed word stands, removed photos included."""
        return sum(int(reader.doc_frequency(FORMS_FIELD, form)) for reader, _ in self._leaves)

    # ---- logic -----------------------------------------------------------------------------------

    def _find_run(self, run: Ranked) -> Found:
        scores = np.zeros(self._size, np.float32)
        first = len(self.grounds)
        if run.wanted:
            found = np.zeros(self._size, np.int16)
            for node in run.wanted:
                part = self.find(node)
                scores += part.scores
                found += part.mask
            coordination = 1 - self._ranking.coordination * (1 - found / len(run.wanted))
            scores *= coordination
            self._multiply(first, coordination)
            mask = found > 0
            if self._terms is not None and not self._excluding:
                part = self._find_terms(self._terms, run)
                mask |= part.mask
                scores += part.scores
        else:
            mask = self._everything()
        for node in run.required:
            part = self.find(node)
            mask &= part.mask
            scores += part.scores
        kept, self._excluding = self._excluding, True  # what a photo must not show is no reason to show it
        for node in run.excluded:
            mask &= ~self.find(node).mask
        self._excluding = kept
        self._multiply(first, mask)
        return Found(mask, np.where(mask, scores, np.float32(0)))

    def _find_terms(self, terms: Terms, run: Ranked) -> Found:
        """What learned terms add to a run's scores; the mask is of photos that they find by themselves."""
        by_row = np.zeros(len(terms.document_of_row) + 1, np.float32)  # the last for documents without a row
        lifts: list[tuple[Ids, Scores]] = []
        for term in terms_of_run(run):
            counted = self._counted(terms, term, self._ranking.terms_pairs if " " in term else 1.0)
            for part in counted:
                part.add_to(by_row)
                self._note(TERMS_LAYER, term, part.rows, part, terms.row_of_document)
            if counted:
                lifts.append(self._believe(terms, term, counted))
        for term, stand_ins in stand_ins_of_run(run).items():
            if self._ranking.synonyms > 0 and term not in terms.columns.by_term:
                by_row[:-1] += self._stand_in(terms, stand_ins)
        scores = by_row.take(terms.row_of_document, mode="wrap")  # -1 is the last; unchecked, it takes two thirds
        for holders, lift in lifts:
            scores[holders] += lift
        floor = max(self._ranking.terms_floor * len(run.wanted), np.finfo(np.float32).tiny)
        mask = scores >= np.float32(floor)
        scores *= np.float32(self._ranking.terms)
        self._ground(scores)
        return Found(mask, scores)

    def _counted(self, terms: Terms, term: str, share: float) -> Column:
        """A term's column with the power of its impacts that counts, times ``share``; empty for what is no term."""
        column = terms.columns.by_term.get(term, ())
        return tuple(part.raised(self._ranking.terms_power, share) for part in column)

    def _believe(self, terms: Terms, term: str, counted: Column) -> tuple[Ids, Scores]:
        """The photos that a person says a term of, and what each lacks to what it counts where it counts most."""
        holders = self._said_by_people(term.split(" "))
        if not holders.size:
            return holders, np.zeros(0, np.float32)
        known = np.zeros(self._size + 1, np.float32)
        for part in counted:
            known[terms.document_of_row[part.rows]] = part.impacts()
        lift = known[:-1].max() - known[holders]
        holders, lift = holders[lift > 0], lift[lift > 0]
        self._note(PERSON_FIELD, term, holders, lift)
        return holders, lift

    def _said_by_people(self, stems: list[str]) -> Ids:
        """The documents, ascending, where people used all of these words."""
        if not self._ranking.fields.get(PERSON_FIELD):
            return np.zeros(0, np.intp)
        found, *others = (self._postings(PERSON_FIELD, word)[0] for word in stems)
        for other in others:
            found = np.intersect1d(found, other, assume_unique=True) if found.size and other.size else found[:0]
        return found

    def _stand_in(self, terms: Terms, stand_ins: Mapping[str, float]) -> Scores:
        """For a word that no model has a term for: of each row the best of the terms of like meaning."""
        best = np.zeros(len(terms.document_of_row), np.float32)
        for term, weight in stand_ins.items():
            for part in self._counted(terms, term, min(weight * self._ranking.synonyms, 1.0)):
                best[part.rows] = np.maximum(best[part.rows], part.impacts())
                self._note(TERMS_LAYER, term, part.rows, part, terms.row_of_document)
        return best

    def _find_parts(self, node: AllOf | AnyOf) -> Found:
        first = len(self.grounds)
        parts = [self.find(part) for part in node.parts]
        combine = np.logical_and if isinstance(node, AllOf) else np.logical_or
        mask: Mask = combine.reduce([part.mask for part in parts])
        scores: Scores = np.add.reduce([part.scores for part in parts])
        self._multiply(first, mask)
        return Found(mask, np.where(mask, scores, np.float32(0)))

    def _everything(self) -> Mask:
        mask = np.zeros(self._size, np.bool_)
        mask[np.fromiter(self._reader.all_doc_ids(), np.intp)] = True
        return mask

    # ---- leaves ----------------------------------------------------------------------------------

    def _meanings(self, node: Word) -> dict[str, float]:
        """The stems that a word asked for stands for, with how much each counts; its own counts 1."""
        stems = {stem(node.text): 1.0}
        if not (node.exact or self._excluding):  # without a bike is not without a motorcycle
            others = lexicon.synonyms(node.text) if self._ranking.synonyms > 0 else {}
            for other, weight in others.items():
                stems.setdefault(other, min(weight * self._ranking.synonyms, 1.0))
        return stems

    def _find_words(self, stems: dict[str, float], field: str | None) -> Found:
        """``stems`` stand for one word of the query, each with how much it counts; a field has the best of them."""
        x = self._weigh(stems, field, note=True)
        scores = self._scores(x)
        own = {word: worth for word, worth in stems.items() if worth == 1}
        if len(own) < len(stems):
            scores = np.maximum(scores, self._scores(self._weigh(own, field, note=False)))
        self._ground(scores)
        return Found(x > 0, scores)

    def _weigh(self, stems: dict[str, float], field: str | None, *, note: bool) -> Scores:
        """BM25F's x of every document."""
        x = np.zeros(self._size, np.float32)
        for name in self._searched(field):
            best = np.zeros(self._size, np.float32) if len(stems) > 1 else x
            for word, worth in stems.items():
                ids, frequencies = self._postings(name, word)
                if not ids.size:
                    continue
                value: Scores = np.float32(self._ranking.fields[name] * worth) * (1 + np.log(frequencies))
                if best is x:
                    x[ids] += value
                else:
                    best[ids] = np.maximum(best[ids], value)
                if note:
                    self._note(name, word, ids, value)
            if best is not x:
                x += best
        return x

    def _searched(self, field: str | None) -> list[str]:
        """``label:`` asks for what a thing is, however general."""
        if field == "labels":
            return [name for name in (field, "kinds", "tags") if name in self._ranking.fields]
        if field == "camera":  # what it is known by; few know which of the two a number belongs to
            return [name for name in (field, "lens") if name in self._ranking.fields]
        return [field] if field else self._fields

    def _find_phrase(self, phrase: Phrase) -> Found:
        stems = [stem(word) for word in phrase.words]
        x = np.zeros(self._size, np.float32)
        for name in self._searched(phrase.field):
            ids = np.fromiter(self._adjacent(name, stems), np.intp)
            x[ids] += self._ranking.fields[name]
            for word in dict.fromkeys(stems):
                self._note(name, word, ids, np.full(ids.size, self._ranking.fields[name], np.float32))
        scores = self._scores(x)
        self._ground(scores)
        return Found(x > 0, scores)

    def _find_taken(self, taken: Taken) -> Found:
        first = max(day_number(taken.first), 0) if taken.first else 0
        last = min(day_number(taken.last), LAST_DAY_NUMBER) if taken.last else LAST_DAY_NUMBER
        return self._find_numbers("taken", first, last)

    def _find_numbers(self, field: str, first: int, last: int) -> Found:
        mask = np.zeros(self._size, np.bool_)
        if first <= last:
            for reader, offset in self._leaves:
                for term in whoosh.terms_in_range(reader, field, first, last):
                    mask[whoosh.postings(reader, field, term)[0] + offset] = True
        return Found(mask, np.zeros(self._size, np.float32))

    def _find_listed(self, field: str, key: str) -> Found:
        mask = np.zeros(self._size, np.bool_)
        mask[self._postings(field, key)[0]] = True
        return Found(mask, np.zeros(self._size, np.float32))

    def _scores(self, x: Scores) -> Scores:
        """BM25F's scores for one word of the query; its idf is of the documents where x is above 0."""
        holders = int(np.count_nonzero(x))
        idf = np.log(1 + (self._alive - holders + 0.5) / (holders + 0.5))
        k1 = self._ranking.saturation
        return np.asarray(idf * (k1 + 1) * x / (k1 + x), np.float32)

    # ---- keeping account of why ------------------------------------------------------------------

    def _note(self, layer: str, word: str, ids: NDArray[Any], values: Values, keys: NDArray[Any] | None = None) -> None:
        """``word`` speaks for these documents, in the clause that the next ``_ground`` closes."""
        if not self._excluding and ids.size:
            self._noted.append(Evidence(layer, word, ids, values, keys))

    def _ground(self, scores: Scores) -> None:
        if self._noted:
            self.grounds.append(Ground(scores, self._noted, []))
            self._noted = []

    def _multiply(self, first: int, factor: NDArray[Any]) -> None:
        """The scores of the clauses from ``first`` on were multiplied, by document."""
        for ground in self.grounds[first:]:
            ground.factors.append(factor)

    # ---- reading the index -----------------------------------------------------------------------

    def _postings(self, field: str, word: str) -> tuple[Ids, Scores]:
        """Document numbers, ascending, and how often ``word`` stands in ``field`` of each."""
        key = (field, word)
        if key not in self._postings_read:
            found = [
                (ids + offset, frequencies)
                for reader, offset in self._leaves
                if key in reader
                for ids, frequencies in [whoosh.postings(reader, field, word)]
            ]
            self._postings_read[key] = (
                np.concatenate([ids for ids, _ in found] or [np.empty(0, np.intp)]),
                np.concatenate([frequencies for _, frequencies in found] or [np.empty(0, np.float32)]),
            )
        return self._postings_read[key]

    def _adjacent(self, field: str, stems: list[str]) -> Iterable[int]:
        """Document numbers, ascending, where ``stems`` follow each other in ``field``."""
        for reader, offset in self._leaves:
            if not all((field, word) in reader for word in stems):
                continue
            postings = [reader.postings(field, word) for word in stems]
            while all(each.is_active() for each in postings):
                furthest = max(each.id() for each in postings)
                behind = [each for each in postings if each.id() < furthest]
                for each in behind:
                    each.skip_to(furthest)
                if behind:
                    continue
                starts = set(postings[0].value_as("positions"))
                for place, each in enumerate(postings[1:], 1):
                    starts &= {position - place for position in each.value_as("positions")}
                if starts:
                    yield furthest + offset
                postings[0].next()

    def _expand(self, node: Prefix | Fuzzy) -> dict[str, float]:
        """The stems that ``node`` stands for in this index, with how much each counts."""
        search: Callable[[Any], Iterable[Any]]
        if isinstance(node, Prefix):
            sign = "*"
            search = lambda reader: reader.expand_prefix(FORMS_FIELD, node.text)  # noqa: E731
        else:
            sign = "~"
            search = lambda reader: reader.terms_within(FORMS_FIELD, node.text, node.distance, prefix=1)  # noqa: E731
        stems = {stem(node.text): 1.0}  # so that neither ever finds less than the bare word
        for reader, _ in self._leaves:
            for form in search(reader):
                word = stem(_text(form))
                stems.setdefault(word, 1.0 if isinstance(node, Prefix) else self._ranking.near_miss)
                if len(stems) > MOST_EXPANSIONS:
                    asked = f"'{node.text}{sign}'"
                    raise QueryError(f"{asked} stands for more than {MOST_EXPANSIONS} words: give more letters")
        return stems
