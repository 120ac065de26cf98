"""An encoder learns to see in 8 bits what it sees in 32 (``captioner/eight_bits.py``).

Three steps, none of which needs captions:

1. the grids of what convolutions are given are set to what some photos make of it;
2. one convolution after the other, weights are fitted and rounded (both in :mod:`.weight_rounding`);
3. the rounded network learns to give the features and the term head's logits of the one that it was, with
   straight-through gradients: what was rounded counts as if it had not been (Jacob et al. 2018, arXiv:1712.05877).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from photoindex.captioner.checkpoint import Checkpoint
from photoindex.captioner.eight_bits import (
    EightBitEncoder,
    EightBitWeights,
    convolutions,
    digest_of,
    encoder_of,
    save_eight_bits,
    weights_of,
)
from photoindex.captioner.encoders import EfficientNetLite2, fold_batch_norm
from photoindex.config import Settings
from photoindex.errors import CheckpointError, PhotoError
from photoindex.media.decode import Decoder
from photoindex.training.device_augmentation import Augmentation, varied
from photoindex.training.weight_rounding import fit, prepare

PIXELS = 320  # of a side of the photos that views are taken from
VIEWS = Augmentation(smallest_area=0.3, colour=0.3, degrees=0, erased=0)
MOST_SHARPENED = 2.5  # times the difference to the mean around: photos of many megapixels are sharper than these are
SAMPLE_BATCH, SAMPLE_BATCHES = 8, 200
LOGITS_WEIGHT = 1.0
RATE = 1e-4  # the greatest change of a weight in a step, as a share of its tensor's root mean square
GRID_RATE = 0.3  # the same of distances on grids, for their mean, as a share of that
WARM_UP = 10  # steps
SEED = 1  # of the views that photos are taken in, so that the same photos give the same weights again


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
    report: Callable[[str, int, int], None] = lambda *_: None,
    *,
    folder: Path | None = None,
) -> EightBitWeights:
    """All three steps for a model, from photos uint8 (N, 3, S, S); S had better not be below the model's size. What was
    learned is written into the model's ``folder``, where that is given. ``report`` receives what is being done, how
    much of it is and how much there is."""
    torch.manual_seed(SEED)
    teacher, logits_of, views = _parts(checkpoint, photos, device)
    samples = [views(SAMPLE_BATCH) for _ in range(SAMPLE_BATCHES)]
    student = prepare(teacher, samples)
    fit(student, teacher, samples, lambda done, whole: report("rounding", done, whole))
    del samples
    distil(
        student, teacher, logits_of, (views(batch) for _ in range(steps)), steps,
        report=lambda number, *_: report("learning", number + 1, steps),
    )  # fmt: skip
    weights = weights_of(student, digest_of(checkpoint.encoder))
    if folder is not None:
        save_eight_bits(weights, folder)
    return weights


def photos_for(steps: int, batch: int) -> int:
    """How many photos :func:`learn` takes views of, if each view is to be of another one."""
    return SAMPLE_BATCH * SAMPLE_BATCHES + steps * batch


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
    """The photos as uint8 (N, 3, PIXELS, PIXELS), in their order. Raises the :class:`.errors.PhotoError` of one that
    cannot be read."""
    places = {path: place for place, path in enumerate(paths)}
    pixels = np.empty((len(paths), PIXELS, PIXELS, 3), np.uint8)
    with Decoder.by_settings(settings, PIXELS) as decoder:
        for number, (path, answer) in enumerate(decoder.decode(paths)):
            if isinstance(answer, PhotoError):
                raise answer
            pixels[places[path]] = answer.pixels
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


def distil(
    student: EightBitEncoder,
    teacher: EfficientNetLite2,
    logits_of: Callable[[Tensor], Tensor],
    batches: Iterable[Tensor],
    steps: int,
    rate: float = RATE,
    report: Callable[[int, float, float], None] = lambda *_: None,
) -> None:
    """Step 3: learn from ``steps`` batches of normalised images what ``teacher``, a folded encoder, sees in them. What
    comes before the first rounded convolution is right as it is.

    ``logits_of`` gives the logits of feature maps; ``report`` receives, after each step, its number, the squared error
    of the features and that of the logits, as shares of their squares.
    """
    # Convolutions on CPUs are twice as fast, their gradients three times, with a position's channels side by side.
    student.to(memory_format=torch.channels_last)
    teacher.to(memory_format=torch.channels_last)
    groups = _learning(student)
    optimiser = torch.optim.Adam(groups, lr=0.0, betas=(0.9, 0.98))
    for number, images in zip(range(steps), batches, strict=False):
        images = images.contiguous(memory_format=torch.channels_last)
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


def _learning(student: EightBitEncoder) -> list[dict[str, Any]]:
    """The parameters that learn, each with the size that its rate is a share of."""
    student.requires_grad_(False)
    names = [name for name, _ in convolutions(student.encoder)]
    groups: list[dict[str, Any]] = []
    for name, module in list(convolutions(student.encoder))[names.index(student.names[0]) :]:
        assert module.bias is not None
        groups += [{"params": [each], "size": _rms(each)} for each in (module.weight, module.bias)]
        if name in student.names:
            steps = student.grid(name, "step")
            groups.append({"params": [steps], "size": GRID_RATE * float(steps.detach().mean())})
    for group in groups:
        group["params"][0].requires_grad_(True)
    return groups


def _rms(weights: Tensor) -> float:
    return max(float(weights.detach().square().mean().sqrt()), 1e-9)
