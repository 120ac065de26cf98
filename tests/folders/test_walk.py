"""Walking real trees, with everything that can lie in them."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from photoindex.errors import FolderError
from photoindex.folders.filters import PhotoFilter
from photoindex.folders.walk import file_stat, scan, survey
from tests.permissions import permissions_count
from tests.support import put


@contextmanager
def shut(folder: Path) -> Iterator[None]:
    """Nobody may read the folder, for as long as the block lasts."""
    folder.chmod(0)
    try:
        with permissions_count():
            yield
    finally:
        folder.chmod(0o755)


def names(root: Path, photo_filter: PhotoFilter | None = None) -> list[str]:
    return [file.path.relative_to(root).as_posix() for file in scan(root, photo_filter or PhotoFilter())]


def test_photos_are_found_in_the_order_of_their_names_with_files_before_folders(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.JPG", "z/1.png", "c/2/x.heic", "c/1.gif", "note.txt"):
        put(tmp_path / name)
    assert names(tmp_path) == ["a.JPG", "b.jpg", "c/1.gif", "c/2/x.heic", "z/1.png"]


def test_the_stat_of_each_file_comes_with_it(tmp_path: Path) -> None:
    photo = put(tmp_path / "a.jpg", b"12345")
    os.utime(photo, ns=(1, 1_700_000_000_123_456_789))
    (file,) = scan(tmp_path, PhotoFilter())
    assert (file.stat.size, file.stat.mtime_ns, file.stat.inode) == (
        5,
        os.stat(photo).st_mtime_ns,
        os.stat(photo).st_ino,
    )


def test_refused_folders_are_not_entered(tmp_path: Path) -> None:
    put(tmp_path / "@eaDir/a.jpg")
    put(tmp_path / ".hidden/a.jpg")
    put(tmp_path / "2024/.a.jpg")
    assert names(tmp_path) == []
    assert names(tmp_path, PhotoFilter(hidden_files=True)) == [".hidden/a.jpg", "2024/.a.jpg"]


def test_our_own_folders_are_entered_by_no_way(tmp_path: Path) -> None:
    data = tmp_path / "real" / "Data"
    put(data / "thumbnails/6d/a-240.jpg")
    put(data / "b.jpg")
    put(tmp_path / "real/other/data/thumbnails/c.jpg")
    (tmp_path / "link").symlink_to(data)
    (tmp_path / "outer").symlink_to(tmp_path / "real")
    for spelt in (data, tmp_path / "link", tmp_path / "outer/Data"):
        own = PhotoFilter(hidden_files=True, own_folders=(spelt, spelt / "thumbnails"))
        assert names(tmp_path, own) == ["real/other/data/thumbnails/c.jpg"]
        assert names(data, own) == ["b.jpg"]
        assert not own.accepts_below(tmp_path, data / "thumbnails/6d/a-240.jpg")
        assert own.accepts_below(tmp_path, tmp_path / "real/other/data/thumbnails/c.jpg")
        assert survey(tmp_path, own).links == (tmp_path / "outer",)
    assert names(tmp_path, PhotoFilter(own_folders=(tmp_path / "not there yet",))) != []


@pytest.mark.parametrize("mark", ["catalogue.sqlite3", "fulltext/current.json"])
def test_the_thumbnails_of_any_library_are_left_out_and_nothing_else(tmp_path: Path, mark: str) -> None:
    data = tmp_path / "anna" / "data"
    thumbnail = put(data / "thumbnails/6d/a-240.jpg")
    put(data / "b.jpg")
    put(data / "2019/thumbnails/c.jpg")
    put(tmp_path / "thumbnails/d.jpg")
    photos = PhotoFilter()
    assert "anna/data/thumbnails/6d/a-240.jpg" in names(tmp_path)
    put(data / mark)
    (tmp_path / "link").symlink_to(data / "thumbnails")
    (tmp_path / "library").symlink_to(data)
    assert names(tmp_path) == ["anna/data/b.jpg", "anna/data/2019/thumbnails/c.jpg", "thumbnails/d.jpg"]
    assert names(data) == ["b.jpg", "2019/thumbnails/c.jpg"]
    assert not photos.accepts_below(tmp_path, thumbnail)
    assert not photos.accepts_below(data, thumbnail)
    assert photos.accepts_below(tmp_path, data / "2019/thumbnails/c.jpg")
    assert survey(tmp_path, photos).links == (tmp_path / "library",)
    assert names(data / "thumbnails") == ["6d/a-240.jpg"]


def test_a_refused_name_does_not_matter_for_the_root_itself(tmp_path: Path) -> None:
    put(tmp_path / ".hidden/a.jpg")
    assert names(tmp_path / ".hidden") == ["a.jpg"]


def test_a_root_that_is_a_file_is_found_whatever_its_name(tmp_path: Path) -> None:
    odd = put(tmp_path / ".odd.name")
    assert [file.path for file in scan(odd, PhotoFilter())] == [odd]


def test_a_root_that_does_not_exist_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="does not exist") as caught:
        scan(tmp_path / "none", PhotoFilter())
    assert "\n" not in str(caught.value)


def test_a_root_below_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="does not exist"):
        scan(put(tmp_path / "a.jpg") / "b", PhotoFilter())


def test_a_root_that_is_neither_folder_nor_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FolderError, match="neither"):
        scan(tmp_path / "pipe", PhotoFilter())


def test_fifos_and_sockets_named_like_photos_are_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path has little room
    os.mkfifo("pipe.jpg")
    put(tmp_path / "real.jpg")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.jpg")
        assert names(tmp_path) == ["real.jpg"]


def test_a_folder_named_like_a_photo_is_walked(tmp_path: Path) -> None:
    put(tmp_path / "album.jpg/a.jpg")
    assert names(tmp_path) == ["album.jpg/a.jpg"]


def test_a_link_to_a_file_is_followed_and_a_broken_one_skipped(tmp_path: Path) -> None:
    outside = put(tmp_path / "outside/real.bin", b"1234567")
    root = tmp_path / "root"
    root.mkdir()
    (root / "link.jpg").symlink_to(outside)
    (root / "broken.jpg").symlink_to(tmp_path / "none.jpg")
    (root / "itself.jpg").symlink_to(root / "itself.jpg")
    problems: list[Path] = []
    found = list(scan(root, PhotoFilter(), lambda path, error: problems.append(path)))
    assert [(file.path.name, file.stat.size) for file in found] == [("link.jpg", 7)]
    assert problems == []


def test_a_linked_folder_is_walked_once_however_many_links_lead_there(tmp_path: Path) -> None:
    put(tmp_path / "outside/a.jpg")
    root = tmp_path / "root"
    root.mkdir()
    (root / "one").symlink_to(tmp_path / "outside")
    (root / "two").symlink_to(tmp_path / "outside")
    assert names(root) == ["one/a.jpg"]


def test_a_photo_reached_both_ways_is_reported_under_its_real_path(tmp_path: Path) -> None:
    put(tmp_path / "z/a.jpg")
    (tmp_path / "a-link").symlink_to(tmp_path / "z")
    assert names(tmp_path) == ["z/a.jpg"]


def test_loops_of_links_end(tmp_path: Path) -> None:
    root = tmp_path / "root"
    put(root / "x/a.jpg")
    put(root / "y/b.jpg")
    (root / "x/to-y").symlink_to(root / "y")
    (root / "y/to-x").symlink_to(root / "x")
    (root / "x/to-root").symlink_to(root)
    (root / "self").symlink_to(root / "self")
    assert names(root) == ["x/a.jpg", "y/b.jpg"]


def test_loops_between_linked_folders_outside_the_root_end(tmp_path: Path) -> None:
    put(tmp_path / "out1/a.jpg")
    put(tmp_path / "out2/b.jpg")
    (tmp_path / "out1/next").symlink_to(tmp_path / "out2")
    (tmp_path / "out2/next").symlink_to(tmp_path / "out1")
    root = tmp_path / "root"
    root.mkdir()
    (root / "in").symlink_to(tmp_path / "out1")
    assert names(root) == ["in/a.jpg", "in/next/b.jpg"]


def test_a_link_to_a_folder_that_contains_the_root_is_not_followed(tmp_path: Path) -> None:
    put(tmp_path / "private/secret.jpg")
    put(tmp_path / "root/a.jpg")
    (tmp_path / "root/up").symlink_to(tmp_path)
    (tmp_path / "root/top").symlink_to("/")
    assert names(tmp_path / "root") == ["a.jpg"]


def test_a_root_that_is_a_link_keeps_its_own_spelling(tmp_path: Path) -> None:
    put(tmp_path / "real/a.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert [file.path for file in scan(tmp_path / "link", PhotoFilter())] == [tmp_path / "link/a.jpg"]


def test_a_name_that_is_not_valid_text_survives_the_round_trip(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/\xff\xfe.jpg"
    try:
        with open(raw, "wb") as file:
            file.write(b"photo")
    except OSError:
        pytest.skip("this file system takes only valid text")
    (found,) = scan(tmp_path, PhotoFilter())
    assert os.fsencode(found.path) == raw


LEVELS = 250


def test_a_tree_deeper_than_the_recursion_limit_is_walked(tmp_path: Path) -> None:
    folders = [tmp_path]
    for _ in range(LEVELS):
        folders.append(folders[-1] / "d")
        try:
            folders[-1].mkdir()
        except OSError:
            pytest.skip("paths that long cannot be made here")
    photo = put(folders[-1] / "a.jpg")
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(LEVELS)  # lower than it is: what a walk costs grows with the square of the levels
    try:
        assert [file.path for file in scan(tmp_path, PhotoFilter())] == [photo]
    finally:
        sys.setrecursionlimit(limit)
    photo.unlink()
    for folder in reversed(folders[1:]):  # pytest clears its folders by recursion
        folder.rmdir()


def test_an_unreadable_folder_is_reported_and_the_walk_goes_on(tmp_path: Path) -> None:
    put(tmp_path / "a/1.jpg")
    put(tmp_path / "b/2.jpg")
    problems: list[tuple[Path, OSError]] = []
    with shut(tmp_path / "a"):
        found = [file.path.name for file in scan(tmp_path, PhotoFilter(), lambda *problem: problems.append(problem))]
    assert found == ["2.jpg"]
    assert [(path, type(error)) for path, error in problems] == [(tmp_path / "a", PermissionError)]


def test_a_root_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shut").mkdir()
    with shut(tmp_path / "shut"), pytest.raises(FolderError, match="cannot read"):
        scan(tmp_path / "shut", PhotoFilter())


@pytest.fixture
def failing_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose disk gives input/output errors, also for root."""
    put(tmp_path / "bad/1.jpg")
    put(tmp_path / "good/2.jpg")
    real = os.scandir

    def scandir(path: os.PathLike[str]) -> object:
        if Path(path).name == "bad":
            raise OSError(5, "Input/output error")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    return tmp_path / "bad"


def test_a_folder_with_read_errors_is_reported_and_the_walk_goes_on(failing_folder: Path) -> None:
    problems: list[Path] = []
    found = scan(failing_folder.parent, PhotoFilter(), lambda path, error: problems.append(path))
    assert [file.path.name for file in found] == ["2.jpg"]
    assert problems == [failing_folder]


def test_without_a_listener_a_problem_is_logged(failing_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    list(scan(failing_folder.parent, PhotoFilter()))
    assert str(failing_folder) in caplog.text


def test_what_vanishes_during_the_walk_is_skipped(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg", "c/d.jpg", "e/f.jpg"):
        put(tmp_path / name)
    problems: list[Path] = []
    walk = scan(tmp_path, PhotoFilter(), lambda path, error: problems.append(path))
    assert next(walk).path.name == "a.jpg"
    (tmp_path / "b.jpg").unlink()
    (tmp_path / "c/d.jpg").unlink()
    (tmp_path / "c").rmdir()
    assert [file.path.name for file in walk] == ["f.jpg"]
    assert problems == []


def test_a_survey_counts_every_real_folder_and_finds_the_links_a_scan_follows(tmp_path: Path) -> None:
    root = tmp_path / "root"
    put(root / "a/b/1.jpg")
    put(root / "@eaDir/2.jpg")
    put(tmp_path / "outside/3.jpg")
    (root / "a/link").symlink_to(tmp_path / "outside")
    (root / "@eaDir/link").symlink_to(tmp_path / "outside")
    (root / ".link").symlink_to(tmp_path / "outside")
    found = survey(root, PhotoFilter())
    assert found.folders == 4  # root, a, a/b, @eaDir: watchdog watches them all
    assert found.links == (root / "a/link",)


def test_file_stat_knows_only_regular_files(tmp_path: Path) -> None:
    photo = put(tmp_path / "a.jpg")
    (tmp_path / "broken.jpg").symlink_to(tmp_path / "none")
    stat = file_stat(photo)
    assert stat is not None
    assert stat.size == 5
    assert file_stat(tmp_path) is None
    assert file_stat(tmp_path / "none.jpg") is None
    assert file_stat(tmp_path / "broken.jpg") is None
