"""Files named ``.photoindexignore``: rules, in the syntax of gitignore(5), for what lies below the folder they are in.

As with git, the last rule of a file that fits decides; a file deeper down overrules those above it; and what lies in a
folder that is left out cannot be taken back in.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from photoindex.system.paths import shown

logger = logging.getLogger(__name__)

IGNORE_FILE: Final = ".photoindexignore"
MAX_BYTES: Final = 1 << 20

_Signature = tuple[int, ...]
# pathspec's name for the slash after a folder that a pattern matches, with all that lies in it.
_FOLDER_END: Final = "ps_d"


@dataclass(frozen=True, slots=True)
class _Rule:
    """One pattern, as pathspec translates it, and whether it leaves out (or takes back in)."""

    pattern: re.Pattern[str]
    leaves_out: bool

    def fits(self, path: str, *, is_folder: bool) -> bool:
        """Whether it means this very path, and not merely a folder above it.

        pathspec's own decision does not tell the two apart, so that folders could not be taken back in by ``!*/``.
        """
        found = self.pattern.search(path)
        if found is not None and found.groupdict().get(_FOLDER_END) is None:
            return True
        return is_folder and any(
            match.groupdict().get(_FOLDER_END) is not None and match.end(_FOLDER_END) == len(path) + 1
            for match in self.pattern.finditer(path + "/")
        )


@dataclass(frozen=True, slots=True)
class _Layer:
    """The rules of one ignore file, last first; ``above`` is the part of a path that they do not look at."""

    above: str
    rules: tuple[_Rule, ...]


@dataclass(frozen=True, slots=True)
class IgnoreRules:
    """The rules that hold for what lies directly in one folder, those of the deepest file first."""

    layers: tuple[_Layer, ...] = ()

    def leave_out(self, path: Path, *, is_folder: bool) -> bool:
        """Whether something in that folder is left out. The folder itself is not judged."""
        text = os.fspath(path).replace(os.sep, "/") if self.layers else ""
        return next(
            (
                rule.leaves_out
                for layer in self.layers
                for rule in layer.rules
                if rule.fits(text[len(layer.above) :], is_folder=is_folder)
            ),
            False,
        )


class IgnoreFiles:
    """Reads ignore files when they are asked for, and again when they have changed. Safe to share between threads.

    ``warn`` hears, in one line and once for each state of a file, of one that cannot be read (then the rules that were
    last read from it stay) and of lines that are no pattern (the others hold).
    """

    def __init__(self, warn: Callable[[str], None] = logger.warning) -> None:
        self._warn = warn
        self._read: dict[Path, tuple[_Signature, tuple[_Rule, ...]]] = {}

    def rules_in(self, folder: Path) -> IgnoreRules:
        """The rules for what lies directly in ``folder``: those of the files in it and in all folders above it."""
        return IgnoreRules(tuple(layer for each in (folder, *folder.parents) for layer in self._layer(each)))

    def rules_below(self, rules: IgnoreRules, folder: Path) -> IgnoreRules:
        """The rules in ``folder`` when those in the folder around it are known."""
        layer = self._layer(folder)
        return IgnoreRules((*layer, *rules.layers)) if layer else rules

    def _layer(self, folder: Path) -> tuple[_Layer, ...]:
        """Its own file, or nothing."""
        rules = self._rules(folder / IGNORE_FILE)
        if not rules:
            return ()
        return (_Layer(os.path.join(folder, "").replace(os.sep, "/") if folder.parts else "", rules),)

    def _rules(self, path: Path) -> tuple[_Rule, ...]:
        problem: OSError | None = None
        signature: _Signature
        try:
            found = os.stat(path)
            signature = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
                self._read.pop(path, None)
                return ()
            problem, signature = error, (error.errno or 0,)
        known = self._read.get(path)
        if known is not None and known[0] == signature:
            return known[1]
        rules = known[1] if known is not None else ()
        try:
            if problem is not None:
                raise problem
            rules = self._compiled(path, _lines(path, found))
        except OSError as error:
            self._warn(f"cannot read {shown(path)}: {error.strerror or error}; its rules stay as they were")
        self._read[path] = (signature, rules)
        return rules

    def _compiled(self, path: Path, lines: list[str]) -> tuple[_Rule, ...]:
        # Imported here: most libraries have no such file.
        from pathspec import GitIgnoreSpec

        rules: list[_Rule] = []
        bad: list[int] = []
        for number, line in enumerate(lines, 1):
            try:
                # The other backends of pathspec take no names that are not valid text.
                for translated in GitIgnoreSpec.from_lines([line], backend="simple").patterns:
                    if translated.include is not None and isinstance(translated.regex, re.Pattern):
                        rules.append(_Rule(translated.regex, translated.include))
            except (ValueError, re.error):
                bad.append(number)
        if bad:
            more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
            self._warn(f"line {bad[0]}{more} of {shown(path)} is no pattern of gitignore and does not count")
        return tuple(reversed(rules))


def _lines(path: Path, found: os.stat_result) -> list[str]:
    """Raises OSError, also for what is no small regular file: a pipe of that name would be waited on for ever."""
    if not stat.S_ISREG(found.st_mode):
        raise OSError("it is no regular file")
    if found.st_size > MAX_BYTES:
        raise OSError(f"it has more than {MAX_BYTES} bytes")
    # Names of files may be any bytes; the paths they are compared with come decoded like this too.
    text = path.read_bytes().removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    return [line.removesuffix("\r") for line in text.split("\n")]
