"""The term head: how strongly each word of a vocabulary speaks for a photo, so that people's words find it.

Search adds up a photo's impacts over the words of a query; nothing else happens at query time. So the head is trained
until the captions that people wrote for a photo rank that photo first among others, which is learned sparse retrieval:
SPLADE (Formal et al. 2021, arXiv:2107.05720) for text, LexLIP (Luo et al. 2023, arXiv:2302.02908) for photos. That a
word may hold for one corner of the photo only is from the word detectors of Fang et al. (2015, arXiv:1411.4952).

A term is a stem of the search index ("dog"), or two that follow each other in captions ("black dog").
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

GRID = 3  # the photo as a whole, and a grid of 3 x 3 parts of it


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
        whole: Tensor = self.whole_terms(self.dropout(self.summary(feature_map)))
        cells = F.adaptive_avg_pool2d(feature_map, GRID).flatten(2).transpose(1, 2)  # (N, 9, C)
        parts = self.part_terms(self.dropout(F.gelu(self.part(self.dropout(cells)))))  # (N, 9, terms)
        logits: Tensor = whole + parts.logsumexp(1) - math.log(GRID * GRID)
        return logits

    def impacts(self, logits: Tensor) -> Tensor:
        """Logits (N, terms) -> what each term adds to the score of a query that holds it, 0 or more."""
        return F.softplus(logits + self.offset) * F.softplus(self.importance)


def strongest(impacts: Tensor, config: TermHeadConfig) -> list[tuple[list[int], list[int]]]:
    """Impacts (N, terms) -> for each photo its strongest terms, ascending, and their 8-bit impacts (1 to 255)."""
    levels = (impacts / config.scale).round().clamp(max=255).to(torch.int64)
    values, numbers = levels.topk(min(config.kept, levels.shape[1]), dim=1)
    found = []
    for photo_values, photo_numbers in zip(values.tolist(), numbers.tolist(), strict=True):
        pairs = sorted((n, v) for n, v in zip(photo_numbers, photo_values, strict=True) if v)
        found.append(([n for n, _ in pairs], [v for _, v in pairs]))
    return found
