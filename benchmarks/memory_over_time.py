"""Whether a watch grows: its memory while tens of thousands of photos come into the folder it watches.

    python benchmarks/memory_over_time.py [--photos 50000] [--points 20]

Starts a watch on an empty folder, in a process of its own, with a captioner that costs nothing, and writes small photos
into the folder as fast as they are captioned. Prints the watcher's resident memory on the way, the lowest and the
highest since the line before (the index takes more for moments, when it merges its parts), and that of its decoding
processes. At the end: how much the lowest of the last quarter is above that of the quarter before. Linux.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from side_by_side import REPOSITORY, environment, machine

WAITING = 2000  # photos written ahead of the captions
POLL = 0.5  # seconds


class QuickCaptioner:
    """Says of a photo what its pixels were made to say, with as many words as a real caption has."""

    def __init__(self, words: Sequence[str]) -> None:
        from photoindex.types import CaptionerInfo

        self.info = CaptionerInfo("quick", "quick-1", "none", "none", input_size=16, batch_size=32, device="cpu")
        self._words = words

    def caption(self, photos: Sequence[Any]) -> list[Any]:
        from photoindex.types import Candidate, Label, Prediction

        said = []
        for pixels in photos:
            chance = random.Random(pixels.tobytes())
            texts = [" ".join(chance.choices(self._words, k=11)) for _ in range(3)]
            candidates = tuple(Candidate(text, -9.0 - n, -1.0 - n) for n, text in enumerate(texts))
            said.append(Prediction(candidates, (Label(chance.choice(self._words), 0.5),)))
        return said

    def close(self) -> None:
        pass


def watch(data: Path, folder: Path) -> None:
    from search_scale import vocabulary

    from photoindex.config import Settings
    from photoindex.library import Library

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    captioner = QuickCaptioner(vocabulary()[:3000])
    with Library(Settings(data, settle_seconds=0.2, read_text="never"), lambda _: captioner) as library:
        library.watch(folder, stop=stop, ready=lambda _: print("ready", flush=True))


def write_photo(folder: Path, number: int) -> None:
    from PIL import Image

    place = folder / f"{number // 500:04}"
    place.mkdir(exist_ok=True)
    image = Image.frombytes("RGB", (16, 16), random.Random(number).randbytes(768))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    part = place / f"{number}.part"
    part.write_bytes(buffer.getvalue())
    part.replace(place / f"{number}.png")


def resident_mb(pid: int) -> float:
    """Without what is mapped from files, which the kernel takes back when it needs the memory."""
    resident, mapped = Path(f"/proc/{pid}/statm").read_text().split()[1:3]
    return (int(resident) - int(mapped)) * os.sysconf("SC_PAGE_SIZE") / 1e6


def children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that ends
            found += map(int, (task / "children").read_text().split())
    return found


def captioned(catalogue: Path) -> int:
    with closing(sqlite3.connect(f"{catalogue.as_uri()}?mode=ro", uri=True, timeout=30)) as connection:
        return int(connection.execute("select count(*) from photo").fetchone()[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=50_000)
    parser.add_argument("--points", type=int, default=20)
    parser.add_argument("--step", nargs=2, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        watch(*options.step)
        return
    with tempfile.TemporaryDirectory() as name:
        data, folder = Path(name).resolve() / "data", Path(name).resolve() / "photos"
        folder.mkdir()
        watcher = subprocess.Popen(
            [sys.executable, __file__, "--step", str(data), str(folder)], stdout=subprocess.PIPE, text=True,
            env=environment(), cwd=REPOSITORY,
        )  # fmt: skip
        assert watcher.stdout is not None
        watcher.stdout.readline()
        print(f"{'photos':>8}{'seconds':>9}{'watcher, MB':>20}{'decoders, MB':>14}", flush=True)
        started, written, done = time.monotonic(), 0, 0
        points: list[tuple[int, float]] = []  # photos, lowest memory
        since: list[float] = []
        while done < options.photos:
            while written < min(options.photos, done + WAITING):
                written += 1
                write_photo(folder, written)
            time.sleep(POLL)
            done = captioned(data / "catalogue.sqlite3")
            since.append(resident_mb(watcher.pid))
            if done >= options.photos * (len(points) + 1) / options.points:
                points.append((done, min(since)))
                own, helpers = f"{min(since):.1f} to {max(since):.1f}", sum(map(resident_mb, children(watcher.pid)))
                print(f"{done:>8}{time.monotonic() - started:>9.0f}{own:>20}{helpers:>14.1f}", flush=True)
                since = []
        watcher.send_signal(signal.SIGTERM)
        watcher.wait()
    quarter = max(1, len(points) // 4)
    before, last = (min(low for _, low in part) for part in (points[-2 * quarter : -quarter], points[-quarter:]))
    print(f"\nin the last quarter the watcher took {last - before:+.1f} MB more than in the one before")
    print(machine("SQLAlchemy", "numpy"))


if __name__ == "__main__":
    main()
