"""Batches of photos to be captioned again: what they hold, who does them, and stopping them from elsewhere."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pytest
from sqlalchemy import update

from photoindex.catalogue import batches, jobs
from photoindex.catalogue.batches import Batch, Batches, BatchKind
from photoindex.catalogue.database import Database
from photoindex.catalogue.jobs import Priority
from photoindex.catalogue.schema import job
from photoindex.errors import BatchError
from photoindex.library import Library
from tests.support import NOW, REPOSITORY, FakeCaptioner, add_files, make_photo, names, run_thread

ON_BOTH = True

OpenLibrary = Callable[..., Library]
COLOURS = ("red", "green", "blue", "yellow", "white", "black")


@pytest.fixture
def indexed(open_library: OpenLibrary, album: Path) -> Path:
    """An album of twelve photos, two of each colour, captioned by the first model."""
    for number in range(2):
        for colour in COLOURS:
            make_photo(album / f"{colour}{number}.jpg", colour)
    library = open_library()
    library.index(album)
    library.close()
    return album


def newer(**options: object) -> FakeCaptioner:
    return FakeCaptioner("fake-2", shape="tile", **options)  # type: ignore[arg-type]


def only(library: Library) -> Batch:
    [batch] = library.batches.find(ended=True)
    return batch


def test_a_batch_counts_what_was_done_and_how_fast(open_library: OpenLibrary, indexed: Path) -> None:
    library = open_library(newer())
    told: list[tuple[int | None, int]] = []
    assert library.recaption(started=lambda *made: told.append(made)).captioned == 12
    batch = only(library)
    assert told == [(batch.id, 12)]
    assert (batch.kind, batch.state, batch.total, batch.done, batch.failed) == ("stale", "done", 12, 12, 0)
    assert batch.finished_at is not None
    assert batch.rate is not None
    assert batch.rate > 0
    assert library.batches.find() == []


def test_a_batch_with_nothing_to_do_is_none(open_library: OpenLibrary, indexed: Path) -> None:
    library = open_library()
    told: list[tuple[int | None, int]] = []
    library.recaption(started=lambda *made: told.append(made))
    assert told == [(None, 0)]
    assert library.batches.find(ended=True) == []


def test_only_photos_that_answer_a_query_are_done(open_library: OpenLibrary, indexed: Path) -> None:
    library = open_library(newer())
    assert library.recaption(everything=True, query="red").captioned == 2
    assert names(library.search("tile")) == ["red0.jpg", "red1.jpg"]
    assert (only(library).kind, only(library).query) == ("where", "red")
    assert library.recaption(query="red OR blue").captioned == 2  # the red ones are not stale now


def test_a_batch_that_is_paused_elsewhere_stops_within_a_few_photos_and_goes_on(
    open_library: OpenLibrary, indexed: Path, database: Database
) -> None:
    captioner = newer(batch_size=2)
    captioner.before = lambda: Batches(database).pause()
    library = open_library(captioner)
    assert library.recaption().captioned == 2
    batch = only(library)
    assert (batch.state, batch.done, batch.left) == ("paused", 2, 10)
    assert len(library.search("square")) == 10  # what is not replaced is found as before
    captioner.before = lambda: None
    assert library.work_off().captioned == 0
    assert library.batches.resume(batch.id) == [batch.id]
    assert only(library).state == "waiting"
    assert library.work_off().captioned == 10
    assert only(library).state == "done"
    assert len(captioner.captions) == 12


@pytest.mark.sqlite
def test_the_command_in_another_process_pauses_it(open_library: OpenLibrary, indexed: Path, data_dir: Path) -> None:
    command = [sys.executable, "-m", "photoindex", "--data-dir", str(data_dir), "jobs", "pause"]
    captioner = newer(batch_size=2, before=lambda: subprocess.run(command, cwd=REPOSITORY, check=True) and None)
    library = open_library(captioner)
    assert library.recaption().captioned == 2
    assert only(library).state == "paused"


def test_a_batch_that_is_cancelled_elsewhere_keeps_what_is_done_and_drops_the_rest(
    open_library: OpenLibrary, indexed: Path, database: Database
) -> None:
    captioner = newer(batch_size=2)
    captioner.before = lambda: Batches(database).cancel()
    library = open_library(captioner)
    assert library.recaption().captioned == 2
    assert (only(library).state, only(library).left) == ("cancelled", 0)
    assert len(library.search("tile")) == 2
    assert library.status().jobs["queued"] == 0
    captioner.before = lambda: None
    assert library.recaption().captioned == 10


def test_cancelling_leaves_the_work_that_a_changed_file_has_of_its_own(
    open_library: OpenLibrary, indexed: Path, database: Database
) -> None:
    library = open_library(newer(), settle_seconds=0.0)
    stop = threading.Event()
    stop.set()
    library.recaption(stop=stop)
    make_photo(indexed / "red0.jpg", "green", note="changed")
    library.index(indexed, stop=stop)  # stopped before it compares
    add_files(database, indexed, "red0.jpg")
    library.batches.cancel()
    with database.read() as connection:
        assert jobs.counts(connection)["queued"] == 1
    assert library.work_off().captioned == 1
    assert names(library.search("green")) == ["green0.jpg", "green1.jpg", "red0.jpg"]


def test_new_photos_go_before_a_batch_of_low_priority_and_after_one_of_high(database: Database, album: Path) -> None:
    add: dict[Priority, str] = {"low": "a.jpg", "high": "b.jpg"}
    ids = {priority: add_files(database, album, name)[0] for priority, name in add.items()}
    with database.write() as connection:
        for priority, file_id in ids.items():
            jobs.enqueue(connection, [file_id], NOW, priority=jobs.PRIORITIES[priority])
    [new] = add_files(database, album, "c.jpg")
    with database.write() as connection:
        claimed = jobs.claim(connection, "me:1:a", 64, NOW.replace(year=9000))
    assert [job.file_id for job in claimed] == [ids["high"], new, ids["low"]]


def test_a_new_photo_is_captioned_before_the_rest_of_a_low_batch(
    open_library: OpenLibrary, indexed: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "CLAIM", 2)
    captioner = newer(batch_size=2)

    def arrive() -> None:
        captioner.before = lambda: None
        make_photo(indexed / "new.jpg", "red", note="new")
        add_files(database, indexed, "new.jpg")

    captioner.before = arrive
    library = open_library(captioner)
    library.recaption()
    assert len(captioner.captions) == 13
    # Four of the batch were at hand when it came; it was claimed next, and captioned together with one more.
    [photo] = [library.show(indexed / "new.jpg")]
    assert photo is not None
    assert photo.caption is not None
    later = [library.show(path) for path in indexed.glob("*[01].jpg")]
    made = [shown.caption.created_at for shown in later if shown is not None and shown.caption is not None]
    assert sum(when > photo.caption.created_at for when in made) >= 12 - 4 - 1


def test_a_second_batch_leaves_what_the_first_is_to_do(open_library: OpenLibrary, indexed: Path) -> None:
    library = open_library(newer())
    stop = threading.Event()
    stop.set()
    library.recaption(everything=True, query="red", stop=stop)
    library.recaption(stop=stop)
    assert [batch.total for batch in library.batches.find()] == [2, 10]
    assert library.work_off().captioned == 12


def test_several_at_once_caption_each_photo_once(open_library: OpenLibrary, indexed: Path) -> None:
    captioners = [newer(batch_size=1) for _ in range(3)]
    threads = [run_thread(open_library(captioner).recaption) for captioner in captioners]
    for thread in threads:
        thread.join()
    library = open_library(newer())
    library.work_off()
    assert len(library.search("tile", None)) == 12
    assert sum(len(captioner.captions) for captioner in captioners) == 12


def test_a_photo_that_was_captioned_since_is_not_captioned_again(
    open_library: OpenLibrary, indexed: Path, database: Database
) -> None:
    library = open_library(newer())
    stop = threading.Event()
    stop.set()
    library.recaption(stop=stop)
    assert library.work_off().captioned == 12
    with database.write() as connection:
        jobs.enqueue(connection, library.outdated(everything=True), NOW, jobs.AGAIN)
        # As if they had waited since before the captions were made.
        connection.execute(update(job).values(queued_revision=0))
    tally = library.work_off()
    assert (tally.captioned, tally.recognised) == (0, 12)


@pytest.mark.parametrize(("kind", "captioned"), [("stale", 0), ("all", 12)])
def test_a_stale_file_that_came_to_hold_what_the_model_captioned_before_is_not_captioned(
    open_library: OpenLibrary, indexed: Path, database: Database, kind: BatchKind, captioned: int
) -> None:
    library = open_library(newer())
    library.recaption()
    files = library.outdated(everything=True)
    with database.write() as connection:
        batches.create(connection, kind, files, model="default", priority="low", now=datetime.now(timezone.utc))
    tally = library.work_off()
    assert (tally.captioned, tally.recognised) == (captioned, 12 - captioned)


def test_who_has_another_model_leaves_a_batch_alone(
    open_library: OpenLibrary, indexed: Path, tmp_path: Path, database: Database
) -> None:
    stop = threading.Event()
    stop.set()
    asked = open_library(newer(), model=str(tmp_path / "mine"))
    asked.recaption(stop=stop)
    other = open_library()
    assert other.work_off().done == 0
    with database.read() as connection:
        assert jobs.next_due(connection, "default") is None
        assert jobs.next_due(connection) is not None
    assert asked.work_off().captioned == 12


def test_a_watcher_that_waits_is_not_woken_by_a_batch_that_is_paused(
    open_library: OpenLibrary, indexed: Path, database: Database
) -> None:
    library = open_library(newer())
    stop = threading.Event()
    stop.set()
    library.recaption(stop=stop)
    library.batches.pause()
    with database.read() as connection:
        assert jobs.next_due(connection) is None
        assert jobs.count_due(connection, NOW.replace(year=9000)) == 0


def test_failures_are_tried_again_as_a_batch_and_go_back_to_the_ledger(
    open_library: OpenLibrary, indexed: Path
) -> None:
    (indexed / "bad.jpg").write_text("no photo")
    library = open_library()
    library.index(indexed)
    stop = threading.Event()
    stop.set()
    library.recaption(failed=True, stop=stop)
    assert (only(library).kind, only(library).left) == ("failed", 1)
    library.batches.cancel()
    assert [failure.state for failure in library.failures()] == ["failed"]
    assert library.recaption(failed=True).failed == 1
    assert [(batch.state, batch.failed) for batch in library.batches.find(ended=True)] == [
        ("cancelled", 0),
        ("done", 1),
    ]


def test_a_plan_counts_and_measures_without_changing_anything(open_library: OpenLibrary, indexed: Path) -> None:
    captioner = newer()
    library = open_library(captioner)
    plan = library.plan_recaption()
    assert (plan.photos, plan.by_model, plan.rate_from) == (12, {"fake-1": 12}, "a trial of 12")
    assert plan.seconds is not None
    assert plan.seconds > 0
    assert len(library.search("square", None)) == 12
    assert library.batches.find(ended=True) == []
    library.recaption()
    again = library.plan_recaption(everything=True, query="red")
    assert (again.photos, again.by_model, again.rate_from) == (2, {"fake-2": 2}, f"batch {only(library).id}")


def test_a_plan_for_nothing_has_no_rate(open_library: OpenLibrary, indexed: Path) -> None:
    plan = open_library().plan_recaption()
    assert (plan.photos, plan.rate, plan.seconds) == (0, None, None)


def test_a_batch_that_is_not_there_or_has_ended_is_said(open_library: OpenLibrary, indexed: Path) -> None:
    library = open_library(newer())
    with pytest.raises(BatchError, match="no batch 7"):
        library.batches.pause(7)
    library.recaption()
    with pytest.raises(BatchError, match="has ended: it is done"):
        library.batches.resume(only(library).id)
    assert library.batches.pause() == []
