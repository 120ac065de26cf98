"""Workers: they do what is queued, wherever, and judge no folder; other nodes find what they stored."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from photoindex.catalogue import migration
from photoindex.catalogue.schema import file, job
from photoindex.config import Settings
from photoindex.errors import CatalogueOutdated, FolderError
from photoindex.library import Library
from photoindex.types import Tally
from tests.support import FakeCaptioner, make_photo, names, run_thread

ON_BOTH = True
OpenLibrary = Callable[..., Library]
PATIENCE = 60


@pytest.fixture
def node(tmp_path: Path, catalogue: str) -> Iterator[Callable[[str], Library]]:
    """Opens the shared catalogue with a data folder of its own, as another machine does."""
    opened: list[Library] = []

    def open_one(name: str) -> Library:
        settings = Settings(
            tmp_path / (name if catalogue else "data"), catalogue=catalogue, settle_seconds=0.0, backup_days=0.0
        )
        opened.append(Library(settings, lambda _: FakeCaptioner()))
        return opened[-1]

    yield open_one
    for library in opened:
        library.close()


def work(library: Library, photos: int) -> Tally:
    """Run a worker until it has captioned so many photos."""
    stop, done = threading.Event(), Tally()

    def worked(tally: Tally) -> None:
        done.captioned += tally.captioned
        if done.captioned >= photos:
            stop.set()

    thread = run_thread(lambda: library.work_until(stop, worked=worked))
    thread.join(PATIENCE)
    stop.set()
    return done


def test_what_one_queues_another_captions_and_a_third_finds(
    node: Callable[[str], Library], library: Library, album: Path
) -> None:
    for colour in ("red", "green"):
        make_photo(album / f"{colour}.jpg", colour)
    report = library.index(album, queue_only=True)
    assert (report.seen, report.captioned) == (2, 0)
    assert library.status().jobs["queued"] == 2
    assert work(node("worker"), 2).captioned == 2
    assert names(node("search").search("square")) == ["green.jpg", "red.jpg"]


def test_a_node_finds_what_was_stored_after_it_had_searched(
    node: Callable[[str], Library], library: Library, album: Path
) -> None:
    make_photo(album / "red.jpg", "red")
    library.index(album)
    other = node("search")
    assert names(other.search("square")) == ["red.jpg"]
    make_photo(album / "green.jpg", "green")
    library.index(album)
    assert names(other.search("green")) == ["green.jpg"]
    (album / "red.jpg").unlink()
    library.index(album)
    assert names(other.search("square")) == ["green.jpg"]


def test_a_file_that_this_machine_does_not_see_is_left_to_others(
    node: Callable[[str], Library], library: Library, album: Path, catalogue: str
) -> None:
    if not catalogue:
        pytest.skip("one machine alone judges its folders")
    make_photo(album / "kept.jpg")
    gone = make_photo(album / "gone.jpg", "green")
    library.index(album, queue_only=True)
    gone.unlink()
    worker = node("worker")
    assert work(worker, 1).captioned == 1
    with worker.database.read() as connection:
        rows = connection.execute(select(file.c.missing_since, job.c.state).join_from(job, file)).all()
    assert [tuple(row) for row in rows] == [(None, "queued")]


def test_no_jobs_are_taken_of_a_folder_that_is_not_here(
    node: Callable[[str], Library], library: Library, album: Path, tmp_path: Path
) -> None:
    away = tmp_path / "away"
    make_photo(away / "a.jpg", "red")
    make_photo(album / "b.jpg", "green")
    library.index(album, away, queue_only=True)
    away.rename(tmp_path / "elsewhere")
    worker = node("worker")
    assert work(worker, 1).captioned == 1
    with worker.database.read() as connection:
        assert [tuple(row) for row in connection.execute(select(job.c.state, job.c.attempts))] == [("queued", 0)]


def test_a_folder_is_compared_by_one_process_at_a_time(
    node: Callable[[str], Library], library: Library, album: Path, catalogue: str
) -> None:
    if not catalogue:
        pytest.skip("a catalogue of one machine leaves that to the files of its watches")
    make_photo(album / "2024" / "a.jpg")
    library.index(album)
    make_photo(album / "2024" / "b.jpg", "green")
    other = node("other")
    with library.database.sole_comparer([album]), pytest.raises(FolderError, match="compared by another process"):
        other.index(album / "2024")
    assert other.index(album / "2024").captioned == 1


def test_a_worker_ends_when_the_catalogue_is_upgraded(
    node: Callable[[str], Library], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = node("worker")
    monkeypatch.setattr(migration, "HEAD", "9999")
    with pytest.raises(CatalogueOutdated, match="9999"):
        worker.work_until(threading.Event())
