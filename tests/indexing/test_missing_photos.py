"""Photos that vanish at once: kept until they are back or the user says that they were removed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from photoindex.catalogue import files, jobs
from photoindex.catalogue.roots import list_roots, note_reconciled
from photoindex.catalogue.status import RootStatus
from photoindex.errors import FolderError
from photoindex.folders import IGNORE_FILE
from photoindex.indexing import removal_history
from photoindex.indexing.claimed_jobs import ClaimedJobs
from photoindex.indexing.missing_photos import MissingPhotos
from photoindex.indexing.removal_history import BURST_SECONDS
from photoindex.library import Library
from photoindex.library.doctor import examine
from photoindex.types import Tally
from tests.support import NOW, FakeCaptioner, add_files, add_photo, make_photo, names, put_on_another_disk

ON_BOTH = True

OpenLibrary = Callable[..., Library]
FEW = 4  # photos whose loss at once is doubted, if they are more than half


@pytest.fixture
def library(open_library: OpenLibrary) -> Library:
    return open_library(suspend_photos=FEW)


def fill(folder: Path, count: int, first: int = 0) -> list[str]:
    return [make_photo(folder / f"{number}.jpg").name for number in range(first, first + count)]


def root_of(library: Library) -> RootStatus:
    [found] = library.status().roots
    return found


def away(album: Path) -> Path:
    """Take all photos out of the album; returns where they are."""
    elsewhere = album.with_name("elsewhere")
    album.rename(elsewhere)
    album.mkdir()
    return elsewhere


class TestComparing:
    def test_photos_that_vanish_at_once_are_kept_and_not_captioned_again_when_they_are_back(
        self, library: Library, captioner: FakeCaptioner, album: Path
    ) -> None:
        known = fill(album, 6)
        library.index(album)
        elsewhere = away(album)
        notices: list[str] = []
        report = library.index(album, notice=notices.append)
        assert report.missing == 0
        [notice] = notices
        assert len(notice.splitlines()) == 1
        assert notice.startswith(f"{album}: 6 photos vanished at once")
        assert f"photoindex index --accept-missing {album}" in notice
        assert names(library.search("red")) == known
        assert root_of(library).suspended_photos == 6
        assert root_of(library).suspended_at is not None

        album.rmdir()
        elsewhere.rename(album)
        notices.clear()
        report = library.index(album, notice=notices.append)
        assert (report.unchanged, report.captioned, report.recognised, report.missing) == (6, 0, 0, 0)
        assert [notice for notice in notices if "back" in notice] == notices != []
        assert (root_of(library).suspended_photos, root_of(library).suspended_at) == (None, None)
        assert len(captioner.captions) == 6

    def test_the_user_can_say_that_they_were_removed(self, library: Library, album: Path) -> None:
        fill(album, 6)
        library.index(album)
        away(album)
        library.index(album)
        assert library.index(album, accept_missing=True).missing == 6
        assert library.search("red") == []
        assert root_of(library).suspended_photos is None
        photo = library.show(album / "0.jpg")
        assert photo is not None
        assert photo.caption is not None

    def test_so_they_can_when_the_folder_itself_is_gone(self, library: Library, album: Path) -> None:
        fill(album, 6)
        library.index(album)
        album.rename(album.with_name("elsewhere"))
        with pytest.raises(FolderError, match="no such file or folder"):
            library.index(album)
        assert len(library.search("red")) == 6
        assert library.index(album, accept_missing=True).missing == 6
        assert library.search("red") == []
        with pytest.raises(FolderError, match="no such file or folder"):
            library.index(album.with_name("unheard of"), accept_missing=True)

    def test_what_is_less_than_the_share_or_few_photos_is_taken_for_removed(
        self, library: Library, album: Path
    ) -> None:
        fill(album, 8)
        library.index(album)
        for number in range(4):  # half of them, not more
            (album / f"{number}.jpg").unlink()
        assert library.index(album).missing == 4
        for number in range(4, 7):  # most of them, but three
            (album / f"{number}.jpg").unlink()
        assert library.index(album).missing == 3
        assert root_of(library).suspended_photos is None

    def test_a_suspension_ends_when_as_many_others_have_taken_their_place(self, library: Library, album: Path) -> None:
        known = fill(album, 6)
        library.index(album)
        away(album)
        library.index(album)
        fresh = fill(album, 2, first=100)
        assert library.index(album).captioned == 2
        assert root_of(library).suspended_photos == 6
        assert names(library.search("red", limit=None)) == sorted([*known, *fresh])
        fresh += fill(album, 4, first=200)
        notices: list[str] = []
        report = library.index(album, notice=notices.append)
        assert (report.captioned, report.missing) == (4, 6)
        assert any("have taken the place of 6 of its photos" in line for line in notices)
        assert root_of(library).suspended_photos is None
        assert names(library.search("red", limit=None)) == sorted(fresh)

    def test_what_comes_while_the_disk_is_away_takes_the_place_of_nothing(self, library: Library, album: Path) -> None:
        known = fill(album, 6)
        library.index(album)
        away(album)
        put_on_another_disk(library._database)
        fresh = fill(album, 20, first=100)
        for captioned in (20, 0):
            report = library.index(album)
            assert (report.captioned, report.missing) == (captioned, 0)
        assert names(library.search("red", limit=None)) == sorted([*known, *fresh])

    @pytest.mark.parametrize("count", [FEW, 20])
    def test_photos_that_were_replaced_between_two_comparisons_have_not_vanished(
        self, library: Library, album: Path, count: int
    ) -> None:
        fill(album, count)
        library.index(album)
        away(album)
        fresh = fill(album, count, first=100)
        assert library.index(album).missing == count
        assert root_of(library).suspended_photos is None
        assert names(library.search("red", limit=None)) == sorted(fresh)

    def test_photos_with_copies_that_are_there_have_not_vanished(self, library: Library, album: Path) -> None:
        fill(album / "a", 6)
        shutil.copytree(album / "a", album / "b")
        library.index(album / "a", album / "b")
        for path in (album / "a").iterdir():
            path.unlink()
        assert library.index(album / "a").missing == 6
        assert {root.suspended_photos for root in library.status().roots} == {None}

    def test_most_of_them_back_is_enough_and_the_others_were_removed(self, library: Library, album: Path) -> None:
        fill(album, 6)
        library.index(album)
        elsewhere = away(album)
        library.index(album)
        for number in range(4):
            shutil.move(elsewhere / f"{number}.jpg", album)
        assert library.index(album).missing == 2
        assert root_of(library).suspended_photos is None
        assert len(library.search("red")) == 4

    def test_photos_that_were_only_moved_or_left_out_by_a_rule_have_not_vanished(
        self, library: Library, captioner: FakeCaptioner, album: Path
    ) -> None:
        fill(album / "old", 6)
        library.index(album)
        (album / "old").rename(album / "new")
        assert library.index(album).missing == 6
        assert len(library.search("red")) == 6
        (album / IGNORE_FILE).write_text("new/\n")
        assert library.index(album).missing == 6
        assert library.search("red") == []
        assert root_of(library).suspended_photos is None
        assert len(captioner.captions) == 6

    def test_files_that_were_never_read_have_nothing_to_lose_and_do_not_count(
        self, library: Library, album: Path
    ) -> None:
        fill(album, 3)
        library.index(album)
        add_files(library._database, album, *(f"unread-{number}.jpg" for number in range(40)))
        for number in range(3):
            (album / f"{number}.jpg").unlink()
        assert library.index(album).missing == 43
        assert library.status().jobs["queued"] == 0
        assert root_of(library).suspended_photos is None

    def test_a_part_of_a_suspended_folder_that_is_compared_alone_is_kept_as_well(
        self, library: Library, album: Path
    ) -> None:
        fill(album / "a", 5)
        fill(album / "b", 2)
        library.index(album)
        for name in ("a", "b"):
            shutil.rmtree(album / name)
            (album / name).mkdir()
        library.index(album)
        assert library.index(album / "b").missing == 0
        assert root_of(library).suspended_photos == 7
        # A part can be given up alone, and the rest is as doubtful as before.
        assert library.index(album / "b", accept_missing=True).missing == 2
        assert root_of(library).suspended_photos == 5
        assert library.index(album).missing == 0
        assert len(library.search("red")) == 5

    def test_a_folder_inside_another_is_judged_by_itself(self, library: Library, album: Path) -> None:
        inner = album / "inner"
        fill(inner, 6)
        fill(album, 20, first=100)
        library.index(inner)
        library.index(album)
        for path in inner.iterdir():
            path.unlink()
        (album / "100.jpg").unlink()
        assert library.index(album).missing == 1
        assert {root.path: root.suspended_photos for root in library.status().roots} == {album: None, inner: 6}

    def test_captioning_again_takes_no_vanished_photo_for_removed(self, library: Library, album: Path) -> None:
        known = fill(album, 6)
        library.index(album)
        away(album)
        library.recaption(everything=True)
        assert names(library.search("red")) == known
        # In a catalogue of many machines only the process that compares a folder judges what is gone.
        assert (root_of(library).suspended_photos is None) is library._database.is_shared
        library.recaption(everything=True)  # suspended from the start
        assert names(library.search("red")) == known

    def test_the_doctor_says_what_to_do(self, library: Library, album: Path) -> None:
        fill(album, 6)
        library.index(album)
        away(album)
        library.index(album)
        found = {finding.name: finding for finding in examine(library.settings)}[f"folder {album}"]
        assert found.level == "problem"
        assert found.message.startswith("6 of its photos vanished at once")
        assert "--accept-missing" in (found.advice or "")


class TestEvents:
    """Removals that events tell of, one after the other."""

    @pytest.fixture
    def removed(self, library: Library, album: Path) -> Callable[..., int]:
        """Says that photos of an album of eight are gone, so many seconds after the last that were."""
        paths = [album / f"{number}.jpg" for number in range(8)]
        add_files(library._database, album, *(path.name for path in paths))
        for path in paths:
            add_photo(library._database, path)
        seconds = 0.0
        self.notices: list[str] = []
        judging = MissingPhotos(library._database, library.settings, self.notices.append, lambda: seconds)

        def judge(numbers: Sequence[int], after: float = 0.0) -> int:
            nonlocal seconds
            seconds += after
            return judging.after_removals([paths[number] for number in numbers])

        return judge

    def missing(self, library: Library) -> int:
        with library._database.read() as connection:
            [(_, missing)] = files.count_files(connection).values()
        return missing

    def test_removals_with_time_between_them_are_believed(self, library: Library, removed: Callable[..., int]) -> None:
        for number in range(8):
            assert removed([number], after=BURST_SECONDS + 1) == 0
        assert self.missing(library) == 8
        assert self.notices == []

    def test_a_burst_is_not_and_those_that_went_first_are_kept_too(
        self, library: Library, removed: Callable[..., int]
    ) -> None:
        assert removed([7], after=BURST_SECONDS + 1) == 0  # on another occasion
        after = BURST_SECONDS + 1
        for number in range(3):
            assert removed([number], after=after) == 0
            after = 0.5
        assert self.missing(library) == 4
        assert removed([3, 4]) == 2
        assert removed([5], after=1.0) == 1
        assert self.missing(library) == 1
        assert root_of(library).suspended_photos == 6
        assert len(self.notices) == 1
        # A single photo that is removed later is one that was removed.
        assert removed([6], after=BURST_SECONDS + 1) == 0
        assert self.missing(library) == 2

    def test_a_burst_that_never_ends_is_believed_piece_by_piece(
        self, library: Library, removed: Callable[..., int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(removal_history, "LONGEST_BURST", 2 * BURST_SECONDS)
        for number in range(8):
            assert removed([number], after=BURST_SECONDS - 1) == 0
        assert self.missing(library) == 8

    def test_photos_that_come_meanwhile_make_up_for_those_that_went(
        self, library: Library, removed: Callable[..., int], album: Path
    ) -> None:
        assert removed([0, 1, 2]) == 0
        for name in ("new.jpg", "newer.jpg", "newest.jpg"):
            add_files(library._database, album, name)
            add_photo(library._database, album / name)
        assert removed([3, 4, 5]) == 0
        assert removed([6, 7]) == 2

    def test_a_folder_that_goes_as_a_whole_is_judged_by_its_photos(
        self, library: Library, removed: Callable[..., int], album: Path
    ) -> None:
        notices: list[str] = []
        assert MissingPhotos(library._database, library.settings, notices.append).after_removals([album]) == 8
        assert self.missing(library) == 0
        assert len(notices) == 1

    @pytest.mark.parametrize("step", [1, 2, 3, 7])
    def test_removals_that_events_and_jobs_report_in_turn_are_one_burst(
        self, library: Library, album: Path, step: int
    ) -> None:
        """A job whose file is gone reports a removal as well, to the same judge."""
        photos = [album / f"{number}.jpg" for number in range(20)]
        add_files(library._database, album, *(path.name for path in photos))
        for path in photos:
            add_photo(library._database, path)
        judge = library._pipe().missing
        with library._database.write() as connection:
            [root] = list_roots(connection)
            note_reconciled(connection, root.id, album.stat().st_dev)
            ids = [row[0] for path in photos if (row := files.photo_at(connection, path)) is not None]
            jobs.enqueue(connection, ids, NOW, jobs.AGAIN)
            claimed = {job.path: job for job in jobs.claim(connection, "me:1:aa", 64, NOW)}
        hand = ClaimedJobs(library._database, library.settings, judge, Tally(), lambda: NOW)
        hand.add(claimed.values())
        with library._database.sole_comparer([album]):  # as a watch is, which hears of both
            for place, path in enumerate(photos):
                if place % (step + 1):
                    hand.give_up_absent(claimed[path])
                else:
                    judge.after_removals([path])
        assert root_of(library).suspended_photos is not None
        assert self.missing(library) == 0

    def test_files_that_came_and_wait_to_be_read_make_up_for_those_that_went(
        self, library: Library, album: Path
    ) -> None:
        """In a busy folder many come that were not read yet when as many others go."""
        known = fill(album, 8)
        library.index(album)
        fresh = fill(album, 8, first=100)
        for name in known:
            (album / name).unlink()
        judge = library._pipe().missing
        assert judge.after_removals([album / name for name in known]) == 0
        assert self.missing(library) == 8
        assert root_of(library).suspended_photos is None
        library.index(album)
        assert names(library.search("red", limit=None)) == sorted(fresh)
