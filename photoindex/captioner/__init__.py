"""Captions and object labels for photos. Importing this package does not import torch; loading a captioner does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from photoindex.captioner.registry import (
    DEFAULT_MODEL,
    check_is_model,
    load_captioner,
    model_folder,
    model_setting,
    shipped_models,
)
from photoindex.config import Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from photoindex.types import CaptionerInfo, Prediction

__all__ = [
    "DEFAULT_MODEL",
    "Captioner",
    "check_is_model",
    "load_captioner",
    "model_folder",
    "model_setting",
    "shipped_models",
    "start_captioner",
]


class Captioner(Protocol):
    """What the pipeline needs of a captioner; the shipped one is :class:`.neural.NeuralCaptioner`.

    What it raises ends the run, and the photos stay queued; so does an answer that :mod:`.answers` refuses.
    """

    @property
    def info(self) -> CaptionerInfo:
        """Its facts. ``batch_size`` may fall while it captions, where a GPU runs out of memory."""
        ...

    def caption(self, photos: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        """uint8 (input_size, input_size, 3) each -> one prediction each, in order."""
        ...

    def close(self) -> None:
        """Let go of the model. May be called again."""
        ...


def start_captioner(settings: Settings) -> Captioner:
    """The same in a process of its own, which gives its memory back when it is closed; see :mod:`.worker_process`.

    Raises :class:`photoindex.errors.ModelError`.
    """
    from photoindex.captioner.worker_process import CaptionerProcess

    return CaptionerProcess(settings)
