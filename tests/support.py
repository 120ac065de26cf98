"""Test doubles and makers shared by the tests: photos of one colour, and a captioner that names the colour it sees."""

from __future__ import annotations

import json
import os
import sqlite3
import struct
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alembic import command
from alembic.config import Config
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin
from sqlalchemy import Connection, delete, event, update

from photoindex.captioner.model_files import FORMAT, WEIGHTS_FILE
from photoindex.captioner.vocabulary import Vocabulary
from photoindex.catalogue import files, photos
from photoindex.catalogue.database import Database
from photoindex.catalogue.roots import ensure_root, list_roots
from photoindex.catalogue.schema import job, root
from photoindex.catalogue.sqlite_database import SqliteDatabase
from photoindex.folders.walk import file_stat
from photoindex.language.analysis import stem
from photoindex.library import Library
from photoindex.system.inotify_limits import InotifyLimits
from photoindex.types import (
    Candidate,
    CaptionerInfo,
    FileStat,
    Hit,
    Label,
    Photo,
    PhotoFacts,
    Prediction,
    ScannedFile,
    TermVector,
    TermVocabulary,
)

REPOSITORY = Path(__file__).resolve().parent.parent
COLOURS = {
    "red": (220, 20, 20),
    "green": (20, 180, 20),
    "blue": (20, 20, 220),
    "yellow": (240, 220, 20),
    "white": (250, 250, 250),
    "black": (5, 5, 5),
}
WARM = ("red", "yellow")
NOW = datetime(2024, 5, 1, 12, tzinfo=timezone.utc)


def unmeasured() -> dict[str, str]:
    """The environment for a process whose imports count: measuring coverage has some of its own."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}


class FakeCaptioner:
    """A :class:`photoindex.captioner.Captioner` that says ``a red square`` of a red photo.

    Its learned terms are those of the caption and one word more, ``warm`` or ``cold``, which finds photos by nothing
    else. ``captions`` holds every caption it gave, in order. ``before`` is called at the start of each batch.
    """

    name = "fake"
    encoder = "mean colour"
    settings = "none"
    device = "cpu"

    def __init__(
        self,
        identity: str = "fake-1",
        *,
        batch_size: int = 4,
        shape: str = "square",
        before: Callable[[], object] = lambda: None,
    ) -> None:
        self.identity = identity
        self.batch_size = batch_size
        self.input_size = 16
        self.captions: list[str] = []
        self.closed = threading.Event()
        self.before: Callable[[], object] = before
        self._shape = shape
        pairs = [f"{colour} {stem(shape)}" for colour in COLOURS]
        self.terms: TermVocabulary | None = TermVocabulary(("warm", "cold", stem(shape), *COLOURS, *pairs), 0.01)

    @property
    def info(self) -> CaptionerInfo:
        """Its facts as they are now: tests change them."""
        return CaptionerInfo(
            self.name, self.identity, self.encoder, self.settings, self.input_size, self.batch_size, self.device,
            self.terms,
        )  # fmt: skip

    def caption(self, photos: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        self.before()
        return [self._predict(pixels) for pixels in photos]

    def close(self) -> None:
        self.closed.set()

    def _predict(self, pixels: NDArray[np.uint8]) -> Prediction:
        assert pixels.shape == (self.input_size, self.input_size, 3)
        mean = pixels.reshape(-1, 3).mean(axis=0)
        colour = min(COLOURS, key=lambda name: float(np.abs(mean - COLOURS[name]).sum()))
        self.captions.append(f"a {colour} {self._shape}")
        return Prediction(
            (Candidate(self.captions[-1], -1.0, -0.25), Candidate(f"something {colour}", -3.0, -1.5)),
            (Label("paint", 0.5),),
            terms=self._terms_of(colour),
        )

    def _terms_of(self, colour: str) -> TermVector | None:
        if self.terms is None:
            return None
        shape = stem(self._shape)
        impacts = {"warm" if colour in WARM else "cold": 120, shape: 100, colour: 200, f"{colour} {shape}": 150}
        return term_vector(self.terms, impacts)


def term_vector(vocabulary: TermVocabulary, impacts: Mapping[str, int]) -> TermVector:
    """The vector with these impacts, by term."""
    ids = sorted((vocabulary.words.index(term), impact) for term, impact in impacts.items())
    return TermVector(np.array([i for i, _ in ids], np.uint16), np.array([impact for _, impact in ids], np.uint8))


def make_photo(path: Path, colour: str = "red", *, note: str | None = None) -> Path:
    """Write a small photo. Its bytes depend on ``note`` (by default its name), so that no two are copies by chance.

    It comes whole, under another name first, as nobody who watches with no settle time could wait for it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", (48, 32), COLOURS[colour])
    # In brackets, so that nobody takes it for a caption.
    text = b"<%s>" % (path.name.encode("ascii", "backslashreplace") if note is None else note.encode())
    part = path.with_name(path.name + ".part")
    if path.suffix == ".png":
        info = PngImagePlugin.PngInfo()
        info.add_text("note", text.decode())
        image.save(part, "PNG", pnginfo=info)
    else:
        image.save(part, "JPEG", comment=text)
    return part.replace(path)


def show(library: Library, path: Path) -> Photo:
    """Return what the library knows of the photo at a path, which has to be there."""
    photo = library.show(path)
    assert photo is not None
    return photo


def put(path: Path, content: bytes = b"photo") -> Path:
    """Write a file, which need not be a photo, in a folder that is made as needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def names(hits: Iterable[Hit]) -> list[str]:
    """The file names of hits, sorted."""
    return sorted(hit.path.name for hit in hits)


def scanned(path: Path, size: int = 100, mtime_ns: int = 1, inode: int = 1) -> ScannedFile:
    return ScannedFile(path, FileStat(size, mtime_ns, inode))


def add_files(database: Database, folder: Path, *relative: str) -> list[int]:
    """Note files that need not exist below a root that does, which queues them; returns their ids."""
    with database.write() as connection:
        ensure_root(connection, folder)
        files.record_files(connection, [scanned(folder / name) for name in relative])
        found = [files.photo_at(connection, folder / name) for name in relative]
    return [row[0] for row in found if row is not None]


def mark_missing(connection: Connection, paths: Iterable[Path]) -> int:
    """Mark the files at or below these paths missing; return how many were present."""
    present = files.present_below(connection, paths)
    for ids in present.values():
        files.mark_files_missing(connection, ids)
    return sum(map(len, present.values()))


def add_photo(
    database: Database,
    path: Path,
    text: str = "a red square",
    content_hash: str | None = None,
    *,
    vocabulary: TermVocabulary | None = None,
    impacts: Mapping[str, int] | None = None,
    model: str = "fake-1",
) -> int:
    """Give a file that is noted a photo with a caption, as the pipeline does; returns the photo's id.

    ``impacts`` are of its learned terms, over the model's ``vocabulary``.
    """
    with database.write() as connection:
        found = files.photo_at(connection, path)
        assert found is not None
        facts = PhotoFacts("JPEG", 48, 32)
        content = photos.Content(content_hash or f"hash of {path.name}", 100, facts)
        [photo_id] = photos.save_photos(connection, [content])
        model_id = photos.ensure_model(connection, model, "fake", "mean colour", vocabulary)
        terms = term_vector(vocabulary, impacts) if vocabulary is not None and impacts is not None else None
        prediction = Prediction((Candidate(text, -1.0, -0.5), Candidate("a shape", -2.0, -1.0)), terms=terms)
        photos.save_predictions(connection, {photo_id: prediction}, model_id, "none")
        files.link_photos(connection, [files.Link(found[0], photo_id, scanned(path).stat)])
        connection.execute(delete(job).where(job.c.file_id == found[0]))
    return photo_id


class Limits(InotifyLimits):
    """Watches that the system allows and that are held, as a test says; ``None``: nobody says."""

    def __init__(self, allowed: int | None = None, held: int | None = None) -> None:
        self.allowed_watches = allowed
        self.held_watches = held

    def allowed(self) -> int | None:
        return self.allowed_watches

    def held(self) -> int | None:
        return self.held_watches


class FullDisk:
    """Has a catalogue's disk run full and be cleared again: SQLite itself then refuses to add a page to the file."""

    def __init__(self, database: Database) -> None:
        self.full = False
        event.listen(database.engine, "checkout", self._limit)

    def _limit(self, connection: sqlite3.Connection, *_: object) -> None:
        connection.execute(f"pragma max_page_count = {1 if self.full else 2**30}")


def fill(path: Path) -> Path:
    """Write a file that takes all the room there is on its disk."""
    with path.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        while True:
            file.write(bytes(1 << 16))
    return path


def fill_with_files(folder: Path) -> list[Path]:
    """Make as many empty files beside ``folder`` as its disk can hold; return them."""
    made: list[Path] = []
    with pytest.raises(OSError, match="No space left"):
        while True:
            path = folder.with_name(f"{folder.name}-{len(made)}")
            path.touch()
            made.append(path)
    return made


def many_photos(folder: Path, count: int = 40, colour: str = "green") -> list[Path]:
    """Photos whose names alone are more than fits into what a catalogue has allotted already."""
    return [make_photo(folder / f"{number:0200}.jpg", colour) for number in range(count)]


def run_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def make_model_folder(folder: Path) -> Path:
    """Write the files of a model that is complete and of one piece, with weights for nothing."""
    folder.mkdir()
    vocabulary = Vocabulary.from_captions(["a dog on the grass"], threshold=1)
    vocabulary.save(folder / "vocabulary.txt")
    (folder / "terms.txt").write_text("dog\ngrass\ngreen grass\n")
    (folder / "labels.txt").write_text("".join(f"thing {number}\n" for number in range(1000)))
    config = {
        "format": FORMAT,
        "name": folder.name,
        "decoder": {"vocabulary_size": len(vocabulary)},
        "term_head": {"terms": 3},
    }
    (folder / "config.json").write_text(json.dumps(config))
    header = json.dumps({"encoder.x": {"dtype": "F16", "shape": [8], "data_offsets": [0, 16]}}).encode()
    (folder / WEIGHTS_FILE).write_bytes(struct.pack("<Q", len(header)) + header + bytes(16))
    return folder


def refuse(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Have the system refuse to list a folder; the tests may run as root, whom nothing is forbidden."""
    real = os.scandir

    def scandir(path: Any) -> Any:
        if not isinstance(path, int) and os.fsdecode(path) == str(folder):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    patch.setattr(os, "scandir", scandir)


def put_on_another_disk(database: Database, folder: Path | None = None) -> None:
    """As if the folder, by default the only one, had been on a disk that is not mounted now."""
    with database.write() as connection:
        [known] = [known for known in list_roots(connection) if folder in (None, known.path)]
        assert known.device is not None
        connection.execute(update(root).where(root.c.id == known.id).values(device=known.device + 1))


class Writer:
    """Stands for a program that writes a photo in two parts: the rest comes when the settler looks for the second
    time. Until then the file seems to be written to all the time, as its time of change lies ahead."""

    def __init__(self, path: Path, colour: str) -> None:
        self.path = path
        self.whole = make_photo(path.parent.parent / "elsewhere" / path.name, colour).read_bytes()
        self.looks = 0

    def begin(self) -> None:
        self.path.write_bytes(self.whole[: len(self.whole) // 2])
        os.utime(self.path, (4_000_000_000, 4_000_000_000))

    def stat(self, path: Path) -> FileStat | None:
        self.looks += path == self.path
        if self.looks == 2:
            self.path.write_bytes(self.whole)
        return file_stat(path)


def migrate(path: Path, revision: str = "head") -> None:
    """Make an empty catalogue by the migrations up to one of them, as the photoindex that it was the newest of did."""
    database = SqliteDatabase(path)
    _run_migrations(database, command.upgrade, revision)
    database.close()


def downgrade(database: Database, revision: str) -> None:
    """Make the catalogue one of an older photoindex, as its migrations undo themselves."""
    _run_migrations(database, command.downgrade, revision)


def _run_migrations(database: Database, run: Callable[[Config, str], None], revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(REPOSITORY / "migrations"))
    with database.write() as connection:
        config.attributes["connection"] = connection
        run(config, revision)
