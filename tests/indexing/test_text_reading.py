"""Text is read after captions, in a real worker: found, stored, searched, failed, given back and gone on with."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from sqlalchemy import Connection

from photoindex.captioner.text_gate import GATE_FILE, TextGate, save_gate
from photoindex.catalogue import files, text
from photoindex.catalogue.database import Database
from photoindex.catalogue.jobs import Job
from photoindex.errors import TextReaderUnavailable
from photoindex.indexing import text_reading
from photoindex.indexing.claiming import Claimer
from photoindex.indexing.text_gate import TextSieve
from photoindex.library import Library
from photoindex.media.text import reader_version
from photoindex.media.text.engine import NETWORKS, networks_folder
from photoindex.types import DecodedPhoto, PhotoFacts, PhotoText, Progress, TextLine
from tests.conftest import OpenLibrary
from tests.support import FakeCaptioner, make_photo

ON_BOTH = True

pytest.importorskip("rapidocr")


def sign(
    path: Path,
    words: str,
    *,
    height: int = 40,
    size: tuple[int, int] = (800, 500),
    wall: tuple[int, int, int] = (150, 155, 150),
) -> Path:
    """Write a photo of a wall with words on it."""
    picture = Image.new("RGB", size, wall)
    for number, line in enumerate(words.split("\n")):
        ImageDraw.Draw(picture).text(
            (60, 80 + number * height * 1.4), line, (15, 15, 25), ImageFont.load_default(height)
        )
    picture.save(path, quality=92)
    return path


def texts(library: Library, path: Path) -> list[str]:
    photo = library.show(path)
    assert photo is not None
    return [line.text for line in photo.text]


@pytest.fixture
def reading(open_library: OpenLibrary) -> Library:
    return open_library(read_text="auto")


def test_text_is_found_by_what_it_says(reading: Library, album: Path) -> None:
    path = sign(album / "a.jpg", "Mind the gap")
    make_photo(album / "b.jpg")
    reports: list[Progress] = []
    reading.index(album, progress=reports.append)
    [hit] = reading.search("gap")
    assert (hit.path, [line.text for line in hit.text]) == (path, ["Mind the gap"])
    assert {reason.layer for reason in hit.matched} == {"text"}
    stages = [report.stage for report in reports]
    assert stages.index("reading text") > stages.index("captioning")
    assert (reports[-1].stage, reports[-1].done, reports[-1].total) == ("reading text", 2, 2)
    status = reading.status()
    assert (status.text.read, status.text.with_text, status.text.waiting) == (2, 1, 0)
    assert [(each.caption) for each in reading.search("red")] == ["a red square"]


def test_phrases_go_on_from_line_to_line(reading: Library, album: Path) -> None:
    path = sign(album / "a.jpg", "The train leaves from plat-\nform nine tonight", height=34)
    reading.index(album)
    for query in ('text:"leaves from platform nine"', "platform", 'says:"nine tonight"'):
        assert [hit.path for hit in reading.search(query)] == [path], query
    assert len(reading.search("platform")[0].text) == 2
    assert reading.search('text:"nine platform"') == []


def test_a_sign_that_fills_the_photo_is_its_caption(reading: Library, album: Path) -> None:
    path = sign(album / "a.jpg", "EXIT\nHERE", height=130)
    reading.index(album)
    [hit] = reading.search("exit")
    assert (hit.path, hit.caption, hit.caption_source) == (path, 'a sign that says "EXIT HERE"', "text")


def test_nothing_is_read_when_it_is_not_wanted(open_library: OpenLibrary, album: Path) -> None:
    library = open_library(read_text="never")
    sign(album / "a.jpg", "Mind the gap")
    library.index(album)
    assert library.search("gap") == []
    assert library.status().text.waiting == 1
    with pytest.raises(TextReaderUnavailable, match="read_text is never"):
        library.reread_text()


def test_without_the_library_all_goes_on_and_says_what_to_install(
    open_library: OpenLibrary, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_version, "PACKAGE", "no_such_package")
    sign(album / "a.jpg", "Mind the gap")
    said: list[str] = []
    library = open_library(read_text="always")
    assert library.index(album, notice=said.append).captioned == 1
    assert open_library(read_text="auto").index(album).unchanged == 1
    with pytest.raises(TextReaderUnavailable, match=r"pip install 'photoindex\[text\]'"):
        library.reread_text()


@pytest.mark.usefixtures("cold")
def test_networks_that_do_not_run_fail_no_photo(
    open_library: OpenLibrary, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = networks_folder()
    assert found is not None
    package = tmp_path / "lib" / "rapidocr"  # the workers import this one
    shutil.copytree(found.parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "models" / NETWORKS["Rec"]).write_bytes(b"cut off")
    sign(album / "a.jpg", "Mind the gap")
    sign(album / "b.jpg", "Platform nine")
    said: list[str] = []
    library = open_library(read_text="auto")
    with monkeypatch.context() as patched:
        patched.syspath_prepend(package.parent)
        report = library.index(album, notice=said.append)
    assert (report.captioned, report.failed) == (2, 0)
    [line] = [each for each in said if "text" in each]
    assert line.startswith("text in photos is not read: the library that reads text, rapidocr, does not start")
    assert library.status().text.waiting == 2
    mended = open_library(read_text="auto")
    mended.index(album)
    assert [hit.path.name for hit in mended.search('text:"mind the gap"')] == ["a.jpg"]


def test_an_existing_library_is_filled_later(open_library: OpenLibrary, album: Path) -> None:
    path = sign(album / "a.jpg", "Mind the gap")
    open_library(read_text="never").index(album)
    report = open_library(read_text="auto").index(album)
    assert report.unchanged == 1
    assert [hit.path for hit in open_library().search("gap")] == [path]


def test_a_failure_is_listed_and_tried_again_when_asked(
    reading: Library, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = sign(album / "a.jpg", "Mind the gap")
    monkeypatch.setattr(text_reading, "read_text", broken)
    reading.index(album)
    [failure] = reading.failures()
    assert (failure.path, failure.work, failure.kind) == (path, "text", "damaged")
    assert "its text cannot be read" in failure.message
    assert (reading.status().text.failed, reading.status().jobs["failed"]) == (1, 0)
    monkeypatch.undo()
    reading.close()


def broken(path: Path, size: int, max_pixels: int) -> object:
    """What a worker does with every photo of the test above."""
    from photoindex.errors import DamagedPhoto

    raise DamagedPhoto(f"{path} is damaged")


def test_a_photo_is_read_again_as_a_batch(reading: Library, album: Path) -> None:
    path = sign(album / "a.jpg", "Mind the gap")
    make_photo(album / "b.jpg")
    reading.index(album)
    made: list[tuple[int | None, int]] = []
    assert reading.text_files("gap") == 1
    tally = reading.reread_text(query="gap", started=lambda *batch: made.append(batch))
    assert (tally.text_read, tally.with_text, made[0][1]) == (1, 1, 1)
    assert texts(reading, path) == ["Mind the gap"]
    assert [batch.state for batch in reading.batches.find(ended=True)] == ["done"]


def test_text_is_read_again_in_a_copy_that_is_there(reading: Library, album: Path) -> None:
    for folder in ("one", "two"):
        (album / folder).mkdir()
        sign(album / folder / "a.jpg", "PLATFORM NINE")
    reading.index(album)
    (album / "one" / "a.jpg").unlink()
    tally = reading.reread_text()
    assert (tally.text_read, tally.text_failed) == (1, 0)
    assert [batch.left for batch in reading.batches.find(ended=True)] == [0]


def test_a_run_that_is_stopped_goes_on_later(reading: Library, album: Path) -> None:
    for number in range(3):
        sign(album / f"{number}.jpg", f"Gate {number} closed")
    stop = threading.Event()

    def at_text(now: Progress) -> None:
        if now.stage == "captioning" and now.done == 3:
            stop.set()

    reading.index(album, progress=at_text, stop=stop)
    assert reading.status().text.waiting == 3
    reading.index(album)
    assert reading.status().text.with_text == 3
    assert len(reading.search("text:closed")) == 3


def test_a_batch_of_unread_photos_is_queued_and_claimed_at_a_time(
    open_library: OpenLibrary, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing but what is read next is queued, by a clock that goes on between two looks at it."""
    monkeypatch.setattr(text_reading, "BATCH", 4)
    for number in range(10):
        make_photo(album / f"{number}.jpg", note=str(number))
    open_library().index(album)
    library, claimed = open_library(read_text="auto"), []
    take = Claimer.take

    def note(self: Claimer, *given: int | None, **more: bool) -> list[Job]:
        new = take(self, *given, **more)
        if self._is_text:
            with library.database.ask() as asker:
                claimed.append((len(new), asker.ask("select count(*) from job")[0][0]))
        return new

    monkeypatch.setattr(Claimer, "take", note)
    library.index(album)
    assert library.status().text.read == 10
    assert claimed == [(4, 4), (4, 4), (2, 2), (0, 0)]


def test_lots_that_need_no_look_are_each_a_transaction_and_a_stop_is_heard_between_them(
    open_library: OpenLibrary, album: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_reading, "LOOKED_UP", 2)
    for number in range(6):
        make_photo(album / f"{number}.jpg", "blue", note=str(number))
    open_library().index(album)
    library, stop = open_library(read_text="auto", model=str(model)), threading.Event()
    sift = TextSieve.without_text

    def then_stop(self: TextSieve, connection: Connection, files: Sequence[int]) -> dict[int, int]:
        stop.set()
        return sift(self, connection, files)

    monkeypatch.setattr(TextSieve, "without_text", then_stop)
    library.index(album, stop=stop)
    assert (library.status().text.read, library.status().text.waiting) == (2, 4)
    monkeypatch.setattr(TextSieve, "without_text", sift)
    library.index(album)
    assert (library.status().text.read, library.status().text.waiting) == (6, 0)


def test_the_last_report_counts_photos_that_needed_no_look(
    open_library: OpenLibrary, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_reading, "LOOKED_UP", 2)
    for number in range(5):
        make_photo(album / f"{number}.jpg", "blue", note=str(number))
    open_library().index(album)
    lists: list[int] = []

    def all_but_the_first(self: TextSieve, connection: Connection, files: Sequence[int]) -> dict[int, int]:
        lists.append(len(files))
        return text.photos_of_files(connection, files) if len(lists) > 1 else {}

    monkeypatch.setattr(TextSieve, "without_text", all_but_the_first)
    reports: list[Progress] = []
    open_library(read_text="auto").index(album, progress=reports.append)

    assert len(lists) == 3
    assert [(each.done, each.total) for each in reports if each.stage == "reading text"] == [(2, 5), (5, 5)]


RED, BLUE = (220, 40, 40), (40, 40, 220)


@pytest.fixture
def model(tmp_path: Path, captioner: FakeCaptioner) -> Path:
    """The folder of a model whose gate lets photos pass that its terms call warm."""
    assert captioner.terms is not None
    weights = np.array([{"warm": 4.0, "cold": -4.0}.get(word, 0.0) for word in captioner.terms.words], np.float32)
    save_gate(TextGate(captioner.identity, weights, 0.0, 0.0), tmp_path)
    return tmp_path


def test_photos_whose_terms_speak_against_text_are_not_looked_at(
    open_library: OpenLibrary, album: Path, model: Path
) -> None:
    warm = sign(album / "a.jpg", "Mind the gap", wall=RED)
    cold = sign(album / "b.jpg", "Mind the step", wall=BLUE)
    library = open_library(read_text="auto", model=str(model))
    library.index(album)
    assert [hit.path for hit in library.search("text:mind")] == [warm]
    assert (library.status().text.read, library.status().text.waiting) == (2, 0)
    shown = library.show(cold)
    assert shown is not None
    assert shown.text_read == "glanced"
    library = open_library(read_text="always", model=str(model))
    library.index(album)
    assert texts(library, cold) == ["Mind the step"]


def test_terms_of_another_model_keep_no_photo_from_being_looked_at(
    open_library: OpenLibrary, album: Path, model: Path
) -> None:
    cold = sign(album / "b.jpg", "Mind the step", wall=BLUE)
    library = open_library(FakeCaptioner("fake-2"), read_text="auto", model=str(model))
    library.index(album)
    assert texts(library, cold) == ["Mind the step"]


def test_a_damaged_gate_is_said_and_every_photo_is_looked_at(
    open_library: OpenLibrary, album: Path, model: Path
) -> None:
    (model / GATE_FILE).write_bytes((model / GATE_FILE).read_bytes()[:40])
    cold = sign(album / "b.jpg", "Mind the step", wall=BLUE)
    said: list[str] = []
    library = open_library(read_text="auto", model=str(model))
    library.index(album, notice=said.append)
    assert texts(library, cold) == ["Mind the step"]
    assert [line for line in said if GATE_FILE in line and "damaged" in line]


def moving(path: Path, size: int, max_pixels: int) -> DecodedPhoto:
    """Read a photo that is given another name meanwhile, once."""
    if path.name == "a.jpg":
        path.rename(path.with_name("moved.jpg"))
    text = PhotoText((TextLine("Mind the gap", 0.9, (0,) * 8),))
    return DecodedPhoto(PhotoFacts("", 0, 0), np.zeros((size, size, 3), np.uint8), text=text)


def test_a_photo_that_moves_while_it_is_read_is_read_as_soon_as_the_move_is_known(
    reading: Library, album: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = sign(album / "a.jpg", "Mind the gap")
    monkeypatch.setattr(text_reading, "read_text", moving)
    reading.index(album)
    assert reading.status().text.waiting == 1
    with database.write() as connection:
        files.move(connection, path, album / "moved.jpg")
    reading.work_off()
    assert texts(reading, album / "moved.jpg") == ["Mind the gap"]


def noting_lease(path: Path, size: int, max_pixels: int) -> DecodedPhoto:
    """Say how many seconds the lease of the job at work has at most, instead of what is in the photo."""
    with sqlite3.connect(path.parents[1] / "data" / "catalogue.sqlite3") as connection:
        [[seconds]] = connection.execute("select (julianday(lease_until) - julianday('now')) * 86400 from job")
    text = PhotoText((TextLine(str(round(seconds)), 0.9, (0,) * 8),))
    return DecodedPhoto(PhotoFacts("", 0, 0), np.zeros((size, size, 3), np.uint8), text=text)


@pytest.mark.sqlite
def test_a_job_is_leased_for_as_long_as_the_setting_says(
    open_library: OpenLibrary, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = sign(album / "a.jpg", "Mind the gap")
    monkeypatch.setattr(text_reading, "read_text", noting_lease)
    library = open_library(read_text="auto", lease_seconds=5000.0)
    library.index(album)
    [seconds] = texts(library, path)
    assert 4000 < int(seconds) <= 5000
