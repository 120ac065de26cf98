"""Features for captions without photos: what the encoder might make of the photo that a caption tells of.

There are far more captions than captioned photos. A linear map from the terms of a caption to what the encoder and the
term head make of its photo, fitted on the photos that have both, lets the decoder learn from captions alone; that
captions can stand in for photos in this way is from text-only captioning (Nukrai et al. 2022, arXiv:2211.00575;
Li et al. 2023, "DeCap", arXiv:2303.03032). A caption tells a part of a photo only, so the rest comes
from a real one: the residual of a captioned photo drawn at random.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
from torch import Tensor

from photoindex.captioner.network import PhotoFeatures
from photoindex.training.cooccurrence import cooccurrences

RIDGE = 10.0  # captions' worth of doubt about each term


class FeatureRegression:
    """A ridge regression from captions, as term numbers, to (mean region, summary), and its residuals."""

    def __init__(self, captions: Sequence[tuple[int, Sequence[int]]], features: PhotoFeatures, terms: int) -> None:
        """``captions`` are (photo, terms) pairs of the photos of ``features``, whose regions may be one mean each."""
        self._channels = features.regions.shape[2]
        self._captions = list(captions)
        self._targets = torch.cat((features.regions.mean(1), features.summary), 1).cpu()  # (photos, C + S)
        self._mean = self._targets.mean(0)
        texts = [text for _, text in self._captions]
        sums = torch.zeros(terms, self._targets.shape[1])
        owners = torch.tensor([photo for photo, text in self._captions for _ in text])
        flat = torch.tensor([term for text in texts for term in text])
        sums.index_add_(0, flat, self._targets[owners] - self._mean)
        self._weights = torch.linalg.solve(cooccurrences(texts, terms) + RIDGE * torch.eye(terms), sums)

    def expected(self, captions: Sequence[Sequence[int]]) -> Tensor:
        """Return (n, C + S), the mean features of photos with these captions."""
        lengths = torch.tensor([len(text) for text in captions])
        flat = torch.tensor([term for text in captions for term in text], dtype=torch.long)
        sums = torch.zeros(len(captions), self._weights.shape[1])
        sums.index_add_(0, torch.arange(len(captions)).repeat_interleave(lengths), self._weights[flat])
        return sums + self._mean

    def sample(self, captions: Sequence[Sequence[int]], chance: random.Random) -> PhotoFeatures:
        """Return features for each caption, with a single region."""
        drawn = chance.choices(self._captions, k=len(captions))
        real = self._targets[[photo for photo, _ in drawn]]
        moved = self.expected(captions) + real - self.expected([text for _, text in drawn])
        return PhotoFeatures(moved[:, : self._channels].clamp(min=0).unsqueeze(1), moved[:, self._channels :])
