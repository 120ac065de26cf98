"""The stages in which the decoder learns from captions: it learns to speak, then to say what people say of photos.

``LanguageStage`` is teacher forcing on captions without photos, each with features sampled for it: cross entropy, word
by word. ``CaptionStage`` is the same on captions of real photos, with some such captions in each batch. What follows
them, the learning from rewards, is in reward.py.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from photoindex.captioner.beam import SearchSettings
from photoindex.captioner.network import CaptionDecoder, PhotoFeatures
from photoindex.captioner.vocabulary import PAD, UNK, Vocabulary
from photoindex.training.caption_scores import caption_split, score_captions
from photoindex.training.cleaning import is_plain
from photoindex.training.datasets import CaptionedPhoto
from photoindex.training.features import ViewCache
from photoindex.training.loop import drawn
from photoindex.training.text_only import FeatureRegression


@dataclass(frozen=True, slots=True)
class CaptionRecipe:
    """Everything that decides the outcome of the caption stage, besides the data."""

    decoder: str = "attention"
    hidden_size: int = 512
    heads: int = 4
    grid: int = 6
    dropout: float = 0.5
    threshold: int = 4  # a word seen less often in the training captions becomes <unk>
    epochs: int = 8
    learning_rate: float = 1e-3
    warmup_steps: int = 200
    constant_rate: bool = False
    label_smoothing: float = 0.1
    weight_decay: float = 1e-4
    clip_norm: float = 2.0
    batch_photos: int = 24
    most_captions: int = 4  # of a photo in one batch
    noisy_share: float = 1.0  # of the noisy photos, seen in each epoch
    noisy_threshold: int = 6  # a word that only they say, and less often, becomes <unk>
    noisy_unknown: float = 0.2  # the greatest share of <unk> in a noisy caption that is learned from
    labelled_share: float = 0.4  # of the photos with a label alone
    text_captions: int = 48  # captions without photos in each batch, where there are texts
    text_weight: float = 0.5  # of their loss
    max_words: int = 22  # longer captions are cut in training
    averaging: bool = True
    average_keep: float = 0.998  # of the average of the weights that each step keeps
    runs: int = 1  # from the same beginning, with seeds of their own: the mean of their weights is kept
    seed: int = 1


# The classic tutorial: one pooled feature vector, no regularisation, a constant learning rate.
TUTORIAL = CaptionRecipe(
    decoder="pooled", dropout=0.0, constant_rate=True, warmup_steps=0, label_smoothing=0.0, weight_decay=0.0,
    clip_norm=0.0, batch_photos=26, averaging=False, most_captions=5, noisy_share=0.0, labelled_share=0.0,
    text_captions=0,
)  # fmt: skip


# Of a decoder that has learned from people's captions already: what is new to it, gently.
FURTHER = CaptionRecipe(
    epochs=1, learning_rate=5e-4, warmup_steps=20, batch_photos=64, most_captions=1, noisy_share=0.6,
    labelled_share=0.3, text_captions=0, average_keep=0.98, runs=2,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LanguageRecipe:
    """Everything that decides the outcome of the language stage, besides the data."""

    epochs: int = 0  # left out: better on COCO's photos, worse on Flickr8k's (the model card has the figures)
    learning_rate: float = 1e-3
    warmup_steps: int = 200
    weight_decay: float = 1e-4
    label_smoothing: float = 0.1
    clip_norm: float = 2.0
    batch_captions: int = 128
    threshold: int = 60  # a word seen less often in them, and unknown from the photos' captions, becomes <unk>
    max_words: int = 22
    seed: int = 1


class FeatureCache:
    """What the encoder and the term head make of each photo's views.

    ``cache`` holds regions and summary of a view in one row, ``views[photo]`` are a photo's rows, the plain view first.
    """

    def __init__(
        self, cache: ViewCache, regions: tuple[int, int], views: Sequence[Sequence[int]], device: torch.device
    ) -> None:
        self._cache, self._regions, self._views, self._device = cache, regions, views, device
        self.channels = regions[1]
        self.summary_dim = cache.shape[0] - regions[0] * regions[1]

    def plain(self, photos: Sequence[int]) -> PhotoFeatures:
        """The photos as the captioner will see them."""
        return self._read([self._views[n][0] for n in photos])

    def varied(self, photos: Sequence[int], chance: random.Random) -> PhotoFeatures:
        """A view of each, drawn by ``chance``."""
        return self._read([chance.choice(self._views[n]) for n in photos])

    def _read(self, numbers: Sequence[int]) -> PhotoFeatures:
        rows = self._cache[numbers].to(self._device)
        regions, channels = self._regions
        return PhotoFeatures(
            rows[:, : regions * channels].reshape(-1, regions, channels), rows[:, regions * channels :]
        )


class StageInputs(NamedTuple):
    """What every stage of a decoder learns from and works with.

    ``repeats`` says how often each photo is seen in an epoch; ``cache`` has the features of the photos.
    """

    photos: Sequence[CaptionedPhoto]
    repeats: Sequence[int]
    cache: FeatureCache
    decoder: CaptionDecoder
    vocabulary: Vocabulary
    device: torch.device


class DecoderStage:
    """What the stages of a decoder share: the photos, the weights and the figures on the validation photos."""

    def __init__(self, inputs: StageInputs) -> None:
        photos, repeats = inputs.photos, inputs.repeats
        self._photos, self._cache = photos, inputs.cache
        self._decoder, self._vocabulary, self._device = inputs.decoder, inputs.vocabulary, inputs.device
        self._training = [n for n, p in enumerate(photos) if p.split == "train" for _ in range(repeats[n])]
        self._validation = [n for n, p in enumerate(photos) if p.split == "val"]

    def modules(self) -> dict[str, nn.Module]:
        return {"decoder": self._decoder}

    def members(self, epoch: int) -> Sequence[int]:
        return self._training

    def evaluate(self) -> dict[str, float]:
        """CIDEr and BLEU-4 of greedy captions, over the validation photos of all data sets together."""
        if not self._validation:
            return {}
        captions = caption_split(
            self._decoder, self._vocabulary, self._cache.plain, self._validation, SearchSettings(beam_width=1)
        )
        result = score_captions(captions, [self._photos[n].captions for n in self._validation])
        return {"cider": round(result.cider, 2), "bleu_4": round(result.bleu_4, 2), "score": result.cider}


@dataclass(frozen=True)
class Texts:
    """Captions without photos as (words, terms) in numbers, and the regression that gives features for one."""

    encoded: Sequence[tuple[list[int], list[int]]]
    regression: FeatureRegression

    def features(self, numbers: Sequence[int], device: torch.device, chance: random.Random) -> PhotoFeatures:
        """Return features for each of these captions, as of a photo."""
        sampled = self.regression.sample([self.encoded[n][1] for n in numbers], chance)
        return PhotoFeatures(sampled.regions.to(device), sampled.summary.to(device))

    def captions(self, numbers: Sequence[int], max_words: int) -> list[tuple[int, list[int]]]:
        """Their words, cut to ``max_words``, each with its place among the photos of :meth:`features`."""
        return [(place, self.encoded[n][0][: max_words + 2]) for place, n in enumerate(numbers)]


class CaptionStage(DecoderStage):
    """A stage of :class:`.loop.Loop`: teacher forcing on the photos' captions.

    ``noisy`` and ``labelled`` photos take part with a share in each epoch. ``<unk>`` in a caption is not learned.
    """

    name = "captions"

    def __init__(
        self,
        inputs: StageInputs,
        recipe: CaptionRecipe,
        *,
        noisy: frozenset[int] = frozenset(),
        labelled: frozenset[int] = frozenset(),
        texts: Texts | None = None,
    ) -> None:
        photos, vocabulary = inputs.photos, inputs.vocabulary
        super().__init__(inputs)
        self._recipe, self._texts = recipe, texts
        self._encoded = encoded_captions(photos, {*self._training, *labelled}, noisy, vocabulary, recipe)
        self._noisy = sorted(noisy & self._encoded.keys())
        self._labelled = sorted(labelled)

    def members(self, epoch: int) -> Sequence[int]:
        recipe = self._recipe
        by_shares = (self._noisy, recipe.noisy_share), (self._labelled, recipe.labelled_share)
        return [*self._training, *drawn(recipe.seed, epoch, *by_shares)]

    def groups(self) -> list[dict[str, Any]]:
        recipe = self._recipe
        return [
            {"params": [*self._decoder.parameters()], "lr": recipe.learning_rate, "weight_decay": recipe.weight_decay}
        ]

    def loss(self, photos: Sequence[int], chance: random.Random) -> tuple[Tensor, float]:
        recipe = self._recipe
        captions = some_captions(self._encoded, photos, recipe.most_captions, chance)
        features = self._cache.varied(photos, chance)
        loss, shown = teacher_forcing(self._decoder, features, captions, recipe.label_smoothing)
        if self._texts is not None and recipe.text_captions:
            some = chance.sample(range(len(self._texts.encoded)), min(recipe.text_captions, len(self._texts.encoded)))
            text_loss, _ = teacher_forcing(
                self._decoder,
                self._texts.features(some, self._device, chance),
                self._texts.captions(some, recipe.max_words),
                recipe.label_smoothing,
            )
            loss = loss + recipe.text_weight * text_loss
        return loss, shown


Encoded = Mapping[int, list[list[int]]]  # captions of photos, by the photo's number, in word numbers


def encoded_captions(
    photos: Sequence[CaptionedPhoto],
    whole: Iterable[int],
    noisy: Iterable[int],
    vocabulary: Vocabulary,
    recipe: CaptionRecipe,
) -> Encoded:
    """What there is to learn: all captions of the photos ``whole``, cut to the longest, and the plain ones of noisy
    photos."""
    longest = recipe.max_words + 2  # <start> and <end>
    encoded = {n: [vocabulary.encode(caption)[:longest] for caption in photos[n].captions] for n in whole}
    return {**encoded, **plain_captions(photos, noisy, vocabulary, recipe)}


def plain_captions(
    photos: Sequence[CaptionedPhoto], numbers: Iterable[int], vocabulary: Vocabulary, recipe: CaptionRecipe
) -> Encoded:
    """Those captions of noisy photos that are plain sentences with few unknown words; a photo without any is left
    out."""
    encoded = {}
    for n in numbers:
        cleaned = [vocabulary.encode(c)[: recipe.max_words + 2] for c in photos[n].captions if is_plain(c)]
        if kept := [words for words in cleaned if _unknown(words) <= recipe.noisy_unknown]:
            encoded[n] = kept
    return encoded


def some_captions(
    encoded: Encoded, photos: Sequence[int], most: int, chance: random.Random
) -> list[tuple[int, list[int]]]:
    """At most ``most`` captions of each photo, drawn by ``chance``, each with its photo's place in ``photos``."""
    captions = []
    for place, n in enumerate(photos):
        texts = encoded.get(n, [])
        captions += [(place, text) for text in (texts if len(texts) <= most else chance.sample(texts, most))]
    return captions


def _unknown(words: Sequence[int]) -> float:
    """The share of ``<unk>`` in a caption."""
    return sum(word == UNK for word in words) / max(1, len(words) - 2)


class LanguageStage(DecoderStage):
    """A stage of :class:`.loop.Loop`: teacher forcing on texts without photos.

    Its members are texts. It is measured on real photos all the same.
    """

    name = "language"

    def __init__(
        self,
        inputs: StageInputs,
        texts: Texts,
        recipe: LanguageRecipe,
    ) -> None:
        super().__init__(inputs)
        self._texts, self._recipe = texts, recipe

    def members(self, epoch: int) -> Sequence[int]:
        return range(len(self._texts.encoded))

    def groups(self) -> list[dict[str, Any]]:
        recipe = self._recipe
        return [
            {"params": [*self._decoder.parameters()], "lr": recipe.learning_rate, "weight_decay": recipe.weight_decay}
        ]

    def loss(self, photos: Sequence[int], chance: random.Random) -> tuple[Tensor, float]:
        return teacher_forcing(
            self._decoder,
            self._texts.features(photos, self._device, chance),
            self._texts.captions(photos, self._recipe.max_words),
            self._recipe.label_smoothing,
        )


def teacher_forcing(
    decoder: CaptionDecoder,
    features: PhotoFeatures,
    captions: Sequence[tuple[int, Sequence[int]]],
    label_smoothing: float,
) -> tuple[Tensor, float]:
    """Cross entropy of (photo, words) captions, word by word, and the same as a number."""
    device = features.regions.device
    owners, words, lengths, _ = padded(captions)
    with torch.autocast("cuda", torch.bfloat16, enabled=device.type == "cuda"):
        logits, targets = decoder(features, owners.to(device), words.to(device), lengths)
    loss = F.cross_entropy(logits.float(), targets, ignore_index=UNK, label_smoothing=label_smoothing)
    return loss, float(loss.detach())


def padded(captions: Sequence[tuple[int, Sequence[int]]]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(photo, caption) pairs -> owners (N,), words (N, T), lengths (N,) and their new order: longest first."""
    order = sorted(range(len(captions)), key=lambda number: -len(captions[number][1]))
    words = torch.full((len(order), len(captions[order[0]][1])), PAD, dtype=torch.long)
    for row, number in enumerate(order):
        caption = captions[number][1]
        words[row, : len(caption)] = torch.tensor(caption)
    owners = torch.tensor([captions[number][0] for number in order])
    lengths = torch.tensor([len(captions[number][1]) for number in order])
    return owners, words, lengths, torch.tensor(order)
