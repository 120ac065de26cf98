"""Two workers at one queue, of which one is held up for longer than its lease: one result of each photo is stored."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import func, select

from photoindex.catalogue import files, jobs
from photoindex.catalogue.database import Database
from photoindex.catalogue.jobs import LEASE, Job
from photoindex.catalogue.roots import ensure_root
from photoindex.catalogue.schema import caption, job
from photoindex.catalogue.sqlite_database import SqliteDatabase
from photoindex.config import Settings
from photoindex.indexing import intake
from photoindex.indexing.hashing import HashedJob, hash_job
from photoindex.indexing.pipeline import Pipeline
from photoindex.library import Library
from photoindex.search import FullText
from photoindex.system.clock import utc_now
from photoindex.types import FileStat, ScannedFile
from tests.support import REPOSITORY, FakeCaptioner, make_photo, mark_missing, run_thread

OpenLibrary = Callable[..., Library]
PATIENCE = 120

# A worker in a process of its own, whose clock is said to be later than it is: other workers' leases have run out.
WORKER = """
import sys
from datetime import timedelta
from pathlib import Path

from photoindex.catalogue.opening import open_database
from photoindex.config import Settings
from photoindex.indexing.pipeline import Pipeline
from photoindex.search import FullText
from photoindex.system.clock import utc_now
from photoindex.types import FileStat, ScannedFile
from tests.support import FakeCaptioner

settings = Settings(Path(sys.argv[1]), settle_seconds=0.0, backup_days=0.0)
database = open_database(settings.catalogue_path)
ahead = timedelta(seconds=float(sys.argv[2]))
pipeline = Pipeline(
    database, FullText.open(settings.index_path), settings, lambda _: FakeCaptioner(shape=sys.argv[3]),
    now=lambda: utc_now() + ahead,
)
print(pipeline.run().captioned)
pipeline.close()
database.close()
"""


def elsewhere(data_dir: Path, ahead: timedelta, shape: str = "tile") -> int:
    """Have a worker in another process do what it may claim; returns how many photos it captioned."""
    done = subprocess.run(
        [sys.executable, "-c", WORKER, str(data_dir), str(ahead.total_seconds()), shape],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=PATIENCE, check=True,
    )  # fmt: skip
    return int(done.stdout)


def texts(database: Database) -> list[tuple[str, bool]]:
    """The best captions of all models, with whether each is the present one."""
    with database.read() as connection:
        query = select(caption.c.text, caption.c.current).where(caption.c.rank == 0).order_by(caption.c.text)
        return [(row.text, row.current) for row in connection.execute(query)]


def test_a_result_that_comes_after_another_workers_is_dropped(
    open_library: OpenLibrary, album: Path, database: SqliteDatabase
) -> None:
    for colour in ("red", "green", "blue"):
        make_photo(album / f"{colour}.jpg", colour)
    data_dir = database.path.parent

    def held_up() -> None:
        assert elsewhere(data_dir, LEASE + timedelta(seconds=60)) == 3

    library = open_library(FakeCaptioner(before=held_up))
    report = library.index(album)
    assert report.captioned == 0
    assert texts(database) == [(f"a {colour} tile", True) for colour in ("blue", "green", "red")]
    assert library.status().jobs["queued"] == 0


def test_a_batch_counts_each_photo_once(open_library: OpenLibrary, album: Path, database: SqliteDatabase) -> None:
    for colour in ("red", "green"):
        make_photo(album / f"{colour}.jpg", colour)
    open_library().index(album)
    data_dir = database.path.parent
    late = iter([lambda: elsewhere(data_dir, LEASE + timedelta(seconds=60))])
    library = open_library(FakeCaptioner(shape="tile", before=lambda: next(late, lambda: 0)()))
    library.recaption(everything=True)
    [batch] = library.batches.find(ended=True)
    assert (batch.total, batch.done, batch.state) == (2, 2, "done")
    assert sorted(text for text, current in texts(database) if current) == ["a green tile", "a red tile"]
    assert len(texts(database)) == 4  # one of each photo is history


def test_a_result_whose_job_another_worker_has_not_done_yet_is_dropped_too(
    data_dir: Path, album: Path, database: Database
) -> None:
    """Two workers of one process, so that it is not the owner's name that tells them apart."""
    path = make_photo(album / "a.jpg")
    settings = Settings(data_dir, settle_seconds=0.0, backup_days=0.0)
    with database.write() as connection:
        ensure_root(connection, album)
        files.record_files(connection, [ScannedFile(path, FileStat.of(path.stat()))])
    first_may_go, second_holds_it = threading.Event(), threading.Event()

    def second() -> None:
        second_holds_it.set()
        assert first_may_go.wait(PATIENCE)

    def worker(shape: str, before: Callable[[], object], ahead: timedelta) -> Pipeline:
        now: Callable[[], datetime] = lambda: utc_now() + ahead  # noqa: E731
        captioner = FakeCaptioner(shape=shape, before=before)
        text = exits.enter_context(closing(FullText.open(settings.index_path)))
        pipeline = Pipeline(database, text, settings, lambda _: captioner, now=now)
        return exits.enter_context(closing(pipeline))

    def first() -> None:
        other = worker("tile", second, LEASE + timedelta(seconds=60))
        threads.append(run_thread(other.run))
        assert second_holds_it.wait(PATIENCE)

    threads: list[threading.Thread] = []
    with ExitStack() as exits:
        tally = worker("square", first, timedelta(0)).run()
        assert tally.captioned == 0
        assert texts(database) == []  # the second has it, and will say
        first_may_go.set()
        threads[0].join(PATIENCE)
        assert texts(database) == [("a red tile", True)]


def test_a_caption_of_a_file_that_went_meanwhile_stays_with_its_content(
    open_library: OpenLibrary, album: Path, database: Database
) -> None:
    path = make_photo(album / "a.jpg")

    def remove() -> None:
        path.rename(album.parent / "a.jpg")
        with database.write() as connection:
            mark_missing(connection, [path])

    library = open_library(FakeCaptioner(before=remove))
    library.index(album)
    assert library.search("red") == []  # the file is gone, and is not taken for present again
    captioner = FakeCaptioner(shape="tile")
    (album.parent / "a.jpg").rename(path)
    assert open_library(captioner).index(album).captioned == 0
    assert texts(database) == [("a red square", True)]
    assert captioner.captions == []


def test_a_file_that_another_process_saw_change_meanwhile_is_done_again(
    open_library: OpenLibrary, album: Path, database: Database
) -> None:
    """The change was heard of while the job ran, so that no other job waits for it."""
    path = make_photo(album / "a.jpg")
    changes = iter(["blue"])

    def change() -> None:
        for colour in changes:
            make_photo(path, colour)
            with database.write() as connection:
                files.record_files(connection, [ScannedFile(path, FileStat.of(path.stat()))])

    library = open_library(FakeCaptioner(before=change))
    assert library.index(album).captioned == 1
    assert sorted(texts(database)) == [("a blue square", True), ("a red square", True)]
    [hit] = library.search("square")
    assert (hit.path, hit.caption) == (path, "a blue square")


def test_a_file_of_known_content_that_changes_while_it_is_hashed_is_done_again(
    open_library: OpenLibrary, album: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = open_library()
    make_photo(album / "a.jpg")
    library.index(album)
    copy = album / "copy.jpg"
    copy.write_bytes((album / "a.jpg").read_bytes())
    changes = iter(["blue"])

    def change_afterwards(job: Job) -> HashedJob:
        hashed = hash_job(job)
        for colour in changes:
            make_photo(copy, colour)
            with database.write() as connection:
                files.record_files(connection, [ScannedFile(copy, FileStat.of(copy.stat()))])
        return hashed

    monkeypatch.setattr(intake, "hash_job", change_afterwards)
    library.index(album)
    photo = library.show(copy)
    assert photo is not None
    assert photo.caption is not None
    assert photo.caption.text == "a blue square"


def test_leases_are_renewed_while_files_are_hashed_and_the_model_is_loaded(
    album: Path, database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file takes a third of a lease, and the model half of one: another worker that looks finds none to take."""
    clock, lease, taken = [0.0], LEASE.total_seconds(), []
    start = utc_now() + timedelta(seconds=1)  # the jobs are due

    def pass_by(share: float) -> None:
        clock[0] += share * lease

    def look() -> None:
        with database.write() as connection:
            taken.append(jobs.take_back_dead(connection, start + timedelta(seconds=clock[0])))

    def slowly(job: Job) -> HashedJob:
        pass_by(1 / 3)
        look()
        return hash_job(job)

    def load(settings: Settings) -> FakeCaptioner:
        pass_by(0.5)
        look()
        return FakeCaptioner()

    class OneByOne:
        """Reads a file when it is asked for: two that are read side by side would make this clock too fast."""

        def __init__(self, *_: object, **__: object) -> None:
            self.map = map

        def __enter__(self) -> OneByOne:
            return self

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(intake, "hash_job", slowly)
    monkeypatch.setattr(intake, "ThreadPoolExecutor", OneByOne)
    monkeypatch.setattr("photoindex.indexing.claiming.time", SimpleNamespace(monotonic=lambda: clock[0]))
    paths = [make_photo(album / f"{number}.jpg", note=str(number)) for number in range(6)]
    with database.write() as connection:
        ensure_root(connection, album)
        files.record_files(connection, [ScannedFile(path, FileStat.of(path.stat())) for path in paths])
    settings = Settings(database.path.parent, settle_seconds=0.0, backup_days=0.0, read_text="never")
    now: Callable[[], datetime] = lambda: start + timedelta(seconds=clock[0])  # noqa: E731
    with (
        closing(FullText.open(settings.index_path)) as text,
        closing(Pipeline(database, text, settings, load, now=now)) as pipeline,
    ):
        assert pipeline.run().captioned == 6
    assert taken == [0] * 7


@pytest.mark.parametrize("ahead", [timedelta(hours=2), timedelta(days=365)])
def test_captioning_again_goes_by_the_batch_and_not_by_the_clock(
    open_library: OpenLibrary, album: Path, database: Database, ahead: timedelta
) -> None:
    """The captions that are there were made by a clock that was ahead."""
    for colour in ("red", "green"):
        make_photo(album / f"{colour}.jpg", colour)
    open_library().index(album)
    with database.write() as connection:
        for row in connection.execute(select(caption.c.id, caption.c.created_at)).all():
            moved = caption.update().where(caption.c.id == row.id).values(created_at=row.created_at + ahead)
            connection.execute(moved)
    assert open_library(FakeCaptioner(shape="tile")).recaption(everything=True).captioned == 2
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(job)).scalar() == 0
