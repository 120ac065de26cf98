"""Beam search as one would write it down, a hypothesis at a time: what the one that is shipped is compared with."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from photoindex.captioner.beam import NO_GRAMMAR, Hypothesis, SearchSettings
from photoindex.captioner.grammar import Grammar
from photoindex.captioner.network import CaptionDecoder, PhotoFeatures, start_words
from photoindex.captioner.vocabulary import END, PAD, START, UNK

Beam = tuple[tuple[int, ...], float]  # an open hypothesis: its words from <start> on, and their log-probability


@torch.inference_mode()
def search(
    decoder: CaptionDecoder,
    features: PhotoFeatures,
    settings: SearchSettings,
    grammar: Grammar = NO_GRAMMAR,
    evidence: Tensor | None = None,
    doubts: Tensor | None = None,
) -> list[list[Hypothesis]]:
    """As :func:`photoindex.captioner.beam.search`."""
    photos, width, device = len(features), settings.beam_width, features.regions.device
    state = decoder.start(features)
    # One beam a photo for the first word: identical beams would only repeat it.
    beams: list[list[Beam]] = [[((START,), 0.0)] for _ in range(photos)]
    finished: list[list[Hypothesis]] = [[] for _ in range(photos)]
    words = start_words(photos, device)
    for length in range(1, settings.max_words + 2):
        hidden, state = decoder.step(words, state)
        log_probs = decoder.logits(hidden).float().log_softmax(-1)
        if doubts is not None:
            owners = [photo for photo, hypotheses in enumerate(beams) for _ in hypotheses]
            log_probs += doubts[torch.tensor(owners, device=device)]
        last = length > settings.max_words
        parents, next_words, next_beams = _advance(log_probs, beams, finished, settings, grammar, last)
        beams = next_beams
        if not parents:
            break
        state = state.select(torch.tensor(parents, device=device))
        words = torch.tensor(next_words, device=device)
    if doubts is not None:
        finished = [_undoubted(own, row) for own, row in zip(finished, doubts, strict=True)]
    if evidence is not None and settings.evidence:
        finished = [_weighed(own, row, settings.evidence) for own, row in zip(finished, evidence, strict=True)]
    for hypotheses in finished:
        hypotheses.sort(key=lambda h: -h.score)
        del hypotheses[width:]
    return finished


def _weighed(hypotheses: list[Hypothesis], evidence: Tensor, weight: float) -> list[Hypothesis]:
    """One photo's hypotheses with ``evidence`` (V,) for their words in their scores; a word counts once."""
    return [replace(h, score=h.score + weight * float(evidence[sorted(set(h.words))].sum())) for h in hypotheses]


def _undoubted(hypotheses: list[Hypothesis], doubts: Tensor) -> list[Hypothesis]:
    """One photo's hypotheses with the decoder's own log-probabilities; their scores stay."""
    return [replace(h, log_probability=h.log_probability - float(doubts[list(h.words)].sum())) for h in hypotheses]


def _advance(
    log_probs: Tensor,
    beams: list[list[Beam]],
    finished: list[list[Hypothesis]],
    settings: SearchSettings,
    grammar: Grammar,
    last: bool,
) -> tuple[list[int], list[int], list[list[Beam]]]:
    """Extend every open beam by a word.

    ``log_probs`` (B, V) has a row for each open beam, photo by photo. Returns the parent row and word of each beam that
    goes on, and the new beams; captions that end are added to ``finished``.
    """
    log_probs[:, [PAD, START, UNK]] = -torch.inf
    row = 0
    for hypotheses in beams:
        for sequence, _ in hypotheses:
            banned = _repeats(sequence, settings.no_repeat)
            if settings.say_once:
                banned = [*banned, *(word for word in sequence if word not in grammar.repeatable)]
                banned = [*banned, *(other for word in sequence for other in grammar.other_numbers.get(word, ()))]
            if sequence[-1] in grammar.articles:
                banned = [*banned, *grammar.never_after_articles]
            # An empty caption is no caption, and no word follows itself ("in the the grass").
            banned = [*banned, END if len(sequence) == 1 else sequence[-1]]
            log_probs[row, banned] = -torch.inf
            row += 1
    # Twice the width: half of the best extensions may be <end>, and the beam still stays full.
    top_values, top_words = log_probs.topk(min(2 * settings.beam_width, log_probs.shape[1]), dim=1)
    values, candidates = top_values.tolist(), top_words.tolist()
    ends = log_probs[:, END].tolist()
    parents: list[int] = []
    next_words: list[int] = []
    next_beams: list[list[Beam]] = []
    row = 0
    for photo, hypotheses in enumerate(beams):
        options = []
        for sequence, total in hypotheses:
            if last:
                options.append((total + ends[row], row, END, sequence))
            else:
                options += [
                    (total + value, row, word, sequence)
                    for value, word in zip(values[row], candidates[row], strict=True)
                    if value > -torch.inf
                ]
            row += 1
        options.sort(key=lambda option: -option[0])
        kept: list[Beam] = []
        for rank, (total, parent, word, sequence) in enumerate(options):
            if word == END:
                if rank < settings.beam_width or last:
                    words = sequence[1:]
                    finished[photo].append(Hypothesis(words, total, _score(total, len(words) + 1, settings)))
            elif len(kept) < settings.beam_width:
                kept.append(((*sequence, word), total))
                parents.append(parent)
                next_words.append(word)
        if kept and _settled(finished[photo], kept[0][1], settings):
            del parents[len(parents) - len(kept) :], next_words[len(next_words) - len(kept) :]
            kept = []
        next_beams.append(kept)
    return parents, next_words, next_beams


def _score(log_probability: float, words: int, settings: SearchSettings) -> float:
    return float(log_probability / words**settings.length_penalty)


def _settled(finished: list[Hypothesis], best_open: float, settings: SearchSettings) -> bool:
    """No open hypothesis can still enter the n-best: even at no further cost and the greatest length it scores less."""
    if settings.beam_width == 1:
        return bool(finished)  # greedy search ends with the first <end>
    if len(finished) < settings.beam_width:
        return False
    worst_kept = sorted((h.score for h in finished), reverse=True)[settings.beam_width - 1]
    return _score(best_open, settings.max_words + 1, settings) < worst_kept


def _repeats(sequence: tuple[int, ...], size: int) -> list[int]:
    """Words that would complete an n-gram of ``size`` words which ``sequence`` already holds."""
    if size < 1 or len(sequence) < size:
        return []
    tail = sequence[len(sequence) - size + 1 :]
    return [sequence[i + size - 1] for i in range(1, len(sequence) - size + 1) if sequence[i : i + size - 1] == tail]
