"""A captioner that remembers what it said, for photos that go into several libraries."""

from __future__ import annotations

import hashlib
from collections.abc import MutableMapping, Sequence
from typing import TYPE_CHECKING

from photoindex.captioner import Captioner
from photoindex.types import CaptionerInfo, Prediction

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class RememberingCaptioner:
    """``captioner``, but pixels that are in ``memory`` are not looked at again.

    The memory may be shared by captioners of the same model and settings, and by no others.
    """

    def __init__(self, captioner: Captioner, memory: MutableMapping[bytes, Prediction]) -> None:
        self._captioner = captioner
        self._memory = memory

    @property
    def info(self) -> CaptionerInfo:
        return self._captioner.info

    def caption(self, photos: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        keys = [hashlib.sha256(pixels.tobytes()).digest() for pixels in photos]
        new = {key: pixels for key, pixels in zip(keys, photos, strict=True) if key not in self._memory}
        if new:
            self._memory.update(zip(new, self._captioner.caption(list(new.values())), strict=True))
        return [self._memory[key] for key in keys]

    def close(self) -> None:
        self._captioner.close()
