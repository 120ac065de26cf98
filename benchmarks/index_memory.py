"""What `photoindex index` takes of memory while it works, all its processes together, and what torch takes alone.

    python benchmarks/index_memory.py [--photos 384]

Makes JPEGs of 12 megapixels and indexes them in a process of its own. Memory is that of /proc, so this runs on Linux:
what processes have in common counts once, and with other programs that have torch loaded a part of it counts for those.
Text is not read.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from footprint import command, memory_mb

import photoindex

# In a process of its own, as this one is not to have torch in common with what is measured.
MAKE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from throughput import make_photos
make_photos(Path(sys.argv[2]), int(sys.argv[3]), mixed=False)
"""
ALONE = "import torch, time; print('ready', flush=True); time.sleep(60)"


def peak(data_dir: Path, photos: Path) -> tuple[float, float]:
    """(most MB of all processes at a time, seconds) of indexing a folder into an empty library."""
    environment = os.environ | {"PHOTOINDEX_READ_TEXT": "never"}
    began, most = time.monotonic(), 0.0
    with subprocess.Popen(command(data_dir, "--quiet", "index", photos), env=environment) as process:
        while process.poll() is None:
            try:
                most = max(most, memory_mb(process.pid)[1])
            except OSError:  # one of them has just ended
                continue
            time.sleep(0.1)
    assert process.returncode == 0, process.returncode
    return most, time.monotonic() - began


def torch_alone() -> float:
    """MB of a process that has imported torch."""
    with subprocess.Popen([sys.executable, "-c", ALONE], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = memory_mb(process.pid)[1]
        process.kill()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=384)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        photos = Path(name) / "photos"
        photos.mkdir()
        here = str(Path(__file__).parent)
        subprocess.run([sys.executable, "-c", MAKE, here, str(photos), str(options.photos)], check=True)
        most, seconds = peak(Path(name) / "library", photos)
    print(f"photoindex index, {options.photos} photos in {seconds:.0f} s: {most:.0f} MB at most, all processes")
    print(f"import torch alone: {torch_alone():.0f} MB")
    print(
        f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}, torch {version('torch')},"
        f" photoindex {photoindex.__version__}"
    )


if __name__ == "__main__":
    main()
