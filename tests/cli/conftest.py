"""A library that commands are tried on."""

from __future__ import annotations

from pathlib import Path

import pytest

from photoindex.library import Library
from tests.support import make_photo


@pytest.fixture
def indexed(library: Library, album: Path) -> Path:
    """A library of two photos, closed; returns its data folder."""
    make_photo(album / "one.jpg", "red")
    make_photo(album / "two.png", "blue")
    library.index(album)
    library.close()
    return library.settings.data_dir
