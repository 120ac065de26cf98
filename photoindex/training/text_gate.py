"""Fit and measure the guess whether a photo holds text (:mod:`photoindex.captioner.text_gate`).

What it learns is the finding of the reader of text itself, at full size: a photo holds text when a line with a few
letters or digits was read in it and the reader was sure. Nobody has to label a photo. What was read is kept in a file,
for reading takes most of the time.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from photoindex.captioner.checkpoint import Checkpoint
from photoindex.captioner.network import strongest
from photoindex.captioner.runtime import Runtime
from photoindex.captioner.text_gate import TextGate, load_gate, save_gate, strength
from photoindex.errors import PhotoError, TrainingError
from photoindex.media.text.read import read_text_closely, shows_text
from photoindex.system.error_lines import reason_of
from photoindex.training.augmentation import load_view
from photoindex.types import TextLine, VectorBatch

SURE: Final = 0.75  # the confidence of a line that counts
LEAST_SIGNS: Final = 2  # letters and digits of such a line
MAX_PIXELS: Final = 300_000_000
PENALTIES: Final = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)  # of the squared weights
FOLDS: Final = 4
KEPT: Final = 0.9  # the share of photos with text that is to pass, where the least log-odds are chosen
LEAST_PHOTOS: Final = 100  # to fit on

Report = Callable[[str, int, int], None]  # what is done, how far, of how many


@dataclass(frozen=True, slots=True)
class GateScores:
    """``photos``, ``with_text`` of them hold text, ``passed`` of them pass. ``precision`` is the share of those that
    pass that hold text, ``recall`` the share of those that hold text that pass; ``ranking`` the probability that of a
    photo with text and one without the first is thought likelier (area under the ROC curve). All but the counts from 0
    to 1."""

    photos: int
    with_text: int
    passed: int
    precision: float
    recall: float
    ranking: float


def holds_text(lines: Sequence[TextLine]) -> bool:
    """Return whether one of these lines is text that a person would read."""
    return any(line.confidence >= SURE and sum(sign.isalnum() for sign in line.text) >= LEAST_SIGNS for line in lines)


def read_answers(
    photos: Sequence[Path], kept: Path, report: Report = lambda what, done, total: None
) -> dict[Path, bool]:
    """Return which of these photos hold text; those that cannot be read are left out.

    ``kept`` is a file of JSON lines with what was read in each photo; what is not in it is read and added.
    """
    found = _answers_in(kept)
    left = [path for path in photos if str(path) not in found]
    with kept.open("a", encoding="utf-8") as file:
        for done, path in enumerate(left):
            report("reading text", done, len(left))
            try:
                text = read_text_closely(path, 1, MAX_PIXELS).text
            except PhotoError:
                continue
            lines = () if text is None else text.lines
            found[str(path)] = holds_text(lines)
            said = [[line.text, round(line.confidence, 3)] for line in lines]
            file.write(json.dumps({"path": str(path), "lines": said}) + "\n")
            file.flush()  # a run that is stopped loses one photo
    return {path: found[str(path)] for path in photos if str(path) in found}


def _answers_in(kept: Path) -> dict[str, bool]:
    if not kept.exists():
        return {}
    found = {}
    whole, _, cut = kept.read_bytes().rpartition(b"\n")
    if cut:  # the run before ended in the middle of it
        os.truncate(kept, len(whole) + 1 if whole else 0)
    for number, row in enumerate(whole.splitlines(), 1):
        try:
            value = json.loads(row)
            lines = [TextLine(str(said[0]), float(said[1]), (0,) * 8) for said in value["lines"]]
            found[str(value["path"])] = holds_text(lines)
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise TrainingError(f"{kept}, line {number} is no reading of a photo: {reason_of(error)}") from error
    return found


def term_vectors(
    checkpoint: Checkpoint,
    photos: Sequence[Path],
    device: torch.device,
    report: Report = lambda what, done, total: None,
) -> VectorBatch:
    """Return the learned terms of these photos, numbered from 0, as captioning would store them.

    Raises :class:`TrainingError` for a model that has no terms.
    """
    head = checkpoint.term_head
    if head is None:
        raise TrainingError(f"the model {checkpoint.name} has no terms to guess from")
    runtime, size = Runtime(checkpoint, device), checkpoint.encoder.preprocessing.size
    vectors: list[tuple[NDArray[np.uint16], NDArray[np.uint8]]] = []
    for start in range(0, len(photos), runtime.batch_size):
        report("looking", start, len(photos))
        views = [load_view(path, size) for path in photos[start : start + runtime.batch_size]]
        with torch.inference_mode():
            feature_map = runtime.encode(np.ascontiguousarray(np.stack(views).transpose(0, 2, 3, 1)))
            _, logits = runtime.features_of(feature_map)
            assert logits is not None
            vectors += strongest(head.impacts(logits), head.config)
    runtime.close()
    return VectorBatch(
        np.arange(len(vectors), dtype=np.int64),
        np.array([len(ids) for ids, _ in vectors], np.intp),
        np.concatenate([np.zeros(0, np.uint16), *(ids for ids, _ in vectors)]),
        np.concatenate([np.zeros(0, np.uint8), *(impacts for _, impacts in vectors)]),
    )


def fit_gate(checkpoint: Checkpoint, vectors: VectorBatch, answers: NDArray[np.bool_]) -> TextGate:
    """Fit on photos (N,) with their answers.

    The penalty is the one under which parts of the photos are guessed best by what was fitted on the others; the least
    log-odds let :data:`KEPT` of the photos with text pass, each judged by what it was not fitted on. Raises
    :class:`TrainingError` when there are too few photos, or all or none hold text.
    """
    if len(answers) < LEAST_PHOTOS or answers.sum() < FOLDS or (~answers).sum() < FOLDS:
        raise TrainingError(
            f"{len(answers)} photos of which {int(answers.sum())} hold text are too few to learn from: it takes "
            f"{LEAST_PHOTOS}, with and without text"
        )
    rows = torch.from_numpy(_dense(vectors, len(checkpoint.terms)))
    wanted = torch.from_numpy(answers.astype(np.float32))
    folds = torch.from_numpy(np.random.default_rng(1).permutation(len(answers)) % FOLDS)
    guesses = {penalty: _cross_fitted(rows, wanted, folds, penalty) for penalty in PENALTIES}
    best = min(PENALTIES, key=lambda each: float(F.binary_cross_entropy_with_logits(guesses[each], wanted)))
    least = float(np.quantile(guesses[best].numpy()[answers], 1 - KEPT))
    weights, bias = _fit(rows, wanted, best)
    return TextGate(checkpoint.identity, weights.numpy(), bias, least)


def _cross_fitted(rows: torch.Tensor, wanted: torch.Tensor, folds: torch.Tensor, penalty: float) -> torch.Tensor:
    """Return the log-odds (N,) of each photo by what was fitted on the other parts."""
    odds = torch.zeros(len(rows))
    for fold in range(FOLDS):
        inside = folds == fold
        weights, bias = _fit(rows[~inside], wanted[~inside], penalty)
        odds[inside] = rows[inside] @ weights + bias
    return odds


def _fit(rows: torch.Tensor, wanted: torch.Tensor, penalty: float) -> tuple[torch.Tensor, float]:
    """Rows (N, terms) and answers (N,) -> weights (terms,) and the bias of a logistic regression."""
    weights = torch.zeros(rows.shape[1], requires_grad=True)
    bias = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights, bias], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(rows @ weights + bias, wanted) + penalty * weights.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return weights.detach(), float(bias.detach())


def _dense(vectors: VectorBatch, terms: int) -> NDArray[np.float32]:
    rows = np.zeros((len(vectors.counts), terms), np.float32)
    places = np.repeat(np.arange(len(vectors.counts)), vectors.counts)
    rows[places, vectors.ids] = strength(vectors.impacts)
    return rows


def score(passes: NDArray[np.bool_], answers: NDArray[np.bool_], odds: NDArray[np.float64] | None = None) -> GateScores:
    """Return how well photos (N,) that pass are those that hold text; without ``odds`` the ranking is that of passing
    alone."""
    values = passes.astype(np.float64) if odds is None else odds
    with_text, without = np.sort(values[answers]), values[~answers]
    below = np.searchsorted(with_text, without, "left").sum() + np.searchsorted(with_text, without, "right").sum()
    right = int((passes & answers).sum())
    return GateScores(
        len(answers), int(answers.sum()), int(passes.sum()), right / max(1, int(passes.sum())),
        right / max(1, int(answers.sum())), 1 - float(below) / max(1, 2 * len(with_text) * len(without)),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Way:
    """One way of choosing which photos are read, ``gate``, ``glance`` or ``both``, what it costs, and its scores."""

    name: str
    milliseconds: float  # a photo
    scores: GateScores


def fit_model(
    folder: Path, checkpoint: Checkpoint, photos: Sequence[Path], kept: Path, device: torch.device, report: Report
) -> TextGate:
    """Fit the gate of a model on these photos and write it into the model's folder. Raises as :func:`fit_gate`."""
    answers = read_answers(photos, kept, report)
    vectors = term_vectors(checkpoint, list(answers), device, report)
    gate = fit_gate(checkpoint, vectors, np.array(list(answers.values()), bool))
    save_gate(gate, folder)
    return gate


def measure(
    folder: Path, checkpoint: Checkpoint, photos: Sequence[Path], kept: Path, device: torch.device, report: Report
) -> list[Way]:
    """Measure the gate of a model, the glance, and both one after the other, on these photos.

    Raises :class:`TrainingError` for a model without a gate, :class:`CheckpointError` for a damaged one.
    """
    gate = load_gate(folder)
    if gate is None:
        raise TrainingError(f"the model {checkpoint.name} has no gate for text: fit one with --fit")
    known = read_answers(photos, kept, report)
    there, answers = list(known), np.array(list(known.values()), bool)
    vectors = term_vectors(checkpoint, there, device, report)
    started = time.perf_counter()
    odds = gate.odds(vectors)
    asked = time.perf_counter()
    glanced = glance(there, report)
    by_gate, by_glance = (1000 * (end - begin) / max(1, len(there)) for begin, end in
                          ((started, asked), (asked, time.perf_counter())))  # fmt: skip
    passes = odds >= gate.least
    return [
        Way("gate", by_gate, score(passes, answers, odds)),
        Way("glance", by_glance, score(glanced, answers)),
        Way("both", by_gate + by_glance * float(passes.mean()), score(passes & glanced, answers)),
    ]


def glance(photos: Sequence[Path], report: Report = lambda what, done, total: None) -> NDArray[np.bool_]:
    """Return whether a glance at each photo (N,) finds a sign of text, as reading does before it looks closely."""
    found = []
    for done, path in enumerate(photos):
        report("glancing", done, len(photos))
        found.append(shows_text(path, MAX_PIXELS))
    return np.array(found, bool)
