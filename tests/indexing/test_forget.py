"""What ``forget`` takes out of the library: what people did is counted before, and nothing is left behind."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from photoindex.catalogue.editor import Edit
from photoindex.catalogue.schema import caption, file, metadata, photo
from photoindex.errors import FullTextError
from photoindex.library import Library
from photoindex.search import FullText
from photoindex.search.fulltext.sync import compare
from photoindex.search.searcher import Finder
from tests.support import FakeCaptioner, make_photo, names

ON_BOTH = True

OpenLibrary = Callable[..., Library]


@pytest.fixture
def filled(library: Library, album: Path) -> Path:
    """An album with photos in three folders, indexed."""
    for name in ("a.jpg", "trip/b.jpg", "trip/far/c.jpg", "more/d.jpg"):
        make_photo(album / name)
    library.index(album)
    return album


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """An index that cannot be written until the function that this gives is called."""
    reasons = ["No space left on device"]
    write = FullText.update

    def update_unless_refused(full_text: FullText, *given: Any) -> None:
        if reasons:
            raise FullTextError(f"cannot write to the full-text index: {reasons[0]}")
        write(full_text, *given)

    monkeypatch.setattr(FullText, "update", update_unless_refused)
    return reasons.clear


def in_index(library: Library) -> int:
    return len(library._text().photo_ids())


class TestAnIndexThatCannotBeWritten:
    @pytest.mark.parametrize("part", [".", "trip", "a.jpg"])
    @pytest.mark.parametrize("then", ["index", "forget"])
    def test_what_is_forgotten_is_gone_and_the_index_learns_of_it_later(
        self, library: Library, filled: Path, tmp_path: Path, refusing: Callable[[], None], part: str, then: str
    ) -> None:
        left = 4 - library.plan_forget(filled / part).photos
        with pytest.raises(FullTextError):
            library.forget(filled / part)
        with library._database.read() as connection:
            for table in (photo, caption, file):
                counted = connection.execute(select(table.c.id).distinct()).all()
                assert len(counted) == (2 * left if table is caption else left)
        refusing()
        assert len(library.search("red", limit=None)) == left
        other = make_photo(tmp_path / "other" / "x.jpg", "blue").parent
        if then == "index":
            library.index(other)
        else:
            make_photo(tmp_path / "more" / "y.jpg", "green")
            library.index(tmp_path / "more", other)
            library.forget(tmp_path / "more")
        assert in_index(library) == left + 1
        assert names(library.search("cold", limit=None)) == ["x.jpg"]

    def test_an_index_that_finds_nothing_else_to_do_catches_up(
        self, library: Library, filled: Path, refusing: Callable[[], None]
    ) -> None:
        with pytest.raises(FullTextError):
            library.forget(filled / "trip")
        refusing()
        library.index(filled / "more")
        assert in_index(library) == 2

    def test_a_process_that_is_killed_before_the_index_is_written_leaves_nothing(
        self, library: Library, open_library: OpenLibrary, filled: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def die(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(Finder, "sync", die)
            library.forget(filled / "trip")
        library.close()
        again = open_library(FakeCaptioner())
        with again._database.read() as connection:
            assert len(connection.execute(select(photo.c.id)).all()) == 2
        again.index(filled / "a.jpg")
        assert in_index(again) == 2

    def test_the_doctor_sees_an_index_that_is_behind_and_not_a_wrong_one(
        self, library: Library, filled: Path, refusing: Callable[[], None]
    ) -> None:
        with pytest.raises(FullTextError):
            library.forget(filled / "trip")
        with closing(FullText.open(library.settings.index_path)) as full_text:
            agreement = compare(library._database, full_text)
        assert (agreement.lacking, agreement.extra) == (0, 0)
        assert agreement.waiting >= 2

    def test_what_was_overwritten_is_kept(self, library: Library, filled: Path, captioner: FakeCaptioner) -> None:
        """No file holds it any more either, but its content may be back."""
        before = (filled / "a.jpg").read_bytes()
        make_photo(filled / "a.jpg", "green", note="other bytes")
        library.index(filled)
        library.forget(filled / "trip")
        (filled / "a.jpg").write_bytes(before)
        library.index(filled)
        assert captioner.captions.count("a red square") == 4 + 2  # those of the trip alone are captioned again

    def test_what_is_moved_is_moved(
        self, library: Library, filled: Path, tmp_path: Path, refusing: Callable[[], None]
    ) -> None:
        new = tmp_path / "new"
        filled.rename(new)
        with pytest.raises(FullTextError):
            library.move(filled, new)
        refusing()
        library.index(new)
        assert sorted(hit.path for hit in library.search("red", limit=None)) == sorted(new.rglob("*.jpg"))


def do_nothing(library: Library, number: int) -> None:
    """Leave a photo as a model left it."""


def put_into_album(library: Library, number: int) -> None:
    library.albums.add("Lisbon", photo_ids=[number])


def say_no_duplicate(library: Library, number: int) -> None:
    [other] = {photo.id for photo in library.photos(range(1, 10)) if photo.id != number}
    library.albums.set_distinct([number, other])


def set_without_history(column: str, value: object) -> Callable[[Library, int], None]:
    """Return what sets a column of a photo as an import of an older library does."""

    def set_it(library: Library, number: int) -> None:
        with library._database.write() as connection:
            connection.execute(update(photo).where(photo.c.id == number).values({column: value}))

    return set_it


def edit(**given: Any) -> Callable[[Library, int], None]:
    """Return what makes such an edit of a photo."""

    def apply(library: Library, number: int) -> None:
        library.editor().apply([number], Edit(**given))

    return apply


def lock_without_history(library: Library, number: int) -> None:
    with library._database.write() as connection:
        connection.execute(update(caption).where(caption.c.photo_id == number, caption.c.rank == 0).values(locked=True))


class TestWhatPeopleDid:
    @pytest.mark.parametrize(
        ("act", "count"),
        [
            (do_nothing, 0),
            (put_into_album, 1),
            (say_no_duplicate, 1),
            (lock_without_history, 1),
            pytest.param(set_without_history("own_rating", 3), 1, id="three stars"),
            pytest.param(set_without_history("own_rating", 0), 1, id="no stars"),
            pytest.param(set_without_history("favourite", True), 1, id="favourite"),
            pytest.param(set_without_history("hidden", True), 1, id="hidden"),
            pytest.param(set_without_history("review", "later"), 1, id="review"),
            pytest.param(edit(caption="mine"), 1, id="caption"),
            pytest.param(edit(tags=("Minka",)), 1, id="tag"),
        ],
    )
    def test_forgetting_counts_all_that_is_lost(
        self, library: Library, album: Path, tmp_path: Path, act: Callable[[Library, int], object], count: int
    ) -> None:
        here, elsewhere = make_photo(album / "a.jpg"), make_photo(tmp_path / "other" / "b.jpg", "blue")
        library.index(album, elsewhere.parent)
        [number] = library.editor().photos_at([here])
        act(library, number)
        assert library.plan_forget(album).by_people == count
        kept = act is say_no_duplicate  # a pair is lost with either of its two photos
        assert library.plan_forget(elsewhere.parent).by_people == int(kept)

    def test_every_table_about_photos_is_known_to_be_by_people_or_not(self) -> None:
        """A new one has to be counted by ``forget``, or to be added here."""
        by_people = {"caption", "term", "correction", "album_photo", "distinct_pair"}
        not_by_people = {"file", "term_vector", "text_line"}
        about_photos = {
            table.name for table in metadata.tables.values() for key in table.foreign_keys if key.column is photo.c.id
        }
        assert about_photos == by_people | not_by_people
