"""Learned terms: a model's vocabulary of them, and the vectors of photos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class TermVocabulary:
    """The terms a model weighs photos by: each a stem, or two stems with a space between them ("black dog").

    A vector's id is a place in ``words``; an impact times ``scale`` is what the term adds to a photo's score.
    """

    words: tuple[str, ...]  # at most 65,536
    scale: float


@dataclass(frozen=True, slots=True, eq=False)
class TermVector:
    """How much terms of a model's vocabulary speak for a photo: ``ids``, ascending, and as many ``impacts`` (1 to 255).

    Terms that are not in it speak for the photo not at all.
    """

    ids: NDArray[np.uint16]
    impacts: NDArray[np.uint8]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TermVector):
            return NotImplemented
        mine, theirs = ((each.ids.tolist(), each.impacts.tolist()) for each in (self, other))
        return bool(mine == theirs)

    def __hash__(self) -> int:
        return hash((*self.ids.tolist(), *self.impacts.tolist()))


@dataclass(frozen=True, slots=True, eq=False)
class VectorBatch:
    """The term vectors of several photos by one model, each laid behind the one before: ``counts[n]`` entries of
    ``ids`` and ``impacts`` are those of ``photo_ids[n]``."""

    photo_ids: NDArray[np.int64]
    counts: NDArray[np.intp]
    ids: NDArray[np.uint16]
    impacts: NDArray[np.uint8]
