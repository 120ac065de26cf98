"""Thumbnails for a page that is being looked at: by content and size, made by decoding workers that stay.

A thumbnail is a new JPEG without the photo's metadata. It is kept in the folder of :mod:`.thumbnails`, and made when
it is first asked for. Requests wait in a short list of which the newest is served first: who scrolls wants what is on
the screen now. A photo that kills or hangs its decoder costs itself alone.
"""

from __future__ import annotations

import io
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from photoindex.config import Settings
from photoindex.errors import DecoderUnavailable, PhotoError, UnreadablePhoto
from photoindex.media.decode import Decoder
from photoindex.media.thumbnails import QUALITY, encode

THUMBNAIL_SIZES: Final = (240, 480, 1600)  # pixels, of the longer side
WORKERS: Final = 2
MOST_WAITING: Final = 400  # a screen has some dozens
DECODE_SECONDS: Final = 20.0
IDLE_SECONDS: Final = 120.0  # after which the decoding processes end
ROOM_LEFT: Final = 0.9  # of the limit, after making room
SMALL, MIDDLE = THUMBNAIL_SIZES[:2]


class Source(NamedTuple):
    """A file that holds a photo, and the state that it must be in."""

    path: Path
    size: int
    mtime_ns: int

    def is_unchanged(self) -> bool:
        """Return whether the file is as it was when the catalogue last saw it."""
        try:
            status = os.stat(self.path)
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
    """Makes and keeps thumbnails in ``folder``, at most ``limit`` bytes of them (0: none are kept). Close it."""

    def __init__(self, folder: Path, limit: int, settings: Settings) -> None:
        self._folder = folder
        self._limit = limit
        self._settings = settings
        self._waiting: OrderedDict[tuple[str, int], _Request] = OrderedDict()
        self._changed = threading.Condition()
        self._closed = False
        self._threads: list[threading.Thread] = []
        self._decoders: list[Decoder] = []  # of all threads, to be stopped from another one
        self._room = threading.Lock()
        self._kept_bytes: int | None = None  # in the folder; None until it was counted

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
        place = self._place(content, size)
        try:
            picture = place.read_bytes()
        except OSError:
            return None
        if not (picture.startswith(b"\xff\xd8") and picture.endswith(b"\xff\xd9")):
            return None
        with suppress(OSError):
            os.utime(place)
        return picture

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
            if len(self._threads) < WORKERS:
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
        # The smallest comes from the next one, which a page shows soon after.
        decoded_size = max(request.size, MIDDLE)
        picture = self.kept(request.content, decoded_size) if decoded_size != request.size else None
        if picture is None:
            picture = self._decode(request.sources(), decoded_size, decoders)
            self._keep(request.content, decoded_size, picture)
        if decoded_size != request.size:
            picture = _smaller(picture, request.size)
            self._keep(request.content, request.size, picture)
        return picture

    def _decode(self, sources: Sequence[Source], size: int, decoders: dict[int, Decoder]) -> bytes:
        if size not in decoders:
            seconds = min(self._settings.decode_seconds, DECODE_SECONDS)
            decoders[size] = Decoder(size, 1, seconds, self._settings.max_pixels)
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
                    longest = max(answer.facts.width, answer.facts.height)
                    picture = encode(answer)
                    return picture if longest >= size else _smaller(picture, longest)
        raise wrong

    # ---- the folder ----------------------------------------------------------------------------------

    def _place(self, content: str, size: int) -> Path:
        return self._folder / content[:2] / f"{content}-{size}.jpg"

    def _keep(self, content: str, size: int, picture: bytes) -> None:
        if not self._limit:
            return
        place = self._place(content, size)
        part = place.with_name(f"{place.name}.{os.getpid()}-{threading.get_ident()}.part")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(picture)
            os.replace(part, place)
        except OSError:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            return
        with self._room:
            if self._kept_bytes is None:
                self._kept_bytes = sum(size for _, size, _ in self._listed())
            else:
                self._kept_bytes += len(picture)
            if self._kept_bytes > self._limit:
                self._make_room()

    def _listed(self) -> list[tuple[int, int, Path]]:
        """Return (time of last use, bytes, path) of all that is kept."""
        found = []
        for path in self._folder.glob("*/*"):
            with suppress(OSError):
                status = path.stat()
                found.append((status.st_mtime_ns, status.st_size, path))
        return found

    def _make_room(self) -> None:
        kept = sorted(self._listed())
        size = sum(bytes_ for _, bytes_, _ in kept)
        for _, bytes_, path in kept:
            if size <= self._limit * ROOM_LEFT:
                break
            with suppress(OSError):
                path.unlink()
                size -= bytes_
        self._kept_bytes = size


def _smaller(picture: bytes, side: int) -> bytes:
    """Return a thumbnail made from a larger one."""
    from PIL import Image

    with Image.open(io.BytesIO(picture), formats=["JPEG"]) as image:
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()
