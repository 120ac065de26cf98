"""What an unexpected error says, as a part of one line."""

from __future__ import annotations

from typing import Final

LONGEST: Final = 200  # characters


def in_one_line(error: BaseException) -> str:
    """Return the kind of an error and what it says, cut off where that is long: libraries in C++ tell their call
    stack, or all numbers that they were given."""
    line = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
