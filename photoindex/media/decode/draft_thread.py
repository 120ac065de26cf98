"""The photos that wait to be decoded, and the thread that has drafts (:mod:`.drafts`) made of some of them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from photoindex.media.decode.drafts import Draft, DraftMaker, draft_scale
from photoindex.media.decode.plain_jpeg import read_plain

AT_ONCE: Final = 16  # photos, of 64 MB at most each
MOST_PIXELS: Final = 100_000_000  # together; of a GPU's memory they take three times as many bytes
INTERRUPT_EVERY: Final = 0.1  # seconds


class Waiting:
    """The photos that wait for a worker, and those for whom a draft was made, which go first."""

    def __init__(self) -> None:
        self._paths: deque[Path] = deque()
        self._looked_at: deque[tuple[Path, Draft | None]] = deque()
        self._changed = threading.Condition()
        self._ended = False

    def add(self, paths: Iterable[Path]) -> None:
        with self._changed:
            self._paths.extend(paths)
            self._changed.notify_all()

    def take(self) -> tuple[Path, Draft | None] | None:
        """Wait for a photo; ``None`` when it has ended."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._looked_at or self._paths)
            if self._ended:
                return None
            taken = self._looked_at.popleft() if self._looked_at else (self._paths.popleft(), None)
            self._changed.notify_all()
            return taken

    def take_for_drafts(self, workers: int) -> list[Path]:
        """Wait until there are more photos than so many workers take next, and these wait for drafts, or will soon;
        none when it has ended. What is taken is given back by :meth:`add_looked_at`."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._ended or (len(self._paths) > workers and len(self._looked_at) <= AT_ONCE)
            )
            if self._ended:
                return []
            count = min(AT_ONCE, len(self._paths) - workers)
            return [self._paths.popleft() for _ in range(count)]

    def add_looked_at(self, photos: Iterable[tuple[Path, Draft | None]]) -> None:
        with self._changed:
            self._looked_at.extend(photos)
            self._changed.notify_all()

    @property
    def has_ended(self) -> bool:
        return self._ended

    def end(self) -> None:
        """Wake all who wait, for nothing."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()


class DraftThread:
    """Has drafts made of photos that wait, as long as more of them do than workers can take."""

    def __init__(self, maker: DraftMaker, waiting: Waiting, workers: int, size: int) -> None:
        self._maker, self._waiting, self._workers, self._size = maker, waiting, workers, size
        self._thread = threading.Thread(target=self._run, name="drafts", daemon=True)

    def start(self) -> None:
        """Raises RuntimeError where the system has no thread to spare."""
        self._thread.start()

    def join(self) -> None:
        """Return when it has ended, after ``Waiting.end``."""
        while self._thread.is_alive():
            self._maker.interrupt()
            self._thread.join(INTERRUPT_EVERY)

    def _run(self) -> None:
        while self._maker.works and (paths := self._waiting.take_for_drafts(self._workers)):
            drafts: dict[Path, Draft | None] = {}
            try:
                for some in _portions(paths, self._size):
                    if self._waiting.has_ended:
                        return
                    made = self._maker.make([each.content for each in some], [each.scale for each in some])
                    drafts.update(zip((each.path for each in some), made, strict=True))
            finally:  # whatever happens, they are decoded
                self._waiting.add_looked_at((path, drafts.get(path)) for path in paths)


class _Read(NamedTuple):
    path: Path
    content: bytes
    scale: int


def _portions(paths: Iterable[Path], side: int) -> Iterator[list[_Read]]:
    """The plain JPEGs among files that are decoded smaller for ``side`` pixels, together as there is room."""
    portion: list[_Read] = []
    pixels = 0
    for path in paths:
        found = read_plain(path)
        if found is None or (scale := draft_scale(found[1], side)) == 1:
            continue
        size = found[1].width * found[1].height
        if size > MOST_PIXELS:
            continue
        if portion and pixels + size > MOST_PIXELS:
            yield portion
            portion, pixels = [], 0
        portion.append(_Read(path, found[0], scale))
        pixels += size
    if portion:
        yield portion
