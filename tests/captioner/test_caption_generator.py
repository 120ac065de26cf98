"""What the term head has for the decoder's words."""

import dataclasses

import pytest
import torch
from torch import Tensor

from photoindex.captioner.beam import SearchSettings
from photoindex.captioner.caption_generator import CaptionGenerator, WordTerms, terms_of_words
from photoindex.captioner.checkpoint import Checkpoint
from photoindex.captioner.encoders import build_encoder
from photoindex.captioner.network import CaptionDecoder, DecoderConfig, PhotoFeatures, State, TermHead, TermHeadConfig
from photoindex.captioner.vocabulary import END, START, Vocabulary

VOCABULARY = Vocabulary.from_captions(["a dog and two dogs run on grass"], threshold=1)
TERMS = ("dog", "grass", "run grass")


class OneWord(CaptionDecoder):
    """Says a single word, the first of the vocabulary rather than the last."""

    def __init__(self) -> None:
        super().__init__(DecoderConfig("one word", len(VOCABULARY), 8))

    def start(self, features: PhotoFeatures) -> State:
        return State((torch.zeros(len(features), 1),))

    def step(self, words: Tensor, state: State) -> tuple[Tensor, State]:
        rows = -torch.arange(len(VOCABULARY), dtype=torch.float32).repeat(len(words), 1)
        rows[words != START, END] = 20.0
        return rows, state

    def logits(self, hidden: Tensor) -> Tensor:
        return hidden


def test_every_form_of_a_word_has_its_term_and_a_function_word_has_none() -> None:
    found = dict(zip(VOCABULARY.words, terms_of_words(VOCABULARY, TERMS).tolist(), strict=True))
    assert found["dog"] == found["dogs"] == 0
    assert found["grass"] == 1
    assert found["a"] == found["on"] == found["run"] == found["<unk>"] == -1


def test_of_the_same_candidates_the_one_that_is_seen_comes_first() -> None:
    checkpoint = Checkpoint(
        "m", "efficientnet_lite2", build_encoder("efficientnet_lite2"), OneWord(), VOCABULARY,
        term_head=TermHead(TermHeadConfig(3, 8, 4)), terms=TERMS,
    )  # fmt: skip
    features = PhotoFeatures(torch.rand(1, 4, 8), torch.rand(1, 4))
    settings = SearchSettings(beam_width=8, max_words=2, evidence=2.0)

    def said(generator: CaptionGenerator, logits: list[float] | None) -> list[str]:
        [found] = generator.generate(features, None if logits is None else torch.tensor([logits]), settings)
        return [VOCABULARY.decode(h.words) for h in found]

    plain = said(CaptionGenerator(checkpoint, checkpoint.decoder), None)
    assert plain[:3] == ["a", "and", "dog"]
    assert said(CaptionGenerator(checkpoint, checkpoint.decoder), [-9.0, 10.0, -9.0])[0] == "grass"
    assert said(CaptionGenerator(checkpoint, checkpoint.decoder), [10.0, -9.0, -9.0])[:2] == ["dog", "dogs"]
    without = CaptionGenerator(dataclasses.replace(checkpoint, term_head=None, terms=()), checkpoint.decoder)
    assert said(without, [-9.0, 10.0, -9.0]) == plain


def test_a_word_that_the_photo_speaks_against_is_not_said() -> None:
    checkpoint = Checkpoint(
        "m", "efficientnet_lite2", build_encoder("efficientnet_lite2"), OneWord(), VOCABULARY,
        term_head=TermHead(TermHeadConfig(3, 8, 4)), terms=TERMS,
    )  # fmt: skip
    features = PhotoFeatures(torch.rand(1, 4, 8), torch.rand(1, 4))
    settings = SearchSettings(beam_width=8, max_words=2, evidence=0.0, doubt=1.0, doubt_below=-1.0)

    def scores(logits: list[float]) -> dict[str, float]:
        [found] = CaptionGenerator(checkpoint, checkpoint.decoder).generate(features, torch.tensor([logits]), settings)
        return {VOCABULARY.decode(h.words): h.score for h in found}

    free, doubted = scores([0.0, -1.0, 0.0]), scores([-4.0, -1.0, 0.0])
    assert doubted["dog"] == pytest.approx(free["dog"] - 3 / 2**0.5)  # per word, of which <end> is one
    assert doubted["a"] == pytest.approx(free["a"])
    assert doubted["grass"] == pytest.approx(free["grass"])


def test_persons_are_as_sure_as_the_surest_of_them() -> None:
    words = Vocabulary.from_captions(["a man and a woman with dogs"], threshold=1)
    numbers = {word: number for number, word in enumerate(words.words)}
    known = WordTerms(words, ("man", "woman", "dog"), torch.device("cpu"))
    settings = SearchSettings(doubt=0.5, doubt_below=-1.0, doubt_persons_below=0.0)
    doubts = known.doubts(torch.tensor([[-7.0, -2.0, -3.0], [-7.0, 1.0, -3.0]]), settings)
    assert doubts[:, numbers["man"]].tolist() == doubts[:, numbers["woman"]].tolist() == [-1.0, 0.0]
    assert doubts[:, numbers["dogs"]].tolist() == [-1.0, -1.0]
    assert doubts[:, numbers["a"]].tolist() == [0.0, 0.0]


def test_what_the_head_says_of_somebody_counts_for_more_than_single_words() -> None:
    words = Vocabulary.from_captions(["a man with dogs"], threshold=1)
    numbers = {word: number for number, word in enumerate(words.words)}
    known = WordTerms(words, ("man", "dog"), torch.device("cpu"))
    settings = SearchSettings(doubt=0.5, doubt_below=-1.0, doubt_persons_below=0.0)
    doubts = known.doubts(torch.tensor([[5.0, 0.0], [-5.0, 0.0]]), settings, torch.tensor([[-2.0], [1.0]]))
    assert doubts[:, numbers["man"]].tolist() == [-1.0, 0.0]
