"""JPEGs that something else has decoded, small: a GPU, where there is one.

A draft is what libjpeg makes when it decodes a JPEG at an eighth, a quarter or half of its size: each of its pixels is
the mean of a square of the photo's. Who makes drafts is given the bytes of plain JPEGs alone, and every photo whose
draft does not come is decoded as all others are. What a file's header and metadata say, and that its end is there, is
found out by the usual code either way.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Draft = NDArray[np.uint8]  # (height, width, 3)

# A JPEG is decoded small: each of its pixels is then the mean of a square of the photo's. From 1.15 times the size on
# the result is within 1.5 grey levels of what it is from 2 times on; and an eighth of a photo of 12 megapixels, 4 by 3,
# is 1.17 times the size that the shipped model sees.
DRAFT_GAP = 1.15


class DraftMaker(Protocol):
    """Makes drafts of many photos at once; called by one thread."""

    def make(self, jpegs: Sequence[bytes], scales: Sequence[int]) -> Sequence[Draft | None]:
        """Plain JPEGs -> each at 1 / scale of its size, rounded up; ``None`` for one that it cannot make."""
        ...

    @property
    def works(self) -> bool:
        """Whether it is worth asking again."""
        ...

    def interrupt(self) -> None:
        """From another thread: have :meth:`make` return soon, whatever it does."""
        ...

    def close(self) -> None:
        """Release what it holds. It may be asked again."""
        ...


def draft_size(extent: tuple[int, int], size: int, side: int) -> tuple[int, int]:
    """Return the least width and height that a JPEG is decoded to: for ``size`` pixels, or a thumbnail of ``side``."""
    least = math.ceil(size * DRAFT_GAP)
    scale = side / max(extent)
    return max(least, math.ceil(extent[0] * scale), 1), max(least, math.ceil(extent[1] * scale), 1)


def draft_scale(extent: tuple[int, int], size: int) -> int:
    """Return to what part of its size, one in 1, 2, 4 or 8, a JPEG of this extent is decoded for ``size`` pixels."""
    least = draft_size(extent, size, 0)
    room = min(extent[0] // least[0], extent[1] // least[1])
    return max(scale for scale in (1, 2, 4, 8) if scale <= max(1, room))


class _Lent:
    """The draft of the photo in work, in a worker."""

    draft: Draft | None = None


def lend(draft: Draft | None) -> None:
    """Have :func:`put_into` find this draft, for the one photo that is decoded next."""
    _Lent.draft = draft


def put_into(image: Image.Image) -> bool:
    """Give a JPEG that was opened, and whose size is that of a draft, the pixels that were lent instead of having them
    decoded. Return whether there are such."""
    draft, _Lent.draft = _Lent.draft, None
    if draft is None or image.format not in ("JPEG", "MPO") or image.mode != "RGB":
        return False
    if (image.height, image.width) != draft.shape[:2]:
        return False
    image.tile = []  # type: ignore[attr-defined]  # nothing is left to be read from the file
    image.im = Image.fromarray(draft).im
    return True
