"""Locks between processes: who waits says so, and what happens to those who may not wait."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from photoindex.catalogue import sqlite
from photoindex.catalogue.backups import restore_backup
from photoindex.config import Settings
from photoindex.errors import CatalogueUnavailable, FullTextError
from photoindex.library import Library
from photoindex.system import locks
from photoindex.system.locks import locked
from tests.support import REPOSITORY, downgrade, make_photo, run_thread

PATIENCE = 60.0  # seconds; only a failure waits that long
HOLD = """
import sys
from pathlib import Path

from photoindex.errors import FullTextError
from photoindex.system.locks import locked

with locked(Path(sys.argv[1]), "nobody", FullTextError):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held_by_another(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds a lock until it is ended, or its input is closed."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, path], cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.lock"


def test_a_lock_that_is_free_is_held_without_a_word(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with locked(path, "another writes", FullTextError, stopped=lambda: True, seconds=0):
        pass
    with locked(path, "another writes", FullTextError):
        pass
    assert caplog.messages == []


def test_who_waits_says_once_for_what_and_goes_on(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(locks, "SILENT_SECONDS", 0.0)
    monkeypatch.setattr(locks, "_LOOK_SECONDS", 0.01)
    told, entered = threading.Event(), threading.Event()

    class Listener(logging.Handler):
        def emit(self, _record: logging.LogRecord) -> None:
            told.set()

    def wait() -> None:
        with locked(path, "another writes", FullTextError):
            entered.set()

    listener = Listener()
    logging.getLogger(locks.__name__).addHandler(listener)
    try:
        with held_by_another(path) as process:
            waiting = run_thread(wait)
            assert told.wait(PATIENCE)
            assert not entered.is_set()
            process.kill()
            assert entered.wait(PATIENCE)
            waiting.join(PATIENCE)
    finally:
        logging.getLogger(locks.__name__).removeHandler(listener)
    assert caplog.messages == ["another writes: waiting for it"]


def test_who_has_waited_long_enough_is_told_who_has_it(path: Path) -> None:
    upgrading = locked(path, "another upgrades a", CatalogueUnavailable, seconds=0.05)
    with held_by_another(path), pytest.raises(CatalogueUnavailable) as caught, upgrading:
        pass
    assert str(caught.value) == "another upgrades a: wait for it, or stop it"


def test_who_is_stopped_waits_no_longer(path: Path) -> None:
    writing = locked(path, "another writes", FullTextError, stopped=lambda: True)
    with held_by_another(path), pytest.raises(FullTextError, match="another writes"), writing:
        pass


def test_what_the_block_raises_stays_what_it_is(path: Path) -> None:
    with pytest.raises(TimeoutError, match="of the block"), locked(path, "another", FullTextError):
        raise TimeoutError("of the block")
    with locked(path, "another", FullTextError):  # it was released
        pass


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
def test_a_disk_that_refuses_is_an_error_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"), locked(tmp_path / "file" / "a.lock", "another", FullTextError):
        pass


@pytest.mark.parametrize("what", ["open", "restore"])
def test_a_catalogue_that_another_upgrades_is_said_to_be(
    library: Library, data_dir: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    path = data_dir / "catalogue.sqlite3"
    downgrade(library._database, "0016")
    library.close()
    monkeypatch.setattr(sqlite, "UPGRADE_SECONDS", 0.05)
    with held_by_another(data_dir / "migrate.lock"), pytest.raises(CatalogueUnavailable) as caught:
        Library(Settings(data_dir)) if what == "open" else restore_backup(path)
    assert str(caught.value) == (
        f"another photoindex is upgrading or restoring the catalogue {path}: wait for it, or stop it"
    )


def test_a_run_that_is_stopped_does_not_wait_for_another_to_write_the_index(
    library: Library, album: Path, data_dir: Path
) -> None:
    make_photo(album / "first.jpg", "blue")
    library.index(album)
    make_photo(album / "a.jpg")
    stop = threading.Event()
    held = held_by_another(data_dir / "fulltext.lock")
    with held, pytest.raises(FullTextError, match="another photoindex is writing"):
        library.index(album, stop=stop, progress=lambda _: stop.set())
    library.index(album)
    assert [hit.path for hit in library.search("red")] == [album / "a.jpg"]


def test_an_edit_says_what_it_waits_for(library: Library, album: Path, data_dir: Path) -> None:
    photo = make_photo(album / "a.jpg")
    library.index(album)
    library.close()
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "photoindex",
        "--data-dir",
        data_dir,
        "edit",
        photo,
        "--tag",
        "mine",
    ]
    held = held_by_another(data_dir / "fulltext.lock")
    with held as other, subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        other.kill()
        assert process.wait(PATIENCE) == 0
    place = data_dir / "fulltext"
    assert line == f"photoindex: another photoindex is writing the search index in {place}: waiting for it\n"
