"""The last stage of the decoder: it learns to be understood as people are.

Self-critical sequence training (Rennie et al. 2017, arXiv:1612.00563): the decoder draws several captions of each photo
and is moved towards those that people's captions agree with more than with the others (CIDEr-D); the mean of the other
draws is the baseline, as in Luo (2020, arXiv:2003.09971). Agreement alone pays for what is usually said: a recipe may
have captions lose something for naming what people do not see, as they are judged afterwards (hallucination.py).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence

from photoindex.captioner.network import CaptionDecoder, PhotoFeatures, start_words
from photoindex.captioner.vocabulary import END, PAD, START, UNK
from photoindex.language.persons import names_person
from photoindex.training.captions import DecoderStage, Encoded, StageInputs, padded
from photoindex.training.cider import CiderReward
from photoindex.training.hallucination import objects_in
from photoindex.training.loop import AVERAGING, drawn
from photoindex.training.persons import persons_in


@dataclass(frozen=True, slots=True)
class RewardRecipe:
    """Everything that decides the outcome of the reward stage, besides the data."""

    epochs: int = 0  # left out: beam search gained nothing from it (the model card has the figures)
    learning_rate: float = 6e-5
    warmup_steps: int = 20
    clip_norm: float = 1.0
    batch_photos: int = 24
    draws: int = 5  # captions of each photo in a batch
    max_words: int = 18
    noisy_share: float = 0.0  # of the noisy photos with a plain caption, seen in each epoch
    # What a drawn caption loses, in units of CIDEr-D: for each thing that it names and nobody did, for a person where
    # people name none, and for no person where people name one. 0: people's agreement is all that counts.
    thing_penalty: float = 0.0
    person_penalty: float = 0.0
    missed_penalty: float = 0.0
    average_keep: float = AVERAGING  # of the average of the weights that each step keeps
    seed: int = 1


class Penalties:
    """What captions of photos lose for what nobody sees in them. ``captions`` are people's, of each photo."""

    def __init__(self, captions: Mapping[int, Sequence[str]], recipe: RewardRecipe) -> None:
        self._recipe = recipe
        self._things = {n: set().union(*map(objects_in, texts)) for n, texts in captions.items()}
        self._persons = {n: persons_in(texts) for n, texts in captions.items()}

    def of(self, photo: int, caption: str) -> float:
        """The sum of the caption's penalties, 0 or more; in doubt about a person there is none, as in
        :func:`.hallucination.score_persons`."""
        recipe, person, lost = self._recipe, self._persons[photo], 0.0
        if recipe.thing_penalty:
            lost += recipe.thing_penalty * len(objects_in(caption) - self._things[photo])
        if recipe.person_penalty and person == 0 and names_person(caption, surely=True):
            lost += recipe.person_penalty
        if recipe.missed_penalty and person == 1 and not names_person(caption):
            lost += recipe.missed_penalty
        return lost


class RewardStage(DecoderStage):
    """A stage of :class:`.loop.Loop`: self-critical training.

    ``noisy`` are the captions, in word numbers, of noisy photos that take part with a share in each epoch.
    What it shows is the mean reward of the draws in percent, with the sign turned: it falls, like a loss.
    """

    name = "reward"

    def __init__(self, inputs: StageInputs, recipe: RewardRecipe, noisy: Encoded | None = None) -> None:
        photos, vocabulary = inputs.photos, inputs.vocabulary
        super().__init__(inputs)
        self._recipe = recipe
        taking_part = noisy if noisy is not None and recipe.noisy_share else {}
        self._noisy = sorted(taking_part)
        references = {n: [vocabulary.encode(c)[1:] for c in photos[n].captions] for n in set(self._training)}
        references.update({n: [words[1:] for words in texts] for n, texts in taking_part.items()})
        self._cider = CiderReward(references)
        self._penalties = Penalties({n: photos[n].captions for n in references}, recipe)

    def members(self, epoch: int) -> Sequence[int]:
        return [*self._training, *drawn(self._recipe.seed, epoch, (self._noisy, self._recipe.noisy_share))]

    def reward(self, photo: int, words: Sequence[int]) -> float:
        """CIDEr-D of a caption (word numbers without ``<start>``) against people's, less its penalties."""
        return self._cider.score(photo, words) - self._penalties.of(photo, self._vocabulary.decode(words))

    def groups(self) -> list[dict[str, Any]]:
        return [{"params": [*self._decoder.parameters()], "lr": self._recipe.learning_rate, "weight_decay": 0.0}]

    def loss(self, photos: Sequence[int], chance: random.Random) -> tuple[Tensor, float]:
        draws = self._recipe.draws
        features = self._cache.varied(photos, chance)
        # No dropout: the draws and the probabilities that are moved must be one network's. With dropout in the second
        # pass alone the reward rose for half an epoch and then fell back to where it had begun.
        self._decoder.eval()
        captions = draw_captions(self._decoder, features, draws, self._recipe.max_words)
        rewards = torch.tensor(
            [self.reward(photos[row // draws], caption) for row, caption in enumerate(captions)]
        ).view(-1, draws)
        baseline = (rewards.sum(1, keepdim=True) - rewards) / (draws - 1)
        advantage = (rewards - baseline).flatten()
        owners, words, lengths, order = padded([(row // draws, [START, *c]) for row, c in enumerate(captions)])
        with torch.autocast("cuda", torch.bfloat16, enabled=self._device.type == "cuda"):
            logits, targets = self._decoder(features, owners.to(self._device), words.to(self._device), lengths)
        log_probabilities = logits.float().log_softmax(1).gather(1, targets.unsqueeze(1)).squeeze(1)
        credit = advantage[order].unsqueeze(1).expand(-1, words.shape[1] - 1)
        packed = pack_padded_sequence(credit, lengths - 1, batch_first=True).data.to(self._device)
        return -(packed * log_probabilities).mean(), -100 * float(rewards.mean())


@torch.no_grad()
def draw_captions(decoder: CaptionDecoder, features: PhotoFeatures, draws: int, max_words: int) -> list[list[int]]:
    """``draws`` captions of each photo, photo by photo, drawn word by word from the decoder's own probabilities.

    Word numbers ending with ``<end>``, unless ``max_words`` came first.
    """
    device = features.regions.device
    photos = torch.arange(len(features), device=device).repeat_interleave(draws)
    state = decoder.start(features).select(photos)
    captions: list[list[int]] = [[] for _ in photos]
    open_rows = list(range(len(photos)))
    words = start_words(len(photos), device)
    for _ in range(max_words + 1):
        hidden, state = decoder.step(words, state)
        logits = decoder.logits(hidden).float()
        logits[:, [PAD, START, UNK]] = -torch.inf
        words = torch.multinomial(logits.softmax(1), 1).squeeze(1)
        drawn = words.tolist()
        for row, word in zip(open_rows, drawn, strict=True):
            captions[row].append(word)
        kept = [place for place, word in enumerate(drawn) if word != END]
        if not kept:
            break
        if len(kept) < len(drawn):
            places = torch.tensor(kept, device=device)
            open_rows, words, state = [open_rows[place] for place in kept], words[places], state.select(places)
    return captions
