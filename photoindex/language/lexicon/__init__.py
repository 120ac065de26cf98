"""Relations between words: kinds of things, and synonyms.

    kinds("Egyptian cat")      -> ("cat", "animal")            for the labels that a model gives a photo
    synonyms("sofa")           -> {"couch": 0.9}               for the words that a person asks with

Both come from tables that `derive` made of WordNet 3.0 once (its licence: WORDNET-LICENSE); they are read when they are
first needed. Neither torch nor the index is involved.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

from photoindex.language.analysis import IRREGULAR_PLURALS, stem
from photoindex.language.lexicon.tables import FOLDER, KINDS, SYNONYMS, look_up, parse_weights

__all__ = ["kinds", "members", "synonyms"]


def kinds(label: str) -> tuple[str, ...]:
    """Return the kinds of a thing with this label, nearest first; empty for an unknown label."""
    line = look_up(FOLDER / KINDS, label)
    return tuple(line.split(", ")) if line else ()


def members(labels: Sequence[str]) -> dict[str, list[int]]:
    """Return for each kind of some of ``labels`` the places of those labels, so that probabilities can be summed."""
    classes: dict[str, list[int]] = {}
    for place, label in enumerate(labels):
        for kind in kinds(label):
            classes.setdefault(kind, []).append(place)
    return classes


@lru_cache(maxsize=1 << 12)
def synonyms(word: str) -> Mapping[str, float]:
    """Return the stems of similar meaning to ``word`` (folded), with weights above 0 and below 1. The stem of the word
    itself is not among them."""
    weights: dict[str, float] = {}
    for form in _base_forms(word):
        if (listed := look_up(FOLDER / SYNONYMS, form)) is not None:
            for other, weight in parse_weights(listed):
                weights[stem(other)] = max(weight, weights.get(stem(other), 0.0))
            break
    weights.pop(stem(word), None)
    return MappingProxyType(weights)


def _base_forms(word: str) -> Iterator[str]:
    """Yield ``word``, then the words that it may be a form of and that have the same stem: "sofas" -> "sofa"."""
    yield word
    guesses = [IRREGULAR_PLURALS.get(word, word)]
    for ending, instead in (
        ("ies", "y"),
        ("ied", "y"),
        ("es", ""),
        ("s", ""),
        ("ing", ""),
        ("ing", "e"),
        ("ed", ""),
        ("ed", "e"),
    ):
        if word.endswith(ending) and len(word) - len(ending) > 1:
            base = word.removesuffix(ending) + instead
            guesses.append(base)
            if len(base) > 2 and base[-1] == base[-2] and ending in ("ing", "ed"):
                guesses.append(base[:-1])
    yield from (guess for guess in guesses if guess != word and stem(guess) == stem(word))
