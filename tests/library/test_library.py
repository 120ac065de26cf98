"""The library's answers that need learned terms: searching by them, showing them, and photos like one another."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import update

from photoindex.catalogue.schema import caption
from photoindex.errors import FolderError, QueryError
from photoindex.indexing import hashing
from photoindex.library import Library
from photoindex.search.terms import index as term_index
from photoindex.system.file_state import sha256_of
from tests.conftest import OpenLibrary
from tests.support import FakeCaptioner, make_photo, names

ON_BOTH = True


@pytest.fixture
def indexed(library: Library, album: Path) -> Library:
    for name, colour in (("a.jpg", "red"), ("b.jpg", "red"), ("c.jpg", "yellow"), ("d.jpg", "blue")):
        make_photo(album / name, colour)
    library.index(album)
    return library


class TestSearch:
    def test_a_word_of_no_caption_finds_photos_by_their_terms(self, indexed: Library) -> None:
        hits = indexed.search("warm")
        assert names(hits) == ["a.jpg", "b.jpg", "c.jpg"]
        assert [(reason.layer, reason.word) for reason in hits[0].matched] == [("terms", "warm")]

    def test_what_nobody_has_is_not_found(self, indexed: Library) -> None:
        assert indexed.search("xylophone") == []

    def test_a_photo_that_is_gone_is_not_found_by_its_terms(self, indexed: Library, album: Path) -> None:
        (album / "a.jpg").unlink()
        indexed.index(album)
        assert names(indexed.search("warm")) == ["b.jpg", "c.jpg"]
        assert names(indexed.like(album / "b.jpg")) == ["c.jpg", "d.jpg"]

    def test_another_models_captions_change_what_is_found(
        self, indexed: Library, open_library: OpenLibrary, album: Path
    ) -> None:
        other = FakeCaptioner("fake-2", shape="circle")
        other.terms = None
        with open_library(other) as library:
            library.recaption()
            assert library.search("warm") == []
        third = FakeCaptioner("fake-3", shape="circle")
        with open_library(third) as library:
            make_photo(album / "e.jpg", "red")
            library.index(album)
            assert names(library.search("warm")) == ["e.jpg"]

    def test_a_library_that_was_killed_before_the_matrix_was_made_finds_the_same(
        self, indexed: Library, open_library: OpenLibrary, album: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        indexed.rebuild_full_text()
        assert list(indexed.settings.terms_path.iterdir())
        monkeypatch.setattr(term_index, "tidy", lambda *_, **__: False)
        make_photo(album / "e.jpg", "yellow")
        indexed.index(album)
        assert names(open_library().search("warm")) == ["a.jpg", "b.jpg", "c.jpg", "e.jpg"]

    def test_without_any_terms_words_find_as_ever(self, open_library: OpenLibrary, album: Path) -> None:
        captioner = FakeCaptioner()
        captioner.terms = None
        make_photo(album / "a.jpg", "red")
        with open_library(captioner) as library:
            library.index(album)
            assert names(library.search("red")) == ["a.jpg"]
            assert library.search("warm") == []
            with pytest.raises(FolderError, match="compare it by"):
                library.like(album / "a.jpg")
            assert not library.settings.terms_path.exists()


class TestLike:
    def test_the_most_similar_come_first_and_the_photo_itself_never(self, indexed: Library, album: Path) -> None:
        hits = indexed.like(album / "a.jpg")
        assert [hit.path.name for hit in hits] == ["b.jpg", "c.jpg", "d.jpg"]
        assert hits[0].score == pytest.approx(1.0)
        assert hits[1].score > hits[2].score > 0
        for hit in hits:
            assert sum(reason.weight for reason in hit.matched) == pytest.approx(hit.score, abs=1e-5)
        assert {reason.word for reason in hits[1].matched} == {"warm", "square"}

    def test_the_limit_cuts_the_list(self, indexed: Library, album: Path) -> None:
        assert [hit.path.name for hit in indexed.like(album / "a.jpg", 1)] == ["b.jpg"]
        assert len(indexed.like(album / "a.jpg", None)) == 3

    def test_a_query_says_among_which(self, indexed: Library, album: Path) -> None:
        assert [hit.path.name for hit in indexed.like(album / "a.jpg", query="square -red")] == ["c.jpg", "d.jpg"]
        assert indexed.like(album / "a.jpg", query="xylophone") == []
        with pytest.raises(QueryError):
            indexed.like(album / "a.jpg", query="the of")

    def test_a_file_the_library_does_not_know_is_refused_on_one_line(self, indexed: Library, tmp_path: Path) -> None:
        with pytest.raises(FolderError, match="not in the library") as caught:
            indexed.like(tmp_path / "strange.jpg")
        assert "\n" not in str(caught.value)

    def test_a_photo_without_a_caption_is_not_among_them(self, indexed: Library, album: Path) -> None:
        photo = indexed.show(album / "b.jpg")
        assert photo is not None
        with indexed._database.write() as connection:
            connection.execute(update(caption).where(caption.c.photo_id == photo.id).values(current=False))
        assert [hit.path.name for hit in indexed.like(album / "a.jpg")] == ["c.jpg", "d.jpg"]


class TestShow:
    def test_the_learned_terms_come_behind_the_labels(self, indexed: Library, album: Path) -> None:
        photo = indexed.show(album / "a.jpg")
        assert photo is not None
        assert [(term.text, term.source) for term in photo.terms] == [
            ("paint", "label"), ("red", "model"), ("red squar", "model"), ("warm", "model"), ("squar", "model"),
        ]  # fmt: skip
        assert photo.terms[1].weight == pytest.approx(2.0)


def test_the_status_counts_the_matrix(indexed: Library) -> None:
    before = indexed.status().index_bytes
    term_index.rebuild(indexed._database, indexed.settings.terms_path)
    [matrix] = indexed.settings.terms_path.iterdir()
    assert indexed.status().index_bytes == before + matrix.stat().st_size


def test_a_photo_is_captioned_again_by_a_copy_that_is_there(
    library: Library, open_library: OpenLibrary, album: Path, tmp_path: Path
) -> None:
    backup = tmp_path / "backup"
    for place in (album, backup):
        make_photo(place / "a.jpg", note="the same")
    make_photo(album / "b.jpg", "blue")
    library.index(album, backup)
    album.rename(tmp_path / "away")
    with open_library(FakeCaptioner("fake-2")) as other:
        assert other.recaption().captioned == 1
        assert other.status().jobs["queued"] + other.status().jobs["retrying"] == 1  # the photo without a copy waits


def refuse_to_read(patch: pytest.MonkeyPatch, *closed: Path) -> None:
    def refusing(path: Path) -> str:
        if path in closed:
            raise PermissionError(13, "Permission denied", str(path))
        return sha256_of(path)

    patch.setattr(hashing, "sha256_of", refusing)


@pytest.mark.parametrize("trouble", ["unreadable", "removed", "a folder now"])
@pytest.mark.parametrize("bad", [(0,), (1,), (0, 1), (0, 1, 2)], ids=str)
def test_a_photo_is_captioned_again_by_whichever_copy_can_be_read(
    library: Library,
    open_library: OpenLibrary,
    album: Path,
    monkeypatch: pytest.MonkeyPatch,
    trouble: str,
    bad: tuple[int, ...],
) -> None:
    copies = [make_photo(album / folder / "a.jpg", note="the same") for folder in ("one", "two", "three")]
    library.index(album)
    for path in [copies[number] for number in bad]:
        if trouble == "unreadable":
            refuse_to_read(monkeypatch, *[copies[number] for number in bad])
        else:
            path.unlink()
        if trouble == "a folder now":
            path.mkdir()
    all_bad = len(bad) == len(copies)
    with open_library(FakeCaptioner("fake-2")) as other:
        tally = other.recaption()
        assert (tally.captioned, tally.failed) == (not all_bad, all_bad and trouble == "unreadable")
        assert len(other.failures()) == tally.failed
        jobs = other.status().jobs
        # In a catalogue of many machines a photo that is gone waits for the process that compares its folder to say so.
        waits = all_bad and trouble != "unreadable" and other._database.is_shared
        assert (jobs["queued"], jobs["running"], jobs["retrying"]) == (waits, 0, tally.failed)
        (batch,) = other.batches.find(ended=True)
        assert (batch.done, batch.left) == (not all_bad, tally.failed + waits)
    library.index(album)
    assert library.status().jobs["queued"] == 0


def test_a_new_copy_that_cannot_be_read_is_a_failure_of_its_own(
    library: Library, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_photo(album / "a.jpg", note="the same")
    library.index(album)
    copy = make_photo(album / "b.jpg", note="the same")
    refuse_to_read(monkeypatch, copy)
    assert [failure.path for failure in library.index(album).failures] == [copy]
