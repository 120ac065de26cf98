"""JPEGs that something else has decoded, small: a GPU, where there is one.

A draft is what libjpeg makes when it decodes a JPEG at an eighth, a quarter or half of its size: each of its pixels is
the mean of a square of the photo's. Who makes drafts is given the bytes of plain JPEGs alone, and every photo whose
draft does not come is decoded as all others are. What a file's header and metadata say, and that its end is there, is
found out by the usual code either way.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photoindex.system.regular_files import read_up_to
from photoindex.system.storage import open_file
from photoindex.system.url_paths import is_url

Draft = NDArray[np.uint8]  # (height, width, 3)

AT_ONCE: Final = 16  # photos
LARGEST_FILE: Final = 64 << 20  # bytes; 16 of these are held at once
INTERRUPT_EVERY: Final = 0.1  # seconds
MOST_PIXELS: Final = 100_000_000  # together; of a GPU's memory they take three times as many bytes
_START_OF_IMAGE, _END_OF_IMAGE = b"\xff\xd8", b"\xff\xd9"
# ITU-T T.81, table B.1
_BASELINE, _EXTENDED = 0xC0, 0xC1
_OTHER_FRAMES = {*range(0xC2, 0xD0)} - {0xC4, 0xC8, 0xCC}  # progressive, lossless, arithmetic; the others are none
_SCAN, _ADOBE = 0xDA, 0xEE
_ALONE = {0x01, *range(0xD0, 0xD8)}  # markers without a length


class DraftMaker(Protocol):
    """Makes drafts of many photos at once; called by one thread."""

    def make(self, jpegs: Sequence[bytes], scales: Sequence[int]) -> Sequence[Draft | None]:
        """Plain JPEGs -> each at 1 / scale of its size, rounded up; ``None`` for one that it cannot make."""
        ...

    @property
    def works(self) -> bool:
        """Whether it is worth asking again."""
        ...

    def interrupt(self) -> None:
        """From another thread: have :meth:`make` return soon, whatever it does."""
        ...

    def close(self) -> None:
        """Let go of what it holds. It may be asked again."""
        ...


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


class PlainJpeg(NamedTuple):
    """Its width and height as stored, in pixels."""

    width: int
    height: int


def plain_jpeg(content: bytes) -> PlainJpeg | None:
    """The size of a JPEG that every decoder decodes alike, or ``None``: baseline, three channels of 8 bits in YCbCr,
    one scan, and that is whole.

    A decoder on a GPU may say nothing of a file that is cut off, takes all for YCbCr, and is slow where a photo is
    progressive.
    """
    if not content.startswith(_START_OF_IMAGE):
        return None
    place, size = 2, None
    while place + 4 <= len(content) and content[place] == 0xFF:
        marker = content[place + 1]
        if marker == 0xFF:  # filling
            place += 1
            continue
        if marker in _ALONE:
            place += 2
            continue
        length = int.from_bytes(content[place + 2 : place + 4], "big")
        segment = content[place + 4 : place + 2 + length]
        if marker in _OTHER_FRAMES or length < 2:
            return None
        if marker in (_BASELINE, _EXTENDED):
            if size is not None or len(segment) < 15 or segment[0] != 8 or segment[5] != 3:
                return None
            if [segment[6], segment[9], segment[12]] != [1, 2, 3]:  # "RGB" has been seen
                return None
            size = PlainJpeg(int.from_bytes(segment[3:5], "big"), int.from_bytes(segment[1:3], "big"))
        elif marker == _ADOBE and segment[:5] == b"Adobe" and segment[11:12] != b"\x01":
            return None
        elif marker == _SCAN:
            # Within a scan no byte 0xFF is followed by that of a marker but where the scan ends.
            whole = segment[:1] == b"\x03" and content.find(_END_OF_IMAGE, place + 2 + length) >= 0
            return size if whole and size is not None and min(size) > 0 else None
        place += 2 + length
    return None


class _Lent:
    """The draft of the photo in work, in a worker."""

    draft: Draft | None = None


def lend(draft: Draft | None) -> None:
    """Have :func:`put_into` find this draft, for the one photo that is decoded next."""
    _Lent.draft = draft


def put_into(image: Image.Image) -> bool:
    """Give a JPEG that was opened, and whose size is that of a draft, the pixels that were lent instead of having them
    decoded. Return whether there are such."""
    draft, _Lent.draft = _Lent.draft, None
    if draft is None or image.format not in ("JPEG", "MPO") or image.mode != "RGB":
        return False
    if (image.height, image.width) != draft.shape[:2]:
        return False
    image.tile = []  # type: ignore[attr-defined]  # nothing is left to be read from the file
    image.im = Image.fromarray(draft).im
    return True


class DraftThread:
    """Has drafts made of photos that wait, as long as more of them do than workers can take."""

    def __init__(self, maker: DraftMaker, waiting: Waiting, workers: int, scale_of: Callable[[PlainJpeg], int]) -> None:
        self._maker, self._waiting, self._workers, self._scale_of = maker, waiting, workers, scale_of
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
                for some in _portions(paths, self._scale_of):
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


def _portions(paths: Iterable[Path], scale_of: Callable[[PlainJpeg], int]) -> Iterator[list[_Read]]:
    """The plain JPEGs among files that are decoded smaller, as many together as a GPU has room for."""
    portion: list[_Read] = []
    pixels = 0
    for path in paths:
        found = read_plain(path)
        if found is None or (scale := scale_of(found[1])) == 1:
            continue
        size = found[1].width * found[1].height
        if portion and pixels + size > MOST_PIXELS:
            yield portion
            portion, pixels = [], 0
        portion.append(_Read(path, found[0], scale))
        pixels += size
    if portion:
        yield portion


def read_plain(path: Path) -> tuple[bytes, PlainJpeg] | None:
    """A file's bytes, if they are a plain JPEG's; what is wrong with a file is for others to say."""
    if is_url(path):  # read once, for the worker
        return None
    try:
        with open_file(path) as file:
            if file.read(2) != _START_OF_IMAGE:
                return None
            content = _START_OF_IMAGE + read_up_to(file, LARGEST_FILE)
    except OSError:
        return None
    size = plain_jpeg(content)
    return None if size is None or size.width * size.height > MOST_PIXELS else (content, size)
