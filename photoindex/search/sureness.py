"""How sure it is that a hit shows what was asked: unlike a score, it means the same from query to query.

A score adds up what speaks for a photo, so that the best of a hundred wrong ones has a high one too. Sureness is how
likely a person would say all words of the query of the photo. For each word it is read from what the model says,

    p(w) = 1 / (1 + exp(-(sum of WORD[e] * e)))      e: the impact of the learned term and its root, whether the caption
                                                    has the word, the weights of a label and of a kind that have it

is :data:`NO_EVIDENCE` where the model says nothing, and 1 for what does not come from the model: a person's caption, a
tag, a name, a place, a date. A word of like meaning counts by the lexicon's weight. Several words are joined by

    p = 1 / (1 + exp(-(QUERY.base + QUERY.mean * mean of ln p(w) + QUERY.least * least ln p(w) + QUERY.words * ln n)))

as neither their product (they depend on one another) nor the least of them holds. The numbers were fitted on the
descriptions of every other of Flickr8k's validation photos; how well they hold on the others is in docs/search.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from photoindex.language import lexicon
from photoindex.language.analysis import stem

if TYPE_CHECKING:
    from photoindex.types.hit import Hit

NEAR: Final = 0.2  # a hit below it comes near to what was asked: four of five such do not show it
NO_EVIDENCE: Final = 0.02  # that a person says a word of which the model says nothing

# The layers of a reason that say what the model thinks; all others are facts, or said by people.
_GUESSED: Final = frozenset({"caption", "beams", "labels", "kinds", "terms", "unsure_text"})


class _Word(NamedTuple):
    """What the evidence for one word counts, in the exponent above."""

    base: float
    impact: float
    root: float
    caption: float
    label: float
    kind: float


class _Query(NamedTuple):
    """What the words of a query count together, in the exponent above."""

    base: float
    mean: float
    least: float
    words: float


WORD: Final = _Word(-3.05, -0.22, 2.25, 1.35, 0.86, 2.45)
QUERY: Final = _Query(1.66, 2.94, -0.56, -1.23)


class Asked(NamedTuple):
    """The plain words of a query, for each the stems that stand for it with how much each counts; its own counts 1."""

    words: tuple[Mapping[str, float], ...]

    @classmethod
    def of(cls, words: Sequence[str]) -> Asked:
        """From words that are folded and not yet stemmed."""
        return cls(tuple({**lexicon.synonyms(word), stem(word): 1.0} for word in dict.fromkeys(words)))

    @property
    def stems(self) -> list[str]:
        """All stems, each once: the learned terms to look up."""
        return list(dict.fromkeys(each for word in self.words for each in word))


def sureness(asked: Asked, hit: Hit, impacts: Mapping[str, float] | None) -> float | None:
    """Return how likely a person would say all that was asked of a hit, 0 to 1.

    ``impacts`` are those of the photo's learned terms, by stem; ``None`` when it has none, by which a model says nearly
    all that it knows. ``None`` when no word was asked, and for a photo without terms of which people do not say all.
    """
    if not asked.words:
        return None
    known = _known(hit)
    if all(known.intersection(one for one, weight in word.items() if weight == 1) for word in asked.words):
        return 1.0
    if impacts is None:
        return None
    guesses = _guesses(hit)
    each = [
        max(
            weight * (1.0 if one in known else _said(guesses.get(one), impacts.get(one, 0.0)))
            for one, weight in word.items()
        )
        for word in asked.words
    ]
    logs = [math.log(max(one, NO_EVIDENCE)) for one in each]
    return _logistic(
        QUERY.base
        + QUERY.mean * sum(logs) / len(logs)
        + QUERY.least * min(logs)
        + QUERY.words * math.log(len(logs))
    )  # fmt: skip


def _known(hit: Hit) -> set[str]:
    """Return the stems that something else than the model speaks for."""
    layers = _GUESSED if hit.caption_source == "model" else _GUESSED - {"caption"}
    return {stem(part) for layer, word, _ in hit.matched if layer not in layers for part in word.split(" ")}


def _guesses(hit: Hit) -> dict[str, tuple[bool, float, float]]:
    """Return by stem (whether the model's caption has it, the weight of a label with it, that of a kind)."""
    found = {stem(reason.word): (True, 0.0, 0.0) for reason in hit.matched if reason.layer == "caption"}
    for term in hit.terms:
        if term.source not in ("label", "kind"):
            continue
        for word in term.text.split():
            caption, label, kind = found.get(root := stem(word), (False, 0.0, 0.0))
            if term.source == "label":
                label = max(label, term.weight)
            else:
                kind = max(kind, term.weight)
            found[root] = caption, label, kind
    return found


def _said(guess: tuple[bool, float, float] | None, impact: float) -> float:
    """Return how likely a person says a word, by what the model says of it."""
    if guess is None and impact <= 0:
        return NO_EVIDENCE
    caption, label, kind = guess or (False, 0.0, 0.0)
    return _logistic(
        WORD.base + WORD.impact * impact + WORD.root * math.sqrt(impact)
        + WORD.caption * caption + WORD.label * label + WORD.kind * kind
    )  # fmt: skip


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value))
