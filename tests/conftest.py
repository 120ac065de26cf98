"""Fixtures shared by all tests."""

from __future__ import annotations

import dataclasses
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from photoindex.catalogue.database import Database
from photoindex.catalogue.opening import open_catalogue
from photoindex.config import Settings
from photoindex.library import Library
from tests import postgres
from tests.support import REPOSITORY, FakeCaptioner
from tests.warm import Pool, cool_down, warm_up

OpenLibrary = Callable[..., Library]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take where pictures of the gallery's pages are kept (``tests/browser/test_pages.py``)."""
    parser.addoption("--screenshots", metavar="FOLDER", help="keep pictures of the gallery's pages there")


def pytest_configure() -> None:
    """Have no command and no library read the text in photos but where a test asks for it: it takes longer than all the
    rest.

    Where tests run side by side, each keeps to one thread: threads that wait for one another by spinning, as OpenMP's
    do, would take the processors from the others. Signals that are ignored where tests are started, as behind
    ``nohup``, would be ignored by the commands that tests start and stop.
    """
    usual: dict[str, Any] = {"SIGINT": signal.default_int_handler, "SIGTERM": signal.SIG_DFL, "SIGHUP": signal.SIG_DFL}
    for name, handler in usual.items():
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, handler)
    os.environ.setdefault("PHOTOINDEX_READ_TEXT", "never")
    _set_default(Settings, "read_text", "never")
    if "PYTEST_XDIST_WORKER" in os.environ:
        os.environ.setdefault("OMP_NUM_THREADS", "1")


def _set_default(kind: type, field: str, value: Any) -> None:
    """Have a dataclass take another value for a field that is not given."""
    make: Any = kind.__init__  # type: ignore[misc]
    names = [each.name for each in dataclasses.fields(kind)][-len(make.__defaults__) :]
    given = zip(names, make.__defaults__, strict=True)
    make.__defaults__ = tuple(value if name == field else default for name, default in given)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of a module that says ``ON_BOTH = True`` with either database, but those marked ``sqlite``."""
    if getattr(metafunc.module, "ON_BOTH", False) and "catalogue" in metafunc.fixturenames:
        only = metafunc.definition.get_closest_marker("sqlite") is not None
        metafunc.parametrize("catalogue", ["sqlite"] if only else ["sqlite", "postgresql"], indirect=True)


@pytest.fixture(scope="session", autouse=True)
def warm() -> Iterator[None]:
    """Decoding workers and the statements of tables are kept from test to test; see :mod:`tests.warm`."""
    with pytest.MonkeyPatch.context() as patch, closing(Pool()) as pool:
        warm_up(patch, pool)
        yield


@pytest.fixture
def cold(monkeypatch: pytest.MonkeyPatch) -> None:
    """This test's decoding workers start and end, and its catalogue's tables are made, as a user's."""
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


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """A PostgreSQL server; tests that need one are skipped where it is not installed."""
    reason = postgres.missing()
    if reason is not None:
        pytest.skip(reason)
    with postgres.server() as running:
        postgres.make_template(running)
        yield running


@pytest.fixture
def postgres_url(postgres_server: postgres.Server) -> Iterator[str]:
    """The URL of an empty catalogue in PostgreSQL, of this test's own."""
    url, state = postgres_server.lend()
    yield url
    postgres_server.take_back(url, state)


@pytest.fixture
def catalogue(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The setting ``catalogue`` of the tests' libraries, and of the commands that they run."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return ""
    url: str = request.getfixturevalue("postgres_url")
    monkeypatch.setenv("PHOTOINDEX_CATALOGUE", url)
    return url


@pytest.fixture
def open_library(data_dir: Path, captioner: FakeCaptioner, catalogue: str) -> Iterator[OpenLibrary]:
    """Opens the library in ``data_dir`` again at each call, as another process would; all are closed at the end."""
    with ExitStack() as stack:

        def open_one(captioner: FakeCaptioner = captioner, **settings: Any) -> Library:
            given = {
                "settle_seconds": 0.0, "backup_days": 0.0, "read_text": "never", "catalogue": catalogue, **settings
            }  # fmt: skip
            chosen = Settings(data_dir, **given)
            return stack.enter_context(Library(chosen, lambda _: captioner))

        yield open_one


@pytest.fixture
def library(open_library: OpenLibrary) -> Library:
    return open_library()


@pytest.fixture
def database(data_dir: Path, catalogue: str) -> Iterator[Database]:
    """The catalogue in ``data_dir``, or in PostgreSQL."""
    opened = open_catalogue(Settings(data_dir, catalogue=catalogue))
    yield opened
    opened.close()


@pytest.fixture
def shared_dir() -> Path:
    """The folder of large data shared by those who work on photoindex; tests that need it are skipped without it."""
    folder = Path(os.environ.get("PHOTOINDEX_SHARED", REPOSITORY.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no shared data: {folder} does not exist (set PHOTOINDEX_SHARED)")
    return folder
