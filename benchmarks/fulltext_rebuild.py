"""Making the search index again, and what a searching process feels while photos are being indexed.

    python benchmarks/fulltext_rebuild.py [--photos 100000] [--burst 3000]

Makes a library of invented photos in a temporary folder and rebuilds its index, as `reindex --fulltext` does. Then a
process searches it in a loop, first undisturbed, then while another writes a burst of photos into it, in commits of 256
as fast as it can, and is timed on the wall. Each search sees all that was committed before it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from invented import fill
from search_scale import folder_bytes, peak_megabytes, queries
from side_by_side import environment, machine
from sqlalchemy import update

from photoindex.catalogue.schema import photo
from photoindex.config import Settings
from photoindex.library import Library
from photoindex.search.fulltext import sync

KIND = "3 words"


def rebuild(data: Path) -> dict[str, float]:
    with Library(Settings(data)) as library:
        started, cpu = time.perf_counter(), time.process_time()
        library.rebuild_full_text()
        wall = time.perf_counter() - started
    return {"wall": wall, "cpu": time.process_time() - cpu, "memory": peak_megabytes()}


def search(data: Path) -> list[float]:
    """Searches until standard input ends; seconds each."""
    import select

    asked = queries()[KIND]
    times: list[float] = []
    with Library(Settings(data)) as library:
        for query in asked:
            library.search(query)
        print("ready", flush=True)
        while not select.select([sys.stdin], [], [], 0)[0]:
            started = time.perf_counter()
            library.search(asked[len(times) % len(asked)])
            times.append(time.perf_counter() - started)
    return times


def step(name: str, data: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, __file__, "--step", name, "--data", str(data)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(),
    )  # fmt: skip


def burst(data: Path, count: int) -> float:
    """Marks so many photos and writes them into the index; photos a second."""
    with Library(Settings(data)) as library:
        library.search("dog")
        with library._database.write() as connection:
            connection.execute(update(photo).where(photo.c.id <= count).values(text_stale=1))
        started = time.perf_counter()
        sync.sync(library._database, library._text(), library.settings)
        return count / (time.perf_counter() - started)


def searched(data: Path, work: Any) -> tuple[list[float], Any]:
    """Seconds of each search in another process while ``work`` is done here."""
    searcher = step("search", data)
    assert searcher.stdout is not None
    searcher.stdout.readline()
    found = work()
    told, _ = searcher.communicate()
    return json.loads(told), found


def row(label: str, times: list[float]) -> str:
    ordered = sorted(times)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    cells = (statistics.median(times), p95, ordered[-1])
    return f"{label:<34}{len(times):>8}" + "".join(f"{cell * 1e3:>9.0f}" for cell in cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=100_000)
    parser.add_argument("--burst", type=int, default=3000)
    parser.add_argument("--step", choices=["rebuild", "search"], help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        json.dump(rebuild(options.data) if options.step == "rebuild" else search(options.data), sys.stdout)
        return
    with tempfile.TemporaryDirectory() as name:
        data, photos = Path(name).resolve() / "data", Path(name).resolve() / "photos"
        photos.mkdir()
        with Library(Settings(data)) as library:
            library.rebuild_full_text()
            fill(library._database, photos, options.photos, terms=0)
        told, _ = step("rebuild", data).communicate()
        made = json.loads(told)
        size = folder_bytes(data / "fulltext")
        rate = options.photos / made["cpu"]
        print(
            f"reindex --fulltext of {options.photos:,} photos: {made['wall']:.1f} s on the wall, {made['cpu']:.1f} s of"
            f" the processor ({rate:.0f} photos a second of it), {made['memory']:.0f} MB at most; {size / 1e6:.0f} MB"
            " of index\n"
        )
        quiet, _ = searched(data, lambda: time.sleep(10))
        busy, rate = searched(data, lambda: burst(data, options.burst))
    print(f"{f'searches of {KIND}, ms':<34}{'searches':>8}{'p50':>9}{'p95':>9}{'longest':>9}")
    print(row("undisturbed", quiet))
    print(row(f"while {options.burst:,} photos are indexed", busy))
    print(f"\nindexed at {rate:.0f} photos a second meanwhile\n{machine('numpy')}")


if __name__ == "__main__":
    main()
