"""The queue that outlives its workers: leases, dead owners, tries, and the failure ledger."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from photoindex.catalogue import files
from photoindex.catalogue import jobs as jobqueue
from photoindex.catalogue.chunks import CHUNK
from photoindex.catalogue.database import Database
from photoindex.catalogue.jobs import (
    BACKOFF,
    CLAIM,
    LEASE,
    LONE_TRIES,
    LONGEST_WAIT,
    MAX_ATTEMPTS,
    MAX_INTERRUPTIONS,
    Job,
)
from photoindex.catalogue.opening import open_database
from photoindex.errors import DamagedPhoto, MissingPlugin, PhotoError, UnreadablePhoto
from photoindex.types import Failure
from tests.support import NOW, add_files, add_photo, mark_missing, run_thread, scanned

ON_BOTH = True  # a test marked sqlite needs a dead process of this machine to be known, or numbers that come again

LATER = NOW + timedelta(days=1)
ELSEWHERE = "another-machine:1:aa"


@pytest.fixture
def dead_owner() -> str:
    """A worker of this machine that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return f"{socket.gethostname()}:{process.pid}:aa"


@pytest.fixture
def file_id(database: Database, album: Path) -> int:
    """One file, whose job is due at NOW."""
    return queue(database, album, "a.jpg")[0]


def queue(database: Database, album: Path, *names: str, kind: str = jobqueue.KIND) -> list[int]:
    ids = add_files(database, album, *names)
    with database.write() as connection:
        jobqueue.enqueue(connection, ids, NOW, kind)
    return ids


def claim(database: Database, owner: str = "me:1:aa", limit: int = 100, now: datetime = NOW) -> list[Job]:
    with database.write(exclusive=False) as connection:
        return jobqueue.claim(connection, owner, limit, now)


def begin(database: Database, owner: str = "me:1:aa", limit: int = CLAIM, now: datetime = NOW) -> list[Job]:
    """Claim jobs and start to work on them."""
    jobs = claim(database, owner, limit, now)
    with database.write() as connection:
        jobqueue.begin(connection, jobs)
    return jobs


def finish(database: Database, jobs: Sequence[Job]) -> None:
    with database.write() as connection:
        for job in jobs:
            jobqueue.finish(connection, [job])


def fail(database: Database, error: PhotoError, now: datetime = NOW, *, may_be_last: bool = True) -> bool:
    """Claim the one job there is and fail it."""
    [job] = claim(database, now=now)
    with database.write() as connection:
        return jobqueue.fail(connection, job, error, now, may_be_last=may_be_last)


def take_back(database: Database, now: datetime = NOW) -> int:
    with database.write() as connection:
        return jobqueue.take_back_dead(connection, now)


def counts(database: Database) -> dict[str, int]:
    with database.read() as connection:
        return {state: number for state, number in jobqueue.counts(connection).items() if number}


def failures(database: Database, *, include_ignored: bool = False) -> list[Failure]:
    with database.read() as connection:
        return jobqueue.failures(connection, include_ignored=include_ignored)


def test_a_claimed_job_says_what_to_read_and_belongs_to_its_claimer(database: Database, album: Path) -> None:
    [file_id] = queue(database, album, "sub/a.jpg")
    [job] = claim(database)
    assert (job.file_id, job.path, job.root, job.attempts) == (file_id, album / "sub" / "a.jpg", album, 1)
    assert job.stat == scanned(job.path).stat
    assert not job.again
    assert claim(database, "you:2:bb") == []
    assert counts(database) == {"running": 1}


def test_jobs_are_claimed_oldest_first_and_no_more_than_asked_for(database: Database, album: Path) -> None:
    queue(database, album, "b.jpg", "c.jpg")
    [late] = add_files(database, album, "a.jpg")
    with database.write() as connection:
        jobqueue.enqueue(connection, [late], NOW + timedelta(minutes=1))
    assert [job.path.name for job in claim(database, limit=1, now=LATER)] == ["b.jpg"]
    assert [job.path.name for job in claim(database, now=LATER)] == ["c.jpg", "a.jpg"]


def test_a_job_is_not_claimed_before_its_time(database: Database, file_id: int) -> None:
    assert claim(database, now=NOW - timedelta(seconds=1)) == []
    with database.read() as connection:
        assert jobqueue.count_due(connection, NOW - timedelta(seconds=1)) == 0
        assert jobqueue.count_due(connection, NOW) == 1
        assert jobqueue.next_due(connection) == NOW


def test_claimers_at_the_same_time_never_get_the_same_job(database: Database, album: Path, catalogue: str) -> None:
    ids = queue(database, album, *(f"{number}.jpg" for number in range(60)))
    taken: dict[str, list[int]] = {f"worker:{number}:aa": [] for number in range(4)}
    start = threading.Barrier(len(taken))

    def work(owner: str) -> None:
        with closing(open_database(database.path or catalogue)) as own:
            start.wait()
            while jobs := claim(own, owner, limit=3):
                taken[owner] += [job.file_id for job in jobs]

    threads = [run_thread(lambda owner=owner: work(owner)) for owner in taken]  # type: ignore[misc]
    for thread in threads:
        thread.join(60)
    assert sorted(file_id for mine in taken.values() for file_id in mine) == sorted(ids)


def test_a_lease_that_ran_out_can_be_claimed_by_another(database: Database, file_id: int) -> None:
    begin(database, ELSEWHERE)
    assert claim(database, now=NOW + LEASE) == []
    [job] = claim(database, now=NOW + LEASE + timedelta(seconds=1))
    assert (job.file_id, job.attempts) == (file_id, 2)


def test_a_renewed_lease_runs_on(database: Database, file_id: int) -> None:
    claimed = claim(database, ELSEWHERE)
    with database.write() as connection:
        jobqueue.renew(connection, claimed, NOW + LEASE)
    assert claim(database, now=NOW + LEASE + timedelta(seconds=1)) == []


@pytest.mark.sqlite
def test_the_jobs_of_a_dead_process_are_taken_back_at_once(database: Database, file_id: int, dead_owner: str) -> None:
    begin(database, dead_owner)
    assert take_back(database) == 1
    [job] = claim(database)
    assert (job.file_id, job.attempts) == (file_id, 2)


def test_the_jobs_of_the_living_and_of_other_machines_are_left_alone(database: Database, album: Path) -> None:
    queue(database, album, "a.jpg", "b.jpg", "c.jpg")
    for owner in (jobqueue.owner_name(), f"{socket.gethostname()}:{os.getppid()}:aa", ELSEWHERE):
        assert len(claim(database, owner, limit=1)) == 1
    assert take_back(database) == 0
    assert counts(database) == {"running": 3}


@pytest.mark.sqlite
def test_an_earlier_process_with_our_own_id_counts_as_dead(database: Database, file_id: int) -> None:
    claim(database, f"{socket.gethostname()}:{os.getpid()}:00000000")
    assert take_back(database) == 1


@pytest.mark.sqlite
def test_a_job_that_was_only_claimed_is_never_blamed(database: Database, file_id: int, dead_owner: str) -> None:
    for _ in range(2 * MAX_INTERRUPTIONS):
        [job] = claim(database, dead_owner)
        assert job.attempts == 1
        take_back(database)
    assert counts(database) == {"queued": 1}


@pytest.mark.sqlite
def test_of_a_batch_whose_worker_dies_every_time_only_the_culprit_fails(
    database: Database, album: Path, dead_owner: str
) -> None:
    """However many files it was begun with, and whatever else is waiting."""
    names = [f"{number:03}.jpg" for number in range(3 * CLAIM)]
    queue(database, album, *names)
    done: list[str] = []
    deaths = 0
    while jobs := begin(database, dead_owner, now=LATER):
        if "077.jpg" in [job.path.name for job in jobs]:
            deaths += 1
            back = take_back(database, NOW + timedelta(minutes=deaths))
            assert back == (len(jobs) if deaths < MAX_INTERRUPTIONS else 0)
        else:
            finish(database, jobs)
            done += [job.path.name for job in jobs]
    assert done[CLAIM : 2 * CLAIM] == names[2 * CLAIM :]  # what nobody suspects does not wait for those that are
    assert sorted(done) == [name for name in names if name != "077.jpg"]
    assert deaths == MAX_INTERRUPTIONS
    [failure] = failures(database)
    assert (failure.path.name, failure.kind, failure.state) == ("077.jpg", "interrupted", "failed")
    assert f"{LONE_TRIES} times" in failure.message


@pytest.mark.parametrize("way", ["finish", "release", "fail"])
@pytest.mark.sqlite
def test_a_job_that_went_with_its_file_leaves_the_next_of_its_number_alone(
    database: Database, album: Path, way: str
) -> None:
    queue(database, album, "gone.jpg")
    [gone] = claim(database)
    with database.write() as connection:
        mark_missing(connection, [gone.path])
    queue(database, album, "new.jpg")
    with database.write() as connection:
        [new] = jobqueue.claim(connection, "me:1:aa", CLAIM, NOW)
        assert (new.id, new.path.name) == (gone.id, "new.jpg")
        if way == "finish":
            jobqueue.finish(connection, [gone])
        elif way == "release":
            jobqueue.release(connection, [gone], NOW)
        else:
            jobqueue.fail(connection, gone, DamagedPhoto("gone.jpg is damaged"), NOW)
        assert jobqueue.counts(connection)["running"] == 1
        jobqueue.finish(connection, [new])
        assert sum(jobqueue.counts(connection).values()) == 0


@pytest.mark.sqlite
def test_suspects_are_not_given_to_a_worker_with_others_at_hand(
    database: Database, album: Path, dead_owner: str
) -> None:
    queue(database, album, "suspect.jpg")
    begin(database, dead_owner)
    queue(database, album, "new.jpg")
    with database.write() as connection:
        jobqueue.take_back_dead(connection, NOW)
        assert jobqueue.claim(connection, "me:1:aa", CLAIM, NOW, untried=True) == []
        [first] = jobqueue.claim(connection, "me:1:aa", CLAIM, NOW)
        [second] = jobqueue.claim(connection, "me:1:aa", CLAIM, NOW, untried=True)
    assert (first.path.name, first.attempts) == ("suspect.jpg", 2)
    assert (second.path.name, second.attempts) == ("new.jpg", 1)


@pytest.mark.sqlite
def test_a_file_that_is_alone_when_its_worker_dies_has_more_tries(
    database: Database, file_id: int, dead_owner: str
) -> None:
    """A power cut may hit any file once, but not the same one alone again and again."""
    for _ in range(MAX_INTERRUPTIONS - 1):
        assert len(begin(database, dead_owner)) == 1
        take_back(database)
    assert counts(database) == {"queued": 1}
    finish(database, begin(database))
    assert counts(database) == {}


def test_a_file_whose_leases_run_out_again_and_again_fails(database: Database, file_id: int) -> None:
    now = NOW
    for _ in range(MAX_INTERRUPTIONS):
        assert len(begin(database, ELSEWHERE, now=now)) == 1
        now += LEASE + timedelta(seconds=1)
    assert claim(database, now=now) == []
    assert [failure.kind for failure in failures(database)] == ["interrupted"]


def test_a_job_that_is_begun_and_released_or_fails_counts_one_try(database: Database, file_id: int) -> None:
    for _ in range(2):
        [job] = begin(database)
        assert job.attempts == 1
        with database.write() as connection:
            jobqueue.release(connection, [job], NOW)
    [job] = begin(database)
    with database.write() as connection:
        jobqueue.fail(connection, job, UnreadablePhoto("asleep"), NOW)
    assert [failure.attempts for failure in failures(database)] == [1]
    [job] = claim(database, now=LATER)
    assert job.attempts == 2


def test_a_released_job_has_not_been_tried(database: Database, file_id: int) -> None:
    for _ in range(MAX_ATTEMPTS + 1):
        [job] = claim(database)
        assert job.attempts == 1
        with database.write() as connection:
            jobqueue.release(connection, [job], NOW)
    assert counts(database) == {"queued": 1}


def test_a_job_may_be_released_until_later(database: Database, file_id: int) -> None:
    [job] = claim(database)
    later = NOW + LONGEST_WAIT
    with database.write() as connection:
        jobqueue.release(connection, [job], later)
    assert claim(database) == []
    assert len(claim(database, now=later)) == 1


def test_a_finished_job_is_gone(database: Database, file_id: int) -> None:
    [job] = claim(database)
    with database.write() as connection:
        jobqueue.finish(connection, [job])
    assert counts(database) == {}


def test_a_failure_that_may_pass_is_tried_again_later_and_later_and_then_kept(database: Database, album: Path) -> None:
    queue(database, album, "a.jpg")
    now, waits = NOW, []
    while fail(database, UnreadablePhoto("the disk sleeps"), now):
        [failure] = failures(database)
        assert failure.state == "retrying"
        assert failure.next_try_at is not None
        assert claim(database, now=failure.next_try_at - timedelta(seconds=1)) == []
        waits.append(failure.next_try_at - now)
        now = failure.next_try_at
    assert tuple(waits) == BACKOFF
    [failure] = failures(database)
    assert (failure.state, failure.attempts, failure.next_try_at) == ("failed", MAX_ATTEMPTS, None)
    assert claim(database, now=now + timedelta(days=999)) == []


def test_for_want_of_a_plugin_other_machines_try(database: Database, file_id: int, catalogue: str) -> None:
    now, tries = NOW, 1
    while fail(database, MissingPlugin("no plugin"), now):
        [failure] = failures(database)
        assert failure.state == "retrying"
        now, tries = failure.next_try_at or now, tries + 1
    assert tries == (jobqueue.MAX_ATTEMPTS if catalogue else 1)
    assert [failure.state for failure in failures(database)] == ["failed"]


def test_what_others_may_read_is_tried_without_end(database: Database, file_id: int) -> None:
    now = NOW
    for _ in range(2 * jobqueue.MAX_INTERRUPTIONS):
        assert fail(database, UnreadablePhoto("no permission"), now, may_be_last=False)
        [failure] = failures(database)
        assert failure.state == "retrying"
        assert failure.next_try_at is not None
        assert failure.next_try_at - now <= jobqueue.BACKOFF[-1]
        now = failure.next_try_at
    assert not fail(database, DamagedPhoto("damaged"), now, may_be_last=False)


def test_a_damaged_photo_is_not_tried_again(database: Database, album: Path, file_id: int) -> None:
    assert not fail(database, DamagedPhoto("a.jpg is truncated; copy it again"))
    assert failures(database) == [
        Failure(album / "a.jpg", "damaged", "a.jpg is truncated; copy it again", 1, "failed", None)
    ]
    assert claim(database, now=LATER) == []
    assert counts(database) == {"failed": 1}


def test_a_message_with_a_name_that_is_no_text_can_be_kept(database: Database, file_id: int) -> None:
    fail(database, DamagedPhoto("gr\udcfcn.jpg is damaged"))
    assert failures(database)[0].message == r"gr\udcfcn.jpg is damaged"


def test_failures_are_listed_by_path_and_only_when_there_are_any(database: Database, album: Path) -> None:
    queue(database, album, "b.jpg", "a.jpg", "fine.jpg")
    jobs = claim(database)
    with database.write() as connection:
        for job in jobs[:2]:
            jobqueue.fail(connection, job, DamagedPhoto("damaged"), NOW)
    assert [failure.path.name for failure in failures(database)] == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize("named", [True, False])
def test_a_failed_file_can_be_queued_again(database: Database, file_id: int, named: bool) -> None:
    fail(database, DamagedPhoto("damaged"))
    with database.write() as connection:
        assert jobqueue.retry_failures(connection, [file_id + 1], NOW) == 0
        assert jobqueue.retry_failures(connection, [file_id] if named else None, NOW) == 1
    assert counts(database) == {"retrying": 1}
    [job] = claim(database)
    assert job.attempts == 1


def test_a_retry_does_not_wait_for_the_time_of_the_next_try(database: Database, file_id: int) -> None:
    fail(database, UnreadablePhoto("asleep"))
    assert claim(database) == []
    with database.write() as connection:
        assert jobqueue.retry_failures(connection, None, NOW) == 1
    assert len(claim(database)) == 1


def test_a_retry_leaves_alone_what_did_not_fail(database: Database, file_id: int) -> None:
    claim(database)
    with database.write() as connection:
        assert jobqueue.retry_failures(connection, None, NOW) == 0
        assert jobqueue.ignore_failures(connection, [file_id]) == 0
    assert counts(database) == {"running": 1}


def test_an_ignored_failure_is_not_reported_nor_tried(database: Database, file_id: int) -> None:
    fail(database, DamagedPhoto("damaged"))
    with database.write() as connection:
        assert jobqueue.ignore_failures(connection, [file_id]) == 1
    assert failures(database) == []
    assert [failure.state for failure in failures(database, include_ignored=True)] == ["ignored"]
    with database.write() as connection:
        assert jobqueue.retry_failures(connection, None, LATER) == 0
    assert claim(database, now=LATER) == []


def test_an_ignored_failure_that_is_named_is_tried_again(database: Database, file_id: int) -> None:
    fail(database, DamagedPhoto("damaged"))
    with database.write() as connection:
        jobqueue.ignore_failures(connection, [file_id])
        assert jobqueue.retry_failures(connection, [file_id], LATER) == 1
    assert len(claim(database, now=LATER)) == 1


def record(database: Database, paths: Sequence[Path], mtime_ns: int = 1) -> int:
    with database.write() as connection:
        return files.record_files(connection, [scanned(path, mtime_ns=mtime_ns) for path in paths])


@pytest.mark.parametrize("ignored", [True, False])
def test_a_failed_file_starts_again_when_it_changes_and_not_before(
    database: Database, album: Path, file_id: int, ignored: bool
) -> None:
    fail(database, DamagedPhoto("damaged"))
    if ignored:
        with database.write() as connection:
            jobqueue.ignore_failures(connection, [file_id])
    assert record(database, [album / "a.jpg"]) == 0
    assert claim(database, now=datetime.max.replace(tzinfo=NOW.tzinfo)) == []
    assert record(database, [album / "a.jpg"], mtime_ns=2) == 1
    assert counts(database) == {"queued": 1}
    assert failures(database, include_ignored=True) == []


def test_an_unreadable_file_is_tried_again_when_anything_is_heard_of_it(
    database: Database, album: Path, file_id: int
) -> None:
    """A change of permissions leaves size and times as they were."""
    for attempt in range(MAX_ATTEMPTS):
        fail(database, UnreadablePhoto("no permission"), NOW + attempt * timedelta(days=1))
    assert counts(database) == {"failed": 1}
    assert record(database, [album / "a.jpg"]) == 1


def test_queueing_twice_makes_one_job(database: Database, album: Path, file_id: int) -> None:
    queue(database, album, "a.jpg")
    assert counts(database) == {"queued": 1}


def test_queueing_a_running_job_leaves_it_to_its_owner(database: Database, album: Path, file_id: int) -> None:
    claim(database)
    queue(database, album, "a.jpg")
    assert counts(database) == {"running": 1}


def test_a_job_to_caption_again_says_so(database: Database, album: Path) -> None:
    add_files(database, album, "a.jpg")
    add_photo(database, album / "a.jpg")
    queue(database, album, "a.jpg", kind=jobqueue.AGAIN)
    [job] = claim(database)
    assert job.again


def test_more_jobs_than_fit_one_statement_can_be_queued_and_released(database: Database, album: Path) -> None:
    count = CHUNK + 1
    ids = queue(database, album, *(f"{number}.jpg" for number in range(count)))
    jobs = claim(database, limit=count)
    assert len(jobs) == len(ids) == count
    with database.write() as connection:
        jobqueue.release(connection, jobs, NOW)
    assert counts(database) == {"queued": count}


def leases(database: Database, claimed: Sequence[Job]) -> jobqueue.Sorted:
    with database.write() as connection:
        return jobqueue.sort_out(connection, claimed)


@pytest.mark.parametrize("next_owner", ["me:1:aa", ELSEWHERE], ids=["the same process", "another machine"])
def test_a_job_that_was_claimed_again_is_the_last_claimers(database: Database, album: Path, next_owner: str) -> None:
    queue(database, album, "a.jpg", "b.jpg")
    first = begin(database)
    assert leases(database, first).own == set(first)
    late = NOW + LEASE + timedelta(seconds=1)
    second = begin(database, next_owner, 1, late)
    assert len(second) == 1
    lost = [job for job in first if job.file_id == second[0].file_id]
    assert leases(database, [*first, *second]).own == set(second)
    assert leases(database, first).taken == set(first)
    with database.write() as connection:
        jobqueue.renew(connection, lost, late + LEASE)
        jobqueue.finish(connection, lost)
        jobqueue.release(connection, lost, late)
        jobqueue.fail(connection, lost[0], DamagedPhoto("damaged"), late)
    assert leases(database, second).own == set(second)
    finish(database, second)
    assert leases(database, lost).gone == set(lost)


def test_a_lease_that_ran_out_and_that_nobody_took_goes_on(database: Database, file_id: int) -> None:
    [job] = begin(database)
    with database.write() as connection:
        jobqueue.renew(connection, [job], NOW + 5 * LEASE)
        assert jobqueue.sort_out(connection, [job]).own == {job}
    assert claim(database, ELSEWHERE, now=NOW + 5 * LEASE) == []


@pytest.mark.parametrize("ahead", [timedelta(hours=4), timedelta(days=400), timedelta(days=365 * 70)])
def test_a_lease_by_a_clock_that_was_ahead_does_not_last(database: Database, file_id: int, ahead: timedelta) -> None:
    [old] = begin(database, ELSEWHERE, now=NOW + ahead)
    [new] = claim(database, now=NOW)
    assert new.file_id == old.file_id
    assert leases(database, [old, new]).own == {new}
    with database.read() as connection:
        assert jobqueue.count_abandoned(connection, NOW) == 0


@pytest.mark.parametrize("ahead", [timedelta(hours=4), timedelta(days=400), timedelta(days=365 * 70)])
def test_a_job_queued_by_a_clock_that_was_ahead_is_due(database: Database, album: Path, ahead: timedelta) -> None:
    ids = add_files(database, album, "a.jpg")
    with database.write() as connection:
        jobqueue.enqueue(connection, ids, NOW + ahead)
        assert jobqueue.count_due(connection, NOW) == 1
    assert [job.file_id for job in claim(database)] == ids


@pytest.mark.parametrize("now", [datetime.max, datetime.min], ids=["the last day", "the first day"])
def test_no_clock_is_too_odd(database: Database, album: Path, now: datetime) -> None:
    queue(database, album, "a.jpg")
    moment = now.replace(tzinfo=NOW.tzinfo)
    for job in begin(database, now=moment):
        with database.write() as connection:
            jobqueue.renew(connection, [job], moment)
            jobqueue.fail(connection, job, UnreadablePhoto("away"), moment)
    assert take_back(database, moment) == 0
