"""Only regular files are opened, and no more of them is read than was asked for."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from photoindex.system.regular_files import FileTooLarge, NotRegularFile, open_regular, read_regular, read_up_to


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
