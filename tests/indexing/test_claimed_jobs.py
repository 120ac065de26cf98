"""What a worker has at hand: files by content, and how they leave."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from photoindex.catalogue import jobs
from photoindex.catalogue.database import Database
from photoindex.catalogue.jobs import Job
from photoindex.config import Settings
from photoindex.errors import DamagedPhoto
from photoindex.indexing.claimed_jobs import ClaimedJobs
from photoindex.indexing.hashing import HashedJob
from photoindex.indexing.missing_photos import MissingPhotos
from photoindex.types import Tally
from tests.support import NOW, add_files

SETTLE = 7.0


@pytest.fixture
def hand(database: Database, data_dir: Path, album: Path) -> ClaimedJobs:
    """Three new files, claimed, and one of them a second time, to be captioned again."""
    ids = add_files(database, album, "a.jpg", "b.jpg", "c.jpg")
    settings = Settings(data_dir, settle_seconds=SETTLE)
    hand = ClaimedJobs(database, settings, MissingPhotos(database, settings, print), Tally(), lambda: NOW)
    with database.write() as connection:
        jobs.enqueue(connection, ids[:1], NOW, jobs.AGAIN)
        jobs.enqueue(connection, ids, NOW)
        hand.add(jobs.claim(connection, "me:1:aa", 64, NOW))
    assert len(hand) == 4
    return hand


def job(hand: ClaimedJobs, name: str, *, again: bool = False) -> Job:
    [found] = [job for job in hand.jobs if job.path.name == name and job.again is again]
    return found


def read(hand: ClaimedJobs, name: str, content: str, *, again: bool = False) -> HashedJob:
    claimed = job(hand, name, again=again)
    return HashedJob(claimed, content, claimed.stat)


def test_content_is_decoded_once_and_copies_join_it_until_it_leaves(hand: ClaimedJobs, album: Path) -> None:
    first, second, third = (read(hand, name, "same") for name in ("a.jpg", "b.jpg", "c.jpg"))
    assert hand.group(first) == album / "a.jpg"
    assert hand.group(second) is None
    group = hand.take_decoded(album / "a.jpg")
    assert hand.group(third) is None
    assert group == [first, second, third]
    hand.remove([ready.job for ready in group])
    assert list(hand.jobs) == [job(hand, "a.jpg", again=True)]


def test_content_that_left_is_decoded_again(hand: ClaimedJobs, album: Path) -> None:
    assert hand.group(read(hand, "a.jpg", "same")) == album / "a.jpg"
    hand.fail(hand.take_decoded(album / "a.jpg")[0].job, DamagedPhoto("a.jpg is damaged"))
    assert hand.group(read(hand, "b.jpg", "same")) == album / "b.jpg"
    assert (hand.tally.failed, len(hand)) == (1, 3)


@pytest.mark.parametrize("decoded", [False, True])
def test_a_file_at_hand_with_other_bytes_is_put_off(
    hand: ClaimedJobs, album: Path, database: Database, *, decoded: bool
) -> None:
    first = read(hand, "a.jpg", "before")
    hand.group(first)
    if decoded:
        hand.take_decoded(album / "a.jpg")
    assert hand.group(read(hand, "a.jpg", "after", again=True)) is None
    assert [claimed.path.name for claimed in hand.jobs if claimed.again] == []
    with database.write() as connection:
        assert jobs.claim(connection, "me:1:aa", 64, NOW) == []
        [later] = jobs.claim(connection, "me:1:aa", 64, NOW + timedelta(seconds=SETTLE))
    assert later.again
    assert first.job in hand.jobs


def test_suspects_are_told_and_batches(hand: ClaimedJobs, database: Database) -> None:
    assert not hand.has_suspects
    assert hand.batch_ids == []
    with database.write() as connection:
        jobs.begin(connection, list(hand.jobs))
        again = jobs.claim(connection, "me:1:aa", 64, NOW + 2 * jobs.LEASE)
    hand.jobs.clear()
    hand.add(again)
    assert len(hand) == 4
    assert hand.has_suspects


def test_a_job_that_went_with_its_file_and_the_next_of_its_number_are_both_at_hand(
    hand: ClaimedJobs, album: Path, database: Database
) -> None:
    old = read(hand, "a.jpg", "old", again=True)
    hand.group(old)
    new = replace(old, content_hash="new", job=replace(old.job, file_id=99, path=album / "new.jpg"))
    hand.add([new.job])
    assert len(hand) == 5
    assert hand.group(new) == album / "new.jpg"
    hand.postpone([old.job])
    hand.remove([new.job])
    assert len(hand) == 3
