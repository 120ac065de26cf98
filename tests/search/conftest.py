"""What tests of searching share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from photoindex.search import FullText


@pytest.fixture
def index(tmp_path: Path) -> Iterator[FullText]:
    """An empty full-text index."""
    with FullText.open(tmp_path / "fulltext") as index:
        yield index
