"""The reward is the CIDEr-D that captions are later judged by."""

import random

import pytest

from photoindex.captioner.vocabulary import END
from photoindex.training.cider import CiderReward

pytest.importorskip("pycocoevalcap")


def made_up(seed: int) -> dict[int, list[list[int]]]:
    chance = random.Random(seed)
    return {
        photo: [[chance.randrange(4, 12) for _ in range(chance.randrange(1, 9))] for _ in range(chance.randrange(1, 6))]
        for photo in range(30)
    }


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_it_equals_the_evaluations_own(seed: int) -> None:
    from pycocoevalcap.cider.cider import Cider

    references = made_up(seed)
    candidates = {photo: captions[0][::-1] + [5] for photo, captions in made_up(seed + 100).items()}

    def text(words: list[int]) -> str:
        return " ".join(map(str, words))

    _, expected = Cider().compute_score(
        {photo: [text(c) for c in captions] for photo, captions in references.items()},
        {photo: [text(caption)] for photo, caption in candidates.items()},
    )
    reward = CiderReward(references)
    assert [reward.score(photo, candidates[photo]) for photo in references] == pytest.approx(list(expected))


def test_the_right_caption_scores_10_a_foreign_one_nothing_and_a_broken_off_one_less() -> None:
    references = {1: [[4, 5, 6, 7, 8, END]], 2: [[9, 10, 11, 12, END]]}
    reward = CiderReward(references)
    assert reward.score(1, [4, 5, 6, 7, 8, END]) == pytest.approx(10)
    assert reward.score(1, [9, 10, 11, 12]) == 0
    assert reward.score(1, [4, 5, 6, 7, 8]) < reward.score(1, [4, 5, 6, 7, 8, END])


def test_words_in_every_photos_captions_are_worth_nothing() -> None:
    reward = CiderReward({1: [[4, END]], 2: [[4, END]]})
    assert reward.score(1, [4, END]) == 0
