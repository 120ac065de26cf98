"""Thousands of images with something wrong in them, between whole ones: each is captioned or said why not.

    python tests/stress/mutations.py [--files 5000] [--small] [--seed N]

Photos that scikit-image carries, as JPEG, PNG, WebP, GIF, TIFF and BMP, have bits flipped, sectors overwritten, ends
cut off, parts cut out, repeated or spliced with another file, and extreme numbers put into their headers, among them
sizes just below the limit, which are believed. For every ten there is a whole photo. One `index` goes over them, with a
captioner that costs nothing. It must live through all of them, caption every whole photo, and caption every other or
list it in the failure ledger, with a reason; all its processes together must stay below 1.5 GB. A second `index` must
find nothing to do. Linux only, for the memory.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from agreement import check_search_of
from coded import photo_bytes
from harness import (
    MemoryMeter,
    Trial,
    check_none_left,
    check_unchanged,
    parse,
    parser,
    read_traces,
    victim,
    workshop,
)
from mutants import SUFFIXES, mutate, sound_images

from photoindex.config import Settings
from photoindex.library import Library

MOST_MEMORY = 1.5e9 / 2**20  # MiB
IN_A_FOLDER = 100
OLD = 3600  # seconds: nobody is writing these files any more
PATIENCE = 1800.0


def main() -> int:
    made = parser(__doc__)
    made.add_argument("--files", type=int, default=None, help="mutated files [default: 5000; small: 150]")
    made.add_argument("--decode-seconds", type=float, default=20.0, help="the longest that one may take")
    made.add_argument("--workers", type=int, default=1, help="decoding processes, as the setting decode_workers")
    options = parse(made)
    count = options.files if options.files is not None else 150 if options.small else 5000
    trial = Trial("mutations", options)
    if not os.path.isdir("/proc/self"):
        trial.skip("everything", "memory is measured by /proc, which this system has not")
        return trial.verdict()
    with workshop(options.keep) as folder:
        mutants, whole = make_files(trial, folder / "album", count)
        torment(trial, folder, mutants, whole, options.decode_seconds, options.workers)
        check_none_left(trial)
    return trial.verdict()


def make_files(trial: Trial, album: Path, count: int) -> tuple[dict[Path, str], dict[Path, int]]:
    """The mutated files with what was done to each, and the whole photos with their numbers."""
    images = sound_images()
    mutants: dict[Path, str] = {}
    whole: dict[Path, int] = {}
    for number in range(count):
        folder = album / f"{number // IN_A_FOLDER:03}"
        folder.mkdir(parents=True, exist_ok=True)
        done, suffix, content = mutate(trial.random, images)
        path = folder / f"{number:05}-{done.replace(' ', '-')}{suffix}"
        _write(path, content)
        mutants[path] = done
        if number % 10 == 5:
            kind = trial.random.choice(["PNG", "JPEG", "BMP"])
            path = folder / f"{number:05}-whole{SUFFIXES[kind]}"
            _write(path, photo_bytes(number, kind))
            whole[path] = number
    trial.say(f"{count} mutated files of {len(images)} images, and {len(whole)} whole photos")
    return mutants, whole


def torment(
    trial: Trial, folder: Path, mutants: dict[Path, str], whole: dict[Path, int], seconds: float, workers: int
) -> None:
    album, data_dir, errors = folder / "album", folder / "data", folder / "stderr"
    hashes = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in (*mutants, *whole)}
    flags: dict[str, Any] = {"log": folder / "captions.log", "errors": errors, "batch": 32, "decode_seconds": seconds}
    started = time.monotonic()
    process = victim("index", data_dir, album, run="1", workers=workers, **flags)
    meter = MemoryMeter(process.pid)
    try:
        said, _ = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        said, _ = process.communicate()
        trial.check(False, f"index was not done in {PATIENCE:g} s")
    meter.close()
    trial.check(process.returncode == 0, f"index ended with status {process.returncode}")
    trial.say(
        f"index: {time.monotonic() - started:.0f} s, {said.strip()}; memory of all processes at most {meter.peak:.0f} "
        f"MiB, of one {meter.largest:.0f} MiB"
    )
    peak = max(meter.peak, meter.largest)
    trial.check(peak < MOST_MEMORY, f"memory rose to {peak:.0f} MiB, over {MOST_MEMORY:.0f}")
    with Library(Settings(data_dir)) as library:
        failures = {failure.path: failure for failure in library.failures()}
        found = check_search_of(trial, library, whole)
    kinds = Counter(failure.kind for failure in failures.values())
    trial.say(f"{len(found & mutants.keys())} mutated files captioned, {len(failures)} failed: "
              + ", ".join(f"{kind} {number}" for kind, number in kinds.most_common()))  # fmt: skip
    for path, done in mutants.items():
        both = (path in found) + (path in failures)
        trial.check(both == 1, f"{path.name} ({done}) is {'neither captioned nor failed' if not both else 'both'}")
    for path, failure in failures.items():
        trial.check(path in mutants, f"the whole photo {path.name} failed: {failure.message}")
        trial.check(
            failure.message.isprintable() and path.name in failure.message,
            f"the reason for {path.name} is no clear line: {failure.message!r}",
        )
    slow = [failure for failure in failures.values() if failure.kind == "decoder-crashed"]
    for failure in slow[:5]:
        trial.say(f"  {failure.kind}: {failure.message.replace(str(album), '…')}")
    again = victim("index", data_dir, album, run="2", **flags)
    said, _ = again.communicate()
    report = json.loads(said or "{}")
    trial.check(again.returncode == 0, f"the second index ended with status {again.returncode}")
    trial.check(report.get("captioned") == 0, f"the second index captioned {report.get('captioned')} photos")
    traces = read_traces(errors)
    trial.check(not traces, f"stderr has {len(traces)} tracebacks or locks: {traces[:2]}")
    check_unchanged(trial, hashes, album)


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    old = time.time() - OLD
    os.utime(path, (old, old))


if __name__ == "__main__":
    sys.exit(main())
