"""Leave out photos whose learned terms speak against text, before anybody looks for it in their pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from photoindex.captioner import model_folder
from photoindex.captioner.text_gate import TextGate, load_gate
from photoindex.catalogue import text
from photoindex.config import Settings
from photoindex.errors import ModelError


class TextSieve:
    """The gate of the model in use. ``notice`` receives why it cannot be used, once; then no photo is left out."""

    def __init__(self, settings: Settings, notice: Callable[[str], None]) -> None:
        self._model = settings.model
        self._notice = notice
        self._gate: TextGate | None = None
        self._is_loaded = False

    def without_text(self, connection: Connection, file_ids: Sequence[int]) -> dict[int, int]:
        """Return those of these files whose photos need no look, each with its photo's id.

        A photo is looked at when it has no terms by this model, when a reader found text in it before, and when its
        pixels look like a screenshot or a page.
        """
        gate = self._load()
        if gate is None:
            return {}
        files, vectors = text.vectors_of(connection, file_ids, gate.identity)
        may = gate.may_hold_text(vectors).tolist()
        photos = vectors.photo_ids.tolist()
        return {file: photo for file, photo, passes in zip(files, photos, may, strict=True) if not passes}

    def _load(self) -> TextGate | None:
        if not self._is_loaded:
            self._is_loaded = True
            try:
                self._gate = load_gate(model_folder(self._model))
            except ModelError as error:
                self._notice(f"every photo is glanced at for text: {error}")
        return self._gate
