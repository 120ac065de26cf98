"""Small pictures of photos, for showing many of them at once: upright JPEGs, kept by content in the data folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from photoindex.config import Settings
from photoindex.errors import PhotoError
from photoindex.media.thumbnail_files import ThumbnailFiles
from photoindex.system.file_state import sha256_of

SIDE = 320  # pixels, of the longer side


class Thumbnails:
    """The thumbnails kept in ``folder``, at most ``limit`` bytes of them (0: none are kept)."""

    def __init__(self, folder: Path, limit: int, settings: Settings) -> None:
        self._files = ThumbnailFiles(folder, limit)
        self._settings = settings

    def of(self, wanted: Sequence[tuple[str, Path]]) -> Iterator[bytes | None]:
        """For each (SHA-256 of the content, path) a JPEG, in this order; ``None`` for what cannot be read now.

        Photos are decoded in a worker process, as those are that are captioned: one that crashes it harms nobody.
        """
        found = {content: self._files.get(content, SIDE) for content, _ in wanted}
        missing = {path: content for content, path in wanted if found[content] is None}
        made = dict(self._make(missing)) if missing else {}
        for content, path in wanted:
            yield found[content] or made.get(path)

    def _make(self, missing: dict[Path, str]) -> Iterator[tuple[Path, bytes]]:
        from photoindex.media.decode import Decoder, make_thumbnails

        with Decoder.by_settings(self._settings, SIDE, make_thumbnails) as decoder:
            for path, answer in decoder.decode(list(missing)):
                if isinstance(answer, PhotoError):
                    continue
                picture = answer.thumbnails[SIDE]
                # Another photo may have taken its place since it was indexed: that is shown, and not kept for it.
                if _hash(path) == missing[path]:
                    self._files.keep(missing[path], {SIDE: picture})
                yield path, picture


def _hash(path: Path) -> str | None:
    try:
        return sha256_of(path)
    except OSError:
        return None
