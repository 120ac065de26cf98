"""A folder in which photos come and go all the time: what is found is what is there, and nothing is suspended.

    python tests/stress/churn.py [--files 20000] [--rate 20] [--small] [--seed N]

Photos are made and removed below a folder that `watch` follows, about as many at a time as the rate makes in eight
seconds, while folders are renamed and moved. The watcher captions more slowly than photos go, so that many are removed
before they were ever read. Only the watcher may find them: its hourly comparison does not come. At the end catalogue,
index and folder must agree, no folder may be suspended, and memory and open files are shown.
"""

from __future__ import annotations

import hashlib
import sqlite3
import sys
import time
from collections import deque
from contextlib import closing
from pathlib import Path
from typing import Any

from agreement import check_agreement
from burst import wait_for_all
from coded import photo_bytes
from harness import (
    MemoryMeter,
    Trial,
    check_none_left,
    check_unchanged,
    parse,
    parser,
    read_traces,
    stop,
    victim,
    workshop,
)

SECONDS_ALIVE = 8.0  # that a photo is there
FOLDERS = 8
RENAME_EVERY = 40  # photos
STAY = 100  # photos that are left at the end; of the others fewer go at once than would be doubted


def main() -> int:
    made = parser(__doc__)
    made.add_argument("--files", type=int, default=None, help="how many are made [default: 20000; small: 400]")
    made.add_argument("--rate", type=float, default=20.0, help="made, and removed, each second [default: 20]")
    options = parse(made)
    count = options.files if options.files is not None else 400 if options.small else 20_000
    trial = Trial("churn", options)
    with workshop(options.keep) as folder:
        torment(trial, folder, count, options.rate)
        check_none_left(trial)
    return trial.verdict()


def torment(trial: Trial, folder: Path, count: int, rate: float) -> None:
    album, data_dir, errors = folder / "album", folder / "data", folder / "stderr"
    album.mkdir()
    flags: dict[str, Any] = {"log": folder / "captions.log", "batch": 64, "settle": 0.5, "poll": 1.0, "workers": 2}
    process = victim("watch", data_dir, album, errors=errors, **flags)
    assert process.stdout is not None
    trial.check(process.stdout.readline() == "ready\n", "the watcher never was ready")
    meter = MemoryMeter(process.pid, every=0.5)
    churn = Churn(trial, album, rate)
    before = descriptors(process.pid)
    churn.run(count)
    complete = wait_for_all(process, data_dir, len(churn.photos))
    after = descriptors(process.pid)
    meter.close()
    trial.check(complete, "the watcher had not found what is there")
    trial.check(suspended(data_dir) == 0, "a folder was suspended")
    trial.check(stop(process) == 0, f"the watcher ended with status {process.returncode}")
    trial.say(
        f"{count} files made and {count - len(churn.photos)} removed in {churn.seconds:.0f} s, {churn.moves} folders "
        f"renamed; all processes took at most {meter.peak:.0f} MiB; {before} open files before, {after} after"
    )
    text = errors.read_text()
    trial.check("vanished at once" not in text, "photos were said to have vanished")
    traces = read_traces(errors)
    trial.check(not traces, f"stderr has {len(traces)} tracebacks or locks: {traces[:2]}")
    check_agreement(trial, data_dir, churn.photos, churn.numbers)
    check_unchanged(trial, churn.photos, album)


class Churn:
    """Makes photos and removes the oldest of them, at a rate, while their folders change names and places."""

    def __init__(self, trial: Trial, album: Path, rate: float) -> None:
        self.photos: dict[Path, str] = {}
        self.numbers: dict[str, int] = {}
        self.moves = 0
        self.seconds = 0.0
        self._random = trial.random
        self._album = album
        self._rate = rate
        self._folders = [album / f"folder-{number}" for number in range(FOLDERS)]
        for folder in self._folders:
            folder.mkdir()

    def run(self, count: int) -> None:
        """Make ``count`` photos and remove all but the last."""
        started = time.monotonic()
        alive: deque[int] = deque()
        places: dict[int, tuple[Path, str]] = {}
        most = max(STAY, int(self._rate * SECONDS_ALIVE))
        for number in range(1, count + 1):
            content = photo_bytes(number, side=16)
            digest = hashlib.sha256(content).hexdigest()
            path = self._random.choice(self._folders) / f"{number}.png"
            path.write_bytes(content)
            self.numbers[digest] = number
            places[number] = path, digest
            alive.append(number)
            if len(alive) > most:
                gone, _ = places.pop(alive.popleft())
                gone.unlink()
            if number % RENAME_EVERY == 0:
                self._rename(places)
            time.sleep(max(0.0, started + number / self._rate - time.monotonic()))
        while len(alive) > STAY:  # the rest goes within seconds, which is less than half of what was there
            gone, _ = places.pop(alive.popleft())
            gone.unlink()
            time.sleep(1 / self._rate)
        self.photos = dict(places.values())
        self.seconds = time.monotonic() - started

    def _rename(self, places: dict[int, tuple[Path, str]]) -> None:
        self.moves += 1
        place = self._random.randrange(FOLDERS)
        old, new = self._folders[place], self._album / f"renamed-{self.moves}"
        old.rename(new)
        self._folders[place] = new
        for number, (path, digest) in places.items():
            if path.parent == old:
                places[number] = new / path.name, digest


def suspended(data_dir: Path) -> int:
    with closing(sqlite3.connect(data_dir / "catalogue.sqlite3", timeout=30)) as connection:
        query = "select count(*) from root where suspended_photos is not null"
        return int(connection.execute(query).fetchone()[0])


def descriptors(pid: int) -> int:
    """How many files a process has open; 0 where nobody says."""
    try:
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except OSError:
        return 0


if __name__ == "__main__":
    sys.exit(main())
