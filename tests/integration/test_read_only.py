"""A data folder on a file system that is really read-only: photos are searched and shown, and nothing is changed."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from photoindex.library import Library
from tests.support import REPOSITORY, make_photo

PATIENCE = 120  # seconds


def read_only(data_dir: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command line where ``data_dir`` is read-only, for it alone."""
    mount = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    return subprocess.run(
        ["unshare", "-m", "sh", "-c", mount, data_dir, sys.executable, "-m", "photoindex", "--data-dir", data_dir,
         *arguments],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip


@pytest.fixture
def photo(library: Library, album: Path) -> Path:
    """One that the library knows, which nobody has open."""
    path = make_photo(album / "a.jpg")
    library.index(album)
    library.close()
    return path


def content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("may_mount")
def test_photos_are_found_and_shown(data_dir: Path, photo: Path) -> None:
    before = content(data_dir)
    found = read_only(data_dir, "search", "red", "--json")
    assert found.returncode == 0, found.stderr
    assert [hit["path"] for hit in json.loads(found.stdout)] == [str(photo)]
    shown = read_only(data_dir, "show", photo)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "a red square" in shown.stdout
    status = read_only(data_dir, "status", "--json")
    assert (status.returncode, status.stderr) == (0, "")
    assert json.loads(status.stdout)["searchable"] == 1
    nothing = read_only(data_dir, "search", "xylophone")
    assert (nothing.returncode, nothing.stderr) == (1, "no photo matches 'xylophone'\n")
    assert content(data_dir) == before


@pytest.mark.usefixtures("may_mount")
@pytest.mark.parametrize("command", ["index", "watch", "failures retry", "reindex --fulltext"])
def test_what_would_write_says_why_it_cannot_in_one_line(data_dir: Path, photo: Path, command: str) -> None:
    before = content(data_dir)
    arguments = [*command.split(), *([str(photo.parent)] if command in ("index", "watch") else [])]
    done = read_only(data_dir, *arguments)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("photoindex: cannot write the catalogue")
    assert "read-only" in line
    assert content(data_dir) == before


@pytest.mark.usefixtures("may_mount")
def test_a_log_that_was_left_beside_the_catalogue_is_read(data_dir: Path, photo: Path) -> None:
    """As a process that was killed leaves it: what it committed last is in the log alone."""
    path = data_dir / "catalogue.sqlite3"
    kept = {}
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("pragma wal_autocheckpoint = 0")
        connection.execute("update caption set text = 'a scarlet square' where rank = 0")
        kept = {end: Path(f"{path}{end}").read_bytes() for end in ("", "-wal")}
    for end, data in kept.items():
        Path(f"{path}{end}").write_bytes(data)
    assert not Path(f"{path}-shm").exists()
    shown = read_only(data_dir, "show", photo)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "a scarlet square" in shown.stdout


@pytest.mark.usefixtures("may_mount")
def test_a_catalogue_of_an_older_version_is_one_line(data_dir: Path, photo: Path) -> None:
    with closing(sqlite3.connect(data_dir / "catalogue.sqlite3")) as connection:
        connection.execute("update alembic_version set version_num = '0003'")
        connection.commit()
    done = read_only(data_dir, "search", "red")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "older version" in line
    assert "read-only" in line
