"""The index in a folder: its segments, and the commit that says which of them count.

    commit                 the names of the segments, and which of their documents are deleted
    words-<n>.segment      a segment (segment.py); none is changed once it is named by a commit

A commit replaces the file of the one before in one step, so a reader has the one or the other, and a writer that dies
leaves nothing but files that no commit names; the next writer removes them. The caller sees to it that there is one
writer at a time.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from photoindex.search.checked_file import CheckedFile, DamagedFile, Writer, read_meta
from photoindex.search.fulltext.collector import MOST_DOCUMENTS
from photoindex.search.fulltext.reader import NoIndex
from photoindex.search.fulltext.segment import Segment
from photoindex.search.fulltext.segments_reader import SegmentsReader
from photoindex.system.atomic import new_file, replacing
from photoindex.system.lazy_imports import lazily

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from photoindex.search.fulltext import collector, merging
    from photoindex.search.fulltext.collector import SegmentContent

    Alive = NDArray[np.bool_]
else:  # a search writes nothing
    collector, merging = (lazily(f"photoindex.search.fulltext.{name}") for name in ("collector", "merging"))

COMMIT: Final = "commit"
_NAME: Final = re.compile(r"words-([0-9]{1,18})\.segment")


class Commit(NamedTuple):
    """One state of an index. ``alive`` has for each of its ``segments``, by name, which documents are not deleted;
    ``next`` is the number that no segment ever had."""

    number: int
    segments: Sequence[str]
    alive: Sequence[Alive]
    next: int


def read_commit(folder: Path) -> Commit:
    """Return the last commit. Raises NoIndex, DamagedFile and OSError."""
    try:
        file = CheckedFile(folder / COMMIT)
    except FileNotFoundError:
        raise NoIndex from None
    meta = file.meta
    sizes = meta["sizes"]
    alive = np.unpackbits(file["alive"].all(), count=sum(sizes)).astype(np.bool_)
    parts = np.split(alive, np.cumsum(sizes)[:-1]) if sizes else []
    return Commit(meta["number"], meta["segments"], parts, meta["next"])


def _write_commit(folder: Path, commit: Commit) -> None:
    alive = np.concatenate([np.zeros(0, np.bool_), *commit.alive])
    with replacing(folder / COMMIT, own=True) as file:
        writer = Writer(file)
        writer.add("alive", np.packbits(alive))
        sizes = [len(each) for each in commit.alive]
        writer.finish({"number": commit.number, "segments": list(commit.segments), "sizes": sizes, "next": commit.next})


def create(folder: Path) -> None:
    """Create an empty index in a folder."""
    _write_commit(folder, Commit(0, [], [], 1))


def damaged(folder: Path) -> list[Path]:
    """Return the files of an index that are not as they were written. Reads all of each. Raises OSError."""
    try:
        names = read_commit(folder).segments
    except NoIndex:
        return []
    except DamagedFile:
        return [folder / COMMIT]
    broken = []
    for name in names:
        try:
            Segment(folder / name).check()
        except (DamagedFile, FileNotFoundError):
            broken.append(folder / name)
    return broken


class SegmentIndex:
    """An index in a folder, of which :meth:`reader` gives an :class:`.reader.IndexReader`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: Mapping[str, Segment] = {}

    def commit(self) -> int:
        try:
            return int(read_meta(self._folder / COMMIT)["number"])
        except FileNotFoundError:
            raise NoIndex from None

    def reader(self) -> SegmentsReader:
        commit = read_commit(self._folder)
        self._open = {name: self._open.get(name) or Segment(self._folder / name) for name in commit.segments}
        return SegmentsReader([*self._open.values()], commit.alive)


# ---- writing -------------------------------------------------------------------------------------


class IndexWriter:
    """One commit in the making."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        commit = read_commit(folder)
        self._number, self._next = commit.number + 1, commit.next
        self._parts = [
            (Segment(folder / name), alive.copy()) for name, alive in zip(commit.segments, commit.alive, strict=True)
        ]
        self._collected = collector.Collector()
        self._merge_all = False

    def delete(self, photo_ids: Sequence[int]) -> None:
        """Delete the documents of these photos."""
        self._flush()
        wanted = np.array(sorted(photo_ids), np.int64)
        if wanted.size:
            for segment, alive in self._parts:
                _delete(segment.photo_ids(), alive, wanted)

    def add(self, fields: Mapping[str, Any]) -> None:
        """Add the document of a photo that has none: text fields as a list of places, each with its words; others as
        text or number."""
        self._collected.add(fields)
        if len(self._collected) == MOST_DOCUMENTS:
            self._flush()

    def merge(self) -> None:
        """Merge segments with this commit as far as they fit together."""
        self._merge_all = True

    def commit(self) -> None:
        """Write what was done, and make it what readers see."""
        self._flush()
        self._parts = [(segment, alive) for segment, alive in self._parts if alive.any()]
        if self._merge_all:
            parts = self._parts
            groups = merging.batches(self._alive())
            self._parts = [self._one_of([parts[number] for number in group]) for group in groups]
        while chosen := merging.to_merge(self._alive(), [segment.size for segment, _ in self._parts]):
            one = self._one_of([self._parts[number] for number in chosen])
            rest = [part for number, part in enumerate(self._parts) if number not in chosen]
            place = sum(number not in chosen for number in range(chosen[0]))
            self._parts = [*rest[:place], one, *rest[place:]]
        names = [segment.path.name for segment, _ in self._parts]
        _write_commit(self._folder, Commit(self._number, names, [alive for _, alive in self._parts], self._next))
        remove_unnamed(self._folder, names)

    def _alive(self) -> list[int]:
        return [int(np.count_nonzero(alive)) for _, alive in self._parts]

    def _flush(self) -> None:
        if len(self._collected):
            content = self._collected.content()
            self._collected = collector.Collector()  # the words of the one before need not be there twice
            self._parts.append(self._written(content))

    def _one_of(self, parts: Sequence[tuple[Segment, Alive]]) -> tuple[Segment, Alive]:
        if len(parts) == 1 and parts[0][1].all():
            return parts[0]
        return self._written(merging.merged(parts))

    def _written(self, content: SegmentContent) -> tuple[Segment, Alive]:
        path = self._folder / f"words-{self._next}.segment"
        self._next += 1
        with new_file(path) as file:
            collector.write_segment(Writer(file), content)
            file.flush()
            os.fsync(file.fileno())
        return Segment(path), np.ones(len(content.photo_ids), np.bool_)


def _delete(photo_ids: NDArray[np.int64], alive: Alive, wanted: NDArray[np.int64]) -> None:
    if photo_ids.size and wanted[0] <= photo_ids.max() and wanted[-1] >= photo_ids.min():
        alive[np.isin(photo_ids, wanted)] = False


def remove_unnamed(folder: Path, names: Sequence[str]) -> None:
    """Remove segments that no commit names. On Windows those that a process still reads stay until the next time."""
    for path in folder.iterdir():
        if _NAME.fullmatch(path.name) and path.name not in names:
            with suppress(OSError):
                path.unlink()


@contextmanager
def writer(folder: Path) -> Iterator[IndexWriter]:
    """Yield a writer that commits at the end of the block, or leaves the index as it was when the block raises."""
    opened = IndexWriter(folder)
    try:
        yield opened
        opened.commit()
    except BaseException:
        with suppress(OSError, NoIndex, DamagedFile):
            remove_unnamed(folder, read_commit(folder).segments)
        raise
