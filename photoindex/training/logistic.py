"""Logistic regression: the probability of a yes by a sum of measures with weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STEPS = 50


def fit_logistic(
    measures: NDArray[np.float64],
    answers: NDArray[np.bool_],
    weights: NDArray[np.float64] | None = None,
    *,
    penalty: float = 1.0,
) -> tuple[NDArray[np.float64], float]:
    """Measures (N, M) and answers (N,) -> a weight for each measure (M,) and the bias, in the measures' own units.

    ``weights`` (N,) say how much each row counts. ``penalty`` is that of the squared weights of measures brought to
    one spread, which keeps them small. By Newton's method (iteratively reweighted least squares).
    """
    middle, spread = measures.mean(0), measures.std(0) + 1e-9
    rows = np.column_stack([(measures - middle) / spread, np.ones(len(measures))])
    counts = np.ones(len(rows)) if weights is None else weights
    ridge = np.diag([penalty] * measures.shape[1] + [0.0])
    found = np.zeros(rows.shape[1])
    for _ in range(STEPS):
        sure = probability(rows @ found)
        slope = rows.T @ (counts * (sure - answers)) + ridge @ found
        curve = (rows * (counts * np.maximum(sure * (1 - sure), 1e-9))[:, None]).T @ rows + ridge
        step = np.linalg.solve(curve, slope)
        found -= step * min(1.0, 5.0 / max(1e-12, float(np.abs(step).max())))  # no step across the valley
        if np.abs(step).max() < 1e-8:
            break
    own = found[:-1] / spread
    return own, float(found[-1] - own @ middle)


def probability(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-odds -> probabilities."""
    return 1 / (1 + np.exp(-np.clip(odds, -50, 50)))
