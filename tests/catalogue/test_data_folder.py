"""The data folder: its owner's alone, and refused where others could have put something into it."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from photoindex.catalogue import data_folder
from photoindex.catalogue.data_folder import check_owner, open_data_folder
from photoindex.catalogue.opening import open_database
from photoindex.errors import CatalogueError
from photoindex.library import Library
from tests.support import make_photo, names

OpenLibrary = Callable[..., Library]
pytestmark = pytest.mark.skipif(os.name != "posix", reason="permissions are other there")


@pytest.fixture(autouse=True, params=[0o022, 0o000, 0o077], ids=["umask 022", "umask 000", "umask 077"])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def open_to_others(folder: Path) -> list[str]:
    """What in a folder others may do anything with, itself included."""
    return [
        f"{path.relative_to(folder.parent)} {mode:o}"
        for path in (folder, *folder.rglob("*"))
        if (mode := stat.S_IMODE(path.lstat().st_mode)) & 0o077 and not path.is_symlink()
    ]


def test_a_new_library_is_closed(open_library: OpenLibrary, album: Path, data_dir: Path) -> None:
    make_photo(album / "a.jpg")
    with open_library(backup_days=1.0) as library:
        library.index(album)
        list(library.thumbnails(library.search("red")))
        assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700
    catalogues = list(data_dir.glob("catalogue*"))
    assert len(catalogues) >= 2  # with its backup
    assert {stat.S_IMODE(path.stat().st_mode) for path in catalogues} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in data_dir.iterdir() if path.is_dir()} == {0o700}


def test_the_log_is_closed_while_the_library_is_open(open_library: OpenLibrary, album: Path, data_dir: Path) -> None:
    make_photo(album / "a.jpg")
    open_library().index(album)
    assert {stat.S_IMODE(path.stat().st_mode) for path in data_dir.glob("catalogue.sqlite3*")} == {0o600}


def test_a_library_that_was_open_to_others_is_closed_when_it_is_opened(
    open_library: OpenLibrary, album: Path, data_dir: Path
) -> None:
    make_photo(album / "a.jpg")
    open_library(backup_days=1.0).index(album)
    for path in (data_dir, *data_dir.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    library = open_library()
    assert open_to_others(data_dir) == []
    assert names(library.search("red")) == ["a.jpg"]


def test_what_else_lies_in_the_folder_is_left_as_it_is(open_library: OpenLibrary, album: Path, data_dir: Path) -> None:
    make_photo(album / "a.jpg")
    open_library().index(album)
    (data_dir / "holiday").mkdir()
    (data_dir / "holiday" / "letter.txt").write_text("dear")
    for path in (data_dir, *data_dir.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    open_library().close()
    # What lies in a folder of the program's own is out of reach, as that folder is closed.
    reachable = [line for line in open_to_others(data_dir) if not re.search("(fulltext|thumbnails)/", line)]
    assert sorted(line.split()[0] for line in reachable) == ["data", "data/holiday", "data/holiday/letter.txt"]


@pytest.mark.parametrize(
    "name",
    [
        "catalogue of stamps.pdf", "catalogue", "catalogue.pdf", "catalogue.sqlite3.txt", "terms.txt",
        "catalogue-backup-old.sqlite3", "terms of use.md", "thumbnails.zip", "timeline", "timeline.ods", "web-site",
        "fulltext.pdf", "watchers-of-the-sky.jpg", "models", "models.csv", "photoindex.toml.md", "migrate.lock.txt",
        ".profile", ".git", ".modes", ".photoindex.toml.new", "notes.txt",
    ],
)  # fmt: skip
@pytest.mark.parametrize("with_others", [True, False], ids=["beside other files", "alone"])
def test_a_persons_file_that_is_named_alike_keeps_its_rights(tmp_path: Path, name: str, with_others: bool) -> None:
    mine = tmp_path / "data" / name
    mine.mkdir(parents=True)
    (mine / "within.txt").write_text("mine")
    if with_others:
        (tmp_path / "data" / "letter.txt").write_text("dear")
    for path in (mine.parent, *mine.parent.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    before = open_to_others(mine.parent)
    open_data_folder(mine.parent)
    assert open_to_others(mine.parent) == before


@pytest.mark.parametrize(
    "name",
    [
        "catalogue.sqlite3-wal", "catalogue.sqlite3-journal", "catalogue-backup-20240501T120000Z.sqlite3",
        "catalogue-before-upgrade-from-0017-20240501T120000Z.sqlite3", "catalogue-backup-20240501T120000Z.part",
        "catalogue-damaged-20240501T120000Z.sqlite3-wal", "catalogue.restoring", "fulltext", "fulltext.lock", "terms",
        "thumbnails", "watchers", "migrate.lock", "backup.lock", "timeline.columns", "web-sessions.json", "web-link",
        "watch-task.xml", "photoindex.toml", ".web-sessions.json.0123abcd.new", ".modes-x1_y",
    ],
)  # fmt: skip
@pytest.mark.parametrize("with_others", [True, False], ids=["beside other files", "alone"])
def test_each_file_of_a_library_is_closed(tmp_path: Path, name: str, with_others: bool) -> None:
    ours = tmp_path / "data" / name
    ours.parent.mkdir()
    if with_others:
        (tmp_path / "data" / "letter.txt").write_text("dear")
        (tmp_path / "data" / "letter.txt").chmod(0o644)
    ours.write_text("")
    ours.chmod(0o644)
    ours.parent.chmod(0o755)
    open_data_folder(ours.parent)
    assert stat.S_IMODE(ours.stat().st_mode) == 0o600
    assert stat.S_IMODE(ours.parent.stat().st_mode) == (0o755 if with_others else 0o700)


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o757, 0o702, 0o1777, 0o720])
def test_a_folder_that_others_can_write_is_refused(tmp_path: Path, mode: int, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "data here"
    open_database(folder / "catalogue.sqlite3").close()
    monkeypatch.setattr(data_folder, "_is_private_group", lambda _: False)
    folder.chmod(mode)
    before = sorted(os.listdir(folder))
    with pytest.raises(CatalogueError, match=r"chmod -R go-w '.*data here'") as caught:
        open_database(folder / "catalogue.sqlite3")
    assert len(str(caught.value).splitlines()) == 1
    assert stat.S_IMODE(folder.stat().st_mode) == mode  # refused again the next time
    assert sorted(os.listdir(folder)) == before
    folder.chmod(mode & ~0o022)
    open_database(folder / "catalogue.sqlite3").close()


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o700, 0o711])
def test_a_folder_that_others_can_only_read_is_taken_and_closed(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(mode)
    with closing(open_database(folder / "catalogue.sqlite3")):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_another_users_folder_is_refused(tmp_path: Path) -> None:
    check_owner(tmp_path, user=os.geteuid())
    if os.geteuid() != 0:
        pytest.skip("what is root's is anybody's to trust; only root can give a folder to another")
    other = tmp_path / "theirs"
    other.mkdir(mode=0o755)
    os.chown(other, 12345, 12345)
    with pytest.raises(CatalogueError, match="belongs to another user") as caught:
        open_data_folder(other)
    assert len(str(caught.value).splitlines()) == 1
    with pytest.raises(CatalogueError, match="belongs to another user"):
        open_database(other / "catalogue.sqlite3")
    assert os.listdir(other) == []


def test_a_group_of_the_user_alone_is_nobody_else(tmp_path: Path) -> None:
    tmp_path.chmod(0o770)
    check_owner(tmp_path, is_private_group=lambda _: True)
    with pytest.raises(CatalogueError, match="others can write"):
        check_owner(tmp_path, is_private_group=lambda _: False)
    tmp_path.chmod(0o777)
    with pytest.raises(CatalogueError, match="others can write"):
        check_owner(tmp_path, is_private_group=lambda _: True)
