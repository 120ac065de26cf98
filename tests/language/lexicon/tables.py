"""Reads the derived tables whole, which searching never does."""

from __future__ import annotations

from pathlib import Path


def read_table(path: Path) -> dict[str, str]:
    """Return the table as key -> rest of its line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("\t", 1) for line in lines if not line.startswith("#"))
