"""CIDEr-D of single captions, as a reward to train on.

Vedantam, Zitnick and Parikh 2015, arXiv:1411.5726; the variant and its constants are those of the COCO caption
evaluation, with which a test compares. Documents are the training photos, so that the frequencies never see a
validation photo. Captions are tuples of word numbers; ``<end>`` counts as a word, or captions would learn to break off
("a man riding a").
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

ORDERS = 4  # n-grams of 1 to 4 words
SIGMA = 6.0  # how much a difference in length costs

NGram = tuple[int, ...]
Vector = tuple[list[dict[NGram, float]], list[float], int]  # weights and their norm by order, and the caption's length


class CiderReward:
    """Scores captions of photos whose reference captions it was given: 0, nothing in common, to 10."""

    def __init__(self, references: Mapping[Any, Sequence[Sequence[int]]]) -> None:
        counted = {photo: [_ngrams(caption) for caption in captions] for photo, captions in references.items()}
        frequency: Counter[NGram] = Counter()
        for captions in counted.values():
            frequency.update(set().union(*captions))
        self._documents = math.log(max(len(references), 1))
        self._log_frequency = {ngram: math.log(count) for ngram, count in frequency.items()}
        self._references = {photo: [self._vector(c) for c in captions] for photo, captions in counted.items()}

    def score(self, photo: Hashable, caption: Sequence[int]) -> float:
        """CIDEr-D of ``caption`` (word numbers, ending with ``<end>`` if it ended) against the photo's references."""
        weights, norms, length = self._vector(_ngrams(caption))
        references = self._references[photo]
        total = 0.0
        for other_weights, other_norms, other_length in references:
            gap = length - other_length
            likeness = 0.0
            for order in range(ORDERS):
                if norms[order] and other_norms[order]:
                    other = other_weights[order]
                    shared = sum(min(w, other[g]) * other[g] for g, w in weights[order].items() if g in other)
                    likeness += shared / (norms[order] * other_norms[order])
            total += likeness * math.exp(-gap * gap / (2 * SIGMA * SIGMA))
        return 10.0 * total / (ORDERS * len(references))

    def _vector(self, counts: Mapping[NGram, int]) -> Vector:
        weights: list[dict[NGram, float]] = [{} for _ in range(ORDERS)]
        squares = [0.0] * ORDERS
        for ngram, count in counts.items():
            weight = count * (self._documents - self._log_frequency.get(ngram, 0.0))
            weights[len(ngram) - 1][ngram] = weight
            squares[len(ngram) - 1] += weight * weight
        # The evaluation's "length" is the number of word pairs.
        length = sum(count for ngram, count in counts.items() if len(ngram) == 2)
        return weights, [math.sqrt(square) for square in squares], length


def _ngrams(words: Iterable[int]) -> Counter[NGram]:
    caption = tuple(words)
    return Counter(
        caption[start : start + order] for order in range(1, ORDERS + 1) for start in range(len(caption) - order + 1)
    )
