"""The models there are: those that came with photoindex, and folders that a person names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from photoindex.captioner.model_files import CONFIG_FILE, read_config, refuse_pickles
from photoindex.config import Settings
from photoindex.errors import CheckpointError
from photoindex.system.package_data import models_dir
from photoindex.system.paths import absolute

if TYPE_CHECKING:
    from photoindex.captioner import Captioner

DEFAULT_MODEL = "default"
DEFAULT_FILE = "DEFAULT"


def model_folder(name: str) -> Path:
    """The checkpoint folder a model setting means: ``default``, a shipped model's name, or a path.

    Raises :class:`CheckpointError` when there is none.
    """
    if name == DEFAULT_MODEL:
        return models_dir() / (models_dir() / DEFAULT_FILE).read_text(encoding="utf-8").strip()
    shipped = models_dir() / name
    if shipped.is_dir() and shipped.parent == models_dir():
        return shipped
    path = Path(os.path.expanduser(name))
    if path.exists():
        return path
    known = ", ".join(shipped_models())
    raise CheckpointError(f"no model {name!r}: neither a folder nor one of the shipped models ({known})")


def check_is_model(name: str) -> None:
    """See without torch that a model setting means a model that this version reads, but for the files of its weights.

    Raises :class:`photoindex.errors.ModelError`.
    """
    folder = model_folder(name)
    refuse_pickles(folder)
    read_config(folder)


def shipped_models() -> list[str]:
    """The names of the models that came with photoindex."""
    return sorted(folder.name for folder in models_dir().iterdir() if (folder / CONFIG_FILE).is_file())


def model_setting(name: str) -> str:
    """The model that a setting names, in words that mean the same in any folder."""
    if name == DEFAULT_MODEL or name in shipped_models():
        return name
    return str(absolute(Path(name)))


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
