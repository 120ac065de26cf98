"""The LSTM decoders: teacher forcing is the same computation as saying the words one by one."""

import pytest
import torch

from photoindex.captioner.network import Decoder, DecoderConfig, build_decoder
from photoindex.captioner.vocabulary import END, PAD, START

KINDS = ("attention", "pooled")


def small(kind: str) -> Decoder:
    torch.manual_seed(0)
    return build_decoder(DecoderConfig(kind, 20, 8, hidden_size=16, attention_size=6, dropout=0.0)).eval()


CAPTIONS = torch.tensor([[START, 5, 6, 7, END], [START, 8, 9, END, PAD], [START, 4, END, PAD, PAD]])
LENGTHS = torch.tensor([5, 4, 3])
PHOTOS = torch.tensor([1, 0, 1])


@pytest.mark.parametrize("kind", KINDS)
def test_inputs_and_targets_are_shifted_by_one_word(kind: str):
    logits, targets = small(kind)(torch.randn(2, 4, 8), PHOTOS, CAPTIONS, LENGTHS)
    assert targets.tolist() == [5, 8, 4, 6, 9, END, 7, END, END]  # by position; <start> and padding are never targets
    assert tuple(logits.shape) == (9, 20)


@pytest.mark.parametrize("kind", KINDS)
def test_teacher_forcing_equals_saying_the_words_one_by_one(kind: str):
    decoder, features = small(kind), torch.randn(2, 4, 8)
    logits, _ = decoder(features, PHOTOS, CAPTIONS, LENGTHS)
    state = decoder.start(features[1:2])
    said = []
    for word in CAPTIONS[0, :4]:
        hidden, state = decoder.step(word.view(1), state)
        said.append(decoder.logits(hidden))
    torch.testing.assert_close(torch.cat(said), logits[[0, 3, 6, 8]])


@pytest.mark.parametrize("kind", KINDS)
def test_padding_makes_no_difference(kind: str):
    decoder, features = small(kind), torch.randn(2, 4, 8)
    expected, _ = decoder(features, PHOTOS, CAPTIONS, LENGTHS)
    other = CAPTIONS.clone()
    other[other == PAD] = 7
    actual, _ = decoder(features, PHOTOS, other, LENGTHS)
    torch.testing.assert_close(actual, expected)


def test_the_attention_decoder_looks_at_single_regions_and_the_pooled_one_only_at_their_mean():
    features = torch.randn(1, 4, 8)
    shifted = features + torch.tensor([1.0, -1.0, 2.0, -2.0]).view(1, 4, 1)  # the same mean, other regions
    words = torch.tensor([START])
    for kind, differs in (("attention", True), ("pooled", False)):
        decoder = small(kind)
        one, _ = decoder.step(words, decoder.start(features))
        two, _ = decoder.step(words, decoder.start(shifted))
        assert (not torch.allclose(one, two, atol=1e-5)) is differs


@pytest.mark.parametrize("kind", KINDS)
def test_a_decoder_can_learn_to_say_its_captions(kind: str):
    torch.manual_seed(0)
    decoder = small(kind).train()
    features = torch.randn(2, 4, 8)
    optimizer = torch.optim.Adam(decoder.parameters(), lr=0.02)
    captions, lengths, photos = CAPTIONS[:2], LENGTHS[:2], torch.tensor([0, 1])
    for _ in range(60):
        logits, targets = decoder(features, photos, captions, lengths)
        loss = torch.nn.functional.cross_entropy(logits, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.2
