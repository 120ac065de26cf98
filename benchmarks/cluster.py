"""What workers at one catalogue in PostgreSQL do: speed, and what is left after they and the server are killed.

    python benchmarks/cluster.py [--photos N] [--kills N] [--restarts N] [--only NAME]

Starts a PostgreSQL of its own (pg_ctl) that syncs to disk. The captioner only waits, as a GPU would have this machine
do, so that what is measured is the catalogue, the queue and reading. Nothing is left behind.
"""

from __future__ import annotations

import argparse
import os
import random
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import numpy as np
from sqlalchemy import func, insert, select

from photoindex.catalogue import jobs, photos
from photoindex.catalogue.jobs import KIND
from photoindex.catalogue.opening import open_database
from photoindex.catalogue.roots import ensure_root
from photoindex.catalogue.schema import caption, file, job
from photoindex.config import Settings
from photoindex.errors import CatalogueUnavailable
from photoindex.indexing import save_results
from photoindex.indexing.hashing import HashedJob
from photoindex.indexing.save_results import Result
from photoindex.library import Library
from photoindex.media.metadata.places import Gazetteer
from photoindex.types import Candidate, DecodedPhoto, FileStat, PhotoFacts, Prediction
from tests import postgres
from tests.support import make_photo

REPOSITORY = Path(__file__).resolve().parent.parent
WAIT = 0.02  # seconds that the captioner takes for a photo
LEASE = 3.0
BATCH = 16
PATIENCE = 300.0

WORKER = """
import signal, sys, threading, time
from pathlib import Path

from photoindex.config import Settings
from photoindex.library import Library
from tests.support import FakeCaptioner

folder, url, lease, wait, shape = sys.argv[1:6]


class Waiting(FakeCaptioner):
    def caption(self, photos):
        time.sleep(float(wait) * len(photos))
        return super().caption(photos)


stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
settings = Settings(
    Path(folder), catalogue=url, lease_seconds=float(lease), claim=16, decode_workers=1, thumbnail_megabytes=0
)
with Library(settings, lambda _: Waiting(shape=shape)) as library:
    print("ready", flush=True)
    library.work_until(stop, notice=lambda line: print(line, file=sys.stderr))
"""


def start_worker(folder: Path, url: str, *, lease: float = LEASE, wait: float = WAIT, shape: str = "square",
                 ready: bool = True) -> subprocess.Popen[str]:  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(folder), url, str(lease), str(wait), shape],
        cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    if ready:
        process.stdout.readline()
    return process


def kill(process: subprocess.Popen[str]) -> None:
    """Kill a worker and its decoders, as a machine that fails does."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def end(processes: list[subprocess.Popen[str]]) -> None:
    for process in processes:
        if process.poll() is None:
            kill(process)


@contextmanager
def catalogue(server: postgres.Server) -> Iterator[str]:
    url = server.create(template=postgres.TEMPLATE)
    try:
        yield url
    finally:
        server.drop(url)


def queue(folder: Path, url: str, album: Path) -> None:
    with Library(Settings(folder, catalogue=url, settle_seconds=0.0)) as library:
        library.index(album, queue_only=True)


def counts(url: str) -> tuple[int, int, int, int]:
    """(photos with one current caption, with more than one, without any, jobs left)."""
    best = (caption.c.rank == 0, caption.c.current, caption.c.source == "model")
    while True:
        try:
            with closing(open_database(url)) as database, database.read() as connection:
                each = select(caption.c.photo_id, func.count().label("n")).where(*best).group_by(caption.c.photo_id)
                numbers = [row.n for row in connection.execute(each)]
                files = connection.execute(select(func.count()).select_from(file)).scalar_one()
                left = connection.execute(select(func.count()).select_from(job)).scalar_one()
            return numbers.count(1), len(numbers) - numbers.count(1), files - len(numbers), left
        except CatalogueUnavailable:
            time.sleep(0.2)


def until_done(url: str, photos: int) -> None:
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends and (counts(url)[0] < photos or counts(url)[3]):
        time.sleep(0.1)


def idle_seconds() -> float:
    """Seconds that all cores of this machine have idled, also while they waited for a disk."""
    idle, waited = Path("/proc/stat").read_text().split(maxsplit=6)[4:6]
    return (int(idle) + int(waited)) / os.sysconf("SC_CLK_TCK")


def captions_per_second(server: postgres.Server, folder: Path, album: Path, photos: int) -> None:
    """Caption with one, two and four workers: with a captioner that takes so little that the cores are the limit, and
    with one that takes ten times as long, where they are not."""
    for wait in (WAIT, 10 * WAIT):
        for workers in (1, 2, 4):
            with catalogue(server) as url:
                processes = [start_worker(folder / f"w{number}", url, wait=wait) for number in range(workers)]
                queue(folder / "node", url, album)
                before, started, idle = counts(url)[0], time.monotonic(), idle_seconds()
                until_done(url, photos)
                seconds = time.monotonic() - started
                busy = 1 - (idle_seconds() - idle) / seconds / (os.cpu_count() or 1)
                end(processes)
            print(f"captions, {workers} workers, {1000 * wait:.0f} ms a photo: {(photos - before) / seconds:.1f}/s, "
                  f"cores busy {busy:.0%}", flush=True)  # fmt: skip


def claim_all(url: str, times: list[float], taken: list[int]) -> None:
    """Claim one job at a time until there is none; note how long each claim took, and which it was."""
    with closing(open_database(url)) as own:
        while True:
            started = time.monotonic()
            now = own.now()
            with own.write(exclusive=False) as connection:
                got = jobs.claim(connection, "w", 1, now, lease=timedelta(seconds=600))
            times.append(time.monotonic() - started)
            if not got:
                return
            taken.extend(each.id for each in got)


def fill(url: str, folder: Path, number: int = 2000) -> None:
    """Queue so many files that are not there."""
    with closing(open_database(url)) as database, database.write() as connection:
        root = ensure_root(connection, folder)
        files = [
            {"root_id": root.id, "relative_path": f"{n}.jpg", "size": 1, "mtime_ns": 1, "inode": n, "shot": n}
            for n in range(number)
        ]
        connection.execute(insert(file), files)
        jobs.enqueue(connection, list(connection.execute(select(file.c.id)).scalars()), database.now(), KIND)


def timed(threads: list[threading.Thread]) -> float:
    """Run threads; return the seconds until the last one ends."""
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - started


def claims(server: postgres.Server, folder: Path) -> None:
    """Claim one job at a time in many threads, each with a connection of its own."""
    for claimers in (1, 8, 32):
        with catalogue(server) as url:
            fill(url, folder)
            times: list[float] = []
            taken: list[int] = []
            seconds = timed([threading.Thread(target=claim_all, args=(url, times, taken)) for _ in range(claimers)])
        p95 = statistics.quantiles(times, n=20)[-1] * 1000
        twice = len(taken) - len(set(taken))
        speed = f"{len(taken) / seconds:,.0f}/s, p95 {p95:.0f} ms, claimed twice {twice}"
        print(f"claims, {claimers} at once: {speed}", flush=True)


def store_all(url: str, stored: list[int]) -> None:
    """Claim and store batches of made-up results until there is no job."""
    gazetteer, facts = Gazetteer(), PhotoFacts("JPEG", 4000, 3000)
    prediction = Prediction((Candidate("a red square", -1.0, -0.5), Candidate("a shape", -2.0, -1.0)))
    with closing(open_database(url)) as own:
        with own.write() as connection:
            model = photos.ensure_model(connection, "fake-1", "fake", "mean colour", None)
        while True:
            now = own.now()
            with own.write(exclusive=False) as connection:
                got = jobs.claim(connection, secrets.token_hex(4), BATCH, now, lease=timedelta(seconds=600))
            if not got:
                return
            results = [
                Result([HashedJob(each, secrets.token_hex(32), FileStat(1, 1, each.file_id))],
                       DecodedPhoto(facts, np.zeros((1, 1, 3), np.uint8)))
                for each in got
            ]  # fmt: skip
            with own.write(exclusive=False) as connection:
                kept, _ = save_results.sort_out(connection, results)
                ids = save_results.save_contents(connection, list(kept.values()), gazetteer)
                save_results.link(connection, dict(zip(ids, kept.values(), strict=True)))
                photos.save_predictions(connection, dict.fromkeys(ids, prediction), model, "none")
            stored.extend(ids)


def stores(server: postgres.Server, folder: Path) -> None:
    """Store results as workers do, in many threads of this one process, which share its one core for Python."""
    for writers in (1, 4):
        with catalogue(server) as url:
            fill(url, folder)
            stored: list[int] = []
            seconds = timed([threading.Thread(target=store_all, args=(url, stored)) for _ in range(writers)])
        print(f"stores, {writers} at once, {BATCH} photos each: {len(stored) / seconds:,.0f} photos/s, stored twice "
              f"{len(stored) - len(set(stored))}", flush=True)  # fmt: skip


SEARCHER = """
import statistics, sys, threading, time
from pathlib import Path

from photoindex.config import Settings
from photoindex.library import Library

folder, url, users, searches = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
times = []
with Library(Settings(Path(folder), catalogue=url)) as library:
    library.search("square")
    print("ready", flush=True)
    sys.stdin.readline()

    def search():
        for number in range(searches):
            began = time.monotonic()
            library.search(("red square", "blue", "green square")[number % 3])
            times.append(time.monotonic() - began)

    threads = [threading.Thread(target=search) for _ in range(users)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print(*times, flush=True)
"""


def searches(server: postgres.Server, folder: Path, album: Path, photos: int) -> None:
    """Search with eight users at once, on one node and on two, each a process with an index of its own."""
    with catalogue(server) as url:
        queue(folder / "node", url, album)
        worker = start_worker(folder / "worker", url, wait=0.0)
        until_done(url, photos)
        end([worker])
        for nodes in (1, 2):
            running = [
                subprocess.Popen(
                    [sys.executable, "-c", SEARCHER, str(folder / f"s{number}"), url, str(8 // nodes), "40"],
                    cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                )
                for number in range(nodes)
            ]  # fmt: skip
            for each in running:
                assert each.stdout is not None
                each.stdout.readline()
            started = time.monotonic()
            times = [float(word) for each in running for word in each.communicate("go\n")[0].split()]
            seconds = time.monotonic() - started
            p95 = statistics.quantiles(times, n=20)[-1] * 1000
            speed = f"{len(times) / seconds:.0f}/s, p95 {p95:.0f} ms"
            print(f"searches, 8 users on {nodes} nodes, {photos} photos: {speed}", flush=True)


def kills(server: postgres.Server, folder: Path, album: Path, photos: int, workers: int, restarts: int) -> None:
    """Kill workers, and the server, at random moments; then let two finish."""
    random.seed(1)
    with catalogue(server) as url:
        queue(folder / "node", url, album)
        running = [start_worker(folder / f"k{number}", url) for number in range(2)]
        started = time.monotonic()
        for number in range(max(workers, restarts)):
            time.sleep(random.uniform(0.05, 0.6))
            if number < workers:
                slot = number % 2
                kill(running[slot])
                running[slot] = start_worker(folder / f"k{slot}", url, ready=False)
            if number < restarts:
                server.crash()
                server.start()
        until_done(url, photos)
        once, more, none, left = counts(url)
        end(running)
        seconds = time.monotonic() - started
    done = f"{once} of {photos} photos stored once, {more} twice, {none} lost, {left} jobs left"
    print(f"kills of {workers} workers and {restarts} of the server in {seconds:.0f} s: {done}", flush=True)


def paused(server: postgres.Server, folder: Path, album: Path, photos: int) -> None:
    """Stop a worker for longer than its lease; what it stores when it goes on is refused."""
    with catalogue(server) as url:
        queue(folder / "node", url, album)
        held = start_worker(folder / "held", url, wait=0.1, shape="tile")
        while jobs_running(url) == 0:
            time.sleep(0.02)
        os.killpg(held.pid, signal.SIGSTOP)
        before = counts(url)[0]
        other = start_worker(folder / "other", url)
        until_done(url, photos)
        os.killpg(held.pid, signal.SIGCONT)
        time.sleep(5)
        once, more, none, left = counts(url)
        with closing(open_database(url)) as database, database.read() as connection:
            late = connection.execute(
                select(func.count()).select_from(caption).where(caption.c.text.like("%tile"), caption.c.rank == 0)
            ).scalar_one()
        end([held, other])
    done = f"{once} once, {more} twice, {none} lost, {left} jobs left"
    print(f"a worker stopped for longer than its lease: {late - before} late captions stored; {done}", flush=True)


def jobs_running(url: str) -> int:
    with closing(open_database(url)) as database, database.read() as connection:
        running = select(func.count()).select_from(job).where(job.c.state == "running", job.c.attempts > 0)
        return int(connection.execute(running).scalar_one())


def joining(server: postgres.Server, folder: Path, album: Path) -> None:
    """Say how long a worker that joins takes to store its first photo, and a search on another node to find one."""
    with catalogue(server) as url:
        queue(folder / "node", url, album)
        with Library(Settings(folder / "search", catalogue=url)) as library:
            library.search("square")
            worker = start_worker(folder / "new", url)
            started = time.monotonic()
            while not counts(url)[0]:
                time.sleep(0.01)
            stored = time.monotonic()
            while not library.search("square"):
                time.sleep(0.01)
            found = time.monotonic()
        end([worker])
    print(f"a worker that joins: first photo stored after {stored - started:.1f} s; found on another node "
          f"{found - stored:.2f} s later", flush=True)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photos", type=int, default=400)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--restarts", type=int, default=10)
    parser.add_argument("--only", help="captions, claims, stores, searches, joining, paused or kills")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores; the captioner waits {WAIT * 1000:.0f} ms a photo; lease {LEASE:.0f} s")
    with (
        tempfile.TemporaryDirectory() as place,
        postgres.server(fsync="on", full_page_writes="on", recovery_init_sync_method="syncfs") as server,
    ):
        folder, album = Path(place), Path(place, "album")
        for number in range(options.photos):
            make_photo(album / f"{number}.jpg", random.Random(number).choice(["red", "green", "blue"]))
        postgres.make_template(server)
        parts: dict[str, Callable[[], None]] = {
            "captions": lambda: captions_per_second(server, folder, album, options.photos),
            "claims": lambda: claims(server, folder),
            "stores": lambda: stores(server, folder),
            "searches": lambda: searches(server, folder, album, options.photos),
            "joining": lambda: joining(server, folder, album),
            "paused": lambda: paused(server, folder, album, options.photos),
            "kills": lambda: kills(server, folder, album, options.photos, options.kills, options.restarts),
        }
        for name, part in parts.items():
            if options.only in (None, name):
                part()


if __name__ == "__main__":
    main()
