"""Going on from a model: the same decoder with more words.

A new word begins as the weighted mean of those that mean nearly the same (:func:`.sentences.nearest_words`), a
little less likely than they are.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from photoindex.captioner.network import CaptionDecoder, build_decoder
from photoindex.captioner.vocabulary import SPECIAL, Vocabulary
from photoindex.training.sentences import SentenceEncoder, nearest_words

NEW_WORD_BIAS = -1.0


def grown_decoder(
    decoder: CaptionDecoder, known: Vocabulary, vocabulary: Vocabulary, encoder: SentenceEncoder, dropout: float
) -> CaptionDecoder:
    """Return an attention decoder for ``vocabulary``, which begins with the ``known`` words of ``decoder``."""
    grown = build_decoder(replace(decoder.config, vocabulary_size=len(vocabulary), dropout=dropout))
    new, values = vocabulary.words[len(known) :], decoder.state_dict()
    numbers, weights = nearest_words(new, known.words[len(SPECIAL) :], encoder)
    with torch.no_grad():
        for name, target in grown.state_dict().items():
            if target.shape == values[name].shape:
                target.copy_(values[name])
                continue
            target[: len(known)] = values[name]
            rows = values[name][numbers + len(SPECIAL)]  # (new words, nearest) or (new words, nearest, D)
            target[len(known) :] = (rows * weights.view(*weights.shape, *[1] * (rows.dim() - 2))).sum(1)
        grown.get_parameter("output_bias")[len(known) :] += NEW_WORD_BIAS
    return grown
