"""The shipped model's encoder with small pictures, and a few of them, for learning that a processor has time for."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import numpy as np
import skimage.data
import torch
from PIL import Image
from torch import Tensor

from photoindex.captioner import model_folder
from photoindex.captioner.checkpoint import Checkpoint, load_checkpoint
from photoindex.captioner.encoders import EfficientNetLite2, fold_batch_norm

SIZE = 96


def small_checkpoint() -> Checkpoint:
    checkpoint = load_checkpoint(model_folder("default"))
    checkpoint.encoder.preprocessing = dataclasses.replace(checkpoint.encoder.preprocessing, size=SIZE)
    return checkpoint


def folded(checkpoint: Checkpoint) -> EfficientNetLite2:
    found = copy.deepcopy(checkpoint.encoder)
    assert isinstance(found, EfficientNetLite2)
    fold_batch_norm(found)
    return found.requires_grad_(False)


def pictures(size: int) -> Tensor:
    """uint8 (N, 3, size, size)."""
    folder = Path(skimage.data.__file__).parent
    names = ("chelsea.png", "coffee.png", "astronaut.png", "rocket.jpg")
    found = [np.asarray(Image.open(folder / name).convert("RGB").resize((size, size))) for name in names]
    return torch.from_numpy(np.stack(found)).permute(0, 3, 1, 2)


def off(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).norm() / wanted.norm())
