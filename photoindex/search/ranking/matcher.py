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

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from photoindex.language import lexicon
from photoindex.language.analysis import stem
from photoindex.language.forms import word_of
from photoindex.search.fulltext.fields import (
    BETWEEN,
    FILES_FIELD,
    FORMS_FIELD,
    HAS_FIELD,
    PATHS_FIELD,
    TAKEN_FIELD,
    VALUE_FIELDS,
    WRITTEN_FIELDS,
)
from photoindex.search.fulltext.photo_ids import Terms
from photoindex.search.query import numbers
from photoindex.search.query.syntax import (
    AllOf,
    AnyOf,
    Around,
    Below,
    Condition,
    Fuzzy,
    Has,
    Inside,
    Node,
    Phrase,
    Prefix,
    Ranked,
    Taken,
    Value,
    When,
    Word,
)
from photoindex.search.ranking.around import documents_at
from photoindex.search.ranking.expansions import expanded
from photoindex.search.ranking.explain import Account, Ground
from photoindex.search.ranking.phrases import Way, ways_of
from photoindex.search.ranking.postings import Postings
from photoindex.search.ranking.spellings import Spellings
from photoindex.search.ranking.term_scores import TermScorer
from photoindex.search.ranking.weights import DEFAULT_RANKING, Ranking
from photoindex.search.ranking.whole_index import WholeIndex
from photoindex.search.ranking.word_scorer import WordScorer
from photoindex.search.ranking.word_scores import AskedWord, idf

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from photoindex.search.fulltext.reader import Asked, IndexReader
    from photoindex.search.ranking.explain import Ids, Scores

    Mask = NDArray[np.bool_]

NAMES_LAYER, TAKEN_LAYER = "names", "taken"
DATE_WEIGHT: Final = 1.0  # of a day among plain words, beside the weights of fields


class Answer(NamedTuple):
    """The documents that a node of a query is answered by, and their scores."""

    mask: Mask
    scores: Scores  # 0 outside the mask


class Matcher:
    """Answers one query by one reader."""

    def __init__(
        self,
        reader: IndexReader,
        ranking: Ranking = DEFAULT_RANKING,
        terms: Terms | None = None,
        whole: WholeIndex | None = None,
        narrowed: tuple[Matcher, Ids] | None = None,
        postings: Postings | None = None,
    ) -> None:
        self._ranking = ranking
        self._whole = whole or WholeIndex()
        # The matcher of all documents, and those of them that this one's reader numbers; None where it has them all.
        self._narrowed = narrowed
        self._reader = reader
        self._size = reader.size
        self._postings = postings or Postings(reader)
        self._account = Account()
        self._scorer = WordScorer(reader, ranking, self._postings, self._account, self._whole)
        self._spellings = Spellings(reader.form_count)
        self._words: dict[str, str] = {}  # stem -> a word with it, typed or of the index
        self._learned = terms
        self._terms = None
        if terms is not None and ranking.terms > 0:
            self._terms = TermScorer(terms, ranking, self._postings, self._account, self._whole)

    @property
    def grounds(self) -> list[Ground]:
        """What speaks for the photos, by clause."""
        return self._account.grounds

    def forget_grounds(self) -> None:
        """Drop all that was noted of what speaks for photos."""
        self._account.clear()

    def find(self, node: Node) -> Answer:
        """Return the documents that satisfy ``node``.

        Raises QueryError when a prefix or fuzzy word stands for too many words.
        """
        if isinstance(node, Ranked):
            return self._find_run(node)
        if isinstance(node, (AllOf, AnyOf)):
            return self._find_parts(node)
        if isinstance(node, Condition):
            return Answer(self.condition(node), np.zeros(self._size, np.float32))
        if isinstance(node, When):
            return self._find_when(node)
        if isinstance(node, Value):
            return self._find_value(node)
        if isinstance(node, Phrase):
            return self._find_phrase(node)
        if isinstance(node, Word):
            return self._find_words(self._meanings(node), node.field, self._spellings.of(node))
        if node.field is not None and node.field in VALUE_FIELDS:
            return self._find_value_words(node.field, self._expand(node, VALUE_FIELDS[node.field], str))
        return self._find_words(self._expand(node, FORMS_FIELD, self._stem), node.field)

    def by_words_alone(self) -> Matcher:
        """Return a matcher of the same index that knows no synonyms and no learned terms."""
        plain = replace(self._ranking, synonyms=0.0, terms=0.0)
        return Matcher(self._reader, plain, postings=self._postings)

    # ---- for scoring some documents alone ----------------------------------------------------------

    def narrowed(self, documents: Ids) -> Matcher:
        """Return a matcher of some documents alone, ascending and at most 65,536, which it numbers from 0 on; their
        scores are those that this one gives them. What this one was not asked for must not depend on other documents:
        a run's plain words are (once :meth:`word` was asked for each), its other clauses are not."""
        terms = None if self._learned is None else self._learned.of(documents)
        return Matcher(self._reader.narrowed(documents), self._ranking, terms, self._whole, (self, documents))

    @property
    def size(self) -> int:
        """Places for documents."""
        return self._size

    @property
    def alive(self) -> int:
        """Documents of the index that are not deleted."""
        return self._reader.alive

    @property
    def ranking(self) -> Ranking:
        """The weights."""
        return self._ranking

    @property
    def has_terms(self) -> bool:
        """Whether learned terms count."""
        return self._terms is not None

    def living(self) -> Mask | None:
        """Return which documents are not deleted; ``None`` when all are there."""
        return self._reader.living()

    def sums_of_terms(self, run: Ranked, among: Mask | None) -> Scores:
        """Return what a run's learned terms add up to for the documents ``among`` these; see term_scores.py."""
        return np.zeros(self._size, np.float32) if self._terms is None else self._terms.sums(run, among)

    def used_by_people(self, run: Ranked) -> Ids:
        """Return the documents for which people used a term of a run, and which count more for it."""
        return np.zeros(0, np.intp) if self._terms is None else self._terms.used_by_people(run)

    def word(self, node: Word) -> AskedWord:
        """Return what a plain word of a query asks of the index."""
        split = self._spellings.of(node)
        return self._asked(self._meanings(node), node.field, split)

    # ---- the vocabulary ----------------------------------------------------------------------------

    def forms_starting(self, prefix: str) -> Iterator[str]:
        """Yield words of the index, unstemmed, that begin with ``prefix``."""
        return self._reader.with_prefix(FORMS_FIELD, prefix)

    def photos_with(self, word: str) -> int:
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
        self.begin(run)
        if run.wanted:
            found = np.zeros(self._size, np.uint8)
            for node in run.wanted:
                self._add(node, scores, found)
            if len(run.wanted) > 1:
                coordination = self._coordination(found, len(run.wanted))
                scores *= coordination
                self._account.multiply(first, coordination)
            mask = found > 0
            if self._terms is not None and not self._account.closed:
                shown, added = self._terms.score(run)
                mask |= shown
                scores += added
        else:
            mask = self._everything()
        for node in run.required:
            part = self.find(node)
            mask &= part.mask
            scores += part.scores
        self.exclude(run.excluded, mask)
        self._account.multiply(first, mask)
        scores *= mask
        if run.files and not self._account.closed and self._ranking.fields.get(NAMES_LAYER):
            scores += self._named(run.files, mask, scores)
        return Answer(mask, scores)

    def begin(self, run: Ranked) -> None:
        """Take note of how the words of a run may be spelt together."""
        self._spellings.add(run.neighbours)

    def exclude(self, nodes: Iterable[Node], mask: Mask) -> None:
        """Take the documents that satisfy any of the nodes out of ``mask``."""
        kept, self._account.closed = self._account.closed, True  # what a photo must not show is no reason to show it
        for node in nodes:
            mask &= ~self.find(node).mask
        self._account.closed = kept

    def _add(self, node: Node, scores: Scores, found: NDArray[np.uint8]) -> None:
        """Add what answers a wanted clause to the scores of a run, and one to how many of its clauses were found."""
        if isinstance(node, Word):
            self._scorer.scores(self.word(node)).add_to(scores, found)
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
            ids = self.named(key)
            ids = ids[mask[ids]]
            # Of several names in a query the longest counts most: "IMG_1 (2).jpg" holds "IMG_1" as well.
            lift[ids] = np.maximum(lift[ids], (scores.max(initial=0) + 1) * np.float32(1 + len(key)))
            self._account.note(NAMES_LAYER, key, ids, np.ones(ids.size, np.float32))
        self._account.close(lift)
        return lift

    def named(self, key: str) -> Ids:
        """Return the documents with a file of this name."""
        return self._postings.of(FILES_FIELD, key)[0]

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
        if not (node.exact or self._account.closed):  # without a bike is not without a motorcycle
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
        """Return the answer for one word of a query; see :class:`.word_scorer.WordScorer`."""
        scores, found = np.zeros(self._size, np.float32), np.zeros(self._size, np.uint8)
        self._scorer.scores(self._asked(stems, field, split)).add_to(scores, found)
        return Answer(found > 0, scores)

    def _asked(self, stems: Mapping[str, float], field: str | None, split: Sequence[tuple[str, str]] = ()) -> AskedWord:
        return self._scorer.asked(stems, field, [(self._stem(one), self._stem(other)) for one, other in split])

    def holders(self, asked: AskedWord, count: Callable[[], int]) -> int:
        """Return how many documents hold a word; ``count`` counts them, where that is not known yet."""
        return self._scorer.holders(asked, count)

    def _expand(self, node: Prefix | Fuzzy, field: str, shortened: Callable[[str], str]) -> dict[str, float]:
        return expanded(self._reader, node, field, shortened, self._ranking.near_miss)

    def _find_phrase(self, phrase: Phrase) -> Answer:
        asked = dict.fromkeys(map(self._stem, phrase.words))
        places = [list(self._stemmed(ways)) for ways in ways_of(phrase, self._reader.form_count)]
        x = np.zeros(self._size, np.float32)
        for name, ids in self._scorer.adjacent(self._ranking.searched(phrase.field), places).items():
            x[ids] += self._ranking.fields[name]
            for words in asked:
                self._account.note(name, words, ids, np.full(ids.size, self._ranking.fields[name], np.float32))
        return self._scored(x, phrase)

    def _stemmed(self, ways: Iterable[Way]) -> Iterator[Asked]:
        """Yield the ways to write a word as the reader takes them: words for one place, and runs of places."""
        for way in ways:
            stems = tuple(tuple(dict.fromkeys(map(self._stem, words))) for words in way)
            if len(stems) == 1:
                yield from stems[0]
            else:
                yield stems

    def _find_value(self, node: Value) -> Answer:
        places = [((BETWEEN,) if node.whole else ()), *node.places, ((BETWEEN,) if node.whole else ())]
        written = WRITTEN_FIELDS[node.field]
        found = self._reader.adjacent([written], [place for place in places if place])
        ids = found.get(written, np.zeros(0, np.intp))
        x = np.zeros(self._size, np.float32)
        x[ids] = weight = self._ranking.fields.get(node.field, 0.0) or 1.0
        self._account.note(
            node.field, " ".join(place[0] for place in node.places), ids, np.full(ids.size, weight, np.float32)
        )
        return self._scored(x, node)

    def _find_value_words(self, field: str, words: Mapping[str, float]) -> Answer:
        """Return the photos with any of these words in a field that is compared as written."""
        x = np.zeros(self._size, np.float32)
        for word, worth in words.items():
            ids = self._postings.of(VALUE_FIELDS[field], word)[0]
            x[ids] = np.maximum(x[ids], np.float32(worth))
            self._account.note(field, word, ids, np.full(ids.size, worth, np.float32))
        return self._scored(x, (field, tuple(words.items())))

    def _find_when(self, node: When) -> Answer:
        """Return the photos of some days, and those with the words: a day counts as a word that its photos hold."""
        days = self.condition(node.taken)
        holders = np.flatnonzero(days)
        x = np.where(days, np.float32(DATE_WEIGHT), np.float32(0))
        self._account.note(TAKEN_LAYER, " ".join(_words_of(node.words)), holders, x[holders])
        dated = self._scored(x, node.taken)
        worded = self.find(node.words)
        return Answer(days | worded.mask, dated.scores + worded.scores)

    def condition(self, node: Condition) -> Mask:
        """Return the documents that satisfy a condition which does not rank."""
        if self._narrowed is not None:
            whole, documents = self._narrowed
            return whole.condition(node)[documents]
        return self._whole.mask(node, lambda: self._satisfying(node))

    def _satisfying(self, node: Condition) -> Mask:
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
        return mask

    def _scored(self, x: Scores, clause: Hashable) -> Answer:
        """Return the answer for one clause by its BM25F's x, and close its account. Its idf is of the documents where x
        is above 0."""
        holders = self._whole.holders(clause, lambda: int(np.count_nonzero(x)))
        factor = np.float32(idf(self._reader.alive, holders) * (self._ranking.saturation + 1))
        scores = np.asarray(factor * x / (np.float32(self._ranking.saturation) + x), np.float32)
        self._account.close(scores)
        return Answer(x > 0, scores)


def _words_of(node: Node) -> list[str]:
    parts = node.parts if isinstance(node, AllOf) else (node,)
    return [part.text for part in parts if isinstance(part, Word)]
