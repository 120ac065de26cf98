"""A small file system that really is full, below the whole library, below its index, or below all temporary files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import REPOSITORY, make_photo

SIZE = "8m"
PATIENCE = 120  # seconds until a process that says nothing has failed

# Watches the album with its data on the small disk, or with what is linked to there, and says what it saw.
WATCH = """
import json
import sys
import threading
from pathlib import Path

from photoindex.indexing import retry
from photoindex.config import Settings
from photoindex.library import Library
from tests.support import FakeCaptioner, fill, make_photo, names

data_dir, small, album = map(Path, sys.argv[1:4])
harmless = sys.argv[4] == "harmless"
retry.FIRST_PAUSE = 0.05
stop = threading.Event()
notices = []
captioner = FakeCaptioner()


def ready(report):
    fill(small / "filler")
    make_photo(album / "late.jpg", "blue")


def notice(line):
    notices.append(line)
    (small / "filler").unlink(missing_ok=True)
    if "going on" in line:
        stop.set()


def worked(tally):
    if harmless:
        stop.set()


settings = Settings(data_dir, settle_seconds=0.0, backup_days=0.0, read_text="never")
with Library(settings, lambda _: captioner) as library:
    library.watch(album, stop=stop, ready=ready, notice=notice, worked=worked)
    print(json.dumps({"notices": notices, "found": names(library.search("square")), "captions": captioner.captions}))
"""


@pytest.fixture(scope="module")
def may_mount() -> None:
    if shutil.which("unshare") is None or shutil.which("mount") is None:
        pytest.skip("needs unshare and mount, of Linux")
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a file system: run as root")


def on_a_small_disk(small: Path, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python with a small file system at ``small``, which nobody else sees and which goes with the process."""
    small.mkdir(exist_ok=True)
    mount = f'mount -t tmpfs -o size={SIZE} tmpfs "$0" && exec "$@"'
    return subprocess.run(
        ["unshare", "-m", "sh", "-c", mount, small, sys.executable, *arguments],
        cwd=REPOSITORY, env={**os.environ, **environment}, capture_output=True, text=True, timeout=PATIENCE,
        check=False,
    )  # fmt: skip


@pytest.mark.usefixtures("may_mount")
@pytest.mark.parametrize("what", ["library", "index"])
def test_a_watch_goes_on_when_there_is_room_again(tmp_path: Path, album: Path, what: str) -> None:
    small, data_dir = tmp_path / "small", tmp_path / "data"
    if what == "library":
        data_dir = small / "data"
    else:
        data_dir.mkdir()
        (data_dir / "fulltext").symlink_to(small)
    make_photo(album / "early.jpg")
    done = on_a_small_disk(small, "-c", WATCH, data_dir, small, album, "waits")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert ["going on" in line for line in told["notices"]] == [False, True]
    assert ("is full" if what == "library" else "No space left") in told["notices"][0]
    assert told["found"] == ["early.jpg", "late.jpg"]
    assert sorted(told["captions"]) == ["a blue square", "a red square"]


@pytest.mark.usefixtures("may_mount")
def test_full_temporary_folders_harm_nobody(tmp_path: Path, album: Path) -> None:
    small = tmp_path / "small"
    make_photo(album / "early.jpg")
    temporary = dict.fromkeys(("TMPDIR", "SQLITE_TMPDIR", "TEMP", "TMP"), str(small))
    done = on_a_small_disk(small, "-c", WATCH, tmp_path / "data", small, album, "harmless", **temporary)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["notices"] == []
    assert told["found"] == ["early.jpg", "late.jpg"]


INDEX = """
import sys
from pathlib import Path

from photoindex.library import facade as library
from photoindex.cli import main
from photoindex.config import Settings
from tests.support import FakeCaptioner, fill

small, album = sys.argv[1:]
library.captioning.load_captioner = lambda settings: FakeCaptioner()
library.open(Path(small, "data")).close()
filler = fill(Path(small, "filler"))
arguments = ["--data-dir", str(Path(small, "data")), "index", album]
try:
    main(arguments)
except SystemExit as end:
    print("first", end.code)
filler.unlink()
main(arguments)
"""


@pytest.mark.usefixtures("may_mount")
def test_an_index_ends_with_one_line_and_goes_on_next_time(tmp_path: Path, album: Path) -> None:
    make_photo(album / "a.jpg")
    done = on_a_small_disk(tmp_path / "small", "-c", INDEX, tmp_path / "small", album)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "first 1\n"
    first, *rest = done.stderr.splitlines()
    assert first.startswith("photoindex: the disk that holds the catalogue")
    assert "1 photo in" in rest[-1]
    assert "1 captioned" in rest[-1]
