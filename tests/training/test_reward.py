"""What captions are paid for in self-critical training, and what they lose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from photoindex.captioner.vocabulary import Vocabulary
from photoindex.training.captions import StageInputs
from photoindex.training.datasets import CaptionedPhoto
from photoindex.training.reward import Penalties, RewardRecipe, RewardStage

PEOPLE = {
    0: ("a dog lies on a couch", "a puppy on a sofa"),
    1: ("a woman rides a horse",),
    2: ("a couple stands near a bus",),  # of whom, nobody knows
}


def lost(photo: int, caption: str, **penalties: Any) -> float:
    return Penalties(PEOPLE, RewardRecipe(**penalties)).of(photo, caption)


@pytest.mark.parametrize(("photo", "caption", "things"), [
    (0, "a dog on a sofa", 0),
    (0, "a puppy on a couch", 0),
    (0, "a cat on a couch", 1),
    (0, "a cat and a bird on a bed", 3),
    (0, "a sunny day", 0),
    (1, "a man on a pony", 0),  # persons are one thing, and the pony is a horse
])  # fmt: skip
def test_each_thing_that_nobody_named_costs(photo: int, caption: str, things: int) -> None:
    assert lost(photo, caption, thing_penalty=0.3) == pytest.approx(0.3 * things)
    assert lost(photo, caption) == 0


@pytest.mark.parametrize(("photo", "caption", "invented", "missed"), [
    (0, "a man with a dog", 1, 0),
    (0, "a couple of dogs", 0, 0),
    (0, "a dog", 0, 0),
    (1, "a horse in a field", 0, 1),
    (1, "a man on a horse", 0, 0),
    (1, "a couple on a horse", 0, 0),
    (2, "a man near a bus", 0, 0),
    (2, "a bus", 0, 0),
])  # fmt: skip
def test_a_person_who_is_not_there_costs_and_one_who_is_passed_over(
    photo: int, caption: str, invented: int, missed: int
) -> None:
    assert lost(photo, caption, person_penalty=1.0) == invented
    assert lost(photo, caption, missed_penalty=0.5) == 0.5 * missed


def stage(recipe: RewardRecipe) -> tuple[RewardStage, Vocabulary]:
    """People's photos 0 and 1; 2 is a noisy one."""
    photos = [CaptionedPhoto(Path(f"{n}.png"), "train", captions) for n, captions in PEOPLE.items()]
    vocabulary = Vocabulary.from_captions(["a cat and a bird", *(c for texts in PEOPLE.values() for c in texts)], 1)
    unused: Any = None
    inputs = StageInputs(photos, [2, 1, 0], unused, unused, vocabulary, unused)
    return RewardStage(inputs, recipe, {2: [vocabulary.encode(PEOPLE[2][0])]}), vocabulary


def test_penalties_come_off_the_agreement_with_people() -> None:
    plain, vocabulary = stage(RewardRecipe())
    strict, _ = stage(RewardRecipe(thing_penalty=0.3, person_penalty=1.0, missed_penalty=0.5))
    invented, right = (
        vocabulary.encode(text)[1:] for text in ("a woman and a cat on a couch", "a dog lies on a couch")
    )
    # The woman is a thing that nobody named as well.
    assert strict.reward(0, invented) == pytest.approx(plain.reward(0, invented) - 2 * 0.3 - 1.0)
    assert strict.reward(0, right) == plain.reward(0, right) > 0
    assert strict.reward(1, right) == pytest.approx(plain.reward(1, right) - 2 * 0.3 - 0.5)


@pytest.mark.parametrize(("share", "members"), [(0.0, [0, 0, 1]), (1.0, [0, 0, 1, 2])])
def test_noisy_photos_take_part_by_their_share(share: float, members: list[int]) -> None:
    chosen, vocabulary = stage(RewardRecipe(noisy_share=share))
    assert sorted(chosen.members(0)) == members
    if share:
        assert chosen.reward(2, vocabulary.encode(PEOPLE[2][0])[1:]) > 0
