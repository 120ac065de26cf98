"""Folders that are forgotten, and folders that lie elsewhere now."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from photoindex.catalogue.fast_queries import files_below
from photoindex.catalogue.schema import file, root
from photoindex.errors import FolderError
from photoindex.library import Library
from tests.support import NOW, FakeCaptioner, make_photo, names, put_on_another_disk

ON_BOTH = True

OpenLibrary = Callable[..., Library]


@pytest.fixture
def filled(library: Library, album: Path) -> Path:
    """An album with photos in three folders, indexed."""
    for name in ("a.jpg", "trip/b.jpg", "trip/far/c.jpg", "odd \udcff'name/d.jpg"):
        make_photo(album / name)
    library.index(album)
    return album


def paths(library: Library) -> list[Path]:
    return sorted(hit.path for hit in library.search("red", limit=None))


class TestForget:
    def test_a_folder_that_was_deleted_leaves_nothing(self, library: Library, filled: Path) -> None:
        shutil.rmtree(filled)
        plan = library.plan_forget(filled)
        assert (plan.roots, plan.present, plan.missing, plan.photos, plan.inside) == ((filled,), 4, 0, 4, None)
        assert len(library.search("red", limit=None)) == 4  # a plan changes nothing
        assert library.forget(filled) == plan
        assert library.search("red", limit=None) == []
        status = library.status()
        assert (status.roots, status.photos, status.searchable) == ((), 0, 0)
        with pytest.raises(FolderError, match="has nothing of"):
            library.forget(filled)

    def test_no_photo_is_touched_and_the_folder_can_be_indexed_again(
        self, library: Library, captioner: FakeCaptioner, filled: Path
    ) -> None:
        before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in filled.rglob("*.jpg")}
        library.forget(filled)
        assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in filled.rglob("*.jpg")} == before
        assert library.index(filled).captioned == 4
        assert len(captioner.captions) == 8
        assert len(library.search("red", limit=None)) == 4

    @pytest.mark.parametrize(("part", "left"), [("trip", 2), ("trip/far", 3), ("a.jpg", 3)])
    def test_a_part_can_be_forgotten(self, library: Library, filled: Path, part: str, left: int) -> None:
        plan = library.forget(filled / part)
        assert (plan.roots, plan.inside, plan.photos) == ((), filled, 4 - left)
        assert len(library.search("red", limit=None)) == left

    def test_photos_that_lie_elsewhere_as_well_stay(self, library: Library, filled: Path, tmp_path: Path) -> None:
        shutil.copytree(filled / "trip", tmp_path / "copy")
        library.index(tmp_path / "copy")
        assert library.forget(filled).photos == 2
        assert paths(library) == [tmp_path / "copy" / "b.jpg", tmp_path / "copy" / "far" / "c.jpg"]

    def test_a_folder_whose_name_begins_alike_stays(self, library: Library, filled: Path) -> None:
        make_photo(filled.with_name("album 2") / "x.jpg")
        library.index(filled.with_name("album 2"))
        library.forget(filled)
        assert names(library.search("red")) == ["x.jpg"]

    @pytest.mark.parametrize("name", ["nowhere", "trip/none.jpg", "trip/b"])
    def test_what_the_library_does_not_know_is_an_error(self, library: Library, filled: Path, name: str) -> None:
        with pytest.raises(FolderError, match="has nothing of"):
            library.forget(filled / name)
        assert len(library.search("red", limit=None)) == 4

    def test_other_searches_and_learned_terms_follow(
        self, library: Library, open_library: OpenLibrary, filled: Path, tmp_path: Path
    ) -> None:
        """A photo that comes later may get the number of one that was forgotten."""
        other = open_library(FakeCaptioner())
        assert len(other.search("warm", limit=None)) == 4
        library.forget(filled)
        assert other.search("warm", limit=None) == []
        make_photo(tmp_path / "new" / "blue.jpg", "blue")
        library.index(tmp_path / "new")
        for each in (library, other):
            assert each.search("warm", limit=None) == []
            assert names(each.search("cold", limit=None)) == ["blue.jpg"]


class TestMove:
    def test_a_library_that_lies_elsewhere_is_followed_without_reading_it(
        self, library: Library, captioner: FakeCaptioner, filled: Path, tmp_path: Path
    ) -> None:
        new = tmp_path / "disk" / "photos"
        new.parent.mkdir()
        before = {path.relative_to(filled) for path in paths(library)}
        filled.rename(new)
        assert library.move(filled, new) == 4
        assert {path.relative_to(new) for path in paths(library)} == before
        assert [root.path for root in library.status().roots] == [new]
        report = library.index(new)
        assert (report.unchanged, report.captioned, report.recognised, report.missing) == (4, 0, 0, 0)
        assert len(captioner.captions) == 4

    def test_a_copy_on_another_disk_is_not_read_either(self, library: Library, filled: Path, tmp_path: Path) -> None:
        """Its inodes and change times are others."""
        new = tmp_path / "new"
        shutil.copytree(filled, new)
        shutil.rmtree(filled)
        put_on_another_disk(library._database)
        library.move(filled, new)
        report = library.index(new)
        assert (report.unchanged, report.recognised, report.missing) == (4, 0, 0)

    def test_a_folder_below_a_root_can_be_moved_out_of_it_and_into_another(
        self, library: Library, filled: Path, tmp_path: Path
    ) -> None:
        other = tmp_path / "other"
        make_photo(other / "x.jpg", "blue")
        library.index(other)
        (filled / "trip").rename(other / "voyage")
        assert library.move(filled / "trip", other / "voyage") == 2
        assert other / "voyage" / "far" / "c.jpg" in paths(library)
        assert library.index(other).recognised == 0
        (filled / "a.jpg").rename(tmp_path / "out.jpg")
        outside = tmp_path / "outside"
        (other / "voyage").rename(outside)
        assert library.move(other / "voyage", outside) == 2
        assert {root.path for root in library.status().roots} == {filled, other, outside}
        assert library.index(outside).unchanged == 2

    def test_a_place_that_was_indexed_already_keeps_its_rows(
        self, library: Library, captioner: FakeCaptioner, filled: Path, tmp_path: Path
    ) -> None:
        new = tmp_path / "new"
        filled.rename(new)
        library.index(new)
        assert library.move(filled, new) == 4
        assert [root.path for root in library.status().roots] == [new]
        assert library.status().roots[0].present == 4
        assert len(paths(library)) == 4
        assert all(new in path.parents for path in paths(library))
        assert len(captioner.captions) == 4

    def test_several_roots_below_a_folder_follow_together(self, library: Library, tmp_path: Path) -> None:
        old, new = tmp_path / "old", tmp_path / "new"
        for name in ("one/a.jpg", "two/b.jpg", "two/in/c.jpg"):
            make_photo(old / name)
        library.index(old / "one")
        library.index(old / "two" / "in")
        library.index(old / "two")
        old.rename(new)
        assert library.move(old, new) == 3
        assert {root.path for root in library.status().roots} == {new / "one", new / "two", new / "two" / "in"}
        assert library.index(new / "one", new / "two").unchanged == 3

    def test_thousands_of_files_are_moved_in_one_transaction(self, library: Library, tmp_path: Path) -> None:
        old, new = tmp_path / "old", tmp_path / "new"
        photo = make_photo(old / "in" / "0.jpg")
        for number in range(1, 1200):
            (photo.with_name(f"{number}.jpg")).hardlink_to(photo)
        library.index(old)
        (old / "in").rename(new)
        assert library.move(old / "in", new) == 1200
        assert library.index(new).unchanged == 1200

    def test_a_place_that_does_not_hold_the_files_is_refused(
        self, library: Library, filled: Path, tmp_path: Path
    ) -> None:
        for name, content in (("a.jpg", b"other bytes"), ("e.jpg", b"x")):
            (tmp_path / "wrong").mkdir(exist_ok=True)
            (tmp_path / "wrong" / name).write_bytes(content)
        before = paths(library)
        shutil.copytree(filled, tmp_path / "copy")
        for new, why in (
            (tmp_path / "nowhere", "no such folder"),
            (filled / "a.jpg", "not a folder"),
            (tmp_path / "wrong", "does not hold the photos"),
            (tmp_path / "copy", "still holds its photos"),
            (filled / "trip", "inside the other"),
            (filled, "inside the other"),
        ):
            with pytest.raises(FolderError, match=why) as caught:
                library.move(filled, new)
            assert len(str(caught.value).splitlines()) == 1
        with pytest.raises(FolderError, match="has nothing of"):
            library.move(tmp_path / "unheard of", tmp_path / "copy")
        assert paths(library) == before

    @pytest.mark.parametrize("part", [".", "trip", "trip/far"])
    def test_files_that_an_index_found_missing_are_looked_for_too(
        self, library: Library, captioner: FakeCaptioner, filled: Path, tmp_path: Path, part: str
    ) -> None:
        old, right, wrong = filled / part, tmp_path / "right", tmp_path / "wrong"
        wrong.mkdir()
        before = len(sorted(old.rglob("*.jpg")))
        old.rename(right)
        library.index(filled, accept_missing=True)
        with pytest.raises(FolderError, match=f"of {before} files looked for, 0 are there"):
            library.move(old, wrong)
        assert library.move(old, right) == before
        library.index(right)
        assert len(captioner.captions) == 4
        assert len(paths(library)) == 4

    def test_files_that_were_deleted_long_before_are_not_looked_for(
        self, library: Library, filled: Path, tmp_path: Path
    ) -> None:
        for name in ("a.jpg", "trip/b.jpg", "trip/far/c.jpg"):
            (filled / name).unlink()
        library.index(filled, accept_missing=True)
        with library._database.write() as connection:
            long_ago = file.c.missing_since.is_not(None)
            connection.execute(update(file).where(long_ago).values(missing_since=NOW))
        filled.rename(tmp_path / "new")
        library.index(filled, accept_missing=True)
        assert library.move(filled, tmp_path / "new") == 4

    def test_a_root_without_any_file_is_moved_unseen(self, library: Library, tmp_path: Path) -> None:
        (tmp_path / "old").mkdir()
        library.index(tmp_path / "old")
        (tmp_path / "old").rename(tmp_path / "new")
        assert library.move(tmp_path / "old", tmp_path / "new") == 0
        assert [root.path for root in library.status().roots] == [tmp_path / "new"]


class TestRootsInsideOthers:
    """A path has one row, whichever roots lie around it or inside it."""

    @staticmethod
    def check(library: Library, top: Path, gone: Path, changed: Path) -> None:
        """Check that each photo has each of its paths once, also after one was deleted and one overwritten."""

        def check_paths() -> None:
            library.index(top)
            with library._database.read() as connection:
                listed = [path for path, _ in files_below(connection, top)]
            assert len(listed) == len(set(listed))
            hits = library.search("square", limit=None)
            assert sorted(path for hit in hits for path in (hit.path, *hit.other_paths)) == sorted(top.rglob("*.jpg"))

        check_paths()
        gone.unlink()
        make_photo(changed, "blue", note="other bytes")
        check_paths()
        assert changed not in paths(library)

    @pytest.mark.parametrize("indexed_first", [True, False])
    @pytest.mark.parametrize("target", ["old", "far/below/old"])
    def test_a_root_that_is_moved_into_another_becomes_part_of_it(
        self, library: Library, captioner: FakeCaptioner, filled: Path, tmp_path: Path, target: str, indexed_first: bool
    ) -> None:
        pics = tmp_path / "pics"
        make_photo(pics / "x.jpg", "blue")
        library.index(pics)
        new = pics / target
        new.parent.mkdir(parents=True, exist_ok=True)
        filled.rename(new)
        if indexed_first:
            library.index(pics)
        assert library.move(filled, new) == 4
        assert [root.path for root in library.status().roots] == [pics]
        assert len(captioner.captions) == 5
        self.check(library, pics, new / "a.jpg", new / "trip" / "b.jpg")

    @pytest.mark.parametrize("indexed_first", [True, False])
    def test_a_root_that_is_moved_around_another_leaves_that_one_its_files(
        self, library: Library, filled: Path, tmp_path: Path, indexed_first: bool
    ) -> None:
        new = tmp_path / "new"
        filled.rename(new)
        if indexed_first:
            library.index(new / "trip")
        else:
            make_photo(new / "trip" / "y.jpg", "green")
            library.index(new / "trip" / "y.jpg")
        assert library.move(filled, new) == 4
        assert {root.path for root in library.status().roots} == {new, new / "trip"}
        self.check(library, new, new / "trip" / "b.jpg", new / "trip" / "far" / "c.jpg")

    def test_several_roots_are_moved_into_another(self, library: Library, tmp_path: Path) -> None:
        old, pics = tmp_path / "old", tmp_path / "pics"
        for name in ("one/a.jpg", "two/b.jpg", "two/in/c.jpg"):
            make_photo(old / name)
        make_photo(pics / "x.jpg", "blue")
        for place in (old / "one", old / "two" / "in", old / "two", pics):
            library.index(place)
        old.rename(pics / "old")
        library.index(pics)
        assert library.move(old, pics / "old") == 3
        assert [root.path for root in library.status().roots] == [pics]
        self.check(library, pics, pics / "old" / "two" / "b.jpg", pics / "old" / "two" / "in" / "c.jpg")

    def test_a_file_that_was_deleted_there_before_does_not_hide_the_one_that_comes(
        self, library: Library, filled: Path, tmp_path: Path
    ) -> None:
        pics = tmp_path / "pics"
        shutil.copytree(filled, pics / "old")
        make_photo(pics / "x.jpg", "blue")
        library.index(pics)
        shutil.rmtree(pics / "old")
        library.index(pics, accept_missing=True)
        filled.rename(pics / "old")
        library.move(filled, pics / "old")
        assert paths(library) == sorted((pics / "old").rglob("*.jpg"))

    def test_a_library_with_two_rows_of_a_path_is_mended_by_the_next_index(
        self, library: Library, filled: Path, tmp_path: Path
    ) -> None:
        """Earlier versions made them when a root was moved into another one."""
        pics = tmp_path / "pics"
        make_photo(pics / "x.jpg", "blue")
        library.index(pics)
        filled.rename(pics / "old")
        library.index(pics)
        with library._database.write() as connection:
            connection.execute(update(root).where(root.c.path == str(filled)).values(path=str(pics / "old")))
            connection.execute(delete(file).where(file.c.relative_path == "a.jpg"))  # the outer root alone has this one
        self.check(library, pics, pics / "old" / "a.jpg", pics / "old" / "trip" / "b.jpg")
        assert {root.path for root in library.status().roots} == {pics, pics / "old"}


class TestSuggestions:
    @pytest.mark.parametrize("name", ["new", "it's a new place", "above"])
    def test_a_new_place_with_the_files_of_a_root_that_is_gone_suggests_to_move_it(
        self, library: Library, filled: Path, tmp_path: Path, name: str
    ) -> None:
        place = tmp_path / name
        target = place / filled.name if name == "above" else place
        target.parent.mkdir(exist_ok=True)
        filled.rename(target)
        notices: list[str] = []
        library.index(place, notice=notices.append)
        [line] = [notice for notice in notices if "photoindex move" in notice]
        assert str(filled) in line
        assert f"photoindex move {filled} " in line
        assert ("'" in line.partition(f"photoindex move {filled} ")[2]) == (name == "it's a new place")
        assert not [notice for notice in notices if "photoindex forget" in notice]

    def test_photos_that_are_arranged_otherwise_suggest_to_forget_the_old_root(
        self, library: Library, filled: Path, tmp_path: Path
    ) -> None:
        place = tmp_path / "sorted"
        place.mkdir()
        for number, path in enumerate(sorted(filled.rglob("*.jpg"))):
            path.rename(place / f"{number}.jpg")
        shutil.rmtree(filled)
        notices: list[str] = []
        library.index(place, notice=notices.append)
        assert [notice for notice in notices if f"photoindex forget {filled}" in notice] != []

    def test_nothing_is_suggested_while_the_old_root_is_there(
        self, library: Library, filled: Path, tmp_path: Path
    ) -> None:
        shutil.copytree(filled, tmp_path / "copy")
        notices: list[str] = []
        library.index(tmp_path / "copy", notice=notices.append)
        assert notices == []

    def test_a_rename_is_told_as_one(self, library: Library, filled: Path) -> None:
        (filled / "trip").rename(filled / "voyage")
        report = library.index(filled)
        assert (report.moved, report.recognised, report.missing, report.refreshed_only) == (2, 2, 2, 0)
