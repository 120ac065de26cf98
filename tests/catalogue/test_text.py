"""Which photos are to be looked at for text, and what is stored of those that were."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import select, update

from photoindex.catalogue import batches, captions, jobs, photos, text
from photoindex.catalogue.database import Database
from photoindex.catalogue.details import photos_by_id
from photoindex.catalogue.schema import caption, file, job, photo
from photoindex.catalogue.text_lines import box_from, box_text, text_lines
from photoindex.types import PhotoText, TextLine
from tests.support import add_files, add_photo

ON_BOTH = True

NOW = datetime(2026, 3, 1, tzinfo=timezone.utc)
BOX = (0, 0, 5000, 0, 5000, 400, 0, 400)
LINES = (TextLine("PLATFORM", 0.98, BOX), TextLine("nine", 0.6, BOX, 1))


@pytest.fixture
def three(database: Database, tmp_path: Path) -> list[int]:
    """Photos of 2019, 2023 and 2021."""
    names = ("a.jpg", "b.jpg", "c.jpg")
    add_files(database, tmp_path, *names)
    ids = [add_photo(database, tmp_path / name) for name in names]
    with database.write() as connection:
        for number, year in zip(ids, (2019, 2023, 2021), strict=True):
            taken = datetime(year, 5, 1)
            connection.execute(update(photo).where(photo.c.id == number).values(taken_at=taken))
    return ids


def unread(database: Database, *, closely: bool = False, limit: int | None = None) -> list[int]:
    """Return the photos that are to be looked at, in their order."""
    with database.read() as connection:
        files = text.unread_files(connection, 1, limit, closely=closely)
        held = text.photos_of_files(connection, files)
    return [held[number] for number in files]


def save(database: Database, read: dict[int, PhotoText]) -> None:
    with database.write() as connection:
        text.save(connection, read, 1)


class TestUnread:
    def test_the_newest_photos_come_first(self, database: Database, three: list[int]) -> None:
        assert unread(database) == [three[1], three[2], three[0]]
        assert unread(database, limit=1) == [three[1]]

    def test_a_photo_that_was_looked_at_is_done(self, database: Database, three: list[int]) -> None:
        save(database, {three[1]: PhotoText(), three[2]: PhotoText(closely=False)})
        assert unread(database) == [three[0]]

    def test_one_that_was_glanced_at_is_read_closely_when_asked(self, database: Database, three: list[int]) -> None:
        save(database, {three[1]: PhotoText(), three[2]: PhotoText(closely=False)})
        assert unread(database, closely=True) == [three[2], three[0]]

    def test_a_newer_reader_looks_again(self, database: Database, three: list[int]) -> None:
        save(database, dict.fromkeys(three, PhotoText()) | {three[0]: PhotoText(closely=False)})
        with database.read() as connection:
            assert len(text.unread_files(connection, 2, None, closely=False)) == 3

    def test_a_missing_file_is_not_looked_for(self, database: Database, three: list[int]) -> None:
        with database.write() as connection:
            connection.execute(update(file).where(file.c.photo_id == three[1]).values(missing_since=NOW))
        assert unread(database) == [three[2], three[0]]

    def test_a_photo_at_work_or_failed_is_left_out(self, database: Database, three: list[int]) -> None:
        with database.write() as connection:
            first = text.unread_files(connection, 1, 1, closely=False)
            assert text.queue(connection, first, NOW) == 1
            assert text.queue(connection, first, NOW) == 0
        assert unread(database) == [three[2], three[0]]


class TestJobs:
    def test_captions_and_text_are_claimed_apart(self, database: Database, three: list[int], tmp_path: Path) -> None:
        add_files(database, tmp_path, "new.jpg")
        with database.write() as connection:
            text.queue(connection, text.unread_files(connection, 1, None, closely=False), NOW)
            later = NOW + timedelta(days=400)
            of_text = jobs.claim(connection, "me:1:a", 10, later, text=True)
            of_captions = jobs.claim(connection, "me:1:a", 10, later)
        assert [each.path.name for each in of_text] == ["b.jpg", "c.jpg", "a.jpg"]
        assert [each.path.name for each in of_captions] == ["new.jpg"]
        with database.read() as connection:
            assert jobs.counts(connection)["running"] == 1

    def test_a_failed_reading_is_no_failed_caption(self, database: Database, three: list[int]) -> None:
        from photoindex.errors import DamagedPhoto

        with database.write() as connection:
            text.queue(connection, text.unread_files(connection, 1, 1, closely=False), NOW)
            [claimed] = jobs.claim(connection, "me:1:a", 10, NOW, text=True)
            jobs.fail(connection, claimed, DamagedPhoto("its text cannot be read"), NOW)
        with database.read() as connection:
            [failure] = jobs.failures(connection)
            assert (failure.work, failure.kind) == ("text", "damaged")
            assert jobs.counts(connection)["failed"] == 0
            assert jobs.final_failures(connection, [claimed.file_id]) == set()
            assert text.counts(connection, 1, closely=False) == text.TextCounts(0, 0, 2, 1)

    def test_a_batch_asks_for_what_was_read_and_what_failed(self, database: Database, three: list[int]) -> None:
        save(database, dict.fromkeys(three, PhotoText()))
        with database.write() as connection:
            files = text.files_of(connection, three[:2])
            made = batches.create_of_text(connection, files, priority="low", now=NOW, query="cat")
            again = batches.create_of_text(connection, files, priority="low", now=NOW, query="cat")
            states = connection.execute(select(job.c.batch_id)).scalars().all()
        assert made[1] == again[1] == 2
        assert set(states) == {again[0]}
        assert [each.kind for each in batches.Batches(database).find()] == ["text"]


class TestSaved:
    def test_lines_keep_their_order_and_place(self, database: Database, three: list[int]) -> None:
        save(database, {three[0]: PhotoText(LINES)})
        with database.read() as connection:
            assert text_lines(connection, three) == {three[0]: LINES}
            [found, other] = photos_by_id(connection, three[:2])
        assert (found.text, found.text_read) == (LINES, "closely")
        assert (other.text, other.text_read) == ((), None)

    def test_another_reading_replaces_them(self, database: Database, three: list[int]) -> None:
        save(database, {three[0]: PhotoText(LINES)})
        save(database, {three[0]: PhotoText(LINES[:1])})
        with database.read() as connection:
            assert text_lines(connection, three) == {three[0]: LINES[:1]}

    @pytest.mark.sqlite  # the feed of a shared catalogue tells of every change of a photo
    def test_the_index_learns_of_photos_with_text_alone(self, database: Database, three: list[int]) -> None:
        with database.write() as connection:
            photos.clear_text_stale(connection, photos.stale_photos(connection, None))
        save(database, {three[0]: PhotoText(LINES), three[1]: PhotoText()})
        with database.read() as connection:
            assert [number for number, _ in photos.stale_photos(connection, None)] == [three[0]]

    def test_a_box_that_is_none_is_empty(self) -> None:
        assert box_from(box_text(BOX)) == BOX
        for text_of_box in ("", "1 2", "a b c d e f g h"):
            assert box_from(text_of_box) == (0,) * 8
        assert box_from("-5 0 1 2 3 4 5 99999999") == (0, 0, 1, 2, 3, 4, 5, 10_000)


class TestCaptions:
    def test_text_goes_before_the_model_and_not_before_people(self, database: Database, three: list[int]) -> None:
        said = dict.fromkeys(three[:2], 'a sign that says "EXIT"')
        with database.write() as connection:
            text.save_captions(connection, said)
            own = {"photo_id": three[1], "text": "our door", "source": "user", "rank": 0, "current": True}
            connection.execute(caption.insert().values(**own, created_at=NOW))
            shown = captions.shown_captions(connection)
        assert [shown[number].text for number in three] == ['a sign that says "EXIT"', "our door", "a red square"]
        assert shown[three[0]].source == "text"

    def test_what_is_said_no_longer_becomes_history(self, database: Database, three: list[int]) -> None:
        with database.write() as connection:
            text.save_captions(connection, {three[0]: 'a sign that says "EXIT"'})
            text.save_captions(connection, {three[0]: None})
            shown = captions.shown_captions(connection, three)
            [found] = photos_by_id(connection, three[:1])
        assert shown[three[0]].text == "a red square"
        assert [old.text for old in found.history] == ['a sign that says "EXIT"']
