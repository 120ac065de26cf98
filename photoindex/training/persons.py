"""Learning to tell photos with a human being from photos without: logistic regression on the term head's summary.

The decoder's words are no measure of it: it says what captions like those of its training say. What the encoder sees
is: this one number is wrong on far fewer photos than captions are.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from photoindex.language.persons import names_person

DECAY = 0.01  # of squared weights of summaries of unit variance
STEPS = 60
LEAST_SPREAD = 1e-3


def persons_in(captions: Sequence[str]) -> float | None:
    """Return 1 for captions of which one names a human being, 0 if none does, None where it cannot be told."""
    if any(names_person(caption, surely=True) for caption in captions):
        return 1.0
    return None if any(names_person(caption) for caption in captions) else 0.0


def fit_somebody(summaries: Tensor, present: Tensor, weights: Tensor) -> nn.Linear:
    """Summaries (N, S), who is there (N,) as 0 or 1 and what each photo counts -> log-odds as a linear map."""
    mean, spread = summaries.mean(0), summaries.std(0) + LEAST_SPREAD
    x = (summaries - mean) / spread
    line = nn.Linear(x.shape[1], 1)
    nn.init.zeros_(line.weight)
    nn.init.zeros_(line.bias)
    optimizer = torch.optim.LBFGS(line.parameters(), max_iter=STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        penalised = F.binary_cross_entropy_with_logits(line(x).squeeze(1), present, weight=weights)
        penalised = penalised + DECAY * line.weight.pow(2).sum()
        penalised.backward()
        return penalised

    optimizer.step(loss)
    with torch.no_grad():  # from standardised summaries to summaries
        line.weight.div_(spread)
        line.bias.sub_((line.weight * mean).sum())
    return line.requires_grad_(False)
