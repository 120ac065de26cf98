"""How soon a photo dropped into a watched folder is captioned, and how soon after that a search finds it.

    python benchmarks/watch_latency.py PHOTOS

Starts `photoindex watch` on an empty folder and drops photos of PHOTOS into it, one at a time. For each it measures the
time until its caption is in the catalogue, and from then until `Library.search` returns it.
"""

from __future__ import annotations

import argparse
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

import photoindex
from photoindex.errors import FolderError

POLL = 0.02  # seconds between two looks
PATIENCE = 60.0


def wait_until(condition: object) -> float:
    """The time at which ``condition()`` first held."""
    started = time.monotonic()
    while time.monotonic() - started < PATIENCE:
        if condition():  # type: ignore[operator]
            return time.monotonic()
        time.sleep(POLL)
    raise SystemExit("the watcher did not come to it in time")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--count", type=int, default=10)
    options = parser.parse_args()
    chosen = sorted(path for path in options.photos.iterdir() if path.is_file())[: options.count]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "photos")
        folder.mkdir()
        watcher = subprocess.Popen(
            [sys.executable, "-u", "-m", "photoindex", "--data-dir", f"{name}/data", "watch", str(folder)],
            stderr=subprocess.PIPE,
            text=True,
        )
        assert watcher.stderr is not None
        for line in watcher.stderr:
            if line.startswith("watching"):
                break
        to_caption, to_search = [], []
        with photoindex.open(f"{name}/data") as library:
            for photo in chosen:
                path = folder / photo.name

                def captioned(path: Path = path) -> bool:
                    try:
                        shown = library.show(path)
                    except FolderError:
                        return False
                    return shown is not None and shown.caption is not None

                def found(path: Path = path) -> bool:
                    shown = library.show(path)
                    assert shown is not None
                    assert shown.caption is not None
                    return any(hit.path == path for hit in library.search(shown.caption.text, limit=None))

                dropped = time.monotonic()
                shutil.copy(photo, path)
                stored = wait_until(captioned)
                to_caption.append(stored - dropped)
                to_search.append(wait_until(found) - stored)
        watcher.send_signal(signal.SIGINT)
        watcher.communicate()
    settle = photoindex.Settings(Path()).settle_seconds
    print(f"{len(chosen)} photos, one at a time; a file is taken when it has been quiet for {settle:g} s")
    for label, values in (("dropped to captioned, first (loads the model)", to_caption[:1]),
                          ("dropped to captioned, the others", to_caption[1:]),
                          ("captioned to found", to_search)):  # fmt: skip
        if values:
            print(f"{label.ljust(46)} median {statistics.median(values):.2f} s, longest {max(values):.2f} s")
    print(f"\non {platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")


if __name__ == "__main__":
    main()
