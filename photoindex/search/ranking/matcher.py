"""Which photos answer a parsed query, and how well: set logic and BM25F over the postings of the index.

A word in five fields scored as five words would let one word found everywhere outrank two words found once. Here the
fields of a photo are added up first and the sum then saturates, as in Robertson and Zaragoza, "The Probabilistic
Relevance Framework: BM25 and Beyond" (2009), section 3.6, with b = 0: captions are one sentence each, and the length of
a sentence says little about what it is about. For a word w and a photo p:

    x(w, p)     = sum over fields f of fields[f] * (1 + ln tf(w, f, p))
    score(w, p) = idf(w) * (k1 + 1) * x / (k1 + x)                          k1 is saturation
    score(p)    = (1 - C + C * found / asked) * sum of score(w, p)          C is coordination
                + terms * sum over the run's terms t of c(t) * impact(t, p) ** terms_power    learned, see terms/

The last line is computed in term_scores.py.

The weights are those of a weights.Ranking. One word in every field scores below (k1 + 1) * idf, and with two or more
words asked the last line takes at least the factor 0.55 off it: 1.6 * 0.55 < 1. So a photo with all the words in its
caption always outranks it.

A photo whose file has the name that was typed comes first, whatever else speaks for others. A date among plain words is
a word that the photos of those days hold.

A word also finds its synonyms (the lexicon's), and a fuzzy word its neighbours: stems that count less than the one
asked for. Scored by the documents of all of them, a rare word would lose its weight to a common synonym; by its own
documents alone, the synonym would gain the rare word's. So a document gets the better of two scores: for what it holds
of the word itself by the word's own idf, and for what it holds of all of them by the idf of all. The first is never the
smaller for a document with the word itself, which so comes before one with a synonym in its place.

Arrays have one place per document of the index, deleted ones included: 4 bytes a document and word.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from photoindex.errors import QueryError
from photoindex.language import lexicon
from photoindex.language.analysis import stem
from photoindex.language.forms import word_of
from photoindex.search.fulltext.photo_ids import Terms
from photoindex.search.fulltext.reader import (
    BETWEEN,
    FILES_FIELD,
    FORMS_FIELD,
    HAS_FIELD,
    PATHS_FIELD,
    TAKEN_FIELD,
    VALUE_FIELDS,
    WRITTEN_FIELDS,
)
from photoindex.search.query import numbers
from photoindex.search.query.syntax import (
    AllOf,
    AnyOf,
    Around,
    Below,
    Fuzzy,
    Has,
    Inside,
    Node,
    Number,
    Phrase,
    Prefix,
    Ranked,
    Taken,
    Value,
    When,
    Word,
)
from photoindex.search.ranking.around import documents_at
from photoindex.search.ranking.explain import Account, Ground
from photoindex.search.ranking.postings import Postings
from photoindex.search.ranking.spellings import Spellings
from photoindex.search.ranking.term_scores import TermScorer
from photoindex.search.ranking.weights import DEFAULT_RANKING, FIELD_WEIGHTS, Ranking
from photoindex.search.ranking.word_scores import (
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
    from numpy.typing import NDArray

    from photoindex.search.fulltext.reader import IndexReader
    from photoindex.search.ranking.explain import Ids, Scores, Values
    from photoindex.search.ranking.word_scores import Stems

    Mask = NDArray[np.bool_]

NAMES_LAYER, TAKEN_LAYER = "names", "taken"
MOST_EXPANSIONS: Final = 500  # words that one prefix or fuzzy word may stand for
DATE_WEIGHT: Final = 1.0  # of a day among plain words, beside the weights of fields


class Answer(NamedTuple):
    """The documents that a node of a query is answered by, and their scores."""

    mask: Mask
    scores: Scores  # 0 outside the mask


class Matcher:
    """Answers one query by one reader."""

    def __init__(self, reader: IndexReader, ranking: Ranking = DEFAULT_RANKING, terms: Terms | None = None) -> None:
        self._ranking = ranking
        self._fields = [name for name, weight in ranking.fields.items() if weight > 0]
        self._reader = reader
        self._size = reader.size
        self._postings = Postings(reader)
        self._excluding = False
        self._account = Account()
        self._spellings = Spellings(self.form_count)
        self._words: dict[str, str] = {}  # stem -> a word with it, typed or of the index
        self._terms = None
        if terms is not None and ranking.terms > 0:
            self._terms = TermScorer(terms, ranking, self._postings, self._account)

    @property
    def grounds(self) -> list[Ground]:
        """What speaks for the photos, by clause."""
        return self._account.grounds

    def find(self, node: Node) -> Answer:
        """Return the documents that satisfy ``node``.

        Raises QueryError when a prefix or fuzzy word stands for too many words.
        """
        if isinstance(node, Ranked):
            return self._find_run(node)
        if isinstance(node, (AllOf, AnyOf)):
            return self._find_parts(node)
        if isinstance(node, (Taken, Has, Below, Number, Inside, Around)):
            return self._filtered(node)
        if isinstance(node, When):
            return self._find_when(node)
        if isinstance(node, Value):
            return self._find_value(node)
        if isinstance(node, Phrase):
            return self._find_phrase(node)
        if isinstance(node, Word):
            return self._find_words(self._meanings(node), node.field, self._spellings.of(node))
        if node.field is not None and node.field in VALUE_FIELDS:
            return self._find_value_words(node.field, self._expand(node, VALUE_FIELDS[node.field], {node.text: 1.0}))
        return self._find_words(self._expand(node, FORMS_FIELD, {}), node.field)

    def by_words_alone(self) -> Matcher:
        """Return a matcher of the same index that knows no synonyms and no learned terms."""
        plain = Matcher(self._reader, replace(self._ranking, synonyms=0.0, terms=0.0))
        plain._postings = self._postings
        return plain

    # ---- the vocabulary ----------------------------------------------------------------------------

    def forms_starting(self, prefix: str) -> Iterator[str]:
        """Yield words of the index, unstemmed, that begin with ``prefix``."""
        return self._reader.with_prefix(FORMS_FIELD, prefix)

    def holders(self, word: str) -> int:
        """Return how many photos a search for this one folded word finds."""
        return int(np.count_nonzero(self.find(Ranked(wanted=(Word(word),))).mask))

    def forms_within(self, word: str, distance: int, *, prefix: int = 0) -> Iterator[str]:
        """Yield words of the index, unstemmed, at most ``distance`` insertions, deletions or substitutions from
        ``word``, none of which is in its first ``prefix`` letters."""
        return self._reader.within(FORMS_FIELD, word, distance, prefix=prefix)

    def form_count(self, form: str) -> int:
        """Return in how many documents a folded, unstemmed word stands, removed photos included."""
        return self._reader.form_count(form)

    def carried(self, fact: str) -> bool:
        """Return whether any photo carries a fact."""
        return self._postings.of(HAS_FIELD, fact)[0].size > 0

    def word_of(self, stems: str) -> str:
        """Return the word, or words, to show for what is indexed."""
        if stems in self._words:
            return self._words[stems]
        return " ".join(self._words.get(each) or word_of(each) for each in stems.split(" "))

    # ---- logic -----------------------------------------------------------------------------------

    def _find_run(self, run: Ranked) -> Answer:
        scores = np.zeros(self._size, np.float32)
        first = len(self._account.grounds)
        self._spellings.add(run.neighbours)
        if run.wanted:
            found = np.zeros(self._size, np.uint8)
            for node in run.wanted:
                self._add(node, scores, found)
            if len(run.wanted) > 1:
                coordination = self._coordination(found, len(run.wanted))
                scores *= coordination
                self._account.multiply(first, coordination)
            mask = found > 0
            if self._terms is not None and not self._excluding:
                shown, added = self._terms.score(run)
                mask |= shown
                scores += added
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
        self._account.multiply(first, mask)
        scores *= mask
        if run.files and not self._excluding and self._ranking.fields.get(NAMES_LAYER):
            scores += self._named(run.files, mask, scores)
        return Answer(mask, scores)

    def _add(self, node: Node, scores: Scores, found: NDArray[np.uint8]) -> None:
        """Add what answers a wanted clause to the scores of a run, and one to how many of its clauses were found."""
        if isinstance(node, Word):
            self._word_scores(self._meanings(node), node.field, self._spellings.of(node)).add_to(scores, found)
        else:
            part = self.find(node)
            scores += part.scores
            found += part.mask

    def _coordination(self, found: NDArray[np.uint8], asked: int) -> Scores:
        """Return what the scores of documents count in which so many of the clauses of a run were found."""
        factor: Scores = found.astype(np.float32)
        factor *= np.float32(self._ranking.coordination / asked)
        factor += np.float32(1 - self._ranking.coordination)
        return factor

    def _named(self, keys: Iterable[str], mask: Mask, scores: Scores) -> Scores:
        """Return what puts photos whose file has one of these names before all others."""
        lift = np.zeros(self._size, np.float32)
        for key in keys:
            ids = self._postings.of(FILES_FIELD, key)[0]
            ids = ids[mask[ids]]
            # Of several names in a query the longest counts most: "IMG_1 (2).jpg" holds "IMG_1" as well.
            lift[ids] = np.maximum(lift[ids], (scores.max(initial=0) + 1) * np.float32(1 + len(key)))
            self._note(NAMES_LAYER, key, ids, np.ones(ids.size, np.float32))
        self._account.close(lift)
        return lift

    def _find_parts(self, node: AllOf | AnyOf) -> Answer:
        first = len(self._account.grounds)
        parts = [self.find(part) for part in node.parts]
        combine = np.logical_and if isinstance(node, AllOf) else np.logical_or
        mask: Mask = combine.reduce([part.mask for part in parts])
        scores: Scores = np.add.reduce([part.scores for part in parts])
        self._account.multiply(first, mask)
        return Answer(mask, np.where(mask, scores, np.float32(0)))

    def _everything(self) -> Mask:
        mask = np.zeros(self._size, np.bool_)
        mask[self._reader.documents()] = True
        return mask

    # ---- leaves ----------------------------------------------------------------------------------

    def _meanings(self, node: Word) -> dict[str, float]:
        """Return the stems that a word stands for, with how much each counts; those of its own spellings count 1."""
        joined = self._spellings.joined(node)
        stems = {self._stem(spelling): 1.0 for spelling in (node.text, *node.also, *joined)}
        if not (node.exact or self._excluding):  # without a bike is not without a motorcycle
            others = lexicon.synonyms(node.text) if self._ranking.synonyms > 0 else {}
            for other, weight in others.items():
                stems.setdefault(other, min(weight * self._ranking.synonyms, 1.0))
        return stems

    def _stem(self, word: str) -> str:
        """Return a word's stem, and remember the word as what to show for it."""
        root = stem(word)
        self._words.setdefault(root, word)
        return root

    def _find_words(self, stems: dict[str, float], field: str | None, split: Sequence[tuple[str, str]] = ()) -> Answer:
        """Return the answer for one word of a query, see :meth:`_word_scores`."""
        scores, found = np.zeros(self._size, np.float32), np.zeros(self._size, np.uint8)
        self._word_scores(stems, field, split).add_to(scores, found)
        return Answer(found > 0, scores)

    def _word_scores(
        self, stems: Mapping[str, float], field: str | None, split: Sequence[tuple[str, str]] = ()
    ) -> WordScores:
        """Return the scores for one word of a query: ``stems`` stand for it, each with how much it counts; of those in
        one field the best counts. It may also be ``split``, two words next to each other."""
        searched = self._searched(field)
        weights = tuple(self._ranking.fields[name] if name in searched else 0.0 for name in FIELD_WEIGHTS)
        columns = [(word, worth, column) for word, worth in stems.items() if (column := self._postings.column(word))]
        self._speak(columns, weights)
        parts = weigh(columns, weights) if columns else []
        for halves in split:
            parts = self._with_halves(parts, halves, searched)
        scores = scored(parts, self._reader.alive, self._ranking.saturation)
        own = [each for each in columns if each[1] == 1]
        if any(worth < 1 for worth in stems.values()) and own:
            alone = scored(weigh(own, weights), self._reader.alive, self._ranking.saturation)
            scores = better(scores, alone)
        result = WordScores(scores)
        self._account.close(result)
        return result

    def _speak(self, columns: Stems, weights: Sequence[float]) -> None:
        """Record that stems speak for the documents of their columns."""
        if not self._excluding:
            named = enumerate(zip(FIELD_WEIGHTS, weights, strict=True))
            by_slot = {slot: (name, weight) for slot, (name, weight) in named if weight}
            for word, worth, column in columns:
                self._account.add(StemEvidence(word, worth, column, by_slot))

    def _with_halves(self, parts: list[Weighed], halves: tuple[str, str], searched: Sequence[str]) -> list[Weighed]:
        """Return the documents of ``parts`` and those where two words follow one another, which count as one."""
        found = self._adjacent(searched, [[self._stem(half)] for half in halves])
        if not found:
            return parts
        x = np.zeros(self._size, np.float32)
        for first, size, rows, codes, here in parts:
            x[first : first + size][rows] = here if codes is None else here.take(codes)
        for name, ids in found.items():
            x[ids] = np.maximum(x[ids], self._ranking.fields[name])
            self._note(name, " ".join(map(self._stem, halves)), ids, np.ones(ids.size, np.float32))
        return of_documents(x)

    def _adjacent(self, fields: Sequence[str], places: Sequence[Sequence[str]]) -> dict[str, Ids]:
        return self._reader.adjacent(fields, places) if fields else {}

    def _searched(self, field: str | None) -> list[str]:
        """Return the fields of the index that a field of the query stands for; all of them without one."""
        if field == "labels":  # what a thing is, however general
            return [name for name in (field, "kinds", "tags") if name in self._ranking.fields]
        if field == "camera":  # what it is known by; few know which of the two a number belongs to
            return [name for name in (field, "lens") if name in self._ranking.fields]
        if field == "text":  # also what may have been misread
            return [name for name in (field, "unsure_text") if name in self._ranking.fields]
        if field == "caption":  # the rest of a long one
            return [name for name in (field, "more") if name in self._ranking.fields]
        return [field] if field else self._fields

    def _find_phrase(self, phrase: Phrase) -> Answer:
        also = phrase.also or ((),) * len(phrase.words)
        spellings = [(word, *others) for word, others in zip(phrase.words, also, strict=True)]
        places = [list(dict.fromkeys(map(self._stem, each))) for each in spellings]
        x = np.zeros(self._size, np.float32)
        for name, ids in self._adjacent(self._searched(phrase.field), places).items():
            x[ids] += self._ranking.fields[name]
            for words in dict.fromkeys(each[0] for each in places):
                self._note(name, words, ids, np.full(ids.size, self._ranking.fields[name], np.float32))
        return self._scored(x)

    def _find_value(self, node: Value) -> Answer:
        places = [((BETWEEN,) if node.whole else ()), *node.places, ((BETWEEN,) if node.whole else ())]
        written = WRITTEN_FIELDS[node.field]
        found = self._reader.adjacent([written], [place for place in places if place])
        ids = found.get(written, np.zeros(0, np.intp))
        x = np.zeros(self._size, np.float32)
        x[ids] = weight = self._ranking.fields.get(node.field, 0.0) or 1.0
        self._note(node.field, " ".join(place[0] for place in node.places), ids, np.full(ids.size, weight, np.float32))
        return self._scored(x)

    def _find_value_words(self, field: str, words: Mapping[str, float]) -> Answer:
        """Return the photos with any of these words in a field that is compared as written."""
        x = np.zeros(self._size, np.float32)
        for word, worth in words.items():
            ids = self._postings.of(VALUE_FIELDS[field], word)[0]
            x[ids] = np.maximum(x[ids], np.float32(worth))
            self._note(field, word, ids, np.full(ids.size, worth, np.float32))
        return self._scored(x)

    def _find_when(self, node: When) -> Answer:
        """Return the photos of some days, and those with the words: a day counts as a word that its photos hold."""
        days = self._filtered(node.taken).mask
        holders = np.flatnonzero(days)
        x = np.where(days, np.float32(DATE_WEIGHT), np.float32(0))
        self._note(TAKEN_LAYER, " ".join(_words_of(node.words)), holders, x[holders])
        dated = self._scored(x)
        worded = self.find(node.words)
        return Answer(days | worded.mask, dated.scores + worded.scores)

    def _filtered(self, node: Taken | Has | Below | Number | Inside | Around) -> Answer:
        """Return the photos that satisfy a condition which does not rank."""
        mask = np.zeros(self._size, np.bool_)
        if isinstance(node, Has):
            mask[self._postings.of(HAS_FIELD, node.what)[0]] = True
        elif isinstance(node, Below):
            mask[self._postings.of(PATHS_FIELD, node.key)[0]] = True
        elif isinstance(node, Taken):
            first = node.first.toordinal() if node.first else 0
            last = node.last.toordinal() if node.last else numbers.MOST
            mask = self._reader.in_range(TAKEN_FIELD, first, last)
        elif isinstance(node, (Inside, Around)):
            mask = documents_at(self._reader, node, lambda place: self.by_words_alone().find(place).mask)
        elif (low := max(node.low, 0)) <= (high := min(node.high, numbers.MOST)):
            mask = self._reader.in_range(node.field, low, high)
        return Answer(mask, np.zeros(self._size, np.float32))

    def _scored(self, x: Scores) -> Answer:
        """Return the answer for one clause by its BM25F's x, and close its account."""
        scores = self._scores(x)
        self._account.close(scores)
        return Answer(x > 0, scores)

    def _scores(self, x: Scores) -> Scores:
        """Return BM25F's scores for one word of a query; its idf is of the documents where x is above 0."""
        factor = np.float32(idf(self._reader.alive, int(np.count_nonzero(x))) * (self._ranking.saturation + 1))
        return np.asarray(factor * x / (np.float32(self._ranking.saturation) + x), np.float32)

    # ---- keeping account of why ------------------------------------------------------------------

    def _note(self, layer: str, word: str, ids: Ids, values: Values) -> None:
        """Record that ``word`` speaks for these documents, in the clause whose account is closed next."""
        if not self._excluding:
            self._account.note(layer, word, ids, values)

    # ---- reading the index -----------------------------------------------------------------------

    def _expand(self, node: Prefix | Fuzzy, field: str, own: dict[str, float]) -> dict[str, float]:
        """Return the words of ``field`` that ``node`` stands for, with how much each counts: stems of the forms that
        the index has, or, for a field that is compared as written, the words themselves, beside ``own``."""
        if isinstance(node, Prefix):
            sign, worth = "*", 1.0
            forms = self._reader.with_prefix(field, node.text)
        else:
            sign, worth = "~", self._ranking.near_miss
            forms = self._reader.within(field, node.text, node.distance, prefix=1)
        shortened = self._stem if field == FORMS_FIELD else str
        words = own or {shortened(node.text): 1.0}  # so that neither ever finds less than the bare word
        for form in forms:
            words.setdefault(shortened(form), worth)
            if len(words) > MOST_EXPANSIONS:
                asked = f"'{node.text}{sign}'"
                raise QueryError(f"{asked} stands for more than {MOST_EXPANSIONS} words: give more letters")
        return words


def _words_of(node: Node) -> list[str]:
    parts = node.parts if isinstance(node, AllOf) else (node,)
    return [part.text for part in parts if isinstance(part, Word)]
