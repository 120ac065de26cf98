"""What captions say right by their words alone."""

from __future__ import annotations

import pytest

from photoindex.captioner.grammar import Grammar, with_articles
from photoindex.captioner.vocabulary import SPECIAL, Vocabulary

WORDS = (
    *SPECIAL,
    *"a an the dog dogs on mountain mountains bench benches leaf leaves city cities man men boy boys".split(),
)


def words_of(numbers: object) -> set[str]:
    assert isinstance(numbers, (frozenset, list))
    return {WORDS[number] for number in numbers}


def test_words_that_a_sentence_may_repeat_are_function_words() -> None:
    assert words_of(Grammar.of(WORDS).repeatable) == {"a", "an", "on", "the"}


@pytest.mark.parametrize("pair", ["dog dogs", "mountain mountains", "bench benches", "leaf leaves", "city cities"])
def test_a_noun_is_known_in_both_numbers(pair: str) -> None:
    one, many = pair.split()
    others = Grammar.of(WORDS).other_numbers
    assert words_of(others[WORDS.index(one)]) == {many}
    assert words_of(others[WORDS.index(many)]) == {one}


def test_people_and_what_only_looks_like_a_plural_may_be_said_beside_the_other() -> None:
    words = (*SPECIAL, *"man men boy boys person people persons glass glasses short shorts sport sports".split())
    assert Grammar.of(words).other_numbers == {}


def test_what_follows_an_article_is_no_preposition_and_no_other_article() -> None:
    grammar = Grammar.of(WORDS)
    assert words_of(grammar.articles) == {"a", "an"}
    assert words_of(grammar.never_after_articles) == {"a", "an", "the", "on"}


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("a elephant in a field", "an elephant in a field"),
        ("a old man with a umbrella", "an old man with an umbrella"),
        ("a orange and a unopened oven", "an orange and an unopened oven"),
        ("a university with a unicycle", "a university with a unicycle"),
        ("a one way sign", "a one way sign"),
        ("a used european utensil near a urinal", "a used european utensil near a urinal"),
        ("a onion and a urban ox", "an onion and an urban ox"),
        ("a dog and a", "a dog and a"),
        ("an apple", "an apple"),
        ("", ""),
    ],
)
def test_an_article_goes_with_the_word_behind_it(said: str, written: str) -> None:
    assert with_articles(said.split()) == written.split()
    vocabulary = Vocabulary((*SPECIAL, *dict.fromkeys(said.split())))
    assert vocabulary.decode(vocabulary.encode(said)) == written
