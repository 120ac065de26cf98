"""Files of arrays that are mapped into memory."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from photoindex.search.checked_file import CheckedFile, Writer, release_pages


def resident(path: Path) -> int:
    """Kilobytes of this process's memory that are of a file."""
    found, of_file = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if line.partition(":")[0].count(" ") and "-" in line.split(" ")[0]:
            of_file = line.endswith(str(path))
        elif of_file and line.startswith("Rss:"):
            found += int(line.split()[1])
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what is in memory, in /proc")
def test_pages_are_given_back_and_read_again(tmp_path: Path) -> None:
    path, numbers = tmp_path / "numbers", np.arange(1_000_000)
    with path.open("wb") as file:
        writer = Writer(file)
        writer.add("numbers", numbers)
        writer.finish({})
    array = CheckedFile(path)["numbers"].all()
    assert int(array.sum()) == int(numbers.sum())
    assert resident(path) > 7_000
    release_pages()
    assert resident(path) < 100
    assert np.array_equal(array, numbers)
