"""What an unexpected error says, as a part of one line."""

from __future__ import annotations

from typing import Final

LONGEST: Final = 200  # characters


def in_one_line(error: BaseException) -> str:
    """Return the kind of an error and what it says, cut off where that is long: libraries in C++ tell their call
    stack, or all numbers that they were given."""
    line = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def reason_of(error: BaseException) -> str:
    """Return what an error says, in one line and without its number and path: a message that names the path itself
    would name it twice."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, KeyError):
        return f"it has no {error}"
    return " ".join(str(error).split()) or type(error).__name__
