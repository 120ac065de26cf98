"""One watcher a folder, and who it is."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from photoindex.errors import FolderError
from photoindex.folders.lock import held
from tests.support import REPOSITORY

HOLD = """
import sys
from pathlib import Path

from photoindex.folders.lock import held

with held(Path(sys.argv[1]), Path(sys.argv[2])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def where(tmp_path: Path) -> Path:
    return tmp_path / "watchers"


def test_the_second_watcher_of_a_folder_is_told_who_is_the_first(album: Path, where: Path) -> None:
    link = album.with_name("link")
    link.symlink_to(album)
    with held(album, where):
        for name in (album, link):
            with pytest.raises(FolderError) as caught, held(name, where):
                pass
            assert f"process {os.getpid()} on {socket.gethostname()}" in str(caught.value)
            assert str(name) in str(caught.value)
        (album / "sub").mkdir()
        with held(album / "sub", where):  # another folder
            pass
    with held(album, where):
        pass


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_watcher_that_was_killed_holds_nothing(album: Path, where: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(album), str(where)],
        cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(FolderError, match=f"process {process.pid} on "), held(album, where):
            pass
        process.kill()
        process.wait()
    with held(album, where):
        pass


@pytest.mark.parametrize("left", ["", "no JSON", "[]", '{"pid": "x", "host": 1}'])
def test_a_holder_that_left_no_name_is_another_process(album: Path, where: Path, left: str) -> None:
    with held(album, where):
        [owner] = where.glob("*.json")
        owner.write_text(left)
        with pytest.raises(FolderError, match="by another process"), held(album, where):
            pass


def test_a_place_for_locks_that_cannot_be_made_is_one_line(album: Path, where: Path) -> None:
    where.write_text("in the way")
    with pytest.raises(FolderError, match="cannot lock") as caught, held(album, where):
        pass
    assert len(str(caught.value).splitlines()) == 1
