"""An encoder learns to see in 8 bits what it sees in 32 (``captioner/eight_bits.py``).

Three steps, none of which needs captions:

1. channels that pass over a shared grid are brought to like ranges (Nagel et al. 2019, arXiv:1906.04721), which changes
   nothing of what the network computes;
2. the grids are fixed where rounding some photos' activations loses least;
3. the rounded network learns to give the features and the term head's logits of the one that it was, with
   straight-through gradients: what was rounded counts as if it had not been.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from photoindex.captioner.checkpoint import Checkpoint
from photoindex.captioner.eight_bits import (
    EightBitEncoder,
    EightBitWeights,
    digest_of,
    encoder_of,
    levels,
    places,
    run,
    save_eight_bits,
    weights_of,
)
from photoindex.captioner.encoders import EfficientNetLite2, InvertedResidual, fold_batch_norm
from photoindex.config import Settings
from photoindex.errors import CheckpointError, PhotoError
from photoindex.media.decode import Decoder
from photoindex.training.device_augmentation import Augmentation, varied

PIXELS = 320  # of a side of the photos that views are taken from
RELU_LIMIT = 6.0
SHARE = 0.5  # of the differences between channels, where to even them out makes those between weights greater
MARGIN = 0.7  # of ReLU6's limit, that a channel's peak in some photos may reach: others may have greater ones
LARGEST_CHANGE = 8.0  # of a channel: those that are nearly always 0 are left small
VIEWS = Augmentation(smallest_area=0.3, colour=0.3, degrees=0, erased=0)
MOST_SHARPENED = 2.5  # times the difference to the mean around: photos of many megapixels are sharper than these are
SAMPLE_BATCH, SAMPLE_BATCHES = 32, 8
LOGITS_WEIGHT = 1.0
RATE = 1e-3  # the greatest change of a weight in a step, as a share of its tensor's root mean square
WARM_UP = 100  # steps


@dataclass(frozen=True, slots=True)
class Difference:
    """How far what is seen in 8 bits is from what is seen in 32, as shares: of the features, and of the term head's
    logits about their mean."""

    features: float
    logits: float


def learn(
    checkpoint: Checkpoint,
    photos: Tensor,
    device: torch.device,
    steps: int,
    batch: int,
    report: Callable[[int, float, float], None] = lambda *_: None,
    *,
    folder: Path | None = None,
) -> EightBitWeights:
    """All three steps for a model, from photos uint8 (N, 3, S, S); S had better not be below the model's size. What was
    learned is written into the model's ``folder``, where that is given."""
    teacher, logits_of, views = _parts(checkpoint, photos, device)
    samples = [views(SAMPLE_BATCH) for _ in range(SAMPLE_BATCHES)]
    student = prepare(copy.deepcopy(teacher), samples).to(device)
    student.encoder.requires_grad_(True)
    distil(student, teacher, logits_of, (views(batch) for _ in range(steps)), steps, report=report)
    weights = weights_of(student, digest_of(checkpoint.encoder))
    if folder is not None:
        save_eight_bits(weights, folder)
    return weights


@torch.no_grad()
def compare(checkpoint: Checkpoint, weights: EightBitWeights, photos: Tensor, device: torch.device) -> Difference:
    """Compare both encoders of a model on photos uint8 (N, 3, S, S)."""
    teacher, logits_of, _ = _parts(checkpoint, photos, device)
    rounded = encoder_of(weights, copy.deepcopy(teacher).cpu()).to(device)
    preprocessing = checkpoint.encoder.preprocessing
    off, whole, logits_off, logits = 0.0, 0.0, 0.0, []
    for start in range(0, len(photos), SAMPLE_BATCH):
        some = photos[start : start + SAMPLE_BATCH]
        images = preprocessing.normalise(_of_size(some.to(device).float(), preprocessing.size))
        wanted, found = teacher(images), rounded(images)
        off += float((found - wanted).square().sum())
        whole += float(wanted.square().sum())
        logits.append(logits_of(wanted))
        logits_off += float((logits_of(found) - logits[-1]).square().sum())
    every = torch.cat(logits)
    return Difference((off / whole) ** 0.5, (logits_off / float((every - every.mean()).square().sum())) ** 0.5)


def decoded(paths: Sequence[Path], settings: Settings, report: Callable[[str, int, int], None]) -> Tensor:
    """The photos as uint8 (N, 3, PIXELS, PIXELS), in any order. Raises the :class:`.errors.PhotoError` of one that
    cannot be read."""
    pixels = np.empty((len(paths), PIXELS, PIXELS, 3), np.uint8)
    with Decoder.by_settings(settings, PIXELS) as decoder:
        for number, (_, answer) in enumerate(decoder.decode(paths)):
            if isinstance(answer, PhotoError):
                raise answer
            pixels[number] = answer.pixels
            report("decoding", number + 1, len(paths))
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)


def _parts(
    checkpoint: Checkpoint, photos: Tensor, device: torch.device
) -> tuple[EfficientNetLite2, Callable[[Tensor], Tensor], Callable[[int], Tensor]]:
    """The folded encoder on its device; what gives a feature map's logits; and what gives views of so many photos."""
    if not isinstance(checkpoint.encoder, EfficientNetLite2) or checkpoint.term_head is None:
        raise CheckpointError(f"{checkpoint.name} cannot learn it: that takes an EfficientNet-Lite2 and a term head")
    teacher = copy.deepcopy(checkpoint.encoder).eval()
    fold_batch_norm(teacher)
    teacher.to(device).requires_grad_(False)
    head = copy.deepcopy(checkpoint.term_head).eval().to(device).requires_grad_(False)
    preprocessing = teacher.preprocessing

    def views(count: int) -> Tensor:
        some = photos[torch.randint(len(photos), (count,))].to(device)
        images = varied(some, preprocessing.size, VIEWS)
        softer = F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, 1)
        sharper = torch.empty(count, 1, 1, 1, device=device).uniform_(-0.5, MOST_SHARPENED).clamp(min=0)
        return preprocessing.normalise((images + sharper * (images - softer)).clamp(0, 255).round())

    return teacher, head, views


def _of_size(images: Tensor, size: int) -> Tensor:
    return F.interpolate(images, size=(size, size), mode="bicubic", align_corners=False).clamp(0, 255).round()


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

    ``logits_of`` gives the logits of feature maps; ``report`` receives, after each step, its number, the squared error
    of the features and that of the logits, as shares of their squares.
    """
    parameters = [each for name, each in student.encoder.named_parameters() if "classifier" not in name]
    groups = [{"params": [each], "size": _rms(each)} for each in parameters]
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

    def note(place: str, x: Tensor) -> None:
        peak = x.abs().amax((0, 2, 3))
        found[place] = torch.maximum(found.get(place, peak), peak)

    for images in samples:
        _look(encoder, images, note)
    return found


def _look(encoder: EfficientNetLite2, images: Tensor, note: Callable[[str, Tensor], None]) -> None:
    """Give ``note`` what passes at each of the places, not rounded."""

    def pass_on(place: str, x: Tensor) -> Tensor:
        x = x if levels(place)[0] else F.relu6(x)
        note(place, x)
        return x

    run(encoder, images, lambda module, x: module(x), pass_on)


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
    """By how much each channel may grow for its peak (C,) to stay within ReLU6's limit; those that reach it may not."""
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

    def note(place: str, x: Tensor) -> None:
        lowest, highest = levels(place)
        lost = []
        for share in shares:
            step = share * peaks[place] / highest
            lost.append(((x / step).round().clamp(lowest, highest) * step - x).square().mean())
        losses[place] = losses.get(place, torch.zeros(len(shares), device=x.device)) + torch.stack(lost)

    for images in samples:
        _look(student.encoder, images, note)
    for place in places(student.encoder):
        _, highest = levels(place)
        student.step(place).copy_(shares[int(losses[place].argmin())] * peaks[place] / highest)
