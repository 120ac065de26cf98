"""Writing a library as JSON lines and reading it back, beside reading those lines as JSON alone.

    python benchmarks/export_import.py [--photos 20000] [--runs 3]

Makes a library of invented photos in a temporary folder. Measured, each as a command in a process of its own, in turns:
the export; its import into an empty library; the same import again, which changes nothing; and what any reader of the
lines does at least, reading each as JSON.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from invented_library import make_catalogue
from side_by_side import Spent, in_turns, machine, of_python, photoindex, print_times, ratios, spread

PARSE = "import json, sys; [json.loads(line) for line in open(sys.argv[1], 'rb')]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        old, new, lines = folder / "old", folder / "new", folder / "export.jsonl"
        make_catalogue(old, options.photos)

        def import_lines() -> Spent:
            return photoindex("--quiet", "--data-dir", new, "import", lines)()

        def import_first() -> Spent:
            shutil.rmtree(new, ignore_errors=True)
            return import_lines()

        measured = in_turns(
            {
                "export": photoindex("--quiet", "--data-dir", old / "data", "export", "--jsonl", lines),
                "import": import_first,
                "import again": import_lines,
                "lines read as JSON": of_python(PARSE, lines),
            },
            options.runs,
        )
        size = lines.stat().st_size
    print(f"{options.photos:,} photos, {size / 1e6:.0f} MB of lines")
    print_times(measured)
    for what in ("export", "import", "import again"):
        each = [spent.cpu / options.photos * 1e3 for spent in measured[what]]
        beside = spread(ratios(measured, what, "lines read as JSON"), ".1f")
        print(f"{what}: {spread(each)} ms a photo, {beside} times reading the lines")
    print(machine("sqlalchemy"))


if __name__ == "__main__":
    main()
