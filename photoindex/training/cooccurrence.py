"""Where words stand among other words, learnt from captions alone: no photo is needed.

Positive pointwise mutual information of terms in one caption, reduced by a truncated singular value decomposition
(Levy and Goldberg 2014, "Neural Word Embedding as Implicit Matrix Factorization"). The term head's outputs begin there,
so that a rare term starts out beside words like it and not at random.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from photoindex.errors import DatasetError
from photoindex.system.error_lines import reason_of

SHIFT = 0.5  # nats of mutual information that chance alone explains
CHUNK = 8192  # captions counted at once
POWER_STEPS = 3  # of the randomised decomposition (Halko, Martinsson and Tropp 2011)


def read_texts(paths: Iterable[Path]) -> Iterator[str]:
    """The lines of text files, plain or gzip: a caption each. Raises :class:`DatasetError`."""
    for path in paths:
        try:
            opened = gzip.open if path.suffix == ".gz" else open
            with opened(path, "rt", encoding="utf-8") as file:
                yield from (line.strip() for line in file)
        except (OSError, EOFError, UnicodeDecodeError) as error:
            raise DatasetError(f"cannot read the captions {path}: {reason_of(error)}") from error


def term_embeddings(captions: Sequence[Sequence[int]], terms: int, size: int, seed: int = 1) -> Tensor:
    """Captions as term numbers -> (terms, size), rows of length 1, or 0 for a term that never met another.

    With fewer than ``size`` dimensions to be found the rest are 0.
    """
    together = cooccurrences(captions, terms)
    counts = together.diagonal() + 1
    information = torch.log(together * len(captions) / torch.outer(counts, counts)) - SHIFT
    matrix = information.clamp(min=0).fill_diagonal_(0)  # the logarithm of no meeting at all is minus infinity
    rank = min(size, terms)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        left, strengths, _ = torch.svd_lowrank(matrix, q=rank, niter=POWER_STEPS)
    embeddings = torch.zeros(terms, size)
    embeddings[:, :rank] = torch.nn.functional.normalize(left * strengths.sqrt(), dim=1, eps=1e-6)
    return embeddings


def cooccurrences(captions: Sequence[Sequence[int]], terms: int) -> Tensor:
    """Return how many captions hold both terms, float32 (terms, terms); the diagonal counts a term's own captions."""
    by_length: dict[int, list[Sequence[int]]] = {}
    for caption in captions:
        by_length.setdefault(len(caption), []).append(caption)
    counts = torch.zeros(terms * terms)
    for length, group in by_length.items():
        for start in range(0, len(group) if length else 0, CHUNK):
            rows = torch.tensor(group[start : start + CHUNK])  # (n, length)
            pairs = (rows.unsqueeze(2) * terms + rows.unsqueeze(1)).flatten()
            counts.index_add_(0, pairs, torch.ones(len(pairs)))
    return counts.view(terms, terms)
