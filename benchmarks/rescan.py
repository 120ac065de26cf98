"""What it costs to find out that nothing has changed in a large folder.

    python benchmarks/rescan.py [--files 100000] [--runs 7] [--takeout] [--python VENV/bin/python]

Makes a tree of small files and a library that knows them all, then compares in turns: `find TREE -printf '%s %T@'`, the
comparison inside a process that runs already (what a watcher does every hour), and `photoindex index TREE` as a whole
process. No file is opened: the tree's files hold one byte, and would fail as photos. With --takeout each has the JSON
file of an unpacked Google Takeout beside it.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from invented import fill, relative_path
from side_by_side import Spent, in_turns, machine, of_command, photoindex, print_ratio, print_times, use_installation

from photoindex.captioner import Captioner
from photoindex.catalogue.files import note_sidecars
from photoindex.config import Settings
from photoindex.folders.filters import PhotoFilter
from photoindex.folders.walk import scan
from photoindex.library import Library
from photoindex.types import FileStat


def make_tree(tree: Path, count: int, *, takeout: bool = False) -> dict[str, FileStat]:
    stats = {}
    for number in range(1, count + 1):
        path = tree / relative_path(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
        if takeout:
            path.with_name(f"{path.name}.json").write_bytes(b"{}")
        found = path.stat()
        stats[relative_path(number)] = FileStat.of(found)
    return stats


def no_captioner(_: Settings) -> Captioner:
    raise AssertionError("an unchanged tree was taken for a changed one")


def of_library(library: Library, tree: Path, count: int) -> Callable[[], Spent]:
    def run() -> Spent:
        started, cpu = time.perf_counter(), time.process_time()
        report = library.index(tree, stop=threading.Event())
        assert (report.seen, report.unchanged) == (count, count)
        return Spent(time.process_time() - cpu, time.perf_counter() - started)

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--takeout", action="store_true", help="A JSON file beside each photo.")
    parser.add_argument("--python", type=Path, help="a Python with photoindex installed [default: this checkout]")
    options = parser.parse_args()
    use_installation(options.python)
    with tempfile.TemporaryDirectory() as name:
        tree, data = Path(name).resolve() / "tree", Path(name).resolve() / "data"
        tree.mkdir()
        stats = make_tree(tree, options.files, takeout=options.takeout)
        with Library(Settings(data, read_text="never"), no_captioner) as library:
            library.rebuild_full_text()  # of nothing: this is not about words, and the index counts as complete
            fill(library._database, tree, options.files, terms=0, stats=stats)
            if options.takeout:
                with library._database.write() as connection:
                    note_sidecars(connection, {met.path: met.sidecars for met in scan(tree, PhotoFilter())})
            subjects = {
                "find -printf '%s %T@'": of_command(["find", tree, "-printf", "%s %T@\\n"]),
                "the comparison": of_library(library, tree, options.files),
                "photoindex index": photoindex("--quiet", "--data-dir", data, "index", tree),
            }
            measured = in_turns(subjects, options.runs)
    files = f"{options.files:,} files{', JSON beside each' if options.takeout else ''}"
    print(f"{files} in an unchanged tree; {options.runs} runs each, in turns, the disk's cache warm\n")
    print_times(measured)
    print()
    print_ratio(measured, "the comparison", "find -printf '%s %T@'", 4)
    print_ratio(measured, "photoindex index", "find -printf '%s %T@'", 4)
    print(f"\n{machine('SQLAlchemy')}")


if __name__ == "__main__":
    main()
