"""Training a decoder on cached region features, with checkpoints that survive a kill.

The encoder is frozen: its features are computed once (:mod:`photoindex.training.features`). A batch holds photos with
all their captions, so that a photo's regions are projected once for all of them. The best epoch by CIDEr on the
validation photos is written to ``output`` as a model; ``output/resume.safetensors`` holds the run itself.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from photoindex.captioner.beam import SearchSettings
from photoindex.captioner.checkpoint import Checkpoint, save_checkpoint
from photoindex.captioner.encoder import ENCODERS, build_encoder
from photoindex.captioner.network import DecoderConfig, build_decoder
from photoindex.captioner.vocabulary import PAD, Vocabulary
from photoindex.errors import TrainingError
from photoindex.training.datasets import CaptionedPhoto
from photoindex.training.evaluate import caption_split, score_captions
from photoindex.training.features import FeatureCache, build_cache
from photoindex.training.pretrained import imagenet_labels, load_pretrained

RESUME_FILE = "resume.safetensors"
LICENCE = "weights Apache-2.0; see MODEL_CARD.md for the licences of the training data"


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the outcome of a run, besides the data. Recorded in the checkpoint."""

    encoder: str = "efficientnet_lite2"
    decoder: str = "attention"
    hidden_size: int = 384
    attention_size: int = 256
    dropout: float = 0.5
    threshold: int = 4  # a word seen less often in the training captions becomes <unk>
    epochs: int = 6
    learning_rate: float = 1e-3
    warmup_steps: int = 200
    cosine: bool = True  # fall to zero along a cosine; otherwise constant
    label_smoothing: float = 0.1
    weight_decay: float = 1e-4
    clip_norm: float = 2.0
    batch_photos: int = 24
    mirror: bool = True
    max_words: int = 24  # longer captions are cut in training
    seed: int = 1


# The classic tutorial: one pooled feature vector, no regularisation, a constant learning rate.
TUTORIAL = Recipe(
    decoder="pooled",
    hidden_size=512,
    dropout=0.0,
    epochs=8,
    warmup_steps=0,
    cosine=False,
    label_smoothing=0.0,
    weight_decay=0.0,
    clip_norm=0.0,
    batch_photos=26,
    mirror=False,
)
RECIPES = {"attention": Recipe(), "pooled": TUTORIAL}


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """One report of a running training: ``loss`` is the mean cross entropy per word (nats) since the last report,
    ``remaining`` the estimated seconds left, ``scores`` CIDEr and BLEU-4 after an epoch."""

    stage: str
    epoch: int
    epochs: int
    done: int
    total: int
    loss: float | None = None
    remaining: float | None = None
    scores: dict[str, float] = field(default_factory=dict)


@dataclass
class _Run:
    """Where a run stands: what a resume must bring back."""

    epoch: int = 0
    batch: int = 0
    step: int = 0
    best: float = -1.0
    history: list[dict[str, float]] = field(default_factory=list)


def train(
    photos: Sequence[CaptionedPhoto],
    recipe: Recipe,
    output: Path,
    *,
    name: str,
    device: torch.device,
    cache_folder: Path | None = None,
    encoder_weights: Path | None = None,
    resume: bool = False,
    checkpoint_seconds: float = 300.0,
    sources: Sequence[str] = (),
    progress: Callable[[TrainingProgress], None] = lambda _: None,
) -> dict[str, Any]:
    """Train on the photos whose split is ``train``, choose the epoch on those of ``val``; write to ``output``.

    A photo that is listed N times is seen N times an epoch. Without validation photos the last epoch is kept.
    ``checkpoint_seconds`` is the most work a kill can cost.
    Returns the training record. Raises :class:`TrainingError` for an unknown encoder, no training photos, a folder that
    already holds a run when ``resume`` is not given, or a run made with another recipe or other data when it is.
    """
    if recipe.encoder not in ENCODERS:
        raise TrainingError(f"unknown encoder {recipe.encoder!r}: choose {', '.join(ENCODERS)}")
    # A data set named several times is trained on as often: its features are computed once all the same.
    repeats = Counter(photo.path for photo in photos)
    photos = list({photo.path: photo for photo in photos}.values())
    training = [n for n, photo in enumerate(photos) if photo.split == "train" for _ in range(repeats[photo.path])]
    validation = [n for n, photo in enumerate(photos) if photo.split == "val"]
    if not training:
        raise TrainingError("no photos of the split `train` in the data")
    resume_file = output / RESUME_FILE
    if resume_file.exists() and not resume:
        raise TrainingError(f"{output} already holds a training run: go on with --resume, or name another --output")
    if resume and not resume_file.exists():
        raise TrainingError(f"nothing to resume in {output}: there is no {RESUME_FILE}")

    torch.manual_seed(recipe.seed)
    encoder = build_encoder(recipe.encoder)
    origin = load_pretrained(encoder, recipe.encoder, encoder_weights)
    pristine = {key: value.clone() for key, value in encoder.state_dict().items()}
    cache = build_cache(
        encoder,
        origin,
        [photo.path for photo in photos],
        cache_folder or output / "features",
        mirror=recipe.mirror,
        device=device,
        progress=lambda done, total: progress(TrainingProgress("features", 0, recipe.epochs, done, total)),
    )
    # The cache's encoder was folded for speed; the checkpoint keeps the released form.
    encoder = build_encoder(recipe.encoder)
    encoder.load_state_dict(pristine)
    vocabulary = Vocabulary.from_captions((c for n in training for c in photos[n].captions), recipe.threshold)
    config = DecoderConfig(
        recipe.decoder, len(vocabulary), cache.channels, recipe.hidden_size, recipe.attention_size, recipe.dropout
    )
    decoder = build_decoder(config).to(device)
    optimizer = torch.optim.AdamW(
        decoder.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, betas=(0.9, 0.98)
    )
    encoded = {n: [vocabulary.encode(c)[: recipe.max_words + 2] for c in photos[n].captions] for n in training}
    batches_per_epoch = math.ceil(len(training) / recipe.batch_photos)
    total_steps = batches_per_epoch * recipe.epochs
    data = {
        "photos": len(training),
        "captions": sum(len(photos[n].captions) for n in training),
        "sources": list(sources),
    }
    run = _Run()
    if resume:
        run = _load_run(resume_file, decoder, optimizer, recipe, data)
    record: dict[str, Any] = {"recipe": asdict(recipe), "data": data, "encoder_weights": origin, "history": run.history}
    saved_at = time.monotonic()
    started, steps_at_start = time.monotonic(), run.step
    scaled = device.type == "cuda"
    while run.epoch < recipe.epochs:
        order = random.Random(f"{recipe.seed}-{run.epoch}").sample(training, len(training))
        decoder.train()
        losses: list[float] = []
        while run.batch < batches_per_epoch:
            # Batches of equal size but for one: a last one of a single photo would have no batch statistics.
            first, end = (len(order) * n // batches_per_epoch for n in (run.batch, run.batch + 1))
            chosen = order[first:end]
            torch.manual_seed(recipe.seed * 1_000_003 + run.step)  # dropout is the same after a resume
            _set_rate(optimizer, recipe, run.step, total_steps)
            features, owners, words, lengths = _batch(chosen, encoded, cache, recipe, run.step, device)
            with torch.autocast("cuda", torch.bfloat16, enabled=scaled):
                logits, targets = decoder(features, owners, words, lengths)
            loss = F.cross_entropy(logits.float(), targets, label_smoothing=recipe.label_smoothing)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            if recipe.clip_norm:
                torch.nn.utils.clip_grad_norm_(decoder.parameters(), recipe.clip_norm)
            optimizer.step()
            losses.append(loss.item())
            if not math.isfinite(losses[-1]):
                raise TrainingError("the loss is no longer a number: lower --learning-rate")
            run.batch += 1
            run.step += 1
            pace = (time.monotonic() - started) / max(1, run.step - steps_at_start)
            recent = sum(losses[-50:]) / len(losses[-50:])
            progress(
                TrainingProgress(
                    "training", run.epoch + 1, recipe.epochs, run.batch, batches_per_epoch, recent,
                    pace * (total_steps - run.step),
                )
            )  # fmt: skip
            if time.monotonic() - saved_at > checkpoint_seconds:
                _save_run(resume_file, decoder, optimizer, run, recipe, data)
                saved_at = time.monotonic()
        scores: dict[str, float] = {"epoch": run.epoch + 1, "loss": sum(losses) / max(1, len(losses))}
        if validation:
            captions = caption_split(decoder, vocabulary, cache, validation, SearchSettings(beam_width=1))
            result = score_captions(captions, [photos[n].captions for n in validation])
            scores |= {"cider": round(result.cider, 2), "bleu_4": round(result.bleu_4, 2)}
        run.history.append(scores)
        run.epoch, run.batch = run.epoch + 1, 0
        if not validation or scores["cider"] > run.best:
            run.best = scores.get("cider", -1.0)
            record["best_epoch"] = run.epoch
            save_checkpoint(
                Checkpoint(
                    name,
                    recipe.encoder,
                    encoder,
                    decoder,
                    vocabulary,
                    SearchSettings(),
                    LICENCE,
                    imagenet_labels(),
                    record,
                ),
                output,
            )
        _save_run(resume_file, decoder, optimizer, run, recipe, data)
        saved_at = time.monotonic()
        progress(
            TrainingProgress("epoch", run.epoch, recipe.epochs, run.epoch, recipe.epochs, scores["loss"], scores=scores)
        )
    return record


def _batch(
    chosen: Sequence[int],
    encoded: dict[int, list[list[int]]],
    cache: FeatureCache,
    recipe: Recipe,
    step: int,
    device: torch.device,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Features (P, R, C), owners (N,), words (N, T) and lengths (N,), the longest caption first."""
    rng = random.Random(f"{recipe.seed}-{step}")
    views = [rng.randrange(cache.views) for _ in chosen]
    rows = [(row, caption) for row, n in enumerate(chosen) for caption in encoded[n]]
    rows.sort(key=lambda row: -len(row[1]))
    words = torch.full((len(rows), len(rows[0][1])), PAD, dtype=torch.long)
    for number, (_, caption) in enumerate(rows):
        words[number, : len(caption)] = torch.tensor(caption)
    owners = torch.tensor([row for row, _ in rows])
    lengths = torch.tensor([len(caption) for _, caption in rows])
    features = cache.rows(chosen, views)
    return features.to(device), owners.to(device), words.to(device), lengths


def _set_rate(optimizer: torch.optim.Optimizer, recipe: Recipe, step: int, total: int) -> None:
    rate = recipe.learning_rate
    if step < recipe.warmup_steps:
        rate *= (step + 1) / recipe.warmup_steps
    elif recipe.cosine:
        share = (step - recipe.warmup_steps) / max(1, total - recipe.warmup_steps)
        rate *= 0.5 * (1 + math.cos(math.pi * share))
    for group in optimizer.param_groups:
        group["lr"] = rate


def _save_run(
    path: Path,
    decoder: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    run: _Run,
    recipe: Recipe,
    data: dict[str, Any],
) -> None:
    """The run as safetensors: weights, Adam's moments, and the rest as JSON in the header."""
    tensors = {f"decoder.{key}": value.detach().cpu().contiguous() for key, value in decoder.state_dict().items()}
    for number, moments in optimizer.state_dict()["state"].items():
        for key, value in moments.items():
            tensors[f"optimizer.{number}.{key}"] = torch.as_tensor(value).detach().cpu().contiguous()
    header = {"run": asdict(run), "recipe": asdict(recipe), "data": data}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".new")
    save_file(tensors, temporary, metadata={"photoindex": json.dumps(header)})
    os.replace(temporary, path)


def _load_run(
    path: Path, decoder: torch.nn.Module, optimizer: torch.optim.Optimizer, recipe: Recipe, data: dict[str, Any]
) -> _Run:
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["photoindex"])
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
    if header["data"] != data:
        raise TrainingError(f"{path} was made with other data; train into another --output")
    # The length may change: a run that was to be short goes on, one that takes too long is brought to an end.
    changed = sorted(k for k, value in asdict(recipe).items() if k != "epochs" and header["recipe"].get(k) != value)
    if changed:
        raise TrainingError(f"{path} was made with another {', '.join(changed)}; resume with the same settings")
    decoder.load_state_dict({k[len("decoder.") :]: v for k, v in tensors.items() if k.startswith("decoder.")})
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimizer."):
            _, number, name = key.split(".")
            state.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    names = {f.name for f in dataclasses.fields(_Run)}
    return _Run(**{key: value for key, value in header["run"].items() if key in names})
