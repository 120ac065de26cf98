"""Small pictures of photos, for showing them: upright JPEGs, kept by content in the data folder.

The folder is a cache. A thumbnail that is asked for is marked as used; when the folder outgrows its limit, those that
were not used for longest go. It never fails a caller: what cannot be kept is made again the next time.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from photoindex.config import Settings
from photoindex.errors import PhotoError
from photoindex.system.file_state import sha256_of
from photoindex.types import DecodedPhoto

SIDE = 320  # pixels, of the longer side
QUALITY = 80
ROOM_LEFT = 0.9  # of the limit, after making room: not one file at a time


class Thumbnails:
    """The thumbnails kept in ``folder``, at most ``limit`` bytes of them (0: none are kept)."""

    def __init__(self, folder: Path, limit: int, settings: Settings) -> None:
        self._folder = folder
        self._limit = limit
        self._settings = settings

    def of(self, wanted: Sequence[tuple[str, Path]]) -> Iterator[bytes | None]:
        """For each (SHA-256 of the content, path) a JPEG, in this order; ``None`` for what cannot be read now.

        Photos are decoded in a worker process, as those are that are captioned: one that crashes it harms nobody.
        """
        found = {content: self._kept(content) for content, _ in wanted}
        missing = {path: content for content, path in wanted if found[content] is None}
        made = dict(self._make(missing)) if missing else {}
        if made:
            self._make_room()
        for content, path in wanted:
            yield found[content] or made.get(path)

    def _place(self, content: str) -> Path:
        return self._folder / content[:2] / f"{content}-{SIDE}.jpg"

    def _kept(self, content: str) -> bytes | None:
        place = self._place(content)
        try:
            picture = place.read_bytes()
            if not (picture.startswith(b"\xff\xd8") and picture.endswith(b"\xff\xd9")):
                return None
            os.utime(place)
        except OSError:
            return None
        return picture

    def _make(self, missing: dict[Path, str]) -> Iterator[tuple[Path, bytes]]:
        from photoindex.media.decode import Decoder

        with Decoder.by_settings(self._settings, SIDE) as decoder:
            for path, answer in decoder.decode(list(missing)):
                if isinstance(answer, PhotoError):
                    continue
                picture = encode(answer)
                # Another photo may have taken its place since it was indexed: that is shown, and not kept for it.
                if self._limit and _hash(path) == missing[path]:
                    self._keep(missing[path], picture)
                yield path, picture

    def _keep(self, content: str, picture: bytes) -> None:
        place = self._place(content)
        part = place.with_name(f"{place.name}.{os.getpid()}.part")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(picture)
            os.replace(part, place)
        except OSError:
            with suppress(OSError):
                part.unlink(missing_ok=True)

    def _make_room(self) -> None:
        kept = []
        for path in self._folder.glob("*/*"):
            with suppress(OSError):
                status = path.stat()
                kept.append((status.st_mtime_ns, status.st_size, path))
        size = sum(size for _, size, _ in kept)
        if size <= self._limit:
            return
        for _, bytes_, path in sorted(kept):
            if size <= self._limit * ROOM_LEFT:
                break
            with suppress(OSError):
                path.unlink()
                size -= bytes_


def encode(decoded: DecodedPhoto) -> bytes:
    """A decoded photo, which was squashed to a square, as a JPEG of its own shape."""
    from PIL import Image

    side = decoded.pixels.shape[0]
    width, height = decoded.facts.width, decoded.facts.height
    scale = side / max(width, height)
    image = Image.fromarray(decoded.pixels).resize((max(1, round(width * scale)), max(1, round(height * scale))))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def _hash(path: Path) -> str | None:
    try:
        return sha256_of(path)
    except OSError:
        return None
