"""Which photos answer a parsed query, and how well: set logic and BM25F over the postings of the index.

Whoosh scores a word in five fields as five words, so that one word found everywhere outranks two words found once. Here
the fields of a photo are added up first and the sum then saturates, as in Robertson and Zaragoza, "The Probabilistic
Relevance Framework: BM25 and Beyond" (2009), section 3.6, with b = 0: captions are one sentence each, and the length of
a sentence says little about what it is about. For a word w and a photo p:

    x(w, p)     = sum over fields f of fields[f] * (1 + ln tf(w, f, p))
    score(w, p) = idf(w) * (k1 + 1) * x / (k1 + x)                          k1 is saturation
    score(p)    = (1 - C + C * found / asked) * sum of score(w, p)          C is coordination

The weights are those of a ranking.Ranking. One word in every field scores below (k1 + 1) * idf, and with two or more
words asked the last line takes at least the factor 0.55 off it: 1.6 * 0.55 < 1. So a photo with all the words in its
caption always outranks it.

Arrays have one place per document of the index, deleted ones included: 4 bytes a document and word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from photoindex.errors import QueryError
from photoindex.search import _whoosh
from photoindex.search.analysis import stem
from photoindex.search.query import AllOf, AnyOf, Fuzzy, Has, Node, Phrase, Prefix, Ranked, Taken, Word
from photoindex.search.ranking import DEFAULT_RANKING, Ranking

FORMS_FIELD: Final = "forms"  # every word of a photo before stemming: what prefixes and fuzzy words are looked up in
HAS_FIELD: Final = "has"  # the facts a photo carries
MOST_EXPANSIONS: Final = 500  # words that one prefix or fuzzy word may stand for

FIRST_DAY: Final = date(1900, 1, 1)
LAST_DAY_NUMBER: Final = (1 << 16) - 1

Ids = NDArray[np.intp]
Mask = NDArray[np.bool_]
Scores = NDArray[np.float32]


def day_number(day: date) -> int:
    """Days since 1900-01-01; below 0 or above 65,535 (2079-06-06) the index cannot hold it."""
    return (day - FIRST_DAY).days


def _text(term: str | bytes) -> str:
    return term.decode("utf-8") if isinstance(term, bytes) else term


@dataclass(frozen=True, slots=True)
class Evidence:
    """``word``, a stem, stands in ``field`` of these documents."""

    field: str
    word: str
    ids: Ids


@dataclass(frozen=True, slots=True)
class Found:
    mask: Mask
    scores: Scores  # 0 outside the mask


class Matcher:
    """Answers one query on one Whoosh searcher. ``evidence`` fills up with what spoke for the photos found."""

    def __init__(self, searcher: Any, ranking: Ranking = DEFAULT_RANKING) -> None:
        self._ranking = ranking
        self._fields = [name for name, weight in ranking.fields.items() if weight > 0]
        self._searcher = searcher
        self._leaves: list[tuple[Any, int]] = list(searcher.reader().leaf_readers())
        self._size = int(searcher.doc_count_all())
        self._alive = int(searcher.doc_count())
        self._postings_read: dict[tuple[str, str], tuple[Ids, Scores]] = {}
        self._evidence: list[Evidence] | None = []

    @property
    def evidence(self) -> list[Evidence]:
        return self._evidence or []

    def find(self, node: Node) -> Found:
        """Documents that satisfy ``node``; QueryError when a prefix or fuzzy word stands for too many words."""
        if isinstance(node, Ranked):
            return self._find_run(node)
        if isinstance(node, (AllOf, AnyOf)):
            return self._find_parts(node)
        if isinstance(node, Taken):
            return self._find_taken(node)
        if isinstance(node, Has):
            return self._find_has(node)
        if isinstance(node, Phrase):
            return self._find_phrase(node)
        if isinstance(node, Word):
            return self._find_words({stem(node.text): 1.0}, node.field)
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
        if run.wanted:
            found = np.zeros(self._size, np.int16)
            for node in run.wanted:
                part = self.find(node)
                scores += part.scores
                found += part.mask
            scores *= 1 - self._ranking.coordination * (1 - found / len(run.wanted))
            mask = found > 0
        else:
            mask = self._everything()
        for node in run.required:
            part = self.find(node)
            mask &= part.mask
            scores += part.scores
        kept, self._evidence = self._evidence, None  # what a photo must not show is no reason to show it
        for node in run.excluded:
            mask &= ~self.find(node).mask
        self._evidence = kept
        return Found(mask, np.where(mask, scores, np.float32(0)))

    def _find_parts(self, node: AllOf | AnyOf) -> Found:
        parts = [self.find(part) for part in node.parts]
        combine = np.logical_and if isinstance(node, AllOf) else np.logical_or
        mask: Mask = combine.reduce([part.mask for part in parts])
        scores: Scores = np.add.reduce([part.scores for part in parts])
        return Found(mask, np.where(mask, scores, np.float32(0)))

    def _everything(self) -> Mask:
        mask = np.zeros(self._size, np.bool_)
        mask[np.fromiter(self._searcher.reader().all_doc_ids(), np.intp)] = True
        return mask

    # ---- leaves ----------------------------------------------------------------------------------

    def _find_words(self, stems: dict[str, float], field: str | None) -> Found:
        """``stems`` stand for one word of the query, each with how much it counts; a field has the best of them."""
        x = np.zeros(self._size, np.float32)
        for name in [field] if field else self._fields:
            best = np.zeros(self._size, np.float32) if len(stems) > 1 else x
            for word, worth in stems.items():
                ids, frequencies = self._postings(name, word)
                if not ids.size:
                    continue
                value = self._ranking.fields[name] * worth * (1 + np.log(frequencies))
                if best is x:
                    x[ids] += value
                else:
                    best[ids] = np.maximum(best[ids], value)
                self._note(name, word, ids)
            if best is not x:
                x += best
        return self._scored(x)

    def _find_phrase(self, phrase: Phrase) -> Found:
        stems = [stem(word) for word in phrase.words]
        x = np.zeros(self._size, np.float32)
        for name in [phrase.field] if phrase.field else self._fields:
            ids = np.fromiter(self._adjacent(name, stems), np.intp)
            x[ids] += self._ranking.fields[name]
            for word in dict.fromkeys(stems):
                self._note(name, word, ids)
        return self._scored(x)

    def _find_taken(self, taken: Taken) -> Found:
        first = max(day_number(taken.first), 0) if taken.first else 0
        last = min(day_number(taken.last), LAST_DAY_NUMBER) if taken.last else LAST_DAY_NUMBER
        mask = np.zeros(self._size, np.bool_)
        if first <= last:
            days = _whoosh.query.NumericRange("taken", first, last)
            mask[np.fromiter(self._searcher.docs_for_query(days), np.intp)] = True
        return Found(mask, np.zeros(self._size, np.float32))

    def _find_has(self, has: Has) -> Found:
        mask = np.zeros(self._size, np.bool_)
        mask[self._postings(HAS_FIELD, has.what)[0]] = True
        return Found(mask, np.zeros(self._size, np.float32))

    def _scored(self, x: Scores) -> Found:
        mask = x > 0
        holders = int(np.count_nonzero(mask))
        idf = np.log(1 + (self._alive - holders + 0.5) / (holders + 0.5))
        k1 = self._ranking.saturation
        return Found(mask, np.asarray(idf * (k1 + 1) * x / (k1 + x), np.float32))

    def _note(self, field: str, word: str, ids: Ids) -> None:
        if self._evidence is not None and ids.size:
            self._evidence.append(Evidence(field, word, ids))

    # ---- reading the index -----------------------------------------------------------------------

    def _postings(self, field: str, word: str) -> tuple[Ids, Scores]:
        """Document numbers, ascending, and how often ``word`` stands in ``field`` of each."""
        key = (field, word)
        if key not in self._postings_read:
            ids: list[int] = []
            frequencies: list[float] = []
            for reader, offset in self._leaves:
                if key not in reader:
                    continue
                postings = reader.postings(field, word)
                if reader.term_info(field, word).max_weight() <= 1:
                    ids.extend(number + offset for number in postings.all_ids())
                    frequencies.extend([1.0] * (len(ids) - len(frequencies)))
                    continue
                while postings.is_active():
                    ids.append(postings.id() + offset)
                    frequencies.append(postings.weight())
                    postings.next()
            self._postings_read[key] = np.array(ids, np.intp), np.array(frequencies, np.float32)
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
