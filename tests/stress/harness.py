"""What the stress commands share: arguments, a place to work in, processes and their memory, and the verdict."""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import random
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))  # photoindex as it is in this checkout, installed or not

VICTIM = Path(__file__).with_name("victim.py")
MARK = (
    "PHOTOINDEX_STRESS"  # in the environment of every process that is started here, so that those left over are found
)
COMPLAINTS_SHOWN = 20
_MEBIBYTE = 1 << 20


class Trial:
    """One run of a command: says what it does, collects what broke, and gives the exit status."""

    def __init__(self, name: str, options: argparse.Namespace) -> None:
        self.name = name
        self.seed: int = options.seed
        self.random = random.Random(options.seed)
        self.complaints: list[str] = []
        self.skipped: list[str] = []
        self._started = time.monotonic()
        print(f"{name}: {' '.join(sys.argv[1:]) or 'full size'}; seed {self.seed}\n{machine()}", flush=True)

    def say(self, line: str) -> None:
        print(f"[{time.monotonic() - self._started:6.1f} s] {line}", flush=True)

    def check(self, holds: object, complaint: str) -> None:
        """Note ``complaint`` unless ``holds``."""
        if not holds:
            self.complaints.append(complaint)
            if len(self.complaints) <= COMPLAINTS_SHOWN:
                self.say(f"BROKEN: {complaint}")

    def skip(self, what: str, why: str) -> None:
        self.skipped.append(what)
        self.say(f"SKIPPED: {what}: {why}")

    def verdict(self) -> int:
        """The last line, and 0 when nothing broke."""
        left_out = f"; skipped: {', '.join(self.skipped)}" if self.skipped else ""
        broken = len(self.complaints)
        self.say(f"{self.name}: {'PASS' if not broken else f'{broken} things BROKEN'}{left_out}")
        return 1 if broken else 0


def parser(description: str | None) -> argparse.ArgumentParser:
    """With the arguments that every command has."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--small", action="store_true", help="a size that takes seconds")
    made.add_argument("--seed", type=int, default=None, help="repeat a run's choices [default: a new one, printed]")
    made.add_argument("--keep", action="store_true", help="leave the folder that was worked in")
    return made


def parse(made: argparse.ArgumentParser) -> argparse.Namespace:
    options = made.parse_args()
    if options.seed is None:
        options.seed = secrets.randbelow(1_000_000)
    return options


def machine() -> str:
    """The machine in one line."""
    model = platform.processor() or platform.machine()
    memory = ""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model)
        memory = f", {os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB"
    except (OSError, ValueError, AttributeError):
        pass
    python = platform.python_version()
    return f"on {model}, {os.cpu_count()} cores{memory}, {platform.system()} {platform.release()}, Python {python}"


@contextmanager
def workshop(keep: bool) -> Iterator[Path]:
    """A folder to work in, below TMPDIR. At the end the processes started from here are killed and the folder goes."""
    folder = Path(tempfile.mkdtemp(prefix="photoindex-stress-")).resolve()
    os.environ[MARK] = secrets.token_hex(8)
    try:
        yield folder
    finally:
        for pid in left_over():
            _kill(pid)
        if keep:
            print(f"left: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def victim(
    command: str, data_dir: Path, *folders: Path, prefix: Iterable[str] = (), errors: Path, **flags: object
) -> subprocess.Popen[str]:
    """Start photoindex on ``folders`` in a process of its own, with a captioner that reads numbers (victim.py).

    ``flags`` are those of victim.py; ``prefix`` is a command to run it by; stderr is added to the file ``errors``.
    """
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in flags.items()]
    with errors.open("ab") as stream:
        return subprocess.Popen(
            [*prefix, sys.executable, str(VICTIM), command, str(data_dir), *arguments, *map(str, folders)],
            stdout=subprocess.PIPE,
            stderr=stream,
            text=True,
        )


def stop(process: subprocess.Popen[str], number: int = signal.SIGTERM, patience: float = 60.0) -> int:
    """Signal it and wait for its end; one that does not end in time is killed. Returns its status."""
    process.send_signal(number)
    try:
        process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return -signal.SIGKILL
    return int(process.returncode)


def let_run(process: subprocess.Popen[str], seconds: float) -> None:
    """Wait so long, or until it ends."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)


def read_traces(errors: Path) -> list[str]:
    """What a person should never get to see, in what processes said on stderr."""
    if not errors.exists():
        return []
    lines = errors.read_text("utf-8", "backslashreplace").splitlines()
    return [line for line in lines if line.startswith("Traceback") or "database is locked" in line]


# ---- files


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def check_unchanged(trial: Trial, hashes: Mapping[Path, str], folder: Path) -> None:
    """Complain unless ``folder`` holds exactly these files, with these SHA-256."""
    there = set(files_below(folder))
    for path in sorted(hashes.keys() - there)[:3]:
        trial.check(False, f"{path} has gone from the disk, and nobody here removed it")
    for path in sorted(there - hashes.keys())[:3]:
        trial.check(False, f"{path} has come to the disk, and nobody here put it there")
    changed = [path for path, known in hashes.items() if path in there and sha256(path) != known]
    trial.check(not changed, f"the bytes of {len(changed)} photos have changed: {changed[:3]}")
    if there == hashes.keys() and not changed:
        trial.say(f"SHA-256 of all {len(hashes)} files is what it was")


# ---- processes


def _parents() -> dict[int, int]:
    """Every process's parent."""
    found = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                text = Path(entry.path, "stat").read_text("utf-8", "replace")
            except OSError:
                continue  # it ended meanwhile
            found[int(entry.name)] = int(text.rpartition(")")[2].split()[1])
    return found


def tree(pid: int) -> list[int]:
    """The process and all that descend from it, itself first. Linux only."""
    parents = _parents()
    found = [pid]
    for known in found:  # grows while it is gone through
        found += [child for child, parent in parents.items() if parent == known]
    return found


def kill_tree(process: subprocess.Popen[Any]) -> None:
    """SIGKILL to all of them at once, as if the machine went down."""
    for pid in tree(process.pid):
        _kill(pid)


def left_over() -> list[int]:
    """Processes that were started from here and still run. Linux only: elsewhere none are found."""
    mark = f"{MARK}={os.environ[MARK]}".encode()
    found: list[int] = []
    if not os.path.isdir("/proc/self"):
        return found
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                # An ended process that nobody has waited for has an environment no more.
                if mark in Path(entry.path, "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def check_none_left(trial: Trial, patience: float = 20.0) -> None:
    """Helper processes must end by themselves when the one they help is gone."""
    ends = time.monotonic() + patience
    while (left := left_over()) and time.monotonic() < ends:
        time.sleep(0.1)
    trial.check(not left, f"{len(left)} processes still ran {patience:g} s after all was over")


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


class MemoryMeter:
    """Samples the memory of a process and all that descend from it: resident sets added up, so that pages they share
    count more than once. ``peak`` is the highest sum met (MiB), ``largest`` the peak of any one process, which the
    kernel keeps and no sample misses by much."""

    def __init__(self, pid: int, every: float = 0.02) -> None:
        self.peak = self.largest = 0.0
        self._pid = pid
        self._every = every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        page = os.sysconf("SC_PAGE_SIZE")
        while not self._over.wait(self._every):
            total = 0
            for pid in tree(self._pid):
                try:
                    total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page
                    status = Path(f"/proc/{pid}/status").read_text()
                except (OSError, IndexError):
                    continue
                high = next((line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")), "0")
                self.largest = max(self.largest, int(high) / 1024)
            self.peak = max(self.peak, total / _MEBIBYTE)
