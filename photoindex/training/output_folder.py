"""The folder that a trained model is written to: no file of anything else is replaced there."""

from __future__ import annotations

from pathlib import Path

from photoindex.captioner.model_files import ALL_FILES
from photoindex.errors import TrainingError


def check_nothing_is_replaced(folder: Path) -> None:
    """Raise :class:`TrainingError` for a folder with a file that has the name of one of a model's, before hours of
    training. A run that is resumed may replace what it wrote itself."""
    there = [name for name in ALL_FILES if (folder / name).exists()]
    if there:
        raise TrainingError(f"{folder} holds {', '.join(there)}, which the model would replace: name another --output")
