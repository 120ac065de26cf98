"""Captions and object labels for photos. Importing this package does not import torch; loading a captioner does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from photoindex.config import Settings
from photoindex.errors import CheckpointError
from photoindex.system.package_data import models_dir

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from photoindex.types import Prediction, TermVocabulary

DEFAULT_MODEL = "default"
DEFAULT_FILE = "DEFAULT"


class Captioner(Protocol):
    """What the pipeline needs of a captioner; the shipped one is :class:`.neural.NeuralCaptioner`."""

    name: str
    identity: str  # changes with the weights: captions made under another identity are stale
    encoder: str
    settings: str  # how captions are searched for, recorded with each
    input_size: int  # pixels a side of the square it takes
    batch_size: int  # photos it likes to get at a time
    device: str  # for a person
    terms: TermVocabulary | None  # what the vectors of its predictions are over; None: it predicts no terms

    def caption(self, photos: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        """uint8 (input_size, input_size, 3) each -> one prediction each, in order."""
        ...

    def close(self) -> None:
        """Let go of the model. May be called again."""
        ...


def model_folder(name: str) -> Path:
    """The checkpoint folder a model setting means: ``default``, a shipped model's name, or a path.

    Raises :class:`CheckpointError` when there is none.
    """
    if name == DEFAULT_MODEL:
        return models_dir() / (models_dir() / DEFAULT_FILE).read_text(encoding="utf-8").strip()
    shipped = models_dir() / name
    if shipped.is_dir() and shipped.parent == models_dir():
        return shipped
    path = Path(name).expanduser()
    if path.exists():
        return path
    known = ", ".join(shipped_models())
    raise CheckpointError(f"no model {name!r}: neither a folder nor one of the shipped models ({known})")


def shipped_models() -> list[str]:
    """The names of the models that came with photoindex."""
    return sorted(folder.name for folder in models_dir().iterdir() if (folder / "config.json").is_file())


def load_captioner(settings: Settings) -> Captioner:
    """Load the model that the settings name onto its device; takes a second or two and imports torch.

    Raises :class:`photoindex.errors.ModelError`.
    """
    from photoindex.captioner.neural import NeuralCaptioner

    return NeuralCaptioner.load(
        model_folder(settings.model),
        device=settings.device,
        beam_width=settings.beam_width,
        batch_size=settings.batch_size,
        threads=settings.threads,
        engine=settings.engine,
    )


def start_captioner(settings: Settings) -> Captioner:
    """The same in a process of its own, which gives its memory back when it is closed; see :mod:`.process`.

    Raises :class:`photoindex.errors.ModelError`.
    """
    from photoindex.captioner.worker_process import CaptionerProcess

    return CaptionerProcess(settings)
