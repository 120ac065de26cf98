"""Fitting and measuring the guess whether a photo holds text."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from photoindex.captioner.checkpoint import Checkpoint
from photoindex.errors import TrainingError
from photoindex.training import text_gate
from photoindex.types import TextLine, VectorBatch

BOX = (0, 0, 0, 0, 0, 0, 0, 0)


@dataclasses.dataclass
class Model:
    """What fitting asks of a model."""

    identity: str = "fake-1"
    terms: tuple[str, ...] = tuple("abcdefgh")


def photos(count: int, seed: int = 1) -> tuple[VectorBatch, np.ndarray]:
    """Photos that hold text when their first term is strong, and some others."""
    chance = np.random.default_rng(seed)
    impacts = chance.integers(1, 255, (count, 8)).astype(np.uint8)
    answers = (impacts[:, 0] > 140) ^ (chance.random(count) < 0.05)
    ids = np.tile(np.arange(8, dtype=np.uint16), count)
    return VectorBatch(np.arange(count), np.full(count, 8, np.intp), ids, impacts.ravel()), answers


def test_a_gate_finds_what_the_answers_hang_on_and_lets_nine_of_ten_pass() -> None:
    gate = text_gate.fit_gate(cast(Checkpoint, Model()), *photos(800))
    assert (gate.identity, int(np.abs(gate.weights).argmax())) == ("fake-1", 0)
    others, answers = photos(800, seed=2)
    scores = text_gate.score(gate.may_hold_text(others), answers, gate.odds(others))
    assert scores.recall == pytest.approx(text_gate.KEPT, abs=0.06)
    assert scores.precision > 0.8
    assert scores.ranking > 0.9


def test_too_few_photos_are_refused() -> None:
    vectors, answers = photos(120)
    with pytest.raises(TrainingError, match="too few to learn from"):
        text_gate.fit_gate(cast(Checkpoint, Model()), vectors, np.zeros_like(answers))


def test_scores_count_photos() -> None:
    scores = text_gate.score(np.array([True, True, False, False]), np.array([True, False, True, False]))
    assert (scores.photos, scores.with_text, scores.passed) == (4, 2, 2)
    assert (scores.precision, scores.recall, scores.ranking) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("said", "confidence", "expected"), [("EXIT", 0.9, True), ("EXIT", 0.6, False), ("A -", 0.9, False), ("", 1, False)]
)
def test_text_is_what_is_surely_read(said: str, confidence: float, expected: bool) -> None:
    assert text_gate.holds_text([TextLine(said, confidence, BOX)]) is expected


def test_what_was_read_before_is_not_read_again(tmp_path: Path) -> None:
    kept, path = tmp_path / "readings.jsonl", tmp_path / "gone.jpg"
    kept.write_text(json.dumps({"path": str(path), "lines": [["EXIT", 0.9]]}) + "\n")
    whole = kept.read_bytes()
    kept.write_bytes(whole + b'{"path": "/oth')  # a run was killed
    assert text_gate.read_answers([path], kept) == {path: True}
    assert kept.read_bytes() == whole
    kept.write_text("{}\n")
    with pytest.raises(TrainingError, match="line 1 is no reading"):
        text_gate.read_answers([path], kept)
