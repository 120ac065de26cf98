"""The LSTM decoders: teacher forcing is the same computation as saying the words one by one."""

import pytest
import torch

from photoindex.captioner.network import (
    CaptionDecoder,
    DecoderConfig,
    PhotoFeatures,
    averaged,
    build_decoder,
    regions_of,
)
from photoindex.captioner.vocabulary import END, PAD, START

KINDS = ("attention", "pooled")


def small(kind: str) -> CaptionDecoder:
    torch.manual_seed(0)
    return build_decoder(DecoderConfig(kind, 20, 8, summary_dim=3, hidden_size=16, heads=2, dropout=0.0)).eval()


def features(photos: int) -> PhotoFeatures:
    return PhotoFeatures(torch.randn(photos, 4, 8), torch.randn(photos, 3))


CAPTIONS = torch.tensor([[START, 5, 6, 7, END], [START, 8, 9, END, PAD], [START, 4, END, PAD, PAD]])
LENGTHS = torch.tensor([5, 4, 3])
PHOTOS = torch.tensor([1, 0, 1])


@pytest.mark.parametrize("kind", KINDS)
def test_inputs_and_targets_are_shifted_by_one_word(kind: str) -> None:
    logits, targets = small(kind)(features(2), PHOTOS, CAPTIONS, LENGTHS)
    assert targets.tolist() == [5, 8, 4, 6, 9, END, 7, END, END]  # by position; <start> and padding are never targets
    assert tuple(logits.shape) == (9, 20)


@pytest.mark.parametrize("kind", KINDS)
def test_teacher_forcing_equals_saying_the_words_one_by_one(kind: str) -> None:
    decoder, photos = small(kind), features(2)
    logits, _ = decoder(photos, PHOTOS, CAPTIONS, LENGTHS)
    state = decoder.start(PhotoFeatures(photos.regions[1:2], photos.summary[1:2]))
    said = []
    for word in CAPTIONS[0, :4]:
        hidden, state = decoder.step(word.view(1), state)
        said.append(decoder.logits(hidden))
    torch.testing.assert_close(torch.cat(said), logits[[0, 3, 6, 8]])


@pytest.mark.parametrize("kind", KINDS)
def test_padding_makes_no_difference(kind: str) -> None:
    decoder, photos = small(kind), features(2)
    expected, _ = decoder(photos, PHOTOS, CAPTIONS, LENGTHS)
    other = CAPTIONS.clone()
    other[other == PAD] = 7
    actual, _ = decoder(photos, PHOTOS, other, LENGTHS)
    torch.testing.assert_close(actual, expected)


def test_the_attention_decoder_looks_at_single_regions_and_the_pooled_one_only_at_their_mean() -> None:
    features, summary = torch.randn(1, 4, 8), torch.randn(1, 3)
    shifted = features + torch.tensor([1.0, -1.0, 2.0, -2.0]).view(1, 4, 1)  # the same mean, other regions
    words = torch.tensor([START])
    for kind, differs in (("attention", True), ("pooled", False)):
        decoder = small(kind)
        one, _ = decoder.step(words, decoder.start(PhotoFeatures(features, summary)))
        two, _ = decoder.step(words, decoder.start(PhotoFeatures(shifted, summary)))
        assert (not torch.allclose(one, two, atol=1e-5)) is differs


def test_the_summary_guides_the_attention_decoder() -> None:
    decoder, photo = small("attention"), features(1)
    words = torch.tensor([START])
    one, _ = decoder.step(words, decoder.start(photo))
    two, _ = decoder.step(words, decoder.start(PhotoFeatures(photo.regions, photo.summary + 1)))
    assert not torch.allclose(one, two, atol=1e-5)


def test_regions_are_the_cells_row_by_row_averaged_when_the_map_is_finer() -> None:
    cells = torch.arange(2 * 16.0).view(1, 2, 4, 4)
    assert regions_of(cells, 4)[0, 1].tolist() == [1.0, 17.0]
    assert regions_of(cells, 2)[0, :, 0].tolist() == [2.5, 4.5, 10.5, 12.5]
    assert regions_of(cells, 9).shape == (1, 16, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_a_decoder_can_learn_to_say_its_captions(kind: str) -> None:
    torch.manual_seed(0)
    decoder = small(kind).train()
    given = features(2)
    optimizer = torch.optim.Adam(decoder.parameters(), lr=0.02)
    captions, lengths, photos = CAPTIONS[:2], LENGTHS[:2], torch.tensor([0, 1])
    for _ in range(60):
        logits, targets = decoder(given, photos, captions, lengths)
        loss = torch.nn.functional.cross_entropy(logits, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.2


@pytest.mark.parametrize(("height", "width", "grid"), [(10, 10, 6), (9, 9, 3), (7, 11, 2), (6, 6, 6), (16, 10, 3)])
def test_a_map_is_averaged_in_parts_as_torch_does_it(height: int, width: int, grid: int) -> None:
    torch.manual_seed(2)
    maps = torch.randn(3, 5, height, width)
    wanted = torch.nn.functional.adaptive_avg_pool2d(maps, grid).flatten(2)
    torch.testing.assert_close(averaged(maps, grid), wanted, rtol=1e-5, atol=1e-6)
