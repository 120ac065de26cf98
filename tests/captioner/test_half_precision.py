"""The encoder in 16 bits: nearer to what it says in 32 than its rounded weights are, for photos that it never saw."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from torch import Tensor, nn

from photoindex.captioner import model_folder
from photoindex.captioner.checkpoint import load_checkpoint
from photoindex.captioner.encoders import Encoder, fold_batch_norm
from photoindex.captioner.half_precision import in_half_precision, made_pictures
from photoindex.media.decode import decode_photo

SIZE = 128  # pixels a side: the arithmetic of 16 bits is slow on a CPU
PHOTOS = ("chelsea.png", "coffee.png", "astronaut.png", "rocket.jpg")


@pytest.fixture(scope="module")
def exact() -> Encoder:
    encoder = copy.deepcopy(load_checkpoint(model_folder("default")).encoder)
    fold_batch_norm(encoder)
    return encoder


@pytest.fixture(scope="module")
def corrected(exact: Encoder) -> Encoder:
    return in_half_precision(exact, made_pictures(SIZE))


def maps(encoder: Encoder) -> Tensor:
    folder = Path(skimage.data.__file__).parent
    photos = np.stack([decode_photo(folder / name, SIZE, 10**9).pixels for name in PHOTOS])
    images = encoder.preprocessing.normalise(torch.from_numpy(photos).permute(0, 3, 1, 2))
    with torch.inference_mode():
        found: Tensor = encoder(images.to(next(encoder.parameters()).dtype)).float()
    return found


def test_it_is_nearer_to_32_bits_than_rounded_weights(exact: Encoder, corrected: Encoder) -> None:
    wanted = maps(exact)
    rounded, found = (float((maps(each) - wanted).norm()) for each in (copy.deepcopy(exact).half(), corrected))
    assert 0 < found < 0.8 * rounded


def test_only_biases_are_changed_and_nothing_is_left_behind(exact: Encoder, corrected: Encoder) -> None:
    rounded = copy.deepcopy(exact).half()
    twins = dict(corrected.named_parameters())
    changed = {name for name, value in rounded.named_parameters() if not torch.equal(value, twins[name])}
    biases = {
        f"{name}.bias"
        for name, module in exact.named_modules()
        if isinstance(module, nn.Conv2d) and module.bias is not None
    }
    assert changed <= biases
    assert len(changed) > len(biases) / 2
    assert all(parameter.dtype == torch.float16 for parameter in corrected.parameters())
    assert all(parameter.dtype == torch.float32 for parameter in exact.parameters())
    for network in (exact, corrected):
        assert not any(module._forward_hooks for module in network.modules())


def test_the_pictures_are_the_same_each_time_and_fill_the_whole_range() -> None:
    pictures = made_pictures(64)
    assert pictures.dtype == np.uint8
    assert pictures.shape[1:] == (64, 64, 3)
    assert np.array_equal(pictures, made_pictures(64))
    assert all(picture.std() > 20 for picture in pictures)
