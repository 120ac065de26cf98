"""What people say of their photos: shown and found instead of the model's words, kept, and undone exactly."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photoindex.catalogue import photos
from photoindex.catalogue.editor import Edit, Editor, said_after
from photoindex.catalogue.user_metadata import Locked, UserMetadata, merged_tags, tag_key
from photoindex.errors import CatalogueUnavailable, CorrectionError, FolderError, FullTextError
from photoindex.library import Library
from tests.conftest import OpenLibrary
from tests.support import FakeCaptioner, make_photo, names, show

ON_BOTH = True

TEXTS = st.sampled_from(["Minka", "our cat", "a red square", "Lisbon"])
TAGS = st.lists(st.sampled_from(["Lisbon", "lisbon", "LISBON", "Minka", "cafe\u0301", "café"]), max_size=3).map(tuple)
FLAGS = st.sampled_from([None, True, False])
EDITS = st.builds(
    Edit, st.none() | TEXTS, TAGS, TAGS, st.booleans(), st.sampled_from([None, False]), st.none() | st.integers(-1, 5),
    FLAGS, FLAGS, st.sampled_from([None, "wrong", "later", ""]),
)  # fmt: skip


@pytest.fixture
def indexed(library: Library, album: Path) -> Library:
    make_photo(album / "a.jpg", "red")
    make_photo(album / "b.jpg", "blue")
    library.index(album)
    return library


def edit(library: Library, *paths: Path, **what: object) -> int:
    editor = library.editor()
    return editor.apply(editor.photos_at(paths), Edit(**what))  # type: ignore[arg-type]


class TestCaptions:
    def test_a_persons_caption_is_shown_and_found_at_once(self, indexed: Library, album: Path) -> None:
        assert edit(indexed, album / "a.jpg", caption="Minka  on the\nold sofa") == 1
        caption = show(indexed, album / "a.jpg").caption
        assert caption is not None
        assert (caption.text, caption.source) == ("Minka on the old sofa", "user")
        assert names(indexed.search("minka")) == ["a.jpg"]
        assert indexed.search("caption:square")[0].path == album / "b.jpg"
        assert len(indexed.search("caption:square")) == 1

    def test_the_models_caption_is_kept_beneath_and_comes_back(self, indexed: Library, album: Path) -> None:
        edit(indexed, album / "a.jpg", caption="Minka", tags=("cat",))
        assert [caption.text for caption in show(indexed, album / "a.jpg").overruled] == ["a red square"]
        edit(indexed, album / "a.jpg", clear=True)
        photo = show(indexed, album / "a.jpg")
        assert photo.caption is not None
        assert (photo.caption.text, photo.caption.source, photo.tags) == ("a red square", "model", ())
        assert [caption.text for caption in photo.history] == ["Minka"]
        assert indexed.search("minka") == []
        assert names(indexed.search("caption:square")) == ["a.jpg", "b.jpg"]

    @pytest.mark.parametrize("words", ["", " \n ", "x" * 10_001, "a\x00b", "a\x1bb", "\ud800", "\uffff"])
    def test_words_that_cannot_be_kept_are_refused_on_one_line(self, words: str) -> None:
        with pytest.raises(CorrectionError) as caught:
            Edit(caption=words)
        assert "\n" not in str(caught.value)

    def test_a_model_never_overwrites_it(self, indexed: Library, open_library: OpenLibrary, album: Path) -> None:
        edit(indexed, album / "a.jpg", caption="Minka", tags=("cat",))
        with open_library(FakeCaptioner("fake-2", shape="circle")) as other:
            assert other.recaption(everything=True).captioned == 2
            photo = show(other, album / "a.jpg")
            assert photo.caption is not None
            assert (photo.caption.text, photo.tags) == ("Minka", ("cat",))
            assert [caption.text for caption in photo.overruled] == ["a red circle"]
            assert names(other.search("minka cat")) == ["a.jpg"]

    def test_a_persons_word_comes_before_the_models_surest(
        self, indexed: Library, open_library: OpenLibrary, album: Path
    ) -> None:
        make_photo(album / "c.jpg", "red")
        indexed.index(album)
        assert indexed.search("red")[-1].path != album / "b.jpg"
        edit(indexed, album / "b.jpg", caption="the red one")
        hit = indexed.search("red")[0]
        assert hit.path == album / "b.jpg"
        assert sum(reason.weight for reason in hit.matched) == pytest.approx(hit.score, abs=1e-4)
        assert {reason.layer for reason in hit.matched} == {"caption", "person"}

    def test_a_tag_does_so_as_well_and_can_be_asked_for(self, indexed: Library, album: Path) -> None:
        edit(indexed, album / "b.jpg", tags=("Red", "holiday"))
        assert indexed.search("red")[0].path == album / "b.jpg"
        assert names(indexed.search("tag:red")) == ["b.jpg"]
        assert names(indexed.search("label:holiday")) == ["b.jpg"]


class TestTags:
    @pytest.mark.parametrize(
        ("one", "other"), [("Lisbon", "LISBON"), ("café", "cafe\u0301"), ("Straße", "STRASSE"), ("Å", "a\u030a")]
    )
    def test_case_and_encoding_make_no_other_tag(self, one: str, other: str) -> None:
        assert tag_key(one) == tag_key(other)
        assert merged_tags([one], [other]) == (one,)

    def test_they_keep_their_case_and_come_off_in_any(self, indexed: Library, album: Path) -> None:
        edit(indexed, album / "a.jpg", tags=("Lisbon", "Minka", "lisbon"))
        assert show(indexed, album / "a.jpg").tags == ("Lisbon", "Minka")
        edit(indexed, album / "a.jpg", untags=("LISBON",), tags=("lisboa",))
        assert show(indexed, album / "a.jpg").tags == ("Minka", "lisboa")

    def test_nothing_changes_where_there_is_nothing_to_change(self, indexed: Library, album: Path) -> None:
        edit(indexed, album / "a.jpg", tags=("Lisbon",))
        assert edit(indexed, album / "a.jpg", album / "b.jpg", tags=("lisbon",)) == 1
        photo_id = show(indexed, album / "a.jpg").id
        assert len(indexed.editor().history([photo_id])[photo_id]) == 1


class TestLocks:
    def test_a_locked_caption_stays_whatever_the_model_or_a_sidecar_says(
        self, indexed: Library, open_library: OpenLibrary, album: Path
    ) -> None:
        edit(indexed, album / "a.jpg", lock=True)
        with open_library(FakeCaptioner("fake-2", shape="circle")) as other:
            other.recaption()
            say_in_sidecar(other, show(other, album / "a.jpg").id, "from a sidecar")
            photo = show(other, album / "a.jpg")
            assert photo.caption is not None
            assert (photo.caption.text, photo.caption.locked, photo.caption.model) == ("a red square", True, "fake-1")
            assert {caption.text for caption in photo.overruled} == {"a red circle", "from a sidecar"}
            assert "a red square" not in [caption.text for caption in photo.history]
            edit(other, album / "a.jpg", lock=False)
            assert show(other, album / "a.jpg").caption.text == "from a sidecar"  # type: ignore[union-attr]

    def test_the_person_may_change_it_and_the_lock_goes_along(self, indexed: Library, album: Path) -> None:
        edit(indexed, album / "a.jpg", lock=True)
        edit(indexed, album / "a.jpg", caption="Minka")
        caption = show(indexed, album / "a.jpg").caption
        assert caption is not None
        assert (caption.text, caption.locked) == ("Minka", True)

    def test_what_is_cleared_is_no_longer_locked(self, indexed: Library, album: Path) -> None:
        edit(indexed, album / "a.jpg", caption="Minka", lock=True)
        edit(indexed, album / "a.jpg", clear=True)
        caption = show(indexed, album / "a.jpg").caption
        assert caption is not None
        assert (caption.text, caption.locked) == ("a red square", False)

    def test_clear_and_lock_at_once_can_be_undone(self, indexed: Library, album: Path) -> None:
        edit(indexed, album / "a.jpg", caption="Minka", lock=True)
        edit(indexed, album / "a.jpg", clear=True, lock=True)
        photo = show(indexed, album / "a.jpg")
        assert photo.caption is not None
        assert (photo.caption.text, photo.caption.locked) == ("a red square", True)
        indexed.editor().undo([photo.id])
        caption = show(indexed, album / "a.jpg").caption
        assert caption is not None
        assert (caption.text, caption.locked) == ("Minka", True)


def say_in_sidecar(library: Library, photo_id: int, words: str) -> None:
    from sqlalchemy import insert

    from photoindex.catalogue.schema import caption

    with library._database.write() as connection:
        connection.execute(
            insert(caption).values(
                photo_id=photo_id, text=words, source="sidecar", rank=0, current=True,
                created_at=datetime.now(timezone.utc),
            )
        )  # fmt: skip
        photos.mark_text_stale(connection, [photo_id])


class TestUndo:
    def test_it_goes_back_one_edit_at_a_time_and_keeps_the_history(self, indexed: Library, album: Path) -> None:
        path = album / "a.jpg"
        edit(indexed, path, caption="Minka")
        first = show(indexed, path).caption
        edit(indexed, path, caption="Minka and Mio", tags=("cats",), lock=True)
        editor, photo_id = indexed.editor(), show(indexed, path).id
        editor.undo([photo_id])
        photo = show(indexed, path)
        assert (photo.caption, photo.tags) == (first, ())
        assert names(indexed.search("mio")) == []
        assert names(indexed.search("minka")) == ["a.jpg"]
        editor.undo([photo_id])
        assert show(indexed, path).caption.source == "model"  # type: ignore[union-attr]
        assert editor.undo([photo_id]) == {}
        changes = editor.history([photo_id])[photo_id]
        assert [(change.kind, change.old, change.new) for change in changes] == [
            ("caption", None, "Minka"),
            ("caption", "Minka", "Minka and Mio"),
            ("tags", (), ("cats",)),
            ("lock", None, "Minka and Mio"),
        ]
        assert all(change.undone_at is not None for change in changes)

    def test_an_edit_is_undone_once_and_takes_no_older_one_with_it(self, indexed: Library, album: Path) -> None:
        """Two undo it at once: both have looked whose last edit it is before either has undone it."""
        editor = indexed.editor()
        [photo_id] = editor.photos_at([album / "a.jpg"])
        editor.apply([photo_id], Edit(caption="Minka"), "older")
        editor.apply([photo_id], Edit(favourite=True), "newer")
        other, write = Editor(indexed._database), indexed._database.write

        def write_after_the_other(**options: bool) -> Any:
            indexed._database.write = write  # type: ignore[method-assign]
            assert list(other.undo_edit("newer")) == [photo_id]
            return write(**options)

        indexed._database.write = write_after_the_other  # type: ignore[method-assign]
        assert editor.undo_edit("newer") == {}
        said = editor.said([photo_id])[photo_id]
        assert (said.caption, said.favourite) == ("Minka", False)

    def test_it_touches_only_the_photos_named(self, indexed: Library, album: Path) -> None:
        edit(indexed, album / "a.jpg", album / "b.jpg", tags=("Lisbon",))
        editor = indexed.editor()
        assert list(editor.undo(editor.photos_at([album / "b.jpg"]))) == [show(indexed, album / "b.jpg").id]
        assert names(indexed.search("tag:lisbon")) == ["a.jpg"]

    @settings(max_examples=25, deadline=None)
    @given(edits=st.lists(EDITS, max_size=5), locks=st.lists(st.booleans(), min_size=5, max_size=5))
    def test_whatever_was_edited_undoing_it_all_brings_back_what_was(
        self, edits: list[Edit], locks: list[bool]
    ) -> None:
        """In a catalogue of its own for each example."""
        import tempfile

        from photoindex.catalogue.opening import open_database
        from tests.support import add_files, add_photo

        with tempfile.TemporaryDirectory() as folder:
            database = open_database(Path(folder, "catalogue.sqlite3"))
            try:
                add_files(database, Path(folder), "a.jpg")
                photo_id = add_photo(database, Path(folder, "a.jpg"))
                clock = iter(datetime(2024, 1, 1, tzinfo=timezone.utc) + timedelta(n) for n in range(1000))
                editor = Editor(database, now=lambda: next(clock))
                states = [editor.said([photo_id])[photo_id]]
                for change, lock in zip(edits, locks, strict=False):
                    changed = editor.apply([photo_id], Edit(
                        change.caption, change.tags, change.untags, change.clear, True if lock else change.lock
                    ))  # fmt: skip
                    if changed:
                        states.append(editor.said([photo_id])[photo_id])
                for state in reversed(states):
                    assert editor.said([photo_id])[photo_id] == state
                    editor.undo([photo_id])
                assert editor.undo([photo_id]) == {}
            finally:
                database.close()


class TestSaidAfter:
    def test_clear_comes_before_what_is_added(self) -> None:
        before = UserMetadata("old", ("one", "two"), Locked("user", "old"))
        assert said_after(Edit("new", ("three",), clear=True), before) == UserMetadata(
            "new", ("three",), Locked("user", "new")
        )

    def test_a_lock_on_the_models_caption_stays_when_tags_are_cleared(self) -> None:
        before = UserMetadata(None, ("one",), Locked("model", "a dog"))
        assert said_after(Edit(clear=True), before) == UserMetadata(None, (), Locked("model", "a dog"))


class TestPhotosAt:
    def test_copies_are_one_photo(self, indexed: Library, album: Path) -> None:
        (album / "copy.jpg").write_bytes((album / "a.jpg").read_bytes())
        indexed.index(album)
        assert len(indexed.editor().photos_at([album / "a.jpg", album / "copy.jpg", album / "a.jpg"])) == 1

    def test_strangers_and_folders_are_refused_on_one_line(self, indexed: Library, album: Path) -> None:
        for path, words in ((album, "is a folder"), (album / "no.jpg", "not in the library")):
            with pytest.raises(FolderError, match=words) as caught:
                indexed.editor().photos_at([album / "a.jpg", path])
            assert "\n" not in str(caught.value)


@pytest.mark.sqlite
def test_an_edit_is_kept_when_the_index_cannot_be_written(indexed: Library, album: Path) -> None:
    def refuse() -> None:
        raise FullTextError("another process is writing")

    editor = Editor(indexed._database, refuse)
    with pytest.raises(FullTextError):
        editor.apply(editor.photos_at([album / "a.jpg"]), Edit(caption="Minka"))
    assert indexed.search("minka") == []
    indexed.index(album)
    assert names(indexed.search("minka")) == ["a.jpg"]


class TestManyPhotos:
    """More than one transaction takes: here two of one photo each."""

    @pytest.fixture(autouse=True)
    def _one_a_transaction(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("photoindex.catalogue.editor.SET", 1)

    def test_they_are_one_edit(self, indexed: Library, album: Path) -> None:
        editor = indexed.editor()
        both = editor.photos_at([album / "a.jpg", album / "b.jpg"])
        assert editor.apply(both, Edit(tags=("Lisbon",), rating=3), "one") == 2
        assert names(indexed.search("tag:lisbon rating:3")) == ["a.jpg", "b.jpg"]
        assert set(editor.undo_edit("one")) == set(both)
        assert names(indexed.search("tag:lisbon")) == []

    @pytest.mark.parametrize(
        "change",
        [Edit(favourite=True), Edit(tags=("Lisbon",)), Edit(caption="Minka"), Edit(rating=3), Edit(lock=True)],
        ids=str,
    )
    def test_those_that_are_gone_since_keep_no_other_back(self, indexed: Library, album: Path, change: Edit) -> None:
        editor = indexed.editor()
        both = editor.photos_at([album / "a.jpg", album / "b.jpg"])
        assert editor.apply([999_998, both[0], 999_999, both[1]], change, "one") == 2
        assert editor.apply([999_999], change) == 0
        assert set(editor.undo_edit("one")) == set(both)

    def test_others_write_in_between(self, indexed: Library, album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        editor, write, taken = indexed.editor(), indexed._database.write, []

        def counted(**options: bool) -> object:
            taken.append(1)
            return write(**options)

        monkeypatch.setattr(indexed._database, "write", counted)
        editor = Editor(indexed._database)
        editor.apply(editor.photos_at([album / "a.jpg", album / "b.jpg"]), Edit(favourite=True))
        assert len(taken) == 2

    def test_what_fails_in_the_middle_says_so_and_again_does_the_rest(
        self, indexed: Library, album: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        editor = Editor(indexed._database)
        both = editor.photos_at([album / "a.jpg", album / "b.jpg"])
        write, times = indexed._database.write, iter([True, False])

        def failing(**options: bool) -> object:
            if next(times):
                return write(**options)
            raise CatalogueUnavailable("the disk is full")

        with monkeypatch.context() as patched:
            patched.setattr(indexed._database, "write", failing)
            with pytest.raises(CatalogueUnavailable, match=r"the disk is full \(1 of 2 photos were edited before"):
                editor.apply(both, Edit(rating=4))
        assert editor.apply(both, Edit(rating=4)) == 1

    def test_a_lock_on_a_photo_without_a_caption_changes_none(self, indexed: Library, album: Path) -> None:
        editor = indexed.editor()
        both = editor.photos_at([album / "a.jpg", album / "b.jpg"])
        with indexed._database.write() as connection:
            connection.exec_driver_sql(f"delete from caption where photo_id = {both[1]}")
        with pytest.raises(CorrectionError, match="without a caption"):
            editor.apply(both, Edit(lock=True))
        assert editor.history(both) == {}
