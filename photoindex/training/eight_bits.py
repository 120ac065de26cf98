"""An encoder learns to see in 8 bits what it sees in 32 (``captioner/eight_bits.py``).

Three steps, none of which needs captions:

1. channels that pass over a shared grid are brought to like ranges (Nagel et al. 2019, arXiv:1906.04721), which changes
   nothing of what the network computes;
2. the grids are fixed where rounding some photos' activations loses least;
3. the rounded network learns to give the features and the term head's logits of the one that it was, with
   straight-through gradients: what was rounded counts as if it had not been.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from photoindex.captioner.eight_bits import EightBitEncoder, levels, places
from photoindex.captioner.encoders import EfficientNetLite2, InvertedResidual

RELU_LIMIT = 6.0
SHARE = 0.5  # of the differences between channels, where to even them out makes those between weights greater
MARGIN = 0.7  # of ReLU6's limit, that a channel's peak in some photos may reach: others may have greater ones
LARGEST_CHANGE = 8.0  # of a channel: those that are nearly always 0 are left small
LOGITS_WEIGHT = 1.0
RATE = 1e-3  # the greatest change of a weight in a step, as a share of its tensor's root mean square
WARM_UP = 100  # steps


def prepare(encoder: EfficientNetLite2, samples: Iterable[Tensor]) -> EightBitEncoder:
    """Steps 1 and 2 of a folded encoder, which is changed, with batches of normalised images (N, 3, H, W)."""
    samples = list(samples)
    _even_out(encoder, _greatest(encoder, samples))
    student = EightBitEncoder(encoder)
    _choose_grids(student, samples)
    return student


def distil(
    student: EightBitEncoder,
    teacher: EfficientNetLite2,
    logits_of: Callable[[Tensor], Tensor],
    batches: Iterable[Tensor],
    steps: int,
    rate: float = RATE,
    report: Callable[[int, float, float], None] = lambda *_: None,
) -> None:
    """Step 3: learn from ``steps`` batches of normalised images what ``teacher``, a folded encoder, sees in them.

    ``logits_of`` gives the logits of feature maps; ``report`` receives, after each step, its number, the squared error of
    the features and that of the logits, as shares of their squares.
    """
    parameters = [(name, each) for name, each in student.encoder.named_parameters() if "classifier" not in name]
    groups = [{"params": [each], "size": _rms(each)} for _, each in parameters]
    optimiser = torch.optim.Adam(groups, lr=0.0, betas=(0.9, 0.99))
    for number, images in zip(range(steps), batches, strict=False):
        warm = min(1.0, (number + 1) / WARM_UP)
        current = rate * warm * 0.5 * (1 + math.cos(math.pi * number / steps))
        for group in optimiser.param_groups:
            group["lr"] = current * group["size"]
        with torch.no_grad():
            wanted = teacher(images)
            wanted_logits = logits_of(wanted)
        features = student(images)
        error = (features - wanted).square().mean() / wanted.square().mean()
        of_logits = (logits_of(features) - wanted_logits).square().mean() / wanted_logits.var()
        optimiser.zero_grad(set_to_none=True)
        (error + LOGITS_WEIGHT * of_logits).backward()
        optimiser.step()
        report(number, float(error.detach()), float(of_logits.detach()))


def _rms(weights: Tensor) -> float:
    return max(float(weights.detach().square().mean().sqrt()), 1e-3)


@torch.no_grad()
def _greatest(encoder: EfficientNetLite2, samples: list[Tensor]) -> dict[str, Tensor]:
    """The greatest absolute value of each channel at each of the places, (C,), as the encoder is."""
    found: dict[str, Tensor] = {}
    for images in samples:
        for place, x in _passed_on(encoder, images):
            peak = x.abs().amax((0, 2, 3))
            found[place] = torch.maximum(found.get(place, peak), peak)
    return found


def _passed_on(encoder: EfficientNetLite2, images: Tensor) -> Iterator[tuple[str, Tensor]]:
    """What passes at each of the places, not rounded."""
    x = F.relu6(encoder.stem(images))
    yield "stem", x
    for number, block in enumerate(encoder.blocks):
        assert isinstance(block, InvertedResidual)
        h = x
        if block.expand is not None:
            h = F.relu6(block.expand(h))
            yield f"{number}.expand", h
        h = F.relu6(block.depthwise(h))
        yield f"{number}.depthwise", h
        h = block.project(h)
        x = x + h if block.shortcut else h
        yield f"{number}.project", x


@torch.no_grad()
def _even_out(encoder: EfficientNetLite2, peaks: dict[str, Tensor]) -> None:
    blocks = [block for block in encoder.blocks if isinstance(block, InvertedResidual)]
    for number, block in enumerate(blocks):
        if block.expand is not None:
            # Both sides have a grid for each channel, so all of the difference goes.
            larger = _enlargement(peaks[f"{number}.expand"])
            _scale_outputs(block.expand, larger)
            block.depthwise.weight.div_(larger[:, None, None, None])
        larger = _enlargement(peaks[f"{number}.depthwise"]) ** SHARE
        _scale_outputs(block.depthwise, larger)
        block.project.weight.div_(larger[None, :, None, None])
    # What shortcuts add to belongs to all blocks of a stage.
    first = 0
    while first < len(blocks):
        last = first
        while last + 1 < len(blocks) and blocks[last + 1].shortcut:
            last += 1
        peak = torch.stack([peaks[f"{number}.project"] for number in range(first, last + 1)]).amax(0)
        smaller = (peak.max() / peak.clamp(min=1e-6)).clamp(max=LARGEST_CHANGE) ** SHARE
        for number in range(first, last + 1):
            _scale_outputs(blocks[number].project, smaller)
        for number in range(first + 1, min(last + 2, len(blocks))):
            expand = blocks[number].expand
            assert expand is not None
            expand.weight.div_(smaller[None, :, None, None])
        if last + 1 == len(blocks):
            encoder.head.weight.div_(smaller[None, :, None, None])
        first = last + 1


def _enlargement(peak: Tensor) -> Tensor:
    """By how much each channel may grow for its peak (C,) to stay within ReLU6's limit. Those that reach it must not."""
    return (MARGIN * RELU_LIMIT / peak.clamp(min=1e-6)).clamp(min=1.0, max=LARGEST_CHANGE)


def _scale_outputs(module: nn.Conv2d, factors: Tensor) -> None:
    assert module.bias is not None
    module.weight.mul_(factors[:, None, None, None])
    module.bias.mul_(factors)


@torch.no_grad()
def _choose_grids(student: EightBitEncoder, samples: list[Tensor]) -> None:
    """Set each step to the one of some that loses least of the values that pass there."""
    peaks = {place: peak.max() for place, peak in _greatest(student.encoder, samples).items()}
    losses: dict[str, Tensor] = {}
    shares = torch.linspace(0.3, 1.0, 15).tolist()
    for images in samples:
        for place, x in _passed_on(student.encoder, images):
            lowest, highest = levels(place)
            lost = []
            for share in shares:
                step = share * peaks[place] / highest
                lost.append(((x / step).round().clamp(lowest, highest) * step - x).square().mean())
            losses[place] = losses.get(place, torch.zeros(len(shares), device=x.device)) + torch.stack(lost)
    for place in places(student.encoder):
        _, highest = levels(place)
        student.step(place).copy_(shares[int(losses[place].argmin())] * peaks[place] / highest)
