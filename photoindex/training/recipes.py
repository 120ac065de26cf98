"""Recipes: everything that decides the outcome of a training run, besides the data."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from photoindex.training.captions import FURTHER, TUTORIAL, CaptionRecipe, LanguageRecipe
from photoindex.training.joint import JointRecipe
from photoindex.training.reward import RewardRecipe
from photoindex.training.terms import TermRecipe


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


_NO_WORDS = replace(TermRecipe(), epochs=0)
RECIPES = {
    "attention": Recipe(),
    "pooled": Recipe(views=1, words=_NO_WORDS, captions=TUTORIAL, reward=replace(RewardRecipe(), epochs=0)),
    "further": Recipe(views=1, words=_NO_WORDS, captions=FURTHER),
    # Chosen on the validation photos, with an encoder trained on a GPU; the model card has the figures.
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
    ),
}  # fmt: skip
