"""A model's captions: its decoder, and the evidence that its term head has for what the decoder would say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

import torch
from torch import Tensor

from photoindex.captioner.beam import Hypothesis, SearchSettings, search
from photoindex.captioner.checkpoint import Checkpoint
from photoindex.captioner.confidence import Signals, signals_of
from photoindex.captioner.grammar import Grammar
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
        self._grammar = Grammar.of(checkpoint.vocabulary.words)
        self._calibration = checkpoint.calibration
        self._words: WordTerms | None = None
        if checkpoint.term_head is not None:
            device = next(checkpoint.term_head.parameters()).device
            self._words = WordTerms(checkpoint.vocabulary, checkpoint.terms, device)
            self._head = checkpoint.term_head

    @torch.inference_mode()
    def generate(
        self, features: PhotoFeatures, logits: Tensor | None, settings: SearchSettings
    ) -> list[list[Hypothesis]]:
        """Return the captions of N photos, best first, with their confidence; ``logits`` (N, terms) are those of the
        term head, where there is one."""
        evidence = doubts = None
        if logits is not None and self._words is not None:
            evidence = self._words.evidence(self._head.impacts(logits)) if settings.evidence else None
            if settings.doubt:
                doubts = self._words.doubts(logits, settings, self._somebody(features))
        found = search(self._decoder, features, settings, self._grammar, evidence, doubts)
        if logits is None or self._words is None:
            return [[self._with_confidence(one, Signals(one.log_probability)) for one in photo] for photo in found]
        words = [[one.words for one in of_photo] for of_photo in found]
        likely = self._words.probabilities(words, logits, self._somebody(features))
        return [
            [self._with_confidence(one, signals_of(one.log_probability, each)) for one, each in zip(*both, strict=True)]
            for both in zip(found, likely, strict=True)
        ]

    def _with_confidence(self, hypothesis: Hypothesis, signals: Signals) -> Hypothesis:
        confidence = None if self._calibration is None else self._calibration.confidence(signals)
        return replace(hypothesis, signals=signals, confidence=confidence)

    def _somebody(self, features: PhotoFeatures) -> Tensor | None:
        """The log-odds (N, 1) that there is a human being in each photo, where the term head says so."""
        return None if self._head.somebody is None else self._head.somebody(features.summary)


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

    def probabilities(
        self, captions: Sequence[Sequence[Sequence[int]]], logits: Tensor, somebody: Tensor | None = None
    ) -> list[list[list[float]]]:
        """Captions of N photos as word numbers -> how likely each of their words is to be in the photo, of those that
        are forms of a term; words for human beings as likely as ``somebody`` (N, 1), where that is known."""
        counts = [len(words) for of_photo in captions for words in of_photo]
        rows = [row for row, of_photo in enumerate(captions) for words in of_photo for _ in words]
        flat = [word for of_photo in captions for words in of_photo for word in words]
        # All at once, and a GPU is asked for one answer.
        owners, numbers = torch.tensor([rows, flat], dtype=torch.long).to(logits.device)
        log_odds = logits[owners, self._terms[numbers]].float()
        if somebody is not None:
            log_odds = torch.where(self._of_persons[numbers], somebody[owners, 0].float(), log_odds)
        answers = iter(zip(log_odds.sigmoid().tolist(), self._known[numbers].tolist(), strict=True))
        by_caption = iter([[likely for likely, known in islice(answers, count) if known] for count in counts])
        return [list(islice(by_caption, len(of_photo))) for of_photo in captions]


def terms_of_words(vocabulary: Vocabulary, terms: tuple[str, ...]) -> Tensor:
    """The number of the term that each word of the vocabulary is a form of, (V,); -1: of none."""
    numbers = {term: number for number, term in enumerate(terms)}
    places = []
    for number, word in enumerate(vocabulary.words):
        parts = content_words(word) if number >= len(SPECIAL) else []
        places.append(numbers.get(stem(parts[0]), -1) if len(parts) == 1 else -1)
    return torch.tensor(places)
