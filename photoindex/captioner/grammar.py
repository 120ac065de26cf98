"""What captions say right by their words alone, whatever the photo shows.

A decoder that learned from some hundred thousand captions comes near English. Where it goes wrong it says a thing twice
("a mountain in the mountains"), begins a phrase again behind an article ("a picture of a of a box"), or misses a vowel
("a elephant"). Beam search passes over the first two; the last is written right.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from photoindex.language.analysis import stem
from photoindex.language.persons import PERSON_STEMS

# Words a sentence may well say twice; others said twice are nearly always the decoder going round in a circle ("a
# kitchen filled with a kitchen").
FUNCTION_WORDS: Final = frozenset(
    "a an the of in on at to with and or by for from into onto over under up down out off as is are be being been was "
    "were has have that which who while his her its their other another one two three each both some next near front "
    "behind top side there this it he she they 's".split()
)
ARTICLES: Final = frozenset({"a", "an"})
# Not "over", "off" and the like: "an off-road vehicle" may be two words.
NEVER_AFTER_ARTICLES: Final = frozenset(
    "a an the of in on at to with and or by for from into onto as is are be been was were has have that which who his "
    "her its their there this it he she they 's".split()
)
# Spelt like a plural, and another thing than the singular: "a short woman in shorts".
NO_PLURALS: Final = FUNCTION_WORDS | frozenset(
    "glasses shorts sports woods greens news goods clothes works stands arms means whites tights plains".split()
)
SHORTEST_NOUN: Final = 3  # letters
# Vowels that are spoken like "you" or "won".
_SPOKEN_WITH_CONSONANT: Final = re.compile(r"eu|ewe|onc?e\b|u\b|u-|u[ks][aeiou]|uni(?![mn])|ut[ei]|ur[ai]n")


@dataclass(frozen=True, slots=True)
class Grammar:
    """Rules for the words of a vocabulary, by their numbers. Without any, every word may follow every other."""

    repeatable: frozenset[int] = frozenset()  # may be said more than once
    other_numbers: Mapping[int, Sequence[int]] = field(default_factory=dict)  # "tracks" of "track", and vice versa
    articles: frozenset[int] = frozenset()
    never_after_articles: frozenset[int] = frozenset()

    @classmethod
    def of(cls, words: Sequence[str]) -> Grammar:
        """The rules for a vocabulary, whose word number ``n`` is ``words[n]``."""
        numbers = {word: number for number, word in enumerate(words)}

        def those_of(some: frozenset[str]) -> frozenset[int]:
            return frozenset(numbers[word] for word in some if word in numbers)

        others: dict[int, list[int]] = defaultdict(list)
        for singular, one in numbers.items():
            # Not people: "two men and a man" is as good as it is common.
            if len(singular) < SHORTEST_NOUN or singular in FUNCTION_WORDS or stem(singular) in PERSON_STEMS:
                continue
            for plural in _plurals(singular):
                many = numbers.get(plural)
                if many is not None and plural not in NO_PLURALS:
                    others[one].append(many)
                    others[many].append(one)
        return cls(those_of(FUNCTION_WORDS), dict(others), those_of(ARTICLES), those_of(NEVER_AFTER_ARTICLES))


def _plurals(noun: str) -> Iterator[str]:
    yield noun + ("es" if noun.endswith(("s", "x", "z", "ch", "sh")) else "s")
    for ending, plural in (("o", "oes"), ("y", "ies"), ("fe", "ves"), ("f", "ves")):
        if noun.endswith(ending):
            yield noun.removesuffix(ending) + plural


def with_articles(words: Sequence[str]) -> list[str]:
    """``["a", "elephant"]`` -> ``["an", "elephant"]``."""
    said = list(words)
    for place, (word, following) in enumerate(pairwise(words)):
        if word == "a" and _begins_with_vowel(following):
            said[place] = "an"
    return said


def _begins_with_vowel(word: str) -> bool:
    return word[:1] in set("aeiou") and not _SPOKEN_WITH_CONSONANT.match(word)
