"""What ``photoindex status`` says of each folder, by itself and of a watcher in another process."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import update

from photoindex.catalogue import files
from photoindex.catalogue.database import Database
from photoindex.catalogue.roots import list_roots, note_mode, note_watcher
from photoindex.catalogue.schema import job, root
from photoindex.cli.main import main
from tests.support import add_files, add_photo, mark_missing

ON_BOTH = True

HERE = socket.gethostname()


@pytest.fixture
def folder(database: Database, album: Path) -> Path:
    """A root with a captioned photo, one that is missing, one that waits, one that failed."""
    add_files(database, album, "a.jpg", "b.jpg", "c.jpg", "d.jpg")
    add_photo(database, album / "a.jpg")
    add_photo(database, album / "b.jpg")
    with database.write() as connection:
        mark_missing(connection, [album / "b.jpg"])
        failed = files.photo_at(connection, album / "d.jpg")
        assert failed is not None
        values = {"state": "failed", "error_kind": "damaged", "error_message": "d.jpg is damaged"}
        connection.execute(update(job).where(job.c.file_id == failed[0]).values(**values))
    return album


def watched_by(database: Database, owner: str, mode: str = "events", reason: str | None = None) -> None:
    """Note what a watcher said of the one root, 400 seconds ago."""
    with database.write() as connection:
        [found] = list_roots(connection)
        note_mode(connection, found.id, mode, reason)
        now = datetime.now(timezone.utc)
        note_watcher(connection, found.id, owner, watches=3, settling=2, last_event_at=now - timedelta(days=2))
        connection.execute(update(root).values(watcher_seen_at=now - timedelta(seconds=400)))


def status(data_dir: Path) -> list[str]:
    """The lines that speak of the folder."""
    result = CliRunner().invoke(main, ["--data-dir", str(data_dir), "status"])
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("folder"))
    return [line[12:] for line in lines[start:]]


def as_json(data_dir: Path) -> dict[str, object]:
    answer = json.loads(CliRunner().invoke(main, ["--data-dir", str(data_dir), "status", "--json"]).stdout)
    [found] = answer["roots"]
    return {**found, "allowed": answer["watches_allowed"]}


def test_a_folder_that_was_indexed_by_hand(data_dir: Path, folder: Path) -> None:
    assert status(data_dir) == [
        f"{folder}: 3 files, 1 gone", "1 waiting, 1 failed", "not watched", "never compared whole",
    ]  # fmt: skip
    found = as_json(data_dir)
    assert (found["mode"], found["watcher"], found["present"], found["missing"]) == (None, None, 3, 1)
    assert found["jobs"] == {"queued": 1, "retrying": 0, "running": 0, "failed": 1, "ignored": 0}


def test_a_folder_that_a_running_watcher_holds(data_dir: Path, folder: Path, database: Database) -> None:
    watched_by(database, f"{HERE}:{os.getppid()}:token")
    lines = status(data_dir)
    assert lines[1] == "2 still being written, 1 waiting, 1 failed"
    assert lines[2] == f"watched by events; watcher seen 6 min 40 s ago (pid {os.getppid()})"
    assert lines[3].startswith("3 watches held")
    assert lines[4].startswith("never compared whole, last event at 20")
    found = as_json(data_dir)
    watcher = found["watcher"]
    assert isinstance(watcher, dict)
    assert (watcher["host"], watcher["pid"], watcher["runs"]) == (HERE, os.getppid(), True)
    assert (found["watches"], found["settling"]) == (3, 2)


def test_why_a_folder_is_polled(data_dir: Path, folder: Path, database: Database) -> None:
    watched_by(database, f"{HERE}:{os.getppid()}:token", "polling", "it has 3 folders and the limit is 2")
    assert "scanned again and again: it has 3 folders and the limit is 2" in status(data_dir)
    assert as_json(data_dir)["mode_reason"] == "it has 3 folders and the limit is 2"


def test_a_watcher_that_died_is_told_and_its_counts_are_not(data_dir: Path, folder: Path, database: Database) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    watched_by(database, f"{HERE}:{process.pid}:token")
    lines = status(data_dir)
    assert lines[1] == "1 waiting, 1 failed"
    assert lines[2] == f"not watched now, last by events (process {process.pid} died, seen 6 min 40 s ago)"
    found = as_json(data_dir)
    assert (found["watches"], found["settling"]) == (None, None)


def test_a_watcher_on_another_machine_is_named_with_it(data_dir: Path, folder: Path, database: Database) -> None:
    watched_by(database, "attic:17:token")
    assert "watched by events; watcher seen 6 min 40 s ago (pid 17 on attic)" in status(data_dir)
