"""A burst of small files into a watched tree while its folders are created, moved and renamed: none is missed.

    python tests/stress/burst.py [--files 20000] [--small] [--seed N]

Photos are written into a tree that `watch` has been following, as fast as this machine can, while folders are made
inside folders, renamed in the middle of being filled, moved into each other, and moved in from outside with all that is
in them. Only the watcher itself may find them: no `index` helps, and its hourly comparison does not come.

Then a tenth of the files goes, twice, into the tree of a watcher whose kernel allows too few inotify watches: fewer
than the tree has folders to begin with, and fewer than it has at the end. It must say that it scans instead. That needs
a user namespace (`unshare`), where the limit can be set for that watcher alone.
"""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from agreement import check_agreement
from coded import photo_bytes
from harness import Trial, check_none_left, check_unchanged, parse, parser, read_traces, stop, victim, workshop

SETTLE = 0.5
FOLDERS = 25  # there before the watch begins
PER_FOLDER = 40
PATIENCE = 90.0  # seconds without any progress
LIMITS = {"at once": FOLDERS // 2, "in the middle": FOLDERS + 2}
LIMIT_FILE = "/proc/sys/user/max_inotify_watches"


def main() -> int:
    made = parser(__doc__)
    made.add_argument("--files", type=int, default=None, help="how many [default: 20000; small: 400]")
    options = parse(made)
    count = options.files if options.files is not None else 400 if options.small else 20_000
    trial = Trial("burst", options)
    with workshop(options.keep) as folder:
        torment(trial, folder / "events", count)
        why = _why_no_limit()
        if why is not None:
            trial.skip("a low limit of watches", why)
        else:
            for when, limit in LIMITS.items():
                trial.say(f"no more than {limit} watches, which is too few {when}:")
                torment(trial, folder / f"limit-{limit}", max(count // 10, min(count, 200)), limit)
        check_none_left(trial)
    return trial.verdict()


def torment(trial: Trial, folder: Path, count: int, limit: int | None = None) -> None:
    album, data_dir, errors = folder / "album", folder / "data", folder / "stderr"
    burst = Burst(trial, album, folder / "outside")
    for number in range(FOLDERS):
        (album / f"start-{number}").mkdir(parents=True)
    prefix = limited(limit) if limit else ()
    flags = {"log": folder / "captions.log", "batch": 64, "settle": SETTLE, "poll": 1.0, "workers": 2}
    process = victim("watch", data_dir, album, prefix=prefix, errors=errors, **flags)
    assert process.stdout is not None
    trial.check(process.stdout.readline() == "ready\n", "the watcher never was ready")
    started = time.monotonic()
    burst.write(count)
    written = time.monotonic() - started
    complete = wait_for_all(process, data_dir, len(burst.photos))
    took = time.monotonic() - started
    if limit:
        trial.check(wait_for_notice(process, errors), f"a limit of {limit} watches was not noticed")
    trial.check(complete, f"after {PATIENCE:g} s without progress the watcher had not found them all")
    trial.check(stop(process) == 0, f"the watcher ended with status {process.returncode}")
    trial.say(
        f"{count} files written in {written:.1f} s, with {burst.moves} folders renamed, moved or moved in; "
        f"all searchable {took:.1f} s after the first"
    )
    said = errors.read_text()
    for line in dict.fromkeys(line for line in said.splitlines() if line.startswith("notice: ")):
        trial.say(f"  {line.replace(str(folder), '…')}")
    traces = read_traces(errors)
    trial.check(not traces, f"stderr has {len(traces)} tracebacks or locks: {traces[:2]}")
    check_agreement(trial, data_dir, burst.photos, burst.numbers)
    check_unchanged(trial, burst.photos, album)


class Burst:
    """Writes photos into folders that change their places and names while they are filled."""

    def __init__(self, trial: Trial, album: Path, outside: Path) -> None:
        self.photos: dict[Path, str] = {}
        self.numbers: dict[str, int] = {}
        self.moves = 0
        self._random = trial.random
        self._album = album
        self._outside = outside
        self._folders = 0
        outside.mkdir(parents=True)

    def write(self, count: int) -> None:
        """``count`` photos, each with a number of its own."""
        numbers = iter(range(1, count + 1))
        left = count
        while left:
            size = min(left, self._random.randint(PER_FOLDER // 2, 2 * PER_FOLDER))
            self._fill([next(numbers) for _ in range(size)])
            left -= size

    def _fill(self, numbers: Sequence[int]) -> None:
        """A folder of photos: filled in its place and renamed or moved meanwhile, or filled outside and moved in."""
        outside = self._random.random() < 0.2
        folder = self._new_folder(self._outside if outside else self._any_folder())
        leave_at = len(numbers) if outside else self._random.randrange(len(numbers))
        below: dict[Path, str] = {}
        inner = "."
        for place, number in enumerate(numbers):
            if place == leave_at and self._random.random() < 0.6:
                folder = self._move(folder, below)
            if place % 20 == 10:  # a folder in it, filled as soon as it is there
                inner = f"inner-{place}"
                (folder / inner).mkdir()
            elif place % 20 == 0:
                inner = "."
            content = photo_bytes(number, side=16)
            path = folder / inner / f"{number}.png"
            path.write_bytes(content)
            digest = hashlib.sha256(content).hexdigest()
            self.numbers[digest] = number
            below[path] = digest
        if outside:
            self._move(folder, below)
        self.photos.update(below)
        if self._random.random() < 0.2:  # one of the old ones, with all that has come into it
            old = self._any_folder()
            below = {path: self.photos.pop(path) for path in list(self.photos) if old in path.parents}
            self._move(old, below, self._album / f"start-{number}")
            self.photos.update(below)

    def _move(self, folder: Path, below: dict[Path, str], target: Path | None = None) -> Path:
        """Rename the folder, or move it elsewhere in the album; ``below`` follows."""
        if target is None:
            self._folders += 1
            name = f"moved-{self._folders}"
            stay = self._outside not in folder.parents and self._random.random() < 0.5
            target = (folder.parent if stay else self._any_folder()) / name
        folder.rename(target)
        self.moves += 1
        found = {target / path.relative_to(folder): digest for path, digest in below.items()}
        below.clear()
        below.update(found)
        return target

    def _any_folder(self) -> Path:
        """One of those the album began with."""
        return self._random.choice(sorted(self._album.glob("start-*")))

    def _new_folder(self, parent: Path) -> Path:
        self._folders += 1
        folder = parent / f"folder-{self._folders}"
        folder.mkdir()
        return folder


def wait_for_all(process: subprocess.Popen[str], data_dir: Path, count: int) -> bool:
    """Until the catalogue has so many photos and nothing to do; False when it makes no progress for too long."""
    before, since = None, time.monotonic()
    while process.poll() is None and time.monotonic() - since < PATIENCE:
        with closing(sqlite3.connect(data_dir / "catalogue.sqlite3", timeout=30)) as connection:
            state = (
                *connection.execute(
                    "select count(photo_id), count(distinct photo_id) from file where missing_since is null"
                ).fetchone(),
                *connection.execute("select count(*) from job").fetchone(),
                *connection.execute("select count(*) from photo where text_stale != 0").fetchone(),
            )
        if state == (count, count, 0, 0):
            return True
        if state != before:
            before, since = state, time.monotonic()
        time.sleep(0.5)
    return False


def wait_for_notice(process: subprocess.Popen[str], errors: Path) -> bool:
    """Until the watcher has said that it scans: it counts its watches now and then, and may have found all before."""
    since = time.monotonic()
    while process.poll() is None and time.monotonic() - since < PATIENCE:
        if "scanned every" in errors.read_text():
            return True
        time.sleep(0.2)
    return False


def limited(watches: int) -> list[str]:
    """What to run a command by, so that it may hold no more than so many watches."""
    return ["unshare", "--user", "--map-root-user", "sh", "-c", f'echo {watches} > {LIMIT_FILE} && exec "$@"', "sh"]


def _why_no_limit() -> str | None:
    """Why the limit cannot be set for one process alone, if so."""
    if shutil.which("unshare") is None:
        return "there is no unshare (Linux only)"
    done = subprocess.run([*limited(100), "true"], capture_output=True, text=True, check=False)
    return done.stderr.strip() or "unshare failed" if done.returncode else None


if __name__ == "__main__":
    sys.exit(main())
