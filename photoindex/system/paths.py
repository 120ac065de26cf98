"""Paths as the user writes them, as the disk has them, and as messages show them."""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from photoindex.errors import FolderError
from photoindex.system.storage import storage_of
from photoindex.system.terminal import visible
from photoindex.system.url_paths import is_url, path_of, url_text


class _Rooted(Protocol):
    @property
    def path(self) -> Path: ...


_Root = TypeVar("_Root", bound=_Rooted)

# Where a file is usually found under any spelling of its name.
CASE_DOES_NOT_MATTER = sys.platform in ("win32", "darwin")


def named(path: Path | str) -> Path:
    """Return a path as a program was given it. Raises :class:`FolderError` for an empty text, which would be the folder
    that the program runs in."""
    if path == "":
        raise FolderError("a path cannot be empty; for this folder give '.'")
    return Path(path)


def all_named(paths: Iterable[Path | str] | Path) -> list[Path]:
    """Return several paths as :func:`named` does. One alone is a list of one: a text would be one of its letters, "/"
    among them."""
    return [named(path) for path in ((paths,) if isinstance(paths, (str, Path)) else paths)]


def absolute(path: Path) -> Path:
    """An absolute path without ``.`` and ``..``, as it is spelt on disk; links are kept as the user wrote them.

    A URL becomes the path that stands for it (:mod:`.url_paths`). Raises :class:`FolderError` for one of another kind.
    """
    place = path_of(path)
    if place is not None:
        return place
    return as_on_disk(Path(os.path.abspath(os.path.expanduser(path))))


def as_on_disk(
    path: Path,
    *,
    any_case: bool = CASE_DOES_NOT_MATTER,
    names_in: Callable[[Path], Sequence[str]] = os.listdir,
    exists: Callable[[Path], bool] = os.path.lexists,
) -> Path:
    """An absolute path with each name as its folder lists it, where that differs in case or Unicode form only.

    "é" is one character or two; macOS finds a file by both, and by any case, and so does Windows by any case. A folder
    under two spellings would be two folders here, with every photo twice. Names that nothing answers to stay as they
    are. ``any_case``: the file system does not tell case apart.
    """
    spelt = Path(path.anchor)
    for name in path.parts[1:]:
        there = exists(spelt / name)
        if there and not any_case:
            spelt /= name
            continue
        try:
            names = names_in(spelt)
        except OSError:  # not to be listed, or no folder
            names = ()
        spelt /= name if name in names else _respelt(name, names, there and any_case)
    return spelt


def _respelt(name: str, names: Sequence[str], any_case: bool) -> str:
    composed = unicodedata.normalize("NFC", name)
    same = [other for other in names if unicodedata.normalize("NFC", other) == composed]
    if not same and any_case:
        folded = composed.casefold()
        same = [other for other in names if unicodedata.normalize("NFC", other).casefold() == folded]
    return same[0] if len(same) == 1 else name


def is_at_or_below(path: Path, folder: Path) -> bool:
    """Return whether ``path`` is ``folder`` or lies somewhere below it. Both are absolute; the disk is not asked."""
    return path == folder or folder in path.parents


def paths_below(paths: Iterable[Path], *folders: Path) -> list[Path]:
    """Return those of the paths that lie below any of the folders. All are absolute; the disk is not asked."""
    # Compared as text: asking each path for its parents takes ten times as long.
    tops = tuple(os.path.join(folder, "") for folder in folders)
    return [path for path in paths if str(path).startswith(tops)] if tops else []


def is_in_any(path: Path, places: Collection[Path]) -> bool:
    """Return whether ``path`` lies at or below one of these places; of many places a set answers fastest."""
    return path in places or any(parent in places for parent in path.parents)


def native_path(stored: bytes, separator: str = os.sep) -> str:
    """Return a path that the catalogue keeps, with ``/`` between its parts, as the system writes it."""
    text = os.fsdecode(stored)
    return text if separator == "/" else text.replace("/", separator)


def is_text_below(path: str, folder: str, separator: str = os.sep) -> bool:
    """Return whether ``path`` lies below ``folder``, both as the system writes them."""
    return path.startswith(folder if folder.endswith(separator) else folder + separator)


def relative_text(path: str, folder: str, separator: str = os.sep) -> str:
    """Return a path that lies below ``folder`` relative to it, with ``/`` between its parts as the catalogue has it."""
    rest = path[len(folder) :].removeprefix(separator)
    return rest if separator == "/" else rest.replace(separator, "/")


def root_of(roots: Iterable[_Root], path: Path) -> _Root | None:
    """The deepest root at or above ``path``."""
    above = [root for root in roots if is_at_or_below(path, root.path)]
    return max(above, key=lambda root: len(root.path.parts), default=None)


def check_exists(path: Path) -> None:
    """Raises :class:`FolderError` with one line when there is nothing readable at ``path``."""
    if is_url(path):
        try:
            found = storage_of(path).exists(path)
        except OSError as error:
            raise FolderError(f"cannot read {shown(path)}: {error.strerror or error}") from error
        if not found:
            raise FolderError(f"no such file or folder: {shown(path)}")
        return
    if not os.path.lexists(path):
        raise FolderError(f"no such file or folder: {path}")
    if not os.path.exists(path):
        raise FolderError(f"cannot read {path}: a broken link, or no permission")
    if path.is_dir() and not os.access(path, os.R_OK | os.X_OK):
        raise FolderError(f"cannot read the folder {path}: permission denied")


def shown(path: Path) -> str:
    """``path`` fit for one line on a terminal: see :func:`.terminal.visible`."""
    return visible(url_text(path))


def printable(path: Path) -> str:
    """``path`` as text that can be encoded, as it is but for bytes that are no text: those become a mark."""
    return os.fsencode(url_text(path)).decode("utf-8", "replace")
