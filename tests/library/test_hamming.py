"""Strings that differ in few bits, against comparing each with each."""

from __future__ import annotations

import numpy as np
import pytest

from photoindex.library.hamming import MOST, NearStrings


def differing_bits(strings: np.ndarray) -> np.ndarray:
    bits = np.unpackbits(strings, axis=1).astype(int)
    found: np.ndarray = (bits[:, None] != bits[None]).sum(axis=2)
    return found


@pytest.fixture(scope="module")
def strings() -> np.ndarray:
    """Families of strings: each of some ancestors with up to 20 bits turned over, and copies."""
    random = np.random.default_rng(5)
    ancestors = random.integers(0, 256, (12, 16), dtype=np.uint8)
    ancestors[0], ancestors[1] = 0, 255
    found = []
    for ancestor in ancestors:
        for _ in range(25):
            bits = np.unpackbits(ancestor)
            bits[random.choice(128, random.integers(0, 21), replace=False)] ^= 1
            found.append(np.packbits(bits))
    return np.array(found)


@pytest.mark.parametrize("most", [0, 1, 7, 8, 12, MOST])
def test_it_finds_what_comparing_all_finds(strings: np.ndarray, most: int) -> None:
    expected = differing_bits(strings)
    index = NearStrings(strings, most)
    total = 0
    for row in range(len(strings)):
        rows, bits = index.near(row)
        wanted = np.flatnonzero((expected[row] <= most) & (np.arange(len(strings)) != row))
        assert rows.tolist() == wanted.tolist()
        assert bits.tolist() == expected[row][wanted].tolist()
        total += len(rows)
    assert total > 0


@pytest.mark.parametrize("most", [-1, MOST + 1])
def test_more_than_it_can_look_up_is_refused(most: int) -> None:
    with pytest.raises(ValueError, match="most"):
        NearStrings(np.zeros((1, 16), np.uint8), most)


def test_one_string_has_nobody_near() -> None:
    rows, bits = NearStrings(np.zeros((1, 16), np.uint8), 5).near(0)
    assert (rows.tolist(), bits.tolist()) == ([], [])
