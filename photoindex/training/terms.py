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


class TermTargets:
    """What the captions of photos ask of a term head: the parts of the losses, and the figures.

    ``worth`` says what a photo's captions count together when they are to find it, ``trust`` how far a photo's captions
    are believed to name what is in it. Methods take numbers of ``photos``; P of them with N captions that hold a term.
    """

    def __init__(
        self,
        photos: Sequence[CaptionedPhoto],
        vocabulary: TermVocabularyBuilder,
        worth: Sequence[float],
        trust: Sequence[float],
        device: torch.device,
    ) -> None:
        encoded = [[(c, terms) for c in photo.captions if (terms := vocabulary.encode(c))] for photo in photos]
        self.captions = [[caption for caption, _ in pairs] for pairs in encoded]  # those that hold a term
        self.terms = [[terms for _, terms in pairs] for pairs in encoded]
        self._count, self._worth, self._trust, self._device = len(vocabulary), worth, trust, device

    def set_priors(self, head: TermHead, trained: Sequence[int]) -> None:
        """Logits begin at each term's log-odds, importances at its inverse document frequency."""
        counts = torch.zeros(self._count)
        captions = [caption for n in trained for caption in self.terms[n]]
        for caption in captions:
            counts[caption] += 1
        odds = (counts / max(1, len(captions))).clamp(1e-5, 0.5)
        rarity = torch.log(max(1, len(captions)) / (counts + 1)).clamp(min=0.1)
        with torch.no_grad():
            head.whole_terms.bias.copy_(torch.log(odds / (1 - odds)))
            head.importance.copy_(0.5 * rarity / rarity.mean())

    def queries(self, photos: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Captions as 0/1 rows (N, terms), and the place of each one's photo (N,)."""
        rows = [(place, caption) for place, n in enumerate(photos) for caption in self.terms[n]]
        owners = torch.tensor([place for place, _ in rows], dtype=torch.long, device=self._device)
        numbers = torch.tensor([number for number, (_, caption) in enumerate(rows) for _ in caption])
        terms = torch.tensor([term for _, caption in rows for term in caption])
        queries = torch.zeros(len(rows), self._count, device=self._device)
        queries[numbers.to(self._device), terms.to(self._device)] = 1.0
        return queries, owners

    def weights(self, photos: Sequence[int], owners: Tensor) -> Tensor:
        """What each caption counts (N,): those of a photo count together what the photo is worth."""
        shares = [self._worth[n] / len(self.terms[n]) if self.terms[n] else 0.0 for n in photos]
        return torch.tensor(shares, device=self._device)[owners]

    def labelling(
        self, logits: Tensor, queries: Tensor, owners: Tensor, photos: Sequence[int], counted: Tensor | None = None
    ) -> Tensor:
        """Cross entropy of logits (P, terms) with what the captions mention, in the mean over the photos.

        ``counted`` (P, terms) weighs the terms that are *not* mentioned: of some photos they are known to be missing
        and of others unnamed only.
        """
        mentioned = torch.zeros_like(logits).index_add_(0, owners, queries).clamp(max=1)
        losses = F.binary_cross_entropy_with_logits(logits, mentioned, reduction="none")
        if counted is not None:
            losses = losses * torch.maximum(counted, mentioned)
        trust = torch.tensor([self._trust[n] for n in photos], device=self._device)
        # A twentieth: about as many terms as a photo's captions hold, so that the sum over all terms is of order one.
        return (losses.sum(1) * trust).mean() / 20

    def recall(self, impacts: Tensor, photos: Sequence[int]) -> dict[str, float]:
        """R@n of these photos' captions among them; impacts (P, terms), of which the strongest of each photo count."""
        kept = impacts.topk(min(KEPT_TERMS, impacts.shape[1]), dim=1)
        sparse = torch.zeros_like(impacts).scatter_(1, kept.indices, kept.values).cpu().numpy()
        ranks = retrieval_ranks(sparse, [self.terms[n] for n in photos])
        scores = {f"recall_{depth}": round(100 * float((ranks <= depth).mean()), 2) for depth in SCORED_DEPTHS}
        return {**scores, "score": scores["recall_10"]}


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
        self._targets = TermTargets(
            photos,
            vocabulary,
            [0.5 if n in noisy else 1.0 for n in range(len(photos))],
            [0.3 if n in noisy else 1.0 for n in range(len(photos))],
            device,
        )
        self._terms = self._targets.terms
        trained = [n for n, photo in enumerate(photos) if photo.split == "train" and self._terms[n]]
        self._good = [n for n in trained if n not in noisy for _ in range(repeats[n])]
        self._noisy = [n for n in trained if n in noisy]
        self._validation = [n for n, photo in enumerate(photos) if photo.split == "val" and self._terms[n]]
        self._targets.set_priors(head, trained)

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
        queries, owners = self._targets.queries(photos)
        scores = queries @ self._head.impacts(logits).T  # (captions, photos)
        contrast = contrastive(scores, owners, self._targets.weights(photos, owners))
        labelled = self._targets.labelling(logits, queries, owners, photos)
        distilled = self._distillation(maps, features)
        loss = contrast + recipe.labelling * labelled + recipe.distillation * distilled
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
        return self._targets.recall(impacts, self._validation)

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

    def _distillation(self, maps: Tensor, features: Tensor) -> Tensor:
        """The divergence of the classifier from the released one, on a quarter of the batch."""
        some = max(1, len(maps) // 4)
        with torch.no_grad():
            released = self._reference.classify(self._reference.tail(maps[:some]))
        return divergence(self._encoder.classify(features[:some]), released)


def divergence(tuned: Tensor, released: Tensor) -> Tensor:
    """Kullback-Leibler divergence of logits (N, classes) from the released ones, in the mean over N."""
    return F.kl_div(tuned.log_softmax(1), released.softmax(1), reduction="batchmean")


def contrastive(scores: Tensor, owners: Tensor, weights: Tensor, targets: Tensor | None = None) -> Tensor:
    """``scores`` (captions, photos): a caption's photo among photos and, at half the weight, the other way round.

    ``owners`` (captions,) are the places of the captions' photos, ``weights`` (captions,) what each one counts.
    With ``targets`` (captions, photos), rows that sum to 1, a caption belongs to other photos too, to each by its share
    (see :meth:`.sentences.Meanings.shared`), and a photo to its captions in the same proportions.
    """
    if targets is None:
        to_photo = F.cross_entropy(scores, owners, reduction="none")
        own = scores.gather(1, owners.unsqueeze(1)).squeeze(1)
        foreign = owners.unsqueeze(1) != torch.arange(scores.shape[1], device=scores.device)
        others = scores.masked_fill(~foreign, -1e9).logsumexp(0)  # of each photo, over other photos' captions
        to_caption = torch.logaddexp(own, others[owners]) - own
    else:
        to_photo = F.cross_entropy(scores, targets, reduction="none")
        of_photo = (targets / targets.sum(0).clamp(min=1e-6)).T  # (photos, captions)
        to_caption = F.cross_entropy(scores.T, of_photo, reduction="none")[owners]
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
