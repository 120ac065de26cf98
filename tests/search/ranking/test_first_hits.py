"""The first hits are those that scoring every photo gives, to the last bit, and few photos are scored for them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from photoindex.errors import QueryError
from photoindex.language.analysis import stem
from photoindex.search import Document, FullText, Match
from photoindex.search.fulltext import index as fulltext_index
from photoindex.search.fulltext.photo_ids import Terms
from photoindex.search.ranking import first_hits
from photoindex.search.ranking.first_hits import FirstHits
from photoindex.search.ranking.weights import FIELD_WEIGHTS, Ranking
from photoindex.search.terms.matrix import Columns, Stamp, TermView, build
from photoindex.types import TermVocabulary, VectorBatch

PHOTOS = 4000
QUERIES = 200  # of each library
# Most frequent first; words with others of like meaning, and words that are two elsewhere, are among them.
WORDS = (
    *("man", "dog", "woman", "standing", "beach", "red", "bike", "snow", "child", "grass", "water", "board", "car"),
    *("street", "brown", "running", "cat", "ball", "snowboard", "motorcycle", "tree", "boat", "horse", "kid", "field"),
    *("lamp", "zebra", "couch", "ice", "cream", "icecream", "guitar", "castle", "lisbon", "anna", "giraffe", "sofa"),
)
CLAUSES = (
    *("taken:2021", "taken:2019..2020", "has:gps", "is:favourite", "is:hidden", "rating:>=3", "camera:canon"),
    *('"brown dog"', "-snow", "-camera:canon", "label:dog", "tag:anna", "width:>100", "bea*", "hrse~", "2021"),
    *("(red bike)", "IMG_7.jpg", "IMG_12", "near:10,10,900", "near:lisbon,500", "OR", "AND", "-(cat OR couch)"),
)


class Invented:
    """A library of invented photos: ``equal`` of a hundred say what the photo before them says."""

    def __init__(self, seed: int, *, zipf: bool, equal: int, hidden: float = 0.05) -> None:
        self.chance = random.Random(seed)
        self._weights = [1 / (rank + 1) if zipf else 1.0 for rank in range(len(WORDS))]
        self._equal, self._hidden = equal, hidden

    def words(self, count: int) -> list[str]:
        return self.chance.choices(WORDS, self._weights, k=count)

    def documents(self) -> Iterator[Document]:
        chance, said = self.chance, ("", "", "", "")
        for number in range(1, PHOTOS + 1):
            if chance.randrange(100) >= self._equal:
                said = (
                    " ".join(self.words(9)), " ".join(self.words(9)), " ".join(self.words(2)),
                    " ".join(self.words(3)) if chance.random() < 0.03 else "",
                )  # fmt: skip
            facts = [fact for fact, share in (("favourite", 0.1), ("hidden", self._hidden)) if chance.random() < share]
            yield Document(
                number, said[0], said[1], said[2], tags=said[3], person=said[3],
                names=f"img {number}", files=(f"IMG_{number}.jpg",),
                camera=chance.choice(("Canon EOS", "Nikon", "")), place=chance.choice(("lisbon", "", "")),
                taken_at=datetime(2018, 1, 1) + timedelta(hours=9 * number),
                position=(chance.uniform(-20, 20), chance.uniform(-20, 20)) if chance.random() < 0.4 else None,
                facts=tuple(facts), numbers={"rating": chance.randrange(6), "width": chance.choice((50, 500))},
            )  # fmt: skip

    def terms(self) -> TermView:
        """Learned terms of two models and some that changed, so that rows are in another order than documents."""
        stems = list(dict.fromkeys(map(stem, WORDS[:-8])))
        pairs = [f"{one} {other}" for one in stems[:6] for other in stems[:6] if one != other]
        vocabulary = TermVocabulary((*stems, *pairs), 0.01)
        known = {1: vocabulary, 2: vocabulary}
        ids = {1: range(1, PHOTOS, 2), 2: range(2, PHOTOS, 2)}
        base = build(Stamp("a", 1), known, lambda model: [self._batch(ids[model], len(vocabulary.words))])
        changed = sorted(self.chance.sample(range(1, PHOTOS), 50))
        delta = build(Stamp("", 0), {1: vocabulary}, lambda _: [self._batch(changed, len(vocabulary.words))])
        return TermView(base, delta, changed)

    def _batch(self, photo_ids: Sequence[int], terms: int) -> VectorBatch:
        generator = np.random.default_rng(self.chance.randrange(1 << 30))
        held = generator.random((len(photo_ids), terms)) < 1 / (2 + np.arange(terms) / 4)
        held[:, 0] = True
        entries = int(held.sum())
        impacts = np.minimum(generator.exponential(60, entries) + 1, 255).astype(np.uint8)
        return VectorBatch(
            np.array(photo_ids, np.int64), held.sum(axis=1), np.nonzero(held)[1].astype(np.uint16), impacts
        )

    def query(self) -> str:
        parts = self.words(self.chance.choice((1, 1, 2, 3, 5)))
        parts += self.chance.sample(CLAUSES, self.chance.choice((0, 0, 0, 1, 2)))
        self.chance.shuffle(parts)
        return " ".join(parts)


class Source:
    def __init__(self, view: TermView) -> None:
        self._view = view

    def columns(self, terms: Sequence[str]) -> Columns:
        return self._view.columns(terms)


class Spy:
    """Counts the documents that were scored instead of all."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answered: list[int] = []
        self.enabled = True
        monkeypatch.setattr(fulltext_index, "first_hits", self)

    def __call__(self, *asked: Any) -> FirstHits | None:
        found = first_hits.first_hits(*asked) if self.enabled else None
        if found is not None:
            self.answered.append(len(found.documents))
        return found


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    for name, value in (("FEWEST", 1), ("_SAMPLE", 16), ("_FEW", 24), ("_BLOCK", 16)):
        monkeypatch.setattr(first_hits, name, value)
    return Spy(monkeypatch)


def filled(folder: Path, library: Invented) -> FullText:
    """An index in several segments, with documents that were deleted and written again."""
    fulltext = FullText.open(folder / "fulltext")
    documents = list(library.documents())
    fulltext.rebuild(documents[:3000])
    for first in range(3000, PHOTOS, 250):
        fulltext.update(documents[first : first + 250])
    fulltext.update(documents[100:140], removed=range(500, 560))
    return fulltext


def both(fulltext: FullText, spy: Spy, *asked: Any) -> tuple[list[Match], list[Match]]:
    found = []
    for spy.enabled in (True, False):
        try:
            found.append(fulltext.search(*asked, today=datetime(2022, 5, 1).date()))
        except QueryError:
            found.append([])
    return found[0], found[1]


def shown(matches: Sequence[Match]) -> list[tuple[int, float]]:
    return [(match.photo_id, match.score) for match in matches]


def reasons(matches: Sequence[Match]) -> list[tuple[int, str, str]]:
    return [(n, *reason[:2]) for n, match in enumerate(matches) for reason in sorted(match.matched)]


def weights(matches: Sequence[Match]) -> list[float]:
    return [reason.weight for match in matches for reason in sorted(match.matched)]


@pytest.mark.parametrize(("zipf", "equal"), [(True, 0), (True, 70), (False, 30)])
def test_they_are_those_of_scoring_every_photo(tmp_path: Path, spy: Spy, zipf: bool, equal: int) -> None:
    library = Invented(equal, zipf=zipf, equal=equal)
    terms = Source(library.terms())
    rankings = [
        Ranking(), Ranking(), Ranking(terms=0.5, terms_power=1.0), Ranking(coordination=0.3, saturation=2.0),
        Ranking(fields={**FIELD_WEIGHTS, "beams": 0.0, "person": 0.0}, synonyms=0.4, terms_floor=0.0),
    ]  # fmt: skip
    with filled(tmp_path, library) as fulltext:
        for number in range(QUERIES):
            query, limit = library.query(), library.chance.choice((1, 5, 20, 40))
            asked = query, limit, library.chance.choice(rankings), None if number % 5 == 0 else terms
            first, plain = both(fulltext, spy, *asked)
            assert shown(first) == shown(plain), asked
            assert reasons(first) == reasons(plain), asked
            assert np.allclose(weights(first), weights(plain), 1e-3, 1e-5), asked
    # Otherwise this would compare the plain way with itself.
    assert len(spy.answered) > QUERIES / 4
    assert np.median(spy.answered) < PHOTOS / 10


def test_a_photo_whose_file_was_named_is_among_them_whatever_its_score(tmp_path: Path, spy: Spy) -> None:
    library = Invented(5, zipf=True, equal=0, hidden=0)
    with filled(tmp_path, library) as fulltext:
        terms = Source(library.terms())
        for number in (1, 2, 77, 3999):
            first, plain = both(fulltext, spy, f"IMG_{number}.jpg zebra", 1, Ranking(), terms)
            assert shown(first) == shown(plain)
            assert first[0].photo_id == number
    assert spy.answered


def test_of_equal_photos_those_that_were_indexed_first_come_first(tmp_path: Path, spy: Spy) -> None:
    with FullText.open(tmp_path / "fulltext") as fulltext:
        fulltext.rebuild([Document(number, "a zebra" if number % 3 else "a lamp") for number in range(1, 2001)])
        first, plain = both(fulltext, spy, "zebra", 20)
        assert shown(first) == shown(plain)
        assert [match.photo_id for match in first] == [number for number in range(1, 31) if number % 3]


def test_terms_are_added_up_where_the_other_clauses_allow_photos_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("photoindex.search.ranking.chosen._STRETCH", 64)
    view = Invented(6, zipf=True, equal=0).terms()
    rows = len(view.photo_ids)
    document_of_row = np.random.default_rng(1).permutation(rows)
    terms = Terms(view.columns([]), document_of_row, document_of_row.argsort(), None)
    allowed = np.zeros(rows, np.bool_)
    wanted = np.concatenate([np.arange(70, 90), np.arange(2000, 2200), [rows - 1]])
    allowed[document_of_row[wanted]] = True
    spans = terms.spans(allowed)
    assert spans == [(64, 128), (1984, 2240), (rows // 64 * 64, -(-rows // 64) * 64)]
    whole, some = np.zeros(rows + 1, np.float32), np.zeros(rows + 1, np.float32)
    for part in view.column(stem("dog")) or ():
        part.add_to(whole)
        part.add_to(some, spans)
    assert (some[wanted] == whole[wanted]).all()
    outside = np.ones(rows + 1, np.bool_)
    for start, end in spans:
        outside[start:end] = False
    assert whole[outside].any()
    assert not some[outside].any()
