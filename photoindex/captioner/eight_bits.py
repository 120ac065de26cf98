"""The encoder in 8 bits: what most convolutions are given, and their weights, are whole numbers on fixed grids.

A processor multiplies four 8-bit numbers in the time of one of 32 bits. EfficientNet-Lite2 was made for it (ReLU6
bounds what passes on); still, rounding a network that was not made ready for it moves its features by a sixth. So
weights are chosen for it (:mod:`photoindex.training.eight_bits`). They have a grid for each output channel, symmetric
about 0. What passes behind ReLU6 has one grid, 0 to 255; what a shortcut carries stays as it is, and is rounded only
where a convolution takes it up, on a grid of each channel's own range, -128 to 127. The convolutions where rounding
does the most harm for the time that it saves stay in 32 bits.

Processors without instructions for it (VNNI) add up the products of two neighbouring inputs in 16 bits, where a
convolution takes all channels; with any weights of 8 bits that overflows, and features are a quarter off. So the
weights of such pairs are kept so small that they never do (:func:`limits_beside`), which makes grids a little coarser,
and all processors can take the same ones. Whether one computes rightly with them is told by what it makes of a test
picture (:func:`is_right`). Two right ones may differ, too, as the last bit of a number decides now and then how the
next is rounded.

:class:`EightBitEncoder` computes with rounded floating-point numbers, for learning and as the reference;
:mod:`.openvino` compiles the same network for a CPU. In a model's folder it is ``encoder_8bit.safetensors``.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from photoindex.captioner.encoders import EfficientNetLite2, Encoder, InvertedResidual, SamePaddingConv2d
from photoindex.captioner.model_files import EIGHT_BITS_FILE
from photoindex.captioner.tensor_file import tensor_file
from photoindex.errors import CheckpointError
from photoindex.system.atomic import replace_file
from photoindex.system.error_lines import reason_of

FORMAT: Final = "3"
WEIGHT_LEVELS: Final = -127, 127
PAIR_LIMIT: Final = 128  # the sum of a pair's weights, where both are above 0 or both below: 255 * 128 < 2 ** 15
MOST_OFF: Final = 0.03  # of the features of the test picture
_GRIDS: Final = "step", "given_step", "given_middle"


@dataclass(frozen=True, slots=True, eq=False)
class EightBitWeights:
    """An encoder's weights in 8 bits, made for the one with this ``digest`` (:func:`digest_of`).

    ``tensors``: for each convolution in 8 bits ``NAME.weight`` (int8), ``NAME.bias``, ``NAME.step``, the distances (O,)
    on its output channels' grids, and ``NAME.given_step`` and ``NAME.given_middle``, the distances and the middles of
    the grids of what it is given: one for all channels behind ReLU6, else (I,). Its weights multiply numbers of levels,
    so ``step`` holds ``given_step``, too. For each other convolution ``NAME.weight`` (half precision) and
    ``NAME.bias``; and ``test``, the features (C,) of :func:`test_picture`, averaged over the photo.
    """

    digest: str
    tensors: Mapping[str, Tensor]

    def holds(self, name: str) -> bool:
        """Whether that convolution is in 8 bits."""
        return f"{name}.step" in self.tensors


class EightBitEncoder(nn.Module):
    """A folded encoder (:func:`.encoders.fold_batch_norm`), which it works on, with the convolutions of these ``names``
    rounded; normalised images in, feature maps out. All distances on their grids are 1 at first and middles 0: see
    :meth:`grid`."""

    def __init__(self, encoder: EfficientNetLite2, names: Iterable[str]) -> None:
        super().__init__()
        self.encoder = encoder
        self.names = tuple(names)
        modules = dict(convolutions(encoder))
        for name in self.names:
            given = (modules[name].in_channels,) if is_signed(name) else ()
            self.register_parameter(_key(name, "step"), nn.Parameter(torch.ones(modules[name].out_channels), False))
            self.register_buffer(_key(name, "given_step"), torch.ones(given))
            self.register_buffer(_key(name, "given_middle"), torch.zeros(given))

    def grid(self, name: str, kind: str) -> Tensor:
        """The ``step``, ``given_step`` or ``given_middle`` of a convolution, as in :class:`EightBitWeights`, to be read
        or written."""
        found: Tensor = getattr(self, _key(name, kind))
        return found

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (N, 3, H, W) -> feature map (N, feature_dim, h, w)."""
        return run(self.encoder, images, self.convolve)

    def convolve(self, name: str, module: nn.Conv2d, x: Tensor) -> Tensor:
        """What a convolution makes of what comes to it."""
        if name not in self.names:
            output: Tensor = module(x)
            return output
        steps = self.grid(name, "step")[:, None, None, None]
        return convolved(module, self.given(name, x), self.whole_weights(name, module) * steps)

    def whole_weights(self, name: str, module: nn.Conv2d) -> Tensor:
        """The whole numbers that a convolution's weights are on their grids."""
        return whole_weights(module.weight / self.grid(name, "step")[:, None, None, None], adds_pairs(module))

    def given(self, name: str, x: Tensor) -> Tensor:
        """What comes to a convolution -> the whole numbers that it is given."""
        step, middle = (_by_channel(self.grid(name, kind)) for kind in ("given_step", "given_middle"))
        return rounded((x - middle) / step, *levels(name))


def run(encoder: EfficientNetLite2, images: Tensor, convolve: Callable[[str, nn.Conv2d, Tensor], Tensor]) -> Tensor:
    """Normalised images -> the feature map of a folded encoder, with ``convolve`` in the place of all its convolutions
    but the first; it receives their names."""
    return F.relu6(convolve("head", encoder.head, before_block(encoder, len(encoder.blocks), images, convolve)))


def before_block(
    encoder: EfficientNetLite2, number: int, images: Tensor, convolve: Callable[[str, nn.Conv2d, Tensor], Tensor]
) -> Tensor:
    """The same up to what comes to a block."""
    x = F.relu6(encoder.stem(images))
    for earlier in range(number):
        x = run_block(encoder, earlier, x, convolve)
    return x


def run_block(
    encoder: EfficientNetLite2, number: int, x: Tensor, convolve: Callable[[str, nn.Conv2d, Tensor], Tensor]
) -> Tensor:
    """The same with one of its blocks alone."""
    block = encoder.blocks[number]
    assert isinstance(block, InvertedResidual)
    h = convolve(f"{number}.project", block.project, before_convolution(encoder, number, "project", x, convolve))
    return x + h if block.shortcut else h


def before_convolution(
    encoder: EfficientNetLite2,
    number: int,
    kind: str,
    x: Tensor,
    convolve: Callable[[str, nn.Conv2d, Tensor], Tensor],
) -> Tensor:
    """What comes to a convolution, by its name in the block, of a block that is given ``x``."""
    block = encoder.blocks[number]
    assert isinstance(block, InvertedResidual)
    for earlier, module in block.convolutions():
        if earlier == kind:
            break
        x = F.relu6(convolve(f"{number}.{earlier}", module, x))
    return x


@torch.no_grad()
def weights_of(student: EightBitEncoder, digest: str) -> EightBitWeights:
    """What an encoder that has learned is, to be stored."""
    tensors = {f"stem.{name}": value for name, value in student.encoder.stem.state_dict().items()}
    for name, module in convolutions(student.encoder):
        assert module.bias is not None
        tensors[f"{name}.bias"] = module.bias
        if name not in student.names:
            tensors[f"{name}.weight"] = module.weight.half()
            continue
        tensors[f"{name}.weight"] = student.whole_weights(name, module).to(torch.int8)
        tensors |= {f"{name}.{kind}": student.grid(name, kind) for kind in _GRIDS}
    tensors = {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in tensors.items()
    }
    weights = EightBitWeights(digest, tensors)
    reference = encoder_of(weights, copy.deepcopy(student.encoder).cpu())
    preprocessing = student.encoder.preprocessing
    picture = torch.from_numpy(test_picture(preprocessing.size)[None]).permute(0, 3, 1, 2)
    test = reference(preprocessing.normalise(picture))[0].mean((1, 2))
    return dataclasses.replace(weights, tensors=tensors | {"test": test})


def encoder_of(weights: EightBitWeights, encoder: EfficientNetLite2) -> EightBitEncoder:
    """The rounded encoder of these weights. ``encoder`` is a folded one of the same sizes, which is written into."""
    names = [name for name, _ in convolutions(encoder) if weights.holds(name)]
    student, tensors = EightBitEncoder(encoder, names), weights.tensors
    with torch.no_grad():
        encoder.stem.load_state_dict({name: tensors[f"stem.{name}"] for name in ("weight", "bias")})
        for name, module in convolutions(encoder):
            assert module.bias is not None
            module.bias.copy_(tensors[f"{name}.bias"])
            module.weight.copy_(tensors[f"{name}.weight"])
            if weights.holds(name):
                module.weight.mul_(tensors[f"{name}.step"][:, None, None, None])
                for kind in _GRIDS:
                    student.grid(name, kind).copy_(tensors[f"{name}.{kind}"])
    return student


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
    path = folder / EIGHT_BITS_FILE
    replace_file(path, tensor_file(weights.tensors, {"encoder": weights.digest, "format": FORMAT}))


def load_eight_bits(folder: Path, encoder: Encoder) -> EightBitWeights | None:
    """Those of a model with this encoder (before it is folded), if it has any.

    Raises :class:`CheckpointError` for a file that is damaged or was made for another encoder.
    """
    path = folder / EIGHT_BITS_FILE
    if not path.is_file():
        return None
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            digest = metadata["encoder"]
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, KeyError) as error:
        raise CheckpointError(f"{path} is damaged or is no encoder in 8 bits: {reason_of(error)}") from error
    if not isinstance(encoder, EfficientNetLite2) or digest != digest_of(encoder):
        raise CheckpointError(f"{path} was made for another encoder; delete it, the model works without it")
    if metadata.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} was made by another version of photoindex; delete it, the model works without it"
        )
    found = EightBitWeights(digest, tensors)
    for name, (shape, kind) in _shapes(encoder, found).items():
        value = tensors.get(name)
        if value is None or tuple(value.shape) != shape or value.dtype != kind or not _is_usable(name, value):
            raise CheckpointError(f"{path} is damaged: {name} is not what it should be; delete it or copy it again")
    return found


def digest_of(encoder: Encoder) -> str:
    """Tells encoders apart by their weights, in half precision as they are stored."""
    digest = hashlib.sha256()
    for name, value in sorted(encoder.state_dict().items()):
        if value.is_floating_point():
            digest.update(name.encode())
            digest.update(value.detach().cpu().half().contiguous().numpy().tobytes())
    return digest.hexdigest()


def convolutions(encoder: EfficientNetLite2) -> Iterator[tuple[str, nn.Conv2d]]:
    """Those with weights of 8 bits, and their names, in order."""
    for number, block in enumerate(encoder.blocks):
        assert isinstance(block, InvertedResidual)
        for kind, module in block.convolutions():
            yield f"{number}.{kind}", module
    yield "head", encoder.head


def adds_pairs(module: nn.Conv2d) -> bool:
    """Whether a convolution's products of neighbouring inputs, the first and the second, the third and the fourth and
    so on, may be added up in 16 bits. Where each output is of one channel they are not."""
    return module.groups == 1


def is_signed(name: str) -> bool:
    """Whether what that convolution is given may be negative: what comes from a shortcut, not from ReLU6."""
    return name.endswith("expand") or name == "head"


def levels(name: str) -> tuple[int, int]:
    """The lowest and the highest number that a convolution is given."""
    return (-128, 127) if is_signed(name) else (0, 255)


def rounded(x: Tensor, lowest: int, highest: int) -> Tensor:
    """The nearest whole number from ``lowest`` to ``highest``; in learning, as if it had only been bounded."""
    nearest: Tensor = _Round.apply(F.hardtanh(x, lowest, highest))
    return nearest


def limits_beside(other: Tensor) -> tuple[Tensor, Tensor]:
    """The lowest and the highest whole numbers for weights whose pairs have ``other`` ones, whole numbers, too."""
    return -PAIR_LIMIT - other.clamp(max=0), PAIR_LIMIT - other.clamp(min=0)


def whole_weights(weight: Tensor, limits_pairs: bool) -> Tensor:
    """A convolution's weights (O, I, k, k), in steps -> the whole numbers that they are on their grids."""
    if not limits_pairs:
        return rounded(weight, *WEIGHT_LEVELS)
    first, second = rounded(weight[:, ::2], *WEIGHT_LEVELS), weight[:, 1::2]
    second = second.clamp(*limits_beside(first[:, : second.shape[1]].detach()))
    whole = torch.empty_like(weight)
    whole[:, ::2], whole[:, 1::2] = first, rounded(second, *WEIGHT_LEVELS)
    return whole


def convolved(module: nn.Conv2d, x: Tensor, weight: Tensor) -> Tensor:
    """As ``module`` does, with ``weight`` in place of its own."""
    if isinstance(module, SamePaddingConv2d):
        return module.convolve(x, weight)
    return F.conv2d(x, weight, module.bias)


class _Round(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        return x.round()

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        return gradient


def _by_channel(values: Tensor) -> Tensor:
    return values[:, None, None] if values.ndim else values


def _shapes(encoder: EfficientNetLite2, weights: EightBitWeights) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
    full, half, whole = torch.float32, torch.float16, torch.int8
    stem = encoder.stem.weight
    shapes = {"stem.weight": (tuple(stem.shape), full), "stem.bias": ((len(stem),), full)}
    for name, module in convolutions(encoder):
        channels, given = (module.out_channels,), (module.in_channels,) if is_signed(name) else ()
        shapes[f"{name}.weight"] = (tuple(module.weight.shape), whole if weights.holds(name) else half)
        shapes[f"{name}.bias"] = (channels, full)
        if weights.holds(name):
            shapes |= {f"{name}.step": (channels, full)}
            shapes |= {f"{name}.{kind}": (given, full) for kind in _GRIDS[1:]}
    return shapes | {"test": ((encoder.feature_dim,), full)}


def _is_usable(name: str, value: Tensor) -> bool:
    return bool(torch.isfinite(value).all()) and not (name.endswith("step") and bool((value <= 0).any()))


def _key(name: str, kind: str) -> str:
    return f"{name}_{kind}".replace(".", "_")
