"""The first stage of the recipe ``joint``: encoder, term head and a decoder learn at once, from the pixels on.

It takes the place of the stage ``words`` (terms.py), which trains the encoder's tail on maps that the trunk made once.
Here the whole encoder is trained, on new views in every step (device_augmentation.py), and photos with a label alone
take part. The losses, for a batch of photos with their captions:

- contrastive and multi-label, as in terms.py; in the first a photo also is an answer to captions that mean nearly what
  its own say (:meth:`.sentences.Meanings.shared`);
- alignment: a linear map of the term head's summary is to be near the sentence vectors of the photo's captions, and
  further from others' (InfoNCE, as CLIP has it, Radford et al. 2021, arXiv:2103.00020): words of one meaning draw
  photos together although they are different terms;
- somebody: whether there is a human being in the photo, read from the summary;
- captions: teacher forcing, so that the regions hold what sentences need. The decoder is left behind afterwards: the
  stages that follow train one on features that no longer change;
- distillation, as in terms.py.

Batch normalisation keeps the released statistics, blocks near the pixels learn more slowly than later ones, and blocks
are left out at random.
"""

from __future__ import annotations

import copy
import math
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from photoindex.captioner.encoders import Encoder, set_drop_path
from photoindex.captioner.network import CaptionDecoder, PhotoFeatures, TermHead, regions_of
from photoindex.language.persons import PERSON_STEMS
from photoindex.training.captions import Encoded, some_captions, teacher_forcing
from photoindex.training.device_augmentation import Augmentation, varied
from photoindex.training.features import ViewCache
from photoindex.training.loop import drawn
from photoindex.training.persons import persons_in
from photoindex.training.photo_sets import PhotoSets
from photoindex.training.sentences import SIZE, Meanings
from photoindex.training.terms import (
    GREATEST_OF,
    STANDARD_BATCH,
    TermTargets,
    TermVocabularyBuilder,
    contrastive,
    divergence,
)

PIXELS = 288  # of a side of the photos that views are taken from
# What a photo's captions count when they are to find it, and how far they are believed to name what is in it.
PEOPLE, NOISY, LABELLED = (1.0, 1.0), (0.6, 0.3), (0.3, 0.5)
UNNAMED = 0.1  # what it counts that a label leaves a term out, unless it is a word for a person
CPU_PART = 8  # photos whose activations are in memory at once on a CPU; the batch's are recomputed part by part
PHOTO_BYTES = 120e6  # of a GPU's memory that a photo's activations take, generously
FIRST_SCALE, GREATEST_SCALE = 20.0, 60.0  # of the cosines in the alignment


@dataclass(frozen=True, slots=True)
class JointRecipe:
    """Everything that decides the outcome of the stage, besides the data."""

    epochs: int = 0  # left out: it wants a GPU
    batch_photos: int = 256
    encoder_rate: float = 4e-4  # of the last block
    rate_decay: float = 0.95  # from each block to the one before it
    head_rate: float = 1e-3
    decoder_rate: float = 6e-4
    encoder_weight_decay: float = 0.05  # of matrices, as the others
    head_weight_decay: float = 0.05
    decoder_weight_decay: float = 1e-3
    drop_path: float = 0.1
    dropout: float = 0.3
    hidden_size: int = 512
    threshold: int = 4  # a stem in fewer captions is no term
    pair_threshold: int = 12  # the same of two neighbouring stems
    labelling: float = 0.3  # weight of the multi-label loss
    alignment: float = 0.3
    somebody: float = 0.2
    captioning: float = 0.5
    distillation: float = 0.3
    shared: float = 0.2  # of a caption, among the photos whose captions mean nearly the same
    shared_temperature: float = 0.07
    most_captions: int = 2  # of a photo in one batch, that the decoder learns
    label_smoothing: float = 0.1
    noisy_share: float = 1.0  # of the noisy photos, seen in each epoch
    labelled_share: float = 0.5  # of the photos with a label alone
    augmentation: Augmentation = field(default_factory=Augmentation)
    warmup_steps: int = 150
    clip_norm: float = 5.0
    seed: int = 1


class Alignment(nn.Module):
    """Summaries (P, S) beside sentence vectors (N, 384): scaled cosines (N, P)."""

    def __init__(self, summary_size: int) -> None:
        super().__init__()
        self.map = nn.Linear(summary_size, SIZE)
        self.log_scale = nn.Parameter(torch.tensor(math.log(FIRST_SCALE)))

    def forward(self, meanings: Tensor, summaries: Tensor) -> Tensor:
        scale = self.log_scale.exp().clamp(max=GREATEST_SCALE)
        scores: Tensor = scale * (meanings @ F.normalize(self.map(summaries), dim=1).T)
        return scores


class Networks(NamedTuple):
    """What the stage trains, in place. The encoder is not folded."""

    encoder: Encoder
    head: TermHead
    decoder: CaptionDecoder


class JointInputs(NamedTuple):
    """What the stage learns from.

    ``pixels`` has uint8 (3, 288, 288) of each photo of ``pixels_of``, ``plain`` the same at the encoder's size of each
    photo of ``plain_of``: those that :func:`plain_members` names. ``meanings`` holds the captions of the training
    photos, ``captions`` those that the decoder learns.
    """

    sets: PhotoSets
    vocabulary: TermVocabularyBuilder
    pixels: ViewCache
    pixels_of: Sequence[int]
    plain: ViewCache
    plain_of: Sequence[int]
    meanings: Meanings
    captions: Encoded


def plain_members(sets: PhotoSets) -> list[int]:
    """The photos that the stage is to see as the captioner will: to be measured, and the first of the others."""
    return [n for n, photo in enumerate(sets.photos) if photo.split == "val"] + sets.trained()[:GREATEST_OF]


class JointStage:
    """A stage of :class:`.loop.Loop`. What it shows is the contrastive loss of the terms."""

    name = "joint"

    def __init__(self, inputs: JointInputs, networks: Networks, recipe: JointRecipe, device: torch.device) -> None:
        self._inputs, self._recipe, self._device = inputs, recipe, device
        self._encoder, self._head, self._decoder = networks
        sets = self._sets = inputs.sets
        kinds = [
            NOISY if n in sets.noisy else LABELLED if n in sets.labelled else PEOPLE for n in range(len(sets.photos))
        ]
        self._trust = [trust for _, trust in kinds]
        self._targets = TermTargets(sets.photos, inputs.vocabulary, [worth for worth, _ in kinds], self._trust, device)
        with_terms = {n for n in sets.trained() if self._targets.terms[n]}
        self._good = [n for n in sets.by_people() if n in with_terms for _ in range(sets.repeats[n])]
        self._noisy, self._labelled = sorted(sets.noisy & with_terms), sorted(sets.labelled & with_terms)
        self._targets.set_priors(self._head, sorted(with_terms))
        self._persons = {n: persons_in(sets.photos[n].captions) for n in with_terms}
        person_terms = [term in PERSON_STEMS for term in inputs.vocabulary.terms]
        self._counted = torch.tensor(person_terms, device=device).float().clamp(min=UNNAMED)  # of a label's photo
        self._read = _reader(inputs.pixels, device)
        self._place = {n: place for place, n in enumerate(inputs.pixels_of)}
        self._plain_place = {n: place for place, n in enumerate(inputs.plain_of)}
        self._reference = copy.deepcopy(self._encoder).eval().requires_grad_(False)
        set_drop_path(self._encoder, recipe.drop_path)
        with torch.random.fork_rng(devices=[]):  # so that the first weights depend on the seed alone
            torch.manual_seed(recipe.seed)
            self._alignment = Alignment(self._head.config.hidden_size).to(device)

    # ---- what the loop asks for ------------------------------------------------------------------

    def modules(self) -> dict[str, nn.Module]:
        return {
            "encoder": self._encoder, "head": self._head, "decoder": self._decoder, "alignment": self._alignment
        }  # fmt: skip

    def groups(self) -> list[dict[str, Any]]:
        recipe, blocks = self._recipe, _blocks(self._encoder)
        parts = [
            (parameters, recipe.encoder_rate * recipe.rate_decay**before_last, recipe.encoder_weight_decay)
            for before_last, parameters in enumerate(reversed(blocks))
        ]
        parts += [
            ([*self._head.parameters(), *self._alignment.parameters()], recipe.head_rate, recipe.head_weight_decay),
            ([*self._decoder.parameters()], recipe.decoder_rate, recipe.decoder_weight_decay),
        ]
        return [
            {"params": chosen, "lr": rate, "weight_decay": decay if matrices else 0.0}
            for parameters, rate, decay in parts
            for matrices in (True, False)
            if (chosen := [p for p in parameters if (p.dim() > 1) == matrices])
        ]

    def members(self, epoch: int) -> Sequence[int]:
        recipe = self._recipe
        by_shares = (self._noisy, recipe.noisy_share), (self._labelled, recipe.labelled_share)
        return [*self._good, *drawn(recipe.seed, epoch, *by_shares)]

    def loss(self, photos: Sequence[int], chance: random.Random) -> tuple[Tensor, float]:
        recipe, targets = self._recipe, self._targets
        photos = list(dict.fromkeys(photos))  # the same photo twice would be its own negative
        images = self._varied(photos)
        features = self._trained_features(images)
        summary = self._head.summary(features)
        logits = self._head.logits(features, summary)
        queries, owners = targets.queries(photos)
        weights = targets.weights(photos, owners)
        meanings = self._inputs.meanings([caption for n in photos for caption in targets.captions[n]])
        shares = Meanings.shared(meanings, owners, len(photos), recipe.shared, recipe.shared_temperature)
        contrast = contrastive(queries @ self._head.impacts(logits).T, owners, weights, shares)
        aligned = contrastive(self._alignment(meanings, summary), owners, weights, shares)
        loss = (
            contrast
            + recipe.labelling * targets.labelling(logits, queries, owners, photos, self._counting(photos))
            + recipe.alignment * aligned
            + recipe.somebody * self._somebody_loss(summary, photos)
            + recipe.distillation * self._distillation(images, features)
        )
        if captions := some_captions(self._inputs.captions, photos, recipe.most_captions, chance):
            photo_features = PhotoFeatures(regions_of(features, self._decoder.config.grid), summary)
            loss = (
                loss
                + recipe.captioning
                * teacher_forcing(self._decoder, photo_features, captions, recipe.label_smoothing)[0]
            )
        return loss, float(contrast.detach())

    def evaluate(self) -> dict[str, float]:
        """R@n of the validation captions among the validation photos, with the strongest terms of each photo only."""
        measured = [n for n in self._inputs.plain_of if self._sets.photos[n].split == "val" and self._targets.terms[n]]
        return self._targets.recall(self._impacts(measured), measured) if measured else {}

    def greatest_impact(self) -> float:
        """Over the first 512 training photos as the captioner sees them."""
        return float(self._impacts([n for n in self._inputs.plain_of if self._sets.photos[n].split == "train"]).max())

    # ---- inside ----------------------------------------------------------------------------------

    def _varied(self, photos: Sequence[int]) -> Tensor:
        """A new view of each photo, normalised (P, 3, size, size)."""
        preprocessing = self._encoder.preprocessing
        images = varied(self._read([self._place[n] for n in photos]), preprocessing.size, self._recipe.augmentation)
        return preprocessing.normalise(images).contiguous(memory_format=torch.channels_last)

    def _features(self, images: Tensor) -> Tensor:
        with torch.autocast("cuda", torch.bfloat16, enabled=self._device.type == "cuda"):
            features: Tensor = self._encoder(images)
        return features.float()

    def _trained_features(self, images: Tensor) -> Tensor:
        """Feature maps (P, C, h, w) to learn by.

        The losses compare all photos of a batch, whose activations may not fit into memory together: then they are
        computed part by part and again for the gradient (Chen et al. 2016, arXiv:1604.06174).
        """
        for module in self._encoder.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()  # the loop put it into training with all the others
        part = CPU_PART
        if self._device.type == "cuda":
            part = max(CPU_PART, int(torch.cuda.get_device_properties(self._device).total_memory / 2 / PHOTO_BYTES))
        if len(images) <= part:
            return self._features(images)
        parts = [images[start : start + part] for start in range(0, len(images), part)]
        return torch.cat([checkpoint(self._features, some, use_reentrant=False) for some in parts])

    def _impacts(self, photos: Sequence[int]) -> Tensor:
        """Impacts (P, terms) of photos as the captioner sees them."""
        normalise, parts = self._encoder.preprocessing.normalise, []
        with torch.inference_mode():
            for start in range(0, len(photos), STANDARD_BATCH):
                places = [self._plain_place[n] for n in photos[start : start + STANDARD_BATCH]]
                images = normalise(self._inputs.plain.stored(places).to(self._device))
                features = self._features(images.contiguous(memory_format=torch.channels_last))
                parts.append(self._head.impacts(self._head(features)))
        return torch.cat(parts)

    def _counting(self, photos: Sequence[int]) -> Tensor:
        """How much it counts that a term is not mentioned, (P, terms): a label names one thing of what there is."""
        labelled = torch.tensor([n in self._sets.labelled for n in photos], device=self._device)
        return torch.where(labelled.unsqueeze(1), self._counted, 1.0)

    def _somebody_loss(self, summary: Tensor, photos: Sequence[int]) -> Tensor:
        """Cross entropy of who is there, of those photos whose captions tell it."""
        known = [place for place, n in enumerate(photos) if self._persons[n] is not None]
        if self._head.somebody is None or not known:
            return summary.new_zeros(())
        odds = self._head.somebody(summary).squeeze(1)[known]
        present = torch.tensor([self._persons[photos[place]] for place in known], device=self._device)
        weights = torch.tensor([0.5 + 0.5 * self._trust[photos[place]] for place in known], device=self._device)
        losses = F.binary_cross_entropy_with_logits(odds, present, reduction="none")
        return (losses * weights).sum() / weights.sum()

    def _distillation(self, images: Tensor, features: Tensor) -> Tensor:
        """The divergence of the classifier from the released one, on a quarter of the batch."""
        some = max(1, len(images) // 4)
        with torch.no_grad(), torch.autocast("cuda", torch.bfloat16, enabled=self._device.type == "cuda"):
            released = self._reference.classify(self._reference(images[:some])).float()
        return divergence(self._encoder.classify(features[:some]), released)


_BLOCK = re.compile(r"[a-z]+(\.\d+)+\.")


def _blocks(encoder: Encoder) -> list[list[nn.Parameter]]:
    """The encoder's parameters, block by block from the pixels on; the first has the stem, the last what follows."""
    blocks: dict[str, list[nn.Parameter]] = {}
    for name, parameter in encoder.named_parameters():
        numbered = _BLOCK.match(name)
        key = "stem" if name.startswith("stem") else numbered.group() if numbered else "end"
        blocks.setdefault(key, []).append(parameter)
    return list(blocks.values())


def _reader(pixels: ViewCache, device: torch.device) -> Callable[[Sequence[int]], Tensor]:
    """Photos by their places, uint8 (n, 3, S, S) on the device: from its own memory where half of what is free holds
    them all, else from the file."""
    needed = len(pixels) * math.prod(pixels.shape)
    if device.type != "cuda" or torch.cuda.mem_get_info(device)[0] < 2 * needed:
        return lambda places: pixels.stored(places).to(device)
    everything = torch.empty((len(pixels), *pixels.shape), dtype=torch.uint8, device=device)
    for start in range(0, len(pixels), 1024):
        some = range(start, min(start + 1024, len(pixels)))
        everything[start : some.stop] = pixels.stored(some).to(device)
    return lambda places: everything[torch.tensor(places, device=device)]
