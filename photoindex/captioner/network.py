"""The CNN-LSTM: region features from the encoder, words from an LSTM that looks at them.

Two decoders share one interface.

``attention``  two LSTMs over soft attention, as "Bottom-Up and Top-Down Attention" has it (Anderson et al. 2018,
               arXiv:1707.07998, section 3.2): the first decides where to look, the second what to say. The regions are
               the cells of the encoder's feature map. Input and output embeddings are shared (Press and Wolf 2017).
``pooled``     the classic tutorial's decoder, after "Show and Tell" (Vinyals et al. 2015, arXiv:1411.4555): the mean
               feature vector is the LSTM's first input and is never seen again. Kept as the baseline to compare with.

Shapes: N captions, T words of the longest one, R regions, C encoder channels, D hidden size, V words in the vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from photoindex.captioner.vocabulary import START


@dataclass(frozen=True, slots=True)
class DecoderConfig:
    """The sizes that fix a decoder's weights; saved in every checkpoint."""

    kind: str
    vocabulary_size: int
    feature_dim: int
    hidden_size: int = 512
    attention_size: int = 256
    dropout: float = 0.3


class State(NamedTuple):
    """The decoder's memory between words; every tensor's first dimension is the caption (or beam) it belongs to."""

    tensors: tuple[Tensor, ...]

    def select(self, rows: Tensor) -> State:
        """The memory of these rows, in this order: how beam search follows its best hypotheses."""
        return State(tuple(t.index_select(0, rows) for t in self.tensors))


class Decoder(nn.Module):
    """What every decoder offers to training and to beam search."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config

    def start(self, features: Tensor) -> State:
        """Region features (N, R, C) -> the memory before the first word."""
        raise NotImplementedError

    def step(self, words: Tensor, state: State) -> tuple[Tensor, State]:
        """The previous words (N,) and the memory -> hidden output (N, D) and the new memory."""
        raise NotImplementedError

    def logits(self, hidden: Tensor) -> Tensor:
        """Hidden outputs (M, D) -> unnormalised log-probabilities of the next word (M, V)."""
        raise NotImplementedError

    def forward(self, features: Tensor, photos: Tensor, captions: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Teacher forcing: predict each caption's next word from the true words before it.

        ``features`` (P, R, C) of P photos; ``photos`` (N,) says whose caption each is; ``captions`` (N, T) as
        ``<start> w1 … <end> <pad>…``; ``lengths`` (N,) on the CPU, words including ``<start>`` and ``<end>``, **in
        decreasing order**.

        Inputs are the captions without their last word, targets the captions without ``<start>``. Both are packed: a
        caption takes part in as many steps as it has words, so padding is neither computed nor scored.

        Returns logits (M, V) and targets (M,), M = sum(lengths - 1).
        """
        targets = pack_padded_sequence(captions[:, 1:], lengths - 1, batch_first=True)
        state = self.start(features).select(photos)
        outputs = []
        for position, active in enumerate(targets.batch_sizes.tolist()):
            # Sorted by length: the captions that still have words are always the first ones.
            state = State(tuple(t[:active] for t in state.tensors))
            hidden, state = self.step(captions[:active, position], state)
            outputs.append(hidden)
        return self.logits(torch.cat(outputs)), targets.data


class AttentionDecoder(Decoder):
    """Attention LSTM and language LSTM over region features (the ``attention`` decoder above)."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__(config)
        size = config.hidden_size
        self.embed = nn.Embedding(config.vocabulary_size, size)
        self.region = nn.Linear(config.feature_dim, size)
        self.region_norm = nn.LayerNorm(size)
        self.region_key = nn.Linear(size, config.attention_size, bias=False)
        self.query = nn.Linear(size, config.attention_size)
        self.attend = nn.Linear(config.attention_size, 1, bias=False)
        self.attention_lstm = nn.LSTMCell(3 * size, size)
        self.language_lstm = nn.LSTMCell(2 * size, size)
        self.output_bias = nn.Parameter(torch.zeros(config.vocabulary_size))
        self.dropout = nn.Dropout(config.dropout)
        nn.init.normal_(self.embed.weight, std=size**-0.5)

    def start(self, features: Tensor) -> State:
        regions = self.dropout(F.relu(self.region_norm(self.region(features))))  # (N, R, D)
        zero = regions.new_zeros(len(regions), self.config.hidden_size)
        mean = regions.mean(1)  # (N, D)
        return State((zero, zero, zero, zero, mean, regions, self.region_key(regions)))

    def step(self, words: Tensor, state: State) -> tuple[Tensor, State]:
        h1, c1, h2, c2, mean, regions, keys = state.tensors
        word = self.dropout(self.embed(words) * self.config.hidden_size**0.5)  # (N, D)
        h1, c1 = self.attention_lstm(torch.cat((h2, mean, word), 1), (h1, c1))
        scores = self.attend(torch.tanh(keys + self.query(h1).unsqueeze(1))).squeeze(2)  # (N, R)
        seen = torch.bmm(scores.softmax(1).unsqueeze(1), regions).squeeze(1)  # (N, D)
        h2, c2 = self.language_lstm(torch.cat((seen, h1), 1), (h2, c2))
        return self.dropout(h2), State((h1, c1, h2, c2, mean, regions, keys))

    def logits(self, hidden: Tensor) -> Tensor:
        return F.linear(hidden, self.embed.weight, self.output_bias)


class PooledDecoder(Decoder):
    """One LSTM that gets the mean feature vector as its first input (the ``pooled`` decoder above)."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__(config)
        size = config.hidden_size
        self.embed = nn.Embedding(config.vocabulary_size, size)
        self.image = nn.Linear(config.feature_dim, size)
        self.image_norm = nn.BatchNorm1d(size, momentum=0.01)
        self.lstm = nn.LSTMCell(size, size)
        self.output = nn.Linear(size, config.vocabulary_size)

    def start(self, features: Tensor) -> State:
        image = self.image_norm(self.image(features.mean(1)))  # (N, D)
        h, c = self.lstm(image)
        return State((h, c))

    def step(self, words: Tensor, state: State) -> tuple[Tensor, State]:
        h, c = self.lstm(self.embed(words), (state.tensors[0], state.tensors[1]))
        return h, State((h, c))

    def logits(self, hidden: Tensor) -> Tensor:
        logits: Tensor = self.output(hidden)
        return logits


DECODERS: dict[str, type[Decoder]] = {"attention": AttentionDecoder, "pooled": PooledDecoder}


def build_decoder(config: DecoderConfig) -> Decoder:
    """An untrained decoder. Raises ``KeyError`` for a kind that :data:`DECODERS` does not hold."""
    return DECODERS[config.kind](config)


def flatten_regions(feature_map: Tensor) -> Tensor:
    """Feature map (N, C, h, w) -> region features (N, h * w, C), row by row."""
    return feature_map.flatten(2).transpose(1, 2)


def start_words(count: int, device: torch.device) -> Tensor:
    """``count`` times ``<start>``."""
    return torch.full((count,), START, dtype=torch.long, device=device)
