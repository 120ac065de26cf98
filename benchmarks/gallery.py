"""How fast the gallery answers on a made library, line by line beside its budget.

    PYTHONPATH=. python benchmarks/gallery.py [PHOTOS] [--keep DIR] [--requests N] [--browsers N] [--no-browser]

Makes a library of PHOTOS (100000) invented photos in a temporary folder, or in DIR, where a later run finds it; starts
`photoindex serve` on it as a user does; and asks what its pages ask, over HTTP and in headless Chromium. Prints medians
and 95th percentiles of wall-clock time in milliseconds beside the budget, in bold what misses it; the time until the
server answers; its memory, also after N more requests; and what N clients wait for that ask at once.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
from invented_library import CAMERAS, make
from PIL import Image
from search_scale import FIRST_DAY
from side_by_side import machine

from photoindex.config import Settings
from photoindex.library.gallery.facade import MOST_EDITED
from photoindex.media.thumbnail_files import ThumbnailFiles
from photoindex.web.forms import LIST_SIZE

REPEATS = 15
STARTS = 5
CROWD_ROUNDS = 10
TYPED = "standing in grass"
ASKED = (
    "api/v1/timeline/{number}-60",
    "photo/{number}",
    "search?q=dog+grass",
    "api/v1/photos/{number}",
    "api/v1/stats",
)
RESTED = 12  # seconds; the server hands memory back every five that it answered in
MEMORY = 150  # MB, the budget


@contextmanager
def serving(data: Path) -> Iterator[tuple[httpx.Client, str, int, list[float]]]:
    """A client that signed in, a link for a browser, the server's process id, and the milliseconds until it answered,
    of several starts."""
    command = [sys.executable, "-m", "photoindex", "--data-dir", str(data), "serve", "--no-browser", "--port", "0"]
    taken: list[float] = []
    while True:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        match = re.search(r"(http://(\S+?)/)login\S+", process.stdout.readline())
        assert match is not None
        with urllib.request.urlopen(f"{match[1]}api/v1/health") as answer:
            answer.read()
        taken.append(1000 * (time.perf_counter() - started))
        if len(taken) == STARTS:
            break
        process.terminate()
        process.wait()
    client = httpx.Client(base_url=match[1], headers={"Origin": f"http://{match[2]}"}, timeout=600)
    client.get(match[0])
    link = subprocess.run([*command[:-3], "--link"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    try:
        yield client, link, process.pid, taken
    finally:
        client.close()
        process.terminate()
        process.wait()


def line(what: str, taken: Sequence[float], *budget: float) -> None:
    """Print a line of the table: the budget of the median, and of the 95th percentile if there is one; what was
    measured; in bold what is above it."""
    ordered = sorted(taken)
    middle, high = statistics.median(ordered), ordered[int(0.95 * (len(ordered) - 1))]
    shown = [f"{value:.0f}" for value in (middle, high)]
    for place, most in enumerate(budget):
        if (middle, high)[place] > most:
            shown[place] = f"**{shown[place]}**"
    print(f"| {what} | {', '.join(f'{most:g}' for most in budget)} | {' | '.join(shown)} |", flush=True)


def timed(what: str, ask: Callable[[int], httpx.Response], *budget: float) -> None:
    """Print how long something takes, asked several times."""
    taken = []
    for number in range(REPEATS):
        started = time.perf_counter()
        ask(number).raise_for_status()
        taken.append(1000 * (time.perf_counter() - started))
    line(what, taken, *budget)


def resident(pid: int) -> str:
    """Megabytes of memory beside the budget, and how many of them are of files that the system may drop: of the index,
    of libraries."""
    pages = map(int, Path(f"/proc/{pid}/statm").read_text().split()[1:3])
    whole, of_files = (each * os.sysconf("SC_PAGESIZE") / 1e6 for each in pages)
    mark = "**" if whole > MEMORY else ""
    return f"{mark}{whole:.0f}{mark} MB (budget {MEMORY}), of which {of_files:.0f} MB are of files"


def answers(client: httpx.Client, photos: int) -> None:
    """Print what the pages wait for."""
    timed("timeline, days", lambda _: client.get("api/v1/timeline"), 20)
    timed("timeline, shapes of all photos", lambda _: client.get("api/v1/timeline/shapes"))
    timed("timeline, 120 photos anywhere", lambda n: client.get(f"api/v1/timeline/{n * photos // 20}-120"))
    timed("timeline page, 60 photos", lambda _: client.get(""))
    timed(
        "timeline narrowed to a camera, days",
        lambda n: client.get("api/v1/timeline", params={"camera": CAMERAS[n % len(CAMERAS)], "rating": n // 5}),
    )
    timed(
        "what it can be narrowed to",
        lambda n: client.get("api/v1/timeline/choices", params={"camera": CAMERAS[n % len(CAMERAS)]}),
    )
    timed("a letter typed, results as a page",
          lambda n: client.get("search", params={"q": TYPED[: 3 + n % 15], "typing": "first"}))  # fmt: skip
    found = client.get("api/v1/search", params={"q": TYPED}).json()
    results = f"{found['total']:,} results"
    budgets = {"best": (), "newest": (60.0,), "rating": ()}
    timed(f"count of {results}", lambda _: client.get("api/v1/search", params={"set": found["set"], "limit": 1}), 20)
    for order, budget in budgets.items():
        timed(f"60 of {results}, {order}", lambda _, order=order: client.get(  # type: ignore[misc]
            "api/v1/search", params={"set": found["set"], "sort": order}), *budget)  # fmt: skip
    timed(f"facets of {results}", lambda _: client.get(f"api/v1/sets/{found['set']}/facets"))
    timed("an edit confirmed",
          lambda n: client.patch("api/v1/photos", json={"ids": [n + 1], "caption": f"a dog {n}"}), 30)  # fmt: skip
    timed("albums", lambda _: client.get("albums"))
    timed("map of the world", lambda _: client.get("api/v1/map"))
    timed("statistics", lambda _: client.get("api/v1/stats"), 100)
    timed("one photo's page", lambda n: client.get(f"photo/{n + 1}"))
    timed("the same, found by a search", lambda n: client.get(f"photo/{n + 1}", params={"q": TYPED}))


def thumbnails(folder: Path) -> None:
    """Print how long new thumbnails of 12 megapixels take, of photos that exist."""
    # The sizes are those of the API; decoding is asked for as the server does it.
    from photoindex.media.thumbnail_pool import Source, ThumbnailPool

    album = folder / "real"
    album.mkdir(exist_ok=True)
    noise = Image.effect_noise((400, 300), 80).convert("RGB").resize((4000, 3000))
    for number in range(REPEATS + 1):
        noise.save(album / f"{number}-{os.getpid()}.jpg", quality=90, comment=f"{number} {os.getpid()}")
    pool = ThumbnailPool(album / "kept", 0, Settings(folder / "data"))
    taken = []
    for number, path in enumerate(sorted(album.glob(f"*-{os.getpid()}.jpg"))):
        status = path.stat()
        source = Source(path, status.st_size, status.st_mtime_ns)
        started = time.perf_counter()
        pool.make(f"{number:064}", 480, lambda source=source: [source]).result()  # type: ignore[misc]
        taken.append(1000 * (time.perf_counter() - started))
        path.unlink()
    pool.close()
    line("a new thumbnail of 12 megapixels", taken[1:], 60)  # the first waited for the process to start


def draw_thumbnails(client: httpx.Client, data: Path) -> None:
    """Keep a thumbnail of each photo that the results of what is typed show first, as a library has that was indexed
    or looked at before."""
    picture = io.BytesIO()
    Image.effect_noise((480, 360), 60).convert("RGB").save(picture, "JPEG", quality=80)
    files = ThumbnailFiles(data / "thumbnails", 10**9)
    for end in range(1, len(TYPED) + 1):
        page = client.get("search", params={"q": TYPED[:end], "typing": "all"}).raise_for_status().text
        for content in set(re.findall(rf"/t/([0-9a-f]{{64}})-{LIST_SIZE}\.jpg", page)):
            files.keep(content, {LIST_SIZE: picture.getvalue()})


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
        taken = [each for some in pool.map(ask, range(browsers)) for each in some]
    per_second = len(taken) / (time.perf_counter() - started)
    line(f"{browsers} clients at once, any answer ({per_second:.0f} a second)", taken)


def many_requests(client: httpx.Client, pid: int, requests: int, photos: int) -> None:
    """Print the server's memory: now, and at once after a tenth of so many requests and after all; and once the server
    has handed back what they left behind."""
    print(f"\nmemory of the server: {resident(pid)}")
    for number in range(requests):
        client.get(ASKED[number % len(ASKED)].format(number=number % photos + 1)).raise_for_status()
        if number + 1 in (requests // 10, requests):
            print(f"after {number + 1:,} more requests: {resident(pid)}", flush=True)
    time.sleep(RESTED)
    print(f"{RESTED} seconds later: {resident(pid)}", flush=True)


def large_edit(client: httpx.Client) -> None:
    """Print how long an edit of all results of a search takes, of one year where there are more than one edit may
    change, and how long another edit waits for it at most."""
    found = client.get("api/v1/search", params={"q": TYPED}).json()
    if found["total"] > MOST_EDITED:
        found = client.get("api/v1/search", params={"q": f"{TYPED} taken:{FIRST_DAY.year + 1}"}).json()
    stars, waits = int(time.time()) % 5 + 1, []
    with ThreadPoolExecutor(1) as pool:
        started = time.perf_counter()
        all_of_them = pool.submit(
            lambda: client.patch("api/v1/photos", json={"set": found["set"], "rating": stars}).raise_for_status().json()
        )
        while not all_of_them.done():
            began = time.perf_counter()
            client.patch("api/v1/photos", json={"ids": [1], "caption": f"a dog {began}"}).raise_for_status()
            waits.append(1000 * (time.perf_counter() - began))
        taken = 1000 * (time.perf_counter() - started)
    print(f"an edit of {all_of_them.result()['changed']:,} photos confirmed: {taken:.0f} ms; "
          f"edits of one photo meanwhile: {max(waits):.0f} ms at most")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("photos", nargs="?", type=int, default=100_000)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--requests", type=int, default=0, help="so many more, after which memory is looked at again")
    parser.add_argument("--browsers", type=int, default=8, help="so many clients that ask at once")
    parser.add_argument("--no-browser", action="store_true", help="leave out what needs Chromium")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        if not (folder / "data").exists():
            make(folder, given.photos)
        with serving(folder / "data") as (client, link, pid, started):
            print(f"{machine()}\n{given.photos:,} photos; load of the machine {os.getloadavg()[0]:.1f}\n")
            print("| milliseconds | budget | median | p95 |\n|---|---|---|---|")
            line("`photoindex serve` until it answers", started, 600)
            began = time.perf_counter()
            client.get("api/v1/timeline").raise_for_status()
            line("first timeline after the start", [1000 * (time.perf_counter() - began)])
            client.get("search?q=grass").raise_for_status()
            answers(client, given.photos)
            thumbnails(folder)
            if not given.no_browser:
                from gallery_frames import typed_letters

                draw_thumbnails(client, folder / "data")
                line("a letter typed to results painted", typed_letters(link, TYPED), 80, 150)
            if given.browsers:
                crowd(client, given.browsers, given.photos)
            many_requests(client, pid, given.requests, given.photos)
            large_edit(client)
    if not given.no_browser:
        from gallery_frames import look

        print()
        look(given.photos)


if __name__ == "__main__":
    main()
