"""Fitting and measuring how far a model's captions can be trusted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

from photoindex.cli.main import main
from photoindex.errors import TrainingError
from photoindex.training.confidence import Judged, cross_fitted, draw_diagram, fit_calibration, is_right, measure
from photoindex.training.logistic import fit_logistic, probability

PEOPLE = ("A brown dog runs through tall grass.", "The dog is running in a green field.")


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("a dog running in the grass", True),
        ("a brown dog in a field", True),
        ("a brown dog with a ball", False),  # nobody named a ball
        ("a man and a dog in the grass", False),  # nor a person
        ("a dog sleeping on blue snow", False),  # a dog, but little else is theirs
        ("a couch", False),
        ("", False),
        ("the of", False),
    ],
)
def test_a_right_caption_invents_nothing_and_says_what_people_say(caption: str, expected: bool) -> None:
    assert is_right(caption, PEOPLE) is expected


def known(count: int, seed: int = 1) -> Judged:
    """Captions that are right with a probability that follows from their signals, and from them alone."""
    chance = np.random.default_rng(seed)
    signals = np.column_stack([chance.normal(-10, 4, count), chance.normal(-1.5, 0.6, count)])
    right = chance.random(count) < probability(0.4 * signals[:, 0] + 1.5 * signals[:, 1] + 6.0)
    return Judged(
        ("one", "other"), (np.arange(count) % 4 == 0).astype(np.intp), signals, right, np.arange(count) % 2 == 0,
        np.full(count, np.nan),
    )  # fmt: skip


def test_the_weights_that_made_the_answers_are_found_again() -> None:
    found = fit_calibration(known(20_000))
    assert (found.log_probability, found.seen, found.bias) == pytest.approx((0.4, 1.5, 6.0), rel=0.1)


def test_what_was_fitted_on_one_half_is_right_about_the_other() -> None:
    judged = known(4000)
    measured = measure(cross_fitted(judged), judged.right)
    assert measured.ece < 0.03
    assert measured.ranking > 0.8
    assert sum(each.captions for each in measured.bins) == measured.captions == 4000
    assert measured.confidence == pytest.approx(measured.right, abs=0.03)


def test_each_data_set_counts_the_same() -> None:
    judged = known(4000)
    right = np.where(judged.members == 1, True, judged.right)  # of the smaller set all captions are right
    changed = Judged(judged.sets, judged.members, judged.signals, right, judged.first_half, judged.confidences)
    fitted = fit_calibration(changed)
    weights = np.array([fitted.log_probability, fitted.seen])
    confidences = probability(judged.signals @ weights + fitted.bias)
    middle = (right[judged.members == 0].mean() + 1) / 2
    means = [confidences[judged.members == number].mean() for number in (0, 1)]
    assert np.mean(means) == pytest.approx(middle, abs=0.01)


@pytest.mark.parametrize("right", [[True] * 60, [False] * 60, [True] * 5 + [False] * 5])
def test_what_tells_nothing_is_refused(right: list[bool]) -> None:
    count = len(right)
    judged = Judged(
        ("one",), np.zeros(count, np.intp), np.zeros((count, 2)), np.array(right), np.arange(count) % 2 == 0,
        np.zeros(count),
    )  # fmt: skip
    with pytest.raises(TrainingError, match="validation photos"):
        fit_calibration(judged)


@pytest.mark.parametrize(
    ("confidences", "right", "ece", "ranking", "brier"),
    [
        ([1.0, 1.0, 0.0, 0.0], [True, True, False, False], 0.0, 1.0, 0.0),
        ([1.0, 0.0], [False, True], 1.0, 0.0, 1.0),
        ([0.5, 0.5, 0.5, 0.5], [True, True, False, False], 0.0, 0.5, 0.25),
        ([0.95, 0.95, 0.15, 0.15], [True, False, True, False], 0.4, 0.5, 0.4125),
        ([], [], 0.0, 0.5, 0.0),
    ],
)
def test_figures_worked_out_by_hand(
    confidences: list[float], right: list[bool], ece: float, ranking: float, brier: float
) -> None:
    found = measure(np.array(confidences), np.array(right, bool))
    assert (found.ece, found.ranking, found.brier) == pytest.approx((ece, ranking, brier))


def test_a_measure_that_does_not_vary_gets_a_weight_all_the_same() -> None:
    measures: NDArray[np.float64] = np.column_stack([np.ones(100), np.linspace(-1, 1, 100)])
    weights, bias = fit_logistic(measures, np.linspace(-1, 1, 100) > 0.1)
    assert np.isfinite([*weights, bias]).all()
    assert weights[1] > 1


def test_the_diagram_is_a_picture_with_a_panel_for_each(tmp_path: Path) -> None:
    judged = known(500)
    one = measure(cross_fitted(judged), judged.right)
    for count in (1, 3):
        draw_diagram({f"set {number}": one for number in range(count)}, tmp_path / f"{count}.png")
    with Image.open(tmp_path / "1.png") as single, Image.open(tmp_path / "3.png") as triple:
        assert triple.width > 2 * single.width
        assert len(single.getcolors(1 << 16) or []) > 4


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--split", "nothing"], "no photos of the split"), (["--model", "no-such-model"], "no-such-model")],
)
def test_the_command_says_what_is_missing(tmp_path: Path, options: list[str], message: str) -> None:
    folder = tmp_path / "set"
    (folder / "images").mkdir(parents=True)
    Image.new("RGB", (32, 32)).save(folder / "images" / "a.png")
    (folder / "captions.tsv").write_text("image\tsplit\tcaption\na.png\tval\ta black frame\n")
    done = CliRunner().invoke(main, ["evaluate", "confidence", "--data", str(folder), *options])
    assert done.exit_code == 1
    assert message in done.output


def test_the_command_prints_json(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    (folder / "images").mkdir(parents=True)
    Image.new("RGB", (32, 32)).save(folder / "images" / "a.png")
    (folder / "captions.tsv").write_text("image\tsplit\tcaption\na.png\tval\ta black frame\n")
    diagram = tmp_path / "diagram.png"
    options = ["--json", "--diagram", str(diagram), "--engine", "torch"]
    done = CliRunner().invoke(main, ["-q", "evaluate", "confidence", "--data", str(folder), *options])
    assert done.exit_code == 0, done.output
    [row] = json.loads(done.stdout)
    assert set(row) == {"data", "split", "model", "captions", "right", "confidence", "ece", "ranking", "brier", "bins"}
    assert row["captions"] == 1
    assert 0 <= row["confidence"] <= 1
    assert diagram.exists()
