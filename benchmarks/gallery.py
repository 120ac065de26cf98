"""How fast the gallery answers, over HTTP, on a made library.

    python benchmarks/gallery.py [PHOTOS] [--keep DIR] [--requests N] [--browsers N]

Makes a library of PHOTOS (100000) invented photos in a temporary folder, or in DIR, where a later run finds it; starts
`photoindex serve` on it as a user does; and asks what its pages ask. Prints medians and 95th percentiles of wall-clock
time in milliseconds, the time until the server answers, and its memory: also after N more requests, and what N clients
wait for that ask at once.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import invented
from PIL import Image
from search_scale import FIRST_DAY
from sqlalchemy import insert, update

from photoindex.catalogue import change_feed
from photoindex.catalogue.database import Database
from photoindex.catalogue.schema import caption, catalogue, file, photo, term, term_vector
from photoindex.config import Settings
from photoindex.library import Library

REPEATS = 15
STARTS = 5
DAYS = 365 * 12
PLACES = 400
INVENTED = 100_000  # photos, whose captions are drawn; further ones repeat them
CAMERAS = ("Canon EOS R5", "Pixel 9", "iPhone 15 Pro", "Nikon Z6", "FUJIFILM X-T5")
TAGS = ("holiday", "family", "garden", "work", "birthday", "winter walk")
CROWD_ROUNDS = 10
TYPED = "standing in grass"
ASKED = (
    "api/v1/timeline/{number}-60",
    "photo/{number}",
    "search?q=dog+grass",
    "api/v1/photos/{number}",
    "api/v1/stats",
)


def make(folder: Path, count: int) -> None:
    """Make a library with its index."""
    make_catalogue(folder, count)
    with Library(Settings(folder / "data")) as library:
        library.rebuild_full_text()


def make_catalogue(folder: Path, count: int) -> None:
    """Make a catalogue whose photos were taken over twelve years, in many shapes, places and folders; a third has no
    position, and one in twenty has a tag. What is above :data:`INVENTED` photos repeats their captions."""
    album = folder / "album"
    album.mkdir(parents=True, exist_ok=True)
    database = Database.open(folder / "data" / "catalogue.sqlite3")
    with database.write() as connection:
        change_feed.drop(connection)  # nobody keeps anything of a library that is being made
    invented.fill(database, album, min(count, INVENTED))
    multiply(database, count)
    database.close()


def multiply(database: Database, count: int) -> None:
    """Repeat the first photos until there are so many, and tell them apart by date, place, camera and tags."""
    with database.write() as connection:
        change_feed.drop(connection)
        for shift in range(INVENTED, count, INVENTED):
            for table, owner in ((photo, "id"), (file, "photo_id"), (caption, "photo_id"), (term, "photo_id"),
                                 (term_vector, "photo_id")):  # fmt: skip
                columns = [column.name for column in table.columns if column.name != "id" or owner == "id"]
                values = {
                    owner: f"{owner} + {shift}", "content_hash": f"printf('%064d', id + {shift})",
                    "relative_path": f"cast('{shift}/' || relative_path as blob)", "revision": f"revision + {shift}",
                }  # fmt: skip
                wanted = ", ".join(values.get(name, f'"{name}"') for name in columns)
                names = ", ".join(f'"{name}"' for name in columns)
                connection.exec_driver_sql(
                    f"insert into {table.name} ({names}) select {wanted} from {table.name}"
                    f" where {owner} <= {min(INVENTED, count - shift)}"
                )
        names = list(_facts(1, count))[1:]
        statement = (
            f"update photo set revision = id, {', '.join(f'{name} = :{name}' for name in names)} where id = :one"
        )
        for first in range(0, count, 20_000):
            numbers = range(first + 1, min(first + 20_000, count) + 1)
            connection.exec_driver_sql(statement, [_facts(number, count) for number in numbers])
            tags = [{"photo_id": number, "text": TAGS[number // 20 % len(TAGS)], "weight": 1.0, "source": "keyword"}
                    for number in numbers if number % 20 == 0]  # fmt: skip
            connection.execute(insert(term), tags)
        connection.execute(update(catalogue).values(vector_revision=count, revision=count))
        change_feed.install(connection)


def _facts(number: int, count: int) -> dict[str, Any]:
    """What is known of an invented photo."""
    taken = FIRST_DAY + timedelta(days=number * DAYS // count, seconds=number % 50_000)
    place = number // 40 * 7919 % PLACES  # forty photos after each other are of one place
    found = {
        "one": number, "taken_at": None if number % 100 == 0 else f"{taken:%Y-%m-%d %H:%M:%S}.000000",
        "width": (4000, 2250, 4000, 4500)[number % 4],
        "camera": CAMERAS[number % len(CAMERAS)], "favourite": number % 50 == 0,
        "latitude": None, "longitude": None, "city": None, "country": None,
    }  # fmt: skip
    if number % 3:
        found |= {
            "latitude": -55 + 120 * (place * 31 % PLACES) / PLACES + number % 40 / 4000,
            "longitude": -170 + 340 * place / PLACES + number % 37 / 4000,
            "city": f"City {place}", "country": f"Country {place % 40}",
        }  # fmt: skip
    return found


@contextmanager
def serving(data: Path) -> Iterator[tuple[httpx.Client, int, float]]:
    """A client that signed in, the server's process id, and the median of the seconds until it answered."""
    command = [sys.executable, "-m", "photoindex", "--data-dir", str(data), "serve", "--no-browser", "--port", "0"]
    taken = []
    for start in range(STARTS):
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        match = re.search(r"(http://(\S+?)/)login\S+", process.stdout.readline())
        assert match is not None
        with urllib.request.urlopen(f"{match[1]}api/v1/health") as answer:
            answer.read()
        taken.append(time.perf_counter() - started)
        if start < STARTS - 1:
            process.terminate()
            process.wait()
    client = httpx.Client(base_url=match[1], headers={"Origin": f"http://{match[2]}"}, timeout=120)
    client.get(match[0])
    try:
        yield client, process.pid, statistics.median(taken)
    finally:
        client.close()
        process.terminate()
        process.wait()


def resident(pid: int) -> str:
    """Megabytes of memory, and how many of them are of files that the system may drop: of the index, of libraries."""
    pages = map(int, Path(f"/proc/{pid}/statm").read_text().split()[1:3])
    resident, of_files = (each * os.sysconf("SC_PAGESIZE") / 1e6 for each in pages)
    return f"{resident:.0f} MB, of which {of_files:.0f} MB are of files"


def crowd(client: httpx.Client, browsers: int, photos: int) -> None:
    """Print how long answers take that several clients ask for at once, each one after the other."""

    def ask(browser: int) -> list[float]:
        taken = []
        with httpx.Client(base_url=client.base_url, cookies=client.cookies, timeout=120) as mine:
            for number in range(CROWD_ROUNDS):
                for address in ASKED:
                    row = (browser * CROWD_ROUNDS + number) * 101 % photos + 1
                    started = time.perf_counter()
                    mine.get(address.format(number=row)).raise_for_status()
                    taken.append(1000 * (time.perf_counter() - started))
        return taken

    started = time.perf_counter()
    with ThreadPoolExecutor(browsers) as pool:
        taken = sorted(each for some in pool.map(ask, range(browsers)) for each in some)
    per_second = len(taken) / (time.perf_counter() - started)
    print(
        f"| {browsers} at once, any answer ({per_second:.0f} a second) | {statistics.median(taken):.0f}"
        f" | {taken[int(0.95 * (len(taken) - 1))]:.0f} |"
    )


def timed(what: str, ask: Callable[[int], httpx.Response]) -> None:
    """Print how long something takes, asked several times."""
    taken = []
    for number in range(REPEATS):
        started = time.perf_counter()
        ask(number).raise_for_status()
        taken.append(1000 * (time.perf_counter() - started))
    taken.sort()
    print(f"| {what} | {statistics.median(taken):.0f} | {taken[int(0.95 * (len(taken) - 1))]:.0f} |", flush=True)


def thumbnails(client: httpx.Client, folder: Path) -> None:
    """New thumbnails of 12 megapixels, of photos that exist."""
    album = folder / "real"
    album.mkdir(exist_ok=True)
    noise = Image.effect_noise((400, 300), 80).convert("RGB").resize((4000, 3000))
    for number in range(REPEATS + 1):
        noise.save(album / f"{number}-{os.getpid()}.jpg", quality=90, comment=f"{number} {os.getpid()}")
    # The sizes are those of the API; decoding is asked for as the server does it.
    from photoindex.media.thumbnail_pool import Source, ThumbnailPool

    pool = ThumbnailPool(album / "kept", 0, Settings(folder / "data"))
    taken = []
    for number, path in enumerate(sorted(album.glob(f"*-{os.getpid()}.jpg"))):
        status = path.stat()
        source = Source(path, status.st_size, status.st_mtime_ns)
        started = time.perf_counter()
        pool.make(f"{number:064}", 480, lambda source=source: [source]).result()  # type: ignore[misc]
        taken.append(1000 * (time.perf_counter() - started))
    pool.close()
    taken = sorted(taken[1:])  # the first waited for the process to start
    highest = taken[int(0.95 * len(taken)) - 1]
    print(f"| a new thumbnail of 12 megapixels | {statistics.median(taken):.0f} | {highest:.0f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("photos", nargs="?", type=int, default=100_000)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--requests", type=int, default=0, help="so many more, after which memory is looked at again")
    parser.add_argument("--browsers", type=int, default=8, help="so many clients that ask at once")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        if not (folder / "data").exists():
            make(folder, given.photos)
        with serving(folder / "data") as (client, pid, answered):
            print(f"{given.photos:,} photos; load of the machine {os.getloadavg()[0]:.1f}\n")
            print("| | median ms | p95 ms |\n|---|---|---|")
            started = time.perf_counter()
            client.get("api/v1/timeline").raise_for_status()
            print(f"| `photoindex serve` until it answers | {1000 * answered:.0f} | |")
            print(f"| first timeline, all photos read | {1000 * (time.perf_counter() - started):.0f} | |")
            client.get("search?q=grass")
            timed("timeline, days", lambda _: client.get("api/v1/timeline"))
            timed("timeline, shapes of all photos", lambda _: client.get("api/v1/timeline/shapes"))
            timed(
                "timeline, 120 photos anywhere", lambda n: client.get(f"api/v1/timeline/{n * given.photos // 20}-120")
            )
            timed("timeline page, 60 photos", lambda _: client.get(""))
            timed(
                "a letter typed, results as a page",
                lambda n: client.get("search", params={"q": TYPED[: 3 + n % 15], "typing": 1}),
            )
            found = client.get("api/v1/search", params={"q": TYPED}).json()
            print(f"| (`{TYPED}` finds {found['total']:,} photos, {found['said']:,} say it) | | |")
            for order in ("best", "newest", "rating"):
                timed(f"60 of these, {order}", lambda _, order=order: client.get(  # type: ignore[misc]
                    "api/v1/search", params={"set": found["set"], "sort": order}))  # fmt: skip
            timed("facets of these", lambda _: client.get(f"api/v1/sets/{found['set']}/facets"))
            timed(
                "an edit confirmed",
                lambda n: client.patch("api/v1/photos", json={"ids": [n + 1], "caption": "a dog"}),
            )
            timed("albums", lambda _: client.get("albums"))
            timed("map of the world", lambda _: client.get("api/v1/map"))
            timed("statistics", lambda _: client.get("api/v1/stats"))
            timed("one photo's page", lambda n: client.get(f"photo/{n + 1}"))
            thumbnails(client, folder)
            if given.browsers:
                crowd(client, given.browsers, given.photos)
            print(f"\nmemory of the server: {resident(pid)}")
            for number in range(given.requests):
                client.get(ASKED[number % len(ASKED)].format(number=number % given.photos + 1)).raise_for_status()
                if number + 1 in (given.requests // 10, given.requests):
                    print(f"after {number + 1:,} more requests: {resident(pid)}", flush=True)
            found = client.get("api/v1/search", params={"q": TYPED}).json()
            started = time.perf_counter()
            edited = client.patch("api/v1/photos", json={"set": found["set"], "rating": 3}).raise_for_status().json()
            taken = 1000 * (time.perf_counter() - started)
            print(f"an edit of {edited['changed']:,} photos confirmed: {taken:.0f} ms")


if __name__ == "__main__":
    main()
