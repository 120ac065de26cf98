"""Read ``.photoindexignore`` files: rules in the syntax of gitignore(5) for everything below their folder.

As with git, the last matching rule of a file decides, a deeper file overrides those above it, and nothing inside an
ignored folder can be included again.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from photoindex.folders.ignore_patterns import Pattern, parse
from photoindex.system.paths import shown
from photoindex.system.storage import open_file, storage_of
from photoindex.system.url_paths import is_url

logger = logging.getLogger(__name__)

IGNORE_FILE: Final = ".photoindexignore"
MAX_BYTES: Final = 1 << 20

MOST_WILDCARDS: Final = 1000  # lines of a file that are more than a name: each is tried for each photo

_Signature = tuple[int, ...]


class _Layer:
    """The rules of one ignore file. ``above`` is the part of a path that they do not look at."""

    def __init__(self, above: str, rules: Sequence[Pattern]) -> None:
        self.above = above
        self.names: dict[str, list[tuple[int, Pattern]]] = {}  # plain names, however many, are looked up
        self.others: list[tuple[int, Pattern]] = []  # the last first
        for number, rule in enumerate(rules):
            if rule.name is None:
                self.others.insert(0, (number, rule))
            else:
                self.names.setdefault(rule.name, []).insert(0, (number, rule))

    def decide(self, path: Sequence[str], *, is_folder: bool) -> bool | None:
        """Return whether the last matching rule ignores the path; ``None`` when none matches."""
        fitting = (each for each in self.names.get(path[-1], ()) if is_folder or not each[1].only_folders)
        latest, rule = next(fitting, (-1, None))
        for number, other in self.others:
            if number < latest:
                break
            if other.fits(path, is_folder=is_folder):
                rule = other
                break
        return None if rule is None else rule.leaves_out


@dataclass(frozen=True, slots=True)
class IgnoreRules:
    """The rules for the content of one folder, those of the deepest file first."""

    layers: tuple[_Layer, ...] = ()

    def leave_out(self, path: Path, *, is_folder: bool) -> bool:
        """Return whether something in that folder is left out. The folder itself is not judged."""
        text = os.fspath(path).replace(os.sep, "/") if self.layers else ""
        for layer in self.layers:
            decision = layer.decide(text[len(layer.above) :].split("/"), is_folder=is_folder)
            if decision is not None:
                return decision
        return False


class IgnoreFiles:
    """Reads ignore files when they are asked for, and again when they have changed. Safe to share between threads.

    ``warn`` receives, in one line and once for each state of a file, what is wrong with it: that it cannot be read (its
    last rules stay), or which lines are no pattern or too many (the others hold). It does not receive that a folder
    cannot be entered: the walk that looks for photos there says so.
    """

    def __init__(self, warn: Callable[[str], None] = logger.warning) -> None:
        self._warn = warn
        self._read: dict[Path, tuple[_Signature, _Layer | None]] = {}

    def rules_in(self, folder: Path) -> IgnoreRules:
        """Return the rules for what lies directly in ``folder``: those of its own file and of all folders above it."""
        layers = (self._layer(each) for each in (folder, *folder.parents))
        return IgnoreRules(tuple(layer for layer in layers if layer is not None))

    def rules_below(self, rules: IgnoreRules, folder: Path) -> IgnoreRules:
        """Return the rules in ``folder`` when those in the folder around it are known."""
        layer = self._layer(folder)
        return rules if layer is None else IgnoreRules((layer, *rules.layers))

    def _layer(self, folder: Path) -> _Layer | None:
        """Return the rules of a folder's own file; ``None`` when it has none."""
        path = folder / IGNORE_FILE
        problem: OSError | None = None
        signature: _Signature
        try:
            status = storage_of(path).glance(path)
            signature = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        except OSError as error:
            # Above the prefix that somebody may read there is nothing to see.
            hidden = is_url(path) and error.errno == errno.EACCES
            if hidden or error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
                self._read.pop(path, None)
                return None
            problem, signature = error, (error.errno or 0,)
        known = self._read.get(path)
        if problem is not None and _is_closed(folder):
            return known[1] if known is not None else None
        if known is not None and known[0] == signature:
            return known[1]
        layer = known[1] if known is not None else None
        try:
            if problem is not None:
                raise problem
            rules = self._parsed(path, _lines(path, status))
            above = os.path.join(folder, "").replace(os.sep, "/") if folder.parts else ""
            layer = _Layer(above, rules) if rules else None
        except OSError as error:
            result = (
                "its rules stay as they were" if layer is not None else "it leaves nothing out until it can be read"
            )
            self._warn(f"cannot read {shown(path)}: {error.strerror or error}; {result}")
        self._read[path] = (signature, layer)
        return layer

    def _parsed(self, path: Path, lines: list[str]) -> list[Pattern]:
        rules: list[Pattern] = []
        bad: list[int] = []
        surplus: list[int] = []
        wildcards = 0
        for number, line in enumerate(lines, 1):
            try:
                rule = parse(line)
            except ValueError:
                bad.append(number)
                continue
            if rule is None:
                continue
            wildcards += rule.name is None
            if rule.name is None and wildcards > MOST_WILDCARDS:
                surplus.append(number)
            else:
                rules.append(rule)
        if bad:
            more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
            self._warn(f"line {bad[0]}{more} of {shown(path)} is no pattern of gitignore and does not count")
        if surplus:
            self._warn(
                f"{shown(path)} has more than {MOST_WILDCARDS:,} patterns with wildcards or folders: those from line "
                f"{surplus[0]} on do not count"
            )
        return rules


def _is_closed(folder: Path) -> bool:
    """Return whether this user may look at nothing that lies in a folder, so that its ignore file is not to blame."""
    try:
        os.lstat(folder / IGNORE_FILE)
    except OSError as error:
        return error.errno == errno.EACCES
    return False


def _lines(path: Path, status: os.stat_result) -> list[str]:
    """Raises OSError, also for what is no small regular file: a pipe of that name would be waited on for ever."""
    if not stat.S_ISREG(status.st_mode):
        raise OSError("it is no regular file")
    if status.st_size > MAX_BYTES:
        raise OSError(f"it has more than {MAX_BYTES} bytes")
    # Names of files may be any bytes; the paths they are compared with come decoded like this too.
    with open_file(path) as file:
        data = file.read(MAX_BYTES + 1)
    text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    return [line.removesuffix("\r") for line in text.split("\n")]
