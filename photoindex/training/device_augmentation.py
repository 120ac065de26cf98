"""Views of photos made in whole batches, where the network is: new ones in every step, and none of them kept.

augmentation.py makes a few views of each photo once, for parts of the network that stay as they are; an encoder that is
trained itself sees each photo only a few dozen times, each time otherwise. Changes are stronger than there, too. All
randomness is torch's own, so that a seed repeats it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

WIDEST_ASPECT = 4 / 3
STRONGEST_TINT = 0.1  # of a colour channel, as a share
GREY = 0.05  # of the photos lose their colours
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
ERASED_SIDES = (0.15, 0.45)  # of the view's


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How much views differ from their photos."""

    smallest_area: float = 0.4  # of the photo
    colour: float = 0.4  # the strongest change of brightness, contrast and colour, as a share
    degrees: float = 8.0  # the greatest turn; half the views are turned
    erased: float = 0.2  # of the views, a rectangle is grey ("Random Erasing", Zhong et al. 2017, arXiv:1708.04896)


def varied(photos: Tensor, size: int, change: Augmentation) -> Tensor:
    """uint8 photos (N, 3, S, S) -> a view of each, float32 (N, 3, size, size) from 0 to 255, on the same device.

    A view is a part of the photo, of another aspect, mirrored half the time, turned a little, in another light.
    """
    images = F.grid_sample(
        photos.float(), _grid(photos, size, change), mode="bilinear", padding_mode="reflection", align_corners=False
    )
    images = _in_another_light(images / 255, change.colour)
    if change.erased:
        images = torch.where(_erased(images, change.erased), 0.5, images)
    return images * 255


def _between(like: Tensor, low: float, high: float) -> Tensor:
    """A number from ``low`` to ``high`` for each photo (N,)."""
    return torch.empty(len(like), device=like.device).uniform_(low, high)


def _chosen(like: Tensor, share: float) -> Tensor:
    """Whether each photo (N,) is one of a share of them drawn at random."""
    return torch.rand(len(like), device=like.device) < share


def _grid(photos: Tensor, size: int, change: Augmentation) -> Tensor:
    """Where each pixel of the views is in its photo, (N, size, size, 2) from -1 to 1."""
    area = _between(photos, change.smallest_area, 1.0)
    aspect = torch.exp(_between(photos, -math.log(WIDEST_ASPECT), math.log(WIDEST_ASPECT)))
    width, height = (area * aspect).sqrt().clamp(max=1), (area / aspect).sqrt().clamp(max=1)  # shares of the photo's
    x, y = _between(photos, -1, 1) * (1 - width), _between(photos, -1, 1) * (1 - height)
    mirrored = torch.where(_chosen(photos, 0.5), -1.0, 1.0)
    turn = _between(photos, -change.degrees, change.degrees) * (math.pi / 180) * _chosen(photos, 0.5)
    cosine, sine = turn.cos(), turn.sin()
    rows = (
        torch.stack((width * cosine * mirrored, -width * sine, x), 1),
        torch.stack((height * sine * mirrored, height * cosine, y), 1),
    )
    return F.affine_grid(torch.stack(rows, 1), [len(photos), 3, size, size], align_corners=False)


def _in_another_light(images: Tensor, strength: float) -> Tensor:
    """Images (N, 3, h, w) from 0 to 1 with other brightness, tint, contrast and colour, from 0 to 1."""
    brightness, contrast, colour = (
        _between(images, 1 - strength, 1 + strength).view(-1, 1, 1, 1) for _ in range(3)
    )  # fmt: skip
    tint = torch.empty(len(images), 3, 1, 1, device=images.device).uniform_(1 - STRONGEST_TINT, 1 + STRONGEST_TINT)
    images = images * brightness * tint
    mean = images.mean((1, 2, 3), keepdim=True)
    images = (images - mean) * contrast + mean
    luma = torch.tensor(LUMA, device=images.device).view(1, 3, 1, 1)
    grey = (images * luma).sum(1, keepdim=True)
    colour = colour * ~_chosen(images, GREY).view(-1, 1, 1, 1)
    return ((images - grey) * colour + grey).clamp(0, 1)


def _erased(images: Tensor, share: float) -> Tensor:
    """Which pixels are taken away, bool (N, 1, h, w): a rectangle of a share of the images."""
    size = images.shape[-1]
    width, height = (_between(images, *ERASED_SIDES) * size for _ in range(2))
    left, top = (torch.rand(len(images), device=images.device) * (size - side) for side in (width, height))
    pixel = torch.arange(size, device=images.device)
    columns = (pixel >= left[:, None]) & (pixel < (left + width)[:, None])  # (N, w)
    rows = (pixel >= top[:, None]) & (pixel < (top + height)[:, None])
    inside = rows[:, :, None] & columns[:, None, :] & _chosen(images, share)[:, None, None]
    return inside.unsqueeze(1)
