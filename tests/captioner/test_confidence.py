"""How likely a caption is right, by what the model knows."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import pytest
import torch

from photoindex.captioner.caption_generator import CaptionGenerator
from photoindex.captioner.checkpoint import load_checkpoint, save_calibration
from photoindex.captioner.confidence import UNKNOWN, Calibration, Signals, signals_of
from photoindex.captioner.registry import model_folder
from photoindex.errors import CheckpointError

EVEN = Calibration(0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("signals", "expected"),
    [(Signals(-5.0, -1.0), 0.5), (Signals(-4.0, -1.0), 0.7311), (Signals(-5.0, -0.5), 0.7311), (Signals(-900.0), 0.0)],
)
def test_a_confidence_is_a_probability(signals: Signals, expected: float) -> None:
    assert Calibration(1.0, 2.0, 7.0).confidence(signals) == pytest.approx(expected, abs=1e-4)


def test_what_is_seen_is_the_mean_of_logarithms() -> None:
    assert signals_of(-3.0, [1.0, 1.0]).seen == pytest.approx(0.0, abs=0.01)
    assert signals_of(-3.0, [0.5, 0.0]).seen == pytest.approx((math.log(0.501) + math.log(0.001)) / 2)
    assert signals_of(-3.0, []) == Signals(-3.0, UNKNOWN)


@pytest.mark.parametrize(
    "value",
    [{"bias": 1.0}, {"log_probability": 1, "seen": "much", "bias": 0},
     {"log_probability": 1, "seen": math.inf, "bias": 0},
     [1, 2], 3, {"log_probability": 1, "seen": 1, "bias": 0, "more": 1}],
)  # fmt: skip
def test_a_calibration_that_is_none_is_refused(shipped_copy: Path, value: object) -> None:
    config = json.loads((shipped_copy / "config.json").read_text())
    (shipped_copy / "config.json").write_text(json.dumps(config | {"confidence": value}))
    with pytest.raises(CheckpointError, match="config"):
        load_checkpoint(shipped_copy)


def test_a_model_may_have_none(shipped_copy: Path) -> None:
    config = json.loads((shipped_copy / "config.json").read_text())
    config.pop("confidence", None)
    (shipped_copy / "config.json").write_text(json.dumps(config))
    before = load_checkpoint(shipped_copy)
    assert before.calibration is None
    save_calibration(shipped_copy, EVEN)
    after = load_checkpoint(shipped_copy)
    assert after.calibration == EVEN
    assert after.identity == before.identity


def test_every_hypothesis_gets_the_confidence_of_its_signals() -> None:
    checkpoint = load_checkpoint(model_folder("default"))
    settings = dataclasses.replace(checkpoint.search, beam_width=2)
    maps = torch.rand(2, checkpoint.decoder.config.feature_dim, 9, 9, generator=torch.Generator().manual_seed(1))
    assert checkpoint.term_head is not None
    with torch.inference_mode():
        logits, seen = checkpoint.term_head(maps), checkpoint.features_of(maps)
    for calibration in (EVEN, Calibration(0.1, 0.4, 1.0), None):
        known = dataclasses.replace(checkpoint, calibration=calibration)
        for hypotheses in CaptionGenerator(known, known.decoder).generate(seen, logits, settings):
            for said in hypotheses:
                assert said.signals is not None
                assert said.signals.log_probability == said.log_probability
                assert said.signals.seen < 0
                expected = None if calibration is None else calibration.confidence(said.signals)
                assert said.confidence == expected


def test_the_shipped_model_knows_how_likely_it_is_right() -> None:
    calibration = load_checkpoint(model_folder("default")).calibration
    assert calibration is not None
    assert calibration.confidence(Signals(-4.0, -0.2)) > 0.7 > 0.2 > calibration.confidence(Signals(-18.0, -3.0))


@pytest.fixture
def shipped_copy(tmp_path: Path) -> Path:
    """The shipped model's folder, whose config may be changed."""
    folder = tmp_path / "model"
    folder.mkdir()
    for file in model_folder("default").iterdir():
        if file.name == "config.json":
            (folder / file.name).write_bytes(file.read_bytes())
        else:
            (folder / file.name).symlink_to(file.resolve())
    return folder
