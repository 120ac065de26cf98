"""Files that changed without their size and time saying so, and files whose numbers fit no column."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import update

from photoindex.catalogue.schema import file
from photoindex.folders import Settler
from photoindex.indexing.indexer import Indexer
from photoindex.library import Library
from photoindex.system.file_state import LARGEST, numbers_of
from photoindex.types import IndexReport
from tests.media.metadata.samples import described
from tests.support import FakeCaptioner, make_photo, names

ON_BOTH = True

OpenLibrary = Callable[..., Library]


def same_size(*paths: Path) -> None:
    """Give photos one size and one modification time. A JPEG ends with its end marker; what follows is not read."""
    largest = max(path.stat().st_size for path in paths)
    for path in paths:
        with path.open("ab") as file:
            file.write(bytes(largest - path.stat().st_size))
        os.utime(path, ns=(10**18, 10**18))


@pytest.fixture
def pair(album: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A red photo in the album and a blue one elsewhere, of one size and time."""
    red, blue = make_photo(album / "a.jpg", "red"), make_photo(tmp_path / "elsewhere" / "b.jpg", "blue")
    same_size(red, blue)
    return red, blue


def write_and_set_time_back(red: Path, blue: Path) -> None:
    """As exiftool -P and ``touch -r`` do."""
    red.write_bytes(blue.read_bytes())
    os.utime(red, ns=(10**18, 10**18))


def copy_over(red: Path, blue: Path) -> None:
    """As ``cp -p`` does."""
    shutil.copy2(blue, red)


def rename_over(red: Path, blue: Path) -> None:
    blue.replace(red)


def copy_and_rename_over(red: Path, blue: Path) -> None:
    """As rsync -t does."""
    part = red.with_name(".part")
    shutil.copy2(blue, part)
    part.replace(red)


def link_over(red: Path, blue: Path) -> None:
    red.unlink()
    os.link(blue, red)


def symlink_over(red: Path, blue: Path) -> None:
    red.unlink()
    red.symlink_to(blue)


CHANGES = [write_and_set_time_back, copy_over, rename_over, copy_and_rename_over, link_over, symlink_over]


@pytest.mark.parametrize("change", CHANGES)
def test_other_bytes_of_the_same_size_and_time_are_noticed(
    library: Library, pair: tuple[Path, Path], album: Path, change: Callable[[Path, Path], None]
) -> None:
    library.index(album)
    before = pair[0].stat()
    change(*pair)
    after = pair[0].stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert library.index(album).captioned == 1
    assert names(library.search("blue")) == ["a.jpg"]
    assert library.search("red") == []


def test_two_files_that_change_places_are_noticed(library: Library, captioner: FakeCaptioner, album: Path) -> None:
    red, blue = make_photo(album / "a.jpg", "red"), make_photo(album / "b.jpg", "blue")
    same_size(red, blue)
    library.index(album)
    red.rename(album / "c")
    blue.rename(red)
    (album / "c").rename(blue)
    library.index(album)
    assert names(library.search("blue")) == ["a.jpg"]
    assert names(library.search("red")) == ["b.jpg"]
    assert len(captioner.captions) == 2


def test_a_file_that_was_only_touched_costs_a_hash_and_no_caption(
    library: Library, captioner: FakeCaptioner, album: Path
) -> None:
    photo = make_photo(album / "a.jpg")
    library.index(album)
    photo.chmod(0o600)
    report = library.index(album)
    assert (report.captioned, report.recognised, report.unchanged, report.missing) == (0, 0, 1, 0)
    assert library.index(album).unchanged == 1
    assert len(captioner.captions) == 1


def test_what_an_event_reports_is_read_even_when_no_number_differs(
    library: Library, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a file system that keeps neither change times nor inodes."""
    photo = make_photo(album / "a.jpg")
    library.index(album)
    with library._database.write() as connection:  # what is stored is what will be found, whatever happens to the file
        photo_bytes = make_photo(album.parent / "b.jpg", "blue", note="a.jpg").read_bytes()
        photo.write_bytes(photo_bytes)
        size, changed_at, inode, metadata_at = numbers_of(photo.stat())
        connection.execute(update(file).values(size=size, mtime_ns=changed_at, inode=inode, ctime_ns=metadata_at))
    assert library.index(album).unchanged == 1
    settler = Settler(0)
    indexer = Indexer(library._database, library._pipe(), library.settings, settler=settler)
    settler.touch(photo)
    indexer.comparer.take_settled()
    library.work_off()
    assert names(library.search("blue")) == ["a.jpg"]


@pytest.mark.parametrize("change", [write_and_set_time_back, copy_over, rename_over, copy_and_rename_over])
def test_another_sidecar_of_the_same_size_and_time_is_noticed(
    library: Library, album: Path, tmp_path: Path, change: Callable[[Path, Path], None]
) -> None:
    make_photo(album / "a.jpg")
    old, new = album / "a.jpg.xmp", tmp_path / "new.xmp"
    old.write_bytes(described("a tall tree"))
    new.write_bytes(described("a wide lake"))
    for path in (old, new):
        os.utime(path, ns=(10**18, 10**18))
    library.index(album)
    change(old, new)
    assert library.index(album).refreshed == 1
    assert names(library.search("lake")) == ["a.jpg"]
    assert library.search("tree") == []


def test_files_stored_before_change_times_were_are_not_read_again_and_get_theirs(
    library: Library, pair: tuple[Path, Path], album: Path
) -> None:
    library.index(album)
    with library._database.write() as connection:
        connection.exec_driver_sql("update file set ctime_ns = null")
    report = library.index(album)
    assert (report.unchanged, report.recognised, report.captioned) == (1, 0, 0)
    copy_over(*pair)
    assert library.index(album).captioned == 1
    assert names(library.search("blue")) == ["a.jpg"]


def test_a_tree_in_which_nothing_changed_is_compared_by_the_quick_check(
    library: Library, open_library: OpenLibrary, album: Path
) -> None:
    """Without the pipeline, which would load what captions."""
    make_photo(album / "a.jpg")
    (album / "a.jpg.xmp").write_bytes(described("a boat"))
    library.index(album)
    other = open_library()
    assert other.index(album).unchanged == 1
    assert other._pipeline is None


# Seconds: the year 2300, the first beyond 64 bits of nanoseconds, the last of ext4 and of XFS, and before 1970.
TIMES = [10_413_792_000, 9_223_372_037, 15_032_385_535, 16_299_260_424, 2**40, -1, -86_400 * 365, -2_147_483_648]


@pytest.mark.parametrize("seconds", TIMES)
def test_a_time_far_away_harms_neither_its_photo_nor_the_others(
    library: Library, captioner: FakeCaptioner, album: Path, seconds: int
) -> None:
    odd, others = make_photo(album / "m.jpg"), [make_photo(album / name) for name in ("a.jpg", "z.jpg")]
    try:
        os.utime(odd, (seconds, seconds))
    except (OSError, OverflowError):
        pytest.skip("this file system keeps no such time")
    for _ in range(3):  # the first run, and every start after it
        library.index(album)
        assert names(library.search("red", limit=None)) == ["a.jpg", "m.jpg", "z.jpg"]
    assert len(captioner.captions) == 3
    make_photo(odd, "blue", note="other bytes")
    os.utime(odd, (seconds, seconds))
    assert library.index(album).captioned == 1
    stop = threading.Event()
    library.watch(album, stop=stop, ready=lambda _: stop.set())
    assert len(library.search("red", limit=None)) == len(others)


@pytest.mark.parametrize("seconds", TIMES)
def test_a_sidecar_with_a_time_far_away_is_read(library: Library, album: Path, seconds: int) -> None:
    make_photo(album / "a.jpg")
    sidecar = album / "a.jpg.xmp"
    sidecar.write_bytes(described("a boat"))
    try:
        os.utime(sidecar, (seconds, seconds))
    except (OSError, OverflowError):
        pytest.skip("this file system keeps no such time")
    for _ in range(2):
        library.index(album)
        assert names(library.search("boat")) == ["a.jpg"]


class Status:
    """What os.stat() may say on some file system."""

    def __init__(self, size: int, mtime: int, inode: int, ctime: int) -> None:
        self.st_size, self.st_mtime_ns, self.st_ino, self.st_ctime_ns = size, mtime, inode, ctime


@pytest.mark.parametrize("number", [0, 1, -1, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 2**128 - 1])
def test_every_number_of_a_file_system_fits_the_catalogue(number: int) -> None:
    size, mtime, inode, ctime = numbers_of(Status(abs(number), number, abs(number), number))  # type: ignore[arg-type]
    assert ctime is not None
    with closing(sqlite3.connect(":memory:")) as connection:
        stored = connection.execute("select ?, ?, ?, ?", (size, mtime, inode % 2**63, ctime)).fetchone()
    assert stored == (size, mtime, inode % 2**63, ctime)
    assert 0 <= inode < 2**64
    assert max(size, mtime, ctime) <= LARGEST


def _counts(report: IndexReport) -> tuple[int, int, int, int]:
    return report.seen, report.captioned, report.recognised, report.unchanged


@pytest.mark.parametrize("by_file", [False, True], ids=["a folder", "files"])
def test_what_waits_is_counted_as_what_becomes_of_it(library: Library, album: Path, by_file: bool) -> None:
    paths = [make_photo(album / name, colour) for name, colour in (("a.jpg", "red"), ("b.jpg", "blue"))]
    named = paths if by_file else [album]
    assert _counts(library.index(*named, queue_only=True)) == (2, 0, 0, 0)
    assert _counts(library.index(*named, queue_only=True)) == (2, 0, 0, 0)
    assert _counts(library.index(*named)) == (2, 2, 0, 0)
    assert _counts(library.index(*named)) == (2, 0, 0, 2)
    library.queue_recaption(everything=True)
    assert _counts(library.index(*named)) == (2, 2, 0, 0)


def test_what_changed_or_went_while_it_waited_is_counted_once(library: Library, album: Path, tmp_path: Path) -> None:
    make_photo(album / "known.jpg", "red")
    library.index(album)
    shutil.copy(album / "known.jpg", album / "copy.jpg")
    for name in ("changed.jpg", "gone.jpg", "sub/waits.jpg"):
        make_photo(album / name, "blue", note=name)
    make_photo(tmp_path / "other" / "elsewhere.jpg", "green")
    library.index(album, tmp_path / "other", queue_only=True)
    make_photo(album / "changed.jpg", "green", note="larger than it was before")
    (album / "gone.jpg").unlink()
    report = library.index(album)
    assert _counts(report)[2:] == (1, 1)  # the copy, and the photo that it is a copy of
    assert (report.seen, report.missing) == (4, 1)


@pytest.mark.parametrize("by_file", [False, True], ids=["a folder", "files"])
def test_what_cannot_be_captioned_is_counted_as_failed_alone(library: Library, album: Path, by_file: bool) -> None:
    paths = [make_photo(album / "good.jpg"), album / "bad.jpg", album / "empty.jpg"]
    for path, content in zip(paths[1:], (b"no photo", b""), strict=True):
        path.write_bytes(content)
    named = paths if by_file else [album]
    report = library.index(*named)
    assert (*_counts(report), report.failed) == (3, 1, 0, 0, 2)
    for _ in range(2):
        report = library.index(*named)
        assert (*_counts(report), report.failed) == (3, 0, 0, 1, 2)
    library.ignore_failures(*paths[1:])
    report = library.index(*named)
    assert (*_counts(report), report.failed) == (3, 0, 0, 3, 0)
    library.retry_failures(paths[1])
    report = library.index(*named)
    assert (*_counts(report), report.failed) == (3, 0, 0, 2, 1)


def test_what_a_walk_passes_by_is_counted_as_what_becomes_of_it_too(library: Library, album: Path) -> None:
    make_photo(album / "a.jpg")
    hidden, bad = make_photo(album / ".hidden" / "b.jpg", "blue"), album / ".hidden" / "bad.jpg"
    bad.write_bytes(b"no photo")
    library.index(album, hidden, bad, queue_only=True)
    report = library.index(album)
    assert (*_counts(report), report.failed) == (3, 2, 0, 0, 1)
    report = library.index(album)
    assert (*_counts(report), report.failed) == (3, 0, 0, 2, 1)
