"""From a decoder to captions: greedy and beam search, with n-best and log-probabilities.

Hypotheses are ranked by log-probability per word raised to ``length_penalty`` (Wu et al. 2016, arXiv:1609.08144,
section 7, with the simpler n^alpha), so that short captions do not win by being short. A hypothesis never repeats an
n-gram of ``no_repeat`` words nor the word before, and never says ``<unk>``: a caption with a hole in it helps nobody.
What else English does not say is in ``grammar.py``.

Where the photo itself speaks for words (the term head's impacts), finished hypotheses are ranked again by what their
words have for them, as detected words are in Fang et al. (2015, arXiv:1411.4952, section 6): a likely phrase that
nothing in the photo supports loses to a slightly less likely one that is seen. Adding it during the search did no
better. Subtracting does: while beams advance, a word that the photo speaks against costs what ``doubts`` say, so that
hypotheses without it stay in the beam.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from photoindex.captioner.confidence import Signals
from photoindex.captioner.grammar import Grammar
from photoindex.captioner.network import PhotoFeatures, State, WordSteps
from photoindex.captioner.vocabulary import END, PAD, START, UNK

NO_GRAMMAR: Final = Grammar()
GPU_ASKS_EVERY: Final = 4  # words
FEW_DONE: Final = 0.2  # photos that are done go on for nothing: copying what is kept of the others takes longer


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """``beam_width`` 1 is greedy. ``length_penalty`` 0 ranks by plain log-probability, 1 by the mean per word."""

    beam_width: int = 3
    max_words: int = 20
    length_penalty: float = 0.5
    no_repeat: int = 3
    say_once: bool = True  # a word is said once at most, in one number, but for those that the grammar lets return
    evidence: float = 0.1  # what the photo's evidence for a word adds to the score of a hypothesis that says it
    doubt: float = 0.0  # what each logit below the next two settings takes from a word's log-probability
    doubt_below: float = -1.0  # the logit of its term from which a word costs nothing
    doubt_persons_below: float = -1.0  # the same of the log-odds that somebody is there, for words for human beings

    def __str__(self) -> str:
        return (
            f"beam={self.beam_width} length_penalty={self.length_penalty:g} no_repeat={self.no_repeat}"
            + (" say_once" if self.say_once else "")
            + (f" evidence={self.evidence:g}" if self.evidence else "")
            + (
                f" doubt={self.doubt:g} below {self.doubt_below:g}, persons {self.doubt_persons_below:g}"
                if self.doubt
                else ""
            )
        )


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A finished caption as word numbers (without ``<start>`` and ``<end>``), its natural log-probability including
    ``<end>``, and the score it is ranked by; what its confidence is made of, and that, where the model knows them."""

    words: tuple[int, ...]
    log_probability: float
    score: float
    signals: Signals | None = field(default=None, compare=False)
    confidence: float | None = field(default=None, compare=False)


Scores = Tensor  # of 64 bits, where the device has them


@torch.inference_mode()
def search(
    decoder: WordSteps,
    features: PhotoFeatures,
    settings: SearchSettings,
    grammar: Grammar = NO_GRAMMAR,
    evidence: Tensor | None = None,
    doubts: Tensor | None = None,
) -> list[list[Hypothesis]]:
    """N photos -> for each up to ``beam_width`` hypotheses, best first.

    ``grammar`` says which words may not follow which, and what ``settings.say_once`` holds for. ``evidence`` (N, V), 0
    or more, is how strongly each photo speaks for each word; without it only probabilities count. ``doubts`` (N, V), 0
    or less, are added to the log-probability of a word in the search and in scores, but not in what is returned as
    log-probability.

    All photos and beams advance together, one decoder step a word; a photo is done when its beam holds only finished
    hypotheses that no open one can overtake, or at ``max_words``. Everything until then happens on the device.
    """
    if not len(features):
        return []
    beams = _Beams.start(decoder, features, settings, grammar, doubts)
    for length in range(1, settings.max_words + 2):
        beams.advance(length, last=length > settings.max_words)
        # Asking a GPU whether anything is left to do makes it wait for the answer.
        if length % (1 if features.regions.device.type == "cpu" else GPU_ASKS_EVERY) == 0 and not beams.drop_done():
            break
    return _ranked(beams.ended, len(features), settings, evidence, doubts)


class _Ended(NamedTuple):
    """Hypotheses that ended at one word: which photo's each is (H,), its words (H, L) without ``<start>`` and
    ``<end>``, and its log-probability with all doubts (H,). ``there`` (H,) says which of them are any."""

    there: Tensor
    photos: Tensor
    words: Tensor
    totals: Scores


@dataclass(frozen=True, slots=True)
class _Rules:
    """A grammar for tensors. Of G words something is known; all from the last of them on are like it, and it is none
    of the grammar's."""

    returns: Tensor  # (G,), whether a word may be said again
    other_numbers: Tensor  # (G, K), ``<pad>`` where a word has fewer
    articles: Tensor  # (G,), 1 for a word that is one, else 0
    after: Tensor  # (2, A), what does not follow a word that is no article (nothing, ``<pad>``), and one that is

    @classmethod
    def of(cls, grammar: Grammar, device: torch.device) -> _Rules:
        known = [*grammar.repeatable, *grammar.other_numbers, *grammar.articles]
        size = max(known, default=0) + 2
        returns = torch.zeros(size, dtype=torch.bool)
        returns[sorted(grammar.repeatable)] = True
        articles = torch.zeros(size, dtype=torch.long)
        articles[sorted(grammar.articles)] = 1
        others = torch.full((size, max(map(len, grammar.other_numbers.values()), default=0)), PAD)
        for word, numbers in grammar.other_numbers.items():
            others[word, : len(numbers)] = torch.tensor(numbers)
        never = sorted(grammar.never_after_articles)
        after = torch.tensor([[PAD] * len(never), never], dtype=torch.long)
        return cls(*(each.to(device) for each in (returns, others, articles, after)))

    def banned(self, sequences: Tensor, say_once: bool) -> list[Tensor]:
        """The words (B, L) of hypotheses -> what may not follow them, in parts (B, any number)."""
        known = sequences.clamp(max=len(self.returns) - 1)
        parts = [self.after[self.articles[known[:, -1]]]]
        if say_once:
            parts += [sequences.masked_fill(self.returns[known], PAD), self.other_numbers[known].flatten(1)]
        return parts


class _Beams:
    """The open hypotheses of P photos, W beams each; those that are none have a log-probability of minus infinity."""

    def __init__(
        self,
        decoder: WordSteps,
        state: State,
        photos: Tensor,
        settings: SearchSettings,
        rules: _Rules,
        doubts: Tensor | None,
    ) -> None:
        device = photos.device
        self._decoder, self._settings = decoder, settings
        self._state = state
        self._photos = photos  # (P,), their numbers
        self._rules = rules
        self._doubts = doubts  # (P, V)
        exact = torch.float32 if device.type == "mps" else torch.float64
        self._sequences = torch.full((len(photos), 1, 1), START, device=device)  # (P, W, L), from <start> on
        # One beam a photo for the first word: identical beams would only repeat it.
        self._totals = torch.zeros(len(photos), 1, dtype=exact, device=device)
        self._best = torch.full((len(photos), settings.beam_width), -torch.inf, dtype=exact, device=device)
        self.ended: list[_Ended] = []

    @classmethod
    def start(
        cls,
        decoder: WordSteps,
        features: PhotoFeatures,
        settings: SearchSettings,
        grammar: Grammar,
        doubts: Tensor | None,
    ) -> _Beams:
        device = features.regions.device
        photos = torch.arange(len(features), device=device)
        return cls(decoder, decoder.start(features), photos, settings, _Rules.of(grammar, device), doubts)

    def advance(self, length: int, *, last: bool) -> None:
        """Extend every open hypothesis by its likeliest words, the word number ``length``; ``last``: by ``<end>``."""
        photos, width = self._totals.shape
        hidden, self._state = self._decoder.step(self._sequences[:, :, -1].flatten(), self._state)
        log_probs = self._decoder.logits(hidden).float().log_softmax(-1)  # (P W, V)
        if self._doubts is not None:
            log_probs.view(photos, width, -1).add_(self._doubts[:, None])
        for word in (PAD, START, UNK):  # a list of them would be sent to a GPU each time
            log_probs[:, word].fill_(-torch.inf)
        log_probs.scatter_(1, self._banned(length), -torch.inf)
        if last:
            values, words = log_probs[:, END : END + 1], log_probs.new_full((photos * width, 1), END, dtype=torch.long)
        else:
            # Twice the width: half of the best extensions may be <end>, and the beam still stays full.
            values, words = log_probs.topk(min(2 * self._settings.beam_width, log_probs.shape[1]), dim=1)
        self._choose(values.to(self._totals.dtype), words, length)

    def drop_done(self) -> bool:
        """Go on without the photos that are done, where they are many; says whether any others are left."""
        open_ones = self._totals.amax(1) > -torch.inf
        left = int(open_ones.count_nonzero())
        if 0 < left <= len(open_ones) * (1 - FEW_DONE):
            kept = open_ones.nonzero()[:, 0]
            self._state = self._state.keep(kept, self._totals.shape[1])
            self._photos, self._sequences = self._photos[kept], self._sequences[kept]
            self._totals, self._best = self._totals[kept], self._best[kept]
            self._doubts = None if self._doubts is None else self._doubts[kept]
        return left > 0

    def _banned(self, length: int) -> Tensor:
        """The words (P W, K) that may not follow; ``<pad>``, which never may, stands for none."""
        sequences, size = self._sequences.flatten(0, 1), self._settings.no_repeat
        # An empty caption is no caption, and no word follows itself ("in the the grass").
        banned = [torch.full_like(sequences[:, :1], END) if length == 1 else sequences[:, -1:]]
        banned += self._rules.banned(sequences, self._settings.say_once)
        if 1 <= size < length:  # words that would complete an n-gram that is there
            runs = sequences.unfold(1, size, 1)[:, 1:]  # (P W, n-grams, size), without those that begin with <start>
            same = (runs[:, :, : size - 1] == sequences[:, None, length - size + 1 :]).all(2)
            banned.append(runs[:, :, -1].masked_fill(~same, PAD))
        return torch.cat(banned, 1)

    def _choose(self, values: Scores, words: Tensor, length: int) -> None:
        """Of the extensions (P W, K) of the hypotheses end some and go on with the best others."""
        photos, width = self._totals.shape
        choices, most = words.shape[1], self._settings.beam_width
        options = (self._totals[:, :, None] + values.view(photos, width, choices)).flatten(1)  # (P, W K)
        totals, order = options.sort(dim=1, descending=True, stable=True)
        parents = order // choices
        words = words.view(photos, -1).gather(1, order)
        there = totals > -torch.inf
        self._end((there & (words == END))[:, :most], parents, totals, length)
        goes_on = there & (words != END)
        # The first ones that go on, each row's in their order.
        chosen = (~goes_on).to(torch.uint8).sort(dim=1, stable=True).indices[:, :most]
        self._totals = totals.gather(1, chosen).masked_fill(~goes_on.gather(1, chosen), -torch.inf)
        if self._settings.beam_width == 1:  # greedy search ends with the first <end>
            settled = self._best[:, 0] > -torch.inf
        else:
            # No open hypothesis can enter the n-best: even at no further cost and the greatest length it scores less.
            settled = _score(self._totals[:, 0], self._settings.max_words + 1, self._settings) < self._best[:, -1]
        self._totals.masked_fill_(settled[:, None], -torch.inf)
        parents = parents.gather(1, chosen)
        rows = parents + width * torch.arange(photos, device=parents.device)[:, None]
        self._state = self._state.select(rows.flatten())
        said = self._sequences.flatten(0, 1)[rows]
        self._sequences = torch.cat((said, words.gather(1, chosen)[:, :, None]), 2)

    def _end(self, ends: Tensor, parents: Tensor, totals: Scores, length: int) -> None:
        """Note which options (P, E) are hypotheses that have ended, best first."""
        count = ends.shape[1]
        words = self._sequences.gather(1, parents[:, :count, None].expand(-1, -1, length))[:, :, 1:]
        totals = totals[:, :count]
        owners = self._photos[:, None].expand(-1, count)
        self.ended.append(_Ended(ends.flatten(), owners.flatten(), words.flatten(0, 1), totals.flatten()))
        scores = _score(totals, length, self._settings).masked_fill(~ends, -torch.inf)
        self._best = torch.cat((self._best, scores), 1).topk(self._best.shape[1], 1).values


def _ranked(
    ended: Sequence[_Ended], photos: int, settings: SearchSettings, evidence: Tensor | None, doubts: Tensor | None
) -> list[list[Hypothesis]]:
    """The hypotheses of each photo with the decoder's own log-probabilities, best first."""
    longest = max(each.words.shape[1] for each in ended)
    kept = torch.cat([each.there for each in ended]).nonzero()[:, 0]
    owners = torch.cat([each.photos for each in ended])[kept]
    words = torch.cat([F.pad(each.words, (0, longest - each.words.shape[1]), value=PAD) for each in ended])[kept]
    totals = torch.cat([each.totals for each in ended])[kept]
    real = words != PAD
    scores = _score(totals, real.sum(1) + 1, settings)
    if doubts is not None:
        totals = totals - (doubts[owners[:, None], words] * real).sum(1)
    if evidence is not None and settings.evidence:
        counted = real & _first_said(words)
        scores = scores + settings.evidence * (evidence[owners[:, None], words] * counted).sum(1)
    best = _first_of_each(owners.cpu(), scores.cpu(), settings.beam_width).to(owners.device)
    columns = (each[best].tolist() for each in (owners, words, real.sum(1), totals, scores))
    ranked: list[list[Hypothesis]] = [[] for _ in range(photos)]
    for owner, said, length, log_probability, score in zip(*columns, strict=True):
        ranked[owner].append(Hypothesis(tuple(said[:length]), log_probability, score))
    return ranked


def _first_of_each(owners: Tensor, scores: Tensor, count: int) -> Tensor:
    """The places of the ``count`` greatest scores (H,) of each owner (H,), owner by owner, the greatest first."""
    order = scores.sort(descending=True, stable=True).indices
    order = order[owners[order].sort(stable=True).indices]
    owners = owners[order]
    rank = torch.arange(len(owners)) - torch.searchsorted(owners, owners)
    return order[rank < count]


def _first_said(words: Tensor) -> Tensor:
    """Which words (H, L) are not said before in their row: a word counts once."""
    earlier = (words[:, :, None] == words[:, None, :]).tril(-1)
    return ~earlier.any(2)


def _score(log_probabilities: Scores, words: int | Tensor, settings: SearchSettings) -> Scores:
    scores: Scores = log_probabilities / words**settings.length_penalty
    return scores
