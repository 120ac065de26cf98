"""Distinct numbers, without what NumPy imports for that: masked arrays, which take longer than many a search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Kind = TypeVar("Kind", bound=np.integer[Any])


def distinct(numbers: NDArray[Kind]) -> NDArray[Kind]:
    """As ``numpy.unique``: each of ``numbers`` (n,) once, ascending."""
    ordered = np.sort(numbers)
    kept = np.ones(ordered.size, np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=kept[1:])
    return ordered[kept]
