"""Whatever lies in the place of a file of the data folder: nothing waits for it, and what can be made again is."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

from photoindex.config import Settings
from photoindex.errors import PhotoindexError
from photoindex.folders.lock import held
from photoindex.library import Library
from photoindex.library.doctor import examine
from photoindex.library.gallery.kept_snapshot import load
from photoindex.media.thumbnail_files import ThumbnailFiles
from photoindex.web.access import Access
from photoindex.web.server import LINK_FILE, running_link
from tests.support import make_photo, names

OpenLibrary = Callable[..., Library]
SECONDS = 30

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")


def put_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        before = Path.cwd()
        os.chdir(path.parent)  # a socket's path has room for a hundred bytes
        try:
            bound.bind(path.name)
        finally:
            os.chdir(before)


OTHERS: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "socket": put_socket,
    "link to a device": lambda path: path.symlink_to("/dev/zero"),
    "link to itself": lambda path: path.symlink_to(path),
    "link to nowhere": lambda path: path.symlink_to(path.parent / "nowhere" / "at all"),
    "folder": lambda path: (path / "more").mkdir(parents=True),
}
others = pytest.mark.parametrize("put", OTHERS.values(), ids=OTHERS)


@contextmanager
def ending_soon() -> Iterator[None]:
    """Raise AssertionError in a block that waits for ever, as for the other end of a pipe."""

    def end(_number: int, _frame: FrameType | None) -> None:
        raise AssertionError("it waits")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def replace(path: Path, put: Callable[[Path], object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    put(path)


def index_and_search(open_library: OpenLibrary, album: Path) -> list[str]:
    with open_library() as library:
        library.index(album)
    with open_library() as library:
        return names(library.search("red"))


INDEX_FILES = ["current.json", "index-*/commit", "index-*/words-*.segment", "writer.pid", "followed.json"]


@others
@pytest.mark.parametrize("name", INDEX_FILES)
def test_the_index_is_made_again_whatever_lies_in_the_place_of_its_files(
    open_library: OpenLibrary, album: Path, data_dir: Path, name: str, put: Callable[[Path], object]
) -> None:
    make_photo(album / "a.jpg")
    assert index_and_search(open_library, album) == ["a.jpg"]
    make_photo(album / "b.jpg", "blue")
    index = data_dir / "fulltext"
    (place,) = index.glob(name) if "*" in name else [index / name]
    replace(place, put)
    with ending_soon():
        list(examine(Settings(data_dir)))
        if name == "current.json" and place.is_dir():
            with pytest.raises(PhotoindexError, match=r"move .*current\.json away"):
                index_and_search(open_library, album)
            shutil.rmtree(place)
        assert index_and_search(open_library, album) == ["a.jpg"]
        with open_library() as library:
            assert names(library.search("red OR blue")) == ["a.jpg", "b.jpg"]
    assert (index / "current.json").is_file()


@others
@pytest.mark.parametrize("name", ["catalogue.sqlite3", "catalogue.sqlite3-wal", "catalogue.sqlite3-shm"])
def test_what_lies_in_the_place_of_the_catalogue_is_one_line(
    open_library: OpenLibrary, album: Path, data_dir: Path, name: str, put: Callable[[Path], object]
) -> None:
    make_photo(album / "a.jpg")
    with open_library() as library:
        library.index(album)
    kept = data_dir.with_name("kept")
    (data_dir / "catalogue.sqlite3").rename(kept)
    if name != "catalogue.sqlite3":
        shutil.copy(kept, data_dir / "catalogue.sqlite3")
    replace(data_dir / name, put)
    with ending_soon():
        findings = {finding.name: finding for finding in examine(Settings(data_dir))}
        with pytest.raises(PhotoindexError) as caught:
            open_library()
    assert "\n" not in str(caught.value)
    if name == "catalogue.sqlite3" and (data_dir / name).exists():
        assert findings["catalogue"].level == "problem"
    if not (data_dir / name).is_symlink():
        assert f"{data_dir / name} should be a file" in str(caught.value)
        assert str(caught.value).endswith("move it away")
        if name == "catalogue.sqlite3":
            assert f"{data_dir / name} should be a file" in findings["catalogue"].message


@others
def test_a_backup_that_is_no_file_is_none(
    open_library: OpenLibrary, album: Path, data_dir: Path, put: Callable[[Path], object]
) -> None:
    make_photo(album / "a.jpg")
    put_at = data_dir / "catalogue-backup-20240501T000000Z.sqlite3"
    with open_library() as library:
        library.index(album)
    replace(put_at, put)
    with ending_soon(), open_library(backup_days=1e-9) as library:
        make_photo(album / "b.jpg", "blue")
        library.index(album)
        list(examine(Settings(data_dir)))
    whole = [path for path in data_dir.glob("catalogue-backup-*") if path.is_file() and path != put_at]
    assert len(whole) == 1


@others
def test_nothing_of_the_gallery_waits_for_a_pipe(tmp_path: Path, put: Callable[[Path], object]) -> None:
    with ending_soon():
        thumbnails = ThumbnailFiles(tmp_path / "thumbnails", 1_000_000)
        replace(tmp_path / "thumbnails" / "ab" / "abc-240.jpg", put)
        assert thumbnails.get("abc", 240) is None
        replace(tmp_path / "timeline.columns", put)
        assert load(tmp_path / "timeline.columns") is None
        replace(tmp_path / LINK_FILE, put)
        with pytest.raises(PhotoindexError, match="no gallery of this library runs"):
            running_link(tmp_path)
        sessions = tmp_path / "web-sessions.json"
        replace(sessions, put)
        session = Access(sessions, "password").by_password("password")
    if not sessions.is_dir():
        assert stat.S_IMODE(sessions.lstat().st_mode) == 0o600
        assert Access(sessions, "password").is_session(session)


@others
def test_a_watch_begins_whatever_lies_in_the_place_of_its_note(
    album: Path, tmp_path: Path, put: Callable[[Path], object]
) -> None:
    where = tmp_path / "watchers"
    with held(album, where):
        (note,) = where.glob("*.json")
        assert json.loads(note.read_text())["pid"] == os.getpid()
    replace(note, put)
    with ending_soon(), held(album, where):
        assert note.is_dir() or json.loads(note.read_text())["pid"] == os.getpid()
