"""How likely a caption is right: a probability from 0 to 1, made of what the model knows as it says it.

A caption is right when it names no person and no thing that none of the people who described the photo named, and at
least two of three of its words are theirs: see :mod:`photoindex.training.confidence`, which fits the weights on photos
that the model did not learn from. They are in the model's config.json under ``confidence``; a model without them has no
confidence in anything.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, NamedTuple

LEAST: Final = 0.001  # added to a probability before its logarithm
UNKNOWN: Final = math.log(0.05 + LEAST)  # for a caption none of whose words the term head knows


class Signals(NamedTuple):
    """What a confidence is made of.

    ``log_probability`` is the caption's, natural: short and usual ones have more. ``seen`` is the mean of the
    log-probabilities that the term head gives to its words. Its least sure word, the probability of somebody being
    there, the log-probability a word and the hypotheses that say the same added nothing that could be measured.
    """

    log_probability: float
    seen: float = UNKNOWN


def signals_of(log_probability: float, seen: Sequence[float]) -> Signals:
    """The signals of a caption; ``seen`` are the probabilities of those of its words that the term head knows."""
    logs = [math.log(probability + LEAST) for probability in seen]
    return Signals(log_probability, sum(logs) / len(logs)) if logs else Signals(log_probability)


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic regression on :class:`Signals`: a weight for each of them, and the log-odds without any."""

    log_probability: float
    seen: float
    bias: float

    def confidence(self, signals: Signals) -> float:
        """How likely a caption with these signals is right, 0 to 1."""
        odds = self.bias + self.log_probability * signals.log_probability + self.seen * signals.seen
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, odds))))

    def to_config(self) -> dict[str, float]:
        """The form that config.json has."""
        return asdict(self)

    @classmethod
    def from_config(cls, value: Any) -> Calibration | None:
        """What config.json holds; None when it has none. Raises TypeError or ValueError for anything else."""
        if value is None:
            return None
        numbers = {name: float(number) for name, number in dict(value).items()}
        if not all(map(math.isfinite, numbers.values())):
            raise ValueError("confidence holds numbers that are not finite")
        return cls(**numbers)
