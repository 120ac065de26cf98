"""Distinct numbers, as NumPy has them."""

import numpy as np
import pytest

from photoindex.search.distinct import distinct


@pytest.mark.parametrize("numbers", [[], [7], [7, 7], [3, 1, 2], [5, 3, 5, -1, 3, 2**40]])
def test_they_are_numpys(numbers: list[int]) -> None:
    given = np.array(numbers, np.int64)
    found = distinct(given)
    assert found.dtype == given.dtype
    assert found.tolist() == np.unique(given).tolist()
    assert given.tolist() == numbers  # as it was
