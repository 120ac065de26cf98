"""The CNN-LSTM: what the encoder sees, and words from an LSTM that looks at it.

Two decoders share one interface.

``attention``  two LSTMs over attention, as "Bottom-Up and Top-Down Attention" has it (Anderson et al. 2018,
               arXiv:1707.07998, section 3.2): the first decides where to look, the second what to say. The regions are
               the cells of the encoder's feature map, the attention that of "Attention Is All You Need" (Vaswani et al.
               2017, section 3.2.2) with several heads: it costs a third of the paper's additive one and does as well
               here. The term head's summary of the photo guides the first LSTM at every word, as the concepts do in
               "What Value Do Explicit High Level Concepts Have in Vision to Language Problems?" (Wu et al. 2016). Input
               and output embeddings are shared (Press and Wolf 2017).
``pooled``     the classic tutorial's decoder, after "Show and Tell" (Vinyals et al. 2015, arXiv:1411.4555): the mean
               feature vector is the LSTM's first input and is never seen again. Kept as the baseline to compare with.

Shapes: N captions, T words of the longest one, R regions, C encoder channels, S size of the summary, D hidden size,
V words in the vocabulary.

The term head says how strongly each word of a vocabulary speaks for a photo, so that people's words find it.

Search adds up a photo's impacts over the words of a query; nothing else happens at query time. So the head is trained
until the captions that people wrote for a photo rank that photo first among others, which is learned sparse retrieval:
SPLADE (Formal et al. 2021, arXiv:2107.05720) for text, LexLIP (Luo et al. 2023, arXiv:2302.02908) for photos. That a
word may hold for one corner of the photo only is from the word detectors of Fang et al. (2015, arXiv:1411.4952).

A term is a stem of the search index ("dog"), or two that follow each other in captions ("black dog").
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from photoindex.captioner.vocabulary import START

GRID = 3  # the photo as a whole, and a grid of 3 x 3 parts of it


@dataclass(frozen=True, slots=True)
class DecoderConfig:
    """The sizes that fix a decoder's weights; saved in every checkpoint."""

    kind: str
    vocabulary_size: int
    feature_dim: int
    summary_dim: int = 0  # of the term head's summary; 0: the model has none
    hidden_size: int = 512
    heads: int = 4
    grid: int = 6  # the feature map is averaged down to grid x grid regions
    dropout: float = 0.5


@dataclass(frozen=True, slots=True)
class PhotoFeatures:
    """What a decoder is given of N photos: regions (N, R, C) and the term head's summary (N, S)."""

    regions: Tensor
    summary: Tensor

    def __len__(self) -> int:
        return len(self.regions)

    @classmethod
    def joined(cls, parts: Sequence[PhotoFeatures]) -> PhotoFeatures:
        """Those of the photos of all parts, in order."""
        return cls(torch.cat([part.regions for part in parts]), torch.cat([part.summary for part in parts]))


@dataclass(frozen=True)
class State:
    """The decoder's memory between words; every tensor's first dimension is the caption (or beam) it belongs to."""

    tensors: tuple[Tensor, ...]

    def select(self, rows: Tensor) -> State:
        """The memory of these rows, in this order: how beam search follows its best hypotheses."""
        return State(tuple(t.index_select(0, rows) for t in self.tensors))

    def keep(self, photos: Tensor, width: int) -> State:
        """The memory of some photos (P,), in ascending order, where each has ``width`` rows, side by side."""
        rows = photos[:, None] * width + torch.arange(width, device=photos.device)
        return self.select(rows.flatten())

    def parts(self) -> tuple[Tensor, ...]:
        """All that it is made of; the first dimension of each is a multiple of the photos there are."""
        return self.tensors

    def from_parts(self, parts: Sequence[Tensor]) -> State:
        """Another one, made of what :meth:`parts` gives."""
        return State(tuple(parts))


class WordSteps(Protocol):
    """What beam search asks of a decoder: see :class:`CaptionDecoder`."""

    def start(self, features: PhotoFeatures) -> State: ...

    def step(self, words: Tensor, state: State) -> tuple[Tensor, State]: ...

    def logits(self, hidden: Tensor) -> Tensor: ...


class CaptionDecoder(nn.Module):
    """What every decoder offers to training and to beam search."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config

    def start(self, features: PhotoFeatures) -> State:
        """N photos -> the memory before the first word."""
        raise NotImplementedError

    def step(self, words: Tensor, state: State) -> tuple[Tensor, State]:
        """The previous words (N,) and the memory -> hidden output (N, D) and the new memory."""
        raise NotImplementedError

    def logits(self, hidden: Tensor) -> Tensor:
        """Hidden outputs (M, D) -> unnormalised log-probabilities of the next word (M, V)."""
        raise NotImplementedError

    def forward(
        self, features: PhotoFeatures, photos: Tensor, captions: Tensor, lengths: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Teacher forcing: predict each caption's next word from the true words before it.

        ``features`` of P photos; ``photos`` (N,) says whose caption each is; ``captions`` (N, T) as
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


class AttentionDecoder(CaptionDecoder):
    """Attention LSTM and language LSTM over regions and summary (the ``attention`` decoder above)."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__(config)
        size = config.hidden_size
        self.embed = nn.Embedding(config.vocabulary_size, size)
        self.region = nn.Linear(config.feature_dim, size)
        self.region_norm = nn.LayerNorm(size)
        self.gist = nn.Linear(config.feature_dim + config.summary_dim, size)
        self.gist_norm = nn.LayerNorm(size)
        self.key = nn.Linear(size, size, bias=False)
        self.query = nn.Linear(size, size)
        self.attention_lstm = nn.LSTMCell(3 * size, size)
        self.language_lstm = nn.LSTMCell(2 * size, size)
        self.output_bias = nn.Parameter(torch.zeros(config.vocabulary_size))
        self.dropout = nn.Dropout(config.dropout)
        nn.init.normal_(self.embed.weight, std=size**-0.5)

    def start(self, features: PhotoFeatures) -> State:
        heads = self.config.heads
        regions = self.dropout(F.relu(self.region_norm(self.region(features.regions))))  # (N, R, D)
        whole = torch.cat((features.summary, features.regions.mean(1)), 1)  # (N, S + C)
        gist = self.dropout(F.relu(self.gist_norm(self.gist(whole))))  # (N, D)
        keys = self.key(regions).unflatten(2, (heads, -1)).transpose(1, 2)  # (N, heads, R, D / heads)
        values = regions.unflatten(2, (heads, -1)).transpose(1, 2)
        zero = gist.new_zeros(len(gist), self.config.hidden_size)
        return State((zero, zero, zero, zero, gist, values.contiguous(), keys.contiguous()))

    def step(self, words: Tensor, state: State) -> tuple[Tensor, State]:
        h1, c1, h2, c2, gist, values, keys = state.tensors
        word = self.dropout(self.embed(words) * self.config.hidden_size**0.5)  # (N, D)
        h1, c1 = self.attention_lstm(torch.cat((h2, gist, word), 1), (h1, c1))
        query = self.query(h1).unflatten(1, (self.config.heads, 1, -1))  # (N, heads, 1, D / heads)
        scores = (query @ keys.transpose(2, 3)) * query.shape[3] ** -0.5  # (N, heads, 1, R)
        attended = (scores.softmax(3) @ values).flatten(1)  # (N, D)
        h2, c2 = self.language_lstm(torch.cat((attended, h1), 1), (h2, c2))
        return self.dropout(h2), State((h1, c1, h2, c2, gist, values, keys))

    def logits(self, hidden: Tensor) -> Tensor:
        return F.linear(hidden, self.embed.weight, self.output_bias)


class PooledDecoder(CaptionDecoder):
    """One LSTM that gets the mean feature vector as its first input (the ``pooled`` decoder above)."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__(config)
        size = config.hidden_size
        self.embed = nn.Embedding(config.vocabulary_size, size)
        self.image = nn.Linear(config.feature_dim, size)
        self.image_norm = nn.BatchNorm1d(size, momentum=0.01)
        self.lstm = nn.LSTMCell(size, size)
        self.output = nn.Linear(size, config.vocabulary_size)

    def start(self, features: PhotoFeatures) -> State:
        image = self.image_norm(self.image(features.regions.mean(1)))  # (N, D)
        h, c = self.lstm(image)
        return State((h, c))

    def step(self, words: Tensor, state: State) -> tuple[Tensor, State]:
        h, c = self.lstm(self.embed(words), (state.tensors[0], state.tensors[1]))
        return h, State((h, c))

    def logits(self, hidden: Tensor) -> Tensor:
        logits: Tensor = self.output(hidden)
        return logits


DECODERS: dict[str, type[CaptionDecoder]] = {"attention": AttentionDecoder, "pooled": PooledDecoder}


def build_decoder(config: DecoderConfig) -> CaptionDecoder:
    """An untrained decoder. Raises ``KeyError`` for a kind that :data:`DECODERS` does not hold."""
    return DECODERS[config.kind](config)


def regions_of(feature_map: Tensor, grid: int) -> Tensor:
    """Feature map (N, C, h, w) -> region features (N, R, C), row by row; a finer map is averaged to grid x grid."""
    if min(feature_map.shape[2:]) > grid:
        return averaged(feature_map, grid).transpose(1, 2)
    return feature_map.flatten(2).transpose(1, 2)


def averaged(feature_map: Tensor, grid: int) -> Tensor:
    """Feature map (N, C, h, w) -> the means of grid x grid parts of it, (N, C, grid grid), row by row.

    They are those of ``torch.nn.functional.adaptive_avg_pool2d``, whose loops take five times as long on a CPU as a
    product.
    """
    down, across = (_parts(length, grid) for length in feature_map.shape[2:])
    return feature_map.flatten(2) @ torch.kron(down, across).t().to(feature_map)


def _parts(length: int, grid: int) -> Tensor:
    """What each of ``length`` counts in the mean of each of ``grid`` parts, which overlap where they do not fit."""
    places = torch.arange(length)
    starts = torch.arange(grid) * length // grid
    ends = -(-(torch.arange(grid) + 1) * length // grid)
    inside = ((places >= starts[:, None]) & (places < ends[:, None])).float()
    return inside / inside.sum(1, keepdim=True)


def start_words(count: int, device: torch.device) -> Tensor:
    """``count`` times ``<start>``."""
    return torch.full((count,), START, dtype=torch.long, device=device)


@dataclass(frozen=True, slots=True)
class TermHeadConfig:
    """The sizes that fix a term head's weights; saved in every checkpoint that has one."""

    terms: int
    feature_dim: int
    hidden_size: int = 512
    dropout: float = 0.3
    kept: int = 192  # terms of a photo; the rest speak for it too faintly to be worth their room
    scale: float = 0.05  # of the 8-bit impacts that are stored: an impact is at most 255 times it
    somebody: bool = False  # whether it says how likely there is a human being in the photo


class TermHead(nn.Module):
    """Feature maps (N, C, h, w) in; impacts (N, terms) and a summary (N, hidden_size) for the decoder out."""

    def __init__(self, config: TermHeadConfig) -> None:
        super().__init__()
        self.config = config
        size = config.hidden_size
        self.whole = nn.Linear(2 * config.feature_dim, size)
        self.whole_terms = nn.Linear(size, config.terms)
        self.part = nn.Linear(config.feature_dim, size)
        self.part_terms = nn.Linear(size, config.terms, bias=False)
        self.offset = nn.Parameter(torch.full((config.terms,), 3.0))
        self.importance = nn.Parameter(torch.zeros(config.terms))  # of a term in queries; softplus makes it positive
        # The log-odds that a human being is in the photo, a linear reading of the summary.
        self.somebody = nn.Linear(size, 1) if config.somebody else None
        self.dropout = nn.Dropout(config.dropout)
        nn.init.normal_(self.whole_terms.weight, std=size**-0.5)
        nn.init.normal_(self.part_terms.weight, std=size**-0.5)

    def begin_at(self, embeddings: Tensor) -> None:
        """Start training from term embeddings (terms, hidden_size) instead of random ones."""
        with torch.no_grad():
            self.whole_terms.weight.copy_(embeddings)
            self.part_terms.weight.copy_(embeddings)

    def summary(self, feature_map: Tensor) -> Tensor:
        """What the whole photo shows (N, hidden_size): every term's evidence is a linear reading of it."""
        mean, peak = feature_map.mean((2, 3)), feature_map.amax((2, 3))
        return F.gelu(self.whole(self.dropout(torch.cat((mean, 0.5 * peak), 1))))

    def forward(self, feature_map: Tensor) -> Tensor:
        """Logits (N, terms): that a caption of the photo holds the term."""
        return self.logits(feature_map, self.summary(feature_map))

    def logits(self, feature_map: Tensor, summary: Tensor) -> Tensor:
        """Logits (N, terms) where the summary (N, hidden_size) of the maps is at hand."""
        whole: Tensor = self.whole_terms(self.dropout(summary))
        cells = averaged(feature_map, GRID).transpose(1, 2)  # (N, 9, C)
        parts = self.part_terms(self.dropout(F.gelu(self.part(self.dropout(cells)))))  # (N, 9, terms)
        logits: Tensor = whole + parts.logsumexp(1) - math.log(GRID * GRID)
        return logits

    def impacts(self, logits: Tensor) -> Tensor:
        """Logits (N, terms) -> what each term adds to the score of a query that holds it, 0 or more."""
        return F.softplus(logits + self.offset) * F.softplus(self.importance)


def strongest(impacts: Tensor, config: TermHeadConfig) -> list[tuple[NDArray[np.uint16], NDArray[np.uint8]]]:
    """Impacts (N, terms) -> for each photo its strongest terms, ascending, and their 8-bit impacts (1 to 255)."""
    levels = (impacts / config.scale).round().clamp(max=255).to(torch.int64)
    numbers = levels.topk(min(config.kept, levels.shape[1]), dim=1).indices.sort(1).values
    ids, values = numbers.cpu().numpy().astype(np.uint16), levels.gather(1, numbers).cpu().numpy().astype(np.uint8)
    return [(row[there], found[there]) for row, found, there in zip(ids, values, values > 0, strict=True)]
