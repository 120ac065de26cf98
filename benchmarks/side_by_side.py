"""What the benchmarks share: commands measured in turns, ratios with their spread, and the machine in a line.

Other work on a machine comes and goes. So what is compared is run in turns, A B A B …, each ratio is of two neighbours,
and the time is the processor's (user and system, of the process and its children), which waiting for a processor does
not count in; a shared cache that others empty still does. The median is printed with the lowest and the highest.
"""

from __future__ import annotations

import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
REPOSITORY = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds: of the processor, and on the wall."""

    cpu: float
    wall: float


_python: Path | None = None


def use_installation(python: Path | None) -> None:
    """Measure photoindex as this Python has it installed; ``None``: as it is in this checkout.

    An editable installation brings a finder along that every start of Python pays for, also of what is compared.
    """
    global _python
    _python = python


def environment() -> dict[str, str]:
    """For child processes: the photoindex that is to be measured, its bytecode kept as after an installation.

    They read no text in photos unless the caller's environment asks for it: the invented files hold none, and what
    reading costs is measured by ``text_in_photos.py``.
    """
    kept = {"PHOTOINDEX_READ_TEXT": "never", **os.environ}
    kept = {name: value for name, value in kept.items() if name not in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")}
    return kept if _python is not None else {**kept, "PYTHONPATH": str(REPOSITORY)}


def of_command(arguments: Sequence[str | Path]) -> Callable[[], Spent]:
    """Measures a run of a command; raises for one that fails."""

    def run() -> Spent:
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(list(map(str, arguments)), stdout=subprocess.DEVNULL, env=environment(), check=True)
        wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
        return Spent(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall)

    return run


def of_python(code: str, *arguments: str | Path) -> Callable[[], Spent]:
    return of_command([_python or sys.executable, "-c", code, *arguments])


def photoindex(*arguments: str | Path) -> Callable[[], Spent]:
    """Measures the command line as an installation starts it."""
    return of_python("from photoindex.cli import main; main()", *arguments)


def in_turns(subjects: Mapping[str, Callable[[], Spent]], runs: int) -> dict[str, list[Spent]]:
    """So many runs of each, in turns, after one of each that does not count."""
    found: dict[str, list[Spent]] = {name: [] for name in subjects}
    for number in range(runs + 1):
        for name, measure in subjects.items():
            spent = measure()
            if number:
                found[name].append(spent)
    return found


def photos_below(folders: Sequence[Path], count: int) -> list[Path]:
    """Every so many of the photos below folders, ``count`` of them at most."""
    paths = sorted(path for folder in folders for path in folder.rglob("*") if path.suffix.lower() in PHOTO_SUFFIXES)
    return paths[:: max(1, len(paths) // count)][:count]


def spread(values: Sequence[float], form: str = ".2f") -> str:
    """``1.50 (1.41 to 1.62)``: the median, the lowest and the highest."""
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{middle:{form}} ({low:{form}} to {high:{form}})"


def print_times(measured: Mapping[str, Sequence[Spent]]) -> None:
    widest = max(map(len, measured))
    print(f"{'':{widest}}  {'processor, ms':>26}  {'wall, ms':>26}")
    for name, spent in measured.items():
        cpu, wall = ([getattr(each, kind) * 1e3 for each in spent] for kind in ("cpu", "wall"))
        print(f"{name:{widest}}  {spread(cpu, '.0f'):>26}  {spread(wall, '.0f'):>26}")


def ratios(measured: Mapping[str, Sequence[Spent]], one: str, other: str) -> list[float]:
    """The processor time of ``one`` over that of ``other``, turn by turn."""
    return [a.cpu / b.cpu for a, b in zip(measured[one], measured[other], strict=True)]


def print_ratio(measured: Mapping[str, Sequence[Spent]], one: str, other: str, limit: float) -> None:
    found = ratios(measured, one, other)
    kept = "reached" if statistics.median(found) <= limit else "MISSED"
    print(f"{one} / {other}: {spread(found)}; at most {limit:g}: {kept}")


def machine(*packages: str) -> str:
    """The machine, and the versions of Python and of packages, in a line."""
    model = platform.processor() or platform.machine()
    memory = ""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model)
        memory = f", {os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB"
        load = f", load {os.getloadavg()[0]:.1f}"
    except (OSError, ValueError, AttributeError):
        load = ""
    versions = "".join(f", {name} {version(name)}" for name in packages)
    system = f"{platform.system()} {platform.release()}"
    return f"on {model}, {os.cpu_count()} cores{memory}{load}, {system}, Python {platform.python_version()}{versions}"
