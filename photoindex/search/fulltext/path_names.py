"""What the path of a photo is found by: its folders, the words of its names, and the name of its file.

The index and the query take a path apart by these functions.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from photoindex.language.analysis import STOP_WORDS, Token, name_key, value_tokens
from photoindex.system.paths import is_at_or_below

_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_. -]*")
_LETTERS: Final = re.compile("[a-z]+")


class _Folder(NamedTuple):
    """What all photos of a folder have in common."""

    names: tuple[str, ...]  # of the folders from the root on
    places: tuple[str, ...]  # itself and the folders above it, as photos are found by
    starts: tuple[str, ...]  # what a photo's path begins with, from its root on with and without the root's own name
    roots: frozenset[str]  # files in it that are roots themselves


@lru_cache(maxsize=1024)
def _folder(path: str, roots: tuple[Path, ...]) -> _Folder:
    folder = Path(path)
    above = [root for root in roots if is_at_or_below(folder, root)]
    root = max(above, key=lambda root: len(root.parts), default=folder)
    relative = [folder.relative_to(start) for start in (root, root.parent)]
    places = [*_and_above(folder), *(place for part in relative for place in _and_above(part) if place)]
    return _Folder(
        tuple(readable(name) for name in (root.name, *relative[0].parts)),
        tuple(places),
        tuple(os.path.join(part, "") if part.parts else "" for part in relative),
        frozenset(str(root) for root in roots if root.parent == folder),
    )


def _and_above(path: Path) -> list[str]:
    """Return a folder and those above it; "" for a relative path's beginning."""
    return [str(place) if place.parts else "" for place in (path, *path.parents)]


def places_of(path: Path, roots: Sequence[Path]) -> Iterator[str]:
    """Yield a path and all folders above it; and the same from its root on, with and without the root's own name."""
    text = str(path)
    above, name = os.path.split(text)
    folder = _folder(above, tuple(roots))
    yield text
    if text in folder.roots:
        yield from (*_and_above(path.parent), name)
        return
    yield from folder.places
    yield from (start + name for start in folder.starts)


def name_text(path: Path, roots: Sequence[Path]) -> str:
    """Return the folder and file names of a path, from its root on, as a text."""
    return " ".join(name_parts(path, roots))


def name_parts(path: Path, roots: Sequence[Path]) -> list[str]:
    """Return the names of a path's folders, from its root's on, and of its file, whose suffix is a word of its own:
    "x-ray.jpg" is "x-ray" and "jpg", so that "xray" finds it."""
    text = str(path)
    above, name = os.path.split(text)
    folder = _folder(above, tuple(roots))
    bare, suffix = os.path.splitext(name)
    file = readable(f"{bare} {suffix[1:]}" if suffix else bare)
    return [file] if text in folder.roots else [*folder.names, file]


def with_common_words(values: Iterable[str]) -> list[list[Token]]:
    """Return those of these values that have common words in them, as they are compared."""
    found = (value_tokens(value) for value in values if not _has_plainly_none(value))
    return [value for value in found if any(token.word in STOP_WORDS for token in value)]


def _has_plainly_none(value: str) -> bool:
    """Return whether a value has no common word, as most names of files show at once: "IMG_0042 jpg"."""
    return _PLAIN_NAME.fullmatch(value) is not None and STOP_WORDS.isdisjoint(_LETTERS.findall(value.lower()))


def readable(name: str) -> str:
    """Return a name without the lone surrogates that stand for bytes which are no UTF-8."""
    return name.encode("utf-8", "replace").decode("utf-8")


def file_keys(name: str) -> set[str]:
    """Return what a file is asked for by: its name, with and without the suffix."""
    return {key for text in (name, os.path.splitext(name)[0]) if (key := name_key(text))}
