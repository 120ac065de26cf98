"""An editor touches the sidecars of a whole library at once: nobody waits long for the catalogue meanwhile.

    python tests/stress/sidecars.py [--photos 100000]

Makes a library of so many photos, each with a sidecar beside it. Then every sidecar is written again, with a keyword
more, and a process brings the library up to date, while this one goes on asking the catalogue and writing to it. PASS
says that no write transaction of that process took longer than a second, that no question or write of this one waited
longer than that either, and that every photo has its new keyword.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from harness import Trial, parse, parser, sha256, workshop
from PIL import Image
from sqlalchemy import Connection, event, func, select

from photoindex.catalogue import files, jobs, metadata, photos
from photoindex.catalogue.database import Database
from photoindex.catalogue.opening import open_database
from photoindex.catalogue.roots import ensure_root
from photoindex.catalogue.schema import term
from photoindex.config import Settings
from photoindex.folders import PhotoFilter, scan
from photoindex.indexing.indexer import Indexer
from photoindex.indexing.pipeline import Pipeline
from photoindex.search import FullText
from photoindex.system.clock import utc_now
from photoindex.types import Candidate, PhotoFacts, Prediction

LONGEST = 1.0  # seconds that a write transaction may take
BETWEEN = 0.1  # seconds between two questions
CHUNK = 1000
# Reading text would take an hour and is what text_kills.py is about.
SETTINGS: Any = {"settle_seconds": 0.0, "backup_days": 0.0, "read_text": "never"}
SIDECAR = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:subject><rdf:Bag>{words}</rdf:Bag></dc:subject>
</rdf:Description></rdf:RDF></x:xmpmeta>"""


def main() -> int:
    made = parser(__doc__)
    made.add_argument("--photos", type=int, default=None, help="[default: 100000; 300 with --small]")
    options = parse(made)
    trial = Trial("sidecars", options)
    with workshop(options.keep) as folder:
        run(trial, folder, options.photos or (300 if options.small else 100_000))
    return trial.verdict()


def run(trial: Trial, folder: Path, count: int) -> None:
    album, settings = folder / "album", Settings(folder / "data", **SETTINGS)
    hashes = make_album(album, count)
    fill(settings, album)
    trial.say(f"{count:,} photos with a sidecar each")
    write_sidecars(album, count, "before", "after")
    trial.say("all sidecars written again")
    answers: Any = multiprocessing.get_context("spawn").SimpleQueue()
    worker = multiprocessing.get_context("spawn").Process(target=refresh, args=(settings.data_dir, album, answers))
    worker.start()
    waits = ask_meanwhile(settings, worker)
    transactions: list[tuple[float, float, str]] = answers.get() if worker.exitcode == 0 else [(9e9, 0.0, "")]
    longest, computing, where = max(transactions)
    trial.say(
        f"{len(transactions):,} write transactions, the longest {longest:.3f} s ({computing:.3f} s of computing, in "
        f"{where}); meanwhile {len(waits):,} questions and writes of another process, of which the longest wait was "
        f"{max(waits):.3f} s"
    )
    trial.check(worker.exitcode == 0, f"the process ended with status {worker.exitcode}")
    trial.check(longest < LONGEST, f"a write transaction took {longest:.3f} s")
    trial.check(max(waits) < LONGEST, f"another process waited {max(waits):.3f} s")
    with closing(open_database(settings.catalogue_path)) as database, database.read() as connection:
        new = connection.execute(select(func.count()).select_from(term).where(term.c.text == "after")).scalar_one()
    trial.check(new == count, f"{count - new:,} photos lack their new keyword")
    changed = [path for path, digest in hashes.items() if sha256(path) != digest]
    trial.check(not changed, f"{len(changed):,} photos changed")


def make_album(album: Path, count: int) -> dict[Path, str]:
    """Write photos that differ in a few bytes behind their end, a thousand a folder; returns their SHA-256."""
    picture = album.parent / "one.jpg"
    album.mkdir()
    Image.new("RGB", (8, 8), (200, 20, 20)).save(picture, "JPEG")
    content = picture.read_bytes()
    hashes = {}
    for number in range(count):
        path = place(album, number)
        if number % CHUNK == 0:
            path.parent.mkdir()
        path.write_bytes(content + b"%012d" % number)
        hashes[path] = hashlib.sha256(path.read_bytes()).hexdigest()
    write_sidecars(album, count, "before")
    return hashes


def write_sidecars(album: Path, count: int, *words: str) -> None:
    text = SIDECAR.format(words="".join(f"<rdf:li>{word}</rdf:li>" for word in words))
    for number in range(count):
        place(album, number).with_suffix(".jpg.xmp").write_text(text)


def place(album: Path, number: int) -> Path:
    return album / f"{number // CHUNK:04}" / f"{number:06}.jpg"


def fill(settings: Settings, album: Path) -> None:
    """Write into the catalogue what indexing and captioning would, without reading a photo."""
    with closing(open_database(settings.catalogue_path)) as database:
        met = list(scan(album, PhotoFilter(hidden_files=False)))
        for start in range(0, len(met), CHUNK):
            some = met[start : start + CHUNK]
            with database.write() as connection:
                ensure_root(connection, album)
                files.record_files(connection, some)
                rows = files.rows_at(connection, [each.path for each in some])
                hashes = [hashlib.sha256(each.path.read_bytes()).hexdigest() for each in some]
                facts = PhotoFacts("JPEG", 8, 8)
                ids = photos.save_photos(connection, [photos.Content(one, 1, facts) for one in hashes])
                model = photos.ensure_model(connection, "stress-1", "stress", "none")
                said = Prediction((Candidate("a red square", -1.0, -1.0),))
                photos.save_predictions(connection, dict.fromkeys(ids, said), model, "none")
                pairs = list(zip(some, ids, strict=True))
                files.link_photos(
                    connection, [files.Link(rows[met.path].id, number, met.stat, met.sidecars) for met, number in pairs]
                )
                done = jobs.claim(connection, jobs.owner_name(), CHUNK, utc_now())
                jobs.finish(connection, done)
                photos.clear_text_stale(connection, photos.stale_photos(connection, None))
                metadata.clear_stale(connection, metadata.stale_photos(connection))


@contextmanager
def timed(database: Database) -> Iterator[list[tuple[float, float, str]]]:
    """Of each write transaction the seconds that it holds the catalogue's lock, those of computing among them, and the
    function that makes it."""
    seconds: list[tuple[float, float, str]] = []
    began: dict[int, tuple[float, float, str]] = {}

    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get("photoindex_write"):
            names = [frame.name for frame in traceback.extract_stack() if "photoindex/" in frame.filename]
            began[id(connection)] = time.monotonic(), time.thread_time(), next(n for n in names[::-1] if n != "write")

    def end(connection: Connection) -> None:
        if id(connection) in began:
            started, computed, where = began.pop(id(connection))
            seconds.append((time.monotonic() - started, time.thread_time() - computed, where))

    event.listen(database.engine, "begin", begin)
    event.listen(database.engine, "commit", end)
    event.listen(database.engine, "rollback", end)
    yield seconds


def refresh(data_dir: Path, album: Path, answers: Any) -> None:
    """Bring the library up to date, in a process of its own."""
    import threading

    settings = Settings(data_dir, **SETTINGS)
    with closing(open_database(settings.catalogue_path)) as database, timed(database) as seconds:
        with closing(FullText.open(settings.index_path)) as text:
            pipeline = Pipeline(database, text, settings, _no_captioner)
            with closing(pipeline):
                Indexer(database, pipeline, settings).index([album], threading.Event())
        answers.put(seconds)


def _no_captioner(_: Settings) -> Any:
    raise AssertionError("a photo was to be captioned")


def ask_meanwhile(settings: Settings, worker: Any) -> list[float]:
    """Ask and write as other commands do, as long as the worker runs; returns how long each had to wait."""
    waits = [0.0]
    with closing(open_database(settings.catalogue_path)) as database:
        while worker.is_alive():
            for step in (_ask, _write):
                started = time.monotonic()
                step(database)
                waits.append(time.monotonic() - started)
            worker.join(BETWEEN)
    return waits


def _ask(database: Database) -> None:
    with database.ask() as asker:
        asker.ask("select id from photo order by id desc limit 1")


def _write(database: Database) -> None:
    with database.write() as connection:
        jobs.ignore_failures(connection, [os.getpid()])


if __name__ == "__main__":
    sys.exit(main())
