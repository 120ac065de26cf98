"""Where the full-text index lies, which generation of it is in use, and who is writing.

    fulltext/
      current.json     the stamp: the generation in use, and the way of indexing it was written under
      index-<n>/       one generation; a rebuild writes the next one and then replaces the stamp
      writer.lock      held while anything is written; the system frees it when the holder dies
      writer.pid       who holds it, for the message to the one who waits

A rebuild that dies leaves a generation that no stamp names; the next rebuild removes it.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from photoindex.config import INDEX_STAMP
from photoindex.errors import FullTextError
from photoindex.system.atomic import new_file, replace_file
from photoindex.system.json_files import read_json
from photoindex.system.lazy_imports import lazily

if TYPE_CHECKING:
    import shutil
else:
    shutil = lazily("shutil")

REMEDY: Final = "run photoindex reindex --fulltext"

_GENERATION: Final = re.compile(r"index-([0-9]+)")


class Current(NamedTuple):
    """The generation in use. ``complete`` is False until a rebuild has put every photo of the catalogue into it."""

    path: Path
    complete: bool


def is_complete(folder: Path) -> bool:
    """Whether the stamp says that an index of all photos is there, written by whichever version."""
    try:
        stamp = read_json(folder / INDEX_STAMP)
        return stamp["complete"] is True and (folder / str(stamp["index"])).is_dir()
    except (OSError, ValueError, KeyError, TypeError):
        return False


class Generations:
    """The folder of the index. ``expected`` is the way of indexing that this program reads and writes."""

    def __init__(self, folder: Path, expected: Mapping[str, Any]) -> None:
        self.folder = folder
        self._stamp = folder / INDEX_STAMP
        # Through JSON once, so that it compares equal to what comes back from the file.
        self._expected: dict[str, Any] = json.loads(json.dumps(dict(expected)))

    def current(self) -> Current:
        """The generation in use; FullTextError when there is none or it was written under another way of indexing."""
        try:
            stamp = read_json(self._stamp)
            name, complete, written_as = stamp["index"], stamp["complete"], stamp["as"]
        except FileNotFoundError:
            raise FullTextError(f"the full-text index in {self.folder} has no stamp: {REMEDY}") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FullTextError(f"the stamp of the full-text index in {self.folder} is damaged: {REMEDY}") from error
        if written_as != self._expected:
            raise FullTextError(f"the full-text index in {self.folder} was written by another version: {REMEDY}")
        if not isinstance(name, str) or not _GENERATION.fullmatch(name):
            raise FullTextError(f"the stamp of the full-text index in {self.folder} is damaged: {REMEDY}")
        return Current(self.folder / name, bool(complete))

    def is_new(self) -> bool:
        """No stamp and no generation: nothing was ever indexed here."""
        return not self._stamp.exists() and not self._generations()

    def start(self) -> Path:
        """A new, empty generation that nobody reads yet. Call it while writing."""
        numbers = [int(path.name.removeprefix("index-")) for path in self._generations()]
        path = self.folder / f"index-{max(numbers, default=0) + 1}"
        path.mkdir(parents=True)
        return path

    def publish(self, path: Path, *, complete: bool) -> None:
        """Make ``path`` the generation in use, in one step, and remove the others. Call it while writing."""
        for file in path.iterdir():
            if file.is_file():
                _to_disk(file)
        stamp = {"index": path.name, "complete": complete, "as": self._expected}
        replace_file(self._stamp, json.dumps(stamp, indent=1), own=True)
        for other in self._generations():
            if other != path:
                discard(other)

    @contextmanager
    def writing(self, doing: str, timeout: float) -> Iterator[None]:
        """Hold the one right to write; ``doing`` tells others what for.

        Raises FullTextError, naming the holder, when another process or thread still has it after ``timeout`` seconds.
        """
        from filelock import FileLock, Timeout  # loads asyncio, which a search does without

        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / "writer.lock")
        try:
            lock.acquire(timeout=timeout)
        except Timeout:
            raise FullTextError(
                f"{self.holder()} the full-text index in {self.folder}: wait for it, or stop it"
            ) from None
        owner = self.folder / "writer.pid"
        try:
            with suppress(OSError), new_file(owner) as file:  # a full disk costs the name, not the right to write
                file.write(json.dumps({"pid": os.getpid(), "doing": doing, "since": time.time()}).encode())
            yield
        finally:
            with suppress(OSError):
                owner.unlink()
            lock.release()

    def holder(self) -> str:
        """Who is writing and what, as the beginning of a sentence."""
        try:
            owner = read_json(self.folder / "writer.pid")
            return f"process {int(owner['pid'])} is {owner['doing']}"
        except (OSError, ValueError, KeyError, TypeError):
            return "another process is writing to"

    def _generations(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        return [path for path in self.folder.iterdir() if _GENERATION.fullmatch(path.name)]


def discard(path: Path) -> None:
    """Remove a generation; what another process still holds open is left to the next rebuild."""
    shutil.rmtree(path, ignore_errors=True)


def _to_disk(path: Path) -> None:
    # Windows refuses to flush a file that is open for reading only.
    with path.open("r+b") as file:
        os.fsync(file.fileno())
