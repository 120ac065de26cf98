"""The decoding workers that a pipeline holds, and what decodes beside them on a GPU where the settings ask for it."""

from __future__ import annotations

from collections.abc import Callable

from photoindex.captioner.jpeg_drafts import DraftProcess, drafts_of
from photoindex.config import Settings
from photoindex.media.decode import Decoder, decode_photo, decode_with_thumbnails
from photoindex.types import CaptionerInfo


class HeldDecoder:
    """Holds the workers once they are needed. ``notice`` receives a line when photos cannot be decoded on the GPU."""

    def __init__(self, settings: Settings, notice: Callable[[str], None]) -> None:
        self._settings = settings
        self._notice = notice
        self._decoder: Decoder | None = None
        self._drafts: DraftProcess | None = None
        self._gave_up = False  # decoding on the GPU

    @property
    def is_held(self) -> bool:
        return self._decoder is not None

    def get(self, model: CaptionerInfo) -> Decoder:
        """Return the workers, which decode to what a model takes."""
        if self._decoder is None:
            function = decode_with_thumbnails if self._settings.thumbnail_megabytes else decode_photo
            self._drafts = None if self._gave_up else drafts_of(self._settings, model)
            self._decoder = Decoder.by_settings(
                self._settings, model.input_size, function, beside_gpu=model.is_on_gpu, drafts=self._drafts
            )
        return self._decoder

    def close(self) -> None:
        """Stop the workers; others are made when there is work."""
        if self._decoder is not None:
            self._decoder.close()
            self._decoder = None

    def note_problem(self) -> None:
        """Say why photos are no longer decoded on the GPU, once."""
        if self._drafts is not None and self._drafts.problem:
            self._notice(
                f"photos are not decoded on the GPU (decode_on_gpu), but as without it: {self._drafts.problem}"
            )
            self._drafts, self._gave_up = None, True
