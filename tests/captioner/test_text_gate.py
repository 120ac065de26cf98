"""The guess whether a photo holds text: its sum, and its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from photoindex.captioner import model_folder
from photoindex.captioner.model_files import inspect_folder
from photoindex.captioner.text_gate import GATE_FILE, TextGate, load_gate, save_gate
from photoindex.errors import CheckpointError
from photoindex.types import VectorBatch

GATE = TextGate("fake-1", np.array([2.0, -1.0, 0.5], np.float32), -0.5, 0.25)


def vectors(*photos: dict[int, int]) -> VectorBatch:
    """Photos with the impacts of their terms, by number."""
    return VectorBatch(
        np.arange(len(photos), dtype=np.int64),
        np.array([len(photo) for photo in photos], np.intp),
        np.array([number for photo in photos for number in photo], np.uint16),
        np.array([impact for photo in photos for impact in photo.values()], np.uint8),
    )


def test_terms_that_are_sure_count_most() -> None:
    some = vectors({0: 255}, {}, {1: 255}, {0: 64, 2: 255}, {77: 255})
    assert GATE.odds(some) == pytest.approx([1.5, -0.5, -1.5, 1.0, -0.5], abs=0.01)
    assert GATE.may_hold_text(some).tolist() == [True, False, False, True, False]


def test_a_gate_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert load_gate(tmp_path) is None
    save_gate(GATE, tmp_path)
    found = load_gate(tmp_path)
    assert found is not None
    assert (found.identity, found.weights.tolist(), found.bias, found.least) == (
        "fake-1", [2.0, -1.0, 0.5], -0.5, 0.25
    )  # fmt: skip


@pytest.mark.parametrize("damage", ["cut", "empty", "nan", "other"])
def test_a_damaged_gate_is_named(tmp_path: Path, damage: str) -> None:
    save_gate(GATE, tmp_path)
    path = tmp_path / GATE_FILE
    if damage == "nan":
        save_gate(TextGate("fake-1", np.array([np.nan], np.float32), 0.0, 0.0), tmp_path)
    else:
        path.write_bytes({"cut": path.read_bytes()[:-3], "empty": b"", "other": b"no weights at all"}[damage])
    with pytest.raises(CheckpointError, match=GATE_FILE):
        load_gate(tmp_path)


def test_the_gate_that_is_shipped_is_that_of_the_shipped_model() -> None:
    files, gate = inspect_folder(model_folder("default")), load_gate(model_folder("default"))
    assert gate is not None
    assert (gate.identity, len(gate.weights)) == (files.identity, files.terms)
