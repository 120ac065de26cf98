"""Metadata of photos that are known already: read again when it may have changed, and never captioned for it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select, update

from photoindex.catalogue import metadata
from photoindex.catalogue.database import Database
from photoindex.catalogue.schema import file, photo
from photoindex.catalogue.sqlite_database import SqliteDatabase
from photoindex.indexing import metadata_refresh
from photoindex.indexing.metadata_refresh import MOST_PROBLEMS
from photoindex.library import Library
from photoindex.media.metadata.reader_version import READER_VERSION
from photoindex.system.file_state import numbers_of
from photoindex.types import PhotoFacts, Progress
from tests.conftest import OpenLibrary
from tests.indexing.test_watcher import PATIENCE, Watch
from tests.media.metadata.samples import bag, described, packet, takeout
from tests.support import FakeCaptioner, add_files, make_photo, names, show

ON_BOTH = True

HARBOUR = described("A boat near the pier", "harbour", "Setúbal")


def keywords(library: Library, path: Path) -> list[str]:
    return [term.text for term in show(library, path).terms if term.source == "keyword"]


class TestSidecars:
    def test_one_that_is_there_from_the_start_is_read_with_the_photo(self, library: Library, album: Path) -> None:
        path = make_photo(album / "a.jpg")
        (album / "a.xmp").write_bytes(HARBOUR)

        report = library.index(album)

        assert (report.captioned, report.refreshed) == (1, 0)
        caption = show(library, path).caption
        assert caption is not None
        assert (caption.text, caption.source) == ("A boat near the pier", "sidecar")
        assert keywords(library, path) == ["harbour", "Setúbal"]
        assert library.index(album).refreshed == 0

    @pytest.mark.parametrize("name", ["a.xmp", "a.jpg.xmp", "A.XMP"])
    def test_one_that_comes_changes_and_goes_is_followed_without_captioning(
        self, library: Library, captioner: FakeCaptioner, album: Path, name: str
    ) -> None:
        path = make_photo(album / "a.jpg")
        library.index(album)
        captions = len(captioner.captions)

        (album / name).write_bytes(HARBOUR)
        assert library.index(album).refreshed == 1
        assert names(library.search("harbour")) == ["a.jpg"]
        assert [hit.caption_source for hit in library.search("boat")] == ["sidecar"]

        (album / name).write_bytes(described("A lighthouse", "cape"))
        assert library.index(album).refreshed == 1
        assert names(library.search("harbour")) == []
        assert names(library.search("lighthouse cape")) == ["a.jpg"]
        assert [old.text for old in show(library, path).history] == ["A boat near the pier"]

        (album / name).unlink()
        assert library.index(album).refreshed == 1
        assert names(library.search("lighthouse")) == []
        assert [hit.caption for hit in library.search("red")] == ["a red square"]
        assert library.index(album).refreshed == 0
        assert len(captioner.captions) == captions

    def test_of_a_raw_file_and_its_jpeg_both_get_the_words(self, library: Library, album: Path) -> None:
        for name in ("a.jpg", "a.png", "b.jpg"):
            make_photo(album / name)
        (album / "a.xmp").write_bytes(HARBOUR)
        library.index(album)

        assert names(library.search("harbour")) == ["a.jpg", "a.png"]

    def test_copies_of_a_photo_have_the_words_of_all_their_sidecars(self, library: Library, album: Path) -> None:
        path = make_photo(album / "a.jpg")
        (album / "b").mkdir()
        (album / "a.xmp").write_bytes(HARBOUR)
        library.index(album)

        shutil.copy(path, album / "b" / "copy.jpg")
        (album / "b" / "copy.xmp").write_bytes(described("other words", "storm"))
        report = library.index(album)

        assert (report.captioned, report.recognised, report.refreshed) == (0, 1, 1)
        assert keywords(library, path) == ["harbour", "Setúbal", "storm"]
        assert library.index(album).refreshed == 0

    def test_a_photo_that_is_moved_away_from_its_sidecar_loses_its_words(self, library: Library, album: Path) -> None:
        path = make_photo(album / "a.jpg")
        (album / "a.xmp").write_bytes(HARBOUR)
        library.index(album)

        path.rename(album / "b.jpg")
        library.index(album)
        library.index(album)

        assert names(library.search("harbour")) == []
        assert keywords(library, album / "b.jpg") == []

    def test_a_single_photo_named_by_the_user_has_its_sidecar(self, library: Library, album: Path) -> None:
        path = make_photo(album / "a.jpg")
        library.index(path)
        (album / "a.xmp").write_bytes(HARBOUR)

        assert library.index(path).refreshed == 1
        assert keywords(library, path) == ["harbour", "Setúbal"]

    def test_a_broken_one_is_told_in_a_line_and_the_photo_is_indexed(self, library: Library, album: Path) -> None:
        make_photo(album / "a.jpg")
        (album / "a.xmp").write_bytes(HARBOUR[:100])
        told: list[str] = []

        report = library.index(album, notice=told.append)

        assert (report.captioned, report.failed) == (1, 0)
        assert [line.startswith(f"cannot read the sidecar {album / 'a.xmp'}") for line in told] == [True]

        (album / "a.xmp").write_bytes(HARBOUR)
        assert library.index(album, notice=told.append).refreshed == 1
        assert len(told) == 1
        assert names(library.search("harbour")) == ["a.jpg"]

    def test_of_many_broken_ones_only_some_are_told(self, library: Library, album: Path) -> None:
        for number in range(MOST_PROBLEMS + 3):
            make_photo(album / f"{number}.jpg")
            (album / f"{number}.xmp").write_bytes(b"broken")
        told: list[str] = []

        library.index(album, notice=told.append)

        assert len(told) == MOST_PROBLEMS + 1
        assert told[-1] == "3 more photos have metadata that cannot be read"


class TestTakeout:
    """The JSON that Google Takeout puts beside photos is followed as XMP is."""

    def test_one_that_comes_changes_and_goes_is_followed_without_captioning(
        self, library: Library, captioner: FakeCaptioner, album: Path
    ) -> None:
        path = make_photo(album / "IMG_1.jpg")
        edited = make_photo(album / "IMG_1-edited.jpg", colour="blue")
        json_file = album / "IMG_1.jpg.supplemental-metadata.json"
        library.index(album)
        captions = len(captioner.captions)

        json_file.write_bytes(takeout("A boat near the pier", favorited=True, people=[{"name": "Ana Sousa"}]))
        assert library.index(album).refreshed == 2
        assert names(library.search("boat tag:favorite person:ana")) == ["IMG_1-edited.jpg", "IMG_1.jpg"]
        assert [hit.caption_source for hit in library.search("pier")] == ["sidecar", "sidecar"]
        assert names(library.search("taken:2019-07-04")) == ["IMG_1-edited.jpg", "IMG_1.jpg"]
        assert library.index(album).refreshed == 0

        json_file.write_bytes(takeout("A lighthouse"))
        (album / "IMG_1-edited.jpg.json").write_bytes(takeout("A lighthouse in blue"))
        assert library.index(album).refreshed == 2
        assert names(library.search("tag:favorite")) == []
        assert show(library, edited).caption != show(library, path).caption

        json_file.unlink()
        assert library.index(album).refreshed == 1
        assert names(library.search("lighthouse")) == ["IMG_1-edited.jpg"]
        assert len(captioner.captions) == captions

    def test_a_broken_one_is_told_in_a_line_and_the_photo_is_indexed(self, library: Library, album: Path) -> None:
        make_photo(album / "a.jpg")
        (album / "a.jpg.json").write_bytes(b"[" * 100_000)
        told: list[str] = []

        report = library.index(album, notice=told.append)

        assert (report.captioned, report.failed) == (1, 0)
        assert [line.startswith(f"cannot read the sidecar {album / 'a.jpg.json'}: ") for line in told] == [True]


class TestNames:
    def test_a_photo_that_gets_a_date_by_its_new_name(self, library: Library, album: Path) -> None:
        make_photo(album / "a.jpg").rename(album / "b.jpg")
        library.index(album)
        assert library.search("has:date red") == []

        (album / "b.jpg").rename(album / "IMG_20190704_123456.jpg")
        library.index(album)

        assert names(library.search("taken:2019-07-04")) == ["IMG_20190704_123456.jpg"]

    def test_a_files_own_time_is_shown_but_is_no_date_to_search_by(self, library: Library, album: Path) -> None:
        path = make_photo(album / "a.jpg")
        os.utime(path, (1_200_000_000, 1_200_000_000))
        library.index(album)

        [hit] = library.search("red")
        assert hit.taken_at is not None
        assert (hit.taken_at.year, hit.facts and hit.facts.taken_source) == (2008, "mtime")
        assert library.search("taken:2008") == library.search("has:date") == []


class TestOlderLibraries:
    @pytest.mark.sqlite
    def test_photos_from_before_are_read_once_without_captioning(
        self, library: Library, database: SqliteDatabase, captioner: FakeCaptioner, album: Path
    ) -> None:
        for name in ("a.jpg", "b.jpg"):
            make_photo(album / name)
        (album / "a.xmp").write_bytes(HARBOUR)
        library.index(album)
        captions = len(captioner.captions)
        with closing(sqlite3.connect(database.path)) as connection, connection:
            connection.execute("update photo set metadata_stale = 1, taken_at = null, taken_source = null")
            connection.execute("update file set sidecars = ''")
            connection.execute("delete from term")
            connection.execute("delete from caption where source = 'sidecar'")

        report = library.index(album)

        assert (report.refreshed, report.captioned) == (2, 0)
        assert keywords(library, album / "a.jpg") == ["harbour", "Setúbal"]
        assert len(captioner.captions) == captions
        assert library.index(album).refreshed == 0

    def test_a_photo_that_is_away_is_read_when_it_is_back(
        self, library: Library, database: Database, album: Path, tmp_path: Path
    ) -> None:
        path = make_photo(album / "a.jpg")
        library.index(album)
        path.rename(tmp_path / "away.jpg")
        library.index(album)
        with database.write() as connection:
            connection.execute(update(photo).values(metadata_stale=1, format="?"))
        assert library.index(album).refreshed == 0

        (tmp_path / "away.jpg").rename(path)

        assert library.index(album).refreshed == 1
        facts = show(library, path).facts
        assert facts is not None
        assert facts.format == "JPEG"

    def test_a_mark_set_while_a_photo_was_read_stays(
        self, library: Library, database: Database, album: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make_photo(album / "a.jpg")
        library.index(album)
        with database.write() as connection:
            connection.execute(update(photo).values(metadata_stale=1))
        store = metadata.save_facts

        def overtaken(connection: Connection, facts: Mapping[int, PhotoFacts]) -> None:
            monkeypatch.undo()
            connection.execute(update(photo).values(metadata_stale=2))
            store(connection, facts)

        monkeypatch.setattr(metadata, "save_facts", overtaken)
        # Both looks of one run: the second finds the mark that the first was overtaken by.
        assert library.index(album).refreshed == 2
        with database.read() as connection:
            assert connection.execute(select(func.count()).where(photo.c.metadata_stale != 0)).scalar() == 0

    def test_a_photo_that_cannot_be_read_keeps_what_was_known(
        self, library: Library, database: Database, album: Path
    ) -> None:
        path = make_photo(album / "a.jpg")
        (album / "a.xmp").write_bytes(HARBOUR)
        library.index(album)
        state = path.stat()
        path.write_bytes(b"x" * state.st_size)
        with database.write() as connection:
            connection.execute(update(photo).values(metadata_stale=1))
            # As if its bytes had gone bad on the disk, which no number tells.
            size, mtime_ns, _, ctime_ns = numbers_of(path.stat())
            connection.execute(update(file).values(size=size, mtime_ns=mtime_ns, ctime_ns=ctime_ns))
        told: list[str] = []

        library.index(album, notice=told.append)

        assert names(library.search("harbour")) == ["a.jpg"]
        assert ["the metadata of a photo is left as it was" in line for line in told] == [True]

    @pytest.mark.parametrize("copies", [1, 2])
    def test_a_file_that_goes_before_it_is_read_is_missing_and_no_trouble(
        self, library: Library, database: Database, album: Path, monkeypatch: pytest.MonkeyPatch, copies: int
    ) -> None:
        """As when a folder is renamed while the metadata of its photos are read again."""
        going = make_photo(album / "a" / "a.jpg")
        for folder in ("a", "b")[:copies]:
            (album / folder).mkdir(exist_ok=True)
            (album / folder / "a.xmp").write_bytes(HARBOUR)
            (album / folder / "a.jpg").write_bytes(going.read_bytes())
        library.index(album)
        with database.write() as connection:
            connection.execute(update(photo).values(metadata_stale=1))
        real = metadata_refresh._worth_reading

        def chosen(paths: Sequence[Path]) -> list[Path]:
            found = real(paths)
            going.unlink(missing_ok=True)
            return found

        told: list[str] = []
        monkeypatch.setattr(metadata_refresh, "_worth_reading", chosen)
        library.index(album, notice=told.append)
        assert told == []
        library.index(album)
        assert names(library.search("harbour")) == ["a.jpg"] * (copies - 1)


class TestWatching:
    @pytest.fixture
    def watch(self, open_library: OpenLibrary, album: Path) -> Iterator[Watch]:
        make_photo(album / "a.jpg")
        with ExitStack() as stack:
            watching = Watch(open_library(), album)
            stack.callback(watching.end)
            watching.ready.get(timeout=PATIENCE)
            yield watching

    def test_a_sidecar_that_comes_changes_and_goes(
        self, watch: Watch, open_library: OpenLibrary, captioner: FakeCaptioner, album: Path
    ) -> None:
        (album / "a.part").write_bytes(HARBOUR)
        (album / "a.part").rename(album / "a.xmp")
        assert watch.worked.get(timeout=PATIENCE).refreshed == 1
        assert names(open_library().search("harbour")) == ["a.jpg"]

        (album / "a.xmp").rename(album / "a.jpg.xmp")
        while not watch.worked.empty() or keywords(open_library(), album / "a.jpg") == []:
            watch.worked.get(timeout=PATIENCE)

        (album / "a.jpg.xmp").unlink()
        while names(open_library().search("harbour")):
            watch.worked.get(timeout=PATIENCE)
        assert captioner.captions == ["a red square"]

    def test_the_json_of_google_takeout(self, watch: Watch, open_library: OpenLibrary, album: Path) -> None:
        (album / "package.json").write_text("{}")  # nobody's
        (album / "a.part").write_bytes(takeout("A boat near the pier"))
        (album / "a.part").rename(album / "a.jpg.json")
        assert watch.worked.get(timeout=PATIENCE).refreshed == 1
        assert names(open_library().search("pier")) == ["a.jpg"]

        (album / "a.jpg.json").unlink()
        while names(open_library().search("pier")):
            watch.worked.get(timeout=PATIENCE)

    def test_a_photo_that_moves_to_a_sidecar(self, watch: Watch, open_library: OpenLibrary, album: Path) -> None:
        (album / "b.xmp").write_bytes(HARBOUR)
        (album / "a.jpg").rename(album / "b.jpg")

        while not names(open_library().search("harbour")):
            watch.worked.get(timeout=PATIENCE)


def test_people_and_titles_and_written_places_are_found(library: Library, album: Path) -> None:
    make_photo(album / "a.jpg")
    body = bag("Iptc4xmpExt:PersonInImage", "Ana Sousa") + "<dc:title>Regatta</dc:title>"
    (album / "a.xmp").write_bytes(packet(body, 'photoshop:City="Cascais" photoshop:Country="Portugal" xmp:Rating="4"'))
    library.index(album)

    for query in ("person:ana", "ana", "title:regatta", "place:cascais", "square in portugal", "rating:>=4",
                  "has:people", "has:rating", "has:title", "has:place"):  # fmt: skip
        assert names(library.search(query)) == ["a.jpg"], query
    for query in ("person:bruno", "place:spain", "rating:5", "has:caption", "has:keywords", "has:gps"):
        assert library.search(query) == [], query
    facts = show(library, album / "a.jpg").facts
    assert facts is not None
    assert str(facts.place) == "Cascais, Portugal"


class TestOlderReaders:
    """Photos that an older version of the reader read: :mod:`photoindex.media.metadata.reader_version`."""

    def age(self, database: Database) -> None:
        """Leave the catalogue as an older version did: without folder dates, keywords and titles."""
        with database.write() as connection:
            connection.execute(update(photo).values(metadata_reader=0, taken_at=None, taken_source=None))
            connection.exec_driver_sql("delete from term")

    def readers(self, database: Database) -> set[int]:
        with database.read() as connection:
            return set(connection.execute(select(photo.c.metadata_reader)).scalars())

    def test_they_are_read_again_once_without_captioning_or_hashing(
        self, library: Library, database: Database, captioner: FakeCaptioner, album: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        (album / "2009" / "08").mkdir(parents=True)
        for name in ("a.jpg", "2009/08/b.jpg", "c.png"):
            make_photo(album / name)
        (album / "a.xmp").write_bytes(HARBOUR)
        library.index(album)
        assert self.readers(database) == {READER_VERSION}
        captions = list(captioner.captions)
        self.age(database)
        monkeypatch.setattr("photoindex.indexing.intake.hash_job", None)
        told: list[str] = []
        stages: list[str] = []

        report = library.index(album, notice=told.append, progress=lambda one: stages.append(one.stage))

        assert (report.refreshed, report.refreshed_only, report.captioned) == (3, 0, 0)
        assert captioner.captions == captions
        assert told == ["3 photos are read again, not captioned: this version knows more kinds of metadata"]
        assert "reading metadata again" in stages
        assert names(library.search("harbour")) == ["a.jpg"]
        assert names(library.search("taken:2009-08")) == ["b.jpg"]
        assert self.readers(database) == {READER_VERSION}
        assert library.index(album, notice=told.append).refreshed == 0
        assert len(told) == 1

    def test_a_photo_that_is_gone_waits_and_keeps_no_index_from_being_quick(
        self, library: Library, database: Database, album: Path, tmp_path: Path
    ) -> None:
        path, other = make_photo(album / "a.jpg"), make_photo(album / "b.jpg", "blue")
        library.index(album)
        path.rename(tmp_path / "a.jpg")
        library.index(album)
        self.age(database)
        assert library.index(album).refreshed == 1
        with database.read() as connection:
            assert metadata.read_by_older(connection) == []
        (tmp_path / "a.jpg").rename(path)
        library.index(album)
        assert self.readers(database) == {READER_VERSION}
        assert other.exists()

    def test_one_that_cannot_be_read_is_not_tried_for_ever(
        self, library: Library, database: Database, album: Path
    ) -> None:
        path = make_photo(album / "a.jpg")
        make_photo(album / "b.jpg", "blue")
        library.index(album)
        state = path.stat()
        path.write_bytes(b"x" * state.st_size)
        self.age(database)
        with database.write() as connection:
            size, mtime_ns, _, ctime_ns = numbers_of(path.stat())
            connection.execute(update(file).where(file.c.relative_path == "a.jpg").values(
                size=size, mtime_ns=mtime_ns, ctime_ns=ctime_ns))  # fmt: skip
        assert library.index(album).refreshed == 2
        assert library.index(album).refreshed == 0

    @pytest.mark.parametrize("at_once", [1, 2, 5])
    def test_it_goes_on_in_batches_and_after_a_stop(
        self, library: Library, database: Database, album: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
    ) -> None:
        for number in range(5):
            make_photo(album / f"{number}.jpg")
        library.index(album)
        self.age(database)
        monkeypatch.setattr(metadata_refresh, "BATCH", at_once)
        stop = threading.Event()

        def stop_it(progress: Progress) -> None:
            if progress.stage == "reading metadata again":
                stop.set()

        assert library.index(album, progress=stop_it, stop=stop).refreshed == at_once
        assert self.readers(database) == ({0, READER_VERSION} if at_once < 5 else {READER_VERSION})
        assert library.index(album).refreshed == 5 - at_once

    def test_new_photos_go_first(
        self, library: Library, database: Database, captioner: FakeCaptioner, album: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        for number in range(4):
            make_photo(album / f"{number}.jpg")
        library.index(album)
        self.age(database)
        monkeypatch.setattr(metadata_refresh, "BATCH", 1)
        make_photo(album / "new.jpg", "blue")
        before = len(captioner.captions)
        at: list[int] = []

        def look(progress: Progress) -> None:
            if progress.stage == "reading metadata again":
                at.append(len(captioner.captions) - before)
                if len(at) == 2:  # a photo that comes meanwhile does not wait for all of them
                    add_files(database, album, make_photo(album / "later.jpg", "white").name)

        report = library.index(album, progress=look)

        assert at == [1, 1, 2, 2]
        assert (report.captioned, report.refreshed) == (2, 4)
