"""A model's captions: its decoder, and the evidence that its term head has for what the decoder would say."""

from __future__ import annotations

import torch
from torch import Tensor

from photoindex.captioner.beam import Hypothesis, SearchSettings, search
from photoindex.captioner.checkpoint import Checkpoint
from photoindex.captioner.network import Seen, WordSteps
from photoindex.captioner.vocabulary import SPECIAL, Vocabulary
from photoindex.language.analysis import content_words, stem


class Speaker:
    """Beam search with all that a checkpoint knows of its words, by its decoder in the form it is run in.

    The checkpoint must stay on its device.
    """

    def __init__(self, checkpoint: Checkpoint, decoder: WordSteps) -> None:
        self._decoder = decoder
        self._repeatable = checkpoint.vocabulary.function_words()
        self._terms = None
        if checkpoint.term_head is not None:
            self._terms = terms_of_words(checkpoint.vocabulary, checkpoint.terms)
            self._terms = self._terms.to(next(checkpoint.term_head.parameters()).device)

    def say(self, seen: Seen, impacts: Tensor | None, settings: SearchSettings) -> list[list[Hypothesis]]:
        """What to say of N photos, best first; ``impacts`` (N, terms) are the term head's, where there is one."""
        evidence = None
        if impacts is not None and self._terms is not None:
            evidence = impacts[:, self._terms.clamp(min=0)] * (self._terms >= 0)  # (N, V)
        return search(self._decoder, seen, settings, self._repeatable, evidence)


def terms_of_words(vocabulary: Vocabulary, terms: tuple[str, ...]) -> Tensor:
    """The number of the term that each word of the vocabulary is a form of, (V,); -1: of none."""
    numbers = {term: number for number, term in enumerate(terms)}
    found = []
    for number, word in enumerate(vocabulary.words):
        parts = content_words(word) if number >= len(SPECIAL) else []
        found.append(numbers.get(stem(parts[0]), -1) if len(parts) == 1 else -1)
    return torch.tensor(found)
