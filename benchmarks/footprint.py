"""What photoindex takes: the wheel, the catalogue and index a photo, `watch` in memory, a search in time.

    python benchmarks/footprint.py PHOTOS [--idle-seconds 60]

PHOTOS is a folder of photos; they are copied to a temporary place and indexed there. Memory is read from /proc, so this
runs on Linux. Prints one table, with what it was measured on.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
SEARCHES = 10
UNLOAD_SECONDS = 5


def command(data_dir: Path, *arguments: str | Path) -> list[str]:
    return [sys.executable, "-u", "-m", "photoindex", "--data-dir", str(data_dir), *map(str, arguments)]


def family(pid: int) -> list[int]:
    """A process and all below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(member for child in children for member in family(int(child)))]


def memory_mb(pid: int) -> tuple[float, float, int]:
    """(resident MB of the process, proportional MB of it and its helpers, number of processes)."""

    def value(member: int, key: str) -> float:
        for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1]) / 1000
        return 0.0

    members = family(pid)
    return value(pid, "Rss"), sum(value(member, "Pss") for member in members), len(members)


def processor_seconds(pid: int) -> float:
    """User and system time of a process and all below it, threads included."""
    ticks = 0
    for member in family(pid):
        fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def watch_memory(
    data_dir: Path, photos: Path, new_photo: Path, idle_seconds: float
) -> tuple[list[tuple[str, tuple[float, float, int]]], float]:
    """Memory of a watcher: before it has anything to caption, just after, and once it let go of the model; and the
    seconds of the processor it takes in so many seconds without work."""
    environment = {**os.environ, "PHOTOINDEX_UNLOAD_SECONDS": str(UNLOAD_SECONDS)}
    process = subprocess.Popen(command(data_dir, "watch", photos), stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stderr is not None
    found = []
    for line in process.stderr:
        if line.startswith("watching"):
            found.append(("nothing to caption yet", memory_mb(process.pid)))
            shutil.copy(new_photo, photos)
        elif "1 captioned" in line:
            found.append(("a photo captioned, the model still held", memory_mb(process.pid)))
            break
    deadline = time.monotonic() + 10 * UNLOAD_SECONDS
    while len(family(process.pid)) > 1 and time.monotonic() < deadline:
        time.sleep(0.1)
    found.append(("the model let go of again", memory_mb(process.pid)))
    before = processor_seconds(process.pid)
    time.sleep(idle_seconds)
    idle = processor_seconds(process.pid) - before
    process.send_signal(signal.SIGINT)
    process.communicate()
    return found, idle


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--idle-seconds", type=float, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run(
            [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, REPOSITORY],
            check=True,
        )
        [wheel] = folder.glob("*.whl")
        rows = [("wheel", f"{wheel.stat().st_size / 1e6:.1f} MB")]

        photos, data_dir = folder / "photos", folder / "data"
        shutil.copytree(options.photos, photos)
        held_back = sorted(path for path in photos.iterdir() if path.is_file())[0]
        kept = Path(shutil.move(held_back, folder / held_back.name))
        started = time.monotonic()
        done = subprocess.run(command(data_dir, "index", photos, "--json"), capture_output=True, text=True, check=False)
        spent = time.monotonic() - started
        report = json.loads(done.stdout)
        rows.append(
            ("indexing", f"{report['captioned']} photos in {spent:.1f} s, {report['captioned'] / spent:.1f} a second")
        )
        state = json.loads(
            subprocess.run(command(data_dir, "status", "--json"), capture_output=True, check=True).stdout
        )
        for what in ("catalogue", "index"):
            size = state[f"{what}_bytes"]
            rows.append(
                (f"{what} on disk", f"{size / 1e6:.2f} MB, {size / max(1, state['photos']) / 1e3:.1f} kB a photo")
            )

        times = []
        for _ in range(SEARCHES):
            started = time.monotonic()
            subprocess.run(command(data_dir, "search", "a dog on grass"), capture_output=True, check=False)
            times.append(time.monotonic() - started)
        rows.append(("a search, whole command", f"median {statistics.median(times) * 1e3:.0f} ms of {SEARCHES}"))

        found, idle = watch_memory(data_dir, photos, kept, options.idle_seconds)
        for what, (resident, proportional, count) in found:
            processes = f"{count} process" + ("es" if count > 1 else "")
            rows.append((f"watch, {what}", f"{resident:.0f} MB resident, {proportional:.0f} MB in all of {processes}"))
        rows.append(("watch without work", f"{idle:.2f} s of the processor in {options.idle_seconds:.0f} s"))
    widest = max(len(label) for label, _ in rows)
    for label, value in rows:
        print(f"{label.ljust(widest)}  {value}")
    print(f"\non {platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")


if __name__ == "__main__":
    main()
