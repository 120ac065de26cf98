"""Finding out that there is nothing to do, with real files; and not being sure of it when there may be."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import update

from photoindex.catalogue.schema import photo, root
from photoindex.folders import IGNORE_FILE
from photoindex.indexing.quick_check import QuickCheck
from photoindex.library import Library
from photoindex.types import IndexReport, Progress
from tests.support import make_photo, put_on_another_disk, refuse


@pytest.fixture
def known(library: Library, album: Path) -> Library:
    """A library that knows all of the album."""
    for name in ("a.jpg", "sub/b.jpg", "sub/c.jpg"):
        make_photo(album / name, note=name)
    (album / "a.jpg.xmp").write_text("<x/>")
    library.index(album)
    return library


def ask(library: Library, *places: Path, stop: bool = False) -> IndexReport | None:
    event = threading.Event()
    if stop:
        event.set()
    return QuickCheck(library._database, library.settings).nothing_to_do(places, event)


def test_folders_that_are_as_they_were_are_reported_unchanged(known: Library, album: Path) -> None:
    for places, seen in (([album], 3), ([album / "sub"], 2), ([album, album / "sub"], 3)):
        report = ask(known, *places)
        assert report is not None
        assert (report.seen, report.unchanged, report.captioned, report.failures) == (seen, seen, 0, ())


def test_the_report_is_the_same_as_after_looking_closely(
    known: Library, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = known.index(album)
    monkeypatch.setattr(QuickCheck, "nothing_to_do", lambda *_: None)
    close = known.index(album)
    assert quick == IndexReport(**{name: getattr(close, name) for name in close.__slots__} | {"seconds": quick.seconds})


def test_a_whole_root_is_noted_as_compared_and_a_part_of_it_is_not(known: Library, album: Path) -> None:
    [before] = known.status().roots
    assert before.last_reconcile_at is not None
    assert ask(known, album / "sub") is not None
    assert known.status().roots[0].last_reconcile_at == before.last_reconcile_at
    assert ask(known, album) is not None
    [after] = known.status().roots
    assert after.last_reconcile_at is not None
    assert after.last_reconcile_at > before.last_reconcile_at


def test_progress_is_told(known: Library, album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["photoindex.folders.compare"], "TELL_EVERY", 2)
    told: list[Progress] = []
    QuickCheck(known._database, known.settings).nothing_to_do([album], threading.Event(), told.append)
    assert [(each.stage, each.done) for each in told] == [("scanning", 2)]


def changed_photo(album: Path) -> None:
    make_photo(album / "sub/b.jpg", "blue", note="another and longer")


CHANGES: dict[str, Callable[[Path], object]] = {
    "a new photo": lambda album: make_photo(album / "sub/new.jpg"),
    "a changed photo": changed_photo,
    "a photo that is gone": lambda album: (album / "sub/b.jpg").unlink(),
    "a renamed photo": lambda album: (album / "sub/b.jpg").rename(album / "sub/d.jpg"),
    "a new sidecar": lambda album: (album / "sub/b.jpg.xmp").write_text("<x/>"),
    "a sidecar that is gone": lambda album: (album / "a.jpg.xmp").unlink(),
    "a new rule": lambda album: (album / IGNORE_FILE).write_text("sub/\n"),
    "an emptied folder": lambda album: [shutil.rmtree(album / "sub"), (album / "a.jpg").unlink()],
    "no folder": lambda album: shutil.rmtree(album),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_difference_is_left_to_the_indexer(known: Library, album: Path, change: Callable[[Path], object]) -> None:
    change(album)
    assert ask(known, album) is None


def test_a_folder_that_cannot_be_read_is_left_to_the_indexer(
    known: Library, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, album / "sub")
    assert ask(known, album) is None


def test_a_disk_that_is_another_one_is_left_to_the_indexer(known: Library, album: Path) -> None:
    put_on_another_disk(known._database)
    assert ask(known, album) is None


def test_another_disk_within_a_folder_is_left_to_the_indexer(library: Library, album: Path) -> None:
    make_photo(album / "a.jpg")
    make_photo(album / "sub" / "b.jpg")
    library.index(album / "sub")
    library.index(album)
    assert ask(library, album) is not None
    put_on_another_disk(library._database, album / "sub")
    assert ask(library, album) is None
    library.index(album)
    assert ask(library, album) is not None
    shutil.rmtree(album / "sub")
    library.index(album, accept_missing=True)
    assert ask(library, album) is not None  # one that is gone is asked about by nobody


def test_what_is_no_known_folder_is_left_to_the_indexer(known: Library, album: Path, tmp_path: Path) -> None:
    make_photo(tmp_path / "other/x.jpg")
    assert ask(known, tmp_path / "other") is None
    assert ask(known, tmp_path) is None  # above a root
    assert ask(known, album, tmp_path / "other") is None


@pytest.mark.parametrize("mark", ["text_stale", "metadata_stale"])
def test_so_are_photos_that_are_to_be_read_or_indexed_again(known: Library, album: Path, mark: str) -> None:
    with known._database.write() as connection:
        connection.execute(update(photo).values({mark: 7}))
    assert ask(known, album) is None


def test_so_is_a_root_whose_photos_are_kept_for_now(known: Library, album: Path) -> None:
    with known._database.write() as connection:
        connection.execute(update(root).values(suspended_photos=2))
    assert ask(known, album) is None


def test_so_are_files_that_wait_or_failed_and_those_that_are_ignored_are_not(known: Library, album: Path) -> None:
    (album / "broken.jpg").write_bytes(b"no photo at all")
    assert known.index(album).failed == 1
    assert ask(known, album) is None
    known.ignore_failures(album / "broken.jpg")
    assert ask(known, album) is not None


def test_so_is_an_index_that_is_not_there(known: Library, album: Path) -> None:
    stamp = known.settings.index_path / "current.json"
    content = stamp.read_text()
    stamp.write_text(content.replace('"complete": true', '"complete": false'))
    assert ask(known, album) is None
    stamp.write_text("{")
    assert ask(known, album) is None
    stamp.unlink()
    assert ask(known, album) is None


def test_one_that_is_to_stop_is_not_begun(known: Library, album: Path) -> None:
    assert ask(known, album, stop=True) is None
