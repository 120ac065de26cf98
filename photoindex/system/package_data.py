"""Where the migrations and the shipped models are: inside the wheel, or at the top of a checkout."""

from __future__ import annotations

from pathlib import Path

from photoindex.errors import PhotoindexError

_PACKAGE = Path(__file__).resolve().parent.parent


def _find(name: str) -> Path:
    # In a wheel the top-level folders are mapped into the package; an editable install runs from the checkout.
    for candidate in (_PACKAGE / f"_{name}", _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise PhotoindexError(f"photoindex is not installed completely: its {name} are missing; install it again")


def migrations_dir() -> Path:
    """The Alembic environment (``env.py`` and ``versions/``)."""
    return _find("migrations")


def models_dir() -> Path:
    """The folder that holds one folder a shipped model."""
    return _find("models")
