"""JSON in files that may hold anything: what is wrong with one is an OSError or a ValueError, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from photoindex.system.regular_files import read_regular

MOST_BYTES: Final = 100_000_000


def read_json(path: Path, most: int = MOST_BYTES) -> Any:
    """Return what a regular file of at most ``most`` bytes holds. Raises OSError and ValueError."""
    return parse_json(read_regular(path, most))


def parse_json(text: str | bytes) -> Any:
    """Return what a text holds. Raises ValueError, also where it is nested deeper than Python can follow."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
