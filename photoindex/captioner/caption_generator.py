"""A model's captions: its decoder, and the evidence that its term head has for what the decoder would say."""

from __future__ import annotations

import torch
from torch import Tensor

from photoindex.captioner.beam import Hypothesis, SearchSettings, search
from photoindex.captioner.checkpoint import Checkpoint
from photoindex.captioner.network import PhotoFeatures, WordSteps
from photoindex.captioner.vocabulary import SPECIAL, Vocabulary
from photoindex.language.analysis import content_words, stem
from photoindex.language.persons import PERSON_STEMS


class CaptionGenerator:
    """Beam search with all that a checkpoint knows of its words, by its decoder in the form it is run in.

    The checkpoint must stay on its device.
    """

    def __init__(self, checkpoint: Checkpoint, decoder: WordSteps) -> None:
        self._decoder = decoder
        self._repeatable = checkpoint.vocabulary.function_words()
        self._words: WordTerms | None = None
        if checkpoint.term_head is not None:
            device = next(checkpoint.term_head.parameters()).device
            self._words = WordTerms(checkpoint.vocabulary, checkpoint.terms, device)
            self._head = checkpoint.term_head

    @torch.inference_mode()
    def generate(self, seen: PhotoFeatures, logits: Tensor | None, settings: SearchSettings) -> list[list[Hypothesis]]:
        """What to say of N photos, best first; ``logits`` (N, terms) are the term head's, where there is one."""
        evidence = doubts = None
        if logits is not None and self._words is not None:
            evidence = self._words.evidence(self._head.impacts(logits)) if settings.evidence else None
            if settings.doubt:
                doubts = self._words.doubts(logits, settings, self._somebody(seen))
        return search(self._decoder, seen, settings, self._repeatable, evidence, doubts)

    def _somebody(self, seen: PhotoFeatures) -> Tensor | None:
        """The log-odds (N, 1) that there is a human being in each photo, where the term head says so."""
        return None if self._head.somebody is None else self._head.somebody(seen.summary)


class WordTerms:
    """What the terms of a photo say of the words of a vocabulary."""

    def __init__(self, vocabulary: Vocabulary, terms: tuple[str, ...], device: torch.device) -> None:
        places = terms_of_words(vocabulary, terms)
        self._terms = places.clamp(min=0).to(device)  # (V,)
        self._known = (places >= 0).to(device)  # (V,)
        persons = [number for number, term in enumerate(terms) if term in PERSON_STEMS]
        self._persons = torch.tensor(persons, dtype=torch.long, device=device)
        self._of_persons = torch.isin(self._terms, self._persons) & self._known  # (V,)

    def evidence(self, impacts: Tensor) -> Tensor:
        """Impacts (N, terms) -> what speaks for each word, (N, V); 0 for a word that is a form of no term."""
        return impacts[:, self._terms] * self._known

    def doubts(self, logits: Tensor, settings: SearchSettings, somebody: Tensor | None = None) -> Tensor:
        """Logits (N, terms) -> what each word costs, (N, V), 0 or less; nothing for a word that is a form of no term.

        Words for human beings are as sure as it is that ``somebody`` is there, log-odds (N, 1), which is easier to see
        than who; without it they are as sure as the surest of them.
        """
        short = (logits[:, self._terms] - settings.doubt_below).clamp(max=0) * self._known
        if len(self._persons):
            if somebody is None:
                somebody = logits[:, self._persons].amax(1, keepdim=True)
            short = torch.where(self._of_persons, (somebody - settings.doubt_persons_below).clamp(max=0), short)
        return settings.doubt * short


def terms_of_words(vocabulary: Vocabulary, terms: tuple[str, ...]) -> Tensor:
    """The number of the term that each word of the vocabulary is a form of, (V,); -1: of none."""
    numbers = {term: number for number, term in enumerate(terms)}
    places = []
    for number, word in enumerate(vocabulary.words):
        parts = content_words(word) if number >= len(SPECIAL) else []
        places.append(numbers.get(stem(parts[0]), -1) if len(parts) == 1 else -1)
    return torch.tensor(places)
