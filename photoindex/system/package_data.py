"""Where the package itself is, and its migrations and shipped models: inside the wheel, or at the top of a checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from photoindex.errors import PhotoindexError

PACKAGE: Final = Path(__file__).resolve().parent.parent  # the folder of photoindex


def _find(name: str) -> Path:
    # In a wheel the top-level folders are mapped into the package; an editable install runs from the checkout.
    for candidate in (PACKAGE / f"_{name}", PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise PhotoindexError(f"photoindex is not installed completely: its {name} are missing; install it again")


def migrations_dir() -> Path:
    """The Alembic environment (``env.py`` and ``versions/``)."""
    return _find("migrations")


def models_dir() -> Path:
    """The folder that holds one folder a shipped model."""
    return _find("models")
