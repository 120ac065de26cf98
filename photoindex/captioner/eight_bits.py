"""The encoder in 8 bits: weights and what passes between its convolutions are whole numbers on fixed grids.

A processor multiplies four 8-bit numbers in the time of one of 32 bits. EfficientNet-Lite2 was made for it (ReLU6
bounds what passes on); still, rounding a network that did not learn with it moves its features by a sixth. So it learns
with it (:mod:`photoindex.training.eight_bits`; Jacob et al. 2018, arXiv:1712.05877): weights have a grid for each
output channel, symmetric about 0; what a convolution passes on has one grid, 0 to 255 behind ReLU6 and -128 to 127
behind the projections. The first convolution stays as it is, and what the last one gives is not rounded.

Processors without instructions for it (VNNI) add up pairs of products in 16 bits, which overflow: the features are then
a quarter off. So what a compiled network makes of a test picture is compared with what it should (:func:`is_right`).
Two right ones differ, too, as the last bit of a number decides now and then how the next is rounded: by a twentieth.

:class:`EightBitEncoder` computes with rounded floating-point numbers, for learning and as the reference;
:mod:`.openvino` compiles the same network for a CPU. In a model's folder it is ``encoder_8bit.safetensors``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from photoindex.captioner.encoders import EfficientNetLite2, Encoder, InvertedResidual, SamePaddingConv2d
from photoindex.captioner.model_files import EIGHT_BITS_FILE
from photoindex.errors import CheckpointError
from photoindex.system.atomic import replace_file

WEIGHT_LEVELS: Final = 127  # on either side of 0
MOST_OFF: Final = 0.03  # of the features of the test picture
SMALLEST: Final = 1e-8  # distance on a grid: some channels have no weights left


@dataclass(frozen=True, slots=True, eq=False)
class EightBitWeights:
    """An encoder's weights in 8 bits, made for the one with this ``digest`` (:func:`digest_of`).

    ``tensors``: for each convolution ``NAME.weight`` (int8, but of the ``stem``), ``NAME.bias`` and ``NAME.step``, the
    distances (O,) on its output channels' grids; for each of :func:`places` ``passed.PLACE``, the distance there; and
    ``test``, the features (C,) of :func:`test_picture`, averaged over the photo.
    """

    digest: str
    tensors: Mapping[str, Tensor]


class EightBitEncoder(nn.Module):
    """A folded encoder (:func:`.encoders.fold_batch_norm`), which it works on, rounded; normalised images in, feature
    maps out. The distances on the grids of what is passed on are 1 at first; see :meth:`step`."""

    def __init__(self, encoder: EfficientNetLite2) -> None:
        super().__init__()
        self.encoder = encoder
        for place in places(encoder):
            self.register_buffer(_buffer(place), torch.ones(()))

    def step(self, place: str) -> Tensor:
        """The distance between two neighbours on the grid of one of :func:`places`, to be read or written."""
        return self.get_buffer(_buffer(place))

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (N, 3, H, W) -> feature map (N, feature_dim, h, w)."""
        return run(self.encoder, images, _convolve, self._passed_on)

    def _passed_on(self, place: str, x: Tensor) -> Tensor:
        zero = torch.zeros((), dtype=torch.int32, device=x.device)
        return torch.fake_quantize_per_tensor_affine(x, self.step(place), zero, *levels(place))


def run(
    encoder: EfficientNetLite2,
    images: Tensor,
    convolve: Callable[[nn.Conv2d, Tensor], Tensor],
    pass_on: Callable[[str, Tensor], Tensor],
) -> Tensor:
    """Normalised images -> the feature map of a folded encoder, with ``convolve`` in the place of all its convolutions
    but the first, and ``pass_on`` of each of :func:`places` and what comes there in that of ReLU6."""
    x = pass_on("stem", encoder.stem(images))
    for number, block in enumerate(encoder.blocks):
        assert isinstance(block, InvertedResidual)
        h = x
        if block.expand is not None:
            h = pass_on(f"{number}.expand", convolve(block.expand, h))
        h = pass_on(f"{number}.depthwise", convolve(block.depthwise, h))
        h = convolve(block.project, h)
        x = pass_on(f"{number}.project", x + h if block.shortcut else h)
    return F.relu6(convolve(encoder.head, x))


@torch.no_grad()
def weights_of(student: EightBitEncoder, digest: str) -> EightBitWeights:
    """What an encoder that has learned is, to be stored."""
    preprocessing = student.encoder.preprocessing
    picture = torch.from_numpy(test_picture(preprocessing.size)[None]).permute(0, 3, 1, 2)
    images = preprocessing.normalise(picture.to(student.encoder.stem.weight.device))
    tensors = {f"stem.{name}": value for name, value in student.encoder.stem.state_dict().items()}
    for name, module in convolutions(student.encoder):
        steps = weight_steps(module.weight)
        assert module.bias is not None
        tensors |= {
            f"{name}.weight": _numbers(module.weight, steps),
            f"{name}.step": steps,
            f"{name}.bias": module.bias,
        }
    tensors |= {f"passed.{place}": student.step(place) for place in places(student.encoder)}
    tensors["test"] = student(images)[0].mean((1, 2))
    return EightBitWeights(digest, {name: value.detach().cpu().clone() for name, value in tensors.items()})


def encoder_of(weights: EightBitWeights, encoder: EfficientNetLite2) -> EightBitEncoder:
    """The rounded encoder of these weights. ``encoder`` is a folded one of the same sizes, which is written into."""
    rounded, tensors = EightBitEncoder(encoder), weights.tensors
    with torch.no_grad():
        encoder.stem.load_state_dict({name: tensors[f"stem.{name}"] for name in ("weight", "bias")})
        for name, module in convolutions(encoder):
            assert module.bias is not None
            module.weight.copy_(tensors[f"{name}.weight"] * tensors[f"{name}.step"][:, None, None, None])
            module.bias.copy_(tensors[f"{name}.bias"])
        for place in places(encoder):
            rounded.step(place).copy_(tensors[f"passed.{place}"])
    return rounded


def test_picture(size: int) -> NDArray[np.uint8]:
    """A picture of waves, edges and colours, uint8 (size, size, 3)."""
    down, across = np.mgrid[:size, :size] / size
    waves = [np.sin(2 * np.pi * (across * 3 + down * down * channel * 9)) for channel in (1, 2, 3)]
    edges = np.where(((across * 7).astype(int) + (down * 5).astype(int)) % 2, 1, -1)
    picture: NDArray[np.float64] = 127.5 + 70 * np.stack(waves, 2) + 57 * edges[:, :, None]
    return picture.clip(0, 255).astype(np.uint8)


def is_right(weights: EightBitWeights, maps: Tensor) -> bool:
    """Whether feature maps (1, C, h, w) of :func:`test_picture` are what these weights should make of it."""
    wanted = weights.tensors["test"]
    return float((maps[0].mean((1, 2)) - wanted).norm() / wanted.norm()) <= MOST_OFF


def save_eight_bits(weights: EightBitWeights, folder: Path) -> None:
    """Write them into a model's folder; the file is replaced whole."""
    replace_file(folder / EIGHT_BITS_FILE, save(dict(weights.tensors), {"encoder": weights.digest}))


def load_eight_bits(folder: Path, encoder: Encoder) -> EightBitWeights | None:
    """Those of a model with this encoder (before it is folded); ``None`` where there are none.

    Raises :class:`CheckpointError` for a file that is damaged or was made for another encoder.
    """
    path = folder / EIGHT_BITS_FILE
    if not path.is_file():
        return None
    try:
        with safe_open(path, "pt") as file:
            digest = (file.metadata() or {})["encoder"]
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, KeyError) as error:
        raise CheckpointError(f"{path} is damaged or is no encoder in 8 bits: {error}") from error
    if digest != digest_of(encoder) or not isinstance(encoder, EfficientNetLite2):
        raise CheckpointError(f"{path} was made for another encoder; delete it, the model works without it")
    for name, shape in _shapes(encoder).items():
        found = tensors.get(name)
        if found is None or tuple(found.shape) != shape or not torch.isfinite(found.float()).all():
            raise CheckpointError(f"{path} is damaged: {name} is not what it should be; delete it or copy it again")
    return EightBitWeights(digest, tensors)


def digest_of(encoder: Encoder) -> str:
    """Tells encoders apart by their weights, in half precision as they are stored."""
    digest = hashlib.sha256()
    for name, value in sorted(encoder.state_dict().items()):
        if value.is_floating_point():
            digest.update(name.encode())
            digest.update(value.detach().cpu().half().contiguous().numpy().tobytes())
    return digest.hexdigest()


def places(encoder: EfficientNetLite2) -> Iterator[str]:
    """The names of where something passes from one convolution to the next, in order."""
    yield "stem"
    for name, _ in convolutions(encoder):
        if name != "head":
            yield name


def convolutions(encoder: EfficientNetLite2) -> Iterator[tuple[str, nn.Conv2d]]:
    """Those with weights of 8 bits, and their names, in order."""
    for number, block in enumerate(encoder.blocks):
        assert isinstance(block, InvertedResidual)
        if block.expand is not None:
            yield f"{number}.expand", block.expand
        yield f"{number}.depthwise", block.depthwise
        yield f"{number}.project", block.project
    yield "head", encoder.head


def levels(place: str) -> tuple[int, int]:
    """The lowest and the highest number that passes there."""
    return (-128, 127) if place.endswith("project") else (0, 255)


def weight_steps(weight: Tensor) -> Tensor:
    """Weights (O, …) -> the distance between neighbours on the grid of each output channel, (O,)."""
    return weight.detach().flatten(1).abs().amax(1).clamp(min=SMALLEST) / WEIGHT_LEVELS


def _convolve(module: nn.Conv2d, x: Tensor) -> Tensor:
    steps = weight_steps(module.weight)
    zeros = torch.zeros(len(steps), dtype=torch.int32, device=x.device)
    weight = torch.fake_quantize_per_channel_affine(module.weight, steps, zeros, 0, -WEIGHT_LEVELS, WEIGHT_LEVELS)
    if isinstance(module, SamePaddingConv2d):
        return module.convolve(x, weight)
    return F.conv2d(x, weight, module.bias)


def _numbers(weight: Tensor, steps: Tensor) -> Tensor:
    return (weight / steps[:, None, None, None]).round().clamp(-WEIGHT_LEVELS, WEIGHT_LEVELS).to(torch.int8)


def _shapes(encoder: EfficientNetLite2) -> dict[str, tuple[int, ...]]:
    stem = encoder.stem.weight
    shapes: dict[str, tuple[int, ...]] = {"stem.weight": tuple(stem.shape), "stem.bias": (len(stem),)}
    for name, module in convolutions(encoder):
        channels = (module.out_channels,)
        shapes |= {f"{name}.weight": tuple(module.weight.shape), f"{name}.step": channels, f"{name}.bias": channels}
    return shapes | {f"passed.{place}": () for place in places(encoder)} | {"test": (encoder.feature_dim,)}


def _buffer(place: str) -> str:
    return "step_" + place.replace(".", "_")
