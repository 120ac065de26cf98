"""The CNN: shapes, padding, folding, and that the shipped weights see what is there."""

import math

import pytest
import torch
import torch.nn.functional as F

from photoindex.captioner.encoders import (
    EfficientNetLite2,
    SamePaddingConv2d,
    build_encoder,
    fold_batch_norm,
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("efficientnet_lite2", (1, 1280, 9, 9)),
        ("resnet50", (1, 2048, 7, 7)),
        ("resnet152", (1, 2048, 7, 7)),
    ],
)
def test_every_encoder_gives_a_feature_map_and_class_scores(name: str, expected: tuple[int, ...]) -> None:
    encoder = build_encoder(name).eval()
    size = encoder.preprocessing.size
    with torch.inference_mode():
        features = encoder(torch.zeros(1, 3, size, size))
        scores = encoder.classify(features)
    assert tuple(features.shape) == expected
    assert encoder.feature_dim == expected[1]
    assert tuple(scores.shape) == (1, 1000)


def test_efficientnet_lite2_has_as_many_weights_as_the_published_one() -> None:
    assert sum(p.numel() for p in EfficientNetLite2().parameters()) == 6_092_072


@pytest.mark.parametrize(("length", "kernel", "stride"), [(260, 3, 2), (65, 5, 2), (33, 3, 1), (17, 5, 1), (130, 5, 2)])
def test_padding_is_tensorflows_same(length: int, kernel: int, stride: int) -> None:
    convolution = SamePaddingConv2d(2, 2, kernel, stride, bias=False)
    x = torch.randn(1, 2, length, length)
    total = max((math.ceil(length / stride) - 1) * stride + kernel - length, 0)
    before, after = total // 2, total - total // 2
    expected = F.conv2d(F.pad(x, (before, after, before, after)), convolution.weight, stride=stride)
    torch.testing.assert_close(convolution(x), expected)
    assert convolution(x).shape[-1] == math.ceil(length / stride)


def test_folding_batch_norm_changes_the_speed_and_not_the_result() -> None:
    torch.manual_seed(0)
    encoder = EfficientNetLite2()
    for module in encoder.modules():  # statistics as training leaves them, not the neutral ones of a new layer
        if isinstance(module, torch.nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    encoder.eval()
    x = torch.randn(1, 3, 260, 260)
    with torch.inference_mode():
        expected = encoder(x)
        fold_batch_norm(encoder)
        actual = encoder(x)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in encoder.modules())
    torch.testing.assert_close(actual, expected, rtol=1e-3, atol=1e-4)


def test_normalising_is_the_released_weights_own() -> None:
    pixels = torch.tensor([0, 127, 255], dtype=torch.uint8).view(1, 3, 1, 1)
    normalised = EfficientNetLite2.preprocessing.normalise(pixels).flatten()
    torch.testing.assert_close(normalised, torch.tensor([-127 / 128, 0.0, 1.0]))
