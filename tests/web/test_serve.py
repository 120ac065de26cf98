"""``photoindex serve`` as a process: its one line, its end, and what it says when it cannot."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from photoindex.library import Library
from tests.support import REPOSITORY, make_photo


@contextmanager
def serving(data_dir: Path, *arguments: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and the address that it printed."""
    command = [
        sys.executable,
        "-m",
        "photoindex",
        "--data-dir",
        str(data_dir),
        "serve",
        "--no-browser",
        "--port",
        "0",
        *arguments,
    ]
    process = subprocess.Popen(
        command,
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline()
    finally:
        process.kill()
        process.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to another process")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_it_prints_one_line_and_ends_in_order(library: Library, data_dir: Path, album: Path, name: str) -> None:
    make_photo(album / "a.jpg")
    library.index(album)
    with serving(data_dir) as (process, line):
        link = re.fullmatch(r"photoindex: (http://127\.0\.0\.1:\d+/login\?link=\S+)\n", line)
        assert link is not None, line
        with httpx.Client(follow_redirects=True) as browser:
            assert "a red square" in browser.get(link[1]).text
        process.send_signal(getattr(signal, name))
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out, err) == (0, "", "stopped\n")


def test_each_further_browser_gets_a_link_of_its_own(data_dir: Path) -> None:
    def ask() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "photoindex", "--data-dir", str(data_dir), "serve", "--link"]
        return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)

    with serving(data_dir) as (process, line):
        first = line.split()[1]
        assert ask().stdout.strip() == first
        assert (data_dir / "web-link").stat().st_mode & 0o077 == 0
        with httpx.Client() as browser:
            assert browser.get(first).status_code == 303
        second = ask().stdout.strip()
        assert second != first
        with httpx.Client() as browser:
            assert browser.get(first).status_code == 403
            assert browser.get(second).status_code == 303
        process.terminate()
        process.communicate(timeout=60)
    ended = ask()
    assert (ended.returncode, ended.stdout) == (1, "")


def test_a_gallery_that_ends_leaves_the_link_of_another_one(data_dir: Path) -> None:
    with serving(data_dir) as (first, _), serving(data_dir) as (_second, line):
        first.terminate()
        _, err = first.communicate(timeout=60)
        assert (first.returncode, err) == (0, "stopped\n")
        assert (data_dir / "web-link").read_text() == f"{line.split()[1]}\n"


def test_a_link_that_cannot_be_removed_keeps_no_gallery_from_ending_in_order(data_dir: Path) -> None:
    """As on a disk that became read-only."""
    with serving(data_dir) as (process, line):
        link = data_dir / "web-link"
        link.unlink()
        link.mkdir()
        process.terminate()
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "stopped\n")
    assert line


def test_a_port_that_is_in_use(data_dir: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        with serving(data_dir, "--port", port) as (process, line):
            assert line == ""
            _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    [line] = err.splitlines()
    assert line.startswith(f"photoindex: port {port} of 127.0.0.1 is in use")
    assert line.endswith("name another with --port")


@pytest.mark.parametrize(("host", "shown"), [("[::1]", "[::1]"), ("LocalHost", "localhost")])
def test_an_address_of_this_machine_in_whatever_spelling(data_dir: Path, host: str, shown: str) -> None:
    with serving(data_dir, "--host", host) as (process, line):
        if not line and "Cannot assign" in process.communicate(timeout=60)[1]:
            pytest.skip("no IPv6 here")
        assert urlsplit(line.split()[1]).netloc.rpartition(":")[0] == shown
        assert httpx.get(line.split()[1], follow_redirects=False).status_code == 303


def test_a_gallery_for_the_network_prints_the_address_for_a_telephone(data_dir: Path) -> None:
    with serving(data_dir, "--host", "0.0.0.0", PHOTOINDEX_WEB_PASSWORD="correct horse") as (process, line):
        assert line.startswith("photoindex: http://")
        process.terminate()
        _, err = process.communicate(timeout=60)
    told = re.search(r"telephone.*: (http://[\d.]+:\d+/)\n", err)
    if told is None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked, pytest.raises(OSError, match="nreachable"):
            asked.connect(("192.0.2.1", 9))  # no network here
        return
    assert urlsplit(told[1]).port == urlsplit(line.split()[1]).port
    with socket.socket() as own:
        own.bind((urlsplit(told[1]).hostname, 0))  # an address of another machine is refused


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--host", "0.0.0.0"], 1, "password"),
        (["--host", "no.such.host.invalid"], 1, "password"),
        (["--root-path", "/a/../b"], 2, "no path"),
        (["--root-path", "/a?b"], 2, "no path"),
        (["--root-path", "/Bücher"], 2, "no path"),  # browsers send it otherwise, and no cookie with it
        (["--password-file", "/no/such/file"], 1, "/no/such/file"),
        (["--port", "70000"], 2, "70000"),
    ],
)
def test_what_cannot_be_served(data_dir: Path, arguments: list[str], status: int, message: str) -> None:
    with serving(data_dir, *arguments) as (process, line):
        _, err = process.communicate(timeout=60)
    assert (process.returncode, line) == (status, "")
    assert message in err
    assert "Traceback" not in err


def test_a_password_that_is_too_short(data_dir: Path) -> None:
    with serving(data_dir, PHOTOINDEX_WEB_PASSWORD="short") as (process, _):
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "8 or more" in err


def test_a_folder_that_is_not_there_is_said_and_the_gallery_goes_on(data_dir: Path, tmp_path: Path) -> None:
    with serving(data_dir, str(tmp_path / "nowhere")) as (process, line):
        assert process.stderr is not None
        assert "nowhere" in process.stderr.readline()
        assert httpx.get(line.split()[1], follow_redirects=False).status_code == 303
