"""How far a model's captions can be trusted: fitting its confidence, and measuring it.

A caption is *right* when it names no thing (of MS-COCO's 80, see :mod:`.hallucination`) and no person that none of the
people who described the photo named, and at least two of three of its content words, by their stems, are in what they
wrote. That is hard on synonyms, and easy on what nobody bothered to write.

The confidence is a logistic regression on what the model knows (:class:`photoindex.captioner.confidence.Signals`). Each
data set counts the same, however many photos it has. The figures are of cross-fitting: each half of the photos is
measured by what was fitted on the other half; the model gets what is fitted on both.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from photoindex.captioner.checkpoint import Checkpoint, save_calibration
from photoindex.captioner.confidence import Calibration
from photoindex.captioner.runtime import Runtime
from photoindex.errors import TrainingError
from photoindex.language.analysis import content_words, stem
from photoindex.language.persons import names_person
from photoindex.training.augmentation import load_view
from photoindex.training.datasets import CaptionedPhoto
from photoindex.training.hallucination import objects_in
from photoindex.training.logistic import fit_logistic, probability

BINS = 10
LEAST_PHOTOS = 50  # to fit on
SHARED = 2 / 3  # of a caption's words that people use, too


@dataclass(frozen=True, slots=True)
class Bin:
    """Captions with a confidence from ``low`` to ``high``: how many, their mean confidence, the share of right ones."""

    low: float
    high: float
    captions: int
    confidence: float
    right: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """How far confidences say what they mean.

    ``ece``: the expected calibration error, the mean distance of confidence and share of right captions over the bins
    (Naeini et al. 2015). ``ranking``: the probability that of a right and a wrong caption the right one has more
    confidence (area under the ROC curve); 0.5 is chance. ``brier``: the mean squared error. All from 0 to 1.
    """

    captions: int
    right: float
    confidence: float
    ece: float
    ranking: float
    brier: float
    bins: tuple[Bin, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """The best caption of each photo of some data sets: which set, what the model knew, and whether it is right."""

    sets: tuple[str, ...]
    members: NDArray[np.intp]  # (N,), the number of each one's set
    signals: NDArray[np.float64]  # (N, 2)
    right: NDArray[np.bool_]
    first_half: NDArray[np.bool_]
    confidences: NDArray[np.float64]  # by the model as it is; nan when it has none


def is_right(caption: str, people: Sequence[str]) -> bool:
    """Return whether a caption is right, by what people wrote of the photo."""
    if objects_in(caption) - set().union(*(objects_in(text) for text in people)):
        return False
    if names_person(caption, surely=True) and not any(names_person(text) for text in people):
        return False
    said = {stem(word) for word in content_words(caption)}
    heard = {stem(word) for text in people for word in content_words(text)}
    return bool(said) and len(said & heard) >= SHARED * len(said) - 1e-9


def judge(
    checkpoint: Checkpoint,
    data: Mapping[str, Sequence[CaptionedPhoto]],
    device: torch.device,
    *,
    beam_width: int = 3,
    engine: str = "auto",
    threads: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Judged:
    """Caption the photos of each data set, by its name, and judge the captions."""
    runtime = Runtime(checkpoint, device, engine=engine, threads=threads)
    size, settings = (
        checkpoint.encoder.preprocessing.size,
        dataclasses.replace(checkpoint.search, beam_width=beam_width),
    )
    photos = [(number, photo) for number, name in enumerate(data) for photo in data[name]]
    signals: list[tuple[float, ...]] = []
    right: list[bool] = []
    confidences: list[float] = []
    for start in range(0, len(photos), runtime.batch_size):
        some = [photo for _, photo in photos[start : start + runtime.batch_size]]
        views = [load_view(photo.path, size) for photo in some]
        with torch.inference_mode():
            feature_map = runtime.encode(np.ascontiguousarray(np.stack(views).transpose(0, 2, 3, 1)))
            found = runtime.generate(*runtime.features_of(feature_map), settings)
        for photo, (best, *_) in zip(some, found, strict=True):
            assert best.signals is not None
            signals.append(tuple(best.signals))
            right.append(is_right(checkpoint.vocabulary.decode(best.words), photo.captions))
            confidences.append(np.nan if best.confidence is None else best.confidence)
        if progress:
            progress(len(signals), len(photos))
    runtime.close()
    return Judged(
        tuple(data),
        np.array([number for number, _ in photos], np.intp),
        np.array(signals, np.float64).reshape(-1, 2),
        np.array(right, bool),
        np.array([hashlib.sha256(photo.path.name.encode()).digest()[-1] % 2 == 0 for _, photo in photos], bool),
        np.array(confidences, np.float64),
    )


def fit_calibration(judged: Judged) -> Calibration:
    """Fit on all of these captions. Raises :class:`TrainingError` when they are too few, or all right or all wrong."""
    return _fit(judged, np.ones(len(judged.right), bool))


def fit_model(folder: Path, judged: Judged) -> Calibration:
    """Fit on all of these captions of a model and write it into the model's config.json. Raises as
    :func:`fit_calibration`."""
    calibration = fit_calibration(judged)
    save_calibration(folder, calibration)
    return calibration


def cross_fitted(judged: Judged) -> NDArray[np.float64]:
    """The confidence of each caption by what is fitted on the half that it is not in, (N,). Raises as
    :func:`fit_calibration`."""
    found = np.zeros(len(judged.right))
    for half in (judged.first_half, ~judged.first_half):
        fitted = _fit(judged, ~half)
        found[half] = probability(judged.signals[half] @ _weights(fitted) + fitted.bias)
    return found


def _fit(judged: Judged, rows: NDArray[np.bool_]) -> Calibration:
    right = judged.right[rows]
    if len(right) < LEAST_PHOTOS / 2 or right.all() or not right.any():
        raise TrainingError(
            f"{len(right)} captions of which {int(right.sum())} are right are no base for a confidence: it takes at "
            f"least {LEAST_PHOTOS} validation photos with some right and some wrong captions"
        )
    members = judged.members[rows]
    sizes = np.bincount(members, minlength=len(judged.sets))
    counts = (len(members) / np.count_nonzero(sizes) / np.maximum(sizes, 1))[members]
    weights, bias = fit_logistic(judged.signals[rows], right, counts)
    log_probability, seen = (round(float(weight), 6) for weight in weights)
    return Calibration(log_probability, seen, round(bias, 6))


def _weights(calibration: Calibration) -> NDArray[np.float64]:
    return np.array([calibration.log_probability, calibration.seen])


def measure(confidences: NDArray[np.float64], right: NDArray[np.bool_]) -> Reliability:
    """Confidences (N,) and whether each caption is right (N,) -> how far they say what they mean."""
    places = np.minimum((confidences * BINS).astype(int), BINS - 1)
    bins = []
    for number in range(BINS):
        inside = places == number
        count = int(inside.sum())
        mean = float(confidences[inside].mean()) if count else 0.0
        bins.append(Bin(number / BINS, (number + 1) / BINS, count, mean, float(right[inside].mean()) if count else 0.0))
    off = sum(each.captions * abs(each.confidence - each.right) for each in bins) / max(1, len(right))
    yes, no = np.sort(confidences[right]), confidences[~right]
    below = np.searchsorted(yes, no, "left").sum() + np.searchsorted(yes, no, "right").sum()
    ranking = 1 - float(below) / (2 * len(yes) * len(no)) if len(yes) and len(no) else 0.5
    return Reliability(
        len(right), float(right.mean()) if len(right) else 0.0,
        float(confidences.mean()) if len(right) else 0.0, float(off), ranking,
        float(((confidences - right) ** 2).mean()) if len(right) else 0.0, tuple(bins),
    )  # fmt: skip


def measure_sets(judged: Judged, confidences: NDArray[np.float64]) -> dict[str, Reliability]:
    """Return how far ``confidences`` (N,) say what they mean, by data set, and for all of several together."""
    by_set = {
        name: measure(confidences[judged.members == number], judged.right[judged.members == number])
        for number, name in enumerate(judged.sets)
    }
    return {**by_set, "all together": measure(confidences, judged.right)} if len(by_set) > 1 else by_set


# ---- as a picture --------------------------------------------------------------------------------

_INK, _GRID, _BAR, _GAP, _PAPER = (40, 44, 52), (214, 218, 224), (66, 112, 178), (222, 132, 82), (255, 255, 255)
_PANEL, _EDGE = 300, 56  # pixels


def draw_diagram(reliabilities: Mapping[str, Reliability], path: Path) -> None:
    """Write a PNG with a panel for each: the share of right captions of each bin as a bar beside the diagonal, where
    confidence and share are equal; the number of captions stands above each bar."""
    width = (_PANEL + _EDGE) * len(reliabilities) + _EDGE
    image = Image.new("RGB", (width, _PANEL + 3 * _EDGE), _PAPER)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(13)
    for number, (name, found) in enumerate(reliabilities.items()):
        left, top = _EDGE + number * (_PANEL + _EDGE), _EDGE
        for tenth in range(0, BINS + 1, 2):
            at = tenth * _PANEL // BINS
            draw.line((left, top + _PANEL - at, left + _PANEL, top + _PANEL - at), fill=_GRID)
            draw.text((left - 30, top + _PANEL - at - 8), f"{tenth / BINS:.1f}", font=font, fill=_INK)
            draw.text((left + at - 8, top + _PANEL + 6), f"{tenth / BINS:.1f}", font=font, fill=_INK)
        for place, each in enumerate(found.bins):
            if not each.captions:
                continue
            x, step = left + place * _PANEL // BINS, _PANEL // BINS
            high, wanted = top + _PANEL - round(each.right * _PANEL), top + _PANEL - round(each.confidence * _PANEL)
            draw.rectangle((x + 2, high, x + step - 2, top + _PANEL), fill=_BAR)
            draw.line((x + 2, wanted, x + step - 2, wanted), fill=_GAP, width=3)
            draw.text((x + 4, min(high, wanted) - 17), str(each.captions), font=font, fill=_INK)
        draw.line((left, top + _PANEL, left + _PANEL, top), fill=_INK)
        draw.rectangle((left, top, left + _PANEL, top + _PANEL), outline=_INK)
        draw.text((left, 10), f"{name}: {found.captions} captions", font=font, fill=_INK)
        draw.text((left, 28), f"ECE {found.ece:.3f}, ranking {found.ranking:.2f}", font=font, fill=_INK)
        draw.text((left, top + _PANEL + 28), "confidence; bar: share that is right;", font=font, fill=_INK)
        draw.text((left, top + _PANEL + 46), "orange: mean confidence", font=font, fill=_INK)
    image.save(path, "PNG", optimize=True)
