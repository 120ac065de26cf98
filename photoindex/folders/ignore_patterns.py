"""Patterns of gitignore(5), matched in a time that grows with the lengths of pattern and path and no faster.

The usual way, one regular expression for a line, tries every way to divide a name among the stars of a pattern; a line
such as ``*a*a*a*a*b`` then takes hours for one name. Here a pattern is matched part by part: of the folders that ``**``
may stand for, and of the letters that ``*`` may stand for, the fewest are taken and never tried again, which is enough
because only the last star has to reach the end.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

MOST_LETTERS: Final = 4096  # of a line: no path is longer
# As in the C locale, which git uses.
_CLASSES: Final = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "blank": r" \t", "cntrl": r"\x00-\x1f\x7f", "digit": "0-9",
    "graph": "!-~", "lower": "a-z", "print": " -~", "punct": r"!-/:-@\[-`{-~", "space": r" \t-\r", "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line. ``parts`` are the parts of a path: text, an expression for one name, or ``None`` for any folders."""

    parts: tuple[str | re.Pattern[str] | None, ...]
    leaves_out: bool  # or takes back in
    only_folders: bool

    @property
    def name(self) -> str | None:
        """The name that the pattern means in any folder, if it is that simple."""
        if len(self.parts) == 2 and self.parts[0] is None and isinstance(self.parts[1], str):
            return self.parts[1]
        return None

    def fits(self, path: Sequence[str], *, is_folder: bool) -> bool:
        """Return whether the pattern means this very path, given by its parts, and not merely a folder above it."""
        if self.only_folders and not is_folder:
            return False
        at = place = 0
        retry: tuple[int, int] | None = None  # behind the last "any folders", and where in the path it was met
        while place < len(path):
            if at < len(self.parts) and self.parts[at] is None:
                retry = at + 1, place
                at += 1
            elif at < len(self.parts) and _is_name(self.parts[at], path[place]):
                at, place = at + 1, place + 1
            elif retry is not None:
                retry = retry[0], retry[1] + 1
                at, place = retry
            else:
                return False
        return at == len(self.parts)


def parse(line: str) -> Pattern | None:
    """Return the pattern of a line; ``None`` for an empty one or a comment. Raises ValueError for anything else."""
    if len(line) > MOST_LETTERS:
        raise ValueError("too long")
    text = _without_end_spaces(line)
    if not text or text.startswith("#"):
        return None
    leaves_out = not text.startswith("!")
    text = text if leaves_out else text[1:]
    if "\0" in text or not text:
        raise ValueError("no pattern")
    only_folders = text.endswith("/")
    body = text[:-1] if only_folders else text
    anchored = "/" in body
    names = body.removeprefix("/").split("/")
    if names == [""]:
        return None  # "/" means nothing
    parts: list[str | re.Pattern[str] | None] = [] if anchored else [None]
    for name in names:
        if name != "**":
            parts.append(_compiled(name))
        elif not parts or parts[-1] is not None:
            parts.append(None)
    if parts[-1] is None:  # all inside, but not the folder itself
        parts.append(_compiled("*"))
    return Pattern(tuple(parts), leaves_out, only_folders)


def _is_name(part: str | re.Pattern[str] | None, name: str) -> bool:
    if isinstance(part, str):
        return part == name
    return part is not None and part.fullmatch(name) is not None


def _without_end_spaces(line: str) -> str:
    """Return the line without spaces at its end, unless a backslash is before them."""
    text = line.rstrip(" \t")
    backslashes = len(text) - len(text.rstrip("\\"))
    return text + line[len(text)] if backslashes % 2 and len(text) < len(line) else text


def _compiled(name: str) -> str | re.Pattern[str]:
    """Return one part of a pattern: as text when it has no wildcards, else as an expression without backtracking."""
    runs = _runs(name)
    if len(runs) == 1 and all(not is_special for _, is_special in runs[0]):
        return "".join(text for text, _ in runs[0])
    expressions = ["".join(text if is_special else re.escape(text) for text, is_special in run) for run in runs]
    first, *others = expressions
    if not others:
        return re.compile(first, re.DOTALL)
    *middle, last = others
    # A group that was met ahead is taken as it is: nothing in it is tried again. The standard fnmatch does the same.
    held = "".join(f"(?=(?P<g{number}>.*?{run}))(?P=g{number})" for number, run in enumerate(filter(None, middle)))
    return re.compile(f"{first}{held}.*{last}", re.DOTALL)


def _runs(name: str) -> list[list[tuple[str, bool]]]:
    """Divide a part of a pattern at its stars into runs of letters and (special) expressions for one letter each."""
    runs: list[list[tuple[str, bool]]] = [[]]
    place = 0
    while place < len(name):
        letter = name[place]
        place += 1
        if letter == "*":
            runs.append([])
        elif letter == "?":
            runs[-1].append((".", True))
        elif letter == "[":
            expression, place = _letter_class(name, place)
            runs[-1].append((expression, True))
        elif letter == "\\":
            if place == len(name):
                raise ValueError("a backslash at the end")
            runs[-1].append((name[place], False))
            place += 1
        else:
            runs[-1].append((letter, False))
    return runs


def _letter_class(name: str, place: int) -> tuple[str, int]:
    """Return the expression for a class of letters that begins at ``place``, and where it ends."""
    negated = name.startswith(("!", "^"), place)
    place += negated
    items: list[str] = []
    first = True
    while True:
        letter = name[place : place + 1]
        if not letter:
            raise ValueError("a class of letters without an end")
        if letter == "]" and not first:
            break
        first = False
        if name.startswith("[:", place) and (end := name.find(":]", place)) > 0:
            kind = name[place + 2 : end]
            if kind not in _CLASSES:
                raise ValueError("an unknown class of letters")
            items.append(_CLASSES[kind])
            place = end + 2
            continue
        low, place = _one_letter(name, place)
        if name[place : place + 1] == "-" and name[place + 1 : place + 2] not in ("]", ""):
            high, place = _one_letter(name, place + 1)
            if low > high:
                raise ValueError("a range that ends before it begins")
            items.append(f"{re.escape(low)}-{re.escape(high)}")
        else:
            items.append(re.escape(low))
    return f"[{'^' if negated else ''}{''.join(items)}]", place + 1


def _one_letter(name: str, place: int) -> tuple[str, int]:
    if name[place : place + 1] == "\\":
        place += 1
    if place >= len(name):
        raise ValueError("a class of letters without an end")
    return name[place], place + 1
