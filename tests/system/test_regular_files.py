"""Only regular files are opened, and no more of them is read than was asked for."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from photoindex.system.regular_files import (
    FileTooLarge,
    NotRegularFile,
    is_there,
    open_regular,
    read_regular,
    read_up_to,
)
from tests.permissions import permissions_count


def test_a_file_and_a_link_to_it_are_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    (tmp_path / "link").symlink_to(tmp_path / "a")

    for name in ("a", "link"):
        with open_regular(tmp_path / name) as file:
            assert file.read() == b"content"
        assert read_regular(str(tmp_path / name), 7) == b"content"


def test_a_limit_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 5_000_000)

    with pytest.raises(FileTooLarge, match="more than 4,999,999 bytes"):
        read_regular(tmp_path / "a", 4_999_999)
    assert len(read_regular(tmp_path / "a", 5_000_000)) == 5_000_000
    with open_regular(tmp_path / "a") as file:
        assert len(read_up_to(file, 3_000_000)) == 3_000_000
        assert len(read_up_to(file, 10**15)) == 2_000_000


@pytest.mark.parametrize("kind", ["folder", "pipe", "socket", "device", "link to a device", "link to a pipe"])
def test_nothing_else_is_opened(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path may only be short
    path = Path("a.xmp")
    made = Path("made")
    if kind == "folder":
        path.mkdir()
    elif kind == "device":
        path = Path("/dev/zero")
    elif kind == "link to a device":
        path.symlink_to("/dev/zero")
    elif not hasattr(os, "mkfifo"):
        pytest.skip("no pipes and sockets here")
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
    else:
        os.mkfifo(made)
        os.link(made, path) if kind == "pipe" else path.symlink_to(made)

    with pytest.raises(NotRegularFile, match="it is a folder" if kind == "folder" else "not a regular file"):
        open_regular(path)
    with pytest.raises(OSError, match="it is"):
        read_regular(path, 10)


def test_what_is_not_there_raises_as_ever(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "gone")


def test_a_pipe_that_takes_a_files_place_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe")
    opened = os.open

    monkeypatch.setattr("photoindex.system.regular_files.os.open", lambda _, flags: opened(tmp_path / "pipe", flags))

    with pytest.raises(NotRegularFile):
        open_regular(tmp_path / "a")


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_whether_something_is_there(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "to nowhere").symlink_to("nowhere")
    (tmp_path / "to itself").symlink_to("to itself")
    found = {name: is_there(tmp_path / name) for name in ("", "file", "none", "file/within", "to nowhere", "to itself")}
    assert [name for name, there in found.items() if there] == ["", "file"]


def test_whether_something_is_in_a_folder_that_may_not_be_entered_nobody_can_tell(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    with permissions_count(), pytest.raises(PermissionError):
        is_there(closed / "a")
    closed.chmod(0o700)
