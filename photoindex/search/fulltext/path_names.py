"""What the path of a photo is found by: its folders, the words of its names, and the name of its file.

The index and the query take a path apart by these functions.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from photoindex.language.analysis import STOP_WORDS, Token, name_key, value_tokens
from photoindex.system.paths import is_at_or_below


def _root_of(path: Path, roots: Sequence[Path]) -> Path:
    above = [root for root in roots if is_at_or_below(path, root)]
    return max(above, key=lambda root: len(root.parts), default=path.parent)


def places_of(path: Path, roots: Sequence[Path]) -> Iterator[str]:
    """Yield a path and all folders above it; and the same from its root on, with and without the root's own name."""
    root = _root_of(path, roots)
    yield from (str(place) for place in (path, *path.parents))
    for start in (root, root.parent):
        relative = path.relative_to(start)
        yield from (str(place) for place in (relative, *relative.parents) if place.parts)


def name_text(path: Path, roots: Sequence[Path]) -> str:
    """Return the folder and file names of a path, from its root on, as a text."""
    return " ".join(name_parts(path, roots))


def name_parts(path: Path, roots: Sequence[Path]) -> list[str]:
    """Return the names of a path's folders, from its root's on, and of its file, whose suffix is a word of its own:
    "x-ray.jpg" is "x-ray" and "jpg", so that "xray" finds it."""
    root = _root_of(path, roots)
    *folders, file = (root.name, *path.relative_to(root).parts)
    bare, suffix = os.path.splitext(file)
    return [readable(name) for name in (*folders, f"{bare} {suffix[1:]}" if suffix else bare)]


def with_common_words(values: Iterable[str]) -> list[list[Token]]:
    """Return those of these values that have common words in them, as they are compared."""
    found = map(value_tokens, values)
    return [value for value in found if any(token.word in STOP_WORDS for token in value)]


def readable(name: str) -> str:
    """Return a name without the lone surrogates that stand for bytes which are no UTF-8."""
    return name.encode("utf-8", "replace").decode("utf-8")


def file_keys(name: str) -> set[str]:
    """Return what a file is asked for by: its name, with and without the suffix."""
    return {key for text in (name, os.path.splitext(name)[0]) if (key := name_key(text))}
