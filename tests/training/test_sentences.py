"""Vectors of sentences: what means the same is near."""

from __future__ import annotations

import pytest
import torch

from photoindex.errors import TrainingError
from photoindex.training import sentences
from photoindex.training.sentences import SentenceEncoder, nearest_words

pytest.importorskip("tokenizers", reason="sentences are split by tokenizers")
pytest.importorskip("all_minilm_l6_v2", reason="the sentence encoder's weights are not installed")


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    return SentenceEncoder.load()


def test_sentences_that_mean_the_same_are_nearer_than_those_that_share_words(encoder: SentenceEncoder) -> None:
    dog, puppy, hot_dog = encoder.encode(
        ["a dog runs on the beach", "a puppy is running along the shore", "a hot dog on a plate at the beach"]
    )
    assert dog @ puppy > dog @ hot_dog
    assert torch.linalg.vector_norm(dog).item() == pytest.approx(1, abs=1e-3)


def test_a_sentence_has_the_same_vector_in_any_company(encoder: SentenceEncoder) -> None:
    together = encoder.encode(["a cat", "two men play football in the snow", "a bird"])
    assert torch.allclose(together[2], encoder.encode(["a bird"])[0], atol=0.02)


def test_kin_are_the_words_of_the_nearest_meaning(encoder: SentenceEncoder) -> None:
    numbers, weights = nearest_words(["pony", "lorry"], ["horse", "truck", "sky"], encoder, 2)
    assert numbers[:, 0].tolist() == [0, 1]
    assert weights.sum(1).tolist() == pytest.approx([1, 1])


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentences, "find_spec", lambda name: None)
    with pytest.raises(TrainingError, match="pip install"):
        SentenceEncoder.load()
