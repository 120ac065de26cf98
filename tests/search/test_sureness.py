"""Sureness tells photos that show what was asked from those that only come near."""

from __future__ import annotations

from pathlib import Path

import pytest

from photoindex.search.sureness import NEAR, NO_EVIDENCE, Asked, sureness
from photoindex.types.hit import CaptionSource, Hit, Matched, Term


def hit(*matched: Matched, source: CaptionSource = "model", terms: tuple[Term, ...] = ()) -> Hit:
    return Hit(Path("a.jpg"), 1.0, "a caption", source, matched, terms, None, None, None, None, 1)


def sure(words: str, of: Hit, **impacts: float) -> float:
    found = sureness(Asked.of(words.split()), of, impacts)
    assert found is not None
    return found


def test_without_learned_terms_only_what_people_say_is_known() -> None:
    captioned, tagged = hit(Matched("caption", "dog", 1.0)), hit(Matched("tags", "dog", 1.0))
    assert sureness(Asked.of(["dog"]), captioned, None) is None
    assert sureness(Asked.of(["dog"]), tagged, None) == 1.0
    assert sureness(Asked.of(["dog", "cat"]), tagged, None) is None


def test_a_query_without_words_has_none() -> None:
    assert sureness(Asked.of([]), hit(), {}) is None


@pytest.mark.parametrize("layer", ["tags", "person", "title", "people", "place", "names", "camera", "taken"])
def test_what_is_a_fact_or_said_by_people_is_sure(layer: str) -> None:
    assert sure("jetty", hit(Matched(layer, "jetty", 1.0))) == 1.0


@pytest.mark.parametrize("source", ["user", "sidecar"])
def test_a_caption_by_a_person_is_sure_and_one_by_the_model_is_not(source: CaptionSource) -> None:
    reason = Matched("caption", "dog", 1.0)
    assert sure("dog", hit(reason, source=source)) == 1.0
    assert NO_EVIDENCE < sure("dog", hit(reason)) < 0.5


def test_each_kind_of_evidence_makes_it_surer() -> None:
    nothing = sure("dog", hit())
    captioned = hit(Matched("caption", "dog", 1.0))
    label, kind = Term("dog", 0.8, "label"), Term("dog", 0.8, "kind")
    assert nothing < sure("dog", hit(), dog=0.5) < sure("dog", hit(), dog=2.0) < sure("dog", captioned, dog=2.0)
    assert nothing < sure("dog", hit(terms=(label,))) < sure("dog", hit(terms=(label, kind)))


def test_one_word_of_two_only_comes_near() -> None:
    skier = hit(Matched("caption", "ski", 1.0))
    assert sure("ski", skier, ski=4.0) > 0.5
    assert sure("jet ski", skier, ski=4.0) < NEAR
    assert sure("jet ski", skier, ski=4.0, jet=3.0) > 2 * NEAR


def test_the_least_sure_word_decides_also_beside_a_tag() -> None:
    tagged = hit(Matched("tags", "anna", 1.0))
    assert sure("anna guitar", tagged) < NEAR < sure("anna guitar", tagged, guitar=4.0) < sure("anna", tagged) == 1.0


def test_a_word_of_like_meaning_counts_less_than_the_word_itself() -> None:
    assert NEAR < sure("bicycle", hit(), bike=4.0) <= sure("bicycle", hit(), bicycl=4.0)


def test_the_same_word_twice_counts_once() -> None:
    assert sure("dog dog", hit(), dog=2.0) == sure("dog", hit(), dog=2.0)
