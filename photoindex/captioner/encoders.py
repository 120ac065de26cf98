"""The CNN half of the captioner: photos in, a grid of region features out.

An encoder turns normalised images (N, 3, H, W) into a feature map (N, C, h, w) that the decoder attends over, and
keeps an ImageNet classifier, so that the same pass can also say which objects it sees. It has two parts: the trunk,
whose edges and textures serve every task, and the tail, which training tunes to what people say.

``efficientnet_lite2`` is EfficientNet-Lite2 (Tan and Le 2019, arXiv:1905.11946; the Lite variants drop squeeze and
excitation and use ReLU6): 0.86 GMAC at 260 x 260 pixels against 11.6 for ResNet-152 at 224, at the same accuracy on
ImageNet. ``resnet50`` and ``resnet152`` are torchvision's, for training the way the classic captioning tutorial does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from photoindex.captioner.model_files import IMAGENET_CLASSES


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How pixels become the encoder's input: resized to a square (never cropped: a photo's edges count), then
    ``(rgb / 255 - mean) / std`` per channel."""

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def normalise(self, images: Tensor) -> Tensor:
        """0 to 255 (N, 3, H, W) -> float32 (N, 3, H, W). The size must be ``size`` already."""
        mean = torch.tensor(self.mean, device=images.device).view(1, 3, 1, 1)
        std = torch.tensor(self.std, device=images.device).view(1, 3, 1, 1)
        return (images.to(torch.float32) / 255.0 - mean) / std


class Encoder(nn.Module):
    """What every encoder offers: its two parts, ``classify``, its feature width and its preprocessing."""

    feature_dim: int
    preprocessing: Preprocessing

    def trunk(self, images: Tensor) -> Tensor:
        """Normalised images (N, 3, H, W) -> the intermediate map that :meth:`tail` takes."""
        raise NotImplementedError

    def tail(self, maps: Tensor) -> Tensor:
        """What :meth:`trunk` gave -> feature map (N, feature_dim, h, w)."""
        raise NotImplementedError

    def tail_modules(self) -> tuple[nn.Module, ...]:
        """The modules that :meth:`tail` runs, in order."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (N, 3, H, W) -> feature map (N, feature_dim, h, w)."""
        return self.tail(self.trunk(images))

    def classify(self, feature_map: Tensor) -> Tensor:
        """Feature map (N, feature_dim, h, w) -> ImageNet logits (N, 1000)."""
        raise NotImplementedError


class SamePaddingConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow's SAME does: at stride 2 the extra pixel goes right and below.

    The released EfficientNet weights were trained with it; symmetric padding shifts every feature by a pixel.
    """

    def forward(self, x: Tensor) -> Tensor:
        return self.convolve(x, self.weight)

    def convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        """As :meth:`forward`, with ``weight`` in place of its own."""
        (above, below), (left, right) = (same_padding(self, length) for length in x.shape[-2:])
        if above != below or left != right:
            x = F.pad(x, (left, right, above, below))
            above = left = 0
        return F.conv2d(x, weight, self.bias, self.stride, (above, left), self.dilation, self.groups)


def same_padding(module: nn.Conv2d, length: int) -> tuple[int, int]:
    """What TensorFlow's SAME puts before and behind so many pixels, for a square convolution."""
    kernel, stride = module.kernel_size[0], module.stride[0]
    padding = max((math.ceil(length / stride) - 1) * stride + kernel - length, 0)
    return padding // 2, padding - padding // 2


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class InvertedResidual(nn.Module):
    """MBConv without squeeze and excitation: 1x1 expand, depthwise k x k, 1x1 project, shortcut where shapes allow."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.shortcut = stride == 1 and inputs == outputs
        self.expand = nn.Conv2d(inputs, hidden, 1, bias=False) if expansion > 1 else None
        self.expand_norm = _norm(hidden) if expansion > 1 else None
        self.depthwise = SamePaddingConv2d(hidden, hidden, kernel, stride, groups=hidden, bias=False)
        self.depthwise_norm = _norm(hidden)
        self.project = nn.Conv2d(hidden, outputs, 1, bias=False)
        self.project_norm = _norm(outputs)
        self.drop_path = 0.0  # how likely the branch of a photo is left out in training

    def convolutions(self) -> Iterator[tuple[str, nn.Conv2d]]:
        """Those that it has, in order, and their names; ReLU6 comes behind all but the last, ``project``."""
        if self.expand is not None:
            yield "expand", self.expand
        yield "depthwise", self.depthwise
        yield "project", self.project

    def forward(self, x: Tensor) -> Tensor:
        h = x
        if self.expand is not None and self.expand_norm is not None:
            h = F.relu6(self.expand_norm(self.expand(h)), inplace=True)
        h = F.relu6(self.depthwise_norm(self.depthwise(h)), inplace=True)
        h = self.project_norm(self.project(h))
        if self.training and self.shortcut and self.drop_path:
            kept = torch.rand(len(h), 1, 1, 1, device=h.device) >= self.drop_path
            h = h * kept / (1 - self.drop_path)
        out: Tensor = x + h if self.shortcut else h
        return out


class EfficientNetLite2(Encoder):
    """EfficientNet-Lite2 at 260 pixels: (N, 3, 260, 260) -> (N, 1280, 9, 9)."""

    feature_dim = 1280
    # The released weights expect (rgb - 127) / 128.
    preprocessing = Preprocessing(260, (127 / 255,) * 3, (128 / 255,) * 3)
    # (blocks, output channels, kernel, stride of the first block, expansion): width 1.1 and depth 1.2 applied.
    stages = (
        (1, 16, 3, 1, 1),
        (3, 24, 3, 2, 6),
        (3, 48, 5, 2, 6),
        (4, 88, 3, 2, 6),
        (4, 120, 5, 1, 6),
        (5, 208, 5, 2, 6),
        (1, 352, 3, 1, 6),
    )
    trunk_blocks = 15  # the first five stages: 64 % of the arithmetic, 18 % of the weights

    def __init__(self) -> None:
        super().__init__()
        self.stem = SamePaddingConv2d(3, 32, 3, 2, bias=False)
        self.stem_norm = _norm(32)
        blocks: list[nn.Module] = []
        channels = 32
        for count, outputs, kernel, first_stride, expansion in self.stages:
            for number in range(count):
                stride = first_stride if number == 0 else 1
                blocks.append(InvertedResidual(channels, outputs, kernel, stride, expansion))
                channels = outputs
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Conv2d(channels, self.feature_dim, 1, bias=False)
        self.head_norm = _norm(self.feature_dim)
        self.classifier = nn.Linear(self.feature_dim, IMAGENET_CLASSES)

    def trunk(self, images: Tensor) -> Tensor:
        x = F.relu6(self.stem_norm(self.stem(images)), inplace=True)  # (N, 32, 130, 130)
        for block in self.blocks[: self.trunk_blocks]:
            x = block(x)
        return x  # (N, 120, 17, 17)

    def tail(self, maps: Tensor) -> Tensor:
        x = maps
        for block in self.blocks[self.trunk_blocks :]:
            x = block(x)  # (N, 352, 9, 9) after the last
        return F.relu6(self.head_norm(self.head(x)), inplace=True)  # (N, 1280, 9, 9)

    def tail_modules(self) -> tuple[nn.Module, ...]:
        return (*self.blocks[self.trunk_blocks :], self.head, self.head_norm)

    def classify(self, feature_map: Tensor) -> Tensor:
        logits: Tensor = self.classifier(feature_map.mean(dim=(2, 3)))
        return logits


class ResNet(Encoder):
    """torchvision's ResNet without its last two layers: (N, 3, 224, 224) -> (N, 2048, 7, 7)."""

    feature_dim = 2048
    preprocessing = Preprocessing(224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))

    def __init__(self, depth: int) -> None:
        super().__init__()
        # Imported here: torchvision costs a second at start and the default encoder does not need it.
        from torchvision.models import resnet50, resnet152

        network = {50: resnet50, 152: resnet152}[depth](weights=None)
        self.stem = nn.Sequential(network.conv1, network.bn1, network.relu, network.maxpool)
        self.stages = nn.Sequential(network.layer1, network.layer2, network.layer3, network.layer4)
        self.classifier = network.fc

    def trunk(self, images: Tensor) -> Tensor:
        maps: Tensor = self.stages[:3](self.stem(images))
        return maps  # (N, 1024, 14, 14)

    def tail(self, maps: Tensor) -> Tensor:
        feature_map: Tensor = self.stages[3](maps)
        return feature_map

    def tail_modules(self) -> tuple[nn.Module, ...]:
        return (self.stages[3],)

    def classify(self, feature_map: Tensor) -> Tensor:
        logits: Tensor = self.classifier(feature_map.mean(dim=(2, 3)))
        return logits


def fold_batch_norm(module: nn.Module) -> None:
    """Fold every ``<conv>_norm`` into its convolution, in place: the same outputs, a third less memory traffic.

    For inference only; the module must be in evaluation mode.
    """
    for name, child in list(module.named_children()):
        norm = getattr(module, f"{name}_norm", None)
        if isinstance(child, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            setattr(module, name, fuse_conv_bn_eval(child, norm))
            setattr(module, f"{name}_norm", nn.Identity())
        else:
            fold_batch_norm(child)


def unfold_batch_norm(folded: nn.Module, into: nn.Module) -> None:
    """Write a folded module's weights into an unfolded twin of it, whose outputs are then the same.

    Each ``<conv>_norm`` of ``into`` keeps no statistics of its own afterwards: it adds the convolution's bias.
    """
    for name, child in into.named_children():
        norm = getattr(into, f"{name}_norm", None)
        source = getattr(folded, name)
        if isinstance(child, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            assert norm.running_mean is not None
            assert norm.running_var is not None
            with torch.no_grad():
                child.weight.copy_(source.weight)
                norm.bias.copy_(source.bias)
                norm.running_mean.zero_()
                norm.running_var.fill_(1.0)
                norm.weight.fill_((1.0 + norm.eps) ** 0.5)
        elif not name.endswith("_norm"):
            if next(child.children(), None) is None:
                child.load_state_dict(source.state_dict())
            else:
                unfold_batch_norm(source, child)


def set_drop_path(encoder: Encoder, greatest: float) -> None:
    """Have training leave out blocks beside their shortcuts at random, the later the likelier, up to ``greatest``.

    Stochastic depth (Huang et al. 2016, arXiv:1603.09382). The blocks of the ResNets are torchvision's and stay whole.
    """
    blocks = [module for module in encoder.modules() if isinstance(module, InvertedResidual)]
    for number, block in enumerate(blocks):
        block.drop_path = greatest * number / len(blocks)


ENCODERS: dict[str, Callable[[], Encoder]] = {
    "efficientnet_lite2": EfficientNetLite2,
    "resnet50": lambda: ResNet(50),
    "resnet152": lambda: ResNet(152),
}


def build_encoder(name: str) -> Encoder:
    """An untrained encoder by name. Raises ``KeyError`` for a name that :data:`ENCODERS` does not hold."""
    return ENCODERS[name]()
