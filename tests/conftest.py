"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from photoindex.catalogue.database import Database
from photoindex.config import Settings
from photoindex.library import Library
from tests.support import REPOSITORY, FakeCaptioner
from tests.warm import Pool, cool_down, warm_up

OpenLibrary = Callable[..., Library]


@pytest.fixture(scope="session", autouse=True)
def warm() -> Iterator[None]:
    """Decoding workers are lent from test to test; see :mod:`tests.warm`."""
    with pytest.MonkeyPatch.context() as patch, closing(Pool()) as pool:
        warm_up(patch, pool)
        yield


@pytest.fixture
def cold(monkeypatch: pytest.MonkeyPatch) -> None:
    """This test's decoding workers start and end as a user's do."""
    cool_down(monkeypatch)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Where a library may be made; it does not exist yet."""
    return tmp_path / "data"


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """An empty folder for photos."""
    folder = tmp_path / "album"
    folder.mkdir()
    return folder


@pytest.fixture
def captioner() -> FakeCaptioner:
    return FakeCaptioner()


@pytest.fixture
def open_library(data_dir: Path, captioner: FakeCaptioner) -> Iterator[OpenLibrary]:
    """Opens the library in ``data_dir`` anew at each call, as another process would; all are closed at the end."""
    with ExitStack() as stack:

        def open_one(captioner: FakeCaptioner = captioner, **settings: Any) -> Library:
            chosen = Settings(data_dir, **{"settle_seconds": 0.0, "backup_days": 0.0, "read_text": "never", **settings})
            return stack.enter_context(Library(chosen, lambda _: captioner))

        yield open_one


@pytest.fixture
def library(open_library: OpenLibrary) -> Library:
    return open_library()


@pytest.fixture
def database(data_dir: Path) -> Iterator[Database]:
    """The catalogue in ``data_dir``."""
    opened = Database.open(data_dir / "catalogue.sqlite3")
    yield opened
    opened.close()


@pytest.fixture
def shared_dir() -> Path:
    """The folder of large data shared by those who work on photoindex; tests that need it are skipped without it."""
    folder = Path(os.environ.get("PHOTOINDEX_SHARED", REPOSITORY.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no shared data: {folder} does not exist (set PHOTOINDEX_SHARED)")
    return folder
