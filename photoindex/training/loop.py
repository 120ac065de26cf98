"""The loop that every stage of training runs in: order, learning rate, averaging, progress, and surviving a kill.

A stage says what it trains and what its loss is; the loop does the rest. All randomness is drawn from the seed and the
step, so that a run that was cut off and resumed takes the same steps as one that was not. What is evaluated and kept is
an exponential average of the weights (Polyak and Juditsky 1992), of the best epoch by the stage's own score.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from photoindex.errors import TrainingError
from photoindex.training.state_file import save_state

AVERAGING = 0.998  # of the average that each step keeps, once the run is long enough to average over
FINAL_SHARE = 0.02  # of the learning rate that the cosine ends at


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """One report of a running training: ``loss`` is the stage's own measure (mean since the last epoch's start, at most
    50 steps), ``remaining`` the estimated seconds left of this stage, ``scores`` the figures after an epoch."""

    stage: str
    epoch: int
    epochs: int
    done: int
    total: int
    loss: float | None = None
    remaining: float | None = None
    scores: dict[str, float] = field(default_factory=dict)


Report = Callable[[TrainingProgress], None]


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast: the learning rates warm up, then fall along a cosine (or stay, ``constant``)."""

    epochs: int
    batch_photos: int
    warmup_steps: int
    clip_norm: float  # 0: gradients are not clipped
    seed: int
    constant: bool = False
    average: bool = True
    keep: float = AVERAGING

    def share(self, step: int, total: int) -> float:
        """Of a group's learning rate, at this step."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        if self.constant:
            return 1.0
        passed = (step - self.warmup_steps) / max(1, total - self.warmup_steps)
        return FINAL_SHARE + (1 - FINAL_SHARE) * 0.5 * (1 + math.cos(math.pi * passed))


class Stage(Protocol):
    """What a stage of training brings to the loop."""

    name: str

    def modules(self) -> dict[str, nn.Module]:
        """What is trained, by name."""

    def groups(self) -> list[dict[str, Any]]:
        """The optimiser's parameter groups, each with its own ``lr``."""

    def members(self, epoch: int) -> Sequence[int]:
        """The photos of an epoch; one that counts double is named twice."""

    def loss(self, photos: Sequence[int], chance: random.Random) -> tuple[Tensor, float]:
        """What to minimise for these photos, and the number to show people."""

    def evaluate(self) -> dict[str, float]:
        """Figures on the validation photos; the epoch with the greatest ``score`` is kept. Empty: the last is kept."""


def drawn(seed: int, epoch: int, *groups: tuple[Sequence[int], float]) -> list[int]:
    """Return the photos that take part in an epoch by shares: of each group (photos, share) so many, by chance.

    The same ``seed`` and ``epoch`` draw the same ones, so that a run that is resumed goes on with them.
    """
    chance = random.Random(f"{seed}-more-{epoch}")
    return [n for photos, share in groups for n in chance.sample(photos, round(len(photos) * share))]


@dataclass
class _Position:
    """Where a run stands: what a resume must bring back."""

    epoch: int = 0
    batch: int = 0
    step: int = 0
    best: float = -math.inf
    best_epoch: int = 0
    finished: bool = False
    history: list[dict[str, float]] = field(default_factory=list)


class Loop:
    """Runs one stage. ``file`` holds the run; ``settings`` decide its outcome and must be equal on a resume."""

    def __init__(
        self,
        stage: Stage,
        schedule: Schedule,
        file: Path,
        settings: dict[str, Any],
        *,
        checkpoint_seconds: float = 300.0,
        report: Report = lambda _: None,
    ) -> None:
        self._stage, self._schedule, self._file = stage, schedule, file
        self._settings: dict[str, Any] = json.loads(json.dumps(settings))
        self._checkpoint_seconds, self._report = checkpoint_seconds, report
        self._modules = stage.modules()
        self._groups = stage.groups()
        self._rates = [float(group["lr"]) for group in self._groups]
        self._optimizer = torch.optim.AdamW(self._groups, betas=(0.9, 0.98))
        self._average = self._weights()
        self._best = self._weights()
        self._position = _Position()

    def run(self) -> dict[str, Any]:
        """Train to the end, leave the best weights in the stage's modules, and return the record of the run.

        Raises :class:`TrainingError` when the file is of another run, or the loss is no longer a number.
        """
        if self._file.exists():
            self._load()
        position, schedule = self._position, self._schedule
        if not position.finished:
            per_epoch = math.ceil(len(self._stage.members(0)) / schedule.batch_photos)
            total = per_epoch * schedule.epochs
            started, first, self._saved_at = time.monotonic(), position.step, time.monotonic()
            while position.epoch < schedule.epochs:
                self._epoch(per_epoch, total, started, first)
            position.finished = True
            self._save()
        self._put(self._best)
        return {"history": position.history, "best_epoch": position.best_epoch}

    def _epoch(self, per_epoch: int, total: int, started: float, first: int) -> None:
        position, schedule = self._position, self._schedule
        members = self._stage.members(position.epoch)
        order = random.Random(f"{schedule.seed}-{position.epoch}").sample(list(members), len(members))
        losses: list[float] = []
        for module in self._modules.values():
            module.train()
        while position.batch < per_epoch:
            # Batches of equal size but for one: a last one of a single photo would have no batch statistics.
            start, end = (len(order) * n // per_epoch for n in (position.batch, position.batch + 1))
            losses.append(self._step(order[start:end], total))
            position.batch += 1
            position.step += 1
            pace = (time.monotonic() - started) / max(1, position.step - first)
            self._report(
                TrainingProgress(
                    self._stage.name, position.epoch + 1, schedule.epochs, position.batch, per_epoch,
                    sum(losses[-50:]) / len(losses[-50:]), pace * (total - position.step),
                )
            )  # fmt: skip
            if time.monotonic() - self._saved_at > self._checkpoint_seconds:
                self._save()
        self._end_epoch(sum(losses) / max(1, len(losses)))

    def _step(self, photos: Sequence[int], total: int) -> float:
        position, schedule = self._position, self._schedule
        seed = f"{schedule.seed}-{position.step}"
        torch.manual_seed(schedule.seed * 1_000_003 + position.step)
        share = schedule.share(position.step, total)
        for group, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * share
        loss, shown = self._stage.loss(photos, random.Random(seed))
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if schedule.clip_norm:
            trained = [parameter for group in self._groups for parameter in group["params"]]
            torch.nn.utils.clip_grad_norm_(trained, schedule.clip_norm)
        self._optimizer.step()
        if not math.isfinite(shown):
            raise TrainingError("the loss is no longer a number: lower the learning rate")
        keep = min(schedule.keep, (1 + position.step) / (10 + position.step)) if schedule.average else 0.0
        for key, value in self._weights(copy=False).items():
            self._average[key].lerp_(value, 1 - keep)
        return shown

    def _end_epoch(self, loss: float) -> None:
        position = self._position
        current = self._weights()
        self._put(self._average)
        for module in self._modules.values():
            module.eval()
        scores = self._stage.evaluate()
        self._put(current)
        position.epoch, position.batch = position.epoch + 1, 0
        score = scores.pop("score", math.inf)
        if score >= position.best:
            position.best, position.best_epoch = score, position.epoch
            self._best = {key: value.clone() for key, value in self._average.items()}
        position.history.append({"epoch": position.epoch, "loss": loss, **scores})
        self._save()
        epochs = self._schedule.epochs
        self._report(TrainingProgress("epoch", position.epoch, epochs, position.epoch, epochs, loss, scores=scores))

    # ---- weights and files -----------------------------------------------------------------------

    def _weights(self, *, copy: bool = True) -> dict[str, Tensor]:
        weights = {}
        for name, module in self._modules.items():
            for key, value in module.state_dict().items():
                if value.is_floating_point():
                    weights[f"{name}.{key}"] = value.clone() if copy else value
        return weights

    def _put(self, weights: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for key, value in self._weights(copy=False).items():
                value.copy_(weights[key])

    def _save(self) -> None:
        """The run as safetensors: weights, average, best, Adam's moments, and the rest as JSON in the header."""
        kinds = {"now": self._weights(copy=False), "average": self._average, "best": self._best}
        tensors = {f"{kind}.{key}": value for kind, weights in kinds.items() for key, value in weights.items()}
        for number, moments in self._optimizer.state_dict()["state"].items():
            for key, value in moments.items():
                tensors[f"optimizer.{number}.{key}"] = torch.as_tensor(value)
        position = asdict(self._position)
        position["best"] = None if math.isinf(self._position.best) else self._position.best
        header = json.dumps({"position": position, "settings": self._settings})
        self._file.parent.mkdir(parents=True, exist_ok=True)
        stored = {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
        save_state(stored, self._file, {"photoindex": header})
        self._saved_at = time.monotonic()

    def _load(self) -> None:
        try:
            with safe_open(self._file, framework="pt") as file:
                header = json.loads(file.metadata()["photoindex"])
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise TrainingError(f"{self._file} is damaged: delete it to begin this stage again ({error})") from error
        # The length may change: a run that was to be short goes on, one that takes too long is brought to an end.
        old, new = header["settings"], self._settings
        changed = sorted(key for key in old.keys() | new.keys() if key != "epochs" and old.get(key) != new.get(key))
        if changed:
            raise TrainingError(
                f"{self._file} was made with other settings ({', '.join(changed)}); go on with the same ones, or train "
                "into another --output"
            )
        weights: dict[str, dict[str, Tensor]] = {"now": {}, "average": {}, "best": {}}
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            kind, rest = key.split(".", 1)
            if kind == "optimizer":
                number, name = rest.split(".")
                state.setdefault(int(number), {})[name] = value
            else:
                weights[kind][rest] = value
        self._put(weights["now"])
        device = next(iter(self._average.values())).device
        self._average = {key: value.to(device) for key, value in weights["average"].items()}
        self._best = {key: value.to(device) for key, value in weights["best"].items()}
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": state, "param_groups": groups})
        position = header["position"]
        position["best"] = -math.inf if position["best"] is None else position["best"]
        position["finished"] = position["epoch"] >= self._schedule.epochs
        self._position = _Position(**position)
