"""Guess from a photo's learned terms whether it holds text, without looking at its pixels again.

Captioning has seen the photo already: streets, shops, shirts with numbers and posters hold text more often than grass
and snow do. The guess is a logistic regression on the impacts of the terms, which the catalogue keeps; it costs a
millionth of what looking for text costs. Its weights are in the model's folder, in ``text_gate.safetensors``, fitted by
:mod:`photoindex.training.text_gate` for that model's terms alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from photoindex.errors import CheckpointError
from photoindex.system.error_lines import reason_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from photoindex.types import VectorBatch

GATE_FILE: Final = "text_gate.safetensors"
MOST_IMPACT: Final = 255


@dataclass(frozen=True, slots=True, eq=False)
class TextGate:
    """The weights (terms,) of one model's terms, by its ``identity``, and its log-odds without any. A photo whose
    log-odds are below ``least`` is taken for one without text."""

    identity: str
    weights: NDArray[np.float32]
    bias: float
    least: float

    def odds(self, photos: VectorBatch) -> NDArray[np.float64]:
        """Return the log-odds (N,) that each photo holds legible text. Terms that the gate does not know count
        nothing."""
        rows = np.repeat(np.arange(len(photos.counts)), photos.counts)
        known = photos.ids < len(self.weights)
        values = self.weights[photos.ids[known]] * strength(photos.impacts[known])
        return self.bias + np.bincount(rows[known], values, minlength=len(photos.counts)).astype(np.float64)

    def may_hold_text(self, photos: VectorBatch) -> NDArray[np.bool_]:
        """Return whether each photo (N,) is worth a look."""
        return self.odds(photos) >= self.least


def strength(impacts: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Impacts -> what the weights are multiplied by, 0 to 1."""
    return np.sqrt(impacts / MOST_IMPACT)


def save_gate(gate: TextGate, folder: Path) -> None:
    """Write the gate into a model's folder; the file is replaced whole."""
    from safetensors.numpy import save

    from photoindex.system.atomic import replace_file

    tensors = {"weights": gate.weights.astype(np.float16), "bias_and_least": np.array([gate.bias, gate.least])}
    replace_file(folder / GATE_FILE, save(tensors, {"model": gate.identity}))


def load_gate(folder: Path) -> TextGate | None:
    """Return the gate of a model; ``None`` for a model without one. Raises :class:`CheckpointError` for a damaged
    one."""
    path = folder / GATE_FILE
    if not path.is_file():
        return None
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            identity = (file.metadata() or {})["model"]
            weights = file.get_tensor("weights").astype(np.float32)
            bias, least = map(float, file.get_tensor("bias_and_least"))
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path} is damaged or is no gate for text: {reason_of(error)}") from error
    if weights.ndim != 1 or not np.isfinite([*weights, bias, least]).all():
        raise CheckpointError(f"{path} is damaged: it holds numbers that make no sense")
    return TextGate(identity, weights, bias, least)
