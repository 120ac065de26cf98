"""Recipes: everything that decides the outcome of a training run, besides the data."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from photoindex.captioner.beam import SearchSettings
from photoindex.training.captions import FURTHER, TUTORIAL, CaptionRecipe, LanguageRecipe
from photoindex.training.joint import JointRecipe
from photoindex.training.reward import RewardRecipe
from photoindex.training.terms import TermRecipe

# Chosen on the validation photos of all data sets together; the model card has the figures.
SEARCH = SearchSettings(doubt=0.6, doubt_below=-1.0, doubt_persons_below=1.0)


@dataclass(frozen=True, slots=True)
class Recipe:
    """Recorded in the checkpoint.

    A stage of 0 epochs is left out: without ``words`` and ``joint`` the encoder stays as released and the model has no
    term head. ``joint`` takes the place of ``words``.
    """

    encoder: str = "efficientnet_lite2"
    views: int = 4  # of each training photo: the plain one and varied ones
    noisy_views: int = 2  # the same of noisy and of labelled photos, at most
    words: TermRecipe = field(default_factory=TermRecipe)
    joint: JointRecipe = field(default_factory=JointRecipe)
    language: LanguageRecipe = field(default_factory=LanguageRecipe)
    captions: CaptionRecipe = field(default_factory=CaptionRecipe)
    reward: RewardRecipe = field(default_factory=RewardRecipe)
    search: SearchSettings = SEARCH  # of the model's captions
    # The side of the square that the finished model sees, where that is larger than what it learned from: varied views
    # show things larger than whole photos do, and a larger picture makes up for that (Touvron et al. 2019,
    # arXiv:1906.06423).
    pixels: int | None = None


_NO_WORDS = replace(TermRecipe(), epochs=0)
RECIPES = {
    "attention": Recipe(),
    "pooled": Recipe(views=1, words=_NO_WORDS, captions=TUTORIAL, reward=replace(RewardRecipe(), epochs=0)),
    "further": Recipe(views=1, words=_NO_WORDS, captions=FURTHER),
    # Of the shipped model; its card has the figures.
    "joint": Recipe(
        views=6,
        noisy_views=3,
        words=_NO_WORDS,
        joint=replace(JointRecipe(), epochs=33),
        language=LanguageRecipe(epochs=2, warmup_steps=100, batch_captions=512, seed=5),
        captions=CaptionRecipe(
            epochs=9, learning_rate=8e-4, warmup_steps=100, batch_photos=128, labelled_share=0.3, text_captions=0,
            seed=5,
        ),
        reward=RewardRecipe(
            epochs=6, learning_rate=3e-5, warmup_steps=0, batch_photos=128, noisy_share=0.2, thing_penalty=0.3,
            person_penalty=1.0, missed_penalty=0.5, average_keep=0.99,
        ),
        pixels=320,
        # These win back most of the agreement with people that the penalties of the reward cost.
        search=replace(SEARCH, length_penalty=0.7, evidence=0.2, doubt_persons_below=1.6),
    ),
}  # fmt: skip
