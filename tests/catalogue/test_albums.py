"""Albums, stars, favourites, hidden photos, reviews and what is no duplicate: kept, undone, exported and imported."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from sqlalchemy import event

from photoindex.catalogue import gallery_queries
from photoindex.catalogue.editor import Edit
from photoindex.config import Settings
from photoindex.errors import AlbumError, CorrectionError
from photoindex.library import Library
from tests.support import COLOURS, FakeCaptioner, make_photo, names

ON_BOTH = True


@pytest.fixture
def indexed(library: Library, album: Path) -> Library:
    for colour in COLOURS:
        make_photo(album / f"{colour}.jpg", colour)
    library.index(album)
    return library


def of(library: Library, *files: str) -> list[int]:
    folder = library.status().roots[0].path
    return library.editor().photos_at([folder / name for name in files])


def lines(library: Library) -> bytes:
    out = io.BytesIO()
    library.exchange().write_lines(out)
    return out.getvalue()


class TestMarks:
    @pytest.mark.parametrize(
        ("edit", "query"),
        [
            (Edit(rating=4), "rating:>=4"),
            (Edit(rating=-1), "rating:-1"),
            (Edit(favourite=True), "is:favourite"),
            (Edit(favourite=True), "has:favorite"),
            (Edit(hidden=True), "is:hidden"),
        ],
    )
    def test_a_mark_is_found_and_undone(self, indexed: Library, edit: Edit, query: str) -> None:
        [number] = of(indexed, "red.jpg")
        assert indexed.search(query) == []
        assert indexed.editor().apply([number], edit) == 1
        assert names(indexed.search(query)) == ["red.jpg"]
        assert indexed.editor().apply([number], edit) == 0
        assert list(indexed.editor().undo([number])) == [number]
        assert indexed.search(query) == []
        assert indexed.editor().history([number])[number][0].undone_at is not None

    def test_a_hidden_photo_is_found_only_by_who_asks(self, indexed: Library, album: Path) -> None:
        indexed.editor().apply(of(indexed, "red.jpg"), Edit(hidden=True))
        assert "red.jpg" not in names(indexed.search("square", None))
        assert "red.jpg" not in names(indexed.search("square", None, sort="name"))
        assert "red.jpg" not in names(indexed.search("blue OR red", None))
        assert "red.jpg" not in names(indexed.like(album / "blue.jpg", None))
        assert names(indexed.search("square is:hidden")) == ["red.jpg"]
        assert names(indexed.search("square (is:hidden OR is:favourite)")) == ["red.jpg"]
        assert "red.jpg" not in names(indexed.search("square -is:hidden", None))

    def test_own_stars_go_before_those_of_the_file(self, indexed: Library, album: Path) -> None:
        path = album / "red.jpg"
        with indexed.database.write() as connection:
            number = of(indexed, "red.jpg")[0]
            connection.exec_driver_sql(f"update photo set rating = 2 where id = {number}")
        for given, shown in ((None, 2), (5, 5), (0, None)):
            if given is not None:
                indexed.editor().apply(of(indexed, "red.jpg"), Edit(rating=given))
            photo = indexed.show(path)
            assert photo is not None
            assert photo.facts is not None
            assert photo.facts.rating == shown
            with indexed.database.ask() as asker:
                rows = {row[0]: row[6] for row in gallery_queries.present_photos(asker)}
            assert rows[photo.id] == shown
        assert names(indexed.search("rating:5")) == names(indexed.search("rating:2")) == []

    @pytest.mark.parametrize("edit", [{"rating": 6}, {"rating": -2}, {"review": "perhaps"}])
    def test_what_no_mark_can_be_is_refused(self, edit: dict[str, object]) -> None:
        with pytest.raises(CorrectionError):
            Edit(**edit)  # type: ignore[arg-type]

    def test_a_review_ends_with_another_caption_or_a_lock(self, indexed: Library) -> None:
        ids = of(indexed, "red.jpg", "blue.jpg", "green.jpg")
        editor = indexed.editor()
        editor.apply(ids, Edit(review="wrong"))
        editor.apply(ids[:1], Edit(caption="our cat"))
        editor.apply(ids[1:2], Edit(lock=True))
        assert [editor.said(ids)[number].review for number in ids] == [None, None, "wrong"]
        indexed.recaption(everything=True)
        assert editor.said(ids)[ids[2]].review is None
        editor.undo(ids[:1])
        assert editor.said(ids)[ids[0]].review == "wrong"

    def test_many_photos_take_a_few_statements(self, indexed: Library) -> None:
        ids = of(indexed, *(f"{colour}.jpg" for colour in COLOURS))
        counts = []
        for some in (ids[:1], ids):
            statements: list[str] = []

            def note(_c: object, _u: object, text: str, *_: object, kept: list[str] = statements) -> None:
                kept.append(text)

            event.listen(indexed.database.engine, "before_cursor_execute", note)
            editor = indexed.editor()
            editor._sync = lambda: None
            editor.apply(
                some, Edit(caption=f"{len(some)} of them", tags=("one", "two"), rating=3, hidden=True), "an edit"
            )
            editor.undo(some)
            event.remove(indexed.database.engine, "before_cursor_execute", note)
            counts.append(len(statements))
        assert counts[0] == counts[1]


class TestAlbums:
    def test_photos_are_put_in_and_taken_out(self, indexed: Library) -> None:
        albums, ids = indexed.albums, of(indexed, "red.jpg", "blue.jpg")
        made, added = albums.put("Lisbon", ids)
        assert (made.name, added) == ("Lisbon", 2)
        assert albums.put("LISBON", [*ids, 999_999])[1] == 0
        assert [(each.name, each.photos) for each in albums.all()] == [("Lisbon", 2)]
        assert [each.name for each in albums.holding(ids[0])] == ["Lisbon"]
        assert albums.remove(made.id, ids[:1]) == 1
        assert albums.photos(made.id) == ids[1:]
        assert names(indexed.album_hits(made.id)) == ["blue.jpg"]

    def test_a_name_is_taken_once_whatever_its_case(self, indexed: Library) -> None:
        first = indexed.albums.add("Caf\u00e9")
        for name in ("cafe\u0301", "CAF\u00c9"):
            with pytest.raises(AlbumError, match="already"):
                indexed.albums.add(name)
        indexed.albums.rename(first.id, "cafe\u0301")
        for wrong in ("", "  ", "x" * 201, "a\x07b"):
            with pytest.raises(AlbumError):
                indexed.albums.rename(first.id, wrong)

    def test_a_hidden_photo_is_neither_counted_nor_shown(self, indexed: Library) -> None:
        albums, ids = indexed.albums, of(indexed, "red.jpg", "blue.jpg")
        made, _ = albums.put("Lisbon", ids[:1])
        albums.put("Lisbon", ids[1:])  # the last one is its cover
        cover = albums.all()[0].cover
        indexed.editor().apply(ids[1:], Edit(hidden=True))
        [shown] = albums.all()
        assert shown.photos == 1
        assert shown.cover != cover
        assert names(indexed.album_hits(made.id)) == ["red.jpg"]
        indexed.editor().apply(ids, Edit(hidden=True))
        assert [(each.photos, each.cover) for each in albums.all()] == [(0, None)]
        assert albums.photos(made.id) == ids  # they are still in it, and come back with the mark taken away

    def test_a_saved_search_takes_no_photos(self, indexed: Library) -> None:
        indexed.albums.add("Reds", "red")
        with pytest.raises(AlbumError, match="saved search"):
            indexed.albums.put("Reds", of(indexed, "red.jpg"))

    def test_deleting_leaves_photos_alone(self, indexed: Library) -> None:
        made, _ = indexed.albums.put("Lisbon", of(indexed, "red.jpg"))
        assert indexed.albums.delete(made.id)[1] == of(indexed, "red.jpg")
        assert indexed.albums.all() == []
        assert names(indexed.search("red", 1)) == ["red.jpg"]
        with pytest.raises(AlbumError):
            indexed.albums.delete(made.id)


class TestExchange:
    def test_all_of_it_goes_to_another_library_and_back(self, indexed: Library, tmp_path: Path) -> None:
        ids = of(indexed, "red.jpg", "blue.jpg", "green.jpg")
        indexed.editor().apply(ids[:1], Edit(rating=5, favourite=True))
        indexed.editor().apply(ids[1:2], Edit(hidden=True, review="later"))
        indexed.albums.put("Lisbon", ids[:2])
        indexed.albums.add("Reds", "red")
        indexed.albums.set_distinct(ids[1:])
        exported = lines(indexed)
        settings = Settings(tmp_path / "other", settle_seconds=0.0, backup_days=0.0, read_text="never")
        with Library(settings, lambda _: FakeCaptioner()) as other:
            report = other.exchange().read_lines(exported.splitlines(keepends=True))
            assert (report.bad, report.albums) == (0, 2)
            other.index(indexed.status().roots[0].path)
            assert lines(other) == exported
            assert other.exchange().read_lines(exported.splitlines(keepends=True)).changed == 0
            assert lines(other) == exported

    def test_the_newer_mark_counts_and_a_removal_too(self, indexed: Library) -> None:
        [number] = of(indexed, "red.jpg")
        indexed.editor().apply([number], Edit(rating=5, favourite=True))
        before = lines(indexed)
        indexed.editor().apply([number], Edit(rating=2, favourite=False))
        indexed.exchange().read_lines(before.splitlines(keepends=True))
        said = indexed.editor().said([number])[number]
        assert (said.rating, said.favourite) == (2, False)
        indexed.exchange().read_lines(before.splitlines(keepends=True), replace=True)
        said = indexed.editor().said([number])[number]
        assert (said.rating, said.favourite) == (5, True)

    @pytest.mark.parametrize(
        "line",
        [
            b'{"photoindex_export": 1, "kind": "album", "name": "", "created_at": "2020-01-01", "photos": []}',
            b'{"photoindex_export": 1, "kind": "album", "name": "a", "created_at": "2020-01-01", "photos": ["x"]}',
            b'{"photoindex_export": 1, "kind": "album", "name": "a", "created_at": "soon", "photos": []}',
            b'{"photoindex_export": 1, "kind": "distinct", "made_at": "2020-01-01", "photos": []}',
        ],
    )
    def test_a_bad_line_costs_itself(self, indexed: Library, line: bytes) -> None:
        good = b'{"photoindex_export": 1, "kind": "album", "name": "good", "created_at": "2020-01-01", "photos": []}'
        report = indexed.exchange().read_lines([line, good])
        assert (report.bad, report.albums) == (1, 1)


def test_a_group_that_is_no_duplicates_is_left_out(library: Library, album: Path) -> None:
    for name in ("one.jpg", "two.jpg"):
        make_photo(album / name, "red", note="same")
    library.index(album)
    [group] = library.duplicates()
    ids = [each.photo_id for each in group]
    assert library.albums.set_distinct([*ids, 999_999]) == 1
    with pytest.raises(AlbumError):
        library.albums.set_distinct([999_999])
    assert library.albums.set_distinct(ids) == 0
    assert library.duplicates() == []
    assert library.duplicates(decided=True) == [group]
    assert library.albums.set_distinct(ids, distinct=False) == 1
    assert library.duplicates() == [group]
