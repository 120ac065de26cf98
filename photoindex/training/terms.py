"""The first stage: the encoder's tail and the term head learn which words people use for a photo.

Three losses at once, for a batch of photos with all their captions:

- contrastive, both ways: among the batch's photos a caption's own should score highest, and among its captions a
  photo's own should (InfoNCE, as CLIP has it; scores are the sums that search will compute);
- multi-label: each term's logit says whether a caption of the photo holds it, so that a term's impact stays a
  statement about the photo;
- distillation (Hinton et al. 2015, arXiv:1503.02531): the ImageNet classifier on the tuned features goes on saying what
  it said on the released ones, because its labels are searched too.
"""

from __future__ import annotations

import copy
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from photoindex.captioner.encoders import Encoder
from photoindex.captioner.network import TermHead
from photoindex.language.analysis import content_words, stem
from photoindex.training.datasets import CaptionedPhoto
from photoindex.training.features import ViewCache

SCORED_DEPTHS = (1, 10)  # the R@n printed after an epoch
KEPT_TERMS = 64  # of a photo: what the epoch's figures are measured with
GREATEST_OF = 512
STANDARD_BATCH = 32  # photos scored at once when evaluating


@dataclass(frozen=True, slots=True)
class TermRecipe:
    """Everything that decides the outcome of the stage, besides the data."""

    epochs: int = 5
    batch_photos: int = 128
    head_rate: float = 1e-3
    tail_rate: float = 2e-4
    weight_decay: float = 0.02  # of the head's matrices
    dropout: float = 0.3
    hidden_size: int = 512
    threshold: int = 4  # a stem in fewer captions is no term
    pair_threshold: int = 12  # the same of two neighbouring stems
    labelling: float = 0.3  # weight of the multi-label loss
    distillation: float = 0.3
    noisy_share: float = 0.35  # of the noisy photos, seen in each epoch
    warmup_steps: int = 100
    clip_norm: float = 5.0
    seed: int = 1


class TermVocabularyBuilder:
    """Captions to term numbers."""

    def __init__(self, terms: Sequence[str]) -> None:
        self.terms = tuple(terms)
        self._numbers = {term: number for number, term in enumerate(self.terms)}

    @classmethod
    def from_captions(
        cls, captions: Iterable[str], paired: Iterable[str], threshold: int, pair_threshold: int
    ) -> TermVocabularyBuilder:
        """Stems frequent in ``captions``, then pairs frequent in ``paired``; the most frequent first."""
        stems: Counter[str] = Counter()
        pairs: Counter[str] = Counter()
        for caption in captions:
            stems.update(set(_stems(caption)))
        for caption in paired:
            pairs.update({f"{a} {b}" for a, b in pairwise(_stems(caption)) if a != b})
        return cls(
            [term for term, count in _ranked(stems) if count >= threshold]
            + [term for term, count in _ranked(pairs) if count >= pair_threshold]
        )

    def __len__(self) -> int:
        return len(self.terms)

    def encode(self, caption: str) -> list[int]:
        """The numbers of the terms that ``caption`` holds, each once, ascending."""
        stems = _stems(caption)
        candidates = [*stems, *(f"{a} {b}" for a, b in pairwise(stems))]
        return sorted({self._numbers[term] for term in candidates if term in self._numbers})


def _stems(caption: str) -> list[str]:
    return [stem(word) for word in content_words(caption)]


def _ranked(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


class TermStage:
    """A stage of :class:`.loop.Loop`. ``views`` are the numbers of each photo's views in ``maps``, the plain one first.

    ``encoder`` is folded and is trained in place; ``reference`` is an untouched twin to distil from.
    """

    name = "words"

    def __init__(
        self,
        photos: Sequence[CaptionedPhoto],
        repeats: Sequence[int],
        noisy: frozenset[int],
        views: Sequence[Sequence[int]],
        maps: ViewCache,
        encoder: Encoder,
        head: TermHead,
        vocabulary: TermVocabularyBuilder,
        recipe: TermRecipe,
        device: torch.device,
    ) -> None:
        self._recipe, self._device, self._maps, self._views = recipe, device, maps, views
        self._encoder, self._head = encoder, head
        self._classifier: nn.Module = encoder.get_submodule("classifier")
        self._reference = copy.deepcopy(encoder).eval()
        self._terms = [[encoded for c in photo.captions if (encoded := vocabulary.encode(c))] for photo in photos]
        trained = [n for n, photo in enumerate(photos) if photo.split == "train" and self._terms[n]]
        self._good = [n for n in trained if n not in noisy for _ in range(repeats[n])]
        self._noisy = [n for n in trained if n in noisy]
        self._noisy_set = noisy
        self._validation = [n for n, photo in enumerate(photos) if photo.split == "val" and self._terms[n]]
        self._set_priors(trained, len(vocabulary))

    def _set_priors(self, trained: Sequence[int], terms: int) -> None:
        """Logits begin at each term's log-odds, importances at its inverse document frequency."""
        counts = torch.zeros(terms)
        captions = [caption for n in trained for caption in self._terms[n]]
        for caption in captions:
            counts[caption] += 1
        odds = (counts / max(1, len(captions))).clamp(1e-5, 0.5)
        rarity = torch.log(max(1, len(captions)) / (counts + 1)).clamp(min=0.1)
        with torch.no_grad():
            self._head.whole_terms.bias.copy_(torch.log(odds / (1 - odds)))
            self._head.importance.copy_(0.5 * rarity / rarity.mean())

    # ---- what the loop asks for ------------------------------------------------------------------

    def modules(self) -> dict[str, nn.Module]:
        return {"tail": self._tail(), "classifier": self._classifier, "head": self._head}

    def _tail(self) -> nn.Module:
        return nn.ModuleList(self._encoder.tail_modules())

    def groups(self) -> list[dict[str, Any]]:
        recipe = self._recipe
        tuned = [*self._tail().parameters(), *self._classifier.parameters()]
        matrices = [p for p in self._head.parameters() if p.dim() > 1]
        vectors = [p for p in self._head.parameters() if p.dim() == 1]
        return [
            {"params": tuned, "lr": recipe.tail_rate, "weight_decay": 0.0},
            {"params": matrices, "lr": recipe.head_rate, "weight_decay": recipe.weight_decay},
            {"params": vectors, "lr": recipe.head_rate, "weight_decay": 0.0},
        ]

    def members(self, epoch: int) -> Sequence[int]:
        some = round(len(self._noisy) * self._recipe.noisy_share)
        return self._good + random.Random(f"{self._recipe.seed}-noisy-{epoch}").sample(self._noisy, some)

    def loss(self, photos: Sequence[int], chance: random.Random) -> tuple[Tensor, float]:
        recipe = self._recipe
        photos = list(dict.fromkeys(photos))  # the same photo twice would be its own negative
        maps = self._read([chance.choice(self._views[n]) for n in photos])
        with torch.autocast("cuda", torch.bfloat16, enabled=self._device.type == "cuda"):
            features = self._encoder.tail(maps)
        features = features.float()
        logits = self._head(features)
        queries, owners = self._queries(photos, logits.shape[1])
        weights = self._query_weights(photos, owners)
        scores = queries @ self._head.impacts(logits).T  # (captions, photos)
        contrast = _contrastive(scores, owners, weights)
        mentioned = torch.zeros_like(logits).index_add_(0, owners, queries).clamp(max=1)
        trust = torch.tensor([0.3 if n in self._noisy_set else 1.0 for n in photos], device=self._device)
        labelling = F.binary_cross_entropy_with_logits(logits, mentioned, reduction="none").sum(1)
        distilled = self._distillation(maps, features)
        # A twentieth: about as many terms as a photo's captions hold, so that the sum over all terms is of order one.
        loss = contrast + recipe.labelling * (labelling * trust).mean() / 20 + recipe.distillation * distilled
        return loss, float(contrast.detach())

    def evaluate(self) -> dict[str, float]:
        """R@n of the validation captions among the validation photos, with the strongest terms of each photo only."""
        if not self._validation:
            return {}
        with torch.inference_mode():
            impacts = torch.cat(
                [
                    self.describe([self._views[n][0] for n in self._validation[start : start + STANDARD_BATCH]])
                    for start in range(0, len(self._validation), STANDARD_BATCH)
                ]
            )
            kept = impacts.topk(min(KEPT_TERMS, impacts.shape[1]), dim=1)
            sparse = torch.zeros_like(impacts).scatter_(1, kept.indices, kept.values).cpu().numpy()
        ranks = retrieval_ranks(sparse, [self._terms[n] for n in self._validation])
        scores = {f"recall_{depth}": round(100 * float((ranks <= depth).mean()), 2) for depth in SCORED_DEPTHS}
        return {**scores, "score": scores["recall_10"]}

    def greatest_impact(self) -> float:
        """Over the plain views of the first 512 photos."""
        some = [views[0] for n, views in enumerate(self._views) if self._terms[n]][:GREATEST_OF]
        with torch.inference_mode():
            impacts = [self.describe(some[n : n + STANDARD_BATCH]).max() for n in range(0, len(some), STANDARD_BATCH)]
        return float(torch.stack(impacts).max())

    def describe(self, views: Sequence[int]) -> Tensor:
        """Impacts (n, terms) of these views."""
        return self._head.impacts(self._head(self._encoder.tail(self._read(views)).float()))

    # ---- inside ----------------------------------------------------------------------------------

    def _read(self, views: Sequence[int]) -> Tensor:
        return self._maps[views].to(self._device).permute(0, 3, 1, 2)  # channels last in memory

    def _queries(self, photos: Sequence[int], terms: int) -> tuple[Tensor, Tensor]:
        """Captions as 0/1 rows (captions, terms), and whose they are (captions,)."""
        rows = [(place, caption) for place, n in enumerate(photos) for caption in self._terms[n]]
        queries = torch.zeros(len(rows), terms)
        for number, (_, caption) in enumerate(rows):
            queries[number, caption] = 1.0
        owners = torch.tensor([place for place, _ in rows])
        return queries.to(self._device), owners.to(self._device)

    def _query_weights(self, photos: Sequence[int], owners: Tensor) -> Tensor:
        """A photo's captions count as one together, a noisy one as half."""
        shares = [(0.5 if n in self._noisy_set else 1.0) / len(self._terms[n]) for n in photos]
        return torch.tensor(shares, device=self._device)[owners]

    def _distillation(self, maps: Tensor, features: Tensor) -> Tensor:
        """Kullback-Leibler divergence of the classifier from the released one, on a quarter of the batch."""
        some = max(1, len(maps) // 4)
        with torch.no_grad():
            released = self._reference.classify(self._reference.tail(maps[:some])).softmax(1)
        tuned = self._encoder.classify(features[:some]).log_softmax(1)
        return F.kl_div(tuned, released, reduction="batchmean")


def _contrastive(scores: Tensor, owners: Tensor, weights: Tensor) -> Tensor:
    """``scores`` (captions, photos): a caption's photo among photos and, at half the weight, the other way round."""
    to_photo = F.cross_entropy(scores, owners, reduction="none")
    own = scores.gather(1, owners.unsqueeze(1)).squeeze(1)
    foreign = owners.unsqueeze(1) != torch.arange(scores.shape[1], device=scores.device)
    others = scores.masked_fill(~foreign, -1e9).logsumexp(0)  # of each photo, over other photos' captions
    to_caption = torch.logaddexp(own, others[owners]) - own
    return ((to_photo + 0.5 * to_caption) * weights).sum() / weights.sum()


def retrieval_ranks(impacts: NDArray[np.float32], captions: Sequence[Sequence[Sequence[int]]]) -> NDArray[np.int64]:
    """The rank (from 1) of each caption's own photo among all: ``impacts`` (photos, terms), captions as term numbers.

    A photo that shares no term with the caption is not found: its rank is the number of photos.
    """
    ranks = []
    for photo, texts in enumerate(captions):
        for terms in texts:
            scores = impacts[:, list(terms)].sum(1)
            ranks.append(int((scores > scores[photo]).sum()) + 1 if scores[photo] > 0 else len(impacts))
    return np.array(ranks, np.int64)
