"""A process that reads the text in the photos of a library until it is killed: the victim of text_kills.py.

What it reads is the photo's name, and every reading is a line in a log, so that readings can be counted exactly.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from photoindex.types import DecodedPhoto, PhotoFacts, PhotoText, TextLine

LOG = "PHOTOINDEX_STRESS_LOG"
SECONDS = 0.01  # that a reading takes
BOX = (0, 0, 100, 0, 100, 100, 0, 100)


def words_of(path: Path) -> str:
    return f"number {path.stem}"


def logged_read(path: Path, size: int, max_pixels: int) -> DecodedPhoto:
    """Take the place of the reader in worker processes."""
    log = os.open(os.environ[LOG], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(log, f"{path.name}\n".encode())
    os.close(log)
    time.sleep(SECONDS)
    text = PhotoText((TextLine(words_of(path), 0.9, BOX),))
    return DecodedPhoto(PhotoFacts("", 0, 0), np.zeros((size, size, 3), np.uint8), text=text)


def no_captioner(_settings: Any) -> Any:
    raise AssertionError("every photo has a caption")


def main() -> None:
    """Work off what is queued in the library named by the first argument."""
    from photoindex.config import Settings
    from photoindex.indexing import text_reading
    from photoindex.library import Library

    for name, ours in (("read_text", logged_read), ("is_installed", lambda: True)):
        setattr(text_reading, name, ours)
    with Library(Settings(Path(sys.argv[1]), backup_days=0.0), no_captioner) as library:
        library.work_off()
