"""Thumbnails for a page that is being looked at: by content and size, made by decoding workers that stay.

A thumbnail is a new JPEG without the photo's metadata. It is kept in the folder of :mod:`.thumbnails`, and made when
it is first asked for. Requests wait in a short list of which the newest is served first: who scrolls wants what is on
the screen now. A photo that kills or hangs its decoder costs itself alone.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from photoindex.config import Settings
from photoindex.errors import DecoderUnavailable, PhotoError, UnreadablePhoto
from photoindex.media.thumbnail_files import LIST_SIDES, ThumbnailFiles
from photoindex.system.storage import stat

if TYPE_CHECKING:
    from photoindex.media.decode import Decoder

THUMBNAIL_SIZES: Final = (240, 480, 1600)  # pixels, of the longer side
# A photo with its own pixels, for who looks closely: no larger, so that neither the one who makes it nor the one who
# shows it needs more memory for a larger photo. Few cameras make larger ones.
FULL_SIZE: Final = 8192
WORKERS: Final = 2
MOST_WAITING: Final = 400  # a screen has some dozens
DECODE_SECONDS: Final = 20.0
FULL_SECONDS: Final = 40.0  # 100 megapixels take 5 of a processor that others want as well
IDLE_SECONDS: Final = 120.0  # after which the decoding processes end


class Source(NamedTuple):
    """A file that holds a photo, and the state that it must be in."""

    path: Path
    size: int
    mtime_ns: int

    def is_unchanged(self) -> bool:
        """Return whether the file is as it was when the catalogue last saw it."""
        try:
            status = stat(self.path)
        except OSError:
            return False
        return (status.st_size, status.st_mtime_ns) == (self.size, self.mtime_ns)


class Dropped(Exception):
    """The request was dropped for newer ones; it may be made again."""


class _Request(NamedTuple):
    content: str
    size: int
    sources: Callable[[], Sequence[Source]]
    answer: Future[bytes]


class ThumbnailPool:
    """Makes thumbnails by ``workers``, and keeps at most ``limit`` bytes of them in ``folder`` (0: none). Close it."""

    def __init__(self, folder: Path, limit: int, settings: Settings, workers: int = WORKERS) -> None:
        self._workers = workers
        self._files = ThumbnailFiles(folder, limit)
        self._settings = settings
        self._waiting: OrderedDict[tuple[str, int], _Request] = OrderedDict()
        self._changed = threading.Condition()
        self._closed = False
        self._threads: list[threading.Thread] = []
        self._decoders: list[Decoder] = []  # of all threads, to be stopped from another one

    def close(self) -> None:
        """End the decoding processes; what still waits is dropped."""
        with self._changed:
            self._closed = True
            dropped = list(self._waiting.values())
            self._waiting.clear()
            self._changed.notify_all()
            decoding = list(self._decoders)
        for request in dropped:
            if request.answer.set_running_or_notify_cancel():
                request.answer.set_exception(Dropped())
        for decoder in decoding:
            decoder.close()
        for thread in self._threads:
            thread.join()

    def kept(self, content: str, size: int) -> bytes | None:
        """Return the thumbnail if it is in the folder."""
        return self._files.get(content, size)

    def make(self, content: str, size: int, sources: Callable[[], Sequence[Source]]) -> Future[bytes]:
        """Return the thumbnail of the photo with the SHA-256 ``content``, in time.

        ``sources`` gives the files that hold it; it is called when its turn comes. The answer is
        :class:`photoindex.errors.PhotoError` when none of them can be decoded, or is as it was;
        :class:`Dropped` when too many newer requests came.
        """
        key = (content, size)
        with self._changed:
            if self._closed:
                raise DecoderUnavailable("the gallery is being closed")
            request = self._waiting.get(key)
            if request is None or request.answer.cancelled():
                request = self._waiting[key] = _Request(content, size, sources, Future())
            self._waiting.move_to_end(key)
            dropped = self._waiting.popitem(last=False)[1] if len(self._waiting) > MOST_WAITING else None
            if len(self._threads) < self._workers:
                thread = threading.Thread(target=self._work, name="thumbnails", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._changed.notify()
        if dropped is not None and dropped.answer.set_running_or_notify_cancel():
            dropped.answer.set_exception(Dropped())
        return request.answer

    def _work(self) -> None:
        decoders: dict[int, Decoder] = {}
        try:
            while (request := self._next(decoders)) is not None:
                if not request.answer.set_running_or_notify_cancel():
                    continue
                try:
                    request.answer.set_result(self._picture(request, decoders))
                except BaseException as error:  # whoever waits must hear of it
                    request.answer.set_exception(error)
        finally:
            for decoder in decoders.values():
                decoder.close()

    def _next(self, decoders: dict[int, Decoder]) -> _Request | None:
        """Return the newest request; ``None`` when the pool is closed."""
        idle_since = time.monotonic()
        with self._changed:
            while not self._waiting and not self._closed:
                left = IDLE_SECONDS - (time.monotonic() - idle_since)
                if left <= 0 and decoders:
                    for decoder in decoders.values():
                        decoder.close()
                        self._decoders.remove(decoder)
                    decoders.clear()
                self._changed.wait(left if decoders else None)
            return None if self._closed else self._waiting.popitem()[1]

    def _picture(self, request: _Request, decoders: dict[int, Decoder]) -> bytes:
        made = self.kept(request.content, request.size)  # by the other thread, meanwhile
        if made is not None:
            return made
        # The smaller one of lists comes with the larger one, which a page shows soon after.
        side = LIST_SIDES[0] if request.size in LIST_SIDES else request.size
        pictures = self._decode(request.sources(), side, decoders)
        self._files.keep(request.content, pictures)
        return pictures[request.size]

    def _decode(self, sources: Sequence[Source], size: int, decoders: dict[int, Decoder]) -> Mapping[int, bytes]:
        from photoindex.media.decode import Decoder, make_thumbnails  # after the server has begun to answer

        if size not in decoders:
            # Of a picture of this size there are two while one is turned upright, four bytes a pixel.
            most, room = (FULL_SECONDS, 2 * 4 * size * size) if size == FULL_SIZE else (DECODE_SECONDS, 0)
            seconds = min(self._settings.decode_seconds, most)
            decoders[size] = Decoder(size, 1, seconds, self._settings.max_pixels, make_thumbnails, room=room)
            with self._changed:
                self._decoders.append(decoders[size])
        wrong: PhotoError = UnreadablePhoto("no file of this photo is as it was when it was indexed")
        for source in sources:
            if not source.is_unchanged():
                continue
            for _, answer in decoders[size].decode([source.path]):
                if isinstance(answer, PhotoError):
                    wrong = answer
                elif source.is_unchanged():  # else the pixels may be another photo's
                    return answer.thumbnails
        raise wrong
