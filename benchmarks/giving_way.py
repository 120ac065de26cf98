"""How much of the processor other programs get while photoindex captions.

    python benchmarks/giving_way.py PHOTOS [--seconds 8] [--rounds 2]

PHOTOS is a folder of photos that take longer to caption than the runs, some 50 photos for each second of --seconds. A
loop in Python for each core, in sessions of their own as a desktop's programs are, counts how far it comes: alone, and
while `index` and `watch` caption, as they come and with the priority that asks for least. Shown is the share of what
the loops reach alone, median and range of the rounds. It runs on Linux, the system that shares by sessions.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from footprint import command

LOOP = """
import sys, time
end, count = time.monotonic() + float(sys.argv[1]), 0
while time.monotonic() < end:
    for _ in range(100_000):
        pass
    count += 1
print(count)
"""
WAYS = (("index",), ("index", "--nice", "19"), ("watch",), ("watch", "--nice", "19"))


def loops(seconds: float) -> int:
    """How often all loops together come round."""
    running = [
        subprocess.Popen([sys.executable, "-c", LOOP, str(seconds)], stdout=subprocess.PIPE, start_new_session=True)
        for _ in range(os.cpu_count() or 1)
    ]
    return sum(int(process.communicate()[0]) for process in running)


def captioned(data_dir: Path) -> int:
    done = subprocess.run(command(data_dir, "status", "--json"), capture_output=True, check=False)
    return int(json.loads(done.stdout)["photos"]) if done.returncode == 0 else 0


def beside(way: tuple[str, ...], photos: Path, seconds: float) -> tuple[int, int]:
    """(how often the loops come round beside photoindex, photos captioned meanwhile)."""
    with tempfile.TemporaryDirectory() as name:
        data_dir = Path(name)
        environment = {**os.environ, "PHOTOINDEX_READ_TEXT": "never"}
        process = subprocess.Popen(
            command(data_dir, *way, photos), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=environment,
        )  # fmt: skip
        try:
            while not (before := captioned(data_dir)):
                if process.poll() is not None:
                    sys.exit(f"{' '.join(way)} ended before it captioned a photo")
                time.sleep(0.2)
            count, after = loops(seconds), captioned(data_dir)
            if process.poll() is not None:
                sys.exit(f"{photos} was captioned before the loops ended; give more photos or fewer --seconds")
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()
    return count, after - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    shares: dict[tuple[str, ...], list[float]] = {way: [] for way in WAYS}
    rates: dict[tuple[str, ...], list[float]] = {way: [] for way in WAYS}
    for _ in range(options.rounds):
        alone = loops(options.seconds)
        for way in WAYS:
            count, photos = beside(way, options.photos, options.seconds)
            shares[way].append(count / alone)
            rates[way].append(photos / options.seconds)
    print(f"{'beside':<20}{'other programs get':>20}{'range':>14}{'photos/s':>10}")
    for way in WAYS:
        found = shares[way]
        spread = f"{min(found):.0%} to {max(found):.0%}"
        print(f"{' '.join(way):<20}{statistics.median(found):>20.0%}{spread:>14}{statistics.median(rates[way]):>10.1f}")
    print(
        f"\n{options.rounds} rounds of {options.seconds:g} s, a loop for each of {os.cpu_count()} cores;"
        f" {platform.platform()}, Python {platform.python_version()}"
    )


if __name__ == "__main__":
    main()
