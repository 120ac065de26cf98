"""Words and learned terms ranked together: what is found, how much each reason adds, and what never joins in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from photoindex.errors import QueryError
from photoindex.language import lexicon
from photoindex.search import Document, FullText, Match
from photoindex.search.ranking.weights import Ranking
from photoindex.search.terms.matrix import NOBODY, Column, Columns, Part
from photoindex.types import Matched

PHOTOS = (
    Document(1, "a giraffe standing in the tall grass", names="safari kenya", camera="Canon EOS R5"),
    Document(2, "two brown dogs play with a ball", labels="dog", taken_at=datetime(2023, 6, 12)),
    Document(3, "a brown cat and a black dog on a couch", beams="a cat . a dog", taken_at=datetime(2022, 12, 31)),
    Document(4, "a woman rides a horse along the beach", taken_at=datetime(2023, 7, 1)),
)
RANKING = Ranking(
    terms=2.0, terms_power=1.0, terms_pairs=1.0, terms_floor=0.5, synonyms=0.0
)  # what terms find, no synonym shall
PIECES = ("dog", "brown", "-cat", '"brown dog"', "gira*", "hrse~", "OR", "AND", "(", ")", "label:dog")

Terms = Mapping[int, Mapping[str, float]]


@pytest.fixture
def fulltext(tmp_path: Path) -> Iterator[FullText]:
    with FullText.open(tmp_path / "fulltext") as fulltext:
        fulltext.rebuild(PHOTOS)
        yield fulltext


def ids(matches: list[Match]) -> set[int]:
    return {match.photo_id for match in matches}


def ask(fulltext: FullText, query: str, photos: Terms, **weights: Any) -> list[Match]:
    return fulltext.search(query, None, replace(RANKING, **weights), FakeTerms(photos))


class FakeTerms:
    """Learned terms of photos by id: photo -> term -> impact. A photo's row has nothing to do with its id."""

    def __init__(self, photos: Terms) -> None:
        ids = sorted(photos, key=lambda number: (number % 3, number))
        self.photo_ids = np.array([*ids, NOBODY], np.int64)
        self.by_term: dict[str, Column] = {}
        for term in {term for impacts in photos.values() for term in impacts}:
            rows = [row for row, number in enumerate(ids) if term in photos[number]]
            # The last row is of a photo that another row speaks for: nothing it says counts.
            impacts = [*(photos[ids[row]][term] for row in rows), 99.0]
            curve, levels = np.unique(np.array(impacts, np.float32), return_inverse=True)
            self.by_term[term] = (Part(((0, np.array([*rows, len(ids)], np.uint16), levels.astype(np.uint8)),), curve),)
        self.asked: list[str] = []

    def columns(self, terms: Sequence[str]) -> Columns:
        self.asked += terms
        return Columns(self.photo_ids, {term: self.by_term[term] for term in terms if term in self.by_term})


def test_a_photo_is_found_by_a_term_alone(fulltext: FullText) -> None:
    (match,) = ask(fulltext, "animals", {1: {"anim": 3.0}})
    assert match == Match(1, 6.0, (Matched("terms", "animals", 6.0),))


def test_the_score_is_that_of_the_words_and_the_weighted_sum_of_the_impacts(fulltext: FullText) -> None:
    photos = {2: {"black": 1.0, "dog": 3.0}, 3: {"black": 1.0, "dog": 0.5, "black dog": 4.0}, 1: {"black dog": 1.0}}
    words_alone = {match.photo_id: match.score for match in fulltext.search("the black dog", None)}
    with_terms = {match.photo_id: match for match in ask(fulltext, "the black dog", photos)}
    assert {number: match.score for number, match in with_terms.items()} == {
        1: pytest.approx(2.0),
        2: pytest.approx(words_alone[2] + 2 * 4.0),
        3: pytest.approx(words_alone[3] + 2 * 5.5),
    }
    for match in with_terms.values():
        assert sum(reason.weight for reason in match.matched) == pytest.approx(match.score)
        assert list(match.matched) == sorted(match.matched, key=lambda reason: -reason.weight)
    assert {reason[:2]: round(reason.weight, 3) for reason in with_terms[3].matched if reason.layer == "terms"} == {
        ("terms", "black"): 2.0,
        ("terms", "dog"): 1.0,
        ("terms", "black dog"): 8.0,
    }


def test_an_impact_counts_by_its_power_and_two_neighbours_less_than_one_word(fulltext: FullText) -> None:
    photos = {1: {"black": 4.0, "black dog": 9.0}}
    found = ask(fulltext, "black dogs", photos, terms_power=0.5, terms_pairs=0.25)
    [alone] = [match for match in found if match.photo_id == 1]
    assert alone.score == pytest.approx(2 * (2.0 + 0.25 * 3.0))
    assert {reason.word: round(reason.weight, 3) for reason in alone.matched} == {"black": 4.0, "black dogs": 1.5}


def test_below_the_floor_for_each_word_asked_terms_find_nothing_by_themselves(fulltext: FullText) -> None:
    photos = {1: {"anim": 0.9}, 2: {"anim": 1.0}, 3: {"anim": 0.1}}
    assert ids(ask(fulltext, "animals outdoors", photos)) == {2}
    assert ids(ask(fulltext, "animals", photos)) == {1, 2}
    assert ids(ask(fulltext, "animals couch", photos)) == {2, 3}  # 3 has a couch: its terms count
    assert ids(ask(fulltext, "animals", photos, terms_floor=0.0)) == {1, 2, 3}


def test_for_a_word_that_is_no_term_the_best_of_its_synonyms_stands_in(fulltext: FullText) -> None:
    photos = {1: {"bicycl": 2.0, "motorcycl": 3.0}, 4: {"bicycl": 2.0}}
    found = {match.photo_id: match for match in ask(fulltext, "bikes", photos, synonyms=0.5)}
    weight = 0.5 * lexicon.synonyms("bike")["bicycl"]
    assert found[1].score == pytest.approx(2 * 3.0 * weight)
    assert found[4].score == pytest.approx(2 * 2.0 * weight)
    [matched] = found[4].matched
    assert (matched.layer, matched.word) == ("terms", "bicycle")
    assert matched.weight == pytest.approx(4 * weight)
    assert ask(fulltext, "bikes", photos, synonyms=0.0) == []
    # A word that a model has a term for speaks for itself.
    assert ids(ask(fulltext, "bikes", {**photos, 2: {"bike": 1.0}}, synonyms=0.5)) == {2}
    assert ask(fulltext, "-bikes dogs", photos, synonyms=0.5) == ask(fulltext, "-bikes dogs", {}, synonyms=0.5)


def test_with_weight_zero_nothing_is_asked_of_them(fulltext: FullText) -> None:
    terms = FakeTerms({1: {"dog": 9.0}})
    assert fulltext.search("dog", None, Ranking(terms=0.0), terms) == fulltext.search("dog", None)
    assert terms.asked == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("animals", {1, 2, 4}),
        ("animals -dog", {1, 4}),
        ("animals -woman", {1, 2}),
        ("horse -animals", {4}),  # no caption has the word: terms exclude nothing
        ("horse -(animals OR dog)", {4}),
        ("animals camera:canon", {1}),
        ("animals taken:2023", {2, 4}),
        ('animals "brown dogs"', {2}),
        ("caption:animals", set()),
        ('"wild animals"', set()),
        ("anima*", set()),
        ("animals AND horse", {4}),
        ("animals OR couch", {1, 2, 3, 4}),
        ("(animals OR couch) horse", {4}),
        ("animals AND NOT horse", {1, 2}),
    ],
)
def test_only_plain_words_are_terms_and_all_else_restricts(fulltext: FullText, query: str, expected: set[int]) -> None:
    photos = {1: {"anim": 3.0}, 2: {"anim": 3.0}, 4: {"anim": 3.0}}
    assert ids(ask(fulltext, query, photos)) == expected


def test_photos_that_are_not_in_the_index_are_not_found(fulltext: FullText) -> None:
    photos = {number: {"anim": 3.0} for number in (1, 3, 7, 1000, 2**40)}
    assert ids(ask(fulltext, "animals", photos)) == {1, 3}
    fulltext.update([PHOTOS[1], Document(7, "a zebra")], removed=[3])
    assert ids(ask(fulltext, "animals", photos)) == {1, 7}
    fulltext.optimize()
    assert ids(ask(fulltext, "animals", photos)) == {1, 7}


def test_an_index_of_many_pieces_knows_each_photo(fulltext: FullText) -> None:
    for turn in range(1, 30):
        fulltext.update([Document(100 - turn, f"number{turn}"), Document(turn % 4 + 1, f"again number{turn}")])
    photos = {number: {"anim": float(number)} for number in range(1, 100)}
    found_by_terms = {match.photo_id: match.score for match in ask(fulltext, "animals", photos)}
    assert found_by_terms == {number: 2.0 * number for number in (1, 2, 3, 4, *range(71, 100))}
    assert ids(fulltext.search("number29", None)) == {71, 2}


def test_an_empty_index_finds_nothing_by_terms(tmp_path: Path) -> None:
    with FullText.open(tmp_path / "empty") as fulltext:
        assert ask(fulltext, "animals", {1: {"anim": 9.0}}) == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map(" ".join))
def test_the_reasons_add_up_to_the_score_whatever_was_asked(fulltext: FullText, query: str) -> None:
    photos = {1: {"dog": 1.0, "brown": 0.2}, 2: {"dog": 2.0, "brown dog": 1.0}, 3: {"cat": 3.0, "brown": 0.4}}
    try:
        matches = ask(fulltext, query, photos)
    except QueryError:
        return
    for match in matches:
        assert sum(reason.weight for reason in match.matched) == pytest.approx(match.score, rel=1e-4, abs=1e-6)


class TestWhatPeopleSaid:
    """Photo 1: the model is sure of a dog; 2: a person says so; 3: the model thinks so, and a person says so."""

    PHOTOS = (
        Document(1, "a dog runs"),
        Document(2, "our Rex", person="our Rex . dog", tags="dog"),
        Document(3, "a black dog", person="a black dog"),
        Document(4, "a cat"),
    )
    TERMS: ClassVar[Terms] = {1: {"dog": 5.0, "black dog": 2.0}, 3: {"dog": 1.0}, 4: {"dog": 0.2}}

    @pytest.fixture
    def told(self, tmp_path: Path) -> Iterator[FullText]:
        with FullText.open(tmp_path / "told") as fulltext:
            fulltext.rebuild(self.PHOTOS)
            yield fulltext

    def test_it_counts_like_the_surest_of_the_model(self, told: FullText) -> None:
        matches = {match.photo_id: match for match in ask(told, "dog", self.TERMS)}
        assert list(matches)[-1] == 1
        for photo, own in ((2, 0.0), (3, 1.0)):
            reasons = {(reason.layer, reason.word): reason.weight for reason in matches[photo].matched}
            assert reasons.get(("terms", "dog"), 0.0) == pytest.approx(2 * own)
            assert sum(reasons.values()) == pytest.approx(matches[photo].score, abs=1e-4)
            words = sum(weight for (layer, _), weight in reasons.items() if layer in ("caption", "tags"))
            assert reasons["person", "dog"] > 2 * (5.0 - own) > 0
            assert words > 0

    def test_a_pair_is_believed_of_who_used_both_words(self, told: FullText) -> None:
        scores = {match.photo_id: match.score for match in ask(told, "black dog", self.TERMS)}
        assert scores[3] > scores[1]
        assert scores[3] - scores[2] > 2 * 2.0

    def test_who_asks_without_it_has_the_models_order(self, told: FullText) -> None:
        fields = {**RANKING.fields, "person": 0.0}
        matches = told.search("dog", None, replace(RANKING, fields=fields), FakeTerms(self.TERMS))
        assert matches[0].photo_id == 1
        assert "person" not in {reason.layer for match in matches for reason in match.matched}
