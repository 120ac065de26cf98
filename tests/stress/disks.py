"""Disks that are full, away or read-only: nothing is lost, and nothing is captioned again when they are back.

    python tests/stress/disks.py [full|away|readonly …] [--small] [--seed N]

full       the data folder is on a small file system, which is filled up at random moments while `index` captions. Each
           `index` then ends with one clear line; when there is room again, the next goes on. No caption is made again
           but those of the batch in flight each time. A `watch` that meets a full disk waits, and goes on by itself.
away       the photos are on a file system that is unmounted while `watch` follows it, twice, once in the middle of
           captioning, and mounted again. An `index` meanwhile must not take the photos for removed. When they are back
           all are found, and none was captioned twice.
readonly   the photos are on a read-only file system, and are indexed and found. Then the data folder is read-only as
           well: `index` ends with one clear line and `search` answers; writable again, all is there.

Needs to mount file systems, in a mount namespace of its own: run it as root, or where users may make user namespaces.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from agreement import check_agreement, check_answers
from coded import EVERY_PHOTO, captioned_again, photo_bytes, read_log
from harness import (
    REPOSITORY,
    Trial,
    check_none_left,
    check_unchanged,
    let_run,
    parse,
    parser,
    read_traces,
    stop,
    victim,
    workshop,
)

from photoindex.config import Settings
from photoindex.library import Library

INSIDE = "PHOTOINDEX_STRESS_INSIDE"  # set where file systems may be mounted
DISK = "8m"
SETTLE = 0.2
POLL = 0.5
PATIENCE = 60.0
BATCH = 8


def main() -> int:
    made = parser(__doc__)
    made.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART", help=", ".join(PARTS))
    options = parse(made)
    if INSIDE not in os.environ:
        why = _why_not()
        if why is None:
            namespaces = _namespaces()
            os.execvpe(
                namespaces[0], [*namespaces, sys.executable, *_arguments(options.seed)], {**os.environ, INSIDE: "1"}
            )
        trial = Trial("disks", options)
        trial.skip("everything", why or "")
        return trial.verdict()
    trial = Trial("disks", options)
    with workshop(options.keep) as folder:
        for part in options.parts or PARTS:
            trial.say(f"{part}:")
            (folder / part).mkdir()
            PARTS[part](trial, folder / part, 60 if options.small else 600, 3 if options.small else 20)
        check_none_left(trial)
    return trial.verdict()


# ---- a full disk


def full(trial: Trial, folder: Path, photos: int, rounds: int) -> None:
    album, small, log, errors = (folder / name for name in ("album", "small", "captions.log", "stderr"))
    hashes, numbers = put_photos(album, photos)
    flags: dict[str, Any] = {"log": log, "batch": BATCH, "settle": SETTLE, "errors": errors}
    data_dir = small / "data"
    failed: set[str] = set()
    with mounted(small, "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs"):
        for number in range(1, rounds + 1):
            # So slow that it is not done before the disk is full, and always a little further than the last time.
            process = victim("index", data_dir, album, run=f"{number}", delay=2.0 * rounds / photos / 4, **flags)
            let_run(process, trial.random.uniform(0.5, 2.5))
            fill(small / "filler")
            process.communicate()
            if process.returncode:
                failed.add(f"{number}")
                trial.check(process.returncode == 1, f"index on a full disk ended with status {process.returncode}")
            (small / "filler").unlink()
            check_answers(trial, data_dir, "after the disk was full")
        trial.say(f"{rounds} times full, {len(failed)} of them ended an index")
        for line in sorted({line.replace(str(folder), "…") for line in errors.read_text().splitlines()}):
            trial.say(f"  {line}")
            clear = line.startswith(("photoindex: ", "notice: ")) and ("full" in line or "No space left" in line)
            trial.check(clear, f"that is no clear line about a full disk: {line}")
        last = victim("index", data_dir, album, run="last", **flags)
        last.communicate()
        trial.check(last.returncode == 0, f"with room again index ended with status {last.returncode}")
        check_captions(trial, log, failed)
        check_agreement(trial, data_dir, hashes, numbers)
        # A watcher does not end for it. It is in the middle of captioning, or idle, when its disk fills up.
        watcher = victim("watch", data_dir, album, run="watch", delay=0.01, **flags)
        trial.check(_ready(watcher), "the watcher never was ready")
        for number in range(2):
            more, their = put_photos(album / f"more-{number}", photos // 4, first=photos + 1 + number * photos)
            hashes.update(more)
            numbers.update(their)
            let_run(watcher, trial.random.uniform(0, 1.0))
            fill(small / "filler")
            let_run(watcher, trial.random.uniform(1.0, 3.0))
            trial.check(watcher.poll() is None, f"the watcher ended with status {watcher.returncode} on a full disk")
            (small / "filler").unlink()
        found = until(lambda: len(found_now(data_dir)) == len(hashes))
        trial.check(found, "with room again the watcher did not go on by itself")
        trial.check(stop(watcher) == 0, f"the watcher ended with status {watcher.returncode}")
        check_agreement(trial, data_dir, hashes, numbers)
    traces = read_traces(errors)
    trial.check(not traces, f"stderr has {len(traces)} tracebacks or locks: {traces[:2]}")
    check_unchanged(trial, hashes, album)


def fill(filler: Path) -> None:
    """Take all room there is, to the last byte."""
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        for size in (1 << 16, 1 << 8, 1):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))


# ---- photos whose disk is away


def away(trial: Trial, folder: Path, photos: int, rounds: int) -> None:
    disk, album, log, errors = (folder / name for name in ("disk", "album", "captions.log", "stderr"))
    data_dir = folder / "data"
    flags: dict[str, Any] = {"log": log, "batch": BATCH, "settle": SETTLE, "poll": POLL, "errors": errors}
    # The disk stays mounted at one place, so that its photos outlive being unmounted at the other.
    with mounted(disk, "-t", "tmpfs", "tmpfs"):
        hashes, numbers = put_photos(disk / "first", photos)
        moments = {"at rest": 0.0, "in the middle of captioning": 2.0 / photos}
        for moment, delay in moments.items():
            with bound(disk, album):
                watcher = victim("watch", data_dir, album, run=moment, delay=delay, **flags)
                trial.check(_ready(watcher), "the watcher never was ready")
                if delay:
                    more, their = put_photos(disk / "second", photos, first=photos + 1)
                    hashes.update(more)
                    numbers.update(their)
                    let_run(watcher, SETTLE + 1.5)
            # Not mounted now.
            trial.check(not list(album.iterdir()), "the disk is still there")
            let_run(watcher, 4 * POLL)
            trial.check(watcher.poll() is None, f"the watcher ended with status {watcher.returncode}")
            index = victim("index", data_dir, album, run=f"{moment}, away", **flags)
            index.communicate()
            trial.check(index.returncode in (0, 1), f"an index meanwhile ended with status {index.returncode}")
            check_answers(trial, data_dir, "while the disk was away")
            with bound(disk, album):
                back = {album / path.relative_to(disk): digest for path, digest in hashes.items()}
                came = until(partial(_all_found, data_dir, back.keys()))
                trial.check(came, f"{moment}: the watcher did not find the photos again when they were back")
                trial.check(stop(watcher) == 0, f"the watcher ended with status {watcher.returncode}")
                last = victim("index", data_dir, album, run=f"{moment}, back", **flags)
                last.communicate()
                trial.check(last.returncode == 0, f"index ended with status {last.returncode}")
                check_agreement(trial, data_dir, back, numbers)
                check_unchanged(trial, back, album)
        check_captions(trial, log, set())
        for line in dict.fromkeys(errors.read_text().splitlines()):
            trial.say(f"  {line.replace(str(folder), '…')}")


# ---- read-only


def readonly(trial: Trial, folder: Path, photos: int, rounds: int) -> None:
    album, store, log, errors = (folder / name for name in ("album", "store", "captions.log", "stderr"))
    data_dir = store / "data"
    flags: dict[str, Any] = {"log": log, "batch": BATCH, "settle": SETTLE, "errors": errors}
    with mounted(album, "-t", "tmpfs", "tmpfs"), mounted(store, "-t", "tmpfs", "tmpfs"):
        hashes, numbers = put_photos(album, photos)
        _remount(album, "ro")
        index = victim("index", data_dir, album, **flags)
        index.communicate()
        trial.check(index.returncode == 0, f"index of a read-only folder ended with status {index.returncode}")
        check_agreement(trial, data_dir, hashes, numbers)
        trial.check(not read_traces(errors) and not errors.read_text(), f"it said {errors.read_text()[:300]!r}")
        _remount(store, "ro")
        for command in (["index", str(album)], ["search", EVERY_PHOTO, "--all", "--json"]):
            done = subprocess.run(
                [sys.executable, "-m", "photoindex", "--data-dir", data_dir, *command],
                cwd=REPOSITORY, capture_output=True, text=True, check=False,
            )  # fmt: skip
            said = done.stderr.replace(str(folder), "…").strip()
            if command[0] == "search":
                found = len(json.loads(done.stdout or "[]"))
                trial.check(found == photos, f"search in a read-only data folder finds {found} photos: {said}")
                continue
            trial.say(f"{command[0]} with a read-only data folder: {said}")
            clear = done.returncode == 1 and said.startswith("photoindex: ") and "\n" not in said
            trial.check(clear, f"status {done.returncode}, and that is not one clear line")
        _remount(store, "rw")
        check_captions(trial, log, set())
        check_agreement(trial, data_dir, hashes, numbers)
        check_unchanged(trial, hashes, album)


PARTS: dict[str, Callable[[Trial, Path, int, int], None]] = {"full": full, "away": away, "readonly": readonly}

# ---- inside


def put_photos(folder: Path, count: int, first: int = 1) -> tuple[dict[Path, str], dict[str, int]]:
    """``count`` photos in ``folder``: the hash of each, and the number of each hash. They were written long ago."""
    folder.mkdir(parents=True, exist_ok=True)
    hashes, numbers = {}, {}
    for number in range(first, first + count):
        content = photo_bytes(number)
        path = folder / f"{number}.png"
        path.write_bytes(content)
        os.utime(path, (1e9, 1e9))
        hashes[path] = hashlib.sha256(content).hexdigest()
        numbers[hashes[path]] = number
    return hashes, numbers


def check_captions(trial: Trial, log: Path, interrupted: set[str]) -> None:
    needless, repeated = captioned_again(read_log(log), interrupted)
    for line in needless:
        trial.check(False, line)
    trial.say(f"{sum(len(batch.numbers) for batch in read_log(log))} captions, {repeated} of them made again")


def found_now(data_dir: Path) -> set[Path]:
    """What a search finds."""
    with Library(Settings(data_dir)) as library:
        return {path for hit in library.search(EVERY_PHOTO, limit=None) for path in (hit.path, *hit.other_paths)}


def until(condition: Callable[[], bool]) -> bool:
    """Wait for it; whether it came."""
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        if condition():
            return True
        time.sleep(0.2)
    return False


def _all_found(data_dir: Path, photos: Collection[Path]) -> bool:
    return found_now(data_dir) == photos


def _ready(process: subprocess.Popen[str]) -> bool:
    assert process.stdout is not None
    return process.stdout.readline() == "ready\n"


@contextmanager
def mounted(place: Path, *arguments: str) -> Iterator[None]:
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", *arguments, str(place)], check=True)
    try:
        yield
    finally:
        # Lazily, as when a disk is pulled out: whoever has files open there does not hold it.
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def bound(source: Path, place: Path) -> AbstractContextManager[None]:
    return mounted(place, "--bind", str(source))


def _remount(place: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(place)], check=True)


def _namespaces() -> list[str]:
    return ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]


def _arguments(seed: int) -> list[str]:
    return [*sys.argv, *([] if any(a.startswith("--seed") for a in sys.argv) else [f"--seed={seed}"])]


def _why_not() -> str | None:
    """Why no file system can be mounted here, if so."""
    if shutil.which("unshare") is None or shutil.which("mount") is None:
        return "there is no unshare or mount (Linux only)"
    with workshop(keep=False) as folder:
        test = [*_namespaces(), "mount", "-t", "tmpfs", "tmpfs", str(folder)]
        done = subprocess.run(test, capture_output=True, text=True, check=False)
    return done.stderr.strip() or "mount failed" if done.returncode else None


if __name__ == "__main__":
    sys.exit(main())
