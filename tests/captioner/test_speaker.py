"""What the term head has for the decoder's words."""

import dataclasses

import torch
from torch import Tensor

from photoindex.captioner.beam import SearchSettings
from photoindex.captioner.checkpoint import Checkpoint
from photoindex.captioner.encoders import build_encoder
from photoindex.captioner.network import Decoder, DecoderConfig, Seen, State
from photoindex.captioner.speaker import Speaker, terms_of_words
from photoindex.captioner.term_head import TermHead, TermHeadConfig
from photoindex.captioner.vocabulary import END, START, Vocabulary

VOCABULARY = Vocabulary.from_captions(["a dog and two dogs run on grass"], threshold=1)
TERMS = ("dog", "grass", "run grass")


class OneWord(Decoder):
    """Says a single word, the first of the vocabulary rather than the last."""

    def __init__(self) -> None:
        super().__init__(DecoderConfig("one word", len(VOCABULARY), 8))

    def start(self, seen: Seen) -> State:
        return State((torch.zeros(len(seen), 1),))

    def step(self, words: Tensor, state: State) -> tuple[Tensor, State]:
        rows = -torch.arange(len(VOCABULARY), dtype=torch.float32).repeat(len(words), 1)
        rows[words != START, END] = 20.0
        return rows, state

    def logits(self, hidden: Tensor) -> Tensor:
        return hidden


def test_every_form_of_a_word_has_its_term_and_a_function_word_has_none():
    found = dict(zip(VOCABULARY.words, terms_of_words(VOCABULARY, TERMS).tolist(), strict=True))
    assert found["dog"] == found["dogs"] == 0
    assert found["grass"] == 1
    assert found["a"] == found["on"] == found["run"] == found["<unk>"] == -1


def test_of_the_same_candidates_the_one_that_is_seen_comes_first():
    checkpoint = Checkpoint(
        "m", "efficientnet_lite2", build_encoder("efficientnet_lite2"), OneWord(), VOCABULARY,
        term_head=TermHead(TermHeadConfig(3, 8, 4)), terms=TERMS,
    )  # fmt: skip
    seen = Seen(torch.rand(1, 4, 8), torch.rand(1, 4))
    settings = SearchSettings(beam_width=8, max_words=2, evidence=2.0)

    def said(speaker: Speaker, impacts: list[float] | None) -> list[str]:
        [found] = speaker.say(seen, None if impacts is None else torch.tensor([impacts]), settings)
        return [VOCABULARY.decode(h.words) for h in found]

    plain = said(Speaker(checkpoint, checkpoint.decoder), None)
    assert plain[:3] == ["a", "and", "dog"]
    assert said(Speaker(checkpoint, checkpoint.decoder), [0.0, 10.0, 0.0])[0] == "grass"
    assert said(Speaker(checkpoint, checkpoint.decoder), [10.0, 0.0, 0.0])[:2] == ["dog", "dogs"]
    without = Speaker(dataclasses.replace(checkpoint, term_head=None, terms=()), checkpoint.decoder)
    assert said(without, [0.0, 10.0, 0.0]) == plain
